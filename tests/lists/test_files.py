"""Lists as files: the same rows as the pages, dates as dates, money as numbers, and no name that does harm."""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import date, datetime
from typing import Any
from urllib.parse import unquote

import httpx
import openpyxl
import pytest

from app.lists import api, columns, files, listings
from app.lists.listings import LISTINGS
from tests.cast import County, signing
from tests.lists.conftest import walked

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
WHOLE = {"projects": columns.PROJECTS, "stalls": columns.STALLS, "signed-then-stopped": columns.STOPPED}


def fetched(county: County, who: str, path: str, status: int = 200, accept: str = "*/*", **params: Any) -> httpx.Response:
    answer = county.as_(who).get(path, params=params, headers={"Accept": accept})
    assert answer.status_code == status, answer.text[:500]
    return answer


def book_of(answer: httpx.Response) -> Any:
    assert answer.headers["content-type"] == XLSX
    return openpyxl.load_workbook(io.BytesIO(answer.content))


def cells(sheet: Any) -> list[list[Any]]:
    return [[cell.value for cell in row] for row in sheet.iter_rows(min_row=2)]


def wanted(rows: list[dict[str, Any]], name: str) -> list[list[Any]]:
    """What the columns take from the rows of the pages."""
    return [[column.value(row) for column in WHOLE[name]] for row in rows]


def plain(value: Any) -> Any:
    """A cell as it is compared: dates by their day, money as a number, nothing as nothing."""
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return float(value) if value is not None and not isinstance(value, str) else value or None


@pytest.mark.parametrize("name", WHOLE)
def test_a_file_holds_the_rows_of_the_pages(county: County, register: list[str], name: str) -> None:
    for who, params in (("officer", {}), ("clerk", {}), ("officer", {"as_of": "2026-05-01"}), ("officer", {"q": "锂电", "sort": "-name"})):
        rows = walked(county, who, f"/{name}", **params)
        assert rows
        expected = [[plain(one) for one in row] for row in wanted(rows, name)]
        sheet = book_of(fetched(county, who, f"/{name}.xlsx", **params)).worksheets[0]
        assert [[plain(one) for one in row] for row in cells(sheet)] == expected
        text = fetched(county, who, f"/{name}.csv", **params).content.decode("utf-8-sig")
        told = list(csv.reader(io.StringIO(text)))
        assert told[0] == [column.header for column in WHOLE[name]]
        assert [[one or None for one in row] for row in told[1:]] == [
            [str(one) if one not in (None, "") else None for one in row] for row in wanted(rows, name)
        ]


@pytest.mark.parametrize("name", WHOLE)
def test_by_accept_as_by_suffix(county: County, register: list[str], name: str) -> None:
    assert cells(book_of(fetched(county, "officer", f"/{name}", accept=XLSX)).worksheets[0]) == cells(
        book_of(fetched(county, "officer", f"/{name}.xlsx")).worksheets[0]
    )
    assert fetched(county, "officer", f"/{name}", accept="text/csv").content == fetched(county, "officer", f"/{name}.csv").content
    assert fetched(county, "officer", f"/{name}").headers["content-type"] == "application/json"


def test_dates_are_dates_money_is_a_number_and_the_header_stays(county: County, register: list[str]) -> None:
    sheet = book_of(fetched(county, "officer", "/projects.xlsx")).worksheets[0]
    head = [cell.value for cell in sheet[1]]
    first = dict(zip(head, sheet[2], strict=True))
    assert (first["协议投资额（元）"].value, first["协议投资额（元）"].data_type, first["币种"].value) == (1000, "n", "CNY")
    assert first["到位资金（元）"].value == 88.5
    assert first["签约时间"].is_date and first["签约时间"].value == datetime(2026, 2, 1)
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("C2", f"A1:{openpyxl.utils.get_column_letter(len(head))}11")
    assert sheet.column_dimensions["B"].width > 30


def test_the_notes_say_what_was_asked(county: County, register: list[str]) -> None:
    asked = {"as_of": "2026-05-15", "known_at": "2026-06-10", "office": "T01", "min_days": 3, "q": "gs"}
    book = book_of(fetched(county, "officer", "/signed-then-stopped.xlsx", **asked))
    assert book.sheetnames == ["签约即止", "说明"]
    notes = {row[0]: row[1] for row in cells(book["说明"]) if row[0]}
    assert (notes["单位"], notes["查找"], notes["至少停滞天数"]) == ("T01", "gs", "3")
    assert notes["统计截止日"] == datetime(2026, 5, 15) and notes["按此刻所知"].startswith("2026-06-10")
    assert notes["时限策略版本"] == 1 and notes["查询单位"] == "县招商局" and notes["生成时间"].startswith("2026-06-10 10:00")
    assert "签约后无进展" in notes and any(one.startswith("签约即止：") for one in notes)


def test_the_name_of_the_file_is_chinese_and_dated(county: County) -> None:
    for name, listing in LISTINGS.items():
        for kind in ("csv", "xlsx"):
            told = fetched(county, "officer", f"/{name}.{kind}", as_of="2026-03-01").headers["content-disposition"]
            assert f'filename="{name}-2026-03-01.{kind}"' in told
            assert unquote(told.partition("filename*=UTF-8''")[2]) == f"{listing.title}_2026-03-01.{kind}"


