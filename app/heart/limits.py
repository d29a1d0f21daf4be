"""Limits and levels: when is a basis due, and which bases are due by a day.

A limit grows with its basis, so "due on or before D" is the same as "basis on or before cutoff(D)": one date
per limit and day, which an index can be asked for. `due` and `cutoff` are each other's check in the tests.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple

from app.heart import calendar

FOREVER = date(9999, 12, 31)
LEVELS = ("blue", "yellow", "red", "exit_review")
LEVEL_LABELS = {
    "blue": ("蓝灯", "blue"),
    "yellow": ("黄灯", "yellow"),
    "red": ("红灯", "red"),
    "exit_review": ("退出评估", "exit review"),
}
RANK = {None: 0} | {name: rank for rank, name in enumerate(LEVELS, 1)}
"""Worse is higher; no level at all is 0."""
BLUE_DAYS = 7
"""Blue warns this many calendar days before yellow (2-domain 2.4)."""


class Limit(NamedTuple):
    """A length in calendar days (d), Chinese workdays (wd) or months (m)."""

    length: int
    unit: str

    def __str__(self) -> str:
        return f"{self.length}{self.unit}"


_TEXT = re.compile(r"(-?[0-9]{1,5})(d|wd|m)")


def parse(text: str) -> Limit:
    """Read "30d", "5wd", "3m" or "-3wd"; ValueError says what is allowed."""
    match = _TEXT.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"limit {text!r} is not a count of d (days), wd (workdays) or m (months), such as 30d, 5wd, 3m")
    length, unit = int(match[1]), match[2]
    if unit == "wd" and length == 0:
        raise ValueError("limit 0wd has no meaning: the first workday after the basis is 1wd")
    return Limit(length, unit)


def _add_months(day: date, months: int) -> date:
    """The same day so many months on, or that month's last day."""
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    if year < 1:
        return date.min
    if year > 9998:
        return FOREVER
    first_of_next = date(year + month // 11, (month + 1) % 12 + 1, 1)
    last = (first_of_next - timedelta(days=1)).day
    return date(year, month + 1, min(day.day, last))


def _shift(day: date, days: int) -> date:
    """day + days, held inside the calendar."""
    return date.fromordinal(min(max(day.toordinal() + days, 1), FOREVER.toordinal()))


@lru_cache(maxsize=65536)
def due(limit: Limit, basis: date) -> date:
    """The day on which the limit is reached (the limit is reached when D >= this day)."""
    if limit.unit == "d":
        return _shift(basis, limit.length)
    if limit.unit == "m":
        return _add_months(basis, limit.length)
    return calendar.nth_workday(basis, limit.length)


@lru_cache(maxsize=65536)
def cutoff(limit: Limit, on: date) -> date:
    """The latest basis whose limit is reached on `on`; `date.min` when none is."""
    if limit.unit == "d":
        return _shift(on, -limit.length)
    low, high = 1, FOREVER.toordinal()  # due() never falls as its basis grows, so halving finds the last one
    while low < high:
        middle = (low + high + 1) // 2
        if due(limit, date.fromordinal(middle)) <= on:
            low = middle
        else:
            high = middle - 1
    found = date.fromordinal(low)
    return found if due(limit, found) <= on else date.min


class Limits(NamedTuple):
    """The limits that govern one rule on one route; None means the level does not exist."""

    yellow: Limit | None
    red: Limit | None
    exit_review: Limit | None

    def reached(self, solid: date, soft: date, on: date) -> tuple[str, Limit, date] | None:
        """The level reached on a day, with the limit that says so and the day it was reached.

        `solid` is the basis of red and exit review (text never moves it), `soft` that of yellow and blue. Each
        level includes the ones before: red implies yellow whatever the text did, and exit review waits for red.
        """
        if self.red is not None and (red_on := due(self.red, solid)) <= on:
            if self.exit_review is not None and (exit_on := max(due(self.exit_review, solid), red_on)) <= on:
                return "exit_review", self.exit_review, exit_on
            return "red", self.red, red_on
        if self.red is None and self.exit_review is not None and (exit_on := due(self.exit_review, solid)) <= on:
            return "exit_review", self.exit_review, exit_on
        if self.yellow is not None:
            if (yellow_on := due(self.yellow, soft)) <= on:
                return "yellow", self.yellow, yellow_on
            if (blue_on := max(_shift(yellow_on, -BLUE_DAYS), _shift(soft, 1))) <= on:
                return "blue", self.yellow, blue_on
        return None

    def cutoffs(self, level: str, on: date) -> tuple[date, date]:
        """(solid cutoff, soft cutoff): `level` or worse is reached on `on` when the solid basis is on or before
        the first, or the soft basis on or before the second. `date.min` stands for never."""
        solid = [self.red] if self.red is not None else [self.exit_review] if self.exit_review is not None else []
        if level == "exit_review":
            solid = [limit for limit in (self.red, self.exit_review) if limit is not None] if self.exit_review is not None else []
        hard = min((cutoff(limit, on) for limit in solid), default=date.min)
        if level in ("red", "exit_review") or self.yellow is None:
            return hard, date.min
        if level == "yellow":
            return hard, cutoff(self.yellow, on)
        early = min(cutoff(self.yellow, _shift(on, BLUE_DAYS)), _shift(on, -1))
        return hard, max(early, cutoff(self.yellow, on))


def limits_of(texts: Mapping[str, str | None]) -> Limits:
    """Limits from their texts; a missing or null level does not exist."""
    return Limits(*(parse(text) if (text := texts.get(level)) is not None else None for level in LEVELS[1:]))
