"""Rehearsing policies over REST. It changes nothing, so no Idempotency-Key is kept: whoever asks again is answered anew."""

from __future__ import annotations

import threading

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.errors import Busy
from app.http import answer
from app.offices.desk import house_of
from app.offices.queries import authenticate, scope
from app.projects.api import PROBLEMS
from app.rehearsals import service
from app.rehearsals.answers import RehearsalOut
from app.rehearsals.schemas import RehearsalIn

router = APIRouter(prefix="/api/v1", tags=["policy"], responses=PROBLEMS)
PATIENCE = 100.0
"""Seconds one request may compute: a longer rehearsal belongs on the command line."""
_one_at_a_time = threading.Lock()


@router.post("/policy/rehearse", responses={200: {"model": RehearsalOut}})
def rehearse_policy(request: Request, given: RehearsalIn) -> Response:
    """What candidate limits, and those in force, would have flagged and told over a period, side by side. Nothing is written."""
    house = house_of(request)
    with house.database.snapshot() as connection:
        caller = authenticate(connection, request.headers.get("authorization"), house.clock.now())
        offices = scope(connection, caller, given.office)
    asked = service.Asked([(one.name, one.table()) for one in given.variants], given.begin, given.end, given.knowledge)
    named = next((one.shown for one in offices.offices.values() if one.code == given.office), None)
    if not _one_at_a_time.acquire(timeout=PATIENCE / 10):  # it computes all the time: two at once would only slow everybody down
        raise Busy("另一个时限演练正在进行 / another rehearsal is under way")
    try:
        return answer(service.rehearse(house, asked, offices, office=named, patience=PATIENCE))
    finally:
        _one_at_a_time.release()
