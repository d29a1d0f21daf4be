"""The daily run and every message's fate, over REST."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import Field, StringConstraints, model_validator
from starlette.responses import Response

from app.alerts import preferences, queries, service
from app.alerts.answers import ChannelsOut, DeliveriesOut, OneDeliveryOut, PreferencesOut, ResentOut, ResumedOut, RunOut, RunsOut
from app.offices.access import RESEND
from app.offices.desk import Answer, Work, reading, writing
from app.projects.api import PROBLEMS
from app.projects.schemas import Day, In, Short

router = APIRouter(prefix="/api/v1", tags=["daily"], responses=PROBLEMS)
ChannelName = Annotated[str, StringConstraints(pattern=r"^[a-z]{1,12}$")]
Cursor = Annotated[str, StringConstraints(max_length=2000)]


class RunList(In):
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Cursor | None = None
    count: bool = False


class DeliveryList(RunList):
    """Filters of the outbox."""

    date: Day | None = None
    state: Literal["pending", "sending", "sent", "failed", "expired", "uncertain", "suppressed", "held"] | None = None
    person: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    channel: ChannelName | None = None


class Resend(In):
    """Why somebody sends a message again; goes into its history."""

    reason: Short | None = None


class Prefer(In):
    """`robot` needs a `robot_id`; `mail` takes none."""

    channel: Literal["mail", "robot"] = "mail"
    robot_id: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Prefer:
        if (self.channel == "robot") != (self.robot_id is not None):
            raise ValueError("channel 为 robot 时填写 robot_id，为 mail 时不填 / robot_id with robot only")
        return self


@router.get("/runs", responses={200: {"model": RunsOut}})
def list_runs(request: Request, given: Annotated[RunList, Query()]) -> Response:
    """The daily runs, newest first: what each evaluated, opened, closed and told."""

    def view(work: Work) -> Any:
        before = date.fromisoformat(work.house.cursors.unpack(given.cursor, "runs")) if given.cursor else None
        found = queries.runs(work.connection, limit=given.limit + 1, before=before)
        rows, more = found[: given.limit], len(found) > given.limit
        cursor = work.house.cursors.pack(rows[-1]["date"], "runs") if more else None
        page = {"items": [_seen(work, row) for row in rows], "next_cursor": cursor}
        return {**page, "total": queries.run_total(work.connection)} if given.count else page

    return reading(request, view)


@router.get("/runs/{day}", responses={200: {"model": RunOut}})
def read_run(request: Request, day: Annotated[Day, Path()]) -> Response:
    """One day's run, with its deliveries by state."""
    return reading(request, lambda work: _seen(work, queries.run_of(work.connection, day)))


def _seen(work: Work, run: dict[str, Any]) -> dict[str, Any]:
    """The county's counts are the county's; everybody may know whether the day was done."""
    seen = ("date", "state", "started_at", "finished_at", "policy_version", "calendar_version")
    return run if work.caller.is_county else {name: run[name] for name in seen}


@router.get("/deliveries", responses={200: {"model": DeliveriesOut}})
def list_deliveries(request: Request, given: Annotated[DeliveryList, Query()]) -> Response:
    """Every message to your people and what became of it, newest day first."""

    def view(work: Work) -> Any:
        name = f"deliveries {given.date} {given.state} {given.person} {given.channel}"
        position = work.house.cursors.unpack(given.cursor, name) if given.cursor else None
        after = (date.fromisoformat(position[0]), int(position[1])) if position else None
        asked = queries.Asked(given.date, given.state, given.person, given.channel, work.caller.scope)
        found = queries.deliveries(work.connection, asked, limit=given.limit + 1, after=after)
        rows, more = found[: given.limit], len(found) > given.limit
        page = {"items": rows, "next_cursor": work.house.cursors.pack([rows[-1]["date"], rows[-1]["id"]], name) if more else None}
        return {**page, "total": queries.delivery_total(work.connection, asked)} if given.count else page

    return reading(request, view)


@router.get("/deliveries/{number}", responses={200: {"model": OneDeliveryOut}})
def read_delivery(request: Request, number: Annotated[int, Path(ge=1, le=2**63 - 1)]) -> Response:
    """One message with its history: every attempt, how far it got and what was answered, and who decided what."""
    return reading(request, lambda work: queries.delivery_of(work.connection, number, work.caller.scope))


@router.post("/deliveries/{number}/resend", status_code=201, responses={201: {"model": ResentOut}})
def resend(request: Request, number: Annotated[int, Path(ge=1, le=2**63 - 1)], given: Resend | None = None) -> Response:
    """Send a message again that ended failed, expired, uncertain or suppressed: a person's decision, once per message, recorded."""

    def verb(work: Work) -> Answer:
        work.caller.must(RESEND)
        done = service.resend(work.connection, number, work.caller, now=work.now(), reason=given.reason if given else None)
        return Answer({"id": done.id, "state": done.state}, 201)

    return writing(request, given, verb)


@router.get("/me/preferences", responses={200: {"model": PreferencesOut}})
def read_preferences(request: Request) -> Response:
    """By which way the person of this token gets his digest."""
    return reading(request, lambda work: preferences.of_person(work.connection, work.caller.person_id))


@router.put("/me/preferences", responses={200: {"model": PreferencesOut}})
def write_preferences(request: Request, given: Prefer) -> Response:
    """Choose the way: mail, or a robot of your own office. Whether there is a digest is no matter of taste."""

    def verb(work: Work) -> Answer:
        return Answer(preferences.prefer(work.connection, work.caller.person_id, given.robot_id, work.now()))

    return writing(request, given, verb)


@router.get("/channels", responses={200: {"model": ChannelsOut}})
def list_channels(request: Request) -> Response:
    """How the ways out are: relays that rest or are paused and why, and whether everything is held back."""
    return reading(request, lambda work: queries.channels(work.connection, whole=work.caller.is_county))


@router.post("/channels/{channel}/resume", status_code=201, responses={201: {"model": ResumedOut}})
def resume(request: Request, channel: Annotated[ChannelName, Path()]) -> Response:
    """Something was mended: try the relays of a channel now instead of when their pause is over."""

    def verb(work: Work) -> Answer:
        work.caller.must(RESEND)
        now = work.house.clock.lease_now(work.connection)
        return Answer({"channel": channel, "resumed": service.resume(work.connection, channel, now=now)}, 201)

    return writing(request, None, verb)
