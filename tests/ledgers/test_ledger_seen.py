"""Ledgers as offices really send them: what a clerk would call misread, or guessed without a word, is neither."""

from datetime import date

import pytest

from app.ledgers.sheets.refusals import FileRefused
from tests.ledgers.workbooks import MERGING, Page, codes, read, understand

HEAD = ["序号", "镇区", "项目名称", "投资方", "总投资（万元）", "签约时间"]


def yuan(row: object, name: str = "amount") -> int | None:
    found: int | None = row.get(name).yuan  # type: ignore[attr-defined]
    return found


@pytest.mark.parametrize("kind", MERGING)
def test_the_lowest_of_three_levels_may_say_only_which_part(kind: str) -> None:
    rows = [
        ["序号", "项目基本情况", "", "投资情况（万元）", "", "", "", "时间节点", "", "", ""],
        ["", "乡镇", "项目\n名称", "总投资", "", "资金到位", "", "签约", "", "开工", ""],
        ["", "", "", "计划", "其中：固定资产", "本年", "累计", "年", "月", "计划", "实际"],
        [1, "河东镇", "光伏玻璃", 52000, 41000, 3000, 8000, 2026, 3, "2026-05", "2026-06"],
    ]
    merges = [(0, 0, 2, 0), (0, 1, 0, 2), (0, 3, 0, 6), (0, 7, 0, 10), (1, 1, 2, 1), (1, 2, 2, 2), (1, 3, 1, 4), (1, 5, 1, 6),
              (1, 7, 1, 8), (1, 9, 1, 10)]  # fmt: skip
    (row,) = read(kind, Page(rows, merges=merges)).rows
    assert (yuan(row), yuan(row, "fixed_asset_amount"), yuan(row, "funds_in_place")) == (520_000_000, 410_000_000, 80_000_000)
    assert row.get("?F") == "3000"  # of this year only: not the funds in place
    assert (row.signed.text, row.get("planned_start").text, row.get("start_date").text) == ("2026-03", "2026-05", "2026-06")  # type: ignore[union-attr]


def test_two_levels_without_a_merged_cell() -> None:
    rows = [
        ["2025年度重点招商项目台账"],
        ["基本情况", "", "", "", "投资（亿元）", "", "", "时间", "", "备注"],
        ["序号", "单位", "项目名称", "客商", "总额", "固投", "到位", "签约", "开工", ""],
        [1, "北山街道", "氢能装备", "甲公司", 3.5, 2.8, 0.6, "2025.3", "2025.10", ""],
    ]
    (row,) = understand(Page(rows)).rows
    assert row.table.header_rows == [2, 3] and row.table.year == 2025
    assert (yuan(row), yuan(row, "fixed_asset_amount"), yuan(row, "funds_in_place")) == (350_000_000, 280_000_000, 60_000_000)
    assert (row.signed.text, row.get("start_date").text) == ("2025-03", "2025-10")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("day", "text"), [(15, "2024-03-15"), ("15日", "2024-03-15"), ("", "2024-03"), ("2024-3-15", "2024-03-15"), (45366, "2024-03-15")]
)
def test_the_third_column_of_a_date_is_not_lost(day: object, text: str) -> None:
    head = ["项目名称", "投资方", "签约年份", "签约月份", "签约日期", "总投资（万元）"]
    (row,) = understand(Page([head, ["甲", "A", 2024, 3, day, 100]])).rows
    assert row.signed is not None and row.signed.text == text


@pytest.mark.parametrize("between", [[], [["本页小计", "", "", "", 400, ""]], [["第1页，共3页", "", "", "", "", ""]]])
@pytest.mark.parametrize("portion", [2, 1_000])
def test_title_unit_and_header_on_every_page_are_one_table(between: list[list[object]], portion: int) -> None:
    above: list[list[object]] = [
        ["示例县招商项目台账（2026年10月）"],
        ["单位：万元"],
        ["序号", "镇区", "项目名称", "投资方", "总投资", "签约时间"],
    ]
    rows, merges = [], []
    for page, town in enumerate(("甲镇", "乙镇", "丙镇")):
        rows += above
        merges.append((len(rows), 1, len(rows) + 3, 1))
        rows += [[4 * page + n, "" if n > 1 else town, f"项目{page}{n}", "A", 100, "9月1日"] for n in range(1, 5)]
        rows += between
    rows.append(["合计", "", "12个", "", 1200, ""])
    ledger = understand(Page(rows, merges=merges), portion=portion)
    (table,) = ledger.tables
    assert (table.accepted, table.unit) == (12, "万元")
    assert [row.town for row in ledger.rows] == ["甲镇"] * 4 + ["乙镇"] * 4 + ["丙镇"] * 4
    assert {total.result for total in table.totals} == {"ok"}


