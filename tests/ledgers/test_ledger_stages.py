"""Stages and agreements: as said, never higher; what is denied or lies ahead is not there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.heart.lifecycle import STAGE_NAMES
from app.ledgers.understanding.captions import read_caption
from app.ledgers.understanding.stages import RANK, agreement_of_text, read_agreement, read_stage, read_text
from tests.ledgers.workbooks import Page, codes, understand

TEXTS = {
    "已投产，正常经营": "operating",
    "一期已投产，二期基础浇灌": "operating",
    "如期投产": "operating",
    "主体施工": "construction",
    "主体封顶": "construction",
    "已开工建设，完成投资800万元": "construction",
    "已开工，已于8月奠基，即将开始地块强夯": "construction",
    "主体施工，计划明年投产": "construction",
    "一期已开工,二期尚未开工": "construction",
    "正在试生产": "construction",
    "停工": "construction",
    "设备安装": "construction",
    "土地已摘牌": "land",
    "厂房租赁合同已签": "land",
    "已落地，尚未开工": "land",
    "公司已注册，正在办理备案": "signed",
    "已签约未开工": "signed",
    "已签订正式合同": "signed",
    "正在洽谈": "intent",
    "已签订框架协议": "intent",
    "已签订框架协议，正式合同正在会签": "intent",
    "正在对接": "intent",
    "尚未开工": None,
    "未开工": None,
    "即将开工": None,
    "计划6月开工": None,
    "开工手续正在办理": None,
    "已取得施工许可证，未开工": None,
    "预计年底投产": None,
    "具备开工条件": None,
    "力争年内开工": None,
    "开工时间未定": None,
    "投产后产值5亿": None,
    "拟于10月投产": None,
    "没有开工": None,
    "9月底前开工": None,
    "6月1日前签约": None,
    "2025年底前全部投产": None,
    "3月底前已开工": "construction",
    "提前开工": "construction",
    "日前签约": "signed",
    "3个月前开工": "construction",
    "未签约": None,
    "推进落地": None,
    "正在注册公司": None,
    "待投产": None,
    "": None,
    "……": None,
}


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_claims_what_it_says(text: str) -> None:
    assert read_text(text).stage == TEXTS[text]


COLUMN = {
    "签约": "signed",
    "已签约": "signed",
    "已注册": "signed",
    "备案": "signed",
    "见证签约": "signed",
    "落地": "land",
    "报批": "land",
    "开工": "construction",
    "已竣工": "construction",
    "在建": "construction",
    "投产": "operating",
    "已投产": "operating",
    "意向": "intent",
    "在谈": "intent",
    "意向书": "intent",
    "签约未开工": "signed",
    "投产阶段": "operating",
    "签约（取消）": "signed",
    "项目已开工建设": "construction",
}


@pytest.mark.parametrize("text", COLUMN)
def test_the_stage_column(text: str) -> None:
    assert read_stage(text).stage == COLUMN[text]


@given(
    st.sampled_from(["未", "尚未", "还没有", "即将", "计划明年", "预计6月", "力争年内"]),
    st.sampled_from(["开工", "投产", "开工建设", "投入运营", "竣工"]),
)
def test_what_is_denied_or_ahead_is_never_claimed(before: str, word: str) -> None:
    for text in (before + word, f"公司已注册，{before}{word}"):
        stage = read_text(text).stage
        assert stage is None or RANK[stage] <= RANK["signed"], text


@given(st.text(max_size=60) | st.text(alphabet="已未尚开工投产签约注册，。正在即将框架协议意向取消暂缓", max_size=30))
def test_any_text_is_read(text: str) -> None:
    assert read_text(text).stage in (None, *STAGE_NAMES)
    assert read_stage(text).stage in (None, *STAGE_NAMES)
    assert read_agreement(text) in (None, "formal", "framework", "intent", "unknown")
    assert agreement_of_text(text) in (None, "framework", "intent")


@pytest.mark.parametrize(
    ("text", "side"),
    [
        ("取消", "cancelled"),
        ("项目已终止", "cancelled"),
        ("暂缓", "paused"),
        ("项目暂缓", "paused"),
        ("未取消", None),
        ("部分设备取消进口", None),
        ("正在对接", None),
    ],
)
def test_cancelled_and_paused(text: str, side: str | None) -> None:
    assert read_text(text).side == side


HEAD = ["项目名称", "镇区", "协议类型", "当前阶段", "目前进展", "签约时间"]


@pytest.mark.parametrize(
    ("cells", "stage", "agreement", "signed", "marks"),
    [
        (["正式合同", "签约", "正在对接", "2026-03-01"], "signed", "formal", True, []),
        (["框架", "签约", "", "2026-03-01"], "intent", "framework", False, ["framework_not_signed"]),
        (["意向书", "签约", "", ""], "intent", "intent", False, ["framework_not_signed"]),
        (["意向", "意向", "", ""], "intent", "intent", False, []),
        (["框架", "开工", "主体施工", ""], "construction", "framework", False, ["framework_not_signed"]),
        (["", "框架协议", "", ""], "intent", "framework", False, ["framework_not_signed"]),
        (["", "签约", "已签框架协议", ""], "intent", "framework", False, ["framework_not_signed"]),
        (["", "见证签约", "", ""], "signed", "unknown", True, ["agreement_unclear"]),
        (["正式", "开工", "已奠基，正在平整场地", ""], "construction", "formal", True, ["start_not_substantive"]),
        (["正式", "开工", "主体施工，设计产能5万吨", ""], "construction", "formal", True, []),
        (["正式", "红红火火", "", ""], "signed", "formal", True, ["stage_unknown"]),
        (["", "红红火火", "", ""], None, "unknown", False, ["stage_unknown"]),
    ],
)
def test_a_framework_is_not_signed_whatever_the_stage_says(
    cells: list[str], stage: str | None, agreement: str, signed: bool, marks: list[str]
) -> None:
    (row,) = understand(Page([HEAD, ["甲项目", "甲镇", *cells]])).rows
    assert (row.stage, row.agreement, row.counts_as_signed, codes(row)) == (stage, agreement, signed, marks)


def test_without_a_stage_column_text_agreement_and_dates_say_it() -> None:
    head = ["项目名称", "镇区", "协议类型", "签约时间", "开工时间", "目前进展"]
    rows = [
        ["甲", "A", "正式合同", "2026-01-01", "", "正在对接"],
        ["乙", "A", "正式合同", "2026-01-01", "2026-05-01", "尚未开工"],
        ["丙", "A", "正式合同", "2026-01-01", "2026-05-01", ""],
        ["丁", "A", "", "", "", "主体施工"],
        ["戊", "A", "", "", "", "情况不明"],
        ["己", "A", "", "2026-01-01", "2027-05-01", ""],
    ]
    ledger = understand(Page([["截至2026年6月30日"], head, *rows]))
    assert [(row.stage, row.stage_from, row.counts_as_signed) for row in ledger.rows] == [
        ("signed", "agreement", True),
        ("signed", "agreement", True),
        ("construction", "date", True),
        ("construction", "text", True),
        (None, None, False),
        ("signed", "date", True),
    ]


@pytest.mark.parametrize(
    ("cells", "stage", "signed", "marks"),
    [
        (["正在办理土地手续", "2026-02-01", "框架协议"], "intent", False, ["framework_not_signed"]),
        (["", "2026-02-01", "战略合作框架协议，正式合同待签"], "intent", False, ["framework_not_signed"]),
        (["", "2026-02-01", "框架协议之后已签正式合同"], "signed", True, []),
        (["", "2026-02-01", "钢筋混凝土框架结构"], "signed", True, []),
        (["主体框架已完成", "2026-02-01", ""], "construction", True, []),
        (["三层框架搭建中", "2026-02-01", ""], "signed", True, []),
        (["双方已签合作框架", "2026-02-01", ""], "intent", False, ["framework_not_signed"]),
        (["", "", "意向协议"], "intent", False, []),
        (["", "2026-02-01", "重点项目"], "signed", True, []),
    ],
)
def test_a_remark_may_say_that_it_is_a_framework_only(cells: list[str], stage: str, signed: bool, marks: list[str]) -> None:
    (row,) = understand(
        Page([["截至2026年6月30日"], ["项目名称", "镇区", "目前进展", "签约时间", "备注"], ["甲项目", "甲镇", *cells]])
    ).rows
    assert (row.stage, row.counts_as_signed, codes(row)) == (stage, signed, marks)


def test_a_remark_says_nothing_where_the_column_does() -> None:
    (row,) = understand(Page([["项目名称", "镇区", "协议类型", "备注"], ["甲项目", "甲镇", "正式合同", "原为框架协议"]])).rows
    assert (row.stage, row.agreement) == ("signed", "formal")


@pytest.mark.parametrize(
    ("texts", "day"),
    [
        (["示例县2026年1-9月推进情况表（截至9月25日）"], "2026-09-25"),
        (["2026年推进情况表", "截止时间：9月5日"], "2026-09-05"),
        (["2026年1-9月推进情况表"], "2026-09-30"),
        (["2025年签约、2026年在建项目（截至9月25日）"], None),
        (["截至9月25日"], None),
    ],
)
def test_until_when_a_table_reports(texts: list[str], day: str | None) -> None:
    caption = read_caption(texts)
    assert (caption.report and caption.report.isoformat()) == day
