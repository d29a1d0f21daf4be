"""What an export writes is what a reader takes for nothing new: cells of one project, there and back, without a file between."""

from __future__ import annotations

import zlib
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.heart import facts as kinds
from app.heart.facts import Fact
from app.heart.standing import fold, standing_on
from app.ledgers import rendering
from app.ledgers.columns import COLUMNS, MARKS, NAMES
from app.ledgers.known import Known
from app.ledgers.plan import Given, plan
from app.ledgers.rendering import Names, at_version, cells, money
from app.ledgers.row_marks import RowMark, mark_of, read_mark
from app.ledgers.sheets.texts import guarded, unguarded
from app.ledgers.telling import told_by
from app.ledgers.understanding.amounts import read_amount
from app.ledgers.understanding.words import words
from app.projects.money import to_minor
from app.projects.store import Head
from tests.heart import story
from tests.heart.histories import fact_histories
from tests.ledgers.workbooks import Page, understand

TODAY = date(2026, 6, 10)
NAMED = Names({story.TOWN: "示例1镇", story.OTHER_TOWN: "示例2镇"}, {story.CLERK: "王一", story.OTHER_CLERK: "李二"})
GIVEN = Given(TODAY, True, lambda stage: "recognised", {"file": "x"}, NAMED.people)
NUMBERS = {name: number for number, name in NAMED.people.items()}
TITLES = words(
    "序号 项目编号 镇区 项目名称 投资方 产业类别 协议类型 是否新供地 签约时间 协议总投资（万元） 固定资产投资（万元） "
    "到位资金（万元） 用地面积（亩） 租赁面积（㎡） 注册公司 统一社会信用代码 注册时间 项目代码 备案时间 供地/厂房落实时间 "
    "实质性开工时间 计划竣工时间 投产时间 当前阶段 亮灯 目前进展 存在问题 下步计划 责任单位 责任领导 责任人 包联领导 引荐单位 "
    "最近更新 备注"
)


def written(cell: Any, text: bool) -> Any:
    """A cell as a workbook (or a CSV, all text) gives it back."""
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, Decimal):
        return f"{cell:f}" if text else float(cell)
    return cell


def page(row: dict[str, Any], text: bool = False) -> Page:
    head = [column.title + (f"（{column.unit}）" if column.unit else "") for column in COLUMNS]
    values = row | {"seq": 1, "project_no": "T01-2026-0001", "signal": "绿灯"}
    return Page([head, [written(values[column.field], text) for column in COLUMNS]])


def news(facts: list[Fact], day: date = TODAY, *, text: bool = False) -> list[tuple[str, Any]]:
    """What an import of the export without its marks would record."""
    standing = standing_on(fold(facts), day)
    assert standing is not None
    rows = understand(page(cells(facts, standing, day, NAMED), text), is_csv=text).rows
    assert len(rows) == 1 and rows[0].rejected is None, rows
    said = told_by(rows[0], TODAY)
    said.owner = NUMBERS.get(said.details.get("owner", ""))
    head = Head(1, "T01-2026-0001", facts[-1].seq, facts=facts)
    planned = plan(said, standing.office_id, Known(head), GIVEN, lambda number: NAMED.offices[number])
    return [(one.kind, dict(one.data)) for one in planned.new]


def imported(*facts: Fact) -> list[Fact]:
    return [one._replace(source="import") for one in story.history(*facts)]


def test_the_35_columns_are_those_of_the_domain_and_the_marks_come_after() -> None:
    assert [column.title + (f"（{column.unit}）" if column.unit else "") for column in COLUMNS] == list(TITLES) and len(TITLES) == 35
    assert [NAMES.field_of(title + "（请勿修改）") for title in ("版本", "行标识")] == [column.field for column in MARKS]