def test_the_same_header_under_another_title_is_another_table() -> None:
    rows = [["一、河东镇"], HEAD, [1, "河东镇", "甲", "A", 1, ""], ["二、河西镇（单位：亿元）"], HEAD, [1, "河西镇", "乙", "B", 2, ""]]
    assert [table.title for table in understand(Page(rows)).tables] == ["一、河东镇", "二、河西镇（单位：亿元）"]


def test_sections_numbered_in_chinese_with_their_sums_are_no_projects() -> None:
    rows = [
        ["序号", "项目名称", "建设地点", "投资方", "总投资（万元）", "项目状态"],
        ["一", "工业项目（2个）", "", "", "30000", ""],
        [1, "甲", "一镇", "A", 10000, "在建"],
        [2, "乙", "二镇", "B", 20000, "在建"],
        ["（二）", "河东镇（1个）", "", "", "6000", ""],
        [1, "丙", "一镇", "C", 5000, "投产"],
        ["三", "服务业项目", "", "", "", ""],
        ["", "无", "", "", "", ""],
        ["总计", "3个", "", "", 35000, ""],
    ]
    ledger = understand(Page(rows))
    assert [(row.name, row.town) for row in ledger.rows] == [("甲", None), ("乙", None), ("丙", "河东镇")]
    (table,) = ledger.tables
    assert [(one.row, one.kind) for one in table.ignored] == [
        (2, "subtotal"), (5, "subtotal"), (7, "section"), (8, "nil_report"), (9, "grand_total"),
    ]  # fmt: skip
    assert [(one.row, one.field, one.result) for one in table.totals] == [
        (2, "amount", "ok"), (2, "project_count", "ok"), (5, "amount", "mismatch"), (5, "project_count", "ok"), (9, "amount", "ok"),
        (9, "project_count", "ok"),
    ]  # fmt: skip


def test_projects_numbered_in_chinese_stay_projects() -> None:
    rows = [HEAD, ["一", "甲镇", "A", "甲", 1, "2026-1-1"], ["二", "甲镇", "B", "", 1, "2026-1-1"]]
    assert [row.name for row in understand(Page(rows)).rows] == ["A", "B"]


@pytest.mark.parametrize(
    ("sheet", "title", "town"),
    [
        ("河东镇", "招商台账", "河东镇"),
        ("Sheet1", "示例县河东镇2026年招商项目台账", "河东镇"),
        ("Sheet1", "城区街道招商引资项目进展表", "城区街道"),
        ("Sheet1", "示例县2026年招商项目台账", None),
        ("2026年", "东部产业园区在建项目", "东部产业园区"),
    ],
)
def test_a_town_that_only_the_title_names(sheet: str, title: str, town: str | None) -> None:
    (row,) = understand(Page([[title], ["序号", "项目名称", "投资方", "总投资（万元）"], [1, "甲", "A", 100]], name=sheet)).rows
    assert row.town == town
    assert ("town_from_title" in [mark.code for mark in row.table.marks]) == (town is not None)
    assert ("town_from_section" in codes(row, notes=True)) == (town is not None)


@pytest.mark.parametrize(
    ("title", "report", "year"),
    [
        ("示例县2026年1—8月招商引资项目情况表", date(2026, 8, 31), 2026),
        ("2026年1-2月签约项目", date(2026, 2, 28), 2026),
        ("2026年3月至9月", date(2026, 9, 30), 2026),
        ("2026年9月份", date(2026, 9, 30), 2026),
        ("2026年前三季度招商引资签约项目表", date(2026, 9, 30), 2026),
    ],
)
def test_a_report_of_several_months_is_of_their_end(title: str, report: date | None, year: int) -> None:
    (row,) = understand(Page([[title], HEAD, [1, "甲镇", "A", "甲", 1, "2月3日"]])).rows
    assert (row.table.report_date, row.table.year) == (report, year)
    assert row.signed is not None and row.signed.text == "2026-02-03" and "date_after_report" not in codes(row)


