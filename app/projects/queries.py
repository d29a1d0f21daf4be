"""Reading projects: one, or pages of them; now, as of a date, by what was known at a moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.errors import Invalid
from app.heart import facts as kinds
from app.heart import lifecycle, machine, rules
from app.heart.facts import Fact
from app.heart.limits import FOREVER
from app.heart.standing import Standing, standing_on
from app.http import token_parts
from app.offices.desk import House, Moment, Work
from app.offices.models import Office, Person, Token
from app.offices.queries import CALLER_COLUMNS, CALLER_FROM, OfficeRow, Scope, caller_from, office_by_id
from app.policies.policy import Policy, Reason, Running, red_only
from app.policies.queries import NEWEST
from app.projects import store
from app.projects.models import ClockRow, FactRow, Project, StandingRow
from app.projects.money import shown
from app.projects.schemas import ProjectList

Row = Mapping[Any, Any]
"""A result row by column name."""
PRINTED: tuple[Any, ...] = (
    Project.id,
    Project.ref,
    Project.name,
    Project.investor,
    Project.industry,
    Project.credit_code,
    Project.signing_event,
    Project.version,
)
STANDING: tuple[Any, ...] = tuple(getattr(StandingRow, name) for name in (*store.COLUMNS, "detail"))


def known(table: Any, at: Moment) -> sa.ColumnElement[bool]:
    """Rows that were known at the moment (still known, when no moment is pinned)."""
    if at.pinned is None:
        current: sa.ColumnElement[bool] = table.known_to.is_(None)
        return current
    return sa.and_(table.known_from <= at.pinned, sa.or_(table.known_to.is_(None), table.known_to > at.pinned))


def true_on(table: Any, at: Moment) -> sa.ColumnElement[bool]:
    """Rows that are true on the day and known at the moment."""
    return sa.and_(known(table, at), table.valid_from <= at.as_of, table.valid_to > at.as_of)


def clocks_of(connection: Connection, ids: Sequence[int], at: Moment) -> dict[int, list[Running]]:
    """The clocks that run for some projects on the day."""
    found: dict[int, list[Running]] = {number: [] for number in ids}
    if ids:
        columns: tuple[Any, ...] = (
            ClockRow.project_id,
            ClockRow.rule,
            ClockRow.basis,
            ClockRow.solid_on,
            ClockRow.soft_on,
            ClockRow.halted,
            ClockRow.route,
        )
        for row in connection.execute(sa.select(*columns).where(ClockRow.project_id.in_(ids), true_on(ClockRow, at))):
            found[row[0]].append(Running(*row[1:]))
    return found


def contacts_of(connection: Connection, ids: Sequence[int], at: Moment) -> dict[int, tuple[date | None, date | None]]:
    """(last contact, last report) of some projects; contacts stay out of standings, so a past day is read from the facts."""
    columns = (Project.id, Project.last_contact_on, Project.last_report_on)
    rows = connection.execute(sa.select(*columns).where(Project.id.in_(ids)))
    found = {row.id: (row.last_contact_on, row.last_report_on) for row in rows}
    later = [number for number, days in found.items() if at.pinned is not None or any(day is not None for day in days)]
    if later and (at.pinned is not None or any(day is not None and day > at.as_of for days in found.values() for day in days)):
        heard = facts_of(connection, later, at.pinned)
        for number, facts in heard.items():
            row = store.printed(
                [fact for fact in facts if fact.effective_on <= at.as_of or fact.kind not in (kinds.FOLLOWED_UP, kinds.REPORTED)]
            )
            found[number] = (row["last_contact_on"], row["last_report_on"])
    return found


def facts_of(connection: Connection, ids: Sequence[int], known_at: datetime | None) -> dict[int, list[Fact]]:
    """All facts of some projects that were recorded by a moment."""
    query = sa.select(FactRow.project_id, *store.FACT_COLUMNS).where(FactRow.project_id.in_(ids)).order_by(FactRow.project_id, FactRow.seq)
    if known_at is not None:
        query = query.where(FactRow.recorded_at <= known_at)
    found: dict[int, list[Fact]] = {}
    for number, *row in connection.execute(query):
        found.setdefault(number, []).append(store.fact_from(row))
    return found


def owners(connection: Connection, ids: Iterable[int | None]) -> dict[int | None, dict[str, Any]]:
    """The people with these numbers as answers print them."""
    wanted = {number for number in ids if number is not None}
    if not wanted:
        return {}
    rows = connection.execute(sa.select(Person.id, Person.name, Person.left_on).where(Person.id.in_(wanted)))
    return {row.id: {"id": row.id, "name": row.name, "left_on": row.left_on} for row in rows}


def data_checks(now: Standing) -> list[str]:
    """What the register should know and does not; it stops nothing."""
    found = []
    if now.signed_on is not None and now.route is None:
        found.append("route_missing")
    if now.signed_on is not None and (now.amount is None or "formal_contract" not in now.proofs):
        found.append("contract_incomplete")
    if now.pause_inferred_end:
        found.append("pause_end_inferred")
    return found


def presented(
    project: Row,
    now: Standing,
    office: Mapping[str, str],
    reasons: Sequence[Reason],
    contacts: tuple[date | None, date | None],
    owner: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """A project in any answer."""
    stage = now.stage
    return {
        "ref": project["ref"],
        "name": project["name"],
        "office": office,
        "investor": project["investor"],
        "industry": project["industry"],
        "route": now.route,
        "credit_code": project["credit_code"],
        "contract_amount": shown(now.amount, now.currency),
        "funds_in_place": shown(now.funds, now.funds_currency),
        "signing_event": project["signing_event"],
        "stage": stage,
        "stage_label": lifecycle.BY_STAGE[stage].label if stage else None,
        "stage_recognised": now.stage_recognised,
        "status": now.status,
        "stage_entered_on": now.stage_entered_on,
        "signed_on": now.signed_on,
        "last_progress_on": now.last_progress_on,
        "last_contact_on": contacts[0],
        "last_report_on": contacts[1],
        "planned_start_on": now.planned_start_on,
        "planned_operation_on": now.planned_operation_on,
        "suspended_until": now.suspended_until,
        "owner": owner,
        "level": reasons[0].level if reasons else None,
        "flags": [reason.shown() for reason in reasons],
        "data_checks": data_checks(now),
        "version": project["version"],
    }


def detailed(shown_project: dict[str, Any], now: Standing, at: Moment, policy: Policy) -> dict[str, Any]:
    """A single project: also its milestones, evidence, what the next move lacks, and by which knowledge it was answered."""
    return shown_project | {
        "milestones": list(now.milestones),
        "evidence": list(now.proofs),
        "missing": machine.next_missing(now),
        "as_of": at.as_of,
        "known_at": at.known_at,
        "settled": at.settled,
        "policy_version": policy.id,
    }


# one project, now, in one statement -----------------------------------------------------------------

_at = sa.orm.aliased(Office, name="at_office")
_running = (ClockRow.rule, ClockRow.basis, ClockRow.solid_on, ClockRow.soft_on, ClockRow.halted, ClockRow.route)


def _one(sqlite: bool) -> sa.Select[Any]:
    pack = sa.func.json_array(*_running) if sqlite else sa.func.json_build_array(*_running)
    gather = sa.func.json_group_array(sa.func.json(pack)) if sqlite else sa.func.json_agg(pack)
    day = sa.bindparam("day", type_=sa.Date)
    ticking = (
        sa.select(sa.cast(gather, sa.Text))
        .where(ClockRow.project_id == Project.id, ClockRow.known_to.is_(None), ClockRow.valid_from <= day, ClockRow.valid_to > day)
        .correlate(Project)
        .scalar_subquery()
    )
    found = (
        sa.join(Project, StandingRow, StandingRow.project_id == Project.id)
        .join(_at, _at.id == StandingRow.office_id)
        .join(Person, Person.id == StandingRow.owner_id, isouter=True)
    )
    on = sa.and_(
        Project.ref == sa.bindparam("ref"), StandingRow.known_to.is_(None), StandingRow.valid_from <= day, StandingRow.valid_to > day
    )
    inner: Any = (
        sa.select(
            *PRINTED, Project.last_contact_on, Project.last_report_on, *STANDING, _at.code.label("o_code"), _at.name.label("o_name"),
            _at.path.label("o_path"), Person.name.label("p_name"), Person.left_on.label("p_left"), ticking.label("ticking"),
        )
        .select_from(found)
        .where(on)
        .subquery("found")
    )  # fmt: skip
    found_one: sa.Select[Any] = (
        sa.select(*CALLER_COLUMNS, NEWEST.label("newest"), inner)
        .select_from(CALLER_FROM.join(inner, sa.true(), isouter=True))
        .where(Token.id == sa.bindparam("token"))
    )
    return found_one


_ONE = {True: _one(True), False: _one(False)}


def project_now(house: House, header: str | None, ref: str, book: Any) -> dict[str, Any]:
    """One project as known and true now, token check included, in a single statement."""
    number, secret = token_parts(header)
    now = house.clock.now()
    day = house.clock.business_date(now)
    with house.database.statement() as connection:
        row = (
            connection.execute(_ONE[house.database.sqlite], {"token": number, "ref": store.usable_ref(ref), "day": day})
            .mappings()
            .one_or_none()
        )
        caller = caller_from(row, number, secret, now)
        assert row is not None
        caller.must_cover(row["o_path"])
        policy: Policy = book.governing(connection, day, None, row["newest"])
    standing = store.standing_from(row)
    running = [
        Running(rule, basis, date.fromisoformat(solid), date.fromisoformat(soft), bool(halted), route)
        for rule, basis, solid, soft, halted, route in orjson.loads(row["ticking"] or "[]")
    ]
    reasons = policy.reasons(running, day)
    owner = {"id": standing.owner_id, "name": row["p_name"], "left_on": row["p_left"]} if standing.owner_id else None
    office = {"code": row["o_code"], "name": row["o_name"]}
    one = presented(row, standing, office, reasons, (row["last_contact_on"], row["last_report_on"]), owner)
    return detailed(one, standing, Moment(day, now, None, False), policy)


# one project, from memory -----------------------------------------------------------------------------


def project_held(work: Work, head: store.Head, at: Moment, policy: Policy) -> dict[str, Any]:
    """A project whose facts are all at hand, as `project_at` would read it back (unpinned moments only)."""
    standing = standing_on(head.fold(), at.as_of)
    if standing is None:
        return project_at(work, head.ref, at, policy)
    running = [
        Running(one.rule, one.basis, one.solid_on, one.soft_on, one.halted, one.route)
        for one in head.clocks
        if one.valid_from <= at.as_of < one.valid_to
    ]
    printed = store.printed(
        [one for one in head.facts if one.effective_on <= at.as_of or one.kind not in (kinds.FOLLOWED_UP, kinds.REPORTED)]
    )
    around = head.around
    office = around if around is not None and around.office_id == standing.office_id else office_by_id(work.connection, standing.office_id)
    code, name = (office.office_code, office.office_name) if isinstance(office, store.Around) else (office.code, office.name)
    owner = around.owner if around is not None and around.owner is not None and around.owner["id"] == standing.owner_id else None
    if owner is None:
        owner = owners(work.connection, [standing.owner_id]).get(standing.owner_id)
    row = {"ref": head.ref, "version": head.version, **printed}
    contacts = (printed["last_contact_on"], printed["last_report_on"])
    shown_project = presented(row, standing, {"code": code, "name": name}, policy.reasons(running, at.as_of), contacts, owner)
    return detailed(shown_project, standing, at, policy)


# one project, any moment ----------------------------------------------------------------------------


def project_at(work: Work, ref: str, at: Moment, policy: Policy) -> dict[str, Any]:
    """One project as of a date, by what was known at a moment."""
    query = (
        sa.select(*PRINTED, *STANDING, Office.code.label("o_code"), Office.name.label("o_name"), Office.path.label("o_path"))
        .join(StandingRow, StandingRow.project_id == Project.id)
        .join(Office, Office.id == StandingRow.office_id)
        .where(Project.ref == store.usable_ref(ref), true_on(StandingRow, at))
    )
    row = work.connection.execute(query).mappings().one_or_none()
    work.caller.must_cover(row["o_path"] if row else None)
    assert row is not None
    standing = store.standing_from(row)
    running = clocks_of(work.connection, [row["id"]], at)[row["id"]]
    contacts = contacts_of(work.connection, [row["id"]], at)[row["id"]]
    owner = owners(work.connection, [standing.owner_id]).get(standing.owner_id)
    office = {"code": row["o_code"], "name": row["o_name"]}
    return detailed(presented(row, standing, office, policy.reasons(running, at.as_of), contacts, owner), standing, at, policy)


def standing_at(work: Work, ref: str, at: Moment) -> Standing:
    """A project's standing, inside the caller's scope."""
    query = (
        sa.select(*STANDING, Office.path.label("o_path"))
        .join(Project, Project.id == StandingRow.project_id)
        .join(Office, Office.id == StandingRow.office_id)
        .where(Project.ref == store.usable_ref(ref), true_on(StandingRow, at))
    )
    row = work.connection.execute(query).mappings().one_or_none()
    work.caller.must_cover(row["o_path"] if row else None)
    assert row is not None
    return store.standing_from(row)


def project_number(work: Work, ref: str) -> int:
    """A project's number, inside the caller's scope."""
    query = sa.select(Project.id, Office.path).join(Office, Office.id == Project.office_id).where(Project.ref == store.usable_ref(ref))
    row = work.connection.execute(query).one_or_none()
    work.caller.must_cover(row.path if row else None)
    assert row is not None
    return int(row.id)


# pages ----------------------------------------------------------------------------------------------


def reaching(at: Moment, policy: Policy, level: str, names: Sequence[str] | None) -> sa.ColumnElement[bool]:
    """Has the joined standing's project a clock that has reached the level (or worse)?"""
    arms = []
    for stream in policy.streams(level, at.as_of, names):
        late = sa.or_(ClockRow.solid_on <= stream.solid, ClockRow.soft_on <= stream.soft)
        arms.append(sa.and_(ClockRow.rule == stream.rule, late, *route_filter(stream.routes)))
    if not arms:
        return sa.false()
    return sa.exists().where(ClockRow.project_id == StandingRow.project_id, true_on(ClockRow, at), sa.or_(*arms)).correlate(StandingRow)


