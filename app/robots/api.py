"""Group robots over REST: county officers and administrators manage them, everybody sees those of the own offices, nobody their secrets."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from app.http import answer
from app.offices.access import ROBOTS
from app.offices.desk import Answer, Work, house_of, reading, writing
from app.offices.queries import authenticate
from app.projects.api import PROBLEMS
from app.robots import queries, service
from app.robots.answers import RobotOut, RobotsOut, TriedOut
from app.robots.schemas import RobotChange, RobotIn
from app.robots.sealed import Vault

router = APIRouter(prefix="/api/v1", tags=["robots"], responses=PROBLEMS)
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]


@router.get("/robots", responses={200: {"model": RobotsOut}})
def list_robots(request: Request, count: bool = False) -> Response:
    """The group robots of your offices; of their addresses only the host and the last four characters."""

    def view(work: Work) -> Any:
        rows = queries.robots(work.connection, work.caller.scope)
        return {"items": rows, "total": len(rows)} if count else {"items": rows}

    return reading(request, view)


@router.post("/robots", status_code=201, responses={201: {"model": RobotOut}})
def add_robot(request: Request, body: RobotIn) -> Response:
    """Register a group's robot: from the next workday on it carries the short form of its office's digest."""

    def verb(work: Work) -> Answer:
        work.caller.must(ROBOTS)
        scope, given = work.caller.scope, body.model_dump()
        number = service.add(work.connection, work.house.settings, **given, now=work.now(), scope=scope)
        return Answer(queries.robot(work.connection, number, scope), 201)

    return writing(request, body, verb)


@router.patch("/robots/{number}", responses={200: {"model": RobotOut}})
def change_robot(request: Request, number: Number, body: RobotChange) -> Response:
    """Rename a robot, switch it off or on, or give it another address and secret."""

    def verb(work: Work) -> Answer:
        work.caller.must(ROBOTS)
        scope, given = work.caller.scope, body.model_dump(exclude_unset=True)
        service.change(work.connection, work.house.settings, number, **given, now=work.now(), scope=scope)
        return Answer(queries.robot(work.connection, number, scope))

    return writing(request, body, verb)


@router.delete("/robots/{number}", status_code=204)
def remove_robot(request: Request, number: Number) -> Response:
    """Let go of a robot; what it was still to carry is not sent."""

    def verb(work: Work) -> Answer:
        work.caller.must(ROBOTS)
        service.remove(work.connection, number, now=work.now(), scope=work.caller.scope)
        return Answer(None, 204)

    answer = writing(request, None, verb)
    return Response(None, 204) if answer.status_code == 204 else answer


@router.post("/robots/{number}/test", responses={200: {"model": TriedOut}})
def try_robot(request: Request, number: Number) -> Response:
    """Really send one message to the group, and say what came back. Nothing is open while it travels: neither a transaction nor
    a lock; so an Idempotency-Key is accepted, and the message is sent again."""
    house = house_of(request)
    with house.database.snapshot() as connection:
        caller = authenticate(connection, request.headers.get("authorization"), house.clock.now())
        caller.must(ROBOTS)
        robot = service.opened(connection, Vault(house.settings), number, caller.scope)
    said = service.try_out(house.database, house.settings, robot)
    return answer({"outcome": said.outcome, "reason": said.reason})
