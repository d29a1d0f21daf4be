"""What was said about a stall stands in every form of a list: JSON, CSV and spreadsheet say the same, on any day, by any knowledge."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import openpyxl
import pytest

from app.lists.columns import STALLS, STOPPED
from app.offices import service as offices
from tests.cast import County
from tests.lists.conftest import walked

RULE, OTHER = "signed_no_progress", "signed_to_registered"
PLAN, REASON = "=1+1 六月底前供地", "等用地指标"
SAID = ("承诺事项", "承诺期限", "承诺人", "暂缓至", "暂缓原因", "暂缓批准人")


@pytest.fixture
def late(county: County) -> str:
    """A project that two rules have red on 10 June, told on the 9th; a clerk with a name plans, the bureau puts the same rule off."""
    county.at("2026-06-09T10:00:00+08:00")
    ref = county.register("officer", effective_on="2026-04-20")
    county.sign(ref, "2026-05-01", "officer")
    other = county.register("officer", effective_on="2026-03-20", name="别的项目")
    county.sign(other, "2026-04-01", "officer")
    county.at("2026-06-10T10:00:00+08:00")
    with county.database.write() as connection:
        offices.add_person(connection, office="T01", name="王某", email="wang@example.org", role="clerk")
        county.tokens["wang"] = offices.issue_token(
            connection, office="T01", role="clerk", person="wang@example.org", now=county.clock.now()
        )
    county.post("wang", f"/stalls/{ref}:{RULE}/acknowledge", {"plan": PLAN, "until": "2026-06-30"})
    county.post("officer", f"/stalls/{ref}:{RULE}/snooze", {"reason": REASON, "until": "2026-06-20"})
    return ref


def as_csv(county: County, name: str, **params: Any) -> dict[str, dict[str, Any]]:
    text = county.as_("officer").get(f"/{name}.csv", params=params).content.decode("utf-8-sig")
    return {row["项目编号"] + row.get("规则", ""): row for row in csv.DictReader(io.StringIO(text))}


def as_sheet(county: County, name: str, **params: Any) -> dict[str, dict[str, Any]]:
    answer = county.as_("officer").get(f"/{name}.xlsx", params=params)
    head, *rows = openpyxl.load_workbook(io.BytesIO(answer.content)).worksheets[0].iter_rows()
    assert not any(cell.data_type == "f" for row in rows for cell in row)
    told = [dict(zip((cell.value for cell in head), (cell.value for cell in row), strict=True)) for row in rows]
    return {row["项目编号"] + row.get("规则", ""): row for row in told}


def plain(value: Any) -> Any:
    day = value.date() if isinstance(value, datetime) else value
    return (day.isoformat() if isinstance(day, date) else day) or None


Read = Callable[..., dict[str, dict[str, Any]]]


@pytest.mark.parametrize("read", [as_csv, as_sheet])
def test_who_said_what_and_until_when(county: County, late: str, read: Read) -> None:
    rows = read(county, "stalls")
    mark = "'" if read is as_csv else ""
    assert [plain(rows[late + "签约后无进展"][name]) for name in SAID] == [
        mark + PLAN, "2026-06-30", "示例1镇经办人 王某", "2026-06-20", REASON, "县招商局值班员",
    ]  # fmt: skip
    assert all(not any(plain(row[name]) for name in SAID) for key, row in rows.items() if key != late + "签约后无进展")
    stopped = read(county, "signed-then-stopped")
    assert stopped[late]["承诺办理"] == f"签约后无进展：{PLAN}（至 2026-06-30，示例1镇经办人 王某）"
    assert stopped[late]["暂缓督办"] == f"签约后无进展：至 2026-06-20：{REASON}（县招商局值班员）"
    assert [plain(row["承诺办理"]) for ref, row in stopped.items() if ref != late] == [None]


@pytest.mark.parametrize("name", ["stalls", "signed-then-stopped"])
def test_every_form_says_the_same_on_any_day_by_any_knowledge(county: County, late: str, name: str) -> None:
    columns = [one for one in (STALLS if name == "stalls" else STOPPED) if one.header[:2] in ("承诺", "暂缓")]
    county.at("2026-07-10T10:00:00+08:00")
    county.post("clerk", f"/projects/{late}/milestones", {"milestone": "project_filed", "effective_on": "2026-06-25"})
    seen = set()
    for params in (
        {}, {"as_of": "2026-06-09"}, {"as_of": "2026-06-10"}, {"as_of": "2026-06-19"}, {"as_of": "2026-06-20"}, {"as_of": "2026-06-24"},
        {"as_of": "2026-06-19", "known_at": "2026-06-10T01:59:00Z"}, {"as_of": "2026-06-19", "known_at": "2026-06-10T02:01:00Z"},
        {"as_of": "2026-06-19", "sort": "-name"}, {"as_of": "2026-06-19", "q": "锂电", "limit": 1},
    ):  # fmt: skip
        rows = walked(county, "officer", f"/{name}", count=True, **params)
        told = [[plain(one.value(row)) for one in columns] for row in rows]
        for read in (as_csv, as_sheet):
            found = read(county, name, **params)
            cells = [[plain(row[one.header]) for one in columns] for row in found.values()]
            cells = [[cell.removeprefix("'") if cell else None for cell in row] for row in cells]
            assert cells == told, (params, read)
        seen.add(tuple(tuple(row) for row in told if any(row)))
    assert len(seen) == 3, "a plan and a putting off; the plan alone, once that was over; nothing, before and after"


def test_a_plan_that_was_taken_back_is_in_no_form(county: County, late: str) -> None:
    facts = county.get("officer", f"/projects/{late}/facts")["items"]
    fact = next(one["id"] for one in facts if one["kind"] == "acknowledged")
    county.at("2026-06-10T10:05:00+08:00")
    county.post("wang", f"/facts/{fact}/void", {"reason": "写错"})
    for read in (as_csv, as_sheet):
        row = read(county, "stalls", rule=RULE)[late + "签约后无进展"]
        assert [plain(row[name]) for name in SAID[:4]] == [None, None, None, "2026-06-20"]
        assert not read(county, "signed-then-stopped")[late]["承诺办理"]
    before = {"as_of": "2026-06-10", "known_at": "2026-06-10T02:00:00Z"}
    assert [row["acknowledged"] is not None for row in walked(county, "officer", "/stalls", rule=RULE, **before) if row["ref"] == late]
