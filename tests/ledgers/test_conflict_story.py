"""A morning over HTTP: bureau and town export, both edit, both send; what both touched waits for a person, and is decided once."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from app.ledgers import running
from app.ledgers.columns import COLUMNS, MARKS
from app.ledgers.sheets.workbook import open_workbook
from tests.cast import County
from tests.invariants import check_invariants
from tests.ledgers.test_coming_back import Grid, edit
from tests.ledgers.test_import_ledger import HEAD, cells
from tests.ledgers.workbooks import Page, xlsx

TITLES = {column.title: place for place, column in enumerate((*COLUMNS, *MARKS))}


def grid_of(answer: httpx.Response) -> Grid:
    assert answer.status_code == 200, answer.text
    with open_workbook(answer.content) as opened:
        _, portions = next(opened.sheets())
        return [row for portion in portions for row in portion]


def exported(county: County, who: str, **params: str) -> Grid:
    return grid_of(county.as_(who).get("/exports/ledger.xlsx", params=params))


def send(county: County, who: str, grid: Grid, **params: Any) -> dict[str, Any]:
    """Send a workbook, let the background finish, and look at it."""
    answer = county.as_(who).post("/imports", content=xlsx(Page(grid)), params=params)
    assert answer.status_code == 202, answer.text
    running.run_waiting(county.house)
    return county.get(who, f"/imports/{answer.json()['id']}")


def counts(told: dict[str, Any]) -> dict[str, int]:
    return {name: count for name, count in told["counts"].items() if count and name != "facts"}


def cell(county: County, row: int, title: str) -> Any:
    return exported(county, "officer")[row][TITLES[title]]


@pytest.fixture
def morning(county: County) -> tuple[County, Grid, Grid]:
    """Two projects of T01 and one of T02; the exports of the bureau and of T01."""
    told = send(county, "officer", [HEAD, cells(1, 备注="原备注"), cells(2), cells(3, 镇区="示例2镇")])
    assert counts(told) == {"create": 3}
    return county, exported(county, "officer"), exported(county, "clerk")


def test_both_edit_and_the_second_is_shown_what_the_first_wrote(morning: tuple[County, Grid, Grid]) -> None:
    county, bureau, town = morning
    assert [row[TITLES["项目编号"]] for row in town[1:]] == ["SL-001", "SL-002"]
    told = send(county, "clerk", edit(edit(town, 1, 目前进展="镇里写的", 投资方="镇里的公司"), 2, 备注="镇备注"))
    assert (told["state"], counts(told)) == ("complete", {"change": 2})

    mine = edit(edit(edit(bureau, 1, 目前进展="县里写的", 投资方="县里的公司", 备注="县备注"), 2, 存在问题="等土地"), 3, 备注="县备注")
    trial = send(county, "officer", mine, dry_run=True)
    assert (trial["state"], counts(trial)) == ("planned", {"conflict": 1, "change": 2})
    (row,) = county.get("officer", f"/imports/{trial['id']}", outcome="conflict")["items"]
    assert (row["ref"], row["row"]) == ("SL-001", 2)
    assert [(one["title"], one["base"], one["theirs"], one["now"]) for one in row["conflicts"]] == [
        ("投资方", "示例公司", "县里的公司", "镇里的公司"),
        ("目前进展", "正在办理备案", "县里写的", "镇里写的"),
    ]
    version = county.get("officer", "/projects/SL-001")["version"]
    county.post("officer", f"/imports/{trial['id']}/apply", {}, 202)
    running.run_waiting(county.house)
    applied = county.get("officer", f"/imports/{trial['id']}")
    assert (applied["state"], counts(applied)) == ("complete", {"conflict": 1, "change": 2})
    assert county.get("officer", "/projects/SL-001")["version"] == version, "nothing of the row that waits was taken"
    assert [cell(county, at, title) for at, title in ((1, "备注"), (2, "备注"), (2, "存在问题"), (3, "备注"))] == [
        "原备注", "镇备注", "等土地", "县备注",
    ]  # fmt: skip

    book = grid_of(county.as_("officer").get(f"/imports/{trial['id']}/errors.xlsx"))
    head = next(at for at, line in enumerate(book) if "项目名称" in line)
    assert len(book) == head + 2 and book[head + 1][0].startswith("【冲突，未导入】投资方：导出时为“示例公司”")
    book[head + 1][book[head].index("投资方")] = ""  # the town's company stays; the bureau's text is to count
    decided = send(county, "officer", book)
    assert (decided["state"], counts(decided)) == ("complete", {"change": 1})
    assert [cell(county, 1, title) for title in ("投资方", "目前进展", "备注")] == ["镇里的公司", "县里写的", "县备注"]

    version = county.get("officer", "/projects/SL-001")["version"]
    again = send(county, "officer", book)
    assert counts(again) == {"same": 1} and county.get("officer", "/projects/SL-001")["version"] == version
    assert counts(send(county, "officer", exported(county, "officer"))) == {"same": 3}
    with county.database.snapshot() as connection:
        check_invariants(connection)


def test_what_changes_between_the_decision_and_its_upload_is_asked_again(morning: tuple[County, Grid, Grid]) -> None:
    county, bureau, town = morning
    send(county, "clerk", edit(town, 1, 目前进展="镇里写的"))
    told = send(county, "officer", edit(bureau, 1, 目前进展="县里写的"))
    book = grid_of(county.as_("officer").get(f"/imports/{told['id']}/errors.xlsx"))
    send(county, "clerk", edit(exported(county, "clerk"), 1, 目前进展="镇里又写的"))
    assert counts(send(county, "officer", book)) == {"conflict": 1}
    assert cell(county, 1, "目前进展") == "镇里又写的"


def test_a_town_neither_sends_nor_sees_the_rows_of_another(morning: tuple[County, Grid, Grid]) -> None:
    county, bureau, _ = morning
    told = send(county, "clerk", edit(bureau, 3, 备注="别人的"))
    assert counts(told) == {"same": 2, "rejected": 1}
    (row,) = county.get("clerk", f"/imports/{told['id']}", outcome="rejected")["items"]
    assert [mark["code"] for mark in row["remarks"] if mark["level"] == "reject"] == ["project_outside"]
    assert row["ref"] is None and not row["changes"] and not row["conflicts"]
    assert cell(county, 3, "备注") == ""
    sent = send(county, "officer", bureau)
    assert county.get("clerk", f"/imports/{sent['id']}", 404)["code"] == "not_found"
    assert county.as_("clerk").get(f"/imports/{sent['id']}/errors.xlsx").status_code == 404


def test_the_first_upload_of_a_morning_is_sent_twice(morning: tuple[County, Grid, Grid]) -> None:
    """Somebody presses the button again, after the others have gone on."""
    county, bureau, town = morning
    edited = edit(town, 1, 目前进展="镇里写的")
    assert counts(send(county, "clerk", edited)) == {"change": 1, "same": 1}
    assert counts(send(county, "officer", edit(bureau, 1, 备注="县备注"))) == {"change": 1, "same": 2}
    assert counts(send(county, "clerk", edited)) == {"same": 2}
    assert [cell(county, 1, title) for title in ("目前进展", "备注")] == ["镇里写的", "县备注"]
