"""A list as a file: CSV or XLSX, written row by row into a temporary file that nobody else can see.

Memory does not grow with the list: a spreadsheet's rows wait on the disk until it is closed. Names come from outside, and
a spreadsheet runs what looks like a formula: text is always written as text.
"""

from __future__ import annotations

import csv
import io
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import IO, Any
from urllib.parse import quote

from xlsxwriter import Workbook

from app.lists.columns import Column, Shown

CSV, XLSX = "csv", "xlsx"
TYPES = {CSV: "text/csv; charset=utf-8", XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}
SHEET_ROWS = 1_048_576
"""Rows of one sheet in Excel, the header among them; a longer list goes on on the next sheet."""
CELL_MARKS = 32_767
"""Characters of one cell in Excel."""
PIECE = 1 << 18
_MARK = b"\xef\xbb\xbf"
_FORMULA = tuple("=+-@\t\r")
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML cannot hold."""

Note = Sequence[Any]
"""A row of the sheet that says what was asked: text, dates and numbers."""


def wanted(accept: str) -> str | None:
    """The kind of file that an Accept header asks for; None for JSON."""
    return next((kind for kind, name in TYPES.items() if name.partition(";")[0] in accept), None)


def disposition(name: str, title: str, day: date, kind: str) -> str:
    """Content-Disposition of a file: its Chinese name (RFC 5987), and a plain one for those who cannot read that."""
    return f"attachment; filename=\"{name}-{day}.{kind}\"; filename*=UTF-8''{quote(f'{title}_{day}.{kind}')}"


def written(
    columns: Sequence[Column], batches: Iterable[Sequence[Shown]], kind: str, notes: Iterable[Note], title: str, now: datetime
) -> Any:
    """An open temporary file, at its beginning, with the whole list in it; it is gone when it is closed. `notes` are read last."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - whoever sends it closes it
    try:
        if kind == CSV:
            _csv(file, columns, batches)
        else:
            _xlsx(file, columns, batches, notes, title, now)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def pieces(file: IO[bytes]) -> Iterator[bytes]:
    """The file in pieces, closed at the end or when the reader goes away."""
    with file:
        while piece := file.read(PIECE):
            yield piece


def _csv(file: Any, columns: Sequence[Column], batches: Iterable[Sequence[Shown]]) -> None:
    """UTF-8 with a mark, so that Excel reads it; a cell that a spreadsheet would take for a formula is made text."""
    file.write(_MARK)
    text = io.TextIOWrapper(file, "utf-8", newline="", write_through=True)
    out = csv.writer(text, lineterminator="\r\n")
    out.writerow([column.header for column in columns])
    for rows in batches:
        out.writerows([_plain(column.value(row)) for column in columns] for row in rows)
    text.detach()


def _plain(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    return "" if value is None else value


def _xlsx(
    file: Any, columns: Sequence[Column], batches: Iterable[Sequence[Shown]], notes: Iterable[Note], title: str, now: datetime
) -> None:
    with opened(file, title, now) as book:
        Sheets(book, columns, title).fill(batches)
        write_notes(book, notes)


@contextmanager
def opened(file: Any, title: str, now: datetime) -> Iterator[Workbook]:
    """A workbook that is written row by row, whose texts stay texts; whole when the block ends without an error."""
    with tempfile.TemporaryDirectory(prefix="luodi-") as folder:
        options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
        book = Workbook(file, {**options, "tmpdir": folder})
        book.set_properties({"title": title, "created": now.replace(tzinfo=None)})
        try:
            yield book
            book.close()
        finally:  # a list that is refused half-way leaves its rows behind in open files
            for sheet in book.worksheets():
                if sheet.row_data_fh is not None:
                    sheet.row_data_fh.close()


class Sheets:
    """The rows of a list on as many sheets as they need, each with a header that stays in sight."""

    def __init__(self, book: Workbook, columns: Sequence[Column], title: str) -> None:
        self.book, self.columns, self.title = book, columns, title
        self.formats = {
            date: book.add_format({"num_format": "yyyy-mm-dd", "align": "left"}),
            Decimal: book.add_format({"num_format": "#,##0.00######"}),  # all there is: a .csv saved from it holds what is shown
        }
        self.head = book.add_format({"bold": True, "bg_color": "#DDEBF7", "text_wrap": True, "valign": "vcenter", "border": 1})
        self.count = 0
        self.sheet, self.row = self._begin(), 1

    def _begin(self) -> Any:
        self.count += 1
        sheet = self.book.add_worksheet(self.title if self.count == 1 else f"{self.title}{self.count}")
        sheet.freeze_panes(1, 2)
        for place, column in enumerate(self.columns):
            sheet.set_column(place, place, column.width)
            sheet.write_string(0, place, column.header + column.unit, self.head)
        return sheet

    def _end(self) -> None:
        self.sheet.autofilter(0, 0, self.row - 1, len(self.columns) - 1)

    def fill(self, batches: Iterable[Sequence[Shown]]) -> None:
        """Write all rows."""
        for rows in batches:
            for row in rows:
                if self.row == SHEET_ROWS:
                    self._end()
                    self.sheet, self.row = self._begin(), 1
                self._line(row)
                self.row += 1
        self._end()

    def _line(self, row: Shown) -> None:
        for place, column in enumerate(self.columns):
            write(self.sheet, self.row, place, column.value(row), self.formats)


def write(sheet: Any, row: int, place: int, value: Any, formats: dict[Any, Any]) -> None:
    """One cell as what it is: text as text, a date as a date, money and counts as numbers."""
    if value is None:
        return
    if isinstance(value, str):
        sheet.write_string(row, place, legible(value))
    elif isinstance(value, date):
        sheet.write_datetime(row, place, value, formats[date])
    elif isinstance(value, Decimal):
        sheet.write_number(row, place, float(value), formats[Decimal])
    else:
        sheet.write_number(row, place, value)


def legible(text: str) -> str:
    """A text that a cell can hold: without what XML forbids, and cut off where a cell ends."""
    if text.isprintable() and len(text) <= CELL_MARKS:  # most are, and this is the faster look
        return text
    clean = _ILLEGAL.sub("", text)
    return clean if len(clean) <= CELL_MARKS else clean[: CELL_MARKS - 1] + "…"


def write_notes(book: Workbook, notes: Iterable[Note]) -> None:
    """The sheet 说明."""
    sheet = book.add_worksheet("说明")
    formats = {date: book.add_format({"num_format": "yyyy-mm-dd", "align": "left"})}
    sheet.set_column(0, 0, 24)
    sheet.set_column(1, 1, 44)
    sheet.set_column(2, 5, 16)
    for row, cells in enumerate(notes):
        for place, value in enumerate(cells):
            write(sheet, row, place, value, formats)
