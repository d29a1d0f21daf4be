"""Is it alive, is it ready, is the day's work done: what machines ask. None of it needs a token, none of it holds a name."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from sqlalchemy.engine import Connection
from starlette.responses import PlainTextResponse, Response

from app import __version__
from app.db import current_revision, head
from app.errors import DayInTrouble, Forbidden, NotFound, NotReady
from app.http import answer
from app.offices.access import OBSERVE
from app.offices.answers import AliveOut, ReadyOut
from app.offices.desk import House, house_of
from app.offices.queries import authenticate
from app.operations import condition, queries
from app.operations.answers import DayOut
from app.operations.metrics import Metrics

router = APIRouter(tags=["operations"])
FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")
"""Headers by which a proxy says for whom it calls."""


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


@router.get(
    "/metrics",
    response_class=PlainTextResponse,
    responses={401: {"description": "no or bad token"}, 403: {"description": "not for you"}, 404: {"description": "switched off"}},
)
def metrics(request: Request) -> Response:
    """What is measured, in the text format of Prometheus."""
    house = house_of(request)
    GUARDS[house.settings.metrics](request, house)
    measured: Metrics = request.app.state.metrics
    return Response(measured.told(), media_type=CONTENT_TYPE_PLAIN_0_0_4)


def _nobody(_request: Request, _house: House) -> None:
    raise NotFound("没有这个地址")


def _this_machine(request: Request, _house: House) -> None:
    """A proxy on this machine calls from loopback for the whole world, so that what it forwards does not count."""
    host = request.client.host if request.client else ""
    if not _is_loopback(host) or any(name in request.headers for name in FORWARDED):
        raise Forbidden("只能从本机直接读取；可设 LUODI_METRICS=token / from this machine only, or set LUODI_METRICS=token")


def _known(request: Request, house: House) -> None:
    with house.database.snapshot() as connection:
        caller = authenticate(connection, request.headers.get("authorization"), house.clock.now())
    caller.must(OBSERVE)


def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


GUARDS: dict[str, Callable[[Request, House], None]] = {"off": _nobody, "loopback": _this_machine, "token": _known}
"""Who may read what is measured, by the setting METRICS."""


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