def test_a_unit_in_the_cell_beside_its_label() -> None:
    rows = [["签约项目表"], ["", "", "", "单位：", "亿元"], ["序号", "项目名称", "投资方", "所在地", "签约金额"], [1, "甲", "A", "一镇", 5]]
    (row,) = understand(Page(rows)).rows
    assert yuan(row) == 500_000_000


def test_a_column_of_foreign_money_takes_the_foreign_unit_above_and_makes_none_up() -> None:
    head = ["项目名称", "投资方", "总投资", "合同外资"]
    (both,) = understand(Page([["单位：万元、万美元"], head, ["甲", "A", 5000, 600]])).rows
    (plain,) = understand(Page([["单位：万元"], head, ["甲", "A", 5000, 600]])).rows
    assert (both.get("foreign_amount").currency, both.get("foreign_amount").foreign) == ("USD", 6_000_000)
    assert (plain.get("foreign_amount").currency, plain.get("foreign_amount").yuan) == ("CNY", 6_000_000)


def test_neither_a_pivot_table_nor_a_form_is_a_ledger() -> None:
    pivot = [["镇区", "计数项:项目名称", "求和项:投资额"], ["一镇", 3, 300], ["总计", 3, 300]]
    form = [
        ["项目名称", "示例项目", "投资方", "示例公司"],
        ["总投资（万元）", 5000, "签约时间", "2026-3-1"],
        ["镇区", "一镇", "目前进展", "开工"],
    ]
    for rows in (pivot, form):
        with pytest.raises(FileRefused) as refused:
            understand(Page(rows))
        assert refused.value.reason == "no_table"


def test_last_year_is_the_year_before_the_report() -> None:
    rows = [
        ["2026年招商项目表"],
        HEAD,
        *([n, "甲镇", f"P{n}", "A", 1, text] for n, text in enumerate(("去年12月", "今年3月5日", "上年三季度"))),
    ]
    found = [(row.signed.text, codes(row)) for row in understand(Page(rows)).rows if row.signed]
    assert found == [(text, ["date_year_inferred"]) for text in ("2025-12", "2026-03-05", "2025-Q3")]


@pytest.mark.parametrize(
    ("stage", "text", "wanted"),
    [
        ("签约", "框架协议已签，正在谈正式合同", ("intent", False)),
        ("签约", "已签框架协议，下步争取签订正式合同", ("intent", False)),
        ("签约", "已签框架协议，正式投资合同草拟中", ("intent", False)),
        ("签约", "已由框架协议转签正式合同", ("signed", True)),
        ("签约（框架）", "", ("intent", False)),
        ("签约（意向书）", "", ("intent", False)),
        ("签约（正式合同）", "", ("signed", True)),
    ],
)
def test_a_framework_that_only_words_tell_of(stage: str, text: str, wanted: tuple[str, bool]) -> None:
    head = ["项目名称", "投资方", "总投资（万元）", "当前阶段", "目前进展"]
    (row,) = understand(Page([head, ["甲", "A", 1, stage, text]])).rows
    assert (row.stage, row.counts_as_signed) == wanted


@pytest.mark.parametrize(
    ("text", "stage", "side"),
    [
        ("已完成土地招拍挂，计划10月开工建设", "land", None),
        ("项目因土地问题暂缓", None, "paused"),
        ("因市场变化，投资方已退出", None, "cancelled"),
        ("因资金问题项目终止", None, "cancelled"),
    ],
)
def test_what_progress_tells_of(text: str, stage: str | None, side: str | None) -> None:
    (row,) = understand(Page([["项目名称", "投资方", "总投资（万元）", "目前进展"], ["甲", "A", 1, text]])).rows
    assert (row.stage, row.side_state) == (stage, side)


def test_the_date_at_the_top_of_a_sheet_holds_for_all_its_tables() -> None:
    rows = [["2026年1-8月情况表"], ["表一"], HEAD, [1, "甲镇", "甲", "A", 1, "1月18日"], ["合计", "", "", "", 1, ""], [], ["表二 在谈项目"],
            ["项目名称", "投资方", "洽谈时间"], ["乙", "B", "3月"]]  # fmt: skip
    first, second = understand(Page(rows)).tables
    assert (second.year, second.report_date) == (2026, date(2026, 8, 31)) == (first.year, first.report_date)
