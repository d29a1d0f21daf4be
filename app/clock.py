"""The only file that reads the clock. Everybody else is handed a Clock, or the moment itself.

Two questions, two clocks. "What time is it for people?" (business dates, recorded_at, deadlines) is `now()`, the process's own
clock. "Is somebody else's claim over?" (leases, rests of relays, paces) is `lease_now()`: there all processes have to read the
same clock, and the one they share is the database's. How far the two may be apart is app/skew.py's business.
"""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from typing import ClassVar
from zoneinfo import ZoneInfo

from sqlalchemy.engine import Connection

from app.settings import Settings


class Clock:
    """The real time. Instants are UTC; the business date is the calendar date in the office's time zone."""

    simulated: ClassVar[bool] = False
    """Does it tell a time that somebody made up? Then nobody compares it with other clocks."""

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone

    def now(self) -> datetime:
        """This instant, UTC, in microseconds."""
        return datetime.now(UTC)

    def lease_now(self, connection: Connection) -> datetime:
        """The moment that leases, rests and paces are counted by: the database server's, so that a process with a wrong clock
        neither takes what others hold nor keeps what is not his any more. Whatever day is being simulated, a lease is real.
        SQLite is one machine with one clock."""
        if connection.dialect.name == "sqlite":
            return datetime.now(UTC)
        moment: datetime = connection.exec_driver_sql("SELECT clock_timestamp()").scalar_one()
        return moment.astimezone(UTC)

    def lease_told(self, connection: Connection) -> datetime | None:
        """`lease_now` for a statement that may ask the server itself, which saves a journey there; None: it shall."""
        return self.lease_now(connection) if connection.dialect.name == "sqlite" else None

    def today(self) -> date:
        """The business date of this instant."""
        return self.business_date(self.now())

    def business_date(self, instant: datetime) -> date:
        """The calendar date in the office's time zone."""
        return instant.astimezone(self.zone).date()


class ShiftedClock(Clock):
    """DEV: starts at a given instant and then runs on at the real pace."""

    simulated = True

    def __init__(self, zone: ZoneInfo, start: datetime) -> None:
        super().__init__(zone)
        self._start, self._since = start.astimezone(UTC), time.monotonic()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=time.monotonic() - self._since)


class FixedClock(Clock):
    """Tests: stands still until it is set; moves on by a microsecond per reading so that moments stay distinct. Leases go by it
    too: a test that lets one run out sets the clock."""

    simulated = True

    def __init__(self, zone: ZoneInfo, instant: datetime) -> None:
        super().__init__(zone)
        self.instant = instant.astimezone(UTC)

    def now(self) -> datetime:
        self.instant += timedelta(microseconds=1)
        return self.instant

    def lease_now(self, connection: Connection) -> datetime:
        return self.now()

    def lease_told(self, connection: Connection) -> datetime | None:
        return self.now()


def clock_for(settings: Settings) -> Clock:
    """The clock that the settings ask for."""
    if settings.clock is not None and settings.dev:
        return ShiftedClock(settings.zone, settings.clock)
    return Clock(settings.zone)
