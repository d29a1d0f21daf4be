"""Saying something about a stall, and deciding an exit review, over REST."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from app.heart.facts import Fact
from app.offices.desk import Answer, Work, check_version, writing
from app.orders import marking
from app.orders.schemas import AcknowledgeIn, ExitReviewIn, SnoozeIn
from app.projects.answers import RecordedOut
from app.projects.api import PROBLEMS, recorded
from app.projects.opening import entering
from app.projects.store import Head

router = APIRouter(prefix="/api/v1", responses=PROBLEMS)
StallId = Annotated[str, Path(max_length=120, description="`id` of GET /stalls: {ref}:{rule}")]
DONE: dict[int | str, dict[str, Any]] = {201: {"model": RecordedOut}}


def _said(request: Request, stall: str, body: Any, verb: Callable[[Work, str, Any], tuple[Head, Fact]]) -> Response:
    ref, _, rule = stall.rpartition(":")
    return writing(request, body, lambda work: recorded(work, *verb(work, rule, body)), entering(ref))


@router.post("/stalls/{stall}/acknowledge", status_code=201, responses=DONE, tags=["lists"])
def acknowledge(request: Request, stall: StallId, body: AcknowledgeIn) -> Response:
    """Say what is planned about a stall, and until when. It stays a stall, and shows both."""
    return _said(request, stall, body, marking.acknowledge)


@router.post("/stalls/{stall}/snooze", status_code=201, responses=DONE, tags=["lists"])
def snooze(request: Request, stall: StallId, body: SnoozeIn) -> Response:
    """Put a stall off to a date, with a reason (officer of county or bureau). It stays in every list, marked, with both dates."""
    return _said(request, stall, body, marking.snooze)


@router.post("/projects/{ref}/exit-review", status_code=201, responses=DONE, tags=["projects"])
def exit_review(request: Request, ref: str, body: ExitReviewIn) -> Response:
    """Decide what becomes of a project in exit review; rescind and remove end it in the same act (officer of county or bureau)."""

    def verb(work: Work) -> Answer:
        head: Head | None = work.entered
        work.caller.must_cover(head.around.office_path if head and head.around else None)
        assert head is not None
        check_version(request, head.version, required=False)
        return recorded(work, head, marking.exit_review(work, head, body))

    return writing(request, body, verb, entering(ref))
