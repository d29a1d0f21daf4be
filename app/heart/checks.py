"""Data checks: what the register should know of a project and does not, or what does not fit together. Pure.

They stop nothing and move no stage; they ask somebody to look. Each has a bit of its own in the standing, so that a list and a
count of them cost nothing but reading. New ones go to the end: the bits of the others are stored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from app.heart.standing import Standing


class Check(NamedTuple):
    """One data check: a code that stays, its name, what to do about it, and when it holds."""

    code: str
    label: str
    english: str
    advice: str
    holds: Callable[[Standing], bool]


BUILT = ("main_structure_capped", "equipment_installed", "completion_accepted", "trial_production", "first_invoice")
"""Milestones that only a substantive start leads to."""


def start_date_missing(now: Standing) -> bool:
    """Is the site secured, nothing begun, and no date for the start agreed? Then land_to_start cannot count (2-domain 2.4)."""
    return now.land_on is not None and now.started_on is None and now.operating_on is None and now.planned_start_on is None


def _contract_incomplete(now: Standing) -> bool:
    return now.signed_on is not None and (now.amount is None or "formal_contract" not in now.proofs)


def _start_not_substantive(now: Standing) -> bool:
    return now.ground_only and now.operating_on is None and not any(name in now.milestones for name in BUILT)


def _funds_above_contract(now: Standing) -> bool:
    return now.amount is not None and now.funds is not None and now.currency == now.funds_currency and now.funds > now.amount


def _dates_out_of_order(now: Standing) -> bool:
    began, opened = now.started_on, now.operating_on
    start, operation = now.planned_start_on, now.planned_operation_on
    return (began is not None and opened is not None and opened < began) or (
        start is not None and operation is not None and operation < start
    )


CHECKS = (
    Check("route_missing", "未登记用地方式", "no site route", "请补充用地方式（route）；未登记时按用地方式区分的时限不计",
          lambda now: now.signed_on is not None and now.route is None),
    Check("contract_incomplete", "合同信息不全", "contract incomplete", "请补充正式合同及协议投资额", _contract_incomplete),
    Check("start_date_missing", "未约定开工日期", "no agreed start",
          "请登记约定开工日期；未登记时“约定开工日期已过未开工”不计", start_date_missing),
    Check("pause_end_inferred", "暂停结束日期为推定", "end of a pause inferred", "请核对暂停何时结束", lambda now: now.pause_inferred_end),
    Check("start_not_substantive", "所述进展不属实质性开工", "no substantive start told",
          "所述为奠基、平整、勘察、进场等，请核实是否已有永久性工程动工；阶段不变", _start_not_substantive),
    Check("funds_above_contract", "到位资金超过协议投资", "funds above the contract",
          "请核对金额及单位（元、万元）", _funds_above_contract),
    Check("dates_out_of_order", "日期先后矛盾", "dates out of order", "请核对开工、投产（或其约定）日期的先后", _dates_out_of_order),
)  # fmt: skip
BIT = {check.code: 1 << place for place, check in enumerate(CHECKS)}
_HOLDS = [(1 << place, check.holds) for place, check in enumerate(CHECKS)]
BY_CODE = {check.code: check for check in CHECKS}


def of(now: Standing) -> int:
    """The bits of the checks that hold; nothing is asked of a project that has ended."""
    if now.terminated_on is not None:
        return 0
    bits = 0
    for bit, holds in _HOLDS:
        if holds(now):
            bits |= bit
    return bits


def codes(bits: int) -> list[str]:
    """The codes that some bits stand for."""
    return [check.code for place, check in enumerate(CHECKS) if bits >> place & 1]
