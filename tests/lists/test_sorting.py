"""Every column a list can be sorted by: as a person would sort it, empty ones last either way, whatever the page."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa

from app.heart import lifecycle
from app.projects.search import sort_key
from app.projects.sorting import SORTS
from app.stalls.schemas import STALL_WAYS, STOPPED_WAYS
from tests.cast import County
from tests.lists.conftest import walked

LEVELS = ["blue", "yellow", "red", "exit_review"]
STAGES, STATUSES, ROUTES = list(lifecycle.STAGE_NAMES), list(lifecycle.STATUSES), list(lifecycle.ROUTES)
READ: dict[str, Any] = {
    "name": lambda row: sort_key(row["name"]),
    "investor": lambda row: row["investor"] and sort_key(row["investor"]),
    "office": lambda row: row["office"]["code"],
    "owner": lambda row: row["owner"] and row["owner"]["name"].encode(),
    "industry": lambda row: row["industry"] and row["industry"].encode(),
    "contract_amount": lambda row: row["contract_amount"] and float(row["contract_amount"]["amount"]),
    "funds_in_place": lambda row: row["funds_in_place"] and float(row["funds_in_place"]["amount"]),
    "stage": lambda row: STAGES.index(row["stage"]),
    "stage_recognised": lambda row: STAGES.index(row["stage_recognised"]),
    "status": lambda row: STATUSES.index(row["status"]),
    "route": lambda row: ROUTES.index(row["route"]),
    "level": lambda row: LEVELS.index(row["level"]),
}


def value(row: dict[str, Any], column: str) -> Any:
    return READ[column](row) if column in READ else row.get(column)


def in_order(values: list[Any], down: bool) -> bool:
    """Sorted, and those without a value last."""
    known = [one for one in values if one is not None]
    return values[len(known) :] == [None] * (len(values) - len(known)) and known == sorted(known, reverse=down)


@pytest.mark.parametrize("limit", [3, 50])
def test_projects_by_every_column_both_ways(county: County, register: list[str], limit: int) -> None:
    every = {row["ref"] for row in walked(county, "officer", "/projects", limit=50)}
    differing = set()
    for column in SORTS:
        for down in (False, True):
            rows = walked(county, "officer", "/projects", sort=("-" if down else "") + column, limit=limit, count=True)
            assert len(rows) == len(every) == 10 and {row["ref"] for row in rows} == every, column
            if column != "id":
                values = [value(row, column) for row in rows]
                assert in_order(values, down), (column, down, values)
                differing |= {column} if len({str(one) for one in values}) > 1 else set()
    assert set(SORTS) - differing == {"id", "route", "credit_code", "signing_event", "planned_operation_on"}


def test_names_come_in_chinese_order(county: County, register: list[str]) -> None:
    names = [row["name"] for row in walked(county, "officer", "/projects", sort="name")]
    wanted = (
        "5号粮油库|ABC 物流园|Ｗｉｄｅ　传感器|阿尔法芯片|重庆长行装备|单县食品加工|绿能储能电站|年产5万吨锂电材料项目|张家电子|章鱼机器人"
    )
    assert "|".join(names) == wanted
    assert names == sorted(names, key=sort_key)


@pytest.mark.parametrize("past", [{"as_of": "2026-04-15"}, {"known_at": "2026-06-10"}])
def test_a_past_day_is_sorted_by_what_held_then(county: County, register: list[str], past: dict[str, str]) -> None:
    county.at("2026-06-12T10:00:00+08:00")
    for column, sort in SORTS.items():
        if sort.today_only:
            refusal = county.get("officer", "/projects", 422, sort=column, **past)
            assert column in refusal["hint"]
        elif column != "id":
            rows = walked(county, "officer", "/projects", sort=column, limit=4, count=True, **past)
            assert len(rows) == 10 and in_order([value(row, column) for row in rows], False), column


@pytest.mark.parametrize(("path", "wanted"), [("/projects", "name"), ("/stalls", "due_on"), ("/signed-then-stopped", "stopped_on")])
def test_what_cannot_be_sorted_by_is_refused_with_what_can(county: County, path: str, wanted: str) -> None:
    for sort in ("level" if path != "/stalls" else "investor", "data_checks", "--name", "", "x" * 5000):
        refusal = county.get("officer", path, 422, sort=sort)
        assert refusal["errors"][0]["field"] == "query.sort"
    assert wanted in county.get("officer", path, 422, sort="data_checks")["hint"]


def test_stopped_projects_by_every_column(county: County, register: list[str]) -> None:
    default = walked(county, "officer", "/signed-then-stopped", limit=2, count=True)
    assert len(default) == 5
    columns = [way.removeprefix("-") for way in STOPPED_WAYS[::2]] + [name for name in SORTS if name != "id"]
    for column in columns:
        for down in (False, True):
            rows = walked(county, "officer", "/signed-then-stopped", sort=("-" if down else "") + column, limit=2, count=True)
            assert sorted(map(str, rows)) == sorted(map(str, default)), column  # the very same rows
            assert in_order([value(row, column) for row in rows], down), (column, down)
    assert len(walked(county, "officer", "/signed-then-stopped", sort="name", min_days=60, count=True)) == len(
        walked(county, "officer", "/signed-then-stopped", min_days=60)
    )
    assert {row["office"]["code"] for row in walked(county, "clerk", "/signed-then-stopped", sort="name", count=True)} == {"T01"}


def test_stalls_by_every_column(county: County, register: list[str]) -> None:
    default = walked(county, "officer", "/stalls", limit=4, count=True)
    assert len(default) > 10 and len({row["level"] for row in default}) > 1
    for way in STALL_WAYS:
        column, down = way.removeprefix("-"), way.startswith("-")
        rows = walked(county, "officer", "/stalls", sort=way, limit=4, count=True)
        assert sorted(map(str, rows)) == sorted(map(str, default)), way
        values = [row["basis_on"] if column == "basis_on" else value(row, column) for row in rows]
        if column != "basis_on":  # a text moves a yellow row's printed basis, not its place
            assert in_order(values, down), (way, values)
    assert [row["id"] for row in walked(county, "officer", "/stalls", sort="-basis_on", limit=3)] == [
        row["id"] for row in reversed(default)
    ]
    past = walked(county, "officer", "/stalls", sort="due_on", as_of="2026-04-15", limit=2, count=True)
    assert past and in_order([row["due_on"] for row in past], False) and all(row["due_on"] <= date(2026, 4, 15).isoformat() for row in past)


def test_too_many_stalls_to_sort_are_refused(county: County, register: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from app.stalls import sorting

    monkeypatch.setattr(sorting, "TOO_MANY", 3)
    assert county.get("officer", "/stalls", 422, sort="due_on")["errors"][0]["field"] == "sort"
    assert county.get("officer", "/stalls")["items"]


def test_a_page_in_the_usual_order_asks_for_nothing_more(county: County, register: list[str]) -> None:
    """What searching and sorting need is not read by those who do neither."""
    seen: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        seen.append(statement)

    sa.event.listen(county.database.engine, "before_cursor_execute", note)
    for path in ("/projects", "/stalls", "/signed-then-stopped"):
        county.get("officer", path)
    sa.event.remove(county.database.engine, "before_cursor_execute", note)
    assert seen and not [one for one in seen if "_key" in one]
