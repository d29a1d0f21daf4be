"""What a daily run would have done: from one project's clocks and the limits of one rule to its flag on every day. Pure.

Nobody walks through the days: limits say on which day each level begins, so a clock makes at most four steps, and the steps
of a rule are the life of its flag, told as stalls/flags.py tells it: it opens, changes level, closes, and never multiplies.
Days are ordinals here (`date.toordinal`), levels are ranks (`heart.limits.RANK`: 0 is no flag, 4 is exit review).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from app.heart.limits import RANK, Due, Limits

YELLOW, RED = RANK["yellow"], RANK["red"]
PAUSED, ENDED = "paused", "ended"


class Ticking(NamedTuple):
    """A clock on the days first <= day < until on which a daily run judged by it."""

    first: int
    until: int
    solid_on: date
    soft_on: date
    halted: bool
    route: str | None
    part: int | None = None
    agreed_on: date | None = None


class Judge(NamedTuple):
    """One rule of a policy: its limits by (site route, is a date agreed), and how it counts to the day a limit is reached."""

    limits: Mapping[tuple[str | None, bool], Limits | None]
    due: Due

    def of(self, clock: Ticking) -> Limits | None:
        """The limits that govern a clock; None while the rule is off, or enough money is in place."""
        limits = self.limits.get((clock.route, clock.agreed_on is not None))
        return limits if limits is not None and limits.holds(clock.part) else None


class Place(NamedTuple):
    """Where a project was on first <= day < until: office, owner, why rules were silent (PAUSED, ENDED, None: they spoke), and its
    liaison leader."""

    first: int
    until: int
    office_id: int
    owner_id: int | None
    silent: str | None
    liaison_id: int | None = None


class Step(NamedTuple):
    """From this day on the rule has reached `rank`; `began` is the day its limit was reached, which may lie long before."""

    day: int
    rank: int
    began: int


class Change(NamedTuple):
    """What a day's run told of one flag, as a FlagChange row holds it. `worst`: the highest rank since the flag opened."""

    day: int
    before: int
    after: int
    stock: bool
    worst: int


def steps(clocks: Sequence[Ticking], judge: Judge, end: int) -> list[Step]:
    """How the level of one rule went, from no level before the first step. Clocks ascend and do not overlap; `end` is the last day."""
    found: list[Step] = []
    rank, covered = 0, 0
    for clock in clocks:
        if rank and clock.first > covered:
            found.append(Step(covered, 0, covered))
            rank = 0
        covered = clock.until
        governed = judge.of(clock)
        if governed is None:
            if rank:
                found.append(Step(clock.first, 0, clock.first))
                rank = 0
            continue
        dates = governed.begins(clock.solid_on, clock.soft_on, clock.agreed_on, judge.due)
        now = _rank(dates, clock.first)
        if now != rank:
            found.append(Step(clock.first, now, dates[now - 1] if now else clock.first))
            rank = now
        while rank < len(dates) and (day := min(dates[rank:])) < clock.until:
            rank = _rank(dates, day)
            found.append(Step(day, rank, day))
    if rank and covered <= end:
        found.append(Step(covered, 0, covered))
    return found


def _rank(dates: tuple[int, int, int, int], day: int) -> int:
    for rank in (4, 3, 2, 1):
        if dates[rank - 1] <= day:
            return rank
    return 0


def changes(of: Sequence[Step], first_look: int) -> Iterator[Change]:
    """The flag's changes; it is 存量 (stock) when its level had been reached before the day somebody first looked."""
    before = worst = 0
    stock = False
    for step in of:
        if not before:
            stock, worst = step.day == first_look and step.began < step.day, 0
        worst = max(worst, step.rank)
        yield Change(step.day, before, step.rank, stock, worst)
        before = step.rank


def reds(clocks: Sequence[Ticking], judge: Judge) -> Iterator[tuple[int, int]]:
    """Stretches (first, until) in which a clock of signed-then-stopped has reached red while (a)-(d) held."""
    for clock in clocks:
        governed = judge.of(clock)
        if clock.halted and governed is not None and governed.red is not None:
            first = max(clock.first, judge.due(governed.red, clock.solid_on, clock.agreed_on).toordinal())
            if first < clock.until:
                yield first, clock.until
