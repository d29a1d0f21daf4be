"""Offices, people and "who am I" over REST."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.offices import queries
from app.offices.access import COUNTY_ONLY, MAY, ROLES
from app.offices.answers import MeOut, OfficesOut, PeopleOut
from app.offices.desk import reading

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
def list_offices(request: Request) -> Response:
    """The offices you cover."""
    return reading(
        request,
        lambda work: {
            "items": [
                {"code": one.code, "name": one.name, "kind": one.kind, "path": one.path}
                for one in queries.scope(work.connection, work.caller).offices.values()
            ]
        },
    )


@router.get("/people", responses={200: {"model": PeopleOut}})
def list_people(request: Request) -> Response:
    """The people of the offices you cover."""
    return reading(request, lambda work: {"items": queries.people(work.connection, queries.scope(work.connection, work.caller))})
