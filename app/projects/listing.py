"""Pages of projects: filters, order, keyset positions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.errors import Invalid
from app.heart import rules
from app.heart.limits import FOREVER
from app.offices.desk import Moment, Work
from app.offices.queries import OfficeRow, Scope
from app.policies.policy import Policy, red_only
from app.projects import store
from app.projects.lateness import late
from app.projects.models import ClockRow, Project, StandingRow
from app.projects.queries import PRINTED, STANDING, Row, clocks_of, contacts_of, owners, presented, true_on
from app.projects.schemas import ProjectList


def reaching(at: Moment, policy: Policy, level: str, names: Sequence[str] | None) -> sa.ColumnElement[bool]:
    """Has the joined standing's project a clock that has reached the level (or worse)?"""
    arms = [late(stream, at.as_of) for stream in policy.streams(level, at.as_of, names)]
    if not arms:
        return sa.false()
    return sa.exists().where(ClockRow.project_id == StandingRow.project_id, true_on(ClockRow, at), sa.or_(*arms)).correlate(StandingRow)


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
        arms = [sa.and_(late(stream, at.as_of), ClockRow.halted) for stream in red_only(policy.streams("red", at.as_of, rules.STOPPED_BY))]
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
