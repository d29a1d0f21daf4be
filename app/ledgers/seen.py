"""The rows of a file taken so far, by what they are found by; of two rows that tell of one project the later is a duplicate. Pure.

Two rows tell of one project when they share its number; or the name in one town, or the 项目代码, unless they carry two numbers
(or, of one name, two codes). A row takes some hundred bytes, and the same time however many of its name there are.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from app.ledgers.understanding.firsts import Firsts
from app.ledgers.understanding.model import Row

if TYPE_CHECKING:
    from app.ledgers.matching import Keys

Place = tuple[str, int]
"""Sheet and row."""
_ROWS = 24
"""Bits for a row of a sheet: a file of 10 MB has less, and 8 more hold what sheets a workbook may have (limits.py)."""


class Seen:
    """Rows are counted in their order; a row is kept as that count, its place, and hashes of its number and code (0: none)."""

    def __init__(self) -> None:
        self._first, self._rows = Firsts(), array("I")
        """Whatever rows are looked for by, as hashes, and the first row that has each."""
        self._refs, self._codes, self._places = array("q"), array("q"), array("I")
        self._projects, self._met = Firsts(), array("I")
        """Numbers of projects, and the place of the row that told of each."""
        self._sheets: dict[str, int] = {}
        self._begun = self._counts()

    def _counts(self) -> tuple[int, int, int]:
        return len(self._first), len(self._projects), len(self._places)

    def begin(self) -> None:
        """What is learnt from here on may be undone."""
        self._begun = self._counts()

    def undo(self) -> None:
        """Forget what was learnt since `begin`: the chunk will be done again."""
        learnt, met, rows = self._begun
        self._first.forget(learnt)
        self._projects.forget(met)
        for kept, count in ((self._rows, learnt), (self._met, met), (self._refs, rows), (self._codes, rows), (self._places, rows)):
            del kept[count:]

    def meet(self, number: int, place: Place) -> None:
        """The row at a place told of a project of the register."""
        if self._projects.number(number) == len(self._met):
            self._met.append(self._packed(place))

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and self._projects.get(number) is not None

    def told_of(self, number: int) -> Place | None:
        """The row that told of a project, if one did."""
        met = self._projects.get(number)
        return None if met is None else self._unpacked(self._met[met])

    def earlier(self, row: Row, keys: Keys, office: str) -> Place | None:
        """The row that tells of the same project; this one is remembered when there is none."""
        if (exact := next((mark.of for mark in row.marks if mark.code == "exact_duplicate"), None)) is not None:
            return exact
        ref, code = hash(keys.ref) if keys.ref else 0, hash(keys.code) if keys.code else 0
        by_name, by_ref, by_code = hash(("name", keys.name, office)), hash(("ref", keys.ref)), hash(("code", keys.code))
        found = self._same(by_name, ref, code)
        if found is None and ref:
            found = self._find(by_ref)
        if found is None and code:
            found = self._same(by_code, ref)
        if found is not None:
            return self._unpacked(self._places[found])
        number = len(self._places)
        self._places.append(self._packed((row.table.sheet, row.number)))
        self._refs.append(ref)
        self._codes.append(code)
        if not self._learn(by_name, number):
            self._spread(by_name, number, ref, code)
        if ref:
            self._learn(by_ref, number)
        if code and not self._learn(by_code, number):
            self._spread(by_code, number, ref)
        return None

    def shares_code(self, keys: Keys) -> Place | None:
        """Of the row that was just remembered: the first one that has its 项目代码 beside another number."""
        first = self._find(hash(("code", keys.code))) if keys.code else None
        return None if first is None or first == len(self._places) - 1 else self._unpacked(self._places[first])

    def _same(self, group: int, ref: int, code: int | None = None) -> int | None:
        """The first row of a group with this number or none, and this code or none; a row without takes those of any. `code` None: the
        group is one of a code."""
        first = self._find(group)
        if first is None or not (ref or code):
            return first
        self._spread(group, first, self._refs[first], None if code is None else self._codes[first])
        refs, codes = (0, ref) if ref else (None,), (0, code) if code else (None,)
        every = [self._find(hash((group, one, other))) for one in refs for other in codes]
        return min((one for one in every if one is not None), default=None)

    def _spread(self, group: int, number: int, ref: int, code: int | None = None) -> None:
        """Let a row of a group that has several be found by its number and its code. (Most names stand alone.)"""
        self._learn(hash((group, ref, None)), number)
        if code is not None:
            self._learn(hash((group, None, code)), number)
            self._learn(hash((group, ref, code)), number)

    def _find(self, key: int) -> int | None:
        """The first row that a key finds."""
        at = self._first.get(key)
        return None if at is None else self._rows[at]

    def _learn(self, key: int, row: int) -> bool:
        """Let a key find a row, unless it finds an earlier one."""
        new = self._first.number(key) == len(self._rows)
        if new:
            self._rows.append(row)
        return new

    def _packed(self, place: Place) -> int:
        sheet, row = place
        return self._sheets.setdefault(sheet, len(self._sheets)) << _ROWS | row

    def _unpacked(self, packed: int) -> Place:
        return list(self._sheets)[packed >> _ROWS], packed & (1 << _ROWS) - 1
