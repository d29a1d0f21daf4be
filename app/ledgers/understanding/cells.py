"""A column of cells to a column of values, each distinct cell read once. What is the same for all rows is done for all rows at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from app.ledgers.sheets.limits import TEXT
from app.ledgers.understanding import areas, dates
from app.ledgers.understanding.amounts import Cell, read_amount
from app.ledgers.understanding.codes import CHECKS
from app.ledgers.understanding.units import Unit

CACHED, LONG = 16_384, 200
"""Distinct cells of a column kept, a long one counting as many of so many characters; then the cache starts anew, so memory does not
grow with the file."""
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]")
_FORMULA = re.compile(r"[=@]|[+\-](?=.*\|)", re.DOTALL)
_ERROR = "#ERROR!"
_LOST = 10**15

Read = Callable[[Cell], Any]
Remarks = dict[int, tuple[str, ...]]
"""Place in the column → codes of marks."""


class TypedColumn:
    """Amounts, dates, areas: objects with `marks`, cached by cell."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._cache: dict[Any, Any] = {}
        self._marked: set[Any] = set()
        self._held = 0

    def values(self, cells: Sequence[Cell]) -> tuple[list[Any], Remarks]:
        if bool in set(map(type, cells)):  # True == 1, and they are not the same cell
            found = [self._read(cell) for cell in cells]
        else:
            cache = self._cache
            if self._held > CACHED:
                cache.clear()
                self._marked.clear()
                self._held = 0
            for cell in set(cells).difference(cache):
                cache[cell] = one = self._read(cell)
                self._held += 1 + len(cell) // LONG if type(cell) is str else 1
                if one.marks:
                    self._marked.add(cell)
            found = list(map(cache.__getitem__, cells))
            if self._marked.isdisjoint(cells):
                return found, {}
        return found, {place: one.marks for place, one in enumerate(found) if one.marks}


def money(unit: Unit | None) -> TypedColumn:
    return TypedColumn(lambda cell: read_amount(cell, unit))


def moments(year: int | None, date1904: bool) -> TypedColumn:
    return TypedColumn(lambda cell: dates.read_date(cell, year=year, date1904=date1904))


def area(unit: str, own: tuple[str, int] | None) -> TypedColumn:
    return TypedColumn(lambda cell: areas.read_area(cell, unit, own))


class TextColumn:
    """Text or None. Hostile cells are text: control characters go, formulas stay as they are written."""

    def __init__(self, field: str) -> None:
        self._check = CHECKS.get(field)
        self._name = field

    def values(self, cells: Sequence[Cell]) -> tuple[list[str | None], Remarks]:
        remarks: Remarks = {}
        try:
            whole = "".join(cells)  # type: ignore[arg-type]
            plain = whole.isprintable() or not _CONTROL.search(whole)  # the first is the faster look, the second the exact one
            odd = any(sign in whole for sign in ("=", "@", "|", _ERROR)) or (len(whole) > TEXT and max(map(len, cells)) > TEXT)  # type: ignore[arg-type]
            suspicious = not plain or odd
        except TypeError:
            if set(map(type, cells)) == {float} and max(cells) < _LOST:  # type: ignore[operator]
                return [str(int(cell)) if cell.is_integer() else str(cell) for cell in cells], remarks  # type: ignore[union-attr]
            suspicious = True
        if suspicious:
            found = [self._one(place, cell, remarks) for place, cell in enumerate(cells)]
        else:
            found = list(map(str.strip, cells))  # type: ignore[arg-type]
            if "" in found:
                found = [text or None for text in found]
        if self._check:
            fits, mark = self._check
            for place, text in enumerate(found):
                if text and not fits(text):
                    remarks[place] = (*remarks.get(place, ()), mark)
        return found, remarks

    def _one(self, place: int, cell: Cell, remarks: Remarks) -> str | None:
        marks: tuple[str, ...] = ()
        if isinstance(cell, bool):
            text = "是" if cell else "否"
        elif isinstance(cell, int | float):
            if abs(cell) >= _LOST:
                marks = ("digits_lost",)
            text = str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)
        else:
            text = cell
            if _CONTROL.search(text):
                text, marks = _CONTROL.sub("", text), ("control_characters",)
            if len(text) > TEXT:
                text, marks = text[:TEXT], (*marks, "text_cut")
            text = text.strip()
            if _FORMULA.match(text):
                marks = (*marks, "formula_as_text")
            elif text == _ERROR:
                text, marks = "", (*marks, "cell_error")
        if marks:
            remarks[place] = marks
        return text or None
