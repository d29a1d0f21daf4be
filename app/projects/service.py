"""The verbs: the only writer of facts. API, import, demo and command line call these and nothing else.

Each verb loads the project under its lock, judges with the heart, appends facts, and leaves the commit to the edge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from app.db import among
from app.errors import (
    AlreadyReported,
    Duplicate,
    EffectiveInFuture,
    EvidenceMissing,
    Invalid,
    MoveNotAllowed,
    NotFound,
)
from app.heart import facts as kinds
from app.heart import lifecycle, machine
from app.heart.facts import Fact
from app.heart.live import complete_proofs, live
from app.heart.standing import AGREED, Standing, standing_on
from app.offices.access import REPORT, REVIEW, Caller
from app.offices.desk import Work
from app.offices.models import Office, Person, RefCounter
from app.offices.queries import find_office
from app.projects import store
from app.projects.derived import Actor, New
from app.projects.models import Project
from app.projects.schemas import (
    EvidenceAddIn,
    EvidenceIn,
    FollowUpIn,
    FundsIn,
    MilestoneIn,
    MoveIn,
    ProjectIn,
    ProjectPatch,
    ReportIn,
)
from app.projects.store import Head

WITH_REASON = ("planned_start_on", "planned_operation_on", "route", "office", "owner", "liaison", "needs_registration", "contract_amount")
PEOPLE = {"owner_id": "owner", "liaison_id": "liaison"}
"""Who is named in a question, and as what the facts name him."""
"""Changes that move a limit or a person: they say why, and the old value stays in the facts."""


def actor_of(caller: Caller) -> Actor:
    """The caller as facts name it."""
    return Actor(caller.office_id, caller.role, caller.person_id, caller.token_id)


def record(work: Work, head: Head, new: Sequence[New], source: str = "api") -> Fact:
    """Append facts to a project under its lock and write what they change; the last fact recorded."""
    moment = store.moment_after(head, work.now())
    change = store.prepare(
        head,
        new,
        actor=actor_of(work.caller),
        source=source,
        moment=moment,
        recorded_on=work.house.clock.business_date(moment),
        key=work.house.audit_key,
    )
    store.write(work.connection, [(head, change)])
    return head.facts[-1]


def opened(work: Work, ref: str, may: str = REPORT) -> Head:
    """The project under its lock, inside the caller's scope, for a verb its role may do."""
    head = store.load(work.connection, store.usable_ref(ref))
    path = work.connection.scalar(_PATH, {"p": head.id}) if head else None
    return covered(work, head, path, may)


def entered(work: Work) -> Head:
    """The project that the request was entered with (opening.py), for a report."""
    head: Head | None = work.entered
    return covered(work, head, head.around.office_path if head and head.around else None, REPORT)


def covered(work: Work, head: Head | None, path: str | None, may: str) -> Head:
    """The project, if it lies in the caller's scope and the role may do the verb."""
    work.caller.must_cover(path)
    work.caller.must(may)
    assert head is not None
    return head


_PATH = sa.select(Office.path).join(Project, Project.office_id == Office.id).where(Project.id == sa.bindparam("p"))


def day_of(work: Work, given: date | None) -> date:
    """The effective date: today unless given, never in the future."""
    today = work.today()
    if given is not None and given > today:
        raise EffectiveInFuture(f"发生日期 {given} 晚于今天 {today}；请在发生之后再上报", field="effective_on")
    return given or today


def proofs_of(work: Work, evidence: Sequence[EvidenceIn]) -> list[dict[str, Any]]:
    """Evidence as it is stored; none may be dated in the future."""
    today = work.today()
    for row in evidence:
        if row.dated_on is not None and row.dated_on > today:
            raise EffectiveInFuture(f"佐证材料日期 {row.dated_on} 晚于今天 {today}", field="evidence.dated_on")
    return [row.model_dump(mode="json", exclude_none=True) for row in evidence]


def _recognition(caller: Caller, stage: str | None) -> str:
    """A claim by the county is recognised; a town recognises only what the table leaves to towns."""
    by_town = stage is not None and lifecycle.BY_STAGE[stage].recogniser == "town"
    return "recognised" if caller.is_county or by_town else "claimed"


