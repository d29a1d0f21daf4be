"""Is it alive, is it ready, is the day's work done: what machines ask. None of it needs a token, none of it holds a name."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from sqlalchemy.engine import Connection
from starlette.responses import Response

from app import __version__
from app.db import current_revision, head
from app.errors import DayInTrouble, NotReady
from app.http import answer
from app.offices.answers import AliveOut, ReadyOut
from app.offices.desk import house_of
from app.operations import condition, queries
from app.operations.answers import DayOut

router = APIRouter(tags=["operations"])


@router.get("/livez", responses={200: {"model": AliveOut}})
async def livez() -> Response:
    """The process answers; touches nothing."""
    return answer({"status": "ok", "version": __version__})


@router.get("/readyz", responses={200: {"model": ReadyOut}})
def readyz(request: Request) -> Response:
    """The database answers, is at the newest revision, and agrees with us about the time."""
    house = house_of(request)
    with house.database.snapshot() as connection:
        at = must_be_migrated(connection)
    house.skew.must_be_small()
    return answer({"status": "ok", "revision": at})


@router.get("/healthz/daily", responses={200: {"model": DayOut}})
def healthz_daily(request: Request) -> Response:
    """Today's run is done and its messages left: 200, with warnings if any; else 503 with what to do."""
    house = house_of(request)
    house.skew.must_be_small()
    now = house.clock.now()
    with house.database.snapshot() as connection:
        must_be_migrated(connection)
        seen = queries.seen(connection, now, house.settings)
    findings = condition.judge(seen, now, house.settings)
    said = {
        "date": condition.last_due(now, house.settings),
        "run": _run(seen),
        "findings": [one._asdict() for one in findings],
    }
    level = condition.worst(findings)
    if level == condition.BAD:
        raise DayInTrouble("；".join(one.text for one in findings if one.level == level), **said)
    return answer({"status": level, **said})


def must_be_migrated(connection: Connection) -> str:
    """The database's revision, or NotReady when it is not the newest."""
    at, wanted = current_revision(connection), head()
    if at != wanted:
        raise NotReady("请先运行 luodi migrate / run `luodi migrate`", revision=at, wanted=wanted)
    return wanted


def _run(seen: condition.Seen) -> dict[str, Any] | None:
    if seen.run is None:
        return None
    wanted = ("state", "attempt", "started_at", "finished_at")
    return {"date": seen.run.run_date} | {name: getattr(seen.run, name) for name in wanted}
