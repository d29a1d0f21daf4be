"""The workbook of rows that have to be mended: each table's own header, the reason first, the cells as they were written.

It is a ledger again: whoever mends the rows sends this file. A cell that looks like a formula is text.
"""

from __future__ import annotations

import re
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from xlsxwriter import Workbook
from xlsxwriter.exceptions import FileCreateError

from app.errors import Invalid
from app.ledgers.queries import reason_of
from app.lists.files import legible

REASON = "导入结果与原因"
_FORBIDDEN = re.compile(r"[\[\]:*?/\\\x00-\x1f]")
_SHEET_NAME = 31


class ErrorBook:
    """A context manager; with no path it only counts. A table gets its sheet with its first row; rows of a table come together."""

    def __init__(self, path: Path | None) -> None:
        self.count = 0
        self._path = path
        self._book: Any = None
        self._sheet: Any = None
        self._table: int | None = None
        self._names: set[str] = set()
        self._row = 0

    def __enter__(self) -> Self:
        if self._path is not None:
            try:
                self._path.touch()
            except OSError as error:
                raise Invalid(f"写不了错误文件 {self._path}：{error.strerror} / cannot write it") from error
            options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
            self._book = Workbook(str(self._path), options)
            self._bold = self._book.add_format({"bold": True, "bg_color": "#DDEBF7", "text_wrap": True, "valign": "vcenter", "border": 1})
            self._wrap = self._book.add_format({"text_wrap": True, "valign": "top", "font_color": "#C00000"})
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._book is None:
            return
        if self._sheet is None:
            self._book.add_worksheet("无")
        try:
            self._book.close()
        except FileCreateError as failed:
            raise Invalid(f"写不了错误文件 {self._path} / cannot write it") from failed

    def add(self, table: dict[str, Any], row: dict[str, Any]) -> None:
        """One row, with why it is here."""
        self.count += 1
        if self._book is None:
            return
        if self._table != table["number"]:
            self._begin(table)
        self._sheet.write_string(self._row, 0, legible(reason_of(row)), self._wrap)
        for place, cell in enumerate(row["raw"], 1):
            write_cell(self._sheet, self._row, place, cell)
        self._row += 1

    def _begin(self, table: dict[str, Any]) -> None:
        """A sheet like the one the rows came from: unit and date above, then its header."""
        self._table = table["number"]
        self._sheet = self._book.add_worksheet(self._name(table["sheet"]))
        self._sheet.set_column(0, 0, 60)
        self._row = 0
        above = [f"单位：{table['unit']}" if table["unit"] else "", _date(table["report_date"])]
        for place, text in enumerate(filter(None, above)):
            self._sheet.write_string(0, place, text)
            self._row = 1
        for place, label in enumerate((REASON, *table["labels"])):
            self._sheet.write_string(self._row, place, legible(label), self._bold)
        self._row += 1
        self._sheet.freeze_panes(self._row, 1)

    def _name(self, wanted: str) -> str:
        plain = _FORBIDDEN.sub(" ", wanted).strip("' ")[: _SHEET_NAME - 4] or "台账"
        name, count = plain, 1
        while name.casefold() in self._names:
            count += 1
            name = f"{plain}~{count}"
        self._names.add(name.casefold())
        return name


def _date(text: str | None) -> str:
    if not text:
        return ""
    year, month, day = text.split("-")
    return f"{year}年{int(month)}月{int(day)}日"


def write_cell(sheet: Any, row: int, place: int, cell: Any) -> None:
    """A cell as it was written: numbers stay numbers, everything else is text."""
    if isinstance(cell, bool):
        sheet.write_string(row, place, "是" if cell else "否")
    elif isinstance(cell, int | float):
        sheet.write_number(row, place, cell)
    elif cell != "":
        sheet.write_string(row, place, legible(str(cell)))
