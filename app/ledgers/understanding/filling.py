"""Merged cells: their value stands in the first row only, and counts for all rows it covers."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from app.ledgers.understanding.amounts import Cell
from app.ledgers.understanding.headers import Merges
from app.ledgers.understanding.model import Rooms

Columns = Sequence[Sequence[Cell]]
"""A portion of rows turned round: the cells of each column."""
Ranges = list[tuple[int, int]]


def apart(ranges: Sequence[Sequence[int]]) -> Ranges:
    """Ranges in order, those that overlap an earlier one left out: only a damaged file has them, and each costs all its rows."""
    kept: Ranges = []
    for first, last in sorted((first, last) for first, last in ranges):
        if not kept or first > kept[-1][1]:
            kept.append((first, last))
    return kept


def touching(ranges: Ranges, first: int, last: int) -> Iterator[tuple[int, int]]:
    """Of ranges that are apart those that touch first to last, ends included; found, not searched: a sheet may have a hundred thousand."""
    for place in range(bisect_left(ranges, first, key=lambda one: one[1]), len(ranges)):
        if ranges[place][0] > last:
            return
        yield ranges[place]


class SheetFacts:
    """What is known of a whole sheet beside its cells: see SheetHead. `formulas` by row."""

    def __init__(self, name: str, merges: Merges, formulas: Sequence[tuple[int, int, str]], hidden_rows: Sequence[Sequence[int]],
                 hidden_columns: Sequence[Sequence[int]], *, date1904: bool, rooms: Rooms) -> None:  # fmt: skip
        self.name, self.merges, self.date1904, self.rooms = name, merges, date1904, rooms
        self.formulas: dict[int, list[tuple[int, str]]] = {}
        for row, column, text in formulas:
            self.formulas.setdefault(row, []).append((column, text))
        self.hidden_rows = apart(hidden_rows)
        self.hidden_columns = apart(hidden_columns)
        down: dict[int, Ranges] = {}
        for top, left, bottom, _ in merges.ranges:
            if bottom > top:
                down.setdefault(left, []).append((top, bottom))
        self._down = {column: apart(ranges) for column, ranges in down.items()}
        self._held: dict[tuple[int, int], Cell] = {}

    def down(self, column: int, first: int, last: int) -> Iterator[tuple[int, int]]:
        """(top, bottom) of cells of a column merged downwards that touch these rows, ends included."""
        return touching(self._down.get(column, []), first, last)

    def hold(self, columns: Columns, base: int) -> None:
        """Keep the cells of this portion whose merge reaches beyond it."""
        if not self._down or not columns:
            return
        last = base + len(columns[0]) - 1
        held = {}
        for column, ranges in self._down.items():
            for top, bottom in touching(ranges, base, last):  # what ends here is kept too: another table may still ask for it
                if top < base:
                    held[top, column] = self._held.get((top, column), "")
                elif bottom > last and column < len(columns):
                    held[top, column] = columns[column][top - base]
        self._held = held

    def fills(self, column: int, columns: Columns, base: int, begin: int, end: int) -> dict[int, Cell]:
        """place → value, for the places from `begin` to before `end` that a merge above fills."""
        fills: dict[int, Cell] = {}
        for top, bottom in self.down(column, base + begin, base + end - 1):
            value = columns[column][top - base] if top >= base else self._held.get((top, column), "")
            for row in range(max(top + 1, base + begin), min(bottom, base + end - 1) + 1):
                fills[row - base] = value
        return fills
