"""What a clerk is told: the town that a short name means, sheets that were not read, numbers as the sheet shows them."""

from __future__ import annotations

import pytest

from app.ledgers.understanding.reading import read_ledger
from tests.ledgers.conftest import Register
from tests.ledgers.test_import_ledger import HEAD, book, cells, codes_of, load, outcomes
from tests.ledgers.workbooks import Page, codes, understand, xlsx


@pytest.mark.parametrize("create", [False, True])
def test_a_town_without_its_full_name_is_the_office_of_that_name_and_told(register: Register, create: bool) -> None:
    rows = [cells(number, 镇区=name) for number, name in enumerate(("示例1", "示例1镇人民政府", "示例 2 镇", "T02"), 1)]
    told = load(register, book(register.folder, *rows), create_offices=create)
    assert outcomes(told) == {"create": 4, "warned": 2}
    assert codes_of(told) == [(2, "create", ["town_short"]), (3, "create", ["town_short"])]
    assert "示例1镇人民政府 → 示例1镇" in told.text()
    assert [register.now(f"SL-00{number}").office_id for number in (1, 2, 3, 4)] == [
        register.office(code).id for code in ("T01", "T01", "T02", "T02")
    ]


def test_another_kind_of_town_is_another_town(register: Register) -> None:
    told = load(register, book(register.folder, cells(1, 镇区="示例1乡"), cells(2, 镇区="示例"), cells(3, 镇区="镇")))
    assert {code for _, _, some in codes_of(told) for code in some} == {"town_unknown"} and outcomes(told) == {"rejected": 3}


def test_sheets_that_were_not_read_are_told(register: Register) -> None:
    file = register.folder / "台账.xlsx"
    going_on = Page([cells(2)], "第2页")
    file.write_bytes(xlsx(Page([HEAD, cells(1)]), going_on, Page([HEAD, cells(3)], "旧表", hidden=True), Page([], "空")))
    told = load(register, file)
    assert outcomes(told) == {"create": 1}
    assert "没有读取的工作表：“第2页”（没有找到台账表头）、“旧表”（隐藏的工作表）" in told.text()
    assert [one["sheet"] for one in told.shown()["tables"][0]["unread"]] == ["第2页", "旧表"]


def test_numbers_are_told_as_they_are_seen() -> None:
    ledger = read_ledger(
        xlsx(
            Page(
                [
                    ["序号", "项目名称", "镇区", "总投资（亿元）", "到位资金", "签约时间"],
                    [1, "甲", "甲镇", 1.5, 5000, "2026.3"],
                    ["合计", "3个", "", 3, 5000],
                ]
            )
        )
    )
    (row,) = ledger.rows
    assert codes(row) == ["unit_missing"] and row.marks[0].value == "5000"
    told = [problem.value for problem in ledger.problems() if problem.code == "total_mismatch"]
    assert told == ["合计 3，明细为 1.5", "合计 3，明细为 1"]


def test_what_was_hoped_for_and_what_is_not_registered_change_no_stage() -> None:
    head = ["项目名称", "镇区", "总投资（万元）", "签约时间", "开工时间", "是否注册"]
    rows = [
        ["甲", "甲镇", 1, "2026.1.5", "2026.2（预计）", "否"],
        ["乙", "甲镇", 1, "拟2026年3月", "", "否"],
        ["丙", "甲镇", 1, "2026.1.5", "2026.2", "未注册"],
    ]
    found = {row.name: (row.stage, row.counts_as_signed) for row in understand(Page([head, *rows])).rows}
    assert found == {"甲": ("signed", True), "乙": (None, False), "丙": ("construction", True)}


def test_whose_file_it_is_says_more_than_a_column_of_other_towns() -> None:
    rows = [["河东镇2026年招商项目台账"], ["项目名称", "总投资（万元）", "签约时间", "原厂区"], ["甲", 1, "2026.3", "河西镇"]]
    assert [row.town for row in understand(Page(rows)).rows] == ["河东镇"]
    assert [row.town for row in understand(Page(rows[1:])).rows] == ["河西镇"]


def test_names_that_begin_as_notes_and_titles_do() -> None:
    head = ["序号", "项目名称", "镇区", "总投资（万元）", "签约时间", "备注"]
    names = [
        "以上海为总部的研发",
        "数据中心",
        "签字笔生产",
        "公章刻制",
        "2026年新能源",
        "（一）期厂房",
        "一、二号车间",
        "说明书印刷",
        "无纺布",
        "注塑件",
    ]
    found = understand(Page([head, *([at, name, "甲镇", 1, "2026.3", "说明：新"] for at, name in enumerate(names, 1))]))
    assert [row.name for row in found.rows] == names and not any(row.rejected for row in found.rows)


def test_a_star_is_a_footnote_and_no_row_is_lost_to_it() -> None:
    head = ["序号", "项目名称", "镇区", "总投资（万元）", "签约时间", "投资方"]
    rows = [
        ["※1", "甲", "甲镇", "5000*", "2026.3.5*", "a"],
        ["*2", "乙", "甲镇", 100, "2026.3", ""],
        ["", "一、二号车间", "甲镇", 7, "", ""],
    ]
    ledger = understand(Page([head, *rows, ["※：含土地款", "", "", "", "", ""], ["填表人：王某", "审核人：李某", "", "", "", ""]]))
    found = [(row.name, row.amount.yuan if row.amount else None, row.signed.text if row.signed else None) for row in ledger.rows]
    assert found == [("甲", 50_000_000, "2026-03-05"), ("乙", 1_000_000, "2026-03"), ("一、二号车间", 70_000, None)]
    assert [one.kind for one in ledger.tables[0].ignored] == ["note", "note"]


def test_each_town_has_its_own_table_under_its_name() -> None:
    head = ["序号", "项目名称", "总投资（万元）", "签约时间"]
    rows = [["甲河镇"], head, [1, "甲", 1, "2026.3"], [""], ["二、乙山镇（1个）"], head, [1, "乙", 1, "2026.3"]]
    assert [(row.name, row.town) for row in understand(Page(rows)).rows] == [("甲", "甲河镇"), ("乙", "乙山镇")]
