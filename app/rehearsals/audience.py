"""Who hears of what, and from when to when, of the people there are: shelves, and who reads them. Pure.

A shelf holds what some readers hear in the same way: a town, the bureau, the bureau's leaders; and for every person his own
projects, and those he looks after. When he has left, his heirs read his shelf (alerts/readers.py says who they are): that is
another shelf from then on, so that they hear all that changed since they were last told anything.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

from app.alerts.readers import WHOLE, Succession, is_listed, successions
from app.heart.limits import NEVER
from app.rehearsals.flags import ENDED, Place

TOWN, BUREAU, LEADER, ELSEWHERE = "town", "bureau", "leader", "elsewhere"
"""People of towns; of bureau and county; leaders of these two; of departments."""
READERS = (TOWN, BUREAU, LEADER, ELSEWHERE)
OWN, LED = "own", "led"

Group: TypeAlias = "int | str | tuple[str, int, int]"
"""A shelf: an office (its town's readers), BUREAU, LEADER, or (OWN or LED, person, 0: his own; n: the n-th set of his heirs)."""


class Reader(NamedTuple):
    """A person. `until`: the first day he is no longer there; `path` is that of his office; `mailed`: is written to."""

    id: int
    role: str
    kind: str
    path: str
    until: int = NEVER
    mailed: bool = True

    @property
    def listed(self) -> bool:
        """Does he hear of the projects of his offices?"""
        return is_listed(self.role, self.kind)

    @property
    def counted(self) -> str:
        """As which of READERS his mails are counted."""
        if self.kind in WHOLE:
            return LEADER if self.role == "leader" else BUREAU
        return TOWN if self.kind == TOWN else ELSEWHERE


class Epoch(NamedTuple):
    """From a bit on, until the next one: who is there, and which set of heirs whoever left has (number, succession)."""

    bit: int
    gone: dict[int, tuple[int, Succession]]
    unread: dict[int, tuple[int, ...]]
    """office → those who left it without a reader"""


class Lead(NamedTuple):
    """What only hangs on places: bits on which somebody owns a project that goes on, or looks after one."""

    owning: dict[int, int]
    leading: dict[int, int]


class Audience:
    """The people there are, and the workdays on which they are written to: bit 0 is "never told", bit n the n-th workday."""

    def __init__(
        self,
        people: Sequence[Reader],
        workdays: Sequence[int],
        months: Sequence[int] = (),
        weeks: Sequence[int] = (),
        offices: Sequence[tuple[int, str]] = (),
    ) -> None:
        """`months`, `weeks`: those of the workdays with which a month or a week begins; `offices`: (number, path)."""
        self.people, self.workdays, self.offices = people, workdays, offices
        self._months, self.weeks = [self.bit(day) for day in months], [self.bit(day) for day in weeks]
        self.by_id = {one.id: one for one in people}
        self.kinds = frozenset(one.counted for one in people if one.listed and one.counted != TOWN)
        read = {one.path for one in people if one.listed and one.kind == TOWN}
        self.below = {path: frozenset(number for number, where in offices if where.startswith(path)) for path in read}
        self._read = frozenset().union(*self.below.values()) if self.below else frozenset()
        self.epochs = list(self._epochs())
        self._starts = [one.bit for one in self.epochs]

    def bit(self, day: int) -> int:
        """The bit of the first workday on or after a day; one past the last when there is none."""
        return bisect_left(self.workdays, day) + 1

    @property
    def end(self) -> int:
        """One past the last bit."""
        return len(self.workdays) + 1

    def monthly(self, first: int | None) -> dict[int, int]:
        """When leaders of county and bureau get their monthly section: with the first workday of each month, and with the first
        digest ever; `first` is the day since which there is any project to tell of."""
        begun = self.bit(first) if first is not None else self.end
        if begun >= self.end:
            return {}
        masks = {bit: bits(0, bit) for bit in self._months if bit >= begun}
        return masks | {begun: masks.get(begun, 0) | 1}

    def weekly(self, leading: int) -> dict[int, int]:
        """When a liaison leader's page is due who looks after something on these bits: with the first workday of a week, and as
        soon as there is anything on it."""
        masks = {}
        for bit in {*(one for one in self.weeks if leading >> one & 1), *rises(leading)}:
            begun = self.weeks[at - 1] if (at := bisect_right(self.weeks, bit)) else 1
            masks[bit] = bits(0, begun)
        return masks

    def _epochs(self) -> Iterator[Epoch]:
        sets: dict[int, list[Succession]] = defaultdict(list)
        for bit in sorted({1, *(bit for one in self.people if (bit := self.bit(one.until)) < self.end)}):
            there = [one for one in self.people if self.bit(one.until) > bit]
            found = successions(there, (one for one in self.people if self.bit(one.until) <= bit), self.offices)
            gone, unread = {}, defaultdict(list)
            for number, one in found.items():
                if not sets[number] or sets[number][-1] != one:
                    sets[number].append(one)
                gone[number] = len(sets[number]), one
                for office in one.offices:
                    unread[office].append(number)
            yield Epoch(bit, gone, {office: tuple(some) for office, some in unread.items()})

    def groups(self, places: Sequence[Place]) -> list[tuple[int, tuple[Group, ...]]]:
        """Which shelves a project lies on beside those of the whole county, from which bit on. What changes between two workdays is
        seen as it is on the second."""
        found: list[tuple[int, tuple[Group, ...]]] = []
        for place in places:
            first = self.bit(place.first)
            at = max(bisect_right(self._starts, first) - 1, 0)
            for epoch in self.epochs[at : max(bisect_left(self._starts, self.bit(place.until)), at + 1)]:
                bit, heard = max(first, epoch.bit), self._heard(place, epoch)
                if found and found[-1][0] == bit:
                    found.pop()
                if not found or found[-1][1] != heard:
                    found.append((bit, heard))
        return found

    def _heard(self, place: Place, epoch: Epoch) -> tuple[Group, ...]:
        heard: list[Group] = [place.office_id] if place.office_id in self._read else []
        heard += [(OWN, number, epoch.gone[number][0]) for number in epoch.unread.get(place.office_id, ())]
        for what, number in ((OWN, place.owner_id), (LED, place.liaison_id)):
            one = self.by_id.get(number or 0)
            if one is None or (number not in epoch.gone and self._hears_anyway(one, place.office_id)):
                continue
            heard.append((what, one.id, epoch.gone[one.id][0] if one.id in epoch.gone else 0))
        return tuple(dict.fromkeys(heard))

    def _hears_anyway(self, one: Reader, office: int) -> bool:
        return one.listed and (one.kind != TOWN or office in self.below[one.path])

    def live(self, place: Place, lead: Lead) -> None:
        """Add a place to what somebody owns or looks after while the project goes on."""
        if place.silent != ENDED:
            span = bits(self.bit(place.first), self.bit(place.until))
            for number, into in ((place.owner_id, lead.owning), (place.liaison_id, lead.leading)):
                if number is not None:
                    into[number] = into.get(number, 0) | span

    def inheritances(self, lead: Lead) -> dict[int, list[tuple[int, int, int]]]:
        """person → (leaver, which set of his heirs he is in, bits on which there is anything to take over)."""
        found: dict[int, dict[tuple[int, int], int]] = defaultdict(lambda: defaultdict(int))
        for epoch, end in zip(self.epochs, [*self._starts[1:], self.end], strict=True):
            span = bits(epoch.bit, end)
            for number, (which, one) in epoch.gone.items():
                active = span if one.offices else span & (lead.owning.get(number, 0) | lead.leading.get(number, 0))
                if active:
                    for heir in one.heirs:
                        found[heir][number, which] |= active
        return {heir: [(number, which, active) for (number, which), active in some.items()] for heir, some in found.items()}

    def shelves(self, reader: Reader) -> list[Group]:
        """What a reader hears of while he is there."""
        own: list[Group] = [(OWN, reader.id, 0), (LED, reader.id, 0)]
        if not reader.listed:
            return own
        return [*sorted(self.below[reader.path]), *own] if reader.kind == TOWN else [reader.counted, *own]


def bits(start: int, end: int) -> int:
    """The bits start <= bit < end."""
    return (1 << end) - (1 << start) if end > start else 0


def rises(mask: int) -> Iterator[int]:
    """The bits of a mask whose lower neighbour is not in it."""
    yield from ones(mask & ~(mask << 1))


def ones(mask: int) -> Iterator[int]:
    """The bits of a mask, ascending."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low