def register(work: Work, given: ProjectIn) -> Head:
    """A new project in intent."""
    work.caller.must(REPORT)
    office = find_office(work.connection, given.office)
    if office is None or not work.caller.covers(office.path):
        raise NotFound(f"没有编号为 {given.office} 的单位，或不在您的管辖范围内")
    day = day_of(work, given.effective_on)
    data: dict[str, Any] = given.model_dump(
        mode="json", exclude_none=True, exclude={"office", "ref", "effective_on", "contract_amount", *PEOPLE, "evidence"}
    )
    data |= {"office": office.id, "claims": True, "recognition": _recognition(work.caller, lifecycle.INTENT)}
    if given.contract_amount:
        data |= {"amount": given.contract_amount.minor, "currency": given.contract_amount.currency}
    for field, name in PEOPLE.items():
        if (number := getattr(given, field)) is not None:
            data[name] = _person(work, field, number)
    if given.evidence:
        data["evidence"] = proofs_of(work, given.evidence)
    ref = given.ref or next_ref(work.connection, office.id, office.code, day.year)
    if given.ref and work.connection.scalar(sa.select(Project.id).where(Project.ref == ref)) is not None:
        raise Duplicate(f"项目编号 {ref} 已存在；请换一个编号，或留空由系统编号", field="ref")
    head = Head(0, ref)
    try:
        record(work, head, [New(kinds.REGISTERED, day, data)])
    except sa.exc.IntegrityError as error:  # somebody took the ref between the question and the insert
        raise Duplicate(f"项目编号 {ref} 已存在", field="ref") from error
    return head


def next_ref(connection: Connection, office_id: int, code: str, year: int) -> str:
    """The next free number of an office and year: T01-2026-0001."""
    return next_refs(connection, office_id, code, year, 1)[0]


def next_refs(connection: Connection, office_id: int, code: str, year: int, count: int) -> list[str]:
    """The next free numbers of an office and year, so many at once."""
    dialect: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    found: list[str] = []
    while wanted := count - len(found):
        insert = dialect.insert(RefCounter).values(office_id=office_id, year=year, last=wanted)
        counted = insert.on_conflict_do_update(index_elements=["office_id", "year"], set_={"last": RefCounter.last + wanted})
        last = connection.execute(counted.returning(RefCounter.last)).scalar_one()
        refs = [f"{code[:50]}-{year}-{number:04d}" for number in range(last - wanted + 1, last + 1)]
        taken = set(connection.scalars(sa.select(Project.ref).where(among(Project.ref, "refs", sa.String)), {"refs": refs}))
        found += [ref for ref in refs if ref not in taken]
    return found


def _person(work: Work, field: str, number: int) -> int:
    """Somebody who is still there, for a project to be named after: an owner of the caller's own offices; a liaison leader also
    of the units above them, which is where he usually sits."""
    path = work.connection.scalar(
        sa.select(Office.path).join(Person, Person.office_id == Office.id).where(Person.id == number, Person.left_on.is_(None))
    )
    if path is None or not (work.caller.covers(path) or (field == "liaison_id" and work.caller.scope.startswith(path))):
        label = {"owner_id": "责任人", "liaison_id": "包联领导"}[field]
        raise Invalid(f"没有这位{label}，或不在您的管辖范围内", errors=[{"field": field, "message": "unknown person"}])
    return number


def standing_before(head: Head, day: date) -> Standing:
    """The standing a move on this day starts from; before the first day it is a project without any stage."""
    segments = head.fold()
    found = standing_on(segments, day)
    if found is not None:
        return found
    nothing: dict[str, Any] = dict.fromkeys(
        ("stage", "stage_recognised", "intent_on", "signed_on", "land_on", "started_on", "operating_on", "terminated_on")
    )
    return segments[0].standing._replace(**nothing, status="active", paused=False, proofs=(), milestones=())


def report_move(work: Work, head: Head, given: MoveIn, source: str = "api") -> Fact:
    """A stage or status change, judged by the table on its own effective date."""
    new = judged(work, head, given)
    fact = record(work, head, [new], source)
    took_effect(head, given, new.effective_on)  # the transaction ends with an error: nothing stays
    return fact