HOSTILE = [
    "=HYPERLINK(\"http://x\",\"y\")", "+1+1", "-2+3", "@SUM(A1)", "=1+1", "{=1+1}", "<b>&amp;\"'</b>", "_x000D_ _x0041_", "'quoted",
    "http://example.org/", "1e999", "007", "\ufffe\uffff粮", "😀𠮷", "TRUE", "2026-01-01",
]  # fmt: skip


@pytest.mark.parametrize("name", ["projects", "signed-then-stopped"])
def test_names_do_no_harm(county: County, name: str) -> None:
    for at, text in enumerate(HOSTILE):
        ref = county.register("officer", name=text, effective_on="2026-01-01", ref=f"P{at:02d}")
        county.post("officer", f"/projects/{ref}/moves", signing("2026-02-01"))
    answer = fetched(county, "officer", f"/{name}.xlsx", sort="ref")
    sheet = book_of(answer).worksheets[0]
    for cell, text in zip(sheet["B"][1:], HOSTILE, strict=True):
        assert cell.data_type in ("s", "inlineStr") and cell.hyperlink is None
        assert openpyxl.utils.escape.unescape(cell.value) == text.replace("\ufffe\uffff", ""), text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as parts:
        raw = parts.read("xl/worksheets/sheet1.xml").decode()
        assert "<f>" not in raw and "hyperlink" not in raw and "\ufffe" not in raw
    told = list(csv.reader(io.StringIO(fetched(county, "officer", f"/{name}.csv", sort="ref").content.decode("utf-8-sig"))))
    assert [row[1] for row in told[1:]] == ["'" + text if text[0] in "=+-@" else text for text in HOSTILE]


def test_what_a_cell_cannot_hold_is_left_out() -> None:
    assert files.legible("a\x00b\x0bc\ud800d\ufffee\nf\tg") == "abcde\nf\tg"
    assert len(files.legible("长" * 40_000)) == files.CELL_MARKS and files.legible("长" * 40_000).endswith("…")


def test_a_list_longer_than_a_sheet_goes_on_on_the_next(county: County, register: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "SHEET_ROWS", 5)
    book = book_of(fetched(county, "officer", "/projects.xlsx"))
    assert book.sheetnames == ["项目清单", "项目清单2", "项目清单3", "说明"]
    rows = [row for sheet in book.worksheets[:3] for row in cells(sheet)]
    assert [row[0] for row in rows] == register and [sheet.max_row for sheet in book.worksheets[:3]] == [5, 5, 3]
    assert {sheet["A1"].value for sheet in book.worksheets[:3]} == {"项目编号"}


def test_an_empty_list_is_a_file_too(county: County) -> None:
    for name in WHOLE:
        assert cells(book_of(fetched(county, "department", f"/{name}.xlsx")).worksheets[0]) == []
        assert len(fetched(county, "department", f"/{name}.csv").content.decode().splitlines()) == 1


def test_a_refusal_is_an_answer_and_not_half_a_file(county: County) -> None:
    for name in WHOLE:
        for kind in ("csv", "xlsx"):
            for params, status in (({"office": "T02"}, 404), ({"as_of": "2030-01-01"}, 422), ({"sort": "x"}, 422), ({"filter": 7}, 404)):
                assert fetched(county, "clerk", f"/{name}.{kind}", status, **params).headers["content-type"] == "application/problem+json"
            assert fetched(county, "nobody", f"/{name}.{kind}", 401)


def test_too_many_files_at_once_are_told_to_come_back(county: County, register: list[str]) -> None:
    taken = 0
    try:
        while api.AT_ONCE.acquire(blocking=False):
            taken += 1
        answer = fetched(county, "officer", "/projects.xlsx", 503)
        assert answer.json()["code"] == "busy" and answer.headers["retry-after"]
        assert county.get("officer", "/projects")["items"]
    finally:
        for _ in range(taken):
            api.AT_ONCE.release()
    assert fetched(county, "officer", "/projects.xlsx")


def test_a_file_is_of_the_moment_it_was_begun_at(county: County, register: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """More rows than a batch, and somebody who records while the file is written."""
    monkeypatch.setattr(listings, "BATCH", 3)
    original, told = files.write, list[str]()

    def recording(*cell: Any) -> None:
        if not told:
            told.append(county.register("officer", name="中途登记"))
            county.post("officer", f"/projects/{told[0]}/moves", signing("2026-02-11"))
        original(*cell)

    monkeypatch.setattr(files, "write", recording)
    for name in WHOLE:
        for params in ({}, {"sort": "name"}):
            before = [row["ref"] for row in walked(county, "officer", f"/{name}", **params)]
            told.clear()
            rows = cells(book_of(fetched(county, "officer", f"/{name}.xlsx", **params)).worksheets[0])
            assert [row[0] for row in rows] == before
            assert told[0] in [row["ref"] for row in walked(county, "officer", f"/{name}")]
