"""The policy over REST: which limits answer a question."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.offices.desk import Work, moment, reading
from app.policies.answers import PolicyOut
from app.policies.queries import book_of

router = APIRouter(prefix="/api/v1", tags=["policy"])


@router.get("/policy", responses={200: {"model": PolicyOut}})
def read_policy(request: Request) -> Response:
    """The version that governs today, and the list of all versions."""

    def view(work: Work) -> Any:
        at = moment(work.house, None, None)
        book = book_of(work.house.database)
        versions = book.versions(work.connection)
        listed = [{"version": one.id, "effective_from": one.effective_from, "recorded_at": one.recorded_at} for one in versions]
        return {**book.governing(work.connection, at.as_of, None).shown(), "versions": listed}

    return reading(request, view)
