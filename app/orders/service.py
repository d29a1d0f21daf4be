"""Issuing orders and taking their steps: the only writer of orders, of their events and of their numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from app.db import among
from app.errors import Invalid, NotFound, OrderRefused
from app.heart import rules
from app.heart.limits import RANK
from app.offices.access import ANSWER, SUPERVISE, Caller
from app.offices.desk import Work, check_version, moment
from app.offices.models import Office, Person
from app.offices.queries import OfficeRow, find_office, office_by_id
from app.orders import lifecycle as table
from app.orders import queries
from app.orders.models import Order, OrderCounter, OrderEvent, OrderFlag
from app.orders.schemas import OrderIn
from app.orders.wording import Stall, matter_of, number_of, requirement_of, worst_first
from app.policies.policy import Policy
from app.policies.queries import book_of
from app.projects import derived, store
from app.projects.models import Project, StandingRow
from app.projects.queries import clocks_of, rows_of
from app.stalls.models import Flag

RIGHTS = {table.UNIT: ANSWER, table.BUREAU: SUPERVISE}
SIDE_OF = {step.action: step.side for step in table.STEPS}


class New(NamedTuple):
    """An order that is about to be issued."""

    office_id: int
    person_id: int | None
    matter: str
    requirement: str
    due_on: date
    project_id: int | None = None
    rule: str | None = None
    level: str | None = None
    flags: tuple[int, ...] = ()


class By(NamedTuple):
    """Who issues: the office whose number an order gets, and the caller; no role: the daily run."""

    office_id: int
    token_id: str | None = None
    role: str | None = None
    person_id: int | None = None


def by_caller(caller: Caller) -> By:
    """The caller as events name him."""
    return By(caller.office_id, caller.token_id, caller.role, caller.person_id)


def issue(connection: Connection, new: Sequence[New], by: By, day: date, now: datetime) -> list[int]:
    """Store new orders under the next numbers of the office and year; their ids. Whoever issues for a stall holds its project's lock."""
    if not new:
        return []
    first = _numbers(connection, by.office_id, day.year, len(new))
    rows = [
        {
            "issuer_id": by.office_id, "year": day.year, "seq": seq, "number": number_of(day.year, seq), "office_id": one.office_id,
            "person_id": one.person_id, "project_id": one.project_id, "rule": one.rule, "level": one.level, "automatic": by.role is None,
            "matter": one.matter, "requirement": one.requirement, "state": table.ISSUED, "version": 1, "issued_on": day,
            "due_on": one.due_on, "created_at": now,
        }
        for seq, one in enumerate(new, first)
    ]  # fmt: skip
    made = connection.execute(sa.insert(Order).returning(Order.id, sort_by_parameter_order=True), rows)
    ids = list(made.scalars())
    events = [_event(number, 1, table.ISSUE, by, day, now, table.ISSUED, one.due_on) for number, one in zip(ids, new, strict=True)]
    connection.execute(sa.insert(OrderEvent), events)
    links = [{"flag_id": flag, "order_id": number} for number, one in zip(ids, new, strict=True) for flag in one.flags]
    if links:
        connection.execute(_insert(connection, OrderFlag).on_conflict_do_nothing(), links)
    return ids


def _insert(connection: Connection, model: Any) -> Any:
    dialect: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    return dialect.insert(model)


def _numbers(connection: Connection, office_id: int, year: int, count: int) -> int:
    """Take the next `count` numbers; the first of them. Whoever else issues waits until this transaction ends."""
    insert = _insert(connection, OrderCounter).values(office_id=office_id, year=year, last=count)
    taken = insert.on_conflict_do_update(index_elements=["office_id", "year"], set_={"last": OrderCounter.last + count})
    last: int = connection.execute(taken.returning(OrderCounter.last)).scalar_one()
    return last - count + 1


