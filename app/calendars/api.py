"""The calendar of workdays over REST: what is known of a year, and an administrator's import of its notice."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.calendars import queries, service
from app.calendars.answers import CalendarOut, CalendarVersionsOut, ImportedOut, RefusedOut
from app.calendars.notice import read_notice
from app.calendars.schemas import CalendarIn, CalendarQuery
from app.calendars.sheet import read_sheet
from app.heart.calendar import Year
from app.offices.access import CALENDAR
from app.offices.desk import Answer, Work, reading, writing

REFUSED: dict[int | str, dict[str, Any]] = {
    status: {"model": RefusedOut, "description": text}
    for status, text in (
        (401, "no or bad token"),
        (403, "only an administrator of the county"),
        (413, "the body is too large"),
        (422, "invalid input, with everything that is wrong"),
        (503, "the database is away for a moment; try again"),
    )
}
router = APIRouter(prefix="/api/v1", tags=["calendar"], responses=REFUSED)


@router.get("/calendar", responses={200: {"model": CalendarOut}})
def read_calendar(request: Request, given: Annotated[CalendarQuery, Query()]) -> Response:
    """The days off and the worked weekend days of a year (this one), and where they come from."""

    def view(work: Work) -> Any:
        year = given.year or work.today().year
        in_force = queries.governing(queries.versions(work.connection))
        found = next((one for one in in_force if one.says.year == year), None)
        origin = queries.of_version(found) if found else {"version": None, "recorded_at": None, "source": None, "actor": None}
        days = queries.shown(found.says if found else Year(year, {}, {}))
        return {**days, **origin, "provisional": found is None, "published": sorted(one.says.year for one in in_force)}

    return reading(request, view)


@router.get("/calendar/versions", responses={200: {"model": CalendarVersionsOut}})
def list_versions(request: Request, given: Annotated[CalendarQuery, Query()]) -> Response:
    """Every version (of a year), newest first: what was known since when."""

    def view(work: Work) -> Any:
        found = queries.versions(work.connection, given.year)
        right = {one.id for one in queries.governing(found)}
        rows = [{**queries.shown(one.says), **queries.of_version(one), "in_force": one.id in right} for one in reversed(found)]
        return {"items": rows}

    return reading(request, view)


@router.post("/calendar", status_code=201, responses={201: {"model": ImportedOut}, 200: {"model": ImportedOut}})
def import_calendar(request: Request, body: CalendarIn) -> Response:
    """Import a year's notice (administrator of the county). 201: stored as a new version; 200: a rehearsal, or nothing new."""

    def verb(work: Work) -> Answer:
        work.caller.must(CALENDAR)
        given = body.text if body.text is not None else body.csv or ""
        understood = (read_notice if body.text is not None else read_sheet)(given, body.year)
        caller = work.caller
        told = service.import_year(
            work.connection,
            understood,
            given=given,
            source=body.source,
            actor=service.Actor(caller.office_id, caller.role, caller.person_id),
            clock=work.now,
            dry_run=body.dry_run,
        )
        return Answer(told, 201 if told["stored"] else 200)

    return writing(request, body, verb)
