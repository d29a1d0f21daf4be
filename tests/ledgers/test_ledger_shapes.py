"""Ledgers of many shapes, written by other libraries: where the tables are, which column is what, which rows are projects."""

from datetime import date

import pytest

from app.ledgers.sheets.refusals import FileRefused
from app.ledgers.understanding.reading import read_ledger
from tests.ledgers.workbooks import MERGING, WRITERS, Page, codes, comma, read, understand, xls, xlsx

HEAD = ["序号", "镇区", "项目名称", "投资方", "签约时间", "总投资（万元）", "目前进展"]


def project(seq: int, town: str, name: str, amount: object = 1000, signed: object = "2026-03-15") -> list[object]:
    return [seq, town, name, "示例公司", signed, amount, "正在对接"]


@pytest.mark.parametrize("kind", MERGING)
def test_a_header_of_three_levels(kind: str) -> None:
    page = Page(
        [
            ["2026年招商项目台账", *[""] * 9],
            ["序号", "基本情况", "", "", "投资情况（万元）", "", "", "进展情况", "", "备注"],
            ["", "镇区", "项目名称", "投资方", "计划", "到位情况", "", "签约时间", "开工时间", ""],
            ["", "", "", "", "总投资", "到位资金", "注册资本", "", "", ""],
            [1, "城关镇", "甲项目", "示例公司", 5000, 300, 100, date(2026, 3, 1), date(2026, 5, 2), "无"],
            [2, "石佛镇", "乙项目", "示例二公司", "1.2亿元", "", "", "2026年4月", "", ""],
        ],
        merges=[
            (0, 0, 0, 9), (1, 0, 3, 0), (1, 1, 1, 3), (1, 4, 1, 6), (1, 7, 1, 8), (1, 9, 3, 9), (2, 1, 3, 1), (2, 2, 3, 2),
            (2, 3, 3, 3), (2, 5, 2, 6), (2, 7, 3, 7), (2, 8, 3, 8),
        ],
    )  # fmt: skip
    ledger = read(kind, page)
    (table,) = ledger.tables
    assert table.header_rows == [2, 3, 4]
    assert table.columns == {
        "seq": "A", "town": "B", "project_name": "C", "investor": "D", "amount": "E", "funds_in_place": "F", "registered_capital": "G",
        "signed_date": "H", "start_date": "I", "remark": "J",
    }  # fmt: skip
    first, second = ledger.rows
    assert (first.number, first.name, first.town) == (5, "甲项目", "城关镇")
    assert (first.amount.yuan, first.get("funds_in_place").yuan) == (50_000_000, 3_000_000)  # type: ignore[union-attr]
    assert (first.signed.text, first.get("start_date").text) == ("2026-03-01", "2026-05-02")  # type: ignore[union-attr]
    assert (second.amount.yuan, second.signed.text) == (120_000_000, "2026-04")  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", WRITERS)
def test_year_month_and_day_in_three_columns(kind: str) -> None:
    page = Page(
        [
            ["项目名称", "投资方", "签约时间", "", "", "总投资（亿元）"],
            ["", "", "年", "月", "日", ""],
            ["甲", "A", 2026, 3, 15, 1.5],
            ["乙", "B", 2026, 4, "", 2],
            ["丙", "C", "二〇二五年", "十二月", "", 2],
            ["丁", "D", "", 5, 1, 2],
            ["戊", "E", 2026, 2, 30, 2],
            ["己", "F", "", "", "", 2],
        ],
        merges=[(0, 2, 0, 4), (0, 0, 1, 0), (0, 1, 1, 1), (0, 5, 1, 5)],
    )
    ledger = read(kind, page)
    assert ledger.tables[0].header_rows == [1, 2]
    found = [(row.signed.text, row.signed.raw, codes(row)) for row in ledger.rows if row.signed]
    assert [one[0] for one in found] == ["2026-03-15", "2026-04", "2025-12", None, None, None]
    assert found[3][2] == ["date_year_unknown"]
    assert found[4][2] == ["date_unparseable"] and found[4][1] == "2026年2月30日"
    assert found[5][1:] == ("", [])


