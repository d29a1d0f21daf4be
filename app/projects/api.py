"""Projects over REST. Each endpoint is one call of a verb or a query; docs come from the signatures and models."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.responses import Response

from app.errors import Invalid
from app.heart import lifecycle, machine
from app.heart.facts import Fact
from app.http import answer
from app.offices.access import MAY, REPORT
from app.offices.desk import Answer, Moment, Work, check_version, house_of, moment, reading, writing
from app.offices.queries import scope
from app.policies.queries import book_of
from app.projects import batch, checking, review, service, single
from app.projects.answers import BatchOut, ChecklistOut, DataCheckPageOut, FactsOut, ProblemOut, ProjectDetailOut, RecordedOut, WorkflowOut
from app.projects.asking import PAGING, CheckList
from app.projects.batch_in import BatchIn
from app.projects.opening import entering
from app.projects.schemas import (
    AsOf,
    EvidenceAddIn,
    FollowUpIn,
    FundsIn,
    MilestoneIn,
    MoveIn,
    ProjectIn,
    ProjectPatch,
    ReasonIn,
    RecogniseIn,
    ReportIn,
    TimelineIn,
)
from app.projects.store import Head
from app.projects.timeline import timeline, told_fact

PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": ProblemOut, "description": text}
    for status, text in (
        (401, "no or bad token"),
        (403, "the role may not do this"),
        (404, "not found, or outside the caller's offices"),
        (409, "refused, with all that is missing"),
        (412, "somebody was faster"),
        (413, "the body is too large"),
        (422, "invalid input"),
        (428, "If-Match is missing"),
        (503, "the database is away for a moment; try again"),
    )
}
FactId = Annotated[int, Path(ge=1, le=2**63 - 1)]
router = APIRouter(prefix="/api/v1", tags=["projects"], responses=PROBLEMS)


def project_payload(work: Work, head: Head) -> dict[str, Any]:
    """A project as it stands after a verb, from the facts at hand."""
    at = moment(work.house, None, None)
    newest = head.around.newest if head.around else None
    policy = book_of(work.house.database).governing(work.connection, at.as_of, None, newest)
    return single.project_held(work, head, at, policy)


def recorded(work: Work, head: Head, fact: Fact, status: int = 201) -> Answer:
    """The fact just recorded and the project after it."""
    told = told_fact(fact, head.facts, (work.caller.office_id, work.caller.role, work.caller.person_id))
    return Answer({"fact": told, "project": project_payload(work, head)}, status, head.version)


def list_name(given: AsOf) -> str:
    """Which list a cursor belongs to: the kind of question and its filters."""
    return f"{type(given).__name__} {given.model_dump_json(exclude=PAGING, exclude_none=True)}"


def pinned(work: Work, given: AsOf, cursor: str | None) -> tuple[Moment, Any, list[Any] | None]:
    """(moment, policy, position) of a list: a cursor pins day, knowledge and policy version of its first page."""
    book = book_of(work.house.database)
    if cursor is None:
        at = moment(work.house, given.as_of, given.known_at)
        return at, book.governing(work.connection, at.as_of, at.pinned), None
    state = work.house.cursors.unpack(cursor, list_name(given))
    as_of, known_at = _parsed(state)
    told = given.known_at or known_at
    same = told == (known_at if isinstance(told, datetime) else work.house.clock.business_date(known_at))
    if not same or (given.as_of or as_of) != as_of:
        raise Invalid("cursor 属于另一个 as_of 或 known_at；请从第一页重新查询", errors=[{"field": "cursor", "message": "another moment"}])
    policy = book.version(work.connection, state["policy"], known_at=known_at)
    return moment(work.house, as_of, known_at), policy, state["after"]


def _parsed(state: dict[str, Any]) -> tuple[date, datetime]:
    return date.fromisoformat(state["as_of"]), datetime.fromisoformat(state["known_at"])


def envelope(work: Work, given: AsOf, items: list[Any], at: Moment, policy: Any, after: Any, total: int | None) -> dict[str, Any]:
    """The envelope of every list, with the cursor of the next page."""
    state = {"as_of": at.as_of, "known_at": at.known_at.isoformat(), "policy": policy.id, "after": after}
    page = {
        "items": items,
        "next_cursor": work.house.cursors.pack(state, list_name(given)) if after is not None else None,
        "as_of": at.as_of,
        "known_at": at.known_at,
        "settled": at.settled and not getattr(given, "rests_on_names", False),
        "policy_version": policy.id,
        "provisional_years": policy.provisional_years(one for item in items for one in item.get("flags", (item,)) if "provisional" in one),
    }
    return page if total is None else {**page, "total": total}


def asked(model: type[AsOf], request: Request) -> AsOf:
    """The query as a model, for the one hot endpoint that does without the framework's parsing."""
    try:
        return model.model_validate(dict(request.query_params))
    except ValidationError as error:
        raise RequestValidationError([{**one, "loc": ("query", *one["loc"])} for one in error.errors()]) from error


