"""Duplicates in a workbook (rule 10): the later row carries the mark, both stay. Of each row seen some forty bytes are kept."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from app.ledgers.understanding.amounts import Cell
from app.ledgers.understanding.headers import NAME
from app.ledgers.understanding.marks import Mark
from app.ledgers.understanding.model import Table

_ROWS = 1 << 21
_MASK = (1 << 64) - 1


class Names:
    """Every project name seen so far, folded, as a 64-bit hash: two different names meet once in a thousand million workbooks."""

    def __init__(self) -> None:
        self._first: dict[int, int] = {}
        self._whole: dict[int, set[int]] = {}
        self._sheets: list[str] = []

    def look(self, table: Table, numbers: Sequence[int], names: Sequence[str | None], picked: dict[str, tuple[Cell, ...]],
             marks: dict[int, list[Mark]]) -> None:  # fmt: skip
        """Mark the rows whose name was there before."""
        if not self._sheets or self._sheets[-1] != table.sheet:
            self._sheets.append(table.sheet)
        sheet = len(self._sheets) - 1
        compared = [cells for name, cells in picked.items() if name != "seq"]
        rows = zip(*compared, strict=True)
        first = self._first
        for place, (number, name, row) in enumerate(zip(numbers, names, rows, strict=True)):
            if name is None:
                continue
            key = hash(fold(name)) & _MASK
            whole = hash(row) & _MASK
            before = first.setdefault(key, whole << 32 | sheet << 21 | number % _ROWS)
            if before >> 32 == whole and before & (_ROWS - 1) == number % _ROWS and (before >> 21) & 0x7FF == sheet:
                continue
            of = (self._sheets[(before >> 21) & 0x7FF], before & (_ROWS - 1))
            seen = self._whole.setdefault(key, {before >> 32})
            exact = whole in seen
            seen.add(whole)
            letters = table.columns[NAME]
            marks.setdefault(place, []).append(
                Mark("exact_duplicate", None, None, None, of) if exact else Mark("possible_duplicate", NAME, letters, name[:200], of)
            )


def fold(name: str) -> str:
    """Without width, case, blanks, brackets, quotes and other punctuation; a name of nothing but these stays itself."""
    text = unicodedata.normalize("NFKC", name).casefold()
    return text if text.isalnum() else "".join(letter for letter in text if letter.isalnum()) or text
