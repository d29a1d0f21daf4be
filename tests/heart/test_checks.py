"""What texts tell of a start, and the data checks that a standing carries."""

from __future__ import annotations

import pytest

from app.heart import checks
from app.heart.clocks import clocks
from app.heart.live import reports_of
from app.heart.standing import fold
from app.heart.starts import GROUND, PERMANENT, work_in
from tests.heart.story import (
    amended,
    funded,
    history,
    landed,
    milestone,
    operated,
    registered,
    reported,
    signed,
    standing,
    started,
    terminated,
    voided,
)

TOLD = {
    "3月18日举行奠基仪式": GROUND,
    "已完成场地平整，围挡施工完毕": GROUND,
    "正在进行强夯处理": GROUND,
    "施工队伍已进场，临时道路已修通": GROUND,
    "正在开展地质勘察": GROUND,
    "完成初步设计，正在报审": GROUND,
    "地上附着物拆除完毕": GROUND,
    "三通一平已完成，即将进行基础施工": GROUND,
    "场地平整基本完成，计划5月份开始桩基施工": GROUND,
    "设备已进场": GROUND,
    "桩基施工图设计已完成": GROUND,
    "平整场地，为桩基施工做准备": GROUND,
    "尚未进行主体施工，目前平整场地": GROUND,
    "待办理施工许可证后进行基础施工，现正勘察": GROUND,
    "基础施工": PERMANENT,
    "完成场地平整，正在进行桩基施工": PERMANENT,
    "目前为主体施工阶段": PERMANENT,
    "设备进场安装": PERMANENT,
    "设备已进场安装，正在调试": PERMANENT,
    "一号厂房主体封顶，二号厂房设计中": PERMANENT,
    "按计划完成桩基": PERMANENT,
    "正式破土开槽": PERMANENT,
    "钢结构吊装完成80%，计划年底投产": PERMANENT,
    "基础浇筑完成；下一步进行主体施工": PERMANENT,
    "已开工建设": None,
    "设计年产5万吨，设计产能利用率90%": None,
    "正常推进": None,
    "": None,
}


@pytest.mark.parametrize(("text", "told"), TOLD.items())
def test_a_text_tells_of_ground_work_or_of_permanent_work(text: str, told: str | None) -> None:
    assert work_in(text) == told


BEGUN = (registered("2026-01-05", route="leased"), signed("2026-02-01"), started("2026-03-01"))


def codes(*facts: object, on: str = "2026-06-01") -> list[str]:
    return checks.codes(standing(history(*facts), on).checks)  # type: ignore[arg-type]


def test_a_start_that_only_ground_work_was_told_of() -> None:
    levelled, piles = reported("2026-03-10", "正在平整场地"), reported("2026-04-10", "桩基施工")
    assert "start_not_substantive" in codes(*BEGUN, levelled)
    assert "start_not_substantive" in codes(*BEGUN[:2], started("2026-03-01", note="举行奠基仪式"))
    assert "start_not_substantive" not in codes(*BEGUN)
    assert "start_not_substantive" not in codes(*BEGUN, levelled, piles), "permanent work was named since"
    assert "start_not_substantive" in codes(*BEGUN, levelled, piles, on="2026-04-09"), "and not yet on the day before"
    assert "start_not_substantive" not in codes(*BEGUN, piles, reported("2026-05-01", "二期正在设计")), "nor is it taken back"
    assert "start_not_substantive" not in codes(*BEGUN[:2], reported("2026-02-10", "正在平整场地"), started("2026-03-01")), (
        "before the start"
    )
    assert "start_not_substantive" not in codes(*BEGUN, levelled, milestone("main_structure_capped", "2026-05-01"))
    assert "start_not_substantive" not in codes(*BEGUN, levelled, operated("2026-05-01"))
    assert "start_not_substantive" not in codes(*BEGUN, levelled, voided(4, "2026-03-11")), "what was voided was never told"
    assert standing(history(*BEGUN, levelled), "2026-06-01").stage == "construction", "the stage never moves"


def test_what_the_register_should_know_or_does_not_fit() -> None:
    assert codes(registered("2026-01-05", route=None), signed("2026-02-01")) == ["route_missing", "contract_incomplete"]
    assert codes(registered("2026-01-05", route="leased"), landed("2026-03-01")) == ["start_date_missing"]
    worth = signed("2026-02-01", contract_amount={"amount": 100, "currency": "CNY"})
    assert "funds_above_contract" in codes(BEGUN[0], worth, funded("2026-03-01", 101))
    assert "funds_above_contract" not in codes(BEGUN[0], worth, funded("2026-03-01", 100))
    assert "funds_above_contract" not in codes(BEGUN[0], worth, funded("2026-03-01", 101, "USD"))
    assert "dates_out_of_order" in codes(*BEGUN, operated("2026-02-28"))
    assert "dates_out_of_order" in codes(BEGUN[0], amended("2026-02-01", planned_start_on="2026-09-02", planned_operation_on="2026-09-01"))
    assert codes(registered("2026-01-05"), signed("2026-02-01"), terminated("2026-05-01")) == [], "nothing is asked of what has ended"


def test_bits_are_stored_so_their_order_stays() -> None:
    assert list(checks.BIT)[:5] == [
        "route_missing", "contract_incomplete", "start_date_missing", "pause_end_inferred", "start_not_substantive",
    ]  # fmt: skip
    assert len(checks.CHECKS) < 15, "the column is a small integer"


def test_a_liaison_leader_is_as_bitemporal_as_an_owner() -> None:
    facts = history(*BEGUN, amended("2026-04-01", liaison=7), amended("2026-05-01", liaison=8), amended("2026-05-20", liaison=None))
    told = {on: standing(facts, on).liaison_id for on in ("2026-03-31", "2026-04-01", "2026-04-30", "2026-05-01", "2026-05-20")}
    assert list(told.values()) == [None, 7, 7, 8, None]
    before = fold(history(*BEGUN))
    assert {one.rule for one in clocks(fold(facts), reports_of(facts))} == {one.rule for one in clocks(before, [])}, "no rule hangs on him"