@router.post("/projects", status_code=201, responses={201: {"model": ProjectDetailOut}})
def register(request: Request, body: ProjectIn) -> Response:
    """Register a project; it starts in intent. A framework agreement is not a signing."""

    def verb(work: Work) -> Answer:
        head = service.register(work, body)
        return Answer(project_payload(work, head), 201, head.version)

    return writing(request, body, verb)


WHEN = [
    {"name": "as_of", "in": "query", "schema": {"type": "string", "format": "date"}, "description": "what was true on that date"},
    {"name": "known_at", "in": "query", "schema": {"type": "string", "format": "date-time"}, "description": "by what was recorded then"},
]


@router.get("/projects/{ref}", responses={200: {"model": ProjectDetailOut}}, openapi_extra={"parameters": WHEN})
def read_project(request: Request, ref: str) -> Response:
    """One project with its standing, flags, and what the next move lacks. `as_of` and `known_at` ask about the past."""
    if request.scope["query_string"]:
        given = asked(AsOf, request)

        def view(work: Work) -> Answer:
            at, policy, _ = pinned(work, given, None)
            found = single.project_at(work, ref, at, policy)
            return Answer(found, 200, found["version"])

        return reading(request, view, aside=True)
    house = house_of(request)
    header, book = request.headers.get("authorization"), book_of(house.database)
    found = house.database.patiently(lambda: single.project_now(house, header, ref, book))
    return answer(found, etag=found["version"])


@router.patch("/projects/{ref}", responses={200: {"model": RecordedOut}})
def amend(request: Request, ref: str, body: ProjectPatch) -> Response:
    """Change descriptions, route, owner or agreed dates. Needs If-Match; old values stay in the timeline."""

    def verb(work: Work) -> Answer:
        head = service.entered(work)
        check_version(request, head.version, required=True)
        return recorded(work, head, service.amend(work, head, body), 200)

    return writing(request, body, verb, entering(ref))


@router.get("/projects/{ref}/moves", responses={200: {"model": ChecklistOut}})
def list_moves(request: Request, ref: str) -> Response:
    """Every move: possible from here or not, and everything it still lacks."""

    def view(work: Work) -> Any:
        standing = single.standing_at(work, ref, moment(work.house, None, None))
        role = work.caller.role if work.caller.is_county or REPORT in MAY[work.caller.role] else None
        rows = machine.checklist(standing, role)
        for row in rows:
            if lifecycle.BY_ACTION[row["action"]].may == lifecycle.BUREAU and not work.caller.is_county:
                row["allowed"] = False
        return {"items": rows, "stage": standing.stage, "status": standing.status}

    return reading(request, view)


REPORTS: dict[str, Any] = {}
"""The kinds of reports by their path: (model of the body, endpoint)."""


def _fact_route(path: str, model: Any, verb: Callable[..., Fact], summary: str) -> None:
    """One POST per kind of fact: the same lock, scope, version check and answer."""

    def endpoint(request: Request, ref: str, body: Any) -> Response:
        def recording(work: Work) -> Answer:
            head = service.entered(work)
            check_version(request, head.version, required=False)
            return recorded(work, head, verb(work, head, body))

        return writing(request, body, recording, entering(ref))

    endpoint.__annotations__["body"] = model
    endpoint.__name__ = f"post_{path.replace('-', '_')}"
    router.post(f"/projects/{{ref}}/{path}", status_code=201, responses={201: {"model": RecordedOut}}, summary=summary)(endpoint)
    REPORTS[path] = (model, endpoint)


