"""Flags follow the clocks: one flag per project and rule, which opens, changes level and closes, and never multiplies.

A chunk of projects is read, judged by the policy of the day, and written in one short transaction that belongs to the
run's attempt. Judging the same day again reaches the same end: what a flag was before the day is kept in its change row.
"""

from __future__ import annotations

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
from app.projects.at_once import add, alter
from app.projects.models import ClockRow, Project
from app.stalls.models import Flag, FlagChange

_PROJECTS = sa.select(Project.id, Project.office_id, Project.created_at).where(among(Project.id))
_CLOCKS = sa.select(
    ClockRow.project_id, ClockRow.rule, ClockRow.solid_on, ClockRow.soft_on, ClockRow.route, ClockRow.part, ClockRow.agreed_on
).where(
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


REMEMBERED = 50_000
"""Judgements in memory, some 15 MB at most; a register has a few thousand different ones."""


class Judged(NamedTuple):
    """What a clock has reached: level, the basis it counts from, and the day it was reached."""

    level: str
    basis_on: date
    due_on: date


OPENED = (
    "project_id", "rule", "office_id", "level", "level_on", "opened_on", "closed_on", "basis_on", "due_on", "stock",
)  # fmt: skip
TOLD = ("run_date", "project_id", "rule", "office_id", "from_level", "to_level", "stock")


@dataclass
class Writes:
    """Rows that a chunk adds, changes and takes away; what is `opened` and `told` as plain values in the order above."""

    opened: list[tuple[Any, ...]] = field(default_factory=list)
    moved: list[dict[str, Any]] = field(default_factory=list)
    unopened: list[int] = field(default_factory=list)
    told: list[tuple[Any, ...]] = field(default_factory=list)
    retold: list[dict[str, Any]] = field(default_factory=list)
    untold: list[int] = field(default_factory=list)

    def __bool__(self) -> bool:
        return any(vars(self).values())


Key = tuple[int, str]
"""Project and rule."""


class Chunk(NamedTuple):
    """What is stored of some projects."""

    projects: dict[int, tuple[int, datetime]]
    reached: dict[Key, Judged]
    flags: dict[Key, Any]
    changes: dict[Key, Any]


class Judge:
    """The policy of a day. Many clocks read the same, so what was judged once is remembered."""

    def __init__(self, policy: Policy, day: date) -> None:
        self.policy, self.day = policy, day
        self._known: dict[tuple[Any, ...], Judged | None] = {}

    def __call__(self, rule: str, solid: date, soft: date, route: str | None, part: int | None, agreed: date | None) -> Judged | None:
        """What a clock has reached; None for nothing."""
        clock = (rule, solid, soft, route, part, agreed)
        if clock not in self._known:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[clock] = _judged(Running(rule, "", solid, soft, False, route, part, agreed), self.policy, self.day)
        return self._known[clock]


def read(connection: Connection, ids: Sequence[int], judge: Judge) -> Chunk:
    """What running clocks have reached, open flags, and what was already written for the day. Projects without any of these are
    left out."""
    here: dict[str, Any] = {"ids": ids, "day": judge.day}
    chunk = Chunk({}, {}, {}, {})
    for project_id, rule, solid, soft, route, part, agreed in connection.execute(_CLOCKS, here).all():
        if (judged := judge(rule, solid, soft, route, part, agreed)) is not None:
            chunk.reached[project_id, rule] = judged
    chunk.changes.update(((row.project_id, row.rule), row) for row in connection.execute(_CHANGES, here).all())
    if chunk.changes:  # a flag that an earlier attempt of this run closed may have to stay open after all
        chunk.flags.update(((flag.project_id, flag.rule), flag) for flag in connection.execute(_CLOSED_TODAY, here))
    chunk.flags.update(((flag.project_id, flag.rule), flag) for flag in connection.execute(_FLAGS, here).all())
    here["ids"] = sorted({project_id for some in chunk[1:] for project_id, _ in some})
    for number, office_id, created_at in connection.execute(_PROJECTS, here).all():
        chunk.projects[number] = (office_id, created_at)
    return chunk


def judge(clocks: Sequence[Running], policy: Policy, day: date) -> dict[str, Judged]:
    """The level each rule has reached on a day."""
    return {clock.rule: judged for clock in clocks if (judged := _judged(clock, policy, day)) is not None}


def _judged(clock: Running, policy: Policy, day: date) -> Judged | None:
    if reached := policy.reached(clock, day):
        level, _, due_on = reached
        return Judged(level, clock.solid_on if RANK[level] >= RANK["red"] else clock.soft_on, due_on)
    return None


def plan(chunk: Chunk, day: date, looked_before: datetime | None) -> Writes:
    """The rows that bring some projects' flags to what their clocks say on a day."""
    writes = Writes()
    for key, now in chunk.reached.items():
        flag = chunk.flags.get(key)
        if key in chunk.changes or (flag is not None and (flag.closed_on is not None or (flag.level, flag.basis_on, flag.due_on) != now)):
            _plan_one(writes, chunk, key, now, flag, day, looked_before)
        elif flag is None:
            _open(writes, chunk, key, now, day, looked_before)
    for key in {*chunk.flags, *chunk.changes}.difference(chunk.reached):
        _plan_one(writes, chunk, key, None, chunk.flags.get(key), day, looked_before)
    return writes


def _plan_one(writes: Writes, chunk: Chunk, key: Key, now: Judged | None, flag: Any, day: date, looked_before: datetime | None) -> None:
    """One flag that there was already, or that an earlier attempt of this run has written about."""
    change = chunk.changes.get(key)
    open_level = flag.level if flag is not None and flag.closed_on is None else None
    before = change.from_level if change is not None else open_level
    after = now.level if now is not None else None
    office_id, _ = chunk.projects[key[0]]
    stock = _follow(writes, chunk, key, flag, now, before, day, looked_before)
    if before == after:
        if change is not None:
            writes.untold.append(change.id)
    elif change is None:
        writes.told.append((day.isoformat(), *key, office_id, before, after, stock))
    elif change.to_level != after:
        writes.retold.append({"id": change.id, "to_level": after, "stock": stock, "office_id": office_id})


def _open(writes: Writes, chunk: Chunk, key: Key, now: Judged, day: date, looked_before: datetime | None, tell: bool = True) -> bool:
    """Open a flag; answers whether it is 存量 (late before anybody looked)."""
    office_id, created_at = chunk.projects[key[0]]
    stock = (looked_before is None or created_at > looked_before) and now.due_on < day
    today = day.isoformat()
    writes.opened.append((*key, office_id, now.level, today, today, None, now.basis_on.isoformat(), now.due_on.isoformat(), stock))
    if tell:
        writes.told.append((today, *key, office_id, None, now.level, stock))
    return stock


def _follow(
    writes: Writes, chunk: Chunk, key: Key, flag: Any, now: Judged | None, before: str | None, day: date, looked_before: datetime | None
) -> bool:
    """Open, move or close the flag itself; answers whether it is 存量."""
    office_id, _ = chunk.projects[key[0]]
    if now is None:
        if flag is None:
            return False
        if flag.closed_on is None and flag.opened_on == day and before is None:
            writes.unopened.append(flag.id)  # only an earlier attempt of this run had opened it
        elif flag.closed_on is None:
            writes.moved.append(_moved(flag, office_id, flag.level, flag.level_on, flag.basis_on, flag.due_on, day))
        return bool(flag.stock)
    if flag is None or (flag.closed_on is not None and before is None):
        return _open(writes, chunk, key, now, day, looked_before, tell=False)
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
    add(connection, "flag", OPENED, writes.opened)
    alter(connection, "flag_change", "id", writes.retold)
    add(connection, "flag_change", TOLD, writes.told)