@pytest.mark.parametrize("labels", [("签约年", "签约月", "签约日"), ("签约年份", "签约月份", "签约日")])
def test_parts_of_a_date_named_one_by_one(labels: tuple[str, str, str]) -> None:
    (row,) = understand(Page([["项目名称", "投资方", *labels, "总投资（万元）"], ["甲", "A", 26, 3, 15, 100]])).rows
    assert row.signed is not None and row.signed.text == "2026-03-15"
    assert codes(row) == ["date_two_digit_year"]


@pytest.mark.parametrize("kind", WRITERS)
def test_two_tables_side_by_side(kind: str) -> None:
    page = Page(
        [
            ["单位：万元", "", "", "", "单位：亿元", "", ""],
            ["序号", "项目名称", "总投资", "", "序号", "项目名称", "总投资"],
            [1, "甲", 100, "", 1, "丙", 2],
            [2, "乙", 200, "", 2, "丁", 3],
            ["合计", "", 300, "", 3, "戊", 4],
            ["", "", "", "", "合计", "", 8],
        ]
    )
    left, right = read(kind, page).tables
    assert (left.columns["project_name"], right.columns["project_name"]) == ("B", "F")
    assert (left.unit, right.unit) == ("万元", "亿元")
    assert (left.accepted, right.accepted) == (2, 3)
    assert [(one.row, one.field, one.result) for one in left.totals + right.totals] == [(5, "amount", "ok"), (6, "amount", "mismatch")]
    assert [one.computed for one in right.totals] == [900_000_000 * 100]


def test_two_tables_side_by_side_without_a_gap() -> None:
    page = Page([["序号", "项目名称", "总投资（万元）", "序号", "项目名称", "总投资（亿元）"], [1, "甲", 100, 1, "乙", 2]])
    ledger = understand(page)
    assert [(row.name, row.amount.yuan) for row in ledger.rows if row.amount] == [("甲", 1_000_000), ("乙", 200_000_000)]


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("portion", [1, 3, 1_000])
def test_two_tables_one_below_the_other(kind: str, portion: int) -> None:
    page = Page(
        [
            ["一、签约项目"],
            ["单位：亿元", "", "", "2026年9月30日"],
            ["项目名称", "镇区", "签约时间", "总投资"],
            ["甲", "城关镇", "3月1日", 2],
            ["合计", "", "", 2],
            ["注：以合同为准"],
            [],
            ["二、在谈项目（2025年12月）"],
            ["单位：万元"],
            ["序号", "镇区", "项目名称", "计划总投资", "状态"],
            [1, "石佛镇", "乙", 5000, "在谈"],
            [2, "石佛镇", "丙", 6000, "签约"],
        ]
    )
    ledger = understand(page, portion=portion) if kind == "xlsx" else read(kind, page)
    first, second = ledger.tables
    assert ([first.unit, first.accepted], [second.unit, second.accepted]) == (["亿元", 1], ["万元", 2])
    assert (first.header_rows, second.header_rows) == ([3], [10])
    assert (first.year, second.year) == (2026, 2025)
    assert second.title == "二、在谈项目（2025年12月）"
    assert [(one.row, one.kind) for one in first.ignored] == [(1, "caption"), (2, "caption"), (5, "grand_total"), (6, "note")]
    assert [row.stage for row in ledger.rows] == ["signed", "intent", "signed"]
    assert ledger.rows[0].signed.text == "2026-03-01"  # type: ignore[union-attr]
    assert ledger.rows[1].amount.yuan == 50_000_000  # type: ignore[union-attr]


def test_a_header_printed_again_on_every_page_is_no_second_table() -> None:
    rows = [HEAD, project(1, "甲镇", "A"), HEAD, project(2, "甲镇", "B"), HEAD, project(3, "乙镇", "C")]
    ledger = understand(Page(rows))
    (table,) = ledger.tables
    assert [row.name for row in ledger.rows] == ["A", "B", "C"]
    assert [(one.row, one.kind) for one in table.ignored] == [(3, "header"), (5, "header")]