_fact_route("moves", MoveIn, service.report_move, "Report a stage or status change; refusals list all that is missing")
_fact_route("milestones", MilestoneIn, service.report_milestone, "Report a milestone's actual or planned date")
_fact_route("follow-ups", FollowUpIn, service.follow_up, "Record a call, visit, meeting or service")
_fact_route("funds", FundsIn, service.fund, "Report the total of money in place")
_fact_route("reports", ReportIn, service.report, "Report progress in words, or no change")
_fact_route("evidence", EvidenceAddIn, service.add_evidence, "Add evidence outside a move")


@router.post("/moves:batch", responses={200: {"model": BatchOut}})
def report_moves(request: Request, body: BatchIn) -> Response:
    """Report up to 500 moves, each judged as if it were alone, in order; `atomic` records all of them or none (409)."""

    def verb(work: Work) -> Answer:
        results = batch.report_moves(work, body)
        accepted = sum(one["status"] == 201 for one in results)
        return Answer({"accepted": accepted, "refused": len(results) - accepted, "results": results})

    return writing(request, body, verb)


@router.get("/projects/{ref}/facts", responses={200: {"model": FactsOut}})
def list_facts(request: Request, ref: str, given: Annotated[TimelineIn, Query()]) -> Response:
    """The timeline, newest first; voided and returned facts are marked, never hidden."""

    def view(work: Work) -> Any:
        at = moment(work.house, given.as_of, given.known_at)
        number = single.project_number(work, ref)
        rows = timeline(work.connection, number, at.pinned)
        told = {"items": rows, "known_at": at.known_at, "settled": at.settled}
        return {**told, "total": len(rows)} if given.count else told

    return reading(request, view, aside=True)


@router.post("/facts/{fact_id}/recognise", status_code=201, responses={201: {"model": RecordedOut}}, tags=["recognition"])
def recognise(request: Request, fact_id: FactId, body: RecogniseIn) -> Response:
    """Recognise a claim (bureau); `scored` false is 通过不计分."""

    def verb(work: Work) -> Answer:
        head, fact = review.recognise(work, fact_id, body)
        return recorded(work, head, fact)

    return writing(request, body, verb)


@router.post("/facts/{fact_id}/return", status_code=201, responses={201: {"model": RecordedOut}}, tags=["recognition"])
def return_claim(request: Request, fact_id: FactId, body: ReasonIn) -> Response:
    """Return a claim with a reason (bureau): known from now on, it never existed."""

    def verb(work: Work) -> Answer:
        head, fact = review.return_claim(work, fact_id, body.reason)
        return recorded(work, head, fact)

    return writing(request, body, verb)


@router.post("/facts/{fact_id}/void", status_code=201, responses={201: {"model": RecordedOut}}, tags=["recognition"])
def void(request: Request, fact_id: FactId, body: ReasonIn) -> Response:
    """Void a fact with a reason: the author on the same day, otherwise the bureau."""

    def verb(work: Work) -> Answer:
        head, fact = review.void(work, fact_id, body.reason)
        return recorded(work, head, fact)

    return writing(request, body, verb)


@router.get("/data-checks", responses={200: {"model": DataCheckPageOut}}, tags=["lists"])
def list_data_checks(request: Request, given: Annotated[CheckList, Query()]) -> Response:
    """Projects of which something is missing or does not fit together, with what to do; they move no stage and stop nothing."""

    def view(work: Work) -> Any:
        at, policy, after = pinned(work, given, given.cursor)
        offices = scope(work.connection, work.caller, given.office)
        rows, position, total = checking.check_page(work, given, at, offices, after)
        return envelope(work, given, rows, at, policy, position, total)

    return reading(request, view)


@router.get("/workflow", tags=["workflow"], responses={200: {"model": WorkflowOut}})
def workflow(request: Request) -> Response:
    """The lifecycle table: stages, statuses, moves, evidence by route, and a Mermaid diagram."""
    return reading(request, lambda work: machine.workflow())