def _event(number: int, seq: int, action: str, by: By, day: date, now: datetime, state: str, due_on: date, **told: Any) -> dict[str, Any]:
    written = {"text": None, "until": None, "granted": None} | told
    return {
        "order_id": number, "seq": seq, "action": action, "at": now, "happened_on": day, "state": state, "due_on": due_on, **written,
        "token_id": by.token_id, "office_id": by.office_id if by.role else None, "role": by.role, "person_id": by.person_id,
    }  # fmt: skip


# by a person ----------------------------------------------------------------------------------------


def order_by(work: Work, given: OrderIn) -> int:
    """An officer issues an order; its id."""
    work.caller.must(SUPERVISE)
    today = work.today()
    policy = book_of(work.house.database).governing(work.connection, today, None)
    due_on = given.due_on or policy.calendar.nth_workday(today, table.DUE_IN)
    if due_on < today:
        raise Invalid("办理期限不能早于今天", errors=[{"field": "due_on", "message": "in the past"}])
    head = _project(work, given.ref) if given.ref is not None else None
    office = _office(work, given.office, head)
    new = New(office.id, None, given.matter or "", given.requirement or "", due_on, head.id if head else None)
    if head is not None and given.rule is not None:
        new = _for_stall(work, policy, head, new, given.rule)
    person = given.person_id
    if person is not None:
        _works_there(work, person, office)
    elif head is not None:
        person = owners_on(work.connection, [head.id], today).get(head.id)
    try:
        return issue(work.connection, [new._replace(person_id=person)], by_caller(work.caller), today, work.now())[0]
    except sa.exc.IntegrityError as error:  # pragma: no cover - the project's lock keeps others out
        raise OrderRefused("order_open", "该项目已有未办结的督办单") from error


def _project(work: Work, ref: str) -> store.Head:
    """The project under its lock: nobody else issues an order for it meanwhile."""
    head = store.load(work.connection, store.usable_ref(ref))
    path = (
        work.connection.scalar(sa.select(Office.path).join(Project, Project.office_id == Office.id).where(Project.id == head.id))
        if head
        else None
    )
    work.caller.must_cover(path)
    assert head is not None
    return head


def _office(work: Work, code: str | None, head: store.Head | None) -> OfficeRow:
    if code is None:
        assert head is not None
        number = work.connection.scalar(sa.select(Project.office_id).where(Project.id == head.id))
        return office_by_id(work.connection, number or 0)
    office = find_office(work.connection, code)
    if office is None or not work.caller.covers(office.path):
        raise NotFound(f"没有编号为 {code} 的单位，或不在您的管辖范围内")
    return office


def _works_there(work: Work, number: int, office: OfficeRow) -> None:
    found = sa.select(Person.id).join(Office, Office.id == Person.office_id)
    here = (Person.id == number, Person.left_on.is_(None), Office.path.startswith(office.path, autoescape=True))
    if work.connection.scalar(found.where(*here)) is None:
        raise Invalid("责任单位没有这位人员，或已离岗", errors=[{"field": "person_id", "message": "not a person of the unit"}])


def _for_stall(work: Work, policy: Policy, head: store.Head, new: New, rule: str) -> New:
    """The order for a rule that is late today; the flags it answers to get no other."""
    at = moment(work.house, None, None)
    reasons = [
        one for one in policy.reasons(clocks_of(work.connection, [head.id], at)[head.id], at.as_of) if RANK[one.level] >= RANK["yellow"]
    ]
    if rule not in {one.rule for one in reasons}:
        raise NotFound(f"{head.ref} 今天没有停滞事项 {rule}（黄灯及以上）")
    standing_open = sa.select(Order.number).where(Order.project_id == head.id, Order.rule.is_not(None), Order.state != table.CLOSED)
    if (number := work.connection.scalar(standing_open)) is not None:
        raise OrderRefused("order_open", f"该项目已有未办结的{number}；请在该督办单上办理，或先办结", number=number)
    row = rows_of(work.connection, [head.id], at)[head.id]
    now = derived.standing_from(row)
    stalls = worst_first(stall_of(one.rule, one.level, one.basis_on, now) for one in reasons)
    level = next(one.level for one in reasons if one.rule == rule)
    late = (Flag.project_id == head.id, Flag.closed_on.is_(None), Flag.rule.in_([one.rule for one in reasons]))
    flags = work.connection.scalars(sa.select(Flag.id).where(*late)).all()
    matter = new.matter or matter_of(row["name"], head.ref, stalls, at.as_of)
    requirement = new.requirement or requirement_of(stalls)
    return new._replace(rule=rule, level=level, flags=tuple(flags), matter=matter, requirement=requirement)


