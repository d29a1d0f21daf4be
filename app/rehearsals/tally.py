"""Counting the flags of one rule under one set of limits, project by project. Pure; its size follows months and towns, not projects.

Variants that agree on a rule share its tally: ten variants that differ in one rule cost little more than one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

from app.rehearsals.audience import Group
from app.rehearsals.flags import ENDED, PAUSED, RED, YELLOW, Judge, Place, Step, Ticking, changes, reds

COLUMNS = (
    "blue", "yellow", "red", "exit_review", "stock_yellow", "stock_red", "stock_exit_review",
    "recovered", "recovered_before_red", "paused", "ended", "open_yellow", "open_red", "open_exit_review",
    "opened", "escalated", "eased", "closed",
)  # fmt: skip
"""What is counted per month, rule and town (README, 时限演练)."""
AT = {name: number for number, name in enumerate(COLUMNS)}
_REACHED, _STOCK, _OPEN = AT["blue"] - 1, AT["stock_yellow"] - YELLOW, AT["open_yellow"] - YELLOW


class Period:
    """The days from `begin` to `end`, both included, and their months."""

    def __init__(self, begin: date, end: date) -> None:
        self.begin, self.end = begin.toordinal(), end.toordinal()
        self.months: list[str] = []
        self.month_ends: list[int] = []
        self._of: list[int] = []
        for offset in range((end - begin).days + 1):
            day = begin + timedelta(days=offset)
            if not self.months or self.months[-1] != f"{day:%Y-%m}":
                self.months.append(f"{day:%Y-%m}")
                self.month_ends.append(0)
            self.month_ends[-1] = self.begin + offset
            self._of.append(len(self.months) - 1)

    def month(self, day: int) -> int:
        """Which month a day lies in."""
        return self._of[day - self.begin]


class Seen(NamedTuple):
    """One project in the period: where it was, who hears of it, and the day somebody first looked at it."""

    first_look: int
    places: list[Place]
    groups: list[tuple[int, tuple[Group, ...]]]

    def place(self, day: int) -> Place:
        """Where it was on a day (before anything is known: where it was first)."""
        for place in reversed(self.places):
            if place.first <= day:
                return place
        return self.places[0]

    def silent(self, day: int) -> str | None:
        """Why rules were silent on a day, if they were."""
        place = self.place(day)
        return place.silent if day < place.until else None


class Tally:
    """The flags of one rule under one set of limits: counts by (month, office), and how long those stood that recovered."""

    def __init__(self, period: Period) -> None:
        self.period = period
        self.counts: dict[tuple[int, int], list[int]] = defaultdict(lambda: [0] * len(COLUMNS))
        self.stood: Counter[int] = Counter()
        """Calendar days from yellow to recovery, of flags that were not stock."""

    def add(self, seen: Seen, of: Sequence[Step]) -> None:
        """One flag."""
        worst = 0
        yellow_on: int | None = None
        for change in changes(of, seen.first_look):
            row = self.counts[self.period.month(change.day), seen.place(change.day).office_id]
            if not change.before:
                worst = 0
                row[AT["opened"]] += 1
            elif not change.after:
                row[AT["closed"]] += 1
            else:
                row[AT["escalated" if change.after > change.before else "eased"]] += 1
            stock = change.stock and not change.before  # what a flag of 存量 reaches later is reached in the period
            for rank in range(worst + 1, change.worst + 1):
                if not stock:
                    row[_REACHED + rank] += 1
                elif rank >= YELLOW:
                    row[_STOCK + rank] += 1
                if rank == YELLOW:
                    yellow_on = None if stock else change.day
            worst = change.worst
            if not change.after and worst >= YELLOW:
                self._closed(row, seen.silent(change.day), worst)
                if yellow_on is not None and seen.silent(change.day) is None:
                    self.stood[change.day - yellow_on] += 1
        self._standing(seen, of)

    @staticmethod
    def _closed(row: list[int], silent: str | None, worst: int) -> None:
        if silent == PAUSED:
            row[AT["paused"]] += 1
        elif silent == ENDED:
            row[AT["ended"]] += 1
        else:
            row[AT["recovered"]] += 1
            row[AT["recovered_before_red"]] += worst < RED

    def _standing(self, seen: Seen, of: Sequence[Step]) -> None:
        """Flags that stand at the end of each month, each at its level."""
        ends = self.period.month_ends
        for number, step in enumerate(of):
            if step.rank >= YELLOW:
                until = of[number + 1].day if number + 1 < len(of) else self.period.end + 1
                for month in range(bisect_left(ends, step.day), bisect_left(ends, until)):
                    self.counts[month, seen.place(ends[month]).office_id][_OPEN + step.rank] += 1


class Stopped:
    """Projects that are signed-then-stopped at the end of each month, under one pair of limits."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[int, int]] = Counter()

    def add(self, period: Period, seen: Seen, months: int) -> None:
        """One project; `months` has a bit for every month at whose end it is stopped."""
        for month, end in enumerate(period.month_ends):
            if months >> month & 1:
                self.counts[month, seen.place(end).office_id] += 1


def stopped_months(period: Period, clocks: Sequence[Ticking], judge: Judge) -> int:
    """A bit for every month at whose end one of the composite's clocks has reached red."""
    months = 0
    for first, until in reds(clocks, judge):
        months |= (1 << bisect_left(period.month_ends, until)) - (1 << bisect_left(period.month_ends, first))
    return months


def median(of: Counter[int]) -> float | None:
    """The middle of what was counted; None of nothing."""
    total = sum(of.values())
    if not total:
        return None
    middle = []
    for rank in ((total - 1) // 2, total // 2):
        passed = 0
        for value in sorted(of):
            passed += of[value]
            if passed > rank:
                middle.append(value)
                break
    return sum(middle) / 2
