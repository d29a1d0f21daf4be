"""Offices, people and "who am I" over REST."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.offices import queries
from app.offices.access import COUNTY_ONLY, MAY, ROLES
from app.offices.answers import MeOut, OfficesOut, PeopleOut
from app.offices.desk import Work, reading

router = APIRouter(prefix="/api/v1", tags=["offices"])


@router.get("/me", responses={200: {"model": MeOut}})
def me(request: Request) -> Response:
    """The office, role and rights of the token, and the server's business date."""
    return reading(
        request,
        lambda work: {
            "office": {"code": work.caller.office_code, "name": work.caller.office_name, "kind": work.caller.kind},
            "role": work.caller.role,
            "role_label": ROLES[work.caller.role],
            "may": [verb for verb in MAY[work.caller.role] if work.caller.is_county or verb not in COUNTY_ONLY],
            "person_id": work.caller.person_id,
            "today": work.today(),
        },
    )


@router.get("/offices", responses={200: {"model": OfficesOut}})
def list_offices(request: Request, count: bool = False) -> Response:
    """The offices you cover."""

    def view(work: Work) -> Any:
        units = queries.scope(work.connection, work.caller).offices.values()
        return _whole([{"code": one.code, "name": one.name, "kind": one.kind, "path": one.path} for one in units], count)

    return reading(request, view)


@router.get("/people", responses={200: {"model": PeopleOut}})
def list_people(request: Request, count: bool = False) -> Response:
    """The people of the offices you cover."""

    def view(work: Work) -> Any:
        return _whole(queries.people(work.connection, queries.scope(work.connection, work.caller)), count)

    return reading(request, view)


def _whole(rows: list[Any], count: bool) -> dict[str, Any]:
    """A list that is never long: all of it, with its length when asked for."""
    return {"items": rows, "total": len(rows)} if count else {"items": rows}
