"""A month typed into a spreadsheet is kept as its first day and shown as a month: that is what was written, and no day of it."""

from __future__ import annotations

import io
from datetime import date, datetime

import pytest
import xlsxwriter
import xlwt
from odf.number import DateStyle, Day, Month, Text, Year
from odf.opendocument import OpenDocumentSpreadsheet
from odf.style import Map, Style
from odf.table import Table, TableCell, TableColumn, TableRow
from odf.text import P

from app.ledgers.sheets.as_shown import MONTH, YEAR, shown_by
from app.ledgers.understanding.reading import read_ledger

HEAD = ("项目名称", "镇区", "总投资（万元）", "签约时间")
FORMATS = {'yyyy"年"m"月"': "2026-03", '[$-804]yyyy"年"m"月";@': "2026-03", "mmm-yy": "2026-03", "yyyy-mm-dd": "2026-03-01"}


@pytest.mark.parametrize(
    ("code", "letters"),
    [
        ('yyyy"年"m"月"', MONTH), ("yyyy\\年m\\月;@", MONTH), ("[$-804]yyyy.mm", MONTH), ("mmm-yy", MONTH), ('yyyy"年"', YEAR),
        ("yyyy-mm-dd", 0), ('m"月"d"日"', 0), ("General", 0), ("0.00E+00", 0), ("mm:ss", 0), ("#,##0", 0), ("", 0), ("@", 0),
    ],
)  # fmt: skip
def test_what_a_format_shows(code: str, letters: int) -> None:
    assert shown_by(code) == letters


def signed(data: bytes) -> dict[str | None, str | None]:
    return {row.name: row.signed.text if row.signed else None for row in read_ledger(data).rows}


@pytest.mark.parametrize("date1904", [False, True])
def test_in_an_xlsx(date1904: bool) -> None:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True, "date_1904": date1904})
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, HEAD)
    cells = [(code, datetime(2026, 3, 1)) for code in (*FORMATS, 57)]
    for at, (code, day) in enumerate([*cells, ('yyyy"年"m"月"', datetime(2026, 3, 15)), ("General", datetime(2026, 3, 1))], 1):
        sheet.write_row(at, 0, (f"{code} {day.day}", "甲镇", 1))
        sheet.write_datetime(at, 3, day, book.add_format({"num_format": code}))
    book.close()
    assert signed(out.getvalue()) == {
        **{f"{code} 1": text for code, text in FORMATS.items()},
        "57 1": "2026-03",
        'yyyy"年"m"月" 15': "2026-03-15",
        "General 1": "2026-03-01",
    }


def test_in_an_xls() -> None:
    book = xlwt.Workbook()
    sheet = book.add_sheet("a")
    for column, title in enumerate(HEAD):
        sheet.write(0, column, title)
    for at, code in enumerate(FORMATS, 1):
        style = xlwt.easyxf(num_format_str=code)
        for column, cell in enumerate((code, "甲镇", 1)):
            sheet.write(at, column, cell)
        sheet.write(at, 3, date(2026, 3, 1), style)
        sheet.write(at, 4, 46082, style)  # next to each other they stand in one record
    out = io.BytesIO()
    book.save(out)
    assert signed(out.getvalue()) == FORMATS


def test_in_an_ods() -> None:
    book = OpenDocumentSpreadsheet()
    month, day, two = DateStyle(name="N1"), DateStyle(name="N2"), DateStyle(name="N3")
    for made, parts in ((month, (Year(), Text(text="年"), Month())), (day, (Year(), Month(), Day())), (two, (Text(text="@"),))):
        for part in parts:
            made.addElement(part)
        book.automaticstyles.addElement(made)
    two.addElement(Map(condition="value()>=0", applystylename="N1"))
    for name, made in (("ce1", month), ("ce2", day), ("ce3", two)):
        book.automaticstyles.addElement(Style(name=name, family="table-cell", datastylename=made))
    table = Table(name="a")
    table.addElement(TableColumn(numbercolumnsrepeated=3))
    table.addElement(TableColumn(defaultcellstylename="ce1"))
    lines: list[tuple[str, dict[str, str]]] = [
        ("列", {}),
        ("月", {"stylename": "ce1"}),
        ("日", {"stylename": "ce2"}),
        ("两", {"stylename": "ce3"}),
    ]
    for name, style in [("项目名称", {}), *lines]:
        row = TableRow()
        for text in HEAD[:3] if name == "项目名称" else (name, "甲镇", "1"):
            cell = TableCell(valuetype="string")
            cell.addElement(P(text=text))
            row.addElement(cell)
        last = TableCell(valuetype="string") if name == "项目名称" else TableCell(valuetype="date", datevalue="2026-03-01", **style)
        last.addElement(P(text=HEAD[3] if name == "项目名称" else "2026年3月"))
        row.addElement(last)
        table.addElement(row)
    book.spreadsheet.addElement(table)
    out = io.BytesIO()
    book.write(out)
    assert signed(out.getvalue()) == {"列": "2026-03", "月": "2026-03", "日": "2026-03-01", "两": "2026-03"}
