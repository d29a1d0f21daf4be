"""Merged cells: their value stands in the first row only, and counts for all rows it covers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from app.ledgers.understanding.amounts import Cell
from app.ledgers.understanding.headers import Merges

Columns = Sequence[Sequence[Cell]]
"""A portion of rows turned round: the cells of each column."""


class SheetFacts:
    """What is known of a whole sheet beside its cells: see SheetHead. `formulas` by row."""

    def __init__(self, name: str, merges: Merges, formulas: Sequence[tuple[int, int, str]], hidden_rows: Sequence[Sequence[int]],
                 hidden_columns: Sequence[Sequence[int]], *, date1904: bool, is_csv: bool) -> None:  # fmt: skip
        self.name, self.merges, self.date1904, self.is_csv = name, merges, date1904, is_csv
        self.formulas: dict[int, list[tuple[int, str]]] = {}
        for row, column, text in formulas:
            self.formulas.setdefault(row, []).append((column, text))
        self.hidden_rows = [(first, last) for first, last in hidden_rows]
        self.hidden_columns = [(first, last) for first, last in hidden_columns]
        self._down: dict[int, list[tuple[int, int]]] = {}
        for top, left, bottom, _ in merges.ranges:
            if bottom > top:
                self._down.setdefault(left, []).append((top, bottom))
        for ranges in self._down.values():
            ranges.sort()
        self._held: dict[tuple[int, int], Cell] = {}

    def down(self, column: int, first: int, last: int) -> Iterator[tuple[int, int]]:
        """(top, bottom) of cells of a column merged downwards that touch these rows, ends included."""
        for top, bottom in self._down.get(column, ()):
            if top > last:
                return
            if bottom >= first:
                yield top, bottom

    def hold(self, columns: Columns, base: int) -> None:
        """Keep the cells of this portion whose merge reaches beyond it."""
        if not self._down or not columns:
            return
        last = base + len(columns[0]) - 1
        for column, ranges in self._down.items():
            for top, bottom in ranges:
                if base <= top <= last < bottom and column < len(columns):
                    self._held[top, column] = columns[column][top - base]
                if bottom < base:
                    self._held.pop((top, column), None)

    def fills(self, column: int, columns: Columns, base: int, begin: int, end: int) -> dict[int, Cell]:
        """place → value, for the places from `begin` to before `end` that a merge above fills."""
        fills: dict[int, Cell] = {}
        for top, bottom in self.down(column, base + begin, base + end - 1):
            value = columns[column][top - base] if top >= base else self._held.get((top, column), "")
            for row in range(max(top + 1, base + begin), min(bottom, base + end - 1) + 1):
                fills[row - base] = value
        return fills