def stall_of(rule: str, level: str, basis_on: date, now: Any) -> Stall:
    """A late rule as an order tells of it."""
    row = rules.BY_NAME[rule]
    return Stall(row.label, level, basis_on, row.advice, tuple(rules.MISSING_LABELS[kind] for kind in row.missing(now)))


def owners_on(connection: Connection, ids: Iterable[int], day: date) -> dict[int, int]:
    """project → the person who owns it on a day, unless he has left."""
    query = (
        sa.select(StandingRow.project_id, StandingRow.owner_id)
        .join(Person, Person.id == StandingRow.owner_id)
        .where(among(StandingRow.project_id), StandingRow.known_to.is_(None))
        .where(StandingRow.valid_from <= day, StandingRow.valid_to > day, sa.or_(Person.left_on.is_(None), Person.left_on > day))
    )
    return {number: owner for number, owner in connection.execute(query, {"ids": list(ids)}) if owner is not None}


# steps ----------------------------------------------------------------------------------------------


def take(work: Work, request: Any, text: str, action: str, given: Mapping[str, Any]) -> Any:
    """Take a step of an order, under its lock; the order as it stands after it."""
    row = queries.row_of(work.connection, text, work.caller, lock=True)
    work.caller.must(RIGHTS[SIDE_OF[action]])
    check_version(request, row["version"], required=False)
    today, held = work.today(), table.Held(row["state"], row["due_on"], row["asked_until"])
    if refusal := table.refuse(action, held, given, today):
        missing = [{"field": name, "label": table.FIELD_LABELS[name]} for name in refusal.missing]
        raise OrderRefused(refusal.code, refusal.hint, **({"missing": missing} if missing else {}))
    step = table.step_of(action, held.state)
    assert step is not None
    change = {"state": step.target or held.state, "version": row["version"] + 1} | _changes(work, action, held, given, today)
    told = {
        "text": given.get("text") or given.get("reason") or given.get("note"),
        "until": given.get("until"),
        "granted": given.get("granted"),
    }
    due_on = change.get("due_on", held.due_on)
    event = _event(row["id"], change["version"], action, by_caller(work.caller), today, work.now(), change["state"], due_on, **told)
    work.connection.execute(sa.insert(OrderEvent).values(event))
    work.connection.execute(sa.update(Order).where(Order.id == row["id"]).values(change))
    return queries.row_of(work.connection, str(row["id"]), work.caller)


def _changes(work: Work, action: str, held: table.Held, given: Mapping[str, Any], today: date) -> dict[str, Any]:
    """What a step changes besides the state."""
    if action == "receive":
        return {"received_on": today}
    if action == "reply":  # a request that nobody answered has come to nothing
        return {"replied_on": today, "asked_until": None}
    if action == "extend":
        return {"asked_until": given["until"]}
    if action == "decide_extension":
        return {"asked_until": None, **({"due_on": held.asked_until} if given["granted"] else {})}
    if action == "close":
        return {"closed_on": today, "asked_until": None}
    calendar = book_of(work.house.database).governing(work.connection, today, None).calendar
    due_on = given.get("until") or calendar.nth_workday(today, table.DUE_IN)
    if due_on < today:
        raise Invalid("办理期限不能早于今天", errors=[{"field": "until", "message": "in the past"}])
    return {"due_on": due_on}
