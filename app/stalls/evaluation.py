"""Judging a day: whom to look at, chunk by chunk, and what came of it.

A project that cannot be read or judged stops only itself. Reading happens outside the writing transaction: whatever is
recorded in between was recorded after the run started, so the next run looks at that project again.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection

from app.db import Database
from app.heart.limits import RANK
from app.policies.policy import Policy
from app.projects.models import Project
from app.stalls import candidates
from app.stalls.flags import Judge, Writes, plan, read, write
from app.stalls.models import FlagChange
from app.stalls.runs import Claim, Run

log = structlog.get_logger()
CHUNK = 250
"""Projects in the first transaction; then as many as the time allows."""
SMALLEST, LARGEST = 100, 2000
SQLITE_AIM, POSTGRESQL_AIM = 0.02, 0.1
"""Seconds of one transaction: on SQLite nobody else writes meanwhile; on PostgreSQL it holds up only its own flags."""
NAMED = 20
"""So many projects that could not be judged are named in a run's counts."""


@dataclass
class Outcome:
    """What an evaluation did; `writes` is kept only for a rehearsal."""

    looked_at: int = 0
    failed: list[str] = field(default_factory=list)
    failures: int = 0
    rehearsed: Counter[tuple[str | None, str | None]] = field(default_factory=Counter)


class Pace:
    """How many projects go into one transaction, so that none holds up others for long: learnt from how long the last ones took."""

    def __init__(self, size: int, aim: float) -> None:
        self.size, self._aim = size, aim

    def took(self, seconds: float) -> None:
        """A transaction took so long."""
        if seconds > self._aim:
            self.size = max(self.size // 2, SMALLEST)
        elif seconds < self._aim / 2:
            self.size = min(self.size * 5 // 4 + 1, LARGEST)


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
        self.database, self.policy, self.day, self.before, self.claim = database, policy, day, before, claim
        self.pace = Pace(chunk, SQLITE_AIM if database.sqlite else POSTGRESQL_AIM)
        self.outcome = Outcome()
        self._judge = Judge(policy, day)

    def run(self, old: Policy | None) -> Outcome:
        """Look at everybody whose level can have changed; `old` is the policy of the run before, None to look at everybody."""
        if self.before is None or self.before.started_at is None or old is None:
            self._work(self._everybody())
            return self.outcome
        with self.database.snapshot() as connection:
            found = candidates.since_last_run(connection, old, self.before.run_date, self.before.started_at, self.policy, self.day)
        self._work(self._parts(found))
        return self.outcome

    def _parts(self, found: Sequence[int]) -> Iterator[Sequence[int]]:
        at = 0
        while some := found[at : at + self.pace.size]:
            yield some
            at += len(some)

    def _everybody(self) -> Iterator[Sequence[int]]:
        last = 0
        while True:
            with self.database.statement() as connection:
                ids = candidates.next_of_all(connection, last, self.pace.size)
            if not ids:
                return
            yield ids
            last = ids[-1]

    def _work(self, parts: Iterator[Sequence[int]]) -> None:
        """Part by part. PostgreSQL reads the next one while it writes the last; SQLite is in this process, and gains nothing."""
        if self.database.sqlite:
            for ids in parts:
                self._look(ids)
            return
        with ThreadPoolExecutor(1) as ahead:
            before: tuple[Sequence[int], Future[Writes]] | None = None
            for ids in parts:
                planned = ahead.submit(self._plan, ids)
                if before is not None:
                    self._look(*before)
                before = ids, planned
            if before is not None:
                self._look(*before)

    def _look(self, ids: Sequence[int], planned: Future[Writes] | None = None) -> None:
        """One chunk; when it cannot be read or written, its projects one by one, so that a bad one stops only itself."""
        try:
            self._write(planned.result() if planned is not None else self._plan(ids))
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

    def _plan(self, ids: Sequence[int]) -> Writes:
        with self.database.snapshot() as connection:
            chunk = read(connection, ids, self._judge)
        return plan(chunk, self.day, self.before.started_at if self.before is not None else None)

    def _write(self, writes: Writes) -> None:
        if self.claim is None:
            self.outcome.rehearsed.update((before, after) for *_, before, after, _ in writes.told)
        elif writes:
            began = time.perf_counter()
            with self.claim.write() as connection:
                write(connection, writes)
            self.pace.took(time.perf_counter() - began)
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
    return isinstance(error, (ValueError, TypeError, KeyError, LookupError, ArithmeticError, AttributeError, sa.exc.StatementError))


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
    return connection.scalar(query.where(FlagChange.run_date == day, FlagChange.stock, FlagChange.from_level.is_(None))) or 0
