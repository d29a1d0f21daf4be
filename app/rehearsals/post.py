"""Whose digest would have gone out on which workday. Pure; who hears of what is asked of alerts/hearing.py itself.

A digest tells what changed since the last one its reader got, so whether one goes out on a day hangs on the day of the last.
For every workday and shelf (audience.py) a mask says for which last days there is something to tell. Masks of flags, rules and
shelves are joined by OR, so projects stream by and nothing of them is kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TypeAlias

from app.alerts import hearing
from app.heart.limits import LEVELS
from app.rehearsals.audience import BUREAU, LEADER, LED, OWN, READERS, TOWN, Audience, Group, Lead, Reader, bits, ones, rises
from app.rehearsals.flags import YELLOW, Step

_NAMES = (None, *LEVELS)

Masks: TypeAlias = "dict[Group, dict[int, int]]"


def _relevant(kind: str) -> tuple[tuple[bool, ...], ...]:
    """[level last told][level now]: is there something to tell this kind of reader?"""
    reader = hearing.Reader("", "", whole=kind != TOWN, leader=kind == LEADER)
    return tuple(
        tuple(bool(hearing.relevant([hearing.Change("", "", before, after, False)], reader)) for after in _NAMES) for before in _NAMES
    )


RELEVANT = {kind: _relevant(kind) for kind in (TOWN, BUREAU, LEADER)}
"""An owner hears like a town, a liaison leader (LED) like the bureau's leaders."""


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
        ends = [start for start, _ in runs[1:]] + [self.audience.end]
        alarm = 0
        for (start, rank), end in zip(runs, ends, strict=True):
            if rank >= YELLOW:
                alarm |= bits(start, end)
        self.alarm |= alarm
        for number in range(1, len(runs)):
            bit = runs[number][0]
            for kind in self.audience.kinds:
                self._put(kind, bit, self._mask(kind, runs, bit))
            self._tell(next((heard for start, heard in reversed(groups) if start <= bit), ()), runs, bit)
        for (_, before), (bit, heard) in pairwise(groups):  # who comes to a project hears what changed since he was last told anything
            if bit < self.audience.end:
                self._tell([group for group in heard if group not in before], runs, bit)

    def _tell(self, shelves: Iterable[Group], runs: Sequence[tuple[int, int]], bit: int) -> None:
        masks: dict[str, int] = {}
        for group in shelves:
            kind = LEADER if isinstance(group, tuple) and group[0] == LED else TOWN
            if kind not in masks:
                masks[kind] = self._mask(kind, runs, bit)
            self._put(group, bit, masks[kind])

    def _runs(self, of: Sequence[Step]) -> list[tuple[int, int]]:
        """(first bit, rank): the level as it stands on each workday, from "never told" on."""
        runs = [(0, 0)]
        for step in of:
            bit = self.audience.bit(step.day)
            if bit >= self.audience.end:
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
                mask |= bits(start, min(end, bit))
        return mask

    def _put(self, group: Group, bit: int, mask: int) -> None:
        if mask:
            masks = self.masks[group]
            masks[bit] = masks.get(bit, 0) | mask


def posted(
    audience: Audience, bags: Iterable[Mailbag], awaiting: int, first: int | None = None, lead: Lead | None = None
) -> dict[str, list[int]]:
    """How many digests go out on each workday, by kind of reader. `awaiting`: bits on which a stop waits for a review; `first`:
    the day since which there is any project; `lead`: who owns and looks after something.

    Every digest is taken to arrive on its day, and nobody to have been told anything before the first.
    """
    shelved: Masks = defaultdict(dict)
    summary = awaiting
    for bag in bags:
        summary |= bag.alarm
        for group, masks in bag.masks.items():
            mine = shelved[group]
            for bit, mask in masks.items():
                mine[bit] = mine.get(bit, 0) | mask
    lead = lead or Lead({}, {})
    inherits = audience.inheritances(lead)
    counts = {kind: [0] * len(audience.workdays) for kind in READERS}
    alike: dict[tuple[str, bool, tuple[Group, ...]], list[int]] = {}
    for reader in audience.people:
        if not reader.mailed:
            continue
        shelves = tuple(group for group in audience.shelves(reader) if group in shelved)
        pages = _pages(audience, reader, inherits.get(reader.id, ()), lead, shelved)
        kind = (reader.counted, reader.listed, shelves)
        if pages or kind not in alike:
            monthly = audience.monthly(first) if reader.counted == LEADER else {}
            told = [monthly, *(shelved[group] for group in shelves), *pages]
            sent = _sent(told, summary if reader.listed and reader.counted == BUREAU else 0)
            if not pages:
                alike[kind] = sent
        else:
            sent = alike[kind]
        for bit in sent:
            if audience.workdays[bit - 1] < reader.until:
                counts[reader.counted][bit - 1] += 1
    return counts


def _pages(
    audience: Audience, reader: Reader, inherits: Iterable[tuple[int, int, int]], lead: Lead, shelved: Masks
) -> list[Mapping[int, int]]:
    """Masks of what only he reads: his liaison page, and whatever he takes over from those who left: that they have left, their
    shelves, their page."""
    found: list[Mapping[int, int]] = []
    if leading := lead.leading.get(reader.id, 0):
        found.append(audience.weekly(leading))
    for number, which, active in inherits:
        found.append(dict.fromkeys(rises(active), bits(0, audience.bit(audience.by_id[number].until))))
        found += [_waiting(shelved[group], active) for group in ((OWN, number, which), (LED, number, which)) if group in shelved]
        if leading := lead.leading.get(number, 0) & active:
            found.append(audience.weekly(leading))
    return found


def _waiting(masks: Mapping[int, int], active: int) -> dict[int, int]:
    """The masks of a shelf that is read on some bits only: what it holds on others waits for the next of these."""
    found: dict[int, int] = {}
    for bit, mask in masks.items():
        if later := active >> bit:
            at = bit + (later & -later).bit_length() - 1
            found[at] = found.get(at, 0) | mask
    return found


def _sent(told: Sequence[Mapping[int, int]], always: int) -> list[int]:
    """The bits of the workdays on which a reader gets a digest."""
    sent, last = [], 0
    for bit in sorted({*(bit for masks in told for bit in masks), *ones(always)}):
        if always >> bit & 1 or any(masks.get(bit, 0) >> last & 1 for masks in told):
            sent.append(bit)
            last = bit
    return sent
