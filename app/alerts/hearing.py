"""What one reader hears of what happened, under which heading, and how urgent it is. Pure; nothing here reads a database.

A project is told once, by the most urgent thing that happened to it. Blue is an early word to the town that a project falls due
soon; it is no stall yet, so it is told as 即将到期 and counted apart.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from app.heart.limits import RANK

ESCALATED, NEW, STOCK, DUE_SOON, EASED, RECOVERED = "升级", "新增", "存量", "即将到期", "缓解", "恢复"
SECTIONS = (ESCALATED, NEW, STOCK, DUE_SOON, EASED, RECOVERED)
"""In the order a reader needs them; a project appears once, in the first that fits."""
_PLACES = {name: place for place, name in enumerate(SECTIONS)}
YELLOW, RED = RANK["yellow"], RANK["red"]


class Change(NamedTuple):
    """What happened to one flag since the reader was last told: `before` is the level he knows, None is no flag."""

    rule: str
    label: str
    before: str | None
    after: str | None
    stock: bool


class Standing(NamedTuple):
    """One open flag of a project: since when, what is missing, what to do, and when it gets worse."""

    rule: str
    label: str
    level: str
    basis_on: date
    due_on: date
    missing: tuple[str, ...]
    advice: str
    next_level: str | None
    next_on: date | None
    provisional: tuple[int, ...] = ()
    """Years without a published calendar that its days lean on."""


class Project(NamedTuple):
    """One project with everything that is told about it."""

    ref: str
    name: str
    office: str
    owner: str | None
    stage: str
    since: date | None
    amount: str | None
    url: str
    changes: tuple[Change, ...]
    open: tuple[Standing, ...]
    number: int = 0


class Reader(NamedTuple):
    """For whom a digest is: `whole` tells the bureau's and the county's people from a town's."""

    name: str
    office: str
    whole: bool
    leader: bool


def relevant(changes: Iterable[Change], reader: Reader) -> tuple[Change, ...]:
    """What of a project's changes this reader hears about. Above the town nobody hears of blue; leaders hear of red only."""
    least = RED if reader.leader else YELLOW if reader.whole else RANK["blue"]
    kept = []
    for change in changes:
        before = change.before if RANK[change.before] >= least or reader.leader else None
        after = change.after if RANK[change.after] >= least or reader.leader else None
        if before == after or max(RANK[before], RANK[after]) < least:
            continue
        same = before == change.before and after == change.after  # a copy costs as much as all the rest
        seen = change if same else change._replace(before=before, after=after)
        if section_of(seen):
            kept.append(seen)
    return tuple(kept)


def section_of(change: Change) -> str | None:
    """Where one change belongs; None when there is nothing to tell (an early word that came to nothing)."""
    before, after = RANK[change.before], RANK[change.after]
    if after > before:
        if after < YELLOW:
            return DUE_SOON
        if before < YELLOW:
            return STOCK if change.stock else NEW
        return ESCALATED
    if before < YELLOW:
        return None
    return EASED if after else RECOVERED


def urgency(changes: Iterable[Change], levels: Iterable[str], dues: Iterable[date], ref: str) -> tuple[int, int, str, str]:
    """Where a project stands among those a reader is told about; plain values, smallest first. `levels` and `dues` are those of
    its open flags."""
    section = min(_PLACES[name] for change in changes if (name := section_of(change)))
    return section, -max((RANK[level] for level in levels), default=0), min(dues, default=date.max).isoformat(), ref
