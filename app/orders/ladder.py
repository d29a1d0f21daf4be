"""THE LADDER (2-domain 2.5): who is to take up a project that is red, by dates alone. Pure.

Red is the liaison leader's. Five workdays that nobody touched it (no follow-up, report, reply or plan since), and it is the
next leader's above, and so on to the top. From exit review on the bureau decides. How often anybody looked changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple

from app.heart.calendar import Calendar

UNTOUCHED = 5
"""Workdays without a touch after which a project climbs."""
LEADER, BUREAU = "leader", "bureau"


class Rung(NamedTuple):
    """Where a project stands: with the leader `height` steps above its liaison leader, or with the bureau; and since when."""

    kind: str
    height: int
    since: date


def climb(
    red_on: date | None,
    exit_on: date | None,
    touches: Iterable[date],
    day: date,
    calendar: Calendar,
    settled_until: date | None = None,
    top: int | None = None,
) -> Rung | None:
    """The rung on a day; None below red. `touches` are the days on which somebody did something about it, decisions of an exit
    review among them; `settled_until` is the day to which the last of these put the matter off. The future is not looked at.
    Nothing climbs above `top`, and there it stays."""
    settled = settled_until is not None and day < settled_until
    if exit_on is not None and exit_on <= day and not settled:
        back = settled_until if settled_until is not None and settled_until > exit_on else exit_on
        return Rung(BUREAU, 0, back)
    reds = [one for one in (red_on, exit_on) if one is not None and one <= day]
    if not reds:
        return None
    first = min(reds)
    since = max((one for one in touches if first < one <= day), default=first)
    height = calendar.workdays_between(since, day) // UNTOUCHED
    height = height if top is None else min(height, max(top, 0))
    return Rung(LEADER, height, calendar.nth_workday(since, UNTOUCHED * height) if height else first)


class Holder(NamedTuple):
    """A leader of an office: the person, and the first day he is no longer there (None: he is)."""

    person_id: int
    left_on: date | None


def holder_on(leaders: Iterable[Holder], day: date) -> int | None:
    """Who holds an office on a day: of those still there, the one who is to leave first; of equals, the one registered first."""
    there = [one for one in leaders if one.left_on is None or one.left_on > day]
    return min(there, key=lambda one: (one.left_on or date.max, one.person_id)).person_id if there else None


def whom(rung: Rung, chain: Sequence[int]) -> int | None:
    """The person a rung points at; `chain` are the leaders from the liaison leader up. At the top it stays; the bureau is no person."""
    if rung.kind == BUREAU or not chain:
        return None
    return chain[min(rung.height, len(chain) - 1)]


def chain_of(liaison: int | None, leaders: Sequence[int | None]) -> list[int]:
    """The leaders a project climbs past: its liaison leader, or that of its office, then those of the offices above. `leaders` are
    the holders from the project's office to the root; an empty chair is passed over, and nobody stands in it twice, but for whoever
    stands in for an empty first chair: he has its rung and his own, so that it climbs to him like to any other."""
    first = liaison if liaison is not None else leaders[0] if leaders else None
    chain = list(dict.fromkeys(one for one in (first, *leaders[1:]) if one is not None))
    return chain if first is not None else [*chain[:1], *chain]
