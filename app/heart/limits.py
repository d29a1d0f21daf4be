"""Limits and levels: when is a basis due, and which bases are due by a day.

A limit grows with its basis, so "due on or before D" is the same as "basis on or before cutoff(D)": one date
per limit and day, which an index can be asked for. `due` and `cutoff` are each other's check in the tests.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple

from app.heart.calendar import SHIPPED, Calendar

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
    """A length in calendar days (d), Chinese workdays (wd), months (m), or percent of the time agreed in the contract (%)."""

    length: int
    unit: str

    def __str__(self) -> str:
        return f"{self.length}{self.unit}"


_TEXT = re.compile(r"(-?[0-9]{1,5})(d|wd|m|%)")
_SHARE = re.compile(r"([0-9]{1,3})(?:\.([0-9]{1,2}))?%")
WHOLE = 10_000
"""A share of one, in ten-thousandths."""


def parse(text: str) -> Limit:
    """Read "30d", "5wd", "3m", "-3wd" or "80%"; ValueError says what is allowed."""
    match = _TEXT.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"limit {text!r} is not a count of d (days), wd (workdays), m (months) or %, such as 30d, 5wd, 3m, 80%")
    length, unit = int(match[1]), match[2]
    if unit == "wd" and length == 0:
        raise ValueError("limit 0wd has no meaning: the first workday after the basis is 1wd")
    if unit == "%" and not 0 < length <= 1000:
        raise ValueError("a percentage of the agreed time lies between 1% and 1000%")
    return Limit(length, unit)


def parse_share(text: str) -> int:
    """Read a share such as "15%" or "12.5%" in ten-thousandths; ValueError says what is allowed."""
    match = _SHARE.fullmatch(text.strip()) if isinstance(text, str) else None
    share = int(match[1]) * 100 + int((match[2] or "").ljust(2, "0")) if match else 0
    if not 0 < share <= WHOLE:
        raise ValueError(f"share {text!r} is not a percentage above 0 and up to 100, such as 15% or 12.5%")
    return share


def share_text(share: int) -> str:
    """A share in ten-thousandths as `parse_share` reads it: 1500 is "15%"."""
    return f"{share // 100}.{share % 100:02d}".rstrip("0").rstrip(".") + "%"


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


def due(limit: Limit, basis: date, agreed_on: date | None = None, calendar: Calendar = SHIPPED) -> date:
    """The day on which the limit is reached (the limit is reached when D >= this day); workdays by the calendar.

    A percentage counts the time from the basis to `agreed_on`, begun days upwards; a date agreed before the basis leaves none.
    """
    if limit.unit == "%":
        span = max((agreed_on - basis).days, 0) if agreed_on is not None else 0
        return _shift(basis, -(-span * limit.length // 100))
    if limit.unit == "d":
        return _shift(basis, limit.length)
    if limit.unit == "m":
        return _add_months(basis, limit.length)
    return calendar.nth_workday(basis, limit.length)


def cutoff(limit: Limit, on: date, calendar: Calendar = SHIPPED) -> date:
    """The latest basis whose limit is reached on `on`; `date.min` when none is. No date bounds a percentage (see Limits.spans)."""
    if limit.unit == "%":
        return on
    if limit.unit == "d":
        return _shift(on, -limit.length)
    return _halving(limit, on, calendar if limit.unit == "wd" else SHIPPED)


@lru_cache(maxsize=65536)
def _halving(limit: Limit, on: date, calendar: Calendar) -> date:
    low, high = 1, FOREVER.toordinal()  # due() never falls as its basis grows, so halving finds the last one
    while low < high:
        middle = (low + high + 1) // 2
        if due(limit, date.fromordinal(middle), calendar=calendar) <= on:
            low = middle
        else:
            high = middle - 1
    found = date.fromordinal(low)
    return found if due(limit, found, calendar=calendar) <= on else date.min


Due = Callable[[Limit, date, "date | None"], date]
"""`due` by some calendar."""
NEVER = FOREVER.toordinal() + 1


class Limits(NamedTuple):
    """The limits that govern one rule on one route; None means the level does not exist.

    `share` (in ten-thousandths): they hold only while the money in place is a smaller part of the contract than this.
    """

    yellow: Limit | None
    red: Limit | None
    exit_review: Limit | None
    share: int | None = None

    def reached(
        self, solid: date, soft: date, on: date, calendar: Calendar = SHIPPED, *, agreed_on: date | None = None, part: int | None = None
    ) -> tuple[str, Limit, date] | None:
        """The level reached on a day, with the limit that says so and the day it was reached.

        `solid` is the basis of red and exit review (text never moves it), `soft` that of yellow and blue. Each
        level includes the ones before: red implies yellow whatever the text did, and exit review waits for red.
        `agreed_on` is what percentages count to, `part` the money in place in ten-thousandths of the contract.
        """
        if not self.holds(part):
            return None
        if self.red is not None and (red_on := due(self.red, solid, agreed_on, calendar)) <= on:
            if self.exit_review is not None and (exit_on := max(due(self.exit_review, solid, agreed_on, calendar), red_on)) <= on:
                return "exit_review", self.exit_review, exit_on
            return "red", self.red, red_on
        if self.red is None and self.exit_review is not None and (exit_on := due(self.exit_review, solid, agreed_on, calendar)) <= on:
            return "exit_review", self.exit_review, exit_on
        if self.yellow is not None:
            if (yellow_on := due(self.yellow, soft, agreed_on, calendar)) <= on:
                return "yellow", self.yellow, yellow_on
            if (blue_on := max(_shift(yellow_on, -BLUE_DAYS), _shift(soft, 1))) <= on:
                return "blue", self.yellow, blue_on
        return None

    def holds(self, part: int | None) -> bool:
        """Do the limits apply at all, with this part of the contract in place?"""
        return self.share is None or (part is not None and part < self.share)

    def begins(self, solid: date, soft: date, agreed_on: date | None, due: Due = due) -> tuple[int, int, int, int]:
        """The days (ordinals) on which blue, yellow, red and exit review are reached, as `reached` says day by day; NEVER for a
        level that does not exist. `due` may be one that counts by another calendar, or remembers."""
        red = due(self.red, solid, agreed_on).toordinal() if self.red is not None else NEVER
        worse = due(self.exit_review, solid, agreed_on).toordinal() if self.exit_review is not None else NEVER
        if self.red is not None:
            worse = max(worse, red)
        if self.yellow is None:
            return NEVER, NEVER, red, worse
        yellow = due(self.yellow, soft, agreed_on).toordinal()
        return max(yellow - BLUE_DAYS, soft.toordinal() + 1), yellow, red, worse

    def cutoffs(self, level: str, on: date, calendar: Calendar = SHIPPED) -> tuple[date, date]:
        """(solid cutoff, soft cutoff): `level` or worse is reached on `on` when the solid basis is on or before
        the first, or the soft basis on or before the second. `date.min` stands for never."""
        solid = [self.red] if self.red is not None else [self.exit_review] if self.exit_review is not None else []
        if level == "exit_review":
            solid = [limit for limit in (self.red, self.exit_review) if limit is not None] if self.exit_review is not None else []
        hard = min((cutoff(limit, on, calendar) for limit in solid), default=date.min)
        if level in ("red", "exit_review") or self.yellow is None:
            return hard, date.min
        if level == "yellow":
            return hard, cutoff(self.yellow, on, calendar)
        early = min(cutoff(self.yellow, _shift(on, BLUE_DAYS), calendar), _shift(on, -1))
        return hard, max(early, cutoff(self.yellow, on, calendar))

    def spans(self, level: str, on: date) -> list[tuple[int, date]]:
        """What no cutoff can say: `level` or worse is reached on `on` when, for one of these (percent, day), that much of the
        agreed time has passed by the day. For limits in percent only; the basis has to lie before `on`, too, for blue."""
        hard = [limit for limit in (self.red, self.exit_review) if limit is not None]
        if level != "exit_review":
            hard = hard[:1]
        elif self.exit_review is None:
            hard = []
        found = [(max(limit.length for limit in hard), on)] if hard else []
        if self.yellow is not None and level in ("yellow", "blue"):
            found.append((self.yellow.length, on))
            if level == "blue":
                found.append((self.yellow.length, _shift(on, BLUE_DAYS)))
        return found


def limits_of(texts: Mapping[str, str | None]) -> Limits:
    """Limits from their texts; a missing or null level does not exist."""
    share = texts.get("share")
    yellow, red, exit_review = (parse(text) if (text := texts.get(level)) is not None else None for level in LEVELS[1:])
    return Limits(yellow, red, exit_review, None if share is None else parse_share(share))
