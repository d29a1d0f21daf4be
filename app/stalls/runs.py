"""The row that says whether a day has been done, and who is doing it.

A tick may come twice, late, or from two processes: the row decides. It is claimed by a conditional update with a lease (by the
database's clock: Clock.lease_now) and an attempt number, and everything a run writes first touches the row for that attempt, so
that a run that lost its claim writes nothing more. States: claimed → evaluated → enqueued → done; skipped for days nobody did.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.clock import Clock
from app.db import Database
from app.policies.policy import Policy
from app.stalls.models import DailyRun

CLAIMED, EVALUATED, ENQUEUED, DONE, SKIPPED = "claimed", "evaluated", "enqueued", "done", "skipped"
JUDGED = (EVALUATED, ENQUEUED, DONE)
"""States in which the day's flags are complete."""
UNFINISHED = (CLAIMED, EVALUATED, ENQUEUED)
LEASE = timedelta(seconds=120)


class RunLost(Exception):
    """Somebody else has taken this run over; nothing of ours may be written any more."""


class Stopping(Exception):
    """The process was asked to end; the run is left to whoever comes next."""


class Run(NamedTuple):
    """One stored run."""

    run_date: date
    state: str
    attempt: int
    lease_until: datetime | None
    owner: str | None
    policy_id: int | None
    calendar_id: int | None
    started_at: datetime | None
    finished_at: datetime | None
    counts: dict[str, Any]


_RUN = sa.select(*(getattr(DailyRun, name) for name in Run._fields))


def _run(row: Any) -> Run | None:
    return None if row is None else Run(**{**row, "counts": orjson.loads(row["counts"])})


def of_day(connection: Connection, day: date) -> Run | None:
    """The run of a day, whatever its state."""
    return _run(connection.execute(_RUN.where(DailyRun.run_date == day)).mappings().one_or_none())


def latest(connection: Connection) -> Run | None:
    """The newest day that has a row."""
    return _run(connection.execute(_RUN.order_by(DailyRun.run_date.desc()).limit(1)).mappings().one_or_none())


def last_judged(connection: Connection, before: date | None = None) -> Run | None:
    """The newest evaluated run, or the newest one before a day."""
    query = _RUN.where(DailyRun.state.in_(JUDGED)).order_by(DailyRun.run_date.desc()).limit(1)
    return _run(connection.execute(query if before is None else query.where(DailyRun.run_date < before)).mappings().one_or_none())


def _host() -> str:
    """This machine (by its name, and on Linux by what no other has: the number of its last start), and this container's process
    numbers: a process number means something only inside them."""
    try:
        space = os.readlink("/proc/self/ns/pid").strip("pid:[]")
        machine = Path("/proc/sys/kernel/random/boot_id").read_text()[:8]
    except OSError:
        space = machine = ""
    return f"{socket.gethostname()[:30]}/{machine}/{space}"


def new_owner() -> str:
    """A name for one claim: host, process, and something random."""
    return f"{_host()}:{os.getpid()}:{secrets.token_hex(4)}"


def is_dead(owner: str | None) -> bool:
    """Is the claimer a process of this machine that no longer exists? False when that cannot be told from here."""
    host, _, rest = (owner or "").partition(":")
    number = rest.partition(":")[0]
    if host != _host() or not number.isdigit():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