@pytest.mark.parametrize("writer", [xlsx, xls])
def test_days_counted_from_1904(writer: object) -> None:
    serial = (date(2026, 3, 15) - date(1904, 1, 1)).days
    page = Page([HEAD, project(1, "甲镇", "A", signed=date(2026, 3, 15)), project(2, "甲镇", "B", signed=serial)])
    for at_1904, wanted in ((True, ["2026-03-15", "2026-03-15"]), (False, ["2026-03-15", "2022-03-14"])):
        ledger = read_ledger(writer(page, date1904=at_1904))  # type: ignore[operator]
        assert [row.signed.text for row in ledger.rows if row.signed] == wanted


@pytest.mark.parametrize("kind", WRITERS)
def test_without_a_unit_a_number_is_not_interpreted(kind: str) -> None:
    page = Page([["项目名称", "投资方", "总投资"], ["甲", "A", 5000], ["乙", "B", "1.2亿元"], ["丙", "C", "5000"], ["合计", "", 17000]])
    ledger = read(kind, page)
    one, two, three = (row.amount for row in ledger.rows)
    assert one and two and three
    assert (one.minor, one.missing, one.yuan) == (None, "unit_unknown", None)
    assert two.yuan == 120_000_000
    assert three.missing == "unit_unknown"
    assert codes(ledger.rows[0]) == ["unit_missing"] and codes(ledger.rows[1]) == []
    assert [total.result for total in ledger.tables[0].totals] == ["cannot_check"]
    assert {problem.code for problem in ledger.problems()} == {"unit_missing"}


def test_a_unit_may_be_given_and_a_written_one_wins() -> None:
    page = Page([["项目名称", "投资方", "总投资", "到位资金（亿元）"], ["甲", "A", 5000, 1]])
    (row,) = understand(page, unit="万元").rows
    assert (row.amount.yuan, row.get("funds_in_place").yuan) == (50_000_000, 100_000_000)  # type: ignore[union-attr]
    assert [mark.code for mark in row.table.marks if mark.field] == ["unit_given"]
    with pytest.raises(ValueError, match="认不出的金额单位"):
        understand(page, unit="个")


def test_a_unit_stands_in_the_caption_of_each_table_and_an_area_beside_it() -> None:
    page = Page([["单位：万美元、亩"], ["项目名称", "投资方", "总投资", "用地面积"], ["甲", "A", 50, "约70亩"]])
    (row,) = understand(page).rows
    assert row.amount is not None
    assert (row.amount.currency, row.amount.foreign, row.amount.yuan) == ("USD", 500_000, None)
    assert row.get("land_mu").value == 70
    assert codes(row, notes=True) == ["amount_foreign_currency", "area_approximate"]


@pytest.mark.parametrize("kind", MERGING)
def test_towns_merged_downwards_over_a_boundary_of_portions(kind: str) -> None:
    rows = [HEAD, *(project(n, "甲镇" if n == 1 else "", f"项目{n}") for n in range(1, 1501))]
    page = Page(rows, merges=[(1, 1, 1500, 1)])
    ledger = read(kind, page)
    assert len(ledger.rows) == 1500
    assert {row.town for row in ledger.rows} == {"甲镇"}
    assert all(codes(row) == [] for row in ledger.rows)


def test_towns_filled_down_without_a_merge_are_marked() -> None:
    rows = [HEAD, project(1, "甲镇", "A"), project(2, "", "B"), ["", "小计", "", "", "", 2000, ""], project(3, "", "C")]
    ledger = understand(Page(rows))
    assert [(row.town, codes(row)) for row in ledger.rows] == [("甲镇", []), ("甲镇", ["town_filled_down"]), (None, ["town_missing"])]


