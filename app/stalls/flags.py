"""Flags follow the clocks: one flag per project and rule, which opens, changes level and closes, and never multiplies.

A chunk of projects is read, judged by the policy of the day, and written in one short transaction that belongs to the
run's attempt. Judging the same day again reaches the same end: what a flag was before the day is kept in its change row.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.db import among
from app.heart import rules
from app.heart.limits import RANK
from app.policies.policy import Policy, Running
from app.projects.at_once import add, alter, plain
from app.projects.models import ClockRow, Project
from app.projects.queries import RUNNING
from app.stalls.models import Flag, FlagChange

_PROJECTS = sa.select(Project.id, Project.office_id, Project.created_at).where(among(Project.id))
_CLOCKS = sa.select(ClockRow.project_id, *RUNNING).where(
    among(ClockRow.project_id),
    ClockRow.rule.in_([rule.name for rule in rules.RULES]),
    ClockRow.known_to.is_(None),
    ClockRow.valid_from <= sa.bindparam("day"),
    ClockRow.valid_to > sa.bindparam("day"),
)
_FLAG = (
    Flag.project_id,
    Flag.rule,
    Flag.id,
    Flag.level,
    Flag.opened_on,
    Flag.closed_on,
    Flag.level_on,
    Flag.stock,
    Flag.basis_on,
    Flag.due_on,
)
_FLAGS = sa.select(*_FLAG).where(among(Flag.project_id), Flag.closed_on.is_(None))
_CLOSED_TODAY = sa.select(*_FLAG).where(among(Flag.project_id), Flag.closed_on == sa.bindparam("day"))
_CHANGES = sa.select(FlagChange.project_id, FlagChange.rule, FlagChange.id, FlagChange.from_level, FlagChange.to_level).where(
    FlagChange.run_date == sa.bindparam("day"), among(FlagChange.project_id)
)


class Judged(NamedTuple):
    """What a clock has reached: level, the basis it counts from, and the day it was reached."""

    level: str
    basis_on: date
    due_on: date


@dataclass
class Writes:
    """Rows that a chunk adds, changes and takes away."""

    opened: list[dict[str, Any]] = field(default_factory=list)
    moved: list[dict[str, Any]] = field(default_factory=list)
    unopened: list[int] = field(default_factory=list)
    told: list[dict[str, Any]] = field(default_factory=list)
    retold: list[dict[str, Any]] = field(default_factory=list)
    untold: list[int] = field(default_factory=list)

    def add(self, other: Writes) -> None:
        """Take another project's rows in."""
        for name in vars(self):
            getattr(self, name).extend(getattr(other, name))

    def __bool__(self) -> bool:
        return any(vars(self).values())


class Chunk(NamedTuple):
    """What is stored of some projects, by project."""

    projects: dict[int, tuple[int, datetime]]
    clocks: dict[int, list[Running]]
    flags: dict[int, dict[str, Any]]
    changes: dict[int, dict[str, Any]]


def read(connection: Connection, ids: Sequence[int], day: date) -> Chunk:
    """Running clocks, open flags, and what was already written for the day. Projects without any of these are left out."""
    here: dict[str, Any] = {"ids": ids, "day": day}
    chunk = Chunk({}, defaultdict(list), defaultdict(dict), defaultdict(dict))
    for project_id, *clock in connection.execute(_CLOCKS, here).all():
        chunk.clocks[project_id].append(Running(*clock))
    for row in connection.execute(_CHANGES, here).all():
        chunk.changes[row.project_id][row.rule] = row
    if chunk.changes:  # a flag that an earlier attempt of this run closed may have to stay open after all
        for flag in connection.execute(_CLOSED_TODAY, here):
            chunk.flags[flag.project_id][flag.rule] = flag
    for flag in connection.execute(_FLAGS, here).all():
        chunk.flags[flag.project_id][flag.rule] = flag
    here["ids"] = sorted({*chunk.clocks, *chunk.flags, *chunk.changes})
    for number, office_id, created_at in connection.execute(_PROJECTS, here).all():
        chunk.projects[number] = (office_id, created_at)
    return chunk