LEDGER = {
    "agreement": "投资协议", "needs_new_land": "是", "fixed_asset_amount": "50000000.00 CNY", "land_mu": "70.5", "leased_sqm": "待定",
    "company": "示例=公司", "planned_finish": "2027-H1", "problem": "=cmd|' /C calc'!A0", "next_step": "第一行\n第二行",
    "resp_unit": "招商办", "resp_leader": "@某", "owner": "张三、李四", "liaison_leader": "赵县长", "introducer": "无", "remark": "００７",
    "amount": "近2亿元", "credit_code": "91",
}  # fmt: skip
STORIES = {
    "as a ledger told it": imported(
        story.registered("2026-03-01", name="年产５万吨<script>alert(1)</script>", investor="=1+1", industry="新材料",
                         owner=None, route=None,
                         claims=False, amount=20_000_000_000, currency="CNY", details=LEDGER),
        story.signed("2026-03-01", said="2026-03"), story.landed("2026-05-02", undated=True),
        story.funded("2026-05-31", 123_456_789), story.reported("2026-05-31", "主体施工，完成30%\r\n=正常"),
    ),
    "as people reported it": story.history(
        story.registered("2026-02-01", name="锂电", credit_code="91350100M000100Y43", contract_amount={"amount": 900, "currency": "USD"}),
        story.signed("2026-03-01", story.CONTRACT),
        story.milestone("company_registered", "2026-03-20"),
        story.reported("2026-04-01", "已备案"),
        story.landed("2026-04-20", story.proof("company_registration", "2026-03-18", number="1"),
                     story.proof("project_filing", "2026-04-02"),
                     story.proof("lease_contract", "2026-04-20")),
        story.funded("2026-05-20", 500, "USD"),
        story.amended("2026-05-25", owner=story.OTHER_CLERK, liaison=story.CLERK),
    ),
    "a framework agreement": imported(
        story.registered("2026-03-01", name="意向项目", details={"agreement": "战略框架协议"}),
        story.evidence("2026-03-01", story.proof("framework_agreement", "2026-03-01")), story.reported("2026-03-01", "已签框架协议"),
    ),
    "signed after its framework agreement": story.history(
        story.registered("2026-01-01", name="意向项目", details={"agreement": "框架协议"}), story.signed("2026-03-01"),
        story.reported("2026-03-01", "框架协议转正式合同"),
    ),
    "a milestone of a stage nobody claimed": story.history(
        story.registered("2026-01-01", name="甲"), story.milestone("land_secured", "2026-02-01"), story.started("2026-03-01"),
    ),
    "gone back": story.history(
        story.registered("2026-01-01", name="甲"), story.signed("2026-02-01"), story.landed("2026-03-01"),
        story.reverted("2026-04-01", "signed"),
    ),
    "paused": story.history(
        story.registered("2026-01-01", name="甲"), story.signed("2026-02-01"), story.suspended("2026-03-01", "2026-09-01"),
    ),
    "ended": story.history(
        story.registered("2026-01-01", name="甲", route=None), story.started("2026-02-01"), story.terminated("2026-03-01"),
    ),
    "named anew since": story.history(
        story.registered("2026-01-01", name="甲", owner=None, route=None,
                         details={"owner": "张三", "liaison_leader": "赵", "needs_new_land": "是"}),
        story.amended("2026-02-01", owner=story.CLERK, liaison=story.OTHER_CLERK, route="leased"),
    ),
    "an earlier day told later": story.history(
        story.registered("2026-01-01", name="甲"),
        story.signed("2026-03-01", contract_amount={"amount": 2, "currency": "CNY"}),
        story.amended("2026-02-01", amount=3, currency="CNY", route="no_site", office=story.OTHER_TOWN),
        story.amended("2026-03-02", route="leased", office=story.TOWN), story.amended("2026-02-02", route="purchased"),
    ),
    "money nobody reads": story.history(
        story.registered("2026-01-01", name="甲", amount=12_345, currency="CHF", details={"fixed_asset_amount": "5000"}),
        story.funded("2026-02-01", 7, "ZZZ"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("text", [False, True], ids=["workbook", "csv"])
@pytest.mark.parametrize("name", STORIES)
def test_what_is_read_back_says_nothing_new(name: str, text: bool) -> None:
    assert news(STORIES[name], text=text) == []


def row_of(name: str, day: date = TODAY) -> dict[str, Any]:
    standing = standing_on(fold(STORIES[name]), day)
    assert standing is not None
    return {field: cell for field, cell in cells(STORIES[name], standing, day, NAMED).items() if cell != ""}


def test_cells_are_the_words_and_days_that_were_told() -> None:
    assert row_of("as a ledger told it") == {
        "town": "示例1镇", "project_name": "年产５万吨<script>alert(1)</script>", "investor": "=1+1", "industry": "新材料",
        "agreement": "投资协议", "needs_new_land": "是", "signed_date": "2026年3月", "amount": "近2亿元",
        "fixed_asset_amount": Decimal(5000),
        "funds_in_place": Decimal("123.456789"), "land_mu": Decimal("70.5"), "leased_sqm": "待定", "company": "示例=公司",
        "credit_code": "91", "planned_finish": "2027年上半年", "stage": "落地", "progress": "主体施工，完成30%\n=正常",
        "problem": "=cmd|' /C calc'!A0", "next_step": "第一行\n第二行", "resp_unit": "招商办", "resp_leader": "@某", "owner": "张三、李四",
        "liaison_leader": "赵县长", "introducer": "无", "updated": date(2026, 5, 31), "remark": "００７",
    }  # fmt: skip
    assert row_of("as people reported it") == {
        "town": "示例1镇", "project_name": "锂电", "agreement": "正式合同", "needs_new_land": "租赁厂房", "signed_date": date(2026, 3, 1),
        "funds_in_place": "5美元", "credit_code": "91350100M000100Y43", "amount": "9美元",
        "registered_date": date(2026, 3, 18), "filed_date": date(2026, 4, 2), "site_date": date(2026, 4, 20), "stage": "落地",
        "progress": "已备案", "owner": "李二", "liaison_leader": "王一", "updated": date(2026, 4, 1),
    }  # fmt: skip
    assert row_of("as people reported it", date(2026, 3, 10))["stage"] == "签约"
    assert row_of("a framework agreement")["signed_date"] == date(2026, 3, 1)
    assert (row_of("paused")["stage"], row_of("ended")["stage"]) == ("签约，暂停", "开工，终止")
    assert "site_date" not in row_of("gone back")
    assert [row_of("named anew since")[name] for name in ("owner", "liaison_leader", "needs_new_land")] == ["王一", "李二", "租赁厂房"]
    assert {name: row_of("money nobody reads").get(name) for name in ("amount", "funds_in_place", "fixed_asset_amount")} == {
        "amount": "123.45CHF", "funds_in_place": None, "fixed_asset_amount": None,
    }  # fmt: skip


@given(st.integers(0, 10**18), st.sampled_from(("CNY", "USD", "JPY", "KRW", "CHF", "KWD", "TWD", "EUR")))
def test_no_amount_is_lost(minor: int, currency: str) -> None:
    cell = money(minor, currency)
    read = read_amount(f"{cell:f}" if isinstance(cell, Decimal) else str(cell), rendering.WAN)
    assert (read.minor, read.currency) == (minor, currency)


@given(fact_histories(), st.integers(0, 12), st.integers(0, 40))
def test_an_export_of_a_version_is_rendered_again_from_the_facts_of_then(facts: list[Fact], version: int, later: int) -> None:
    day = facts[0].effective_on + timedelta(later)
    then = facts[: max(version, 1)]
    standing = standing_on(fold(then), day)
    row = at_version(Head(1, "T01-2026-0001", facts[-1].seq, facts=facts), then[-1].seq, day, NAMED)
    assert row == (None if standing is None else cells(then, standing, day, NAMED))
    for name, cell in (row or {}).items():
        rendering.value(name, cell)


QUIET = (kinds.RETURNED, kinds.VOIDED)


@given(fact_histories())
def test_histories_nobody_would_make_up_say_nothing_new(facts: list[Fact]) -> None:
    """What takes back is left to the marks of rows: a bare file cannot tell what was taken back from what it brings. (So is a project
    without any stage, which a returned registration leaves: an empty 当前阶段 lets a reader look for one in the text.)"""
    facts = [
        one._replace(data={**one.data, "name": "甲", "claims": True}) if one.kind == kinds.REGISTERED else one
        for one in facts
        if one.kind not in QUIET and one.data.get("action") not in ("revert", "register")
    ]
    assert news(story.history(*facts)) == []


@given(st.text(max_size=5).map(lambda text: text.replace("\r", "")) | st.sampled_from(("=1", "'=1", "''@x", "'x", "'", "-5", "")))
def test_guarding_a_cell_takes_nothing_from_it(text: str) -> None:
    assert unguarded(guarded(text)) == text and not guarded(text).startswith(("=", "+", "-", "@", "\t"))


def test_a_mark_that_was_mangled_is_none() -> None:
    line = {"town": "示例1镇", "owner": "王一", "liaison_leader": ""}
    text = mark_of("T01-2026-0001", 17, date(2026, 6, 10), line)
    told = read_mark(f" {text} ")
    assert told is not None and told[:3] == ("T01-2026-0001", 17, date(2026, 6, 10))
    found = read_mark(mark_of("=1|'x", 1, TODAY, line))
    assert found is not None and found[:3] == ("=1|'x", 1, TODAY)
    assert found.wrote("town", " 示例1镇 ") and found.wrote("owner", "王一") and found.wrote("liaison_leader", "")
    assert not (found.wrote("town", "示例2镇") or found.wrote("owner", "示例1镇") or found.wrote("remark", ""))
    old = read_mark("LD1/A/1/20260610/" + f"{zlib.crc32(b'LD1/A/1/20260610'):08x}")
    assert old == RowMark("A", 1, date(2026, 6, 10)) and not old.wrote("town", "")
    wrong = [
        "",
        None,
        text[:-1],
        text.replace("17", "18"),
        text.replace("0001", "0002"),
        text + "0",
        "LD1/a/b/c/d",
        text.upper(),
        "x" * 500,
    ]
    assert [read_mark(one) for one in wrong] == [None] * len(wrong)
    assert to_minor("1.00", "CNY") == 100
