"""How far this process's clock is from the database's, and what must not be done when that is too far.

Every replica stamps facts with its own clock, and answers call themselves settled three minutes later because clocks differ by
a minute at most (offices/desk.py, SETTLED_AFTER). So that is the bound: beyond it nothing is recorded, claimed or sent here,
and no answer calls itself settled; reading goes on. The database is asked once a minute; in between a stopwatch says what its
clock must show, so that a clock that is set in the meantime is noticed at once and without a question.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import NamedTuple

from app.clock import Clock
from app.db import Database
from app.errors import ClockSkewed

BOUND = timedelta(seconds=60)
"""What SETTLED_AFTER allows for, and far beyond what machines with NTP ever differ."""
FRESH = 60.0
"""Seconds that the stopwatch is trusted."""


class _Seen(NamedTuple):
    moment: datetime
    stopwatch: float


class Skew:
    """Of one process. A simulated clock, or SQLite (one machine), is never wrong."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._exempt = database.sqlite or clock.simulated
        self._seen: _Seen | None = None

    def ahead(self) -> timedelta:
        """By how much our clock is ahead of the database's, as far as is known without asking; negative when it is behind."""
        if self._exempt or self._seen is None:
            return timedelta(0)
        return self._clock.now() - self._seen.moment - timedelta(seconds=time.monotonic() - self._seen.stopwatch)

    def too_far(self) -> bool:
        """Is it beyond the bound, as far as is known without asking?"""
        return abs(self.ahead()) > BOUND

    def look(self) -> timedelta:
        """`ahead`, after asking the database when that was long ago or the answer is bad. Takes a connection of its own: not to
        be called while one is held."""
        if not self._exempt and (self._seen is None or time.monotonic() - self._seen.stopwatch > FRESH or self.too_far()):
            with self._database.statement() as connection:
                before = time.monotonic()
                moment = self._clock.lease_now(connection)
                self._seen = _Seen(moment, (before + time.monotonic()) / 2)
        return self.ahead()

    def must_be_small(self) -> None:
        """Raise ClockSkewed when our clock is too wrong to record, claim or send anything by it."""
        ahead = self.look()
        if abs(ahead) > BOUND:
            seconds = round(ahead.total_seconds())
            way, told = ("快", "ahead of") if seconds > 0 else ("慢", "behind")
            raise ClockSkewed(
                f"本机时钟比数据库{way} {abs(seconds)} 秒（上限 {BOUND.seconds} 秒）；请用 NTP 校准，校准后自动恢复 / "
                f"this clock is {abs(seconds)} s {told} the database's",
                seconds=seconds,
            )
