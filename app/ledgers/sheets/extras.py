"""What the parser of cells leaves out: formulas, error values, hidden rows and columns, days counted from 1904.

Most sheets have none of it, so the bytes are first searched for the words; only then are they parsed, with expat, whose
entities cannot matter because no DTD was let through (judging.py). One module for each format: xlsx.py, ods.py, xls.py.
"""

from __future__ import annotations

from typing import Any
from xml.parsers import expat

from app.ledgers.sheets.limits import FORMULA, FORMULAS, MERGES, Refuse


class Extras:
    """Of one sheet; rows and columns from 0, ranges inclusive. (No dataclass: importing that takes the child as long as a small file.)"""

    def __init__(self) -> None:
        self.merges: list[list[int]] = []
        self.hidden_rows: list[list[int]] = []
        self.hidden_columns: list[list[int]] = []
        self.formulas: list[tuple[int, int, str]] = []
        self.errors: list[tuple[int, int, str]] = []
        self.months: list[tuple[int, int, int]] = []
        self._room = FORMULAS

    def formula(self, row: int, column: int, text: str) -> None:
        """Keep one, as long as there is room: texts that many cells share would unfold without end."""
        text = text[:FORMULA]
        self._room -= len(text) + 1
        if self._room < 0:
            raise Refuse("area_too_large")
        self.formulas.append((row, column, text))

    def merge(self, *ends: int) -> None:
        """Keep a merged range: first row and column, last row and column."""
        if len(self.merges) >= MERGES:
            raise Refuse("area_too_large")
        self.merges.append(list(ends))

    def shown(self) -> dict[str, Any]:
        """As the parent is told; errors stand in their cells."""
        return {name: value for name, value in vars(self).items() if name not in ("months", "errors") and not name.startswith("_")}


def local(name: str) -> str:
    return name.rpartition(":")[2]


def parse(data: bytes, parser: Any) -> None:
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise Refuse("damaged") from error


def add_range(ranges: list[list[int]], first: int, last: int) -> None:
    if ranges and ranges[-1][1] + 1 == first:
        ranges[-1][1] = last
    else:
        ranges.append([first, last])
