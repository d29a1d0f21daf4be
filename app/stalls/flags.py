"""Flags follow the clocks: one flag per project and rule, which opens, changes level and closes, and never multiplies.

A chunk of projects is read, judged by the policy of the day, and written in one short transaction that belongs to the
run's attempt. Judging the same day again reaches the same end: what a flag was before the day is kept in its change row.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection

from app.db import Database
from app.heart import rules
from app.heart.limits import RANK
from app.policies.policy import Policy
from app.projects.models import ClockRow, Project
from app.stalls import candidates
from app.stalls.models import Flag, FlagChange
from app.stalls.runs import Claim, Run

log = structlog.get_logger()
CHUNK = 400
"""Projects per transaction: some 20 ms of the writer lock on SQLite."""
NAMED = 20
"""So many projects that could not be judged are named in a run's counts."""

_ids: Any = sa.bindparam("ids", expanding=True)
_PROJECTS = sa.select(Project.id, Project.office_id, Project.created_at).where(Project.id.in_(_ids))
_CLOCKS = sa.select(ClockRow.project_id, ClockRow.rule, ClockRow.solid_on, ClockRow.soft_on, ClockRow.route).where(
    ClockRow.project_id.in_(_ids),
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
_FLAGS = sa.select(*_FLAG).where(Flag.project_id.in_(_ids), Flag.closed_on.is_(None))
_CLOSED_TODAY = sa.select(*_FLAG).where(Flag.project_id.in_(_ids), Flag.closed_on == sa.bindparam("day"))
_CHANGES = sa.select(
    FlagChange.project_id, FlagChange.rule, FlagChange.id, FlagChange.from_level, FlagChange.to_level
).where(FlagChange.run_date == sa.bindparam("day"), FlagChange.project_id.in_(_ids))


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
    clocks: dict[int, list[tuple[str, date, date, str | None]]]
    flags: dict[int, dict[str, Any]]
    changes: dict[int, dict[str, Any]]


def read(connection: Connection, ids: Sequence[int], day: date) -> Chunk:
    """Running clocks, open flags, and what was already written for the day."""
    here = {"ids": ids, "day": day}
    chunk = Chunk(
        {row.id: (row.office_id, row.created_at) for row in connection.execute(_PROJECTS, here)},
        defaultdict(list),
        defaultdict(dict),
        defaultdict(dict),
    )
    for project_id, *clock in connection.execute(_CLOCKS, here):
        chunk.clocks[project_id].append(tuple(clock))  # type: ignore[arg-type]
    for row in connection.execute(_CHANGES, here):
        chunk.changes[row.project_id][row.rule] = row
    if chunk.changes:  # a flag that an earlier attempt of this run closed may have to stay open after all
        for flag in connection.execute(_CLOSED_TODAY, here):
            chunk.flags[flag.project_id][flag.rule] = flag
    for flag in connection.execute(_FLAGS, here):
        chunk.flags[flag.project_id][flag.rule] = flag
    return chunk


def judge(clocks: Sequence[tuple[str, date, date, str | None]], policy: Policy, day: date) -> dict[str, Judged]:
    """The level each rule has reached on a day."""
    found = {}
    for rule, solid, soft, route in clocks:
        limits = policy.limits(rule, route)
        reached = limits and limits.reached(solid, soft, day)
        if reached:
            level, _, due_on = reached
            found[rule] = Judged(level, solid if RANK[level] >= RANK["red"] else soft, due_on)
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
            writes.retold.append({"_id": change.id, "to_level": after, "stock": stock, "office_id": office_id})
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
        writes.opened.append(
            {**row, "level": now.level, "basis_on": now.basis_on, "due_on": now.due_on, "stock": stock}
        )
        return stock
    if flag.closed_on is not None or (flag.level, flag.basis_on, flag.due_on) != now:
        level_on = flag.level_on if flag.level == now.level else day
        writes.moved.append(_moved(flag, office_id, now.level, level_on, now.basis_on, now.due_on, None))
    return bool(flag.stock)


def _moved(
    flag: Any, office_id: int, level: str, level_on: date, basis_on: date, due_on: date, closed_on: date | None
) -> dict[str, Any]:
    told = {"level": level, "level_on": level_on, "basis_on": basis_on, "due_on": due_on}
    return {"_id": flag.id, "office_id": office_id, **told, "closed_on": closed_on}


_MOVE = sa.update(Flag).where(Flag.id == sa.bindparam("_id"))
_RETELL = sa.update(FlagChange).where(FlagChange.id == sa.bindparam("_id"))


def write(connection: Connection, writes: Writes) -> None:
    """A handful of statements for a whole chunk. Closing comes first: only one flag may be open per project and rule."""
    if writes.unopened:
        connection.execute(sa.delete(Flag).where(Flag.id.in_(writes.unopened)))
    if writes.untold:
        connection.execute(sa.delete(FlagChange).where(FlagChange.id.in_(writes.untold)))
    for statement, rows in (
        (_MOVE, writes.moved),
        (sa.insert(Flag), writes.opened),
        (_RETELL, writes.retold),
        (sa.insert(FlagChange), writes.told),
    ):
        if rows:
            connection.execute(statement, rows)


@dataclass
class Outcome:
    """What an evaluation did; `writes` is kept only for a rehearsal."""

    looked_at: int = 0
    failed: list[str] = field(default_factory=list)
    failures: int = 0
    rehearsed: Counter[tuple[str | None, str | None]] = field(default_factory=Counter)


class Evaluation:
    """Judges one day. With a claim it writes; without one it is a rehearsal that only counts."""

    def __init__(
        self,
        database: Database,
        policy: Policy,
        day: date,
        before: Run | None,
        claim: Claim | None,
        *,
        chunk: int = CHUNK,
    ) -> None:
        self.database, self.policy, self.day, self.before, self.claim, self.chunk = (
            database,
            policy,
            day,
            before,
            claim,
            chunk,
        )
        self.outcome = Outcome()

    def run(self, old: Policy | None) -> Outcome:
        """Look at everybody whose level can have changed; `old` is the policy of the run before, None to look at everybody."""
        if self.before is None or self.before.started_at is None or old is None:
            self._everybody()
            return self.outcome
        with self.database.snapshot() as connection:
            found = candidates.since_last_run(
                connection, old, self.before.run_date, self.before.started_at, self.policy, self.day
            )
        for at in range(0, len(found), self.chunk):
            self._look(found[at : at + self.chunk])
        return self.outcome

    def _everybody(self) -> None:
        last = 0
        while True:
            with self.database.statement() as connection:
                ids = candidates.next_of_all(connection, last, self.chunk)
            if not ids:
                return
            self._look(ids)
            last = ids[-1]

    def _look(self, ids: Sequence[int]) -> None:
        """One chunk; when it cannot be read or written, its projects one by one, so that a bad one stops only itself."""
        try:
            self._judge(ids)
            self.outcome.looked_at += len(ids)
        except Exception as error:
            if not is_about_data(error):
                raise
            if len(ids) > 1:
                for project_id in ids:
                    self._look([project_id])
                return
            log.error("project cannot be judged", project_id=ids[0], run_date=str(self.day), exc_info=error)
            self.outcome.failures += 1
            if len(self.outcome.failed) < NAMED:
                self.outcome.failed.append(self._ref(ids[0]))

    def _judge(self, ids: Sequence[int]) -> None:
        with self.database.snapshot() as connection:
            chunk = read(connection, ids, self.day)
        writes = Writes()
        looked_before = self.before.started_at if self.before is not None else None
        for project_id in chunk.projects:
            writes.add(plan(chunk, project_id, self.policy, self.day, looked_before))
        if self.claim is None:
            self.outcome.rehearsed.update((row["from_level"], row["to_level"]) for row in writes.told)
        elif writes:
            with self.claim.write() as connection:
                write(connection, writes)
        else:
            self.claim.keep()

    def _ref(self, project_id: int) -> str:
        try:
            with self.database.statement() as connection:
                return connection.scalar(sa.select(Project.ref).where(Project.id == project_id)) or f"#{project_id}"
        except Exception:
            return f"#{project_id}"


def is_about_data(error: Exception) -> bool:
    """Is one row to blame, and not the connection, the lock, or the run itself?"""
    if isinstance(error, sa.exc.DBAPIError):
        return not error.connection_invalidated and isinstance(error, (sa.exc.DataError, sa.exc.IntegrityError))
    return isinstance(
        error, (ValueError, TypeError, KeyError, LookupError, ArithmeticError, AttributeError, sa.exc.StatementError)
    )


def changes_of(connection: Connection, day: date) -> Counter[tuple[str | None, str | None]]:
    """How many flags went from which level to which on a day."""
    query = (
        sa.select(FlagChange.from_level, FlagChange.to_level, sa.func.count())
        .where(FlagChange.run_date == day)
        .group_by(FlagChange.from_level, FlagChange.to_level)
    )
    return Counter({(before, after): number for before, after, number in connection.execute(query)})


def summed(changes: Counter[tuple[str | None, str | None]]) -> dict[str, int]:
    """Flags that opened, went up, went down and closed."""
    counts = {"opened": 0, "escalated": 0, "eased": 0, "recovered": 0}
    for (before, after), number in changes.items():
        if before is None:
            counts["opened"] += number
        elif after is None:
            counts["recovered"] += number
        else:
            counts["escalated" if RANK[after] > RANK[before] else "eased"] += number
    return counts


def stock_of(connection: Connection, day: date) -> int:
    """How many flags opened on a day as 存量."""
    query = sa.select(sa.func.count()).select_from(FlagChange)
    return (
        connection.scalar(query.where(FlagChange.run_date == day, FlagChange.stock, FlagChange.from_level.is_(None)))
        or 0
    )
