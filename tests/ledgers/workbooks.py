"""Ledgers for tests, written once as rows and given out as .xlsx, .xls, .ods or .csv; by writers that the reader does not use."""

import csv
import io
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import xlsxwriter
import xlwt
from odf.opendocument import OpenDocumentSpreadsheet
from odf.table import CoveredTableCell, Table, TableCell, TableColumn, TableRow
from odf.text import P

from app.ledgers.sheets.workbook import SheetHead
from app.ledgers.understanding.model import Row
from app.ledgers.understanding.reading import Ledger, Reading, read_ledger

Cell = Any


@dataclass
class Page:
    """A sheet: rows of cells; `merges` as (row, column, row, column) from 0, ends included; a str that begins with = is a formula when
    `formulas` gives its stored result."""

    rows: Sequence[Sequence[Cell]]
    name: str = "台账"
    merges: Sequence[tuple[int, int, int, int]] = ()
    hidden_rows: Sequence[int] = ()
    hidden_columns: Sequence[int] = ()
    hidden: bool = False
    formulas: dict[tuple[int, int], tuple[str, Cell]] = field(default_factory=dict)


def xlsx(*pages: Page, date1904: bool = False) -> bytes:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"date_1904": date1904, "strings_to_formulas": False, "strings_to_urls": False, "in_memory": True})
    day = book.add_format({"num_format": "yyyy-mm-dd"})
    for page in pages:
        sheet = book.add_worksheet(page.name)
        for at, row in enumerate(page.rows):
            for column, cell in enumerate(row):
                if isinstance(cell, date | datetime):
                    sheet.write_datetime(at, column, cell, day)
                elif cell != "":
                    sheet.write(at, column, cell)
        for (at, column), (text, result) in page.formulas.items():
            sheet.write_formula(at, column, text, None, result)
        for first, left, last, right in page.merges:
            cell = page.rows[first][left]
            sheet.merge_range(first, left, last, right, "")
            if isinstance(cell, date | datetime):
                sheet.write_datetime(first, left, cell, day)
            elif cell != "":
                sheet.write(first, left, cell)
        for at in page.hidden_rows:
            sheet.set_row(at, None, None, {"hidden": True})
        for column in page.hidden_columns:
            sheet.set_column(column, column, None, None, {"hidden": True})
        if page.hidden:
            sheet.hide()
    book.close()
    return out.getvalue()


def xls(*pages: Page, date1904: bool = False) -> bytes:
    book = xlwt.Workbook()
    book.dates_1904 = date1904
    day = xlwt.easyxf(num_format_str="YYYY-MM-DD")
    for page in pages:
        sheet = book.add_sheet(page.name, cell_overwrite_ok=True)
        for at, row in enumerate(page.rows):
            for column, cell in enumerate(row):
                if isinstance(cell, date | datetime):
                    sheet.write(at, column, cell, day)
                elif cell != "":
                    sheet.write(at, column, cell)
        for first, left, last, right in page.merges:
            sheet.merge(first, last, left, right)
        for at in page.hidden_rows:
            sheet.row(at).hidden = True
        for column in page.hidden_columns:
            sheet.col(column).hidden = True
        sheet.visibility = 1 if page.hidden else 0
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def ods(*pages: Page) -> bytes:
    book = OpenDocumentSpreadsheet()
    for page in pages:
        table = Table(name=page.name)
        for column in range(max(map(len, page.rows), default=1)):
            table.addElement(TableColumn(visibility="collapse") if column in page.hidden_columns else TableColumn())
        spans = {(first, left): (last - first + 1, right - left + 1) for first, left, last, right in page.merges}
        covered = {(r, c) for a, b, x, y in page.merges for r in range(a, x + 1) for c in range(b, y + 1)} - set(spans)
        for at, row in enumerate(page.rows):
            line = TableRow(visibility="collapse") if at in page.hidden_rows else TableRow()
            for column, cell in enumerate(row):
                line.addElement(CoveredTableCell() if (at, column) in covered else _ods_cell(cell, spans.get((at, column))))
            table.addElement(line)
        book.spreadsheet.addElement(table)
    out = io.BytesIO()
    book.write(out)
    return out.getvalue()


