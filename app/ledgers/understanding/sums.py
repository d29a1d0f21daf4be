"""What rows add to the totals of a table; and amounts of a group, by merged cells or by their words: none for a row, once for the sum."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from app.ledgers.understanding.amounts import Amount, Cell, as_seen
from app.ledgers.understanding.areas import Area
from app.ledgers.understanding.filling import SheetFacts
from app.ledgers.understanding.marks import Mark
from app.ledgers.understanding.totals import AREA_SCALE, Totals
from app.ledgers.understanding.units import Unit

Marks = dict[int, list[Mark]]


class Sums:
    """`units` of the columns of money and `areas` by field; `columns` and `letters` of all fields."""

    def __init__(self, sheet: SheetFacts, totals: Totals, units: dict[str, Unit | None], areas: Sequence[str], columns: dict[str, int],
                 letters: dict[str, str]) -> None:  # fmt: skip
        self._sheet, self._totals, self._units, self._areas = sheet, totals, units, areas
        self._columns, self._letters = columns, letters
        self._last: dict[str, tuple[int, Cell | None]] = {}

    def share(self, numbers: Sequence[int], values: dict[str, Any], marks: Marks) -> None:
        """Take the amount from each row of a merged cell, and say so."""
        for name in (*self._units, *self._areas):
            for top, bottom in self._sheet.down(self._columns[name], numbers[0] - 1, numbers[-1] - 1):
                inside = [place for place, number in enumerate(numbers) if top <= number - 1 <= bottom]
                for place in inside:
                    self._share_one(name, place, bottom - top + 1, values[name], marks)

    def _share_one(self, name: str, place: int, by: int, found: list[Any], marks: Marks) -> None:
        one = found[place]
        if isinstance(one, Area) and one.value is not None:
            found[place] = one._replace(value=None, missing="shared")
            marks.setdefault(place, []).append(Mark("area_shared", name, self._letters[name], as_seen(one.raw)))
        elif isinstance(one, Amount) and one.minor is not None:
            found[place] = one._replace(minor=None, missing="shared_total", shared=one.minor, shared_by=by)
            marks.setdefault(place, []).append(Mark("amount_shared_total", name, self._letters[name], as_seen(one.raw)))

    def add(self, numbers: Sequence[int], values: dict[str, Any], rejected: dict[int, Mark]) -> None:
        """Rows without a total among them, in order."""
        part = self._totals.part
        part.count += len(numbers)
        begin = numbers[0]
        for before, number in pairwise(numbers):
            if number != before + 1:
                part.add(begin, before)
                begin = number
        part.add(begin, numbers[-1])
        for name, unit in self._units.items():
            excluded: list[tuple[int, str]] = []
            total, valued = self._money(name, unit.currency if unit else "CNY", numbers, values[name], rejected, excluded)
            if excluded := [one for one in excluded if self._sheet.rooms.excluded.take()]:
                part.excluded.setdefault(name, []).extend(excluded)
            part.sums[name] = part.sums.get(name, 0) + total
            part.valued[name] = part.valued.get(name, 0) + valued
        for name in self._areas:
            good = [one.value for place, one in enumerate(values[name]) if one.value is not None and place not in rejected]
            part.sums[name] = part.sums.get(name, 0) + int(sum(good) * AREA_SCALE)
            part.valued[name] = part.valued.get(name, 0) + len(good)

    def _money(self, name: str, currency: str, numbers: Sequence[int], found: Sequence[Amount], rejected: dict[int, Mark],
               excluded: list[tuple[int, str]]) -> tuple[int, int]:  # fmt: skip
        total = valued = 0
        for place, one in enumerate(found):
            if one.missing == "empty" and place not in rejected:
                continue
            if place in rejected:
                excluded.append((numbers[place], "rejected"))
            elif one.minor is not None and one.currency == currency:
                total += one.minor
                valued += 1
            elif one.shared is not None:
                total += one.shared if self._first_of_group(name, numbers[place], one) and one.currency == currency else 0
                valued += 1
            else:
                excluded.append((numbers[place], "foreign_currency" if one.minor is not None else str(one.missing)))
        return total, valued

    def _first_of_group(self, name: str, number: int, one: Amount) -> bool:
        """A group is one merged cell, or rows one below the other that say the same."""
        top = next((top for top, _ in self._sheet.down(self._columns[name], number - 1, number - 1)), None)
        group: Cell | None = one.raw if top is None else top
        before = self._last.get(name)
        self._last[name] = number, group
        return before is None or before != (number - 1, group)
