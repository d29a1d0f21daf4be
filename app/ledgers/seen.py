"""The rows of a file taken so far, by what they are found by; of two rows that tell of one project the later is a duplicate. Pure.

Two rows tell of one project when they share its number; or the name in one town, or the 项目代码, unless they carry two numbers
(or, of one name, two codes). Some two hundred bytes a row, and a row costs the same however many of its name there are.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from app.ledgers.understanding.model import Row

if TYPE_CHECKING:
    from app.ledgers.matching import Keys

Place = tuple[str, int]
"""Sheet and row."""


class Seen:
    """Rows are counted in their order; a row is kept as that count, its place, and hashes of its number and code (0: none)."""

    def __init__(self) -> None:
        self._first: dict[int, int] = {}
        """Whatever rows are looked for by, as a hash → the first row that has it."""
        self._refs, self._codes, self._places = array("q"), array("q"), array("q")
        self._sheets: list[str] = []
        self._projects: dict[int, int] = {}
        self._learnt: list[int] = []
        self._met: list[int] = []
        self._begun = 0

    def begin(self) -> None:
        """What is learnt from here on may be undone."""
        self._learnt.clear()
        self._met.clear()
        self._begun = len(self._places)

    def undo(self) -> None:
        """Forget what was learnt since `begin`: the chunk will be done again."""
        for key in self._learnt:
            del self._first[key]
        for number in self._met:
            del self._projects[number]
        for kept in (self._refs, self._codes, self._places):
            del kept[self._begun :]
        self.begin()

    def meet(self, number: int, place: Place) -> None:
        """The row at a place told of a project of the register."""
        self._projects[number] = self._packed(place)
        self._met.append(number)

    def __contains__(self, number: object) -> bool:
        return number in self._projects

    def told_of(self, number: int) -> Place | None:
        """The row that told of a project, if one did."""
        packed = self._projects.get(number)
        return None if packed is None else self._unpacked(packed)

    def earlier(self, row: Row, keys: Keys, office: str) -> Place | None:
        """The row that tells of the same project; this one is remembered when there is none."""
        if (exact := next((mark.of for mark in row.marks if mark.code == "exact_duplicate"), None)) is not None:
            return exact
        ref, code = hash(keys.ref) if keys.ref else 0, hash(keys.code) if keys.code else 0
        by_name, by_ref, by_code = hash(("name", keys.name, office)), hash(("ref", keys.ref)), hash(("code", keys.code))
        found = self._same(by_name, ref, code)
        if found is None and ref:
            found = self._first.get(by_ref)
        if found is None and code:
            found = self._same(by_code, ref)
        if found is not None:
            return self._unpacked(self._places[found])
        number = len(self._places)
        self._places.append(self._packed((row.table.sheet, row.number)))
        self._refs.append(ref)
        self._codes.append(code)
        self._learn(by_name, number)
        if self._first[by_name] != number:
            self._spread(by_name, number, ref, code)
        if ref:
            self._learn(by_ref, number)
        if code:
            self._learn(by_code, number)
            if self._first[by_code] != number:
                self._spread(by_code, number, ref)
        return None

    def _same(self, group: int, ref: int, code: int | None = None) -> int | None:
        """The first row of a group with this number or none, and this code or none; a row without takes those of any. `code` None: the
        group is one of a code."""
        first = self._first.get(group)
        if first is None or not (ref or code):
            return first
        self._spread(group, first, self._refs[first], None if code is None else self._codes[first])
        refs, codes = (0, ref) if ref else (None,), (0, code) if code else (None,)
        every = [self._first.get(hash((group, one, other))) for one in refs for other in codes]
        return min((one for one in every if one is not None), default=None)

    def _spread(self, group: int, number: int, ref: int, code: int | None = None) -> None:
        """Let a row of a group that has several be found by its number and its code. (Most names stand alone.)"""
        self._learn(hash((group, ref, None)), number)
        if code is not None:
            self._learn(hash((group, None, code)), number)
            self._learn(hash((group, ref, code)), number)

    def _learn(self, key: int, number: int) -> None:
        if key not in self._first:
            self._first[key] = number
            self._learnt.append(key)

    def _packed(self, place: Place) -> int:
        sheet, row = place
        if not self._sheets or self._sheets[-1] != sheet:
            self._sheets.append(sheet)
        return len(self._sheets) - 1 << 32 | row

    def _unpacked(self, packed: int) -> Place:
        return self._sheets[packed >> 32], packed & 0xFFFFFFFF
