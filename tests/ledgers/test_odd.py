"""Ledgers as county offices write them, unlike each other and unlike the template: what a careful clerk reads in each.

A case is its sheets and, for every project, (town, name, yuan, signed, stage); what is told of it stands behind.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from app.ledgers.understanding.reading import Ledger, read_ledger
from tests.ledgers.workbooks import Page, codes, ods, understand, xls, xlsx

Project = tuple[str | None, str | None, int | None, str | None, str | None]


class Case(NamedTuple):
    pages: list[Page]
    projects: list[Project]
    told: frozenset[str] = frozenset()
    """Codes of marks that are more than notes, of rows and tables."""


def page(*rows: list[Any], name: str = "Sheet1", merges: tuple[tuple[int, int, int, int], ...] = ()) -> Page:
    width = max(map(len, rows))
    return Page([[*row, *[""] * (width - len(row))] for row in rows], name, merges)


WRITERS: dict[str, Callable[..., bytes]] = {"xlsx": xlsx, "xls": xls, "ods": ods}
H = ["序号", "项目名称", "投资方", "总投资(万元)", "签约时间", "进展情况"]
CASES = {
    "tracking": Case(
        [
            page(
                ["2026年1—9月全县招商引资签约项目跟踪表"],
                ["填报单位：示例县招商服务中心", "", "", "", "填报时间：2026年9月30日", "", "单位：万元、亩"],
                ["序号", "项目名称", "投资企业及所在地", "", "总投资", "签约日期", "是否开工", "拟用地", "推进情况"],
                ["", "", "企业名称", "所在地"],
                [1, "果蔬深加工", "示例食品公司", "浙江杭州", 12000, "2026.3.15", "是", 45, "办理手续"],
                [2, "智能家居产业园", "示例家居公司", "广东佛山", 35000, "2026.4.", "否", "120亩", "正在办理用地手续"],
                [4, "农机零配件（二期）", "示例农机公司", "山东临沂", 4500, "6月28日", "计划10月开工", "", "合同已签，正在装修"],
                ["合计", "", "", "", 51500],
                ["注：1.本表按季度报送。2.“是否开工”以取得施工许可证为准。"],
                merges=((0, 0, 0, 8), (2, 2, 2, 3), (2, 0, 3, 0), (2, 1, 3, 1)),
            )
        ],
        [
            (None, "果蔬深加工", 120_000_000, "2026-03-15", "construction"),
            (None, "智能家居产业园", 350_000_000, "2026-04", "signed"),
            (None, "农机零配件（二期）", 45_000_000, "2026-06-28", "signed"),
        ],
        frozenset({"date_year_inferred"}),
    ),
    "statistics beside a list": Case(
        [
            page(
                ["2026年上半年签约项目开工率统计表"],
                ["序号", "乡镇", "签约项目数（个）", "开工项目数（个）", "开工率"],
                [1, "示例1镇", 12, 8, "66.7%"],
                ["合计", "", 12, 8, "66.7%"],
                name="统计",
            ),
            page(
                ["附件2"],
                ["签约未开工项目清单"],
                ["序号", "乡镇", "项目名称", "签约时间", "总投资（亿元）", "未开工原因", "计划开工时间"],
                [1, "示例1镇", "新能源电池", 2025.11, 5, "用地指标未落实", "2026年四季度"],
                [3, "示例2镇", "家纺产业园", 2026.1, "1.2", "企业资金不足", "待定"],
                name="清单",
            ),
        ],
        [
            ("示例1镇", "新能源电池", 500_000_000, "2025-11", "signed"),
            ("示例2镇", "家纺产业园", 120_000_000, "2026-01", "signed"),
        ],
        frozenset({"date_ambiguous"}),
    ),
    "planned and actual": Case(
        [
            page(
                ["序号", "所属乡镇", "项目名称", "开工时间", "", "投资（万元）", "", "目前进展"],
                ["", "", "", "计划", "实际", "计划总投资", "累计完成投资"],
                [1, "示例1镇", "光伏组件", "2026年3月", "2026年4月20日", 50000, 12000, ""],
                [2, "示例1镇", "饲料加工", "2026年5月", "", 3000, 0, "未开工"],
                merges=((0, 0, 1, 0), (0, 1, 1, 1), (0, 2, 1, 2), (0, 3, 0, 4), (0, 5, 0, 6), (0, 7, 1, 7)),
            )
        ],
        [("示例1镇", "光伏组件", 500_000_000, None, "construction"), ("示例1镇", "饲料加工", 30_000_000, None, None)],
    ),
    "each column its unit": Case(
        [
            page(
                [
                    "项目名称",
                    "乡镇",
                    "总投资（亿元）",
                    "固定资产投资（万元）",
                    "合同外资（万美元）",
                    "到位资金(千元)",
                    "签约时间",
                    "进展阶段",
                ],
                ["甲", "示例1镇", 1.5, 9000, "", 30000, "2026-03-01", "签约"],
                ["乙", "示例1镇", "2亿", "5000万元", 800, "—", "2026-03-01", "开工"],
                ["丙", "示例2镇", "0.8", "", "", "0", "2026-03-01", "在谈"],
            )
        ],
        [
            ("示例1镇", "甲", 150_000_000, "2026-03-01", "signed"),
            ("示例1镇", "乙", 200_000_000, "2026-03-01", "construction"),
            ("示例2镇", "丙", 80_000_000, "2026-03-01", "intent"),
        ],
        frozenset({"amount_foreign_currency"}),
    ),
    "typed by hand": Case(
        [
            page(
                ["　项目名称　", " 镇 街 ", "投资总额\n（万元）", "签约 时间", "形象进度 "],
                ["Ａ区智能制造  ", "示例１镇 ", "１２，０００ ", "2026、3、15 ", "已开工  "],
                [" 乙（一期）", "示例2镇", "8 000", "2026。4。1", "签约\u00a0"],
                ["丁", "示例2镇", "'9000", "２０２６年６月", "投产"],
            )
        ],
        [
            ("示例１镇", "Ａ区智能制造", 120_000_000, "2026-03-15", "construction"),
            ("示例2镇", "乙（一期）", 80_000_000, "2026-04-01", "signed"),
            ("示例2镇", "丁", 90_000_000, "2026-06", "operating"),
        ],
    ),
    "ticks": Case(
        [
            page(
                ["序号", "项目名称", "乡镇", "总投资（万元）", "项目状态"],
                ["", "", "", "", "签约", "注册", "开工", "投产", "备注"],
                [1, "甲", "示例1镇", 1000, "√", "√"],
                [2, "乙", "示例1镇", 2000, "√", "√", "√", "", "进展顺利"],
                [3, "丙", "示例2镇", 3000, "√", "", "", "", "框架协议"],
                merges=((0, 0, 1, 0), (0, 1, 1, 1), (0, 2, 1, 2), (0, 3, 1, 3), (0, 4, 0, 8)),
            )
        ],
        [
            ("示例1镇", "甲", 10_000_000, None, "signed"),
            ("示例1镇", "乙", 20_000_000, None, "construction"),
            ("示例2镇", "丙", 30_000_000, None, "intent"),
        ],
        frozenset({"framework_not_signed"}),
    ),
    "yes and no": Case(
        [
            page(
                ["镇（街）", "签约项目", "签约主体", "签约金额（万元）", "签约时间", "落地情况", "开工情况", "是否投产"],
                ["示例1镇", "甲", "甲公司", "5000", "2026年3月", "已落地", "已开工", "否"],
                ["示例1镇", "乙", "乙公司", "3000", "2026年4月", "是", "未开工", "否"],
                ["示例2镇", "丙", "丙公司", "2000", "2026年5月", "未落地"],
            )
        ],
        [
            ("示例1镇", "甲", 50_000_000, "2026-03", "construction"),
            ("示例1镇", "乙", 30_000_000, "2026-04", "land"),
            ("示例2镇", "丙", 20_000_000, "2026-05", "signed"),
        ],
    ),
    "sections of stages": Case(
        [
            page(
                ["序号", "项目名称", "镇区", "投资额（万元）", "当前进度"],
                ["（一）已开工项目"],
                [1, "甲", "示例1镇", 1000, "进展顺利"],
                [2, "乙", "示例1镇", 2000, "已投产"],
                [3, "丙", "示例1镇", 2000, "尚未开工"],
                ["（二）已签约未开工项目"],
                [4, "丁", "示例1镇", 2000],
                ["（三）其他"],
                [5, "戊", "示例2镇", 3000],
            )
        ],
        [
            ("示例1镇", "甲", 10_000_000, None, "construction"),
            ("示例1镇", "乙", 20_000_000, None, "operating"),
            ("示例1镇", "丙", 20_000_000, None, None),
            ("示例1镇", "丁", 20_000_000, None, "signed"),
            ("示例2镇", "戊", 30_000_000, None, None),
        ],
    ),
    "one below the other": Case(
        [
            page(
                ["一、签约项目（单位：万元）"],
                ["序号", "乡镇", "项目", "客商", "投资额", "时间"],
                [1, "示例1镇", "甲", "甲公司", 1000, "2026.3.1"],
                ["小计", "", "", "", 1000],
                ["二、开工项目（单位：亿元）"],
                ["序号", "乡镇", "项目", "客商", "投资额", "开工时间"],
                [1, "示例2镇", "乙", "乙公司", 2, "2026.4.1"],
                [2, "", "丙", "丙公司", 1, ""],
                ["小计", "", "", "", 3],
                ["填表人：王某", "", "", "审核人：李某"],
            )
        ],
        [
            ("示例1镇", "甲", 10_000_000, None, "signed"),
            ("示例2镇", "乙", 200_000_000, None, "construction"),
            ("示例2镇", "丙", 100_000_000, None, "construction"),
        ],
        frozenset({"town_filled_down"}),
    ),
    "towns as sections with their sums": Case(
        [
            page(
                ["示例县重点招商项目推进情况一览表（截至2026年6月底）"],
                ["序号", "项目名称", "总投资\n(亿元)", "投资方", "签约时间", "当前进度"],
                ["一", "示例1镇（2个）", 6],
                [1, "甲", 2, "甲公司", "1月5日", "完成备案"],
                [2, "乙", 4, "乙公司", "2025.12", "厂房主体封顶"],
                ["二", "示例2镇（1个）", 3],
                [1, "小计量仪器", 3, "丙公司", "2026.2", "未开工"],
                ["总计", "3个", 9],
            )
        ],
        [
            ("示例1镇", "甲", 200_000_000, "2026-01-05", "signed"),
            ("示例1镇", "乙", 400_000_000, "2025-12", "construction"),
            ("示例2镇", "小计量仪器", 300_000_000, "2026-02", "signed"),
        ],
        frozenset({"date_year_inferred"}),
    ),
    "a sheet for each town": Case(
        [
            page(["示例1镇2026年招商项目汇总表"], H, [1, "甲", "甲公司", 1000, "3月1日", "已签约"], name="示例1镇"),
            page(["示例2镇2026年招商项目汇总表"], H, ["", "无"], name="示例2镇"),
            page(["汇总"], ["乡镇", "项目个数", "总投资（万元）"], ["示例1镇", 1, 1000], name="汇总"),
            page(
                ["招商项目表"], ["填报单位：示例3镇人民政府"], H, [1, "丙", "丙公司", 500, "2026/4/5", "洽谈中"], ["本页小计", "", "", 500]
            ),
        ],
        [("示例1镇", "甲", 10_000_000, "2026-03-01", "signed"), ("示例3镇", "丙", 5_000_000, "2026-04-05", "signed")],
        frozenset({"town_from_title", "date_year_inferred"}),
    ),
    "a letter": Case(
        [
            page(
                ["关于报送2026年三季度招商引资项目进展情况的函"],
                ["现将我镇2026年三季度招商项目进展情况报送如下："],
                ["示例1镇人民政府"],
                ["2026年9月25日"],
                ["项目名称", "投资总额(万元)", "签约日期", "目前进展情况（截至9月25日）"],
                ["甲", 1000, "2026.3", "已办理施工许可，计划10月开工"],
                ["乙", 2000, "4月", "厂房已建成50%"],
            )
        ],
        [("示例1镇", "甲", 10_000_000, "2026-03", "signed"), ("示例1镇", "乙", 20_000_000, "2026-04", "construction")],
        frozenset({"town_from_title", "date_year_inferred"}),
    ),
    "yuan and dollars under one head": Case(
        [
            page(
                ["序号", "项目名称", "乡镇", "总投资", "", "签约时间"],
                ["", "", "", "人民币（万元）", "外币（万美元）"],
                [1, "甲", "示例1镇", 1000, "", "2026.3.1"],
                [2, "乙", "示例1镇", "", 200, "2026.3.1"],
                merges=((0, 0, 1, 0), (0, 1, 1, 1), (0, 2, 1, 2), (0, 3, 0, 4), (0, 5, 1, 5)),
            )
        ],
        [("示例1镇", "甲", 10_000_000, "2026-03-01", "signed"), ("示例1镇", "乙", None, "2026-03-01", "signed")],
        frozenset({"amount_foreign_currency"}),
    ),
    "a project over two lines": Case(
        [
            page(
                ["序号", "乡镇", "项目名称", "投资方", "总投资（万元）", "签约时间", "进展"],
                [1, "示例1镇", "甲产业园", "甲公司", 1000, "2026.3.1", "签约"],
                ["", "", "", "乙公司", 2000, "2026.4.1", "签约"],
                [2, "", "乙产业园", "丙公司", 500, "2026.3.1", "开工"],
                merges=((1, 0, 2, 0), (1, 2, 2, 2), (1, 1, 3, 1)),
            )
        ],
        [("示例1镇", "甲产业园", 10_000_000, "2026-03-01", "signed"), ("示例1镇", "乙产业园", 5_000_000, "2026-03-01", "construction")],
        frozenset({"row_continued"}),
    ),
    "two languages": Case(
        [
            page(
                ["No.", "项目名称 Project", "镇区 Town", "总投资 Investment (万元)", "签约时间 Signed", "阶段 Stage"],
                [1, "甲", "示例1镇", 1000, "15-Mar-26", "签约"],
                [2, "乙", "示例1镇", 2000, "Mar-26", "开工"],
            )
        ],
        [("示例1镇", "甲", 10_000_000, "2026-03-15", "signed"), ("示例1镇", "乙", 20_000_000, "2026-03", "construction")],
        frozenset({"date_two_digit_year"}),
    ),
    "three levels and days in parts": Case(
        [
            page(
                ["序号", "项目信息", "", "", "时间节点", "", "", "", "", "", "总投资"],
                ["", "项目名称", "镇区", "投资方", "签约时间", "", "", "开工时间"],
                ["", "", "", "", "年", "月", "日", "年", "月", "日", "(万 元)"],
                [1, "甲", "示例1镇", "甲公司", 2025, 3, 15, 2025, 12, "", "5,000"],
                [2, "乙", "示例1镇", "乙公司", "2026", "4", "", "", "", "", "6000"],
                [3, "丙", "示例2镇", "丙公司", 2026, "5月", "底", "", "", "", "—"],
                merges=((0, 0, 2, 0), (0, 1, 0, 3), (0, 4, 0, 9), (0, 10, 1, 10), (1, 4, 1, 6), (1, 7, 1, 9), (1, 1, 2, 1), (1, 2, 2, 2)),
            )
        ],
        [
            ("示例1镇", "甲", 50_000_000, "2025-03-15", "construction"),
            ("示例1镇", "乙", 60_000_000, "2026-04", "signed"),
            ("示例2镇", "丙", None, "2026-05", "signed"),
        ],
    ),
    "a unit among others": Case(
        [
            page(["单位：个、亿元、%"], ["项目名称", "镇区", "总投资", "占比", "签约时间"], ["甲", "示例1镇", 1.5, "33%", "2026.3"]),
            page(["金额单位：人民币万元"], ["项目名称", "镇区", "总投资", "签约时间"], ["乙", "示例1镇", 1500, "2026.3"], name="b"),
            page(["项目名称", "镇区", "总投资（亿元/万美元）", "签约时间"], ["丙", "示例1镇", 2, "2026.3"], name="c"),
        ],
        [
            ("示例1镇", "甲", 150_000_000, "2026-03", "signed"),
            ("示例1镇", "乙", 15_000_000, "2026-03", "signed"),
            ("示例1镇", "丙", None, "2026-03", "signed"),
        ],
        frozenset({"unit_missing"}),
    ),
    "units in a row of their own": Case(
        [
            page(
                ["序号", "项目名称", "乡镇", "总投资", "到位资金", "签约时间", "备注"],
                ["", "", "", "（亿元）", "（万元）"],
                [1, "甲", "示例1镇", 1.2, 3000, "2026.3.1"],
                [2, "乙", "示例1镇", "￥8000万", "/", "2026.3.2"],
            )
        ],
        [("示例1镇", "甲", 120_000_000, "2026-03-01", "signed"), ("示例1镇", "乙", 80_000_000, "2026-03-02", "signed")],
    ),
}


def projects_of(ledger: Ledger) -> list[Project]:
    found: list[Project] = []
    for row in ledger.rows:
        if row.rejected:  # told, and no project: a second line without its merged cells, as a .csv has it
            continue
        signed = row.get("signed_date")
        found.append((row.town, row.name, row.amount.yuan if row.amount else None, signed.text if signed else None, row.stage))
    return found


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("through", ["a grid", "xlsx", "xls", "ods"])
def test_a_ledger_is_read_as_a_careful_clerk_would(name: str, through: str) -> None:
    case = CASES[name]
    ledger = read_ledger(WRITERS[through](*case.pages)) if through in WRITERS else understand(*case.pages, portion=7)
    assert projects_of(ledger) == case.projects
    assert not any(row.rejected for row in ledger.rows)
    told = {code for row in ledger.rows for code in codes(row)} | {
        mark.code for table in ledger.tables for mark in table.marks if mark.level != "note"
    }
    assert told == case.told
    assert {total.result for table in ledger.tables for total in table.totals} <= {"ok"}
