"""When a weekly or monthly section is due: with the first workday of the week or month by the Chinese calendar. Pure.

Due is a matter of dates alone: a section is in the first digest since its day, whichever that is, so a day nobody sent
anything, or a message that was lost, only makes it later.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

from app.heart.calendar import Calendar

LONGEST = 62
"""Days looked back for a period that has a workday at all."""


def week_of(day: date) -> date:
    """The Monday of the week."""
    return day - timedelta(days=day.weekday())


def month_of(day: date) -> date:
    """The first of the month."""
    return day.replace(day=1)


WEEKLY, MONTHLY = week_of, month_of


def last_begun(day: date, period: Callable[[date], date], calendar: Calendar) -> date | None:
    """The newest first workday of a week or month that is not after a day; a week that is one long holiday has none."""
    start = period(day)
    while (day - start).days <= LONGEST:
        end = min(day, _end(start, period))
        one = start
        while one <= end:
            if calendar.is_workday(one):
                return one
            one += timedelta(days=1)
        start = period(start - timedelta(days=1))
    return None


def _end(start: date, period: Callable[[date], date]) -> date:
    end = start
    while period(end + timedelta(days=1)) == start:
        end += timedelta(days=1)
    return end


def due(day: date, last: date | None, period: Callable[[date], date], calendar: Calendar) -> bool:
    """Has a week or month begun since the day of the last message known to have arrived (None: there was none)?"""
    begun = last_begun(day, period, calendar)
    return begun is not None and (last is None or last < begun)
