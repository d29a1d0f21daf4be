"""Chinese workdays, counted once and looked up by bisection.

Source: the State Council's yearly holiday notices as published in `chinesecalendar` (2004-2026). Years
outside are *provisional*: Monday to Friday, and every answer that leans on one can say so.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from datetime import date, timedelta
from functools import cache

import chinese_calendar  # type: ignore[import-untyped]
from chinese_calendar.constants import holidays  # type: ignore[import-untyped]

FIRST, LAST = date(1890, 1, 1), date(2110, 12, 31)
PUBLISHED = range(min(holidays).year, max(holidays).year + 1)


def is_provisional(day: date) -> bool:
    """Has nobody published the holidays of this day's year yet?"""
    return day.year not in PUBLISHED


def is_workday(day: date) -> bool:
    """Does an office work on this day (shifted weekends included)?"""
    if is_provisional(day):
        return day.weekday() < 5
    return bool(chinese_calendar.is_workday(day))


@cache
def _workdays() -> list[date]:
    """Every workday between FIRST and LAST, ascending (some 55,000; built once, in a fifth of a second)."""
    days, day, step = [], FIRST, timedelta(days=1)
    while day <= LAST:
        if is_workday(day):
            days.append(day)
        day += step
    return days


def nth_workday(basis: date, n: int) -> date:
    """The n-th workday strictly after `basis`; for negative n the n-th strictly before it.

    Beyond the table (1890-2110) the answer is its nearest end, so that a hostile date cannot raise.
    """
    days = _workdays()
    at = bisect_right(days, basis) + n - 1 if n > 0 else bisect_left(days, basis) + n
    return days[min(max(at, 0), len(days) - 1)]


def workdays_between(after: date, until: date) -> int:
    """How many workdays lie in (after, until]."""
    days = _workdays()
    return bisect_right(days, until) - bisect_right(days, after)