def test_a_town_as_a_section() -> None:
    rows = [
        ["序号", "项目名称", "投资方", "总投资（万元）"],
        ["一、城关镇（2个）", "", "", ""],
        [1, "A", "甲", 1],
        [2, "B", "乙", 2],
        ["二、石佛镇", "", "", ""],
        [1, "C", "丙", 3],
    ]
    ledger = understand(Page(rows, merges=[(1, 0, 1, 3)]))
    assert [(row.town, codes(row, notes=True)) for row in ledger.rows] == [
        ("城关镇", ["town_from_section"]),
        ("城关镇", ["town_from_section"]),
        ("石佛镇", ["town_from_section"]),
    ]
    assert [one.kind for one in ledger.tables[0].ignored] == ["section", "section"]


def test_a_row_of_column_numbers_is_no_data() -> None:
    ledger = understand(Page([HEAD, [1, 2, 3, 4, 5, 6, 7], project(1, "甲镇", "A")]))
    assert [row.name for row in ledger.rows] == ["A"]
    assert [(one.row, one.kind) for one in ledger.tables[0].ignored] == [(2, "column_numbers")]


@pytest.mark.parametrize("kind", MERGING)
def test_hidden_rows_are_read_and_marked_hidden_sheets_are_listed(kind: str) -> None:
    page = Page([HEAD, project(1, "甲镇", "A"), project(2, "甲镇", "B")], hidden_rows=[2], hidden_columns=[3])
    ledger = read(kind, page)
    assert [codes(row) for row in ledger.rows] == [[], ["hidden_row"]]
    assert [(mark.code, mark.column) for mark in ledger.tables[0].marks if mark.code == "hidden_column"] == [("hidden_column", "D")]
    if kind != "ods":
        both = read_ledger((xlsx if kind == "xlsx" else xls)(page, Page([HEAD, project(1, "甲镇", "Z")], name="旧", hidden=True)))
        assert [(sheet.name, sheet.read, sheet.why) for sheet in both.sheets] == [("台账", True, ""), ("旧", False, "hidden")]
        assert len(both.rows) == 2


def test_nil_reports() -> None:
    words = ["无签约项目", "本月无新增", "零报告", "本月无新增签约项目", "暂无项目", "无"]
    rows = [HEAD, *(["", f"{n}镇", word, "", "", "", ""] for n, word in enumerate(words)), project(9, "乙镇", "无人机产业园")]
    ledger = understand(Page(rows))
    assert [(one.kind, one.town) for one in ledger.tables[0].ignored] == [("nil_report", f"{n}镇") for n in range(6)]
    assert [row.name for row in ledger.rows] == ["无人机产业园"]


def test_a_row_is_a_total_because_of_what_it_is() -> None:
    rows = [
        HEAD,
        project(1, "甲镇", "合计科技产业园", 10),
        project(2, "甲镇", "总计", 20),
        project(3, "甲镇", "小计算中心", 30),
        ["", "甲镇合计", "", "", "", 60, ""],
        ["合 计", "", "3个", "", "", 60, ""],
    ]
    ledger = understand(Page(rows))
    assert [row.name for row in ledger.rows] == ["合计科技产业园", "总计", "小计算中心"]
    assert [(one.row, one.kind, one.field, one.result) for one in ledger.tables[0].totals] == [
        (5, "subtotal", "amount", "ok"), (6, "grand_total", "amount", "ok"), (6, "grand_total", "project_count", "ok"),
    ]  # fmt: skip


def test_totals_before_their_rows_and_one_for_each_block() -> None:
    leading = [HEAD, ["", "甲镇小计", "", "", "", 3, ""], project(1, "甲镇", "A", 1), project(2, "甲镇", "B", 2),
               ["", "乙镇小计", "", "", "", 9, ""], project(3, "乙镇", "C", 4)]  # fmt: skip
    assert [(one.row, one.result, one.over) for one in understand(Page(leading)).tables[0].totals] == [
        (2, "ok", [(3, 4)]),
        (5, "mismatch", [(6, 6)]),
    ]
    blocks = [
        HEAD,
        project(1, "甲镇", "A", 1),
        ["", "合计", "", "", "", 1, ""],
        project(2, "乙镇", "B", 2),
        ["", "合计", "", "", "", 2, ""],
    ]
    assert [(one.kind, one.result) for one in understand(Page(blocks)).tables[0].totals] == [("subtotal", "ok"), ("subtotal", "ok")]


