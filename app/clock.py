"""The only file that reads the clock. Everybody else is handed a Clock, or the moment itself."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from app.settings import Settings


class Clock:
    """The real time. Instants are UTC; the business date is the calendar date in the office's time zone."""

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone

    def now(self) -> datetime:
        """This instant, UTC, in microseconds."""
        return datetime.now(UTC)

    def today(self) -> date:
        """The business date of this instant."""
        return self.business_date(self.now())

    def business_date(self, instant: datetime) -> date:
        """The calendar date in the office's time zone."""
        return instant.astimezone(self.zone).date()


class ShiftedClock(Clock):
    """DEV: starts at a given instant and then runs on at the real pace."""

    def __init__(self, zone: ZoneInfo, start: datetime) -> None:
        super().__init__(zone)
        self._start, self._since = start.astimezone(UTC), time.monotonic()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=time.monotonic() - self._since)


class FixedClock(Clock):
    """Tests: stands still until it is set; moves on by a microsecond per reading so that moments stay distinct."""

    def __init__(self, zone: ZoneInfo, instant: datetime) -> None:
        super().__init__(zone)
        self.instant = instant.astimezone(UTC)

    def now(self) -> datetime:
        self.instant += timedelta(microseconds=1)
        return self.instant


def clock_for(settings: Settings) -> Clock:
    """The clock that the settings ask for."""
    if settings.clock is not None and settings.dev:
        return ShiftedClock(settings.zone, settings.clock)
    return Clock(settings.zone)
