"""Duplicates in a workbook (rule 10): the later row carries the mark, both stay. Of each row seen some forty bytes are kept."""

from __future__ import annotations

import unicodedata
from array import array
from collections.abc import Sequence

from app.ledgers.understanding.amounts import Cell
from app.ledgers.understanding.firsts import Firsts
from app.ledgers.understanding.headers import NAME
from app.ledgers.understanding.marks import Mark
from app.ledgers.understanding.model import Table


class Names:
    """Every project name seen so far, folded, as a 64-bit hash, with a hash of its first row; and of names that come again those of
    their other rows."""

    def __init__(self) -> None:
        self._first, self._others = Firsts(), Firsts()
        self._rows, self._numbers, self._sheet = array("q"), array("I"), array("H")
        self._sheets: list[str] = []

    def look(self, table: Table, numbers: Sequence[int], names: Sequence[str | None], picked: dict[str, tuple[Cell, ...]],
             marks: dict[int, list[Mark]]) -> None:  # fmt: skip
        """Mark the rows whose name was there before."""
        if not self._sheets or self._sheets[-1] != table.sheet:
            self._sheets.append(table.sheet)
        sheet = len(self._sheets) - 1
        compared = [cells for name, cells in picked.items() if name != "seq"]
        rows = zip(*compared, strict=True)
        learn, kept = self._first.number, self._rows
        for place, (number, name, row) in enumerate(zip(numbers, names, rows, strict=True)):
            if name is None:
                continue
            key, whole, new = hash(fold(name)), hash(row), len(kept)
            first = learn(key)
            if first == new:
                kept.append(whole)
                self._numbers.append(number)
                self._sheet.append(sheet)
                continue
            count = len(self._others)
            exact = kept[first] == whole or self._others.number(hash((key, whole))) != count
            of = (self._sheets[self._sheet[first]], self._numbers[first])
            letters = table.columns[NAME]
            marks.setdefault(place, []).append(
                Mark("exact_duplicate", None, None, None, of) if exact else Mark("possible_duplicate", NAME, letters, name[:200], of)
            )


def fold(name: str) -> str:
    """Without width, case, blanks, brackets, quotes and other punctuation; a name of nothing but these stays itself."""
    text = unicodedata.normalize("NFKC", name).casefold()
    return text if text.isalnum() else "".join(letter for letter in text if letter.isalnum()) or text