def test_a_total_differs_and_nothing_is_repaired() -> None:
    rows = [HEAD, project(1, "甲镇", "A", 100), project(2, "甲镇", "B", "2个茶场"), ["合计（3个）", "", "", "", "", 350, ""]]
    ledger = understand(Page(rows))
    amount, count = ledger.tables[0].totals
    assert (amount.written, amount.computed, amount.difference, amount.excluded) == (
        350_000_000,
        100_000_000,
        250_000_000,
        [(3, "rejected")],
    )
    assert (count.written, count.computed, count.result) == (3, 2, "mismatch")
    assert [one.code for one in ledger.problems()] == ["total_mismatch", "total_mismatch", "not_a_number"]


@pytest.mark.parametrize("kind", MERGING)
def test_one_amount_merged_over_several_projects_is_shared_and_counted_once(kind: str) -> None:
    rows = [HEAD, project(1, "甲镇", "A", 300), project(2, "甲镇", "B", ""), project(3, "甲镇", "C", 50), ["合计", "", "", "", "", 350, ""]]
    ledger = read(kind, Page(rows, merges=[(1, 5, 2, 5)]))
    amounts = [row.amount for row in ledger.rows if row.amount]
    assert [(one.minor, one.missing, one.shared, one.shared_by) for one in amounts] == [
        (None, "shared_total", 300_000_000, 2), (None, "shared_total", 300_000_000, 2), (50_000_000, None, None, None),
    ]  # fmt: skip
    assert [one.result for one in ledger.tables[0].totals] == ["ok"]


def test_a_project_over_two_lines_is_one_project() -> None:
    rows = [HEAD, project(1, "甲镇", "A", 300), ["", "", "", "示例二公司", "", "", ""], project(2, "甲镇", "B")]
    ledger = understand(Page(rows, merges=[(1, 2, 2, 2), (1, 0, 2, 0)]))
    assert [row.name for row in ledger.rows] == ["A", "B"]
    assert [(one.row, one.kind, one.text) for one in ledger.tables[0].ignored] == [(3, "continuation", "示例二公司")]


def test_aliases_of_a_bureau() -> None:
    page = Page([["工程名", "投资方", "意向资金（万元）"], ["甲", "A", 100]])
    with pytest.raises(FileRefused) as refused:
        understand(page)
    assert refused.value.reason == "no_table"
    (row,) = understand(page, aliases={"project_name": ["工程 名"], "amount": ["意向资金"]}).rows
    assert (row.name, row.amount.yuan) == ("甲", 1_000_000)  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="没有这些字段"):
        understand(page, aliases={"colour": ["颜色"]})


def test_unknown_and_repeated_columns_keep_their_text() -> None:
    page = Page([["项目名称", "投资方", "神秘列", "总投资（万元）", "备注", "备注"], ["甲", "A", "留着", 1, "一", "二"]])
    (row,) = understand(page).rows
    assert (row.get("?C"), row.get("remark"), row.get("?F")) == ("留着", "一", "二")
    assert [(mark.code, mark.column) for mark in row.table.marks][:2] == [("column_unmatched", "C"), ("column_repeated", "F")]


def test_formulas_and_error_values() -> None:
    page = Page(
        [HEAD, [1, "甲镇", "A", "", "2026-03-01", "", ""], [2, "甲镇", "B", "", "2026-03-01", "", ""], [3, "甲镇", "C", "", "", "", ""]],
        formulas={
            (1, 5): ("=100+200", 300), (2, 5): ("=坏", ""), (3, 5): ("=1/0", "#DIV/0!"), (1, 6): ('=HYPERLINK("http://x","看")', "看"),
            (2, 3): ("=A1", ""),
        },
    )  # fmt: skip
    one, two, three = read_ledger(xlsx(page)).rows
    assert (one.amount.yuan, one.get("progress")) == (3_000_000, "看")  # type: ignore[union-attr]
    assert codes(one, notes=True) == ["formula_as_text", "formula_cached_value", "stage_from_date"]
    assert (two.amount.missing, two.get("investor")) == ("formula", "=A1")  # type: ignore[union-attr]
    assert codes(two) == ["formula_as_text", "formula_without_value"]
    assert three.amount.missing == "error" and "cell_error" in codes(three)  # type: ignore[union-attr]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le"])
