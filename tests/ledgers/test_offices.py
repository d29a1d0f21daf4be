"""More ledgers as towns and bureaus keep them: several difficulties in each, and what a careful clerk reads there.

`kinds` are the rows that are no projects; everything else as in test_odd.py.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from app.ledgers.understanding.reading import read_ledger
from tests.ledgers.test_odd import WRITERS, Project, page, projects_of
from tests.ledgers.workbooks import Page, codes, understand

A, B, C = "甲河镇", "乙山镇", "丙沟乡"


class Office(NamedTuple):
    pages: list[Page]
    projects: list[Project]
    told: str = ""
    """Codes of marks that are more than notes, of rows and tables."""
    kinds: str = ""
    """Rows that are no projects, captions and blanks left out."""


def corner(text: str) -> tuple[int, int]:
    column = 0
    for letter in text.rstrip("0123456789"):
        column = column * 26 + ord(letter) - 64
    return int(text.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")) - 1, column - 1


def sheet(*rows: list[Any], merged: str = "", name: str = "Sheet1") -> Page:
    """Rows with ranges as a spreadsheet program names them: A1:H1."""
    ranges = [tuple(part for end in one.split(":") for part in corner(end)) for one in merged.split()]
    return page(*rows, name=name, merges=tuple(ranges))  # type: ignore[arg-type]


CASES = {
    "units at the second of three levels, yuan and dollars": Office(
        [
            sheet(
                ["附件1"],
                ["2026年三季度重大招商项目调度表"],
                ["序号", "基本情况", "", "", "", "投资情况", "", "", "", "推进情况"],
                [
                    "",
                    "项目名称",
                    "建设单位",
                    "所在镇街",
                    "用地（亩）",
                    "总投资",
                    "",
                    "到位资金（万元）",
                    "",
                    "签约日期",
                    "开工日期",
                    "目前进展",
                ],
                ["", "", "", "", "", "内资（亿元）", "外资（万美元）", "累计", "当年"],
                [1, "显示模组", "甲公司", A, "120.5", "3.2", "", 12000, 5000, "2026.3", "2026年6月8日", ""],
                [2, "医疗耗材", "乙公司", A, "50", "", 1500, "0", "0", "26年3月", "未开工", "正在装修"],
                [3, "冷链物流", "丙公司", C, "约80亩", "1.8亿元", "", "/", "/", "三月上旬", "", "已签订正式投资合同"],
                ["小计", "", "", "", "", 5],
                merged="A2:L2 A3:A5 B3:E3 F3:I3 J3:L3 B4:B5 C4:C5 D4:D5 E4:E5 F4:G4 H4:I4 J4:J5 K4:K5 L4:L5",
            )
        ],
        [
            (A, "显示模组", 320_000_000, "2026-03", "construction"),
            (A, "医疗耗材", None, "2026-03", "signed"),
            (C, "冷链物流", 180_000_000, "2026-03", "signed"),
        ],
        "amount_foreign_currency date_two_digit_year date_unparseable date_year_inferred",
        "subtotal",
    ),
    "two groups of 年 月 日, what was said this month, sign-off lines": Office(
        [
            sheet(
                ["示例县2026年1-8月招商引资项目建设情况表"],
                ["填报单位：示例县招商局（公章）", "", "", "", "", "", "", "", "", "单位：万元、亩"],
                ["序号", "镇区", "项目名称", "计划总投资", "其中：固投", "签约", "", "", "开工", "", "7月进展", "8月进展"],
                ["", "", "", "", "", "年", "月", "日", "年", "月"],
                ["合计", "", "2个", 150000, 90000],
                [1, A, "铸造", 50000, 30000, 2026, 1, 15, 2026, 5, "基础施工", "主体施工"],
                [2, "", "齿轮", 100000, 60000, 2025, 12, "", "", "", "已签约", "正在办理环评"],
                ["注：1.固投指固定资产投资。"],
                ["填表人：王某", "", "审核人：赵某", "联系电话：0000-1234567"],
                ["", "", "示例县招商局（盖章）"],
                ["2026年9月2日"],
                merged="A1:L1 F3:H3 I3:J3 A3:A4 B3:B4 C3:C4 D3:D4 E3:E4 K3:K4 L3:L4 B6:B7",
            )
        ],
        [(A, "铸造", 500_000_000, "2026-01-15", "construction"), (A, "齿轮", 1_000_000_000, "2025-12", "signed")],
        "",
        "grand_total note note note note",
    ),
    "sections of stages that carry their sums, and nothing in the last": Office(
        [
            sheet(
                ["全县重点项目分类清单"],
                ["（截至2026年10月31日　单位：万元）"],
                ["序号", "项目名称", "责任单位", "属地乡镇", "总投资", "签约时间", "当前情况"],
                ["一、已开工项目（2个）", "", "", "", 8000],
                [1, "A", "发改局", A, 5000, "2025.6", "土建"],
                [2, "B", "工信局", B, 3000, "2025.8.1", ""],
                ["二、已签约未开工项目（2个）", "", "", "", 6000],
                [1, "C", "商务局", A, 2000, "2026.2", "办理手续"],
                [2, "D", "商务局", A, 4000, "2026年上半年", "已开工"],
                ["三、在谈项目（1个）", "", "", "", 1000],
                [1, "E", "商务局", B, 1000, "", "洽谈"],
                ["四、投产项目（0个）"],
                ["", "无"],
                ["总计（5个）", "", "", "", 15000],
                merged="A1:G1 A2:G2 A4:D4 A7:D7 A10:D10",
            )
        ],
        [
            (A, "A", 50_000_000, "2025-06", "construction"),
            (B, "B", 30_000_000, "2025-08-01", "construction"),
            (A, "C", 20_000_000, "2026-02", "signed"),
            (A, "D", 40_000_000, "2026-H1", "construction"),
            (B, "E", 10_000_000, None, "intent"),
        ],
        "",
        "subtotal subtotal subtotal section nil_report grand_total",
    ),
    "a section for each year": Office(
        [
            sheet(
                ["2026年招商引资签约项目一览表"],
                ["（截止2026年8月底）单位：万元"],
                ["序号", "项目名称", "所属镇", "客商", "投资额", "签约日期"],
                ["2024年签约项目"],
                [1, "A", A, "a", 100, "3月5日"],
                [2, "B", A, "b", 200, "11月"],
                ["2025年签约项目（1个）"],
                [1, "C", B, "c", 300, "5月6日"],
                ["2026年签约项目"],
                [1, "D", B, "d", 300, "6月15日"],
                ["以上数据截至8月底"],
                merged="A1:F1 A2:F2 A4:F4 A7:F7 A9:F9",
            )
        ],
        [
            (A, "A", 1_000_000, "2024-03-05", "signed"),
            (A, "B", 2_000_000, "2024-11", "signed"),
            (B, "C", 3_000_000, "2025-05-06", "signed"),
            (B, "D", 3_000_000, "2026-06-15", "signed"),
        ],
        "date_year_inferred",
        "section section section note",
    ),
    "a nil report in one merged cell, in a cell, and beside a town's tasks": Office(
        [
            sheet(
                ["填报单位：乙山镇"],
                ["序号", "项目名称", "总投资（万元）", "签约时间"],
                ["无"],
                ["填表人：", "", "审核人："],
                merged="A3:D3",
            ),
            sheet(["填报单位：丁湖镇"], ["序号", "项目名称", "总投资（万元）", "签约时间"], ["", "/", "", ""], ["", "无"], name="b"),
            sheet(
                ["乡镇", "计划任务", "完成率", "签约项目名称", "投资方", "合同金额(亿元)", "签订日期", "正式合同/框架协议"],
                [A, 5, "40%", "甲", "a", 1, "2026-1-5", "正式合同"],
                ["", "", "", "乙", "b", 2, "2026-2-5", "框架协议"],
                [B, 5, "0%", "无"],
                [C, 5, "20%", "丙", "c", 0.5, "2026-3-5", "意向书"],
                ["合计", 15, "20%", "", "", 3.5],
                merged="A2:A3 B2:B3 C2:C3",
                name="c",
            ),
        ],
        [
            (A, "甲", 100_000_000, "2026-01-05", "signed"),
            (A, "乙", 200_000_000, "2026-02-05", "intent"),
            (C, "丙", 50_000_000, "2026-03-05", "intent"),
        ],
        "framework_not_signed town_from_title",
        "nil_report note nil_report nil_report nil_report grand_total",
    ),
    "pages with their sums, and a title with （续）": Office(
        [
            sheet(
                ["2026年招商项目花名册"],
                ["序号", "镇", "项目名称", "总投资(万元)", "签约日期", "备注"],
                [1, A, "甲", 100, "2026-1-1"],
                [2, A, "乙", 200, "2026-1-2"],
                ["", "", "本页合计", 300],
                ["第1页 共2页"],
                ["2026年招商项目花名册（续）"],
                ["序号", "镇", "项目名称", "总投资(万元)", "签约日期", "备注"],
                [3, A, "丙", 300, "2026-1-3", "签的是框架协议"],
                [4, B, "丁", 400, "2026-1-4"],
                ["", "", "本页合计", 700],
                ["", "", "累计", 1000],
            )
        ],
        [
            (A, "甲", 1_000_000, "2026-01-01", "signed"),
            (A, "乙", 2_000_000, "2026-01-02", "signed"),
            (A, "丙", 3_000_000, "2026-01-03", "intent"),
            (B, "丁", 4_000_000, "2026-01-04", "signed"),
        ],
        "framework_not_signed",
        "subtotal note header subtotal grand_total",
    ),
    "towns without a header; two tables that share them": Office(
        [
            sheet(
                ["招商项目推进表（万元）"],
                ["", "序号", "项目名称", "投资方", "总投资", "签约时间\n（格式：2026-1-1）", "目前\n进展"],
                [A, 1, "甲", "a公司", 100, "2026-1-1", "签约"],
                ["", 2, "乙", "b公司", 200, "2026 年 3 月 5 日", "开工"],
                [B, 1, "丙", "c公司", 300, "2026-3-5", "投产"],
                merged="A3:A4",
            ),
            sheet(
                ["序号", "单位名称", "签约项目情况", "", "", "", "开工项目情况", "", ""],
                ["", "", "项目名称", "投资方", "总投资（万元）", "签约时间", "项目名称", "总投资（亿元）", "开工时间"],
                [1, A, "丁", "a", 1000, "2026-1-5", "庚", 2, "2026-3-1"],
                ["", "", "戊", "b", 2000, "2026-2-5"],
                [2, B, "己", "c", 3000, "2026-2-6", "辛", 1, "2026-4-1（预计）"],
                merged="A1:A2 B1:B2 C1:F1 G1:I1 A3:A4 B3:B4",
                name="b",
            ),
        ],
        [
            (A, "甲", 1_000_000, "2026-01-01", "signed"),
            (A, "乙", 2_000_000, "2026-03-05", "construction"),
            (B, "丙", 3_000_000, "2026-03-05", "operating"),
            (A, "丁", 10_000_000, "2026-01-05", "signed"),
            (A, "戊", 20_000_000, "2026-02-05", "signed"),
            (B, "己", 30_000_000, "2026-02-06", "signed"),
            (A, "庚", 200_000_000, None, "construction"),
            (B, "辛", 100_000_000, None, None),
        ],
        "town_beside town_column_guessed",
    ),
    "a part without a unit, units and currencies in a column": Office(
        [
            sheet(
                ["序号", "项目名称", "镇街名称", "总投资（亿元）", "其中", "", "签约", "", "用地情况", "开工"],
                ["", "", "", "", "固投", "设备", "时间", "金额", "面积（亩）", "时间"],
                [1, "甲", A, 1.2, 0.8, 0.2, "2026.1.5", "1.2", 50, "2026.Q1"],
                merged="A1:A2 B1:B2 C1:C2 D1:D2 E1:F1 G1:H1",
            ),
            sheet(
                ["序号", "项目名称", "落户镇区", "总投资", "", "签约时间"],
                ["", "", "", "数额", "单位", "实际"],
                [1, "乙", A, 5000, "万元", "2026-4-1"],
                [2, "丙", A, 1.2, "亿元", ""],
                [3, "丁", A, 300, "万美元", "2026-6-1"],
                merged="A1:A2 B1:B2 C1:C2 D1:E1",
                name="b",
            ),
            sheet(
                ["序号", "项目名称", "镇区", "币种", "总投资（万）", "签约时间"],
                [1, "戊", A, "人民币", 5000, "2026-1-1"],
                [2, "己", A, "美元", 300, "预计2026年1月"],
                name="c",
            ),
        ],
        [
            (A, "甲", 120_000_000, "2026-01-05", "construction"),
            (A, "乙", 50_000_000, "2026-04-01", "signed"),
            (A, "丙", 120_000_000, None, None),
            (A, "丁", None, "2026-06-01", "signed"),
            (A, "戊", 50_000_000, "2026-01-01", "signed"),
            (A, "己", None, "2026-01", None),
        ],
        "amount_foreign_currency unit_of_whole",
    ),
    "blanks in every word, counts as texts, towns that stand as sites": Office(
        [
            sheet(
                ["乡 镇", "项 目 名 称", "投 资 方", "总 投 资", "签 约 时 间"],
                ["甲 河 镇", "甲", "a", "1亿", "2026.3"],
                ["甲 河 镇", "乙", "b", "2亿", "2026.4"],
                ["小　　计", "2", "", "3亿"],
                [B, "丙", "", "5000万", "2026.5"],
                ["小计", "1", "", "5000万"],
                ["合计", "3", "", "3.5亿"],
            ),
            sheet(
                ["示例县2026年集中签约项目清单（共2个）"],
                ["序号", "项目", "投资方", "总投资", "落地园区", "建设内容", "行业主管部门"],
                ["1", "饲料", "示例饲料集团", "3.5亿元", A, "年产10万吨", "农业农村局"],
                ["2", "储能", "某公司", "6.1亿元", "待定", "", "发改局"],
                merged="A1:G1",
                name="b",
            ),
        ],
        [
            ("甲 河 镇", "甲", 100_000_000, "2026-03", "signed"),
            ("甲 河 镇", "乙", 200_000_000, "2026-04", "signed"),
            (B, "丙", 50_000_000, "2026-05", "signed"),
            (A, "饲料", 350_000_000, None, None),
            ("待定", "储能", 610_000_000, None, None),
        ],
        "town_column_guessed unit_missing",
        "subtotal subtotal grand_total",
    ),
    "months and units in a line of their own beside a dictionary": Office(
        [
            sheet(["名称", "单位"], ["项目", "个"], ["投资", "万元"], name="字典"),
            sheet(
                ["2026年招商引资项目进度表（单位：万元）"],
                ["项目名称", "乡镇", "总投资", "签约时间", "形象进度", "", ""],
                ["", "", "", "", "6月", "7月", "8月"],
                ["甲", A, 100, "2026.1", "开工", "主体", "封顶"],
                ["乙", A, 100, "2026.1", "洽谈", "签约", "办证"],
                merged="A2:A3 B2:B3 C2:C3 D2:D3 E2:G2",
            ),
            sheet(
                ["序号", "项目名称", "投资方", "总投资", "其中外资", "签约日", "镇"],
                ["", "", "", "万元", "万美元"],
                [1, "丙", "c", 7000, 1000, "2026-03-15 10:30:00", B],
                name="b",
            ),
        ],
        [
            (A, "甲", 1_000_000, "2026-01", "construction"),
            (A, "乙", 1_000_000, "2026-01", "signed"),
            (B, "丙", 70_000_000, "2026-03-15", "signed"),
        ],
        "amount_foreign_currency",
    ),
    "yes, no and not yet where days were asked for": Office(
        [
            sheet(
                ["序号", "镇区", "项目名称", "总投资额", "签约", "注册", "开工", "投产", "备注"],
                ["", "", "", "（亿元）", "（日期）", "（是/否）", "（日期）", "（日期）", ""],
                [1, A, "甲", 1, "2026-1-1", "是", "2026-5-1"],
                [2, A, "乙", 2, "2026-1-1", "否", "未开工"],
                [3, A, "丙", 2, "未签", "", "", "", "洽谈中"],
                [4, 101.0, "丁", 2, "是", "是", "已开工", "否"],
                merged="A1:A2 B1:B2 C1:C2 I1:I2",
            )
        ],
        [
            (A, "甲", 100_000_000, "2026-01-01", "construction"),
            (A, "乙", 200_000_000, "2026-01-01", "signed"),
            (A, "丙", 200_000_000, None, None),
            ("101", "丁", 200_000_000, None, "construction"),
        ],
        "date_unparseable",
    ),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("through", ["a grid", "xlsx", "xls", "ods"])
def test_a_careful_clerk_reads_it_so(name: str, through: str) -> None:
    case = CASES[name]
    ledger = read_ledger(WRITERS[through](*case.pages)) if through in WRITERS else understand(*case.pages, portion=5)
    assert projects_of(ledger) == case.projects
    told = {code for row in ledger.rows for code in codes(row)} | {
        mark.code for table in ledger.tables for mark in table.marks if mark.level != "note"
    }
    assert told == set(case.told.split())
    assert {total.result for table in ledger.tables for total in table.totals} <= {"ok"}
    kinds = [one.kind for table in ledger.tables for one in table.ignored if one.kind not in ("caption", "blank")]
    assert kinds == case.kinds.split()