def _ods_cell(cell: Cell, span: tuple[int, int] | None) -> TableCell:
    more: dict[str, Any] = {"numberrowsspanned": span[0], "numbercolumnsspanned": span[1]} if span else {}
    if cell == "":
        return TableCell(**more)
    if isinstance(cell, datetime | date):
        made = TableCell(valuetype="date", datevalue=cell.isoformat(), **more)
    elif isinstance(cell, int | float):
        made = TableCell(valuetype="float", value=repr(cell), **more)
    else:
        made = TableCell(valuetype="string", **more)
    for line in str(cell).split("\n"):
        made.addElement(P(text=line))
    return made


def comma(page: Page, encoding: str = "utf-8", separator: str = ",") -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=separator).writerows(
        [[cell.isoformat() if isinstance(cell, date) else cell for cell in row] for row in page.rows]
    )
    return out.getvalue().encode(encoding)


WRITERS: dict[str, Callable[[Page], bytes]] = {"xlsx": xlsx, "xls": xls, "ods": ods, "csv": comma}
MERGING = ("xlsx", "xls", "ods")


class Grid:
    """Cells without a file, for the pure half: what a Workbook is to a Reading."""

    format, date1904, encoding, sha256 = "xlsx", False, None, ""

    def __init__(self, *pages: Page, portion: int = 1_000, date1904: bool = False, is_csv: bool = False) -> None:
        self._pages, self._portion, self.date1904 = pages, portion, date1904
        self.format = "csv" if is_csv else "xlsx"
        self.heads = []
        for number, page in enumerate(pages):
            head = SheetHead(number, page.name, not page.hidden, "hidden" if page.hidden else "", len(page.rows))
            head.merges = sorted(list(one) for one in page.merges)
            head.hidden_rows = [[row, row] for row in page.hidden_rows]
            head.formulas = [(row, column, text) for (row, column), (text, _) in page.formulas.items()]
            head.below = [cell for row in page.rows[-12:] for cell in row if isinstance(cell, str) and 0 < len(cell) <= 100]
            self.heads.append(head)

    def sheets(self) -> Iterator[tuple[SheetHead, Iterator[list[list[Cell]]]]]:
        for head, page in zip(self.heads, self._pages, strict=True):
            if not head.read:
                continue
            width = max(map(len, page.rows), default=0)
            rows = [[*row, *[""] * (width - len(row))] for row in page.rows]
            for (at, column), (_, result) in page.formulas.items():
                rows[at][column] = result
            yield head, (rows[begin : begin + self._portion] for begin in range(0, len(rows), self._portion))


def understand(*pages: Page, portion: int = 1_000, date1904: bool = False, is_csv: bool = False, **options: Any) -> Ledger:
    reading = Reading(Grid(*pages, portion=portion, date1904=date1904, is_csv=is_csv), **options)  # type: ignore[arg-type]
    rows = list(reading.rows())
    return Ledger("", reading._book.format, None, reading.sheets, rows)


def read(kind: str, page: Page) -> Ledger:
    ledger = read_ledger(WRITERS[kind](page))
    assert ledger.format == kind
    return ledger


def codes(row: Row, *, notes: bool = False) -> list[str]:
    """Its marks that are more than notes."""
    return sorted(mark.code for mark in row.all_marks() if notes or mark.level != "note")


def rezip(data: bytes, change: Callable[[str, bytes], bytes | None], more: dict[str, bytes] | None = None) -> bytes:
    """A zip with some members changed (None: left out) and some added."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = change(name, old.read(name))
            if content is not None:
                new.writestr(name, content)
        for name, content in (more or {}).items():
            new.writestr(name, content)
    return out.getvalue()
