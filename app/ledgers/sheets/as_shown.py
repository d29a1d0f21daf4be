"""Days that a sheet shows as months: 2026年3月 typed into a cell is kept as its first day, and is no finer for that.

Of a date on the first of a month (of a year), shown without its day, the month (the year) is told and no more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

MONTH, YEAR = len("2026-03"), len("2026")
"""So many letters of an ISO date are shown."""
BUILT_IN = {17: MONTH, 27: MONTH, 36: MONTH, 50: MONTH, 52: MONTH, 57: MONTH}
"""Numbers of formats that have no code in the file: mmm-yy, and yyyy"年"m"月" of Chinese programs."""
_SPOKEN = re.compile(r'"[^"]*"|\[[^\]]*\]|\\.|_.|\*.')
_LETTERS = re.compile(r"[yem\s./\-年月]*")
_SERIALS = range(18_264, 73_415)


def shown_by(code: str) -> int:
    """MONTH for yyyy"年"m"月", YEAR for yyyy"年", 0 for any other format."""
    bare = _SPOKEN.sub("", code.partition(";")[0]).lower()
    if not _LETTERS.fullmatch(bare) or not ("y" in bare or bare.startswith("e")):
        return 0
    return MONTH if "m" in bare else YEAR


def as_shown(rows: Iterator[list[Any]], cells: list[tuple[int, int, int]], *, date1904: bool) -> Iterator[list[Any]]:
    """The rows with these cells (row, column, letters shown) told as they are shown."""
    of_row: dict[int, list[tuple[int, int]]] = {}
    for row, column, letters in cells:
        of_row.setdefault(row, []).append((column, letters))
    for number, line in enumerate(rows):
        for column, letters in of_row.get(number, ()):
            if column < len(line):
                line[column] = _cell(line[column], letters, date1904)
        yield line


def _cell(cell: Any, letters: int, date1904: bool) -> Any:
    day = cell
    if isinstance(cell, float) and cell.is_integer() and int(cell) in _SERIALS:  # a format that the parser does not know for one of dates
        day = (date(1904, 1, 1) if date1904 else date(1899, 12, 30)) + timedelta(days=int(cell))
    if not isinstance(day, date) or (isinstance(day, datetime) and day != datetime(day.year, day.month, day.day)):
        return cell
    first = day.day == 1 and (letters == MONTH or day.month == 1)
    return day.isoformat()[:letters] if first else cell
