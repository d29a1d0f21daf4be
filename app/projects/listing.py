"""Pages of projects: filters, order, keyset positions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.heart import rules
from app.offices.desk import Moment, Work
from app.offices.queries import OfficeRow, Scope
from app.policies.policy import Policy, red_only
from app.projects import derived
from app.projects.asking import ListIn, ProjectList
from app.projects.lateness import late
from app.projects.models import ClockRow, Project, StandingRow
from app.projects.queries import PRINTED, STANDING, Row, clocks_of, contacts_of, people_of, presented, rows_of, true_on
from app.projects.seeking import matches
from app.projects.sorting import SORTS, joined


def reaching(at: Moment, policy: Policy, level: str, names: Sequence[str] | None) -> sa.ColumnElement[bool]:
    """Has the joined standing's project a clock that has reached the level (or worse)?"""
    arms = [late(stream, at.as_of) for stream in policy.streams(level, at.as_of, names)]
    if not arms:
        return sa.false()
    return sa.exists().where(ClockRow.project_id == StandingRow.project_id, true_on(ClockRow, at), sa.or_(*arms)).correlate(StandingRow)


def ordered(
    given: ListIn, where: Sequence[sa.ColumnElement[bool]], after: list[Any] | None = None, columns: Sequence[Any] = (*PRINTED, *STANDING)
) -> sa.Select[Any]:
    """Columns of the projects that fulfil some conditions, in the order asked for, from a place on."""
    sort = SORTS[given.column]
    query = sa.select(*columns, sort.key.label("sorted_by")).join(StandingRow, StandingRow.project_id == Project.id)
    found: sa.Select[Any] = joined(given.column, query).where(*where).order_by(*sort.order(given.down))
    return found if after is None else found.where(sort.beyond(after, given.down))


def page_of(
    work: Work, given: ListIn, at: Moment, where: Sequence[sa.ColumnElement[bool]], after: list[Any] | None
) -> tuple[Sequence[Row], Any]:
    """(rows, position of the next page). Where no index gives the order, numbers are sorted and only the page's rows are read:
    a standing is wide."""
    if SORTS[given.column].indexed:
        rows: Sequence[Row] = work.connection.execute(ordered(given, where, after).limit(given.limit + 1)).mappings().all()
    else:
        found = work.connection.execute(ordered(given, where, after, [Project.id]).limit(given.limit + 1)).all()
        by_number = rows_of(work.connection, [number for number, _ in found], at)
        rows = [{**by_number[number], "sorted_by": value} for number, value in found]
    last = rows[given.limit - 1] if len(rows) > given.limit else None
    return rows[: given.limit], [last["sorted_by"], last["id"]] if last else None


def batches(work: Work, given: ListIn, where: Sequence[sa.ColumnElement[bool]], size: int) -> Iterator[Sequence[Row]]:
    """All rows, some at a time, from one reading of the database: sorted once, and never all in memory."""
    options = {"stream_results": True, "yield_per": size}
    with work.connection.execute(ordered(given, where), execution_options=options) as found:
        yield from found.mappings().partitions()


def chosen(work: Work, given: ProjectList, at: Moment, policy: Policy, scope: Scope) -> list[sa.ColumnElement[bool]]:
    """The conditions that the filters of the project list make."""
    given.check()
    where = within(at, scope)
    filters: tuple[tuple[Any, Any], ...] = (
        (StandingRow.stage, given.stage),
        (StandingRow.status, given.status),
        (StandingRow.owner_id, given.owner),
        (StandingRow.liaison_id, given.liaison),
    )
    for wanted, value in filters:
        if value is not None:
            where.append(wanted == value)
    if given.signed_from is not None:
        where.append(StandingRow.signed_on >= given.signed_from)
    if given.signed_to is not None:
        where.append(StandingRow.signed_on <= given.signed_to)
    if given.q is not None:
        where.append(matches(Project.search_key, given.q, work.house.database.sqlite))
    if given.level is not None or given.rule is not None:
        where.append(_flagged(given, at, policy))
    return where


def within(at: Moment, scope: Scope) -> list[sa.ColumnElement[bool]]:
    """Standings that hold on the day, as known at the moment, of offices in the scope."""
    where: list[sa.ColumnElement[bool]] = [true_on(StandingRow, at)]
    if scope.ids is not None:
        where.append(StandingRow.office_id.in_(scope.ids))
    return where


def project_page(
    work: Work, given: ProjectList, at: Moment, policy: Policy, scope: Scope, after: list[Any] | None
) -> tuple[list[dict[str, Any]], list[Any] | None, int | None]:
    """(items, position of the next page, total when asked for)."""
    where = chosen(work, given, at, policy, scope)
    counted = sa.select(sa.func.count()).select_from(sa.join(Project, StandingRow, StandingRow.project_id == Project.id))
    total = work.connection.scalar(counted.where(*where)) if given.count else None
    rows, position = page_of(work, given, at, where, after)
    return present_rows(work.connection, rows, at, policy, scope.offices), position, total


def every_project(work: Work, given: ProjectList, at: Moment, policy: Policy, scope: Scope, size: int) -> Iterator[list[dict[str, Any]]]:
    """The whole list, some projects at a time."""
    for rows in batches(work, given, chosen(work, given, at, policy, scope), size):
        yield present_rows(work.connection, rows, at, policy, scope.offices)


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
    people = people_of(connection, (row[name] for row in rows for name in ("owner_id", "liaison_id")))
    found = []
    for row in rows:
        standing = derived.standing_from(row)
        reasons = policy.reasons(clocks[row["id"]], at.as_of)
        found.append(presented(row, standing, offices[row["office_id"]].shown, reasons, contacts[row["id"]], people))
    return found
