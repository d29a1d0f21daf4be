"""Reading a ledger holds a few bytes of each row, whatever its rows are: nothing but the hashes by which duplicates are found grows."""

from __future__ import annotations

import csv
import functools
import gc
import io
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from app.ledgers.sheets.workbook import open_workbook
from app.ledgers.understanding import cells, model
from app.ledgers.understanding.reading import Reading
from tests.ledgers.workbooks import Page, understand

HEAD = ["序号", "镇区", "项目名称", "投资方", "总投资（万元）", "签约时间"]
FEW, MANY = 2_000, 8_000


def project(number: int, **more: Any) -> list[Any]:
    row = dict(zip(HEAD, [number, "示例1镇", f"项目{number}", "示例公司", 100, "2024-01-01"], strict=True)) | more
    return list(row.values())


KINDS: dict[str, Callable[[int], list[Any]]] = {
    "projects": project,
    "amounts": lambda n: project(n, **{"总投资（万元）": f"{n}.5"}),
    "days and marks": lambda n: project(n, 镇区="", 签约时间=f"大约{n}年某月", 投资方="=1+1"),
    "one name": lambda n: project(n, 项目名称="标准厂房", 投资方=f"示例{n}公司"),
    "rejected": lambda n: project(n, **{"总投资（万元）": f"待定{n}"}),
    "subtotals": lambda n: [f"示例{n}镇小计", "", "", "", 100, ""],
    "a subtotal for each": lambda n: project(n) if n % 2 else ["小计", "", "", "", 100, ""],
    "sections with their sum": lambda n: project(n) if n % 2 else ["一", "", f"工业项目{n}（2个）", "", 100, ""],
    "sections": lambda n: [f"一、示例{n}镇", *[""] * 5],
    "notes": lambda n: [f"注：{n}", *[""] * 5],
    "nothing to tell": lambda n: ["", f"示例{n}镇", "无签约项目", "", "", ""],
    "blank": lambda n: project(n) if n % 20 == 0 else [""] * 6,
    "labels": lambda n: project(n, 镇区=f"本镇{n}", 项目名称=f"合计算力中心{n}"),
    "the header again": lambda n: project(n) if n % 2 else HEAD,
}


def forget_texts() -> None:
    """Empty the caches of texts: what they may hold, for all files together, functools is told."""
    for one in gc.get_objects():
        if isinstance(one, functools._lru_cache_wrapper) and one.__module__.startswith("app.ledgers") and one.cache_info().maxsize:
            one.cache_clear()
    gc.collect()


def held(rows: int, kind: str) -> int:
    """Bytes that reading so many rows holds at its end."""
    text = io.StringIO()
    csv.writer(text).writerows([HEAD, *map(KINDS[kind], range(rows))])
    with open_workbook(text.getvalue().encode()) as book:
        gc.collect()
        tracemalloc.start()
        try:
            reading = Reading(book)
            for _ in reading.rows():
                pass
            forget_texts()
            return tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_row_leaves_behind(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept of the first ones only has its limit below both lengths."""
    monkeypatch.setattr(cells, "CACHED", 1_000)
    for name in ("IGNORED", "TOTALS", "EXCLUDED"):
        monkeypatch.setattr(model, name, 500)
    held(100, kind)  # whatever is loaded with the first file
    grown = held(MANY, kind) - held(FEW, kind)
    assert grown / (MANY - FEW) < 45, f"{grown / (MANY - FEW):.0f} bytes a row"


def test_totals_beyond_those_that_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first are compared, and one of the whole; the last of a part is not, since what it is of was forgotten."""
    monkeypatch.setattr(model, "TOTALS", 3)
    blocks = [row for n in range(9) for row in (project(n), ["小计", "", "", "", 100 if n % 2 else 7, ""])]
    (table,) = understand(Page([HEAD, *blocks, ["总计", "", "", "", 900, ""]])).tables
    assert [(one.row, one.result) for one in table.totals] == [(3, "mismatch"), (5, "ok"), (7, "mismatch"), (9, "ok"), (20, "ok")]
    (table,) = understand(Page([HEAD, *blocks])).tables
    assert [one.row for one in table.totals] == [3, 5, 7, 9] and table.last_row == 19
    (mark,) = [mark for mark in table.marks if mark.code == "totals_not_compared"]
    assert mark.value == "5"
