"""What people say about a stall, and what the bureau decides in an exit review: facts of the project, beside all others."""

from __future__ import annotations

from datetime import date
from typing import Any

from app.errors import Invalid, NotFound, OrderRefused
from app.heart import facts as kinds
from app.heart.facts import Fact
from app.offices.access import REPORT, SUPERVISE
from app.offices.desk import Moment, Work
from app.orders.schemas import AcknowledgeIn, ExitReviewIn, SnoozeIn
from app.policies.policy import Reason
from app.policies.queries import book_of
from app.projects.derived import New
from app.projects.queries import clocks_of
from app.projects.schemas import MoveIn
from app.projects.service import covered, filled, judged, record, took_effect
from app.projects.store import Head

ENDS = {"rescind": "rescinded", "remove": "removed"}
"""Decisions that end a project → the kind of its end."""
GOES_ON = ("push_on", "new_date")
"""Decisions after which it is looked at again, on a date that they name."""


def entered(work: Work, may: str) -> Head:
    """The project that the request was entered with, in the caller's scope, for a right."""
    head: Head | None = work.entered
    return covered(work, head, head.around.office_path if head and head.around else None, may)


def reasons_today(work: Work, head: Head) -> list[Reason]:
    """Why the project is late today, worst first."""
    today = work.today()
    policy = book_of(work.house.database).governing(work.connection, today, None)
    at = Moment(today, work.now(), None, False)
    return policy.reasons(clocks_of(work.connection, [head.id], at)[head.id], today)


def _stall(work: Work, head: Head, rule: str) -> Reason:
    found = next((one for one in reasons_today(work, head) if one.rule == rule), None)
    if found is None:
        raise NotFound(f"{head.ref} 今天没有停滞事项 {rule}")
    return found


def _later(work: Work, until: date) -> date:
    if until <= work.today():
        raise Invalid("日期须晚于今天", errors=[{"field": "until", "message": "must be after today"}])
    return until


def acknowledge(work: Work, rule: str, given: AcknowledgeIn) -> tuple[Head, Fact]:
    """The town has seen a stall: what it plans, and until when. It stays a stall; the ladder counts from here."""
    head = entered(work, REPORT)
    stall = _stall(work, head, rule)
    data = {"rule": rule, "level": stall.level, "plan": given.plan, "until": _later(work, given.until).isoformat()}
    return head, record(work, head, [New(kinds.ACKNOWLEDGED, work.today(), data)])


def snooze(work: Work, rule: str, given: SnoozeIn) -> tuple[Head, Fact]:
    """The bureau puts a stall off to a date, with a reason. The day it was due stays beside the new one."""
    head = entered(work, SUPERVISE)
    stall = _stall(work, head, rule)
    caller = work.caller
    data: dict[str, Any] = {
        "rule": rule, "level": stall.level, "reason": given.reason, "until": _later(work, given.until).isoformat(),
        "due_on": stall.due_on.isoformat(), "approver": {"office": caller.office_id, "role": caller.role, "person": caller.person_id},
    }  # fmt: skip
    return head, record(work, head, [New(kinds.SNOOZED, work.today(), data)])


def exit_review(work: Work, head: Head, given: ExitReviewIn) -> Fact:
    """The bureau decides what becomes of a project in exit review. Rescinding and removing end it in the same act."""
    covered(work, head, head.around.office_path if head.around else None, SUPERVISE)
    if not any(one.level == "exit_review" for one in reasons_today(work, head)):
        raise OrderRefused("not_in_exit_review", "项目今天不在退出评估；达到退出评估时限后再作决定")
    if given.decision in GOES_ON and given.until is None:
        raise Invalid("请写明下次评估的日期", errors=[{"field": "until", "message": "required with push_on and new_date"}])
    until = _later(work, given.until).isoformat() if given.until is not None else None
    decided = filled({"decision": given.decision, "reason": given.reason, "until": until})
    new = [New(kinds.EXIT_REVIEWED, work.today(), decided)]
    if given.decision not in ENDS:
        return record(work, head, new)
    move = MoveIn(action="terminate", reason=given.reason, termination=ENDS[given.decision])
    fact = record(work, head, [*new, judged(work, head, move)])
    took_effect(head, move, work.today())
    found: Fact = next(one for one in reversed(head.facts) if one.kind == kinds.EXIT_REVIEWED and one.seq <= fact.seq)
    return found
