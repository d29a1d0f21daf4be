"""Many moves in one request, each judged as if it had been sent alone, in their order.

Everything is judged in memory, on the projects under their locks, and written at once: a handful of statements whatever the
number. The facts of one project carry one moment: a batch is one act of recording.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy.exc import DBAPIError

from app.errors import BatchRefused, DomainError, Invalid, NotFound
from app.heart.facts import Fact
from app.http import problem_body
from app.offices.access import REPORT
from app.offices.desk import Work, stale
from app.offices.queries import scope
from app.projects import service, store
from app.projects.batch_in import BatchIn, BatchMove, Unreadable
from app.projects.derived import New
from app.projects.store import Change, Head
from app.projects.timeline import told_fact

log = logging.getLogger("luodi.batch")


class Told(NamedTuple):
    """What became of one move: the place of its fact among its project's, or the refusal."""

    ref: str
    seq: int = 0
    refusal: DomainError | None = None


@dataclass
class Draft:
    """A project with the moves accepted so far: `trial` already has them, `head` is still as it is stored."""

    head: Head
    trial: Head
    new: list[New] = field(default_factory=list)

    def accept(self, work: Work, move: BatchMove, moment: datetime) -> int:
        """Judge a move after those before it and keep it; the sequence number of its fact."""
        if move.version is not None and move.version != self.trial.version:
            raise stale(self.trial.version)
        given = move.move
        one = service.judged(work, self.trial, given)
        seq, before = self.trial.version + 1, self.trial.segments
        recorded_on = work.house.clock.business_date(moment)
        self.trial.facts.append(Fact(seq, one.kind, one.effective_on, moment, recorded_on, "api", one.data))
        self.trial.segments = []
        try:
            service.took_effect(self.trial, given, one.effective_on)
        except DomainError:
            self.trial.facts.pop()
            self.trial.segments, self.trial.running = before, None
            raise
        self.trial.version = seq
        self.new.append(one)
        return seq


def report_moves(work: Work, given: BatchIn) -> list[dict[str, Any]]:
    """Record a batch: with `atomic` all of it or nothing (BatchRefused lists every problem), else whatever is not refused."""
    work.caller.must(REPORT)
    drafts = _opened(work, given.items)
    now = work.now()  # after the locks: no project can have learnt anything later
    told = [_judged(work, drafts, item, now) for item in given.items]
    if given.atomic and (refused := [(at, one) for at, one in enumerate(told) if one.refusal]):
        problems = [{"index": at, **_refused(one.ref, one.refusal)} for at, one in refused if one.refusal]
        raise BatchRefused(f"{len(problems)} 条未通过，整批 {len(told)} 条均未执行；请改正后重新提交", problems=problems)
    lost = _written(work, [draft for draft in drafts.values() if draft.new], now, given.atomic)
    return list(_results(work, drafts, told, lost))


def _opened(work: Work, items: Sequence[BatchMove | Unreadable]) -> dict[str, Draft]:
    refs = {store.usable_ref(item.ref) for item in items} - {""}
    offices = scope(work.connection, work.caller)
    mine = None if offices.ids is None else list(offices.ids)
    heads = store.load_many(work.connection, sorted(refs), offices=mine)
    found = {}
    for ref, head in heads.items():
        trial = Head(head.id, ref, head.version, head.mac, head.last_recorded_at, list(head.facts), None, head.fold())
        found[ref] = Draft(head, trial)
    return found


def _judged(work: Work, drafts: dict[str, Draft], item: BatchMove | Unreadable, now: datetime) -> Told:
    try:
        if isinstance(item, Unreadable):
            raise Invalid(item.hint, errors=item.errors)
        draft = drafts.get(item.ref)
        if draft is None:
            raise NotFound("没有这个项目，或不在您的管辖范围内")
        return Told(item.ref, draft.accept(work, item, store.moment_after(draft.head, now)))
    except DomainError as refusal:
        return Told(item.ref, refusal=refusal)


def _written(work: Work, drafts: Sequence[Draft], now: datetime, atomic: bool) -> set[str]:
    """Write what was accepted, at once; when the database refuses it, and each move stands alone, project by project. The refs
    of those that could not be written."""
    changes = [(draft.head, _prepared(work, draft, now)) for draft in drafts]
    lost: set[str] = set()
    if not changes:
        return lost
    if atomic:
        store.write(work.connection, changes)
    elif not _tried(work, changes):
        lost = {head.ref for head, change in changes if not _tried(work, [(head, change)])}
    unnumbered = [head for head, _ in changes if head.ref not in lost and not head.facts[-1].id]
    store.number_facts(work.connection, unnumbered, now)
    return lost


def _prepared(work: Work, draft: Draft, now: datetime) -> Change:
    moment = store.moment_after(draft.head, now)
    recorded_on = work.house.clock.business_date(moment)
    actor = service.actor_of(work.caller)
    return store.prepare(draft.head, draft.new, actor=actor, source="api", moment=moment, recorded_on=recorded_on, key=work.house.audit_key)


def _tried(work: Work, changes: Sequence[tuple[Head, Change]]) -> bool:
    """Write in a savepoint; False when the database refused it and nothing of it stayed."""
    try:
        with work.connection.begin_nested():
            store.write(work.connection, changes)
    except DBAPIError as error:
        if error.connection_invalidated or work.connection.closed:
            raise
        log.error("batch: %d projects could not be written", len(changes), exc_info=error)
        return False
    return True


def _results(work: Work, drafts: dict[str, Draft], told: Sequence[Told], lost: set[str]) -> Iterator[dict[str, Any]]:
    who = (work.caller.office_id, work.caller.role, work.caller.person_id)
    for one in told:
        if one.refusal is not None:
            yield _refused(one.ref, one.refusal)
        elif one.ref in lost:
            failure = DomainError("数据库未能写入，已记录；请单独重试或联系管理员")
            failure.status, failure.code, failure.title = 500, "internal_error", "内部错误"
            yield _refused(one.ref, failure)
        else:
            facts = drafts[one.ref].head.facts
            yield {"ref": one.ref, "status": 201, "fact": told_fact(facts[one.seq - 1], facts[: one.seq], who), "version": one.seq}


def _refused(ref: str, refusal: DomainError) -> dict[str, Any]:
    return {"ref": ref, "status": refusal.status, "problem": problem_body(refusal)}