def route_filter(routes: tuple[str | None, ...] | None) -> list[sa.ColumnElement[bool]]:
    """The clocks of some site routes; None means any route."""
    if routes is None:
        return []
    named = [route for route in routes if route is not None]
    arms: list[sa.ColumnElement[bool]] = [ClockRow.route.in_(named)]
    if None in routes:
        arms.append(ClockRow.route.is_(None))
    return [sa.or_(*arms)]


_SORTS: dict[str, Any] = {
    "id": Project.id,
    "ref": Project.ref,
    "signed_on": StandingRow.signed_on,
    "stage_entered_on": StandingRow.stage_entered_on,
    "last_progress_on": StandingRow.last_progress_on,
}


def project_page(
    work: Work, given: ProjectList, at: Moment, policy: Policy, scope: Scope, after: list[Any] | None
) -> tuple[list[dict[str, Any]], list[Any] | None, int | None]:
    """(items, position of the next page, total when asked for)."""
    if given.rule is not None and given.rule != rules.STOPPED and given.rule not in rules.BY_NAME:
        raise Invalid(f"没有规则 {given.rule}；规则有：{'、'.join(rules.BY_NAME)}", errors=[{"field": "rule", "message": "unknown rule"}])
    where: list[sa.ColumnElement[bool]] = [true_on(StandingRow, at)]
    if scope.ids is not None:
        where.append(StandingRow.office_id.in_(scope.ids))
    filters: tuple[tuple[Any, Any], ...] = (
        (StandingRow.stage, given.stage),
        (StandingRow.status, given.status),
        (StandingRow.owner_id, given.owner),
    )
    for wanted, value in filters:
        if value is not None:
            where.append(wanted == value)
    if given.signed_from is not None:
        where.append(StandingRow.signed_on >= given.signed_from)
    if given.signed_to is not None:
        where.append(StandingRow.signed_on <= given.signed_to)
    if given.q is not None:
        like = f"%{given.q.replace('!', '!!').replace('%', '!%').replace('_', '!_')}%"
        where.append(sa.or_(*(column.ilike(like, escape="!") for column in (Project.name, Project.ref, Project.investor))))
    if given.level is not None or given.rule is not None:
        where.append(_flagged(given, at, policy))
    total = None
    base = sa.select(sa.func.count()).select_from(sa.join(Project, StandingRow, StandingRow.project_id == Project.id))
    if given.count:
        total = work.connection.scalar(base.where(*where))
    name = given.sort.removeprefix("-")
    down = given.sort.startswith("-")
    key = _SORTS[name]
    nullable = name.endswith("_on")
    column: Any = sa.func.coalesce(key, FOREVER if not down else date.min) if nullable else key  # rows without the date come last
    if after is not None:
        value = date.fromisoformat(after[0]) if nullable else after[0]
        pair: Any = sa.tuple_(column, Project.id)
        position: Any = sa.tuple_(sa.literal(value), sa.literal(after[1]))
        where.append(pair < position if down else pair > position)
    order = (column.desc(), Project.id.desc()) if down else (column, Project.id)
    query = (
        sa.select(*PRINTED, *STANDING, column.label("sorted_by"))
        .join(StandingRow, StandingRow.project_id == Project.id)
        .where(*where)
        .order_by(*order)
        .limit(given.limit + 1)
    )
    rows = list(work.connection.execute(query).mappings())
    page = rows[: given.limit]
    last = page[-1] if len(rows) > given.limit else None
    return present_rows(work.connection, page, at, policy, scope.offices), [last["sorted_by"], last["id"]] if last else None, total


