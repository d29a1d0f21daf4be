"""The county's verbs on what was told: recognise, return, void. Like service.py, but each acts on another fact."""

from __future__ import annotations

import sqlalchemy as sa

from app.errors import (
    AlreadyReviewed,
    NotReviewable,
)
from app.heart import facts as kinds
from app.heart import lifecycle
from app.heart.facts import Fact
from app.heart.live import claims_stage, live
from app.offices.access import REPORT, REVIEW
from app.offices.desk import Work
from app.projects.derived import New
from app.projects.models import FactRow, Project
from app.projects.schemas import (
    RecogniseIn,
)
from app.projects.service import day_of, filled, opened, record
from app.projects.store import Head

REVIEWABLE = (kinds.REGISTERED, kinds.MOVED, kinds.MILESTONE, kinds.FUNDED, kinds.EVIDENCE)


def target_of(work: Work, fact_id: int, may: str) -> tuple[Head, Fact]:
    """The fact somebody acts on, with its project under lock."""
    ref = work.connection.scalar(sa.select(Project.ref).join(FactRow, FactRow.project_id == Project.id).where(FactRow.id == fact_id))
    if ref is None:
        work.caller.must_cover(None)  # the same answer as for a fact of another office
    assert ref is not None
    head = opened(work, ref, may)
    return head, next(fact for fact in head.facts if fact.id == fact_id)


def _reviewable(head: Head, fact: Fact) -> None:
    kept, recognised = live(head.facts)
    if fact.kind not in REVIEWABLE or (fact.kind == kinds.MOVED and claims_stage(fact) is None):
        raise NotReviewable("这类记录不需要认定")
    if fact not in kept:
        raise AlreadyReviewed("该记录已作废或已退回")
    if fact.data.get("recognition") == "recognised" or fact.seq in recognised:
        raise AlreadyReviewed("该记录已认定；如需更正，请作废认定或原记录")


def recognise(work: Work, fact_id: int, given: RecogniseIn) -> tuple[Head, Fact]:
    """The county says yes to a claim, scored or not."""
    head, fact = target_of(work, fact_id, REVIEW)
    _reviewable(head, fact)
    counted_on = day_of(work, given.counted_on)
    data = {"scored": given.scored, "counted_on": counted_on.isoformat(), "note": given.note}
    return head, record(work, head, [New(kinds.RECOGNISED, work.today(), filled(data), fact.seq)])


def return_claim(work: Work, fact_id: int, reason: str) -> tuple[Head, Fact]:
    """The county says no: known from now on, the claim never existed."""
    head, fact = target_of(work, fact_id, REVIEW)
    if claims_stage(fact) == lifecycle.INTENT and fact.kind == kinds.REGISTERED:
        raise NotReviewable("登记不能退回；如不应列入台账，请终止项目（removed）")
    _reviewable(head, fact)
    return head, record(work, head, [New(kinds.RETURNED, work.today(), {"reason": reason}, fact.seq)])


def void(work: Work, fact_id: int, reason: str) -> tuple[Head, Fact]:
    """The fact never was. The author may void an own unreviewed fact on the day it was recorded; every other void is the county's."""
    head, fact = target_of(work, fact_id, REPORT)
    row = work.connection.execute(sa.select(FactRow.office_id, FactRow.role).where(FactRow.id == fact_id)).one()
    kept, recognised = live(head.facts)
    own_typo = (
        (row.office_id, row.role) == (work.caller.office_id, work.caller.role)
        and fact.recorded_on == work.today()
        and fact.seq not in recognised
        and fact.kind not in kinds.ON_OTHERS
    )
    if not own_typo:
        work.caller.must(REVIEW)
    if fact.kind == kinds.REGISTERED:
        raise NotReviewable("登记不能作废；请修改信息，或终止项目（removed）")
    if fact not in kept:
        raise AlreadyReviewed("该记录已作废或已退回")
    return head, record(work, head, [New(kinds.VOIDED, work.today(), {"reason": reason}, fact.seq)])