def judge(clocks: Sequence[Running], policy: Policy, day: date) -> dict[str, Judged]:
    """The level each rule has reached on a day."""
    found = {}
    for clock in clocks:
        if reached := policy.reached(clock, day):
            level, _, due_on = reached
            found[clock.rule] = Judged(level, clock.solid_on if RANK[level] >= RANK["red"] else clock.soft_on, due_on)
    return found


def plan(chunk: Chunk, project_id: int, policy: Policy, day: date, looked_before: datetime | None) -> Writes:
    """The rows that bring one project's flags to what its clocks say on a day."""
    writes = Writes()
    office_id, created_at = chunk.projects[project_id]
    first_look = looked_before is None or created_at > looked_before
    reached = judge(chunk.clocks.get(project_id, ()), policy, day)
    flags, changes = chunk.flags.get(project_id, {}), chunk.changes.get(project_id, {})
    for rule in sorted({*reached, *flags, *changes}):
        now, flag, change = reached.get(rule), flags.get(rule), changes.get(rule)
        open_level = flag.level if flag is not None and flag.closed_on is None else None
        before = change.from_level if change is not None else open_level
        after = now.level if now is not None else None
        stock = _follow(writes, project_id, rule, office_id, flag, now, before, day, first_look)
        if before == after:
            if change is not None:
                writes.untold.append(change.id)
        elif change is None:
            row = {"run_date": day, "project_id": project_id, "rule": rule, "office_id": office_id}
            writes.told.append({**row, "from_level": before, "to_level": after, "stock": stock})
        elif change.to_level != after:
            writes.retold.append({"id": change.id, "to_level": after, "stock": stock, "office_id": office_id})
    return writes


def _follow(
    writes: Writes,
    project_id: int,
    rule: str,
    office_id: int,
    flag: Any,
    now: Judged | None,
    before: str | None,
    day: date,
    first: bool,
) -> bool:
    """Open, move or close the flag itself; answers whether it is 存量 (late before anybody looked)."""
    if now is None:
        if flag is None:
            return False
        if flag.closed_on is None and flag.opened_on == day and before is None:
            writes.unopened.append(flag.id)  # only an earlier attempt of this run had opened it
        elif flag.closed_on is None:
            writes.moved.append(_moved(flag, office_id, flag.level, flag.level_on, flag.basis_on, flag.due_on, day))
        return bool(flag.stock)
    if flag is None or (flag.closed_on is not None and before is None):
        stock = first and now.due_on < day
        row = {
            "project_id": project_id,
            "rule": rule,
            "office_id": office_id,
            "opened_on": day,
            "closed_on": None,
            "level_on": day,
        }
        writes.opened.append({**row, "level": now.level, "basis_on": now.basis_on, "due_on": now.due_on, "stock": stock})
        return stock
    if flag.closed_on is not None or (flag.level, flag.basis_on, flag.due_on) != now:
        level_on = flag.level_on if flag.level == now.level else day
        writes.moved.append(_moved(flag, office_id, now.level, level_on, now.basis_on, now.due_on, None))
    return bool(flag.stock)


def _moved(flag: Any, office_id: int, level: str, level_on: date, basis_on: date, due_on: date, closed_on: date | None) -> dict[str, Any]:
    told = {"level": level, "level_on": level_on, "basis_on": basis_on, "due_on": due_on}
    return {"id": flag.id, "office_id": office_id, **told, "closed_on": closed_on}


def write(connection: Connection, writes: Writes) -> None:
    """A handful of statements for a whole chunk. Closing comes first: only one flag may be open per project and rule."""
    if writes.unopened:
        connection.execute(sa.delete(Flag).where(among(Flag.id)), {"ids": writes.unopened})
    if writes.untold:
        connection.execute(sa.delete(FlagChange).where(among(FlagChange.id)), {"ids": writes.untold})
    alter(connection, "flag", "id", writes.moved)
    _add(connection, "flag", writes.opened)
    alter(connection, "flag_change", "id", writes.retold)
    _add(connection, "flag_change", writes.told)


def _add(connection: Connection, table: str, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        add(connection, table, list(rows[0]), [tuple([plain(value) for value in row.values()]) for row in rows])