def judged(work: Work, head: Head, given: MoveIn) -> New:
    """The fact that a move would record, or the refusal: by the caller's role, by the date, by the table."""
    move = lifecycle.BY_ACTION[given.action]
    if work.caller.role not in move.may or (move.may == lifecycle.BUREAU and not work.caller.is_county):
        work.caller.must(REVIEW)
    day = day_of(work, given.effective_on)
    before = standing_before(head, day)
    evidence = proofs_of(work, given.evidence)
    proofs = {*standing_before(head, work.today()).proofs, *complete_proofs(evidence)}
    if refusal := machine.refuse(given.action, before, given.model_dump(), proofs):
        kind = EvidenceMissing if refusal.code == "evidence_missing" else MoveNotAllowed
        raise kind(refusal.hint, **({"missing": refusal.missing} if refusal.missing else {}))
    if given.action == "suspend" and given.until is not None and given.until <= day:
        raise Invalid("暂停截止日期应晚于暂停日期", errors=[{"field": "until", "message": "must be after effective_on"}])
    stage = lifecycle.STAGE_MOVES.get(given.action)
    data: dict[str, Any] = given.model_dump(mode="json", exclude_none=True, exclude={"effective_on", "evidence", "contract_amount"})
    if evidence:
        data["evidence"] = evidence
    if stage is not None:
        data["recognition"] = _recognition(work.caller, stage)
        if given.contract_amount is not None:
            data["contract_amount"] = {"amount": given.contract_amount.minor, "currency": given.contract_amount.currency}
    return New(kinds.MOVED, day, data)


def took_effect(head: Head, given: MoveIn, day: date) -> None:
    """Refuse a move that another fact of the same day takes back: the order inside a day is fixed."""
    move, stage = lifecycle.BY_ACTION[given.action], lifecycle.STAGE_MOVES.get(given.action)
    after = standing_on(head.fold(), day)
    reached = after is not None and (stage in after.in_force if stage else given.action == "revert" or after.status == move.target)
    if not reached:
        raise MoveNotAllowed("同一天另有一条相反的记录；请改用之后的日期，或先作废那一条")


def report_milestone(work: Work, head: Head, given: MilestoneIn, source: str = "api") -> Fact:
    """A milestone's actual or planned date. An actual one is told once; a wrong one is voided first."""
    if given.planned:
        if given.effective_on is None:
            raise Invalid("计划日期必填", errors=[{"field": "effective_on", "message": "required with planned"}])
        if given.evidence:
            raise Invalid("计划日期不需要佐证材料；实际完成后再登记", errors=[{"field": "evidence", "message": "not with planned"}])
        data: dict[str, Any] = {
            "milestone": given.milestone,
            "planned": True,
            "planned_on": given.effective_on.isoformat(),
            "note": given.note,
        }
        same = [fact.data for fact in live(head.facts)[0] if fact.kind == kinds.MILESTONE and fact.data.get("planned")]
        if any(one["milestone"] == given.milestone and one["planned_on"] == data["planned_on"] for one in same):
            raise AlreadyReported("该节点的计划日期没有变化")
        agreed = AGREED.get(given.milestone)
        if agreed and given.note is None and getattr(head.fold()[-1].standing, agreed) is not None:
            raise Invalid(
                "约定日期变更请在 note 中写明原因；原日期保留在记录中",
                errors=[{"field": "note", "message": "required when an agreed date changes"}],
            )
        return record(work, head, [New(kinds.MILESTONE, work.today(), filled(data))], source)
    day = day_of(work, given.effective_on)
    for fact in live(head.facts)[0]:
        if fact.kind == kinds.MILESTONE and fact.data["milestone"] == given.milestone and not fact.data.get("planned"):
            label = lifecycle.MILESTONES[given.milestone]
            raise AlreadyReported(f"“{label}”已于 {fact.effective_on} 上报；日期有误请先作废原记录", fact_id=fact.id)
    proofs = proofs_of(work, given.evidence) or None
    data = {"milestone": given.milestone, "note": given.note, "recognition": _recognition(work.caller, None), "evidence": proofs}
    return record(work, head, [New(kinds.MILESTONE, day, filled(data))], source)