@pytest.mark.parametrize("separator", [",", "\t", ";"])
def test_a_csv_in_every_encoding_and_with_every_separator(encoding: str, separator: str) -> None:
    page = Page([HEAD, project(1, "甲镇", "名称,有逗号;和\n换行", "12,000"), project(2, "乙镇", "㙍头石材")])
    ledger = read_ledger(comma(page, encoding, separator))
    assert [row.name for row in ledger.rows] == ["名称,有逗号;和\n换行", "㙍头石材"]
    assert ledger.rows[0].amount.yuan == 120_000_000  # type: ignore[union-attr]
    assert [row.number for row in ledger.rows] == [2, 3]


def test_twenty_thousand_rows() -> None:
    rows = [HEAD, *(project(n, f"{n // 1000}镇", f"项目{n}", n) for n in range(1, 20_001)), ["合计", "", "", "", "", 200_010_000, ""]]
    ledger = read_ledger(xlsx(Page(rows)))
    assert len(ledger.rows) == 20_000
    assert ledger.rows[-1].number == 20_001
    assert [(one.result, one.over) for one in ledger.tables[0].totals] == [("ok", [(2, 20_001)])]


def test_duplicates_in_the_whole_workbook() -> None:
    first = Page(
        [HEAD, project(1, "甲镇", "锂电 项目（一期）"), project(2, "甲镇", "锂电项目(一期)", 2), project(3, "甲镇", "锂电 项目（一期）")],
        name="9月",
    )
    second = Page([HEAD, project(1, "甲镇", "锂电“项目”一期", 3)], name="10月")
    ledger = understand(first, second)
    marks = [[(mark.code, mark.of) for mark in row.marks if mark.level == "warning"] for row in ledger.rows]
    assert marks == [
        [],
        [("possible_duplicate", ("9月", 2))],
        [("exact_duplicate", ("9月", 2))],
        [("possible_duplicate", ("9月", 2))],
    ]


def test_cells_beside_the_table_are_told() -> None:
    rows = [HEAD, [*project(1, "甲镇", "A"), "", "批注"], [*project(2, "甲镇", "B"), "", ""]]
    (table,) = understand(Page(rows)).tables
    assert [(mark.code, mark.column, mark.value, mark.of) for mark in table.marks] == [("cell_outside", "I", "批注", ("台账", 2))]


def test_a_header_cell_over_two_columns_heads_the_first_and_the_other_keeps_its_text() -> None:
    rows = [["序号", "项目名称", "", "投资方", "总投资（万元）"], [1, "甲", "旁注", "A", 100], [2, "乙", "", "B", 200]]
    ledger = understand(Page(rows, merges=[(0, 1, 0, 2)]))
    assert [(row.name, row.get("?C"), row.get("investor")) for row in ledger.rows] == [("甲", "旁注", "A"), ("乙", None, "B")]


@pytest.mark.parametrize("is_csv", [True, False])
def test_the_last_rows_of_a_table_are_no_captions_of_the_next(is_csv: bool) -> None:
    """Also where numbers are text, and no blank row stands between."""
    first = [["序号", "项目名称", "总投资（万元）"], *([n, f"项目{n}", 100 * n] for n in range(1, 5))]
    second = [["单位：亿元"], ["序号", "投资方", "项目名称", "总投资"], [1, "示例公司", "项目9", 2]]
    rows = [[str(cell) if is_csv else cell for cell in row] for row in (*first, *second)]
    ledger = understand(Page(rows), is_csv=is_csv)
    assert [(row.table.number, row.name) for row in ledger.rows] == [*((1, f"项目{n}") for n in range(1, 5)), (2, "项目9")]
    assert ledger.rows[-1].amount is not None and ledger.rows[-1].amount.minor == 2 * 10**10