@dataclass
class Claim:
    """The right to work on one day's run, for as long as nobody took it over."""

    database: Database
    clock: Clock
    day: date
    attempt: int
    state: str
    policy_id: int
    calendar_id: int | None
    started_at: datetime
    counts: dict[str, Any]
    stopping: Callable[[], bool]
    _renewed: float = field(default_factory=time.monotonic)

    def keep(self) -> None:
        """Renew the lease when a quarter of it has passed without a write."""
        if self.stopping() or time.monotonic() - self._renewed > LEASE.total_seconds() / 4:
            with self.write():
                pass

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction of this attempt: renews the lease, or raises RunLost before anything is written."""
        if self.stopping():
            raise Stopping
        with self.database.write() as connection:
            self._set(connection, lease_until=self.clock.lease_now(connection) + LEASE)
            yield connection
        self._renewed = time.monotonic()

    def advance(self, state: str, **values: Any) -> None:
        """On to the next state, with what has been counted so far."""
        with self.database.write() as connection:
            self._set(
                connection,
                state=state,
                counts=orjson.dumps(self.counts).decode(),
                lease_until=self.clock.lease_now(connection) + LEASE,
                **values,
            )
        self.state = state

    def finish(self) -> None:
        """The day is done."""
        self.advance(DONE, finished_at=self.clock.now())
        self.release()

    def release(self) -> None:
        """Give the claim up without waiting for the lease to run out."""
        with self.database.write() as connection:
            connection.execute(sa.update(DailyRun).where(*self._mine(), DailyRun.state == self.state).values(lease_until=None))

    def _mine(self) -> tuple[sa.ColumnElement[bool], ...]:
        return DailyRun.run_date == self.day, DailyRun.attempt == self.attempt

    def _set(self, connection: Connection, **values: Any) -> None:
        touched = connection.execute(sa.update(DailyRun).where(*self._mine(), DailyRun.state == self.state).values(**values))
        if touched.rowcount != 1:
            raise RunLost(f"run {self.day}, attempt {self.attempt}: taken over")


def claim(
    database: Database,
    clock: Clock,
    day: date,
    policy: Policy,
    *,
    by: str,
    again: bool = False,
    stopping: Callable[[], bool] = lambda: False,
) -> Claim | None:
    """Claim a day, or take over where its last attempt stopped; None when it is done, skipped or in living hands.

    Days since the last row become `skipped`: they are recorded and never replayed, because levels derive from dates.
    `again` is a person's wish: it reopens a run that was done without digests (no workday), and does a skipped day after all.
    """
    try:
        return _claim(database, clock, day, policy, by, again, stopping)
    except sa.exc.IntegrityError:  # another process wrote the day's row between our look and our insert
        return None


def _claim(database: Database, clock: Clock, day: date, policy: Policy, by: str, again: bool, stopping: Callable[[], bool]) -> Claim | None:
    judged_by = {"policy_id": policy.id, "calendar_id": policy.calendar.number}
    with database.write() as connection:
        now, here = clock.now(), clock.lease_now(connection)
        seen = of_day(connection, day)
        if seen is None:
            _record_missed(connection, day)
            made = {"by": by}
            values = {
                "state": CLAIMED,
                "attempt": 1,
                **judged_by,
                "started_at": now,
                "counts": orjson.dumps(made).decode(),
            }
            rest = {"lease_until": here + LEASE, "owner": new_owner(), "finished_at": None}
            connection.execute(sa.insert(DailyRun).values(run_date=day, **values, **rest))
            return Claim(database, clock, day, 1, CLAIMED, policy.id, policy.calendar.number, now, made, stopping)
        reopened = again and seen.state == DONE and not seen.counts.get("digests")
        revived = again and seen.state == SKIPPED
        free = seen.lease_until is None or seen.lease_until < here or is_dead(seen.owner)
        if not (reopened or revived or (seen.state in UNFINISHED and free)):
            return None
        state = EVALUATED if reopened else CLAIMED if revived else seen.state
        counts = {**seen.counts, "by": "person" if "person" in (by, seen.counts.get("by")) else by}
        change: dict[str, Any] = {
            "state": state,
            "attempt": seen.attempt + 1,
            "lease_until": here + LEASE,
            "owner": new_owner(),
        }
        if state == CLAIMED:  # judged anew from the beginning, so also by the policy of now and by what is known now
            change |= {**judged_by, "started_at": now}
        taken = connection.execute(
            sa.update(DailyRun)
            .where(DailyRun.run_date == day, DailyRun.attempt == seen.attempt, DailyRun.state == seen.state)
            .where(DailyRun.lease_until.is_not_distinct_from(seen.lease_until))  # or it was renewed since we looked
            .values(**change, counts=orjson.dumps(counts).decode())
        )
        if taken.rowcount != 1:
            return None
        policy_id: int = change.get("policy_id", seen.policy_id or 0)
        calendar_id: int | None = change.get("calendar_id", seen.calendar_id)
        started_at: datetime = change.get("started_at", seen.started_at or now)
        return Claim(
            database,
            clock,
            day,
            seen.attempt + 1,
            state,
            policy_id,
            calendar_id,
            started_at,
            counts,
            stopping,
        )


def _record_missed(connection: Connection, day: date) -> None:
    """Close what earlier days left open, and record the days between as skipped (a year's worth at most)."""
    before = DailyRun.run_date < day
    connection.execute(sa.update(DailyRun).where(before, DailyRun.state == CLAIMED).values(state=SKIPPED, lease_until=None))
    connection.execute(sa.update(DailyRun).where(before, DailyRun.state.in_((EVALUATED, ENQUEUED))).values(state=DONE, lease_until=None))
    last = connection.scalar(sa.select(sa.func.max(DailyRun.run_date)).where(before))
    if last is not None:
        days = [last + timedelta(days=n) for n in range(1, min((day - last).days, 367))]
        rows = [{"run_date": one, "state": SKIPPED, "attempt": 0, "counts": "{}"} for one in days]
        if rows:
            connection.execute(sa.insert(DailyRun), rows)