def _flagged(given: ProjectList, at: Moment, policy: Policy) -> sa.ColumnElement[bool]:
    if given.rule == rules.STOPPED:
        arms = [
            sa.and_(ClockRow.rule == stream.rule, ClockRow.solid_on <= stream.solid, ClockRow.halted, *route_filter(stream.routes))
            for stream in red_only(policy.streams("red", at.as_of, rules.STOPPED_BY))
        ]
        if not arms:
            return sa.false()
        halted = (
            sa.exists().where(ClockRow.project_id == StandingRow.project_id, true_on(ClockRow, at), sa.or_(*arms)).correlate(StandingRow)
        )
        return halted if given.level is None else sa.and_(halted, reaching(at, policy, given.level, rules.STOPPED_BY))
    return reaching(at, policy, given.level or "blue", [given.rule] if given.rule else None)


def present_rows(
    connection: Connection, rows: Sequence[Row], at: Moment, policy: Policy, offices: Mapping[int, OfficeRow]
) -> list[dict[str, Any]]:
    """Rows with printed and standing columns as answers print them; three statements whatever their number."""
    ids = [row["id"] for row in rows]
    if not ids:
        return []
    clocks, contacts = clocks_of(connection, ids, at), contacts_of(connection, ids, at)
    people = owners(connection, (row["owner_id"] for row in rows))
    found = []
    for row in rows:
        standing = store.standing_from(row)
        reasons = policy.reasons(clocks[row["id"]], at.as_of)
        found.append(presented(row, standing, offices[row["office_id"]].shown, reasons, contacts[row["id"]], people.get(row["owner_id"])))
    return found
