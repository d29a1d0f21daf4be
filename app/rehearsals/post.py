"""Whose digest would have gone out on which workday. Pure; who hears of what is asked of alerts/digest.py itself.

A digest tells what changed since the last one its reader got, so whether one goes out on a day hangs on the day of the last.
For every workday and group of readers a mask says for which last days there is something to tell: bit 0 is "never told",
bit n the n-th workday. Masks of flags, rules and towns are joined by OR, so projects stream by and nothing of them is kept.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple, TypeAlias

from app.alerts import digest
from app.heart.limits import LEVELS
from app.rehearsals.flags import YELLOW, Place, Step

TOWN, BUREAU, LEADER = "town", "bureau", "leader"
"""Readers of a town; of bureau and county; leaders of bureau and county."""
READERS = (TOWN, BUREAU, LEADER)
_NAMES = (None, *LEVELS)

Group: TypeAlias = "int | str | tuple[str, int]"
"""An office (its town's readers), BUREAU, LEADER, or ("owner", person) for somebody who owns projects outside his offices."""
Masks: TypeAlias = "dict[Group, dict[int, int]]"


def _relevant(kind: str) -> tuple[tuple[bool, ...], ...]:
    """[level last told][level now]: is there something to tell this kind of reader?"""
    reader = digest.Reader("", "", whole=kind != TOWN, leader=kind == LEADER)
    return tuple(
        tuple(bool(digest.relevant([digest.Change("", "", before, after, False)], reader)) for after in _NAMES) for before in _NAMES
    )


RELEVANT = {kind: _relevant(kind) for kind in READERS}


class Reader(NamedTuple):
    """Somebody who gets digests. `until`: the first day he no longer does; `offices`: those he hears of (towns); `listed`: hears of
    the projects of his offices (a leader of the county does not: alerts/readers.py)."""

    id: int
    kind: str
    until: int
    offices: frozenset[int]
    listed: bool = True


class Audience:
    """The readers there are, and the workdays on which they are written to."""

    def __init__(self, readers: Sequence[Reader], workdays: Sequence[int], months: Sequence[int] = ()) -> None:
        """`months`: those of the workdays with which a month begins."""
        self.readers, self.workdays = readers, workdays
        self._months = [self.bit(day) for day in months]
        self.kinds = frozenset(reader.kind for reader in readers)
        self._covers = {reader.id: reader.offices for reader in readers if reader.kind == TOWN}

    def bit(self, day: int) -> int:
        """The bit of the first workday on or after a day; one past the last when there is none."""
        return bisect_left(self.workdays, day) + 1

    def monthly(self, first: int | None) -> dict[int, int]:
        """When the county's leaders get their monthly section: with the first workday of each month, and with the first digest
        ever; `first` is the day since which there is any project to tell of."""
        begun = self.bit(first) if first is not None else len(self.workdays) + 1
        if begun > len(self.workdays):
            return {}
        masks = {bit: _bits(0, bit) for bit in self._months if bit >= begun}
        return masks | {begun: masks.get(begun, 0) | 1}

    def groups(self, places: Sequence[Place]) -> list[tuple[int, tuple[Group, ...]]]:
        """Which town groups hear of a project, from which bit on. What changes between two workdays is seen as it is on the second."""
        found: list[tuple[int, tuple[Group, ...]]] = []
        for place in places:
            heard: tuple[Group, ...] = (place.office_id,)
            if place.office_id not in self._covers.get(place.owner_id or 0, (place.office_id,)):
                heard = (place.office_id, ("owner", place.owner_id or 0))
            bit = self.bit(place.first)
            if found and found[-1][0] == bit:
                found.pop()
            if not found or found[-1][1] != heard:
                found.append((bit, heard))
        return found


class Mailbag:
    """What the flags of one rule give to tell."""

    def __init__(self, audience: Audience) -> None:
        self.audience = audience
        self.masks: Masks = defaultdict(dict)
        self.alarm = 0
        """Bits of the workdays on which a flag stands at yellow or worse."""

    def add(self, of: Sequence[Step], groups: Sequence[tuple[int, tuple[Group, ...]]]) -> None:
        """One flag's steps, and who hears of its project from when on."""
        runs = self._runs(of)
        if len(runs) == 1:
            return
        ends = [start for start, _ in runs[1:]] + [len(self.audience.workdays) + 1]
        alarm = 0
        for (start, rank), end in zip(runs, ends, strict=True):
            if rank >= YELLOW:
                alarm |= _bits(start, end)
        self.alarm |= alarm
        kinds = self.audience.kinds
        for number in range(1, len(runs)):
            bit = runs[number][0]
            for kind in (BUREAU, LEADER):
                if kind in kinds:
                    self._put(kind, bit, self._mask(kind, runs, bit))
            if TOWN in kinds:
                mask = self._mask(TOWN, runs, bit)
                for group in next((heard for start, heard in reversed(groups) if start <= bit), ()):
                    self._put(group, bit, mask)
        if TOWN in kinds and len(groups) > 1:  # who comes to a project hears what changed since he was last told anything
            for (_, before), (bit, heard) in pairwise(groups):
                for group in heard:
                    if group not in before and bit <= len(self.audience.workdays):
                        self._put(group, bit, self._mask(TOWN, runs, bit))

    def _runs(self, of: Sequence[Step]) -> list[tuple[int, int]]:
        """(first bit, rank): the level as it stands on each workday, from "never told" on."""
        runs = [(0, 0)]
        last = len(self.audience.workdays)
        for step in of:
            bit = self.audience.bit(step.day)
            if bit > last:
                break
            if runs[-1][0] == bit:
                runs.pop()
            if runs[-1][1] != step.rank:
                runs.append((bit, step.rank))
        return runs

    @staticmethod
    def _mask(kind: str, runs: Sequence[tuple[int, int]], bit: int) -> int:
        """The last days for which the level of this bit is news."""
        table = RELEVANT[kind]
        now = next(rank for start, rank in reversed(runs) if start <= bit)
        mask = 0
        for number, (start, rank) in enumerate(runs):
            if start >= bit:
                break
            if table[rank][now]:
                end = runs[number + 1][0] if number + 1 < len(runs) else bit
                mask |= _bits(start, min(end, bit))
        return mask

    def _put(self, group: Group, bit: int, mask: int) -> None:
        if mask:
            masks = self.masks[group]
            masks[bit] = masks.get(bit, 0) | mask


def _bits(start: int, end: int) -> int:
    return (1 << end) - (1 << start)


def posted(audience: Audience, bags: Iterable[Mailbag], awaiting: int, first: int | None = None) -> dict[str, list[int]]:
    """How many digests go out on each workday, by kind of reader. `awaiting`: bits on which a stop waits for a review; `first`:
    the day since which there is any project.

    Every digest is taken to arrive on its day, and nobody to have been told anything before the first.
    """
    joined: Masks = defaultdict(dict)
    summary = awaiting
    for bag in bags:
        summary |= bag.alarm
        for group, masks in bag.masks.items():
            mine = joined[group]
            for bit, mask in masks.items():
                mine[bit] = mine.get(bit, 0) | mask
    counts = {kind: [0] * len(audience.workdays) for kind in READERS}
    told: dict[tuple[str, tuple[Group, ...]], list[int]] = {}
    for reader in audience.readers:
        groups: tuple[Group, ...] = (reader.kind,) if reader.listed else ()
        if reader.kind == TOWN:
            groups = tuple(sorted(office for office in reader.offices if office in joined))
            if ("owner", reader.id) in joined:
                groups = (*groups, ("owner", reader.id))
        if (reader.kind, groups) not in told:
            more = [audience.monthly(first)] if reader.kind == LEADER else []
            masks = [*(joined.get(group, {}) for group in groups), *more]
            told[reader.kind, groups] = _sent(masks, summary if reader.kind == BUREAU else 0)
        for bit in told[reader.kind, groups]:
            if audience.workdays[bit - 1] < reader.until:
                counts[reader.kind][bit - 1] += 1
    return counts


def _sent(masks: Sequence[Mapping[int, int]], always: int) -> list[int]:
    """The bits of the workdays on which a reader gets a digest."""
    bits = {bit for one in masks for bit in one}
    if always:
        bits.update(bit for bit in range(1, always.bit_length()) if always >> bit & 1)
    sent, last = [], 0
    for bit in sorted(bits):
        if always >> bit & 1 or any(one.get(bit, 0) >> last & 1 for one in masks):
            sent.append(bit)
            last = bit
    return sent
