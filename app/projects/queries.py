"""Reading projects: one, or pages of them; now, as of a date, by what was known at a moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.heart import checks, lifecycle, machine
from app.heart import facts as kinds
from app.heart.facts import Fact
from app.heart.standing import Standing
from app.offices.desk import Moment
from app.offices.models import Person
from app.policies.policy import Policy, Reason, Running
from app.projects import derived, store
from app.projects.models import ClockRow, FactRow, Project, StandingRow
from app.projects.money import shown

RUNNING: tuple[Any, ...] = tuple(getattr(ClockRow, name) for name in Running._fields)
"""The columns of policy.Running, in its order."""
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
STANDING: tuple[Any, ...] = tuple(getattr(StandingRow, name) for name in (*derived.COLUMNS, "detail"))


def known(table: Any, at: Moment) -> sa.ColumnElement[bool]:
    """Rows that were known at the moment (still known, when no moment is pinned)."""
    if at.pinned is None:
        current: sa.ColumnElement[bool] = table.known_to.is_(None)
        return current
    return sa.and_(table.known_from <= at.pinned, sa.or_(table.known_to.is_(None), table.known_to > at.pinned))


def true_on(table: Any, at: Moment) -> sa.ColumnElement[bool]:
    """Rows that are true on the day and known at the moment."""
    return sa.and_(known(table, at), table.valid_from <= at.as_of, table.valid_to > at.as_of)


def rows_of(connection: Connection, ids: Sequence[int], at: Moment) -> dict[int, Row]:
    """Printed and standing columns of some projects, true on the day and known at the moment."""
    query = (
        sa.select(*PRINTED, *STANDING)
        .join(StandingRow, StandingRow.project_id == Project.id)
        .where(Project.id.in_(ids), true_on(StandingRow, at))
    )
    return {row["id"]: row for row in connection.execute(query).mappings()} if ids else {}


def clocks_of(connection: Connection, ids: Sequence[int], at: Moment) -> dict[int, list[Running]]:
    """The clocks that run for some projects on the day."""
    found: dict[int, list[Running]] = {number: [] for number in ids}
    if ids:
        for row in connection.execute(sa.select(ClockRow.project_id, *RUNNING).where(ClockRow.project_id.in_(ids), true_on(ClockRow, at))):
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
            row = derived.printed(
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


def people_of(connection: Connection, ids: Iterable[int | None]) -> dict[int | None, dict[str, Any]]:
    """The people with these numbers as answers print them."""
    wanted = {number for number in ids if number is not None}
    if not wanted:
        return {}
    rows = connection.execute(sa.select(Person.id, Person.name, Person.left_on).where(Person.id.in_(wanted)))
    return {row.id: {"id": row.id, "name": row.name, "left_on": row.left_on} for row in rows}


def presented(
    project: Row,
    now: Standing,
    office: Mapping[str, str],
    reasons: Sequence[Reason],
    contacts: tuple[date | None, date | None],
    people: Mapping[int | None, Mapping[str, Any]],
) -> dict[str, Any]:
    """A project in any answer; `people` knows (at least) those it names."""
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
        "owner": people.get(now.owner_id),
        "liaison": people.get(now.liaison_id),
        "level": reasons[0].level if reasons else None,
        "flags": [reason.shown() for reason in reasons],
        "data_checks": checks.codes(now.checks),
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
        "provisional_years": policy.provisional_years(shown_project["flags"]),
    }
