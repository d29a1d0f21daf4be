"""Orders that the daily run issues by itself: one for each project that turned yellow (or red), however many rules are late.

What has to be done is a question to the database: open flags that no order answers to, of projects without an open one. So a
run that was killed, repeated or late finds exactly what is left; nothing depends on how often it ran.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.db import among
from app.heart.calendar import Calendar
from app.heart.limits import LEVELS, RANK
from app.heart.rules import BY_NAME
from app.offices.access import scope_of
from app.offices.desk import Moment
from app.offices.models import Meta
from app.offices.queries import all_offices
from app.orders import lifecycle as table
from app.orders.models import Order, OrderFlag
from app.orders.service import By, New, issue, owners_on, stall_of
from app.orders.wording import matter_of, requirement_of, worst_first
from app.projects.derived import standing_from
from app.projects.marks import marked, marks_of
from app.projects.models import Project, StandingRow
from app.settings import Settings
from app.stalls.models import Flag
from app.stalls.runs import Claim

CHUNK = 200
"""Projects in one transaction, whose locks it holds."""


def issue_due(claim: Claim, settings: Settings, calendar: Calendar) -> dict[str, int]:
    """Issue what is due on the day of the run, when it is a workday; how many orders the day has, as the run counts them."""
    day = claim.day
    if settings.orders_automatic == "off" or not calendar.is_workday(day):
        return {}
    due_on, last = calendar.nth_workday(day, table.DUE_IN), 0
    with claim.database.statement() as connection:
        issuers = _issuers(connection)
        since = _since(connection)
    while issuers:
        with claim.database.statement() as connection:
            ids = _uncovered(connection, settings.orders_automatic, since, last)
        if not ids:
            break
        with claim.write() as connection:
            _issue(connection, ids, settings.orders_automatic, since, issuers, claim, due_on)
        last = ids[-1]
    with claim.database.statement() as connection:
        made = connection.scalar(sa.select(sa.func.count()).select_from(Order).where(Order.automatic, Order.issued_on == day)) or 0
    return {"orders": made} if made else {}


def _issuers(connection: Connection) -> dict[int, int]:
    """office → the office that issues orders to it: the nearest bureau that covers it, else its county."""
    offices = all_offices(connection)
    paths = {one.id: one.path for one in offices}
    issuing = [(scope_of(one.kind, one.path, paths.get(one.parent_id or 0)), one) for one in offices if one.kind in ("bureau", "county")]
    found = {}
    for office in offices:
        covering = [(one.kind == "bureau", len(scope), -one.id) for scope, one in issuing if office.path.startswith(scope)]
        if covering:
            found[office.id] = -max(covering)[2]
    return found


def _since(connection: Connection) -> date:
    """Flags that had their level by then were there before orders were."""
    told = connection.scalar(sa.select(Meta.value).where(Meta.name == "orders_since"))
    return date.fromisoformat(told) if told else date.min


def _to_answer(level: str, since: date) -> tuple[sa.ColumnElement[bool], ...]:
    """An open flag, at the level or worse, no stock, that no order answers to."""
    return (
        Flag.closed_on.is_(None),
        Flag.level.in_([name for name in LEVELS if RANK[name] >= RANK[level]]),
        sa.not_(Flag.stock),
        Flag.level_on > since,
        sa.not_(sa.exists().where(OrderFlag.flag_id == Flag.id)),
        sa.not_(sa.exists().where(Order.project_id == Flag.project_id, Order.rule.is_not(None), Order.state != table.CLOSED)),
    )


def _uncovered(connection: Connection, level: str, since: date, last: int) -> Sequence[int]:
    query = sa.select(Flag.project_id).where(*_to_answer(level, since), Flag.project_id > last)
    return connection.scalars(query.distinct().order_by(Flag.project_id).limit(CHUNK)).all()


_LOCK = sa.select(Project.id, Project.ref, Project.name, Project.office_id).where(among(Project.id)).order_by(Project.id).with_for_update()
_STANDINGS = sa.select(StandingRow.__table__).where(
    among(StandingRow.project_id),
    StandingRow.known_to.is_(None),
    StandingRow.valid_from <= sa.bindparam("day"),
    StandingRow.valid_to > sa.bindparam("day"),
)
_FLAGS = sa.select(Flag.project_id, Flag.id, Flag.rule, Flag.level, Flag.basis_on).where(among(Flag.project_id)).order_by(Flag.id)


def _issue(
    connection: Connection, ids: Sequence[int], level: str, since: date, issuers: dict[int, int], claim: Claim, due_on: date
) -> None:
    """One order per project, for all its flags that none answers to: looked at again under the projects' locks."""
    day, here = claim.day, {"ids": list(ids), "day": claim.day}
    projects = connection.execute(_LOCK, here).all()
    standings = {row["project_id"]: standing_from(row) for row in connection.execute(_STANDINGS, here).mappings()}
    flags: dict[int, list[Any]] = defaultdict(list)
    for row in connection.execute(_FLAGS.where(*_to_answer(level, since)), here):
        if row.rule in BY_NAME:
            flags[row.project_id].append(row)
    people, marks = owners_on(connection, ids, day), marks_of(connection, ids, Moment(day, claim.clock.now(), None, False))
    new: dict[int, list[New]] = defaultdict(list)
    for number, ref, name, office_id in projects:
        if not flags[number] or number not in standings or office_id not in issuers:
            continue
        now, said = standings[number], marks.get(number, ())
        flags[number] = [one for one in flags[number] if not marked(said, one.rule, one.basis_on, day)["snoozed"]]
        if not flags[number]:  # the bureau has put it off; when that is over it is found again
            continue
        late = sorted(flags[number], key=lambda one: (-RANK[one.level], one.basis_on, one.rule))
        stalls = worst_first(stall_of(one.rule, one.level, one.basis_on, now) for one in late)
        order = New(
            office_id, people.get(number), matter_of(name, ref, stalls, day), requirement_of(stalls), due_on, number,
            late[0].rule, late[0].level, tuple(one.id for one in late),
        )  # fmt: skip
        new[issuers[office_id]].append(order)
    for issuer, some in sorted(new.items()):
        issue(connection, some, By(issuer), day, claim.clock.now())