def follow_up(work: Work, head: Head, given: FollowUpIn, source: str = "api") -> Fact:
    """A contact: it resets the contact clock and nothing else."""
    data = {"channel": given.channel, "note": given.note}
    return record(work, head, [New(kinds.FOLLOWED_UP, day_of(work, given.effective_on), filled(data))], source)


def note(work: Work, head: Head, text: str, about: str, source: str) -> Fact:
    """A remark; it moves nothing. `about` says what kind of remark."""
    return record(work, head, [New(kinds.NOTED, work.today(), {"note": text, "about": about})], source)


def fund(work: Work, head: Head, given: FundsIn) -> Fact:
    """The total of money in place; only an increase is progress."""
    data = {
        "amount": given.total.minor,
        "currency": given.total.currency,
        "note": given.note,
        "recognition": _recognition(work.caller, None),
    }
    return record(work, head, [New(kinds.FUNDED, day_of(work, given.effective_on), filled(data))])


def report(work: Work, head: Head, given: ReportIn, source: str = "api") -> Fact:
    """A progress report: it resets the report clock; a changed text also moves yellow."""
    data = {"text": given.text, "no_change": given.no_change}
    return record(work, head, [New(kinds.REPORTED, day_of(work, given.effective_on), filled(data))], source)


def add_evidence(work: Work, head: Head, given: EvidenceAddIn) -> Fact:
    """Evidence outside a move. The same piece (kind, number, date) is told once."""
    rows = proofs_of(work, given.evidence)
    known = [_identity(row) for fact in live(head.facts)[0] for row in fact.data.get("evidence") or ()]
    if any(_identity(row) in known for row in rows):
        raise AlreadyReported("这份佐证材料（种类、编号、日期）已经登记过")
    data = {"evidence": rows, "note": given.note, "recognition": _recognition(work.caller, None)}
    return record(work, head, [New(kinds.EVIDENCE, day_of(work, given.effective_on), filled(data))])


def _identity(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["kind"], row.get("number"), row.get("dated_on")


def amend(work: Work, head: Head, given: ProjectPatch) -> Fact:
    """Descriptions, route, owner, office or agreed dates change from a date on; the old ones stay in the facts."""
    sent = given.model_dump(mode="json", include=given.model_fields_set - {"effective_on", "reason"})
    changes: dict[str, Any] = {name: value for name, value in sent.items() if name not in ("contract_amount", *PEOPLE, "office")}
    if not sent:
        raise Invalid("没有要修改的内容")
    if "name" in changes and changes["name"] is None:
        raise Invalid("项目名称不能为空", errors=[{"field": "name", "message": "required"}])
    if "contract_amount" in sent:
        money = given.contract_amount
        changes |= {"amount": money.minor if money else None, "currency": money.currency if money else None}
    for field, name in PEOPLE.items():
        if field in sent:
            number = getattr(given, field)
            changes[name] = None if number is None else _person(work, field, number)
    if "office" in sent and given.office is None:
        raise Invalid("项目不能没有单位", errors=[{"field": "office", "message": "required"}])
    if given.office is not None:
        work.caller.must(REVIEW)
        office = find_office(work.connection, given.office)
        if office is None or not work.caller.covers(office.path):
            raise NotFound(f"没有编号为 {given.office} 的单位")
        changes["office"] = office.id
    named = {PEOPLE.get(name, name) for name in sent}
    if given.reason is None and (needed := sorted(named & set(WITH_REASON))):
        raise Invalid(f"修改 {'、'.join(needed)} 请写明原因", errors=[{"field": "reason", "message": "required for these changes"}])
    return record(work, head, [New(kinds.AMENDED, day_of(work, given.effective_on), filled({"changes": changes, "reason": given.reason}))])


def filled(data: Mapping[str, Any]) -> dict[str, Any]:
    """A payload without what was left out."""
    return {name: value for name, value in data.items() if value is not None}
