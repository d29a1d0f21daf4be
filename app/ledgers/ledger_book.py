"""The file of an exported ledger: the columns of 2.7 and two marks, lists to choose from, lights in their colours, notes beside it.

Texts stay texts: in a workbook nothing is a formula or an address, in a CSV what looks like a formula gets an apostrophe before it,
which an import takes away again. The blank template is the same sheet without rows; its examples stand on the notes, turned by a
right angle, where no reader takes them for projects.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import IO, Any

from xlsxwriter import Workbook

from app.heart import lifecycle
from app.ledgers import ledger_notes
from app.ledgers.columns import COLUMNS, MARKS, Column
from app.ledgers.ledger_notes import About, header
from app.ledgers.rendering import AGREEMENT_WORDS, LIGHTS, NO_LIGHT, STAGE_WORDS, Cell
from app.ledgers.sheets.texts import guarded
from app.lists import files
from app.lists.columns import Column as ListColumn
from app.lists.files import SHEET_ROWS, Sheets

TITLE = "台账"
TEMPLATE = "台账模板"
Line = Mapping[str, Cell]
"""field → cell, marks included."""
CHOICES: dict[str, tuple[str, ...]] = {
    "agreement": tuple(AGREEMENT_WORDS.values()),
    "needs_new_land": ("是", "否", *lifecycle.ROUTES.values()),
    "stage": tuple(STAGE_WORDS.values()),
}
LIST_MARKS = 255
"""Characters of a list that stands in its rule: Excel takes no more."""
EXACT = 15
"""Digits that a spreadsheet's number keeps."""
_A3 = 8
_EPOCH = date(1899, 12, 30).toordinal()
COLOURS = {LIGHTS["red"]: "#FF7C80", LIGHTS["yellow"]: "#FFE699", LIGHTS["blue"]: "#9DC3E6", LIGHTS["exit_review"]: "#C00000",
           NO_LIGHT: "#C6E0B4"}  # fmt: skip
WIDTHS = {
    "seq": 6, "project_no": 16, "town": 14, "project_name": 36, "investor": 28, "company": 28, "credit_code": 22, "project_code": 26,
    "progress": 48, "problem": 32, "next_step": 32, "remark": 28, "signal": 9, "version": 8, "row_mark": 14,
}  # fmt: skip


def write_csv(file: IO[bytes], chunks: Iterable[Sequence[Line]]) -> None:
    """UTF-8 with a mark, as the lists are."""
    file.write(b"\xef\xbb\xbf")
    text = io.TextIOWrapper(file, "utf-8", newline="", write_through=True)
    out = csv.writer(text, lineterminator="\r\n")
    every = (*COLUMNS, *MARKS)
    fields = [column.field for column in every]
    out.writerow([header(column) for column in every])
    for chunk in chunks:
        out.writerows([_plain(line[name]) for name in fields] for line in chunk)
    text.detach()


def _plain(cell: Cell) -> str:
    if isinstance(cell, str):
        return guarded(cell)
    return f"{cell:f}" if isinstance(cell, Decimal) else str(cell)


def write_xlsx(file: IO[bytes], chunks: Iterable[Sequence[Line]], about: About, towns: Sequence[str]) -> None:
    """The ledger on as many sheets as it needs, and 说明."""
    with files.opened(file, TITLE, about.made_at) as book:
        _Ledger(book, (*COLUMNS, *MARKS), towns).fill(chunks)
        files.write_notes(book, ledger_notes.notes(about))


def write_template(file: IO[bytes], towns: Sequence[str], now: datetime) -> None:
    """An empty ledger, and on 说明 how each column is filled in, with three examples."""
    with files.opened(file, TEMPLATE, now) as book:
        _Ledger(book, COLUMNS, towns).fill(())
        files.write_notes(book, ledger_notes.guide())


class _Ledger(Sheets):
    """The sheets of a ledger: typed cells, lists to choose from, coloured lights, grey marks."""

    def __init__(self, book: Workbook, columns: Sequence[Column], towns: Sequence[str]) -> None:
        self._choices = CHOICES | {"town": tuple(towns)}
        self._fields = columns
        self._grey = book.add_format({"font_color": "#A6A6A6", "align": "left"})
        self._grey_head = book.add_format(
            {"font_color": "#7F7F7F", "bg_color": "#EDEDED", "text_wrap": True, "valign": "vcenter", "border": 1}
        )
        self._lights = {
            word: book.add_format({"bg_color": colour, **({"font_color": "#FFFFFF"} if word == LIGHTS["exit_review"] else {})})
            for word, colour in COLOURS.items()
        }
        listed = [ListColumn(header(one), lambda row: None, WIDTHS.get(one.field, 13)) for one in columns]
        super().__init__(book, listed, TITLE)
        self._plans = [(place, one.field, self._grey if one in MARKS else None) for place, one in enumerate(columns)]

    def _begin(self) -> Any:
        sheet = super()._begin()
        sheet.freeze_panes(1, 4)
        sheet.set_landscape()
        sheet.set_paper(_A3)
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(0)
        for place, column in enumerate(self._fields):
            if column in MARKS:
                sheet.set_column(place, place, WIDTHS[column.field], self._grey)
                sheet.write_string(0, place, header(column), self._grey_head)
            words = self._choices.get(column.field, ())
            if words and len(",".join(words)) <= LIST_MARKS and not any("," in word for word in words):
                rule = {
                    "validate": "list", "source": list(words), "error_type": "warning", "error_title": column.title,
                    "error_message": "不在可选项内；确需填写可以继续",
                }  # fmt: skip
                sheet.data_validation(1, place, SHEET_ROWS - 1, place, rule)
        return sheet

    def _line(self, line: Line) -> None:
        sheet, row = self.sheet, self.row
        text, number = sheet.write_string, sheet.write_number
        for place, name, form in self._plans:
            cell = line[name]
            if cell == "":
                continue
            if isinstance(cell, str):
                text(row, place, cell, self._lights.get(cell) if name == "signal" else form)
            elif isinstance(cell, int):
                number(row, place, cell, form)
            elif isinstance(cell, date):
                number(row, place, cell.toordinal() - _EPOCH, self.formats[date])
            elif len(cell.as_tuple().digits) <= EXACT:
                number(row, place, float(cell), self.formats[Decimal])
            else:
                text(row, place, f"{cell:f}", form)
