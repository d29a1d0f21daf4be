"""Chinese workdays, counted once per calendar and looked up by bisection.

A calendar is what the State Council's yearly notices say (国务院办公厅关于…年部分节假日安排的通知), as far as they are known. A year
nobody has published is *provisional*: Monday to Friday, and every answer that leans on one says so.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import cache, cached_property
from typing import NamedTuple

from chinese_calendar.constants import Holiday, holidays, workdays  # type: ignore[import-untyped]


def chinese_date(day: date) -> str:
    """2026年3月1日."""
    return f"{day.year}年{day.month}月{day.day}日"


FIRST, LAST = date(1890, 1, 1).toordinal(), date(2110, 12, 31).toordinal()


class Year(NamedTuple):
    """What the notice of one year says: days off and worked weekend days, each with its holiday's name.

    New Year's Day may reach into the December before, so that a few days of a notice lie in the year before its own.
    """

    year: int
    holidays: Mapping[date, str]
    workdays: Mapping[date, str]


@cache
def _weekdays() -> tuple[int, ...]:
    """Monday to Friday between FIRST and LAST, as ordinals."""
    return tuple(day for day in range(FIRST, LAST + 1) if (day - 1) % 7 < 5)


class Calendar:
    """Which days are worked, by some published years. It never changes; two calendars are told apart by identity.

    Where two notices name the same day, the later one in the list is right. `number` says of a stored calendar up to
    which version it goes.
    """

    def __init__(self, years: Iterable[Year] = (), number: int = 0) -> None:
        self.number = number
        self._published: set[int] = set()
        self._worked: dict[date, bool] = {}
        for year in years:
            self._published.add(year.year)
            self._worked |= dict.fromkeys(year.holidays, False) | dict.fromkeys(year.workdays, True)

    @property
    def published(self) -> frozenset[int]:
        """The years whose notice is known."""
        return frozenset(self._published)

    def is_provisional(self, day: date) -> bool:
        """Has nobody published the holidays of this day's year yet?"""
        return day.year not in self._published

    def unpublished(self, one: date, other: date) -> tuple[int, ...]:
        """The years without a notice that a count of workdays from the basis `one` to the due date `other` leans on.

        The basis itself is never counted; a due date before its basis (a negative limit) is counted backwards.
        """
        first, last = (one.toordinal() + 1, other.toordinal()) if one <= other else (other.toordinal(), one.toordinal() - 1)
        years = range(date.fromordinal(min(first, _END)).year, date.fromordinal(max(last, 1)).year + 1)
        return tuple(year for year in years if year not in self._published)

    def is_workday(self, day: date) -> bool:
        """Does an office work on this day (shifted weekends included)?"""
        return self._worked.get(day, day.weekday() < 5)

    @cached_property
    def _days(self) -> Sequence[int]:
        """Every workday between FIRST and LAST as ordinals, ascending (some 57,000; built once, in some 10 ms)."""
        off = {day.toordinal() for day, worked in self._worked.items() if not worked}
        more = [day.toordinal() for day, worked in self._worked.items() if worked and day.weekday() > 4]
        return sorted([day for day in _weekdays() if day not in off] + more)

    def nth_workday(self, basis: date, n: int) -> date:
        """The n-th workday strictly after `basis`; for negative n the n-th strictly before it.

        Beyond the table (1890-2110) the answer is its nearest end, so that a hostile date cannot raise.
        """
        days = self._days
        at = bisect_right(days, basis.toordinal()) + n - 1 if n > 0 else bisect_left(days, basis.toordinal()) + n
        return date.fromordinal(days[min(max(at, 0), len(days) - 1)])

    def workdays_between(self, after: date, until: date) -> int:
        """How many workdays lie in (after, until]."""
        return bisect_right(self._days, until.toordinal()) - bisect_right(self._days, after.toordinal())

    def differs(self, other: Calendar) -> tuple[date, date] | None:
        """The first and the last day that only one of two calendars works; None when there is no such day."""
        days = [day for day in {*self._worked, *other._worked} if self.is_workday(day) != other.is_workday(day)]
        return (min(days), max(days)) if days else None


_END = date.max.toordinal()
_NAMES = {one.value: one.chinese if one.chinese.endswith(("节", "日")) or one.chinese == "元旦" else one.chinese + "节" for one in Holiday}


@cache
def shipped() -> tuple[Year, ...]:
    """The notices that come with `chinesecalendar` (2004-2026): what a new register starts with, and what pure tests count by."""
    found: dict[int, tuple[dict[date, str], dict[date, str]]] = {}
    for number, table in enumerate((holidays, workdays)):
        for day, name in table.items():
            year = day.year + (day.month == 12 and name == Holiday.new_years_day.value)
            found.setdefault(year, ({}, {}))[number][day] = _NAMES[name]
    return tuple(Year(year, dict(sorted(off.items())), dict(sorted(on.items()))) for year, (off, on) in sorted(found.items()))


SHIPPED = Calendar(shipped())
"""For whoever has no register at hand. An answer of the service never counts by it, but by the calendar its register knows."""
