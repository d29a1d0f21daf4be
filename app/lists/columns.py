"""THE COLUMNS of the lists as files: one table for CSV and XLSX. To add a column, add a row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from app.heart import lifecycle
from app.heart.limits import LEVEL_LABELS
from app.offices.access import ROLES

Shown = Mapping[str, Any]
"""A row of the list as the API prints it."""


class Column(NamedTuple):
    """A column: its header, what it takes from a row (text, a date, an integer or a Decimal), its width in characters, and the
    unit that a spreadsheet's header adds, where a cell is a bare number."""

    header: str
    value: Callable[[Shown], str | date | int | Decimal | None]
    width: int = 12
    unit: str = ""


def _field(name: str) -> Callable[[Shown], Any]:
    return lambda row: row[name]


def _amount(name: str) -> Callable[[Shown], Decimal | None]:
    return lambda row: Decimal(row[name]["amount"]) if row[name] else None


def _currency(name: str) -> Callable[[Shown], str | None]:
    return lambda row: row[name]["currency"] if row[name] else None


def _label(name: str, labels: Mapping[str, str]) -> Callable[[Shown], str | None]:
    return lambda row: labels[row[name]] if row[name] else None


def _missing(row: Shown) -> str:
    return "、".join(one["label"] for one in row["missing"])


def _because(name: str) -> Callable[[Shown], str]:
    def told(reason: Shown) -> str:
        provisional = "，工作日暂计" if reason["provisional"] else ""
        return f"{reason['label']}（{reason['basis_on']} 起 {reason['limit']}，超 {reason['days_over']} 天{provisional}）"

    return lambda row: "；".join(told(one) for one in row[name])


def _voice(who: Shown | None) -> str | None:
    """县招商局值班员 张三: who said it, as far as it is known."""
    if who is None:
        return None
    return f"{who['office'] or ''}{ROLES.get(who['role'], who['role'])}" + (f" {who['person']}" if who["person"] else "")


def _said(name: str, what: str) -> Callable[[Shown], Any]:
    """A part of what was said about the row's stall."""
    return lambda row: row[name][what] if row[name] else None


def _of_reasons(name: str, told: Callable[[Shown], str]) -> Callable[[Shown], str]:
    """What was said about each of the row's reasons, in one cell."""
    return lambda row: "；".join(f"{one['label']}：{told(one[name])}" for one in row["reasons"] if one[name])


def _plan(said: Shown) -> str:
    return f"{said['plan']}（至 {said['until']}，{_voice(said['by'])}）"


def _putting_off(said: Shown) -> str:
    return f"至 {said['until']}：{said['reason']}（{_voice(said['approver'])}）"


_STAGES = {stage.name: stage.label for stage in lifecycle.STAGES}
_LEVELS = {name: label for name, (label, *_) in LEVEL_LABELS.items()}
_REF, _NAME, _OFFICE = (
    Column("项目编号", _field("ref"), 16),
    Column("项目名称", _field("name"), 36),
    Column("镇区", lambda row: row["office"]["name"], 14),
)
_INVESTOR = Column("投资方", _field("investor"), 28)
_AMOUNT, _CURRENCY = Column("协议投资额", _amount("contract_amount"), 20, "（元）"), Column("币种", _currency("contract_amount"), 6)
_SIGNED = Column("签约时间", _field("signed_on"))
_LEVEL = Column("亮灯", _label("level", _LEVELS), 10)
_OWNER = Column("责任人", lambda row: (row["owner"] or {}).get("name"), 10)

STOPPED = (
    _REF, _NAME, _OFFICE, _INVESTOR, _AMOUNT, _CURRENCY, _SIGNED,
    Column("停滞起始日", _field("stopped_on")),
    Column("签约后天数", _field("days_since_signing"), 11),
    Column("停滞天数", _field("days_stopped"), 10),
    Column("缺少", _missing, 24),
    Column("原因", _because("reasons"), 60),
    _LEVEL, _OWNER,
    Column("承诺办理", _of_reasons("acknowledged", _plan), 40),
    Column("暂缓督办", _of_reasons("snoozed", _putting_off), 40),
)  # fmt: skip

STALLS = (
    _REF, _NAME, _OFFICE,
    Column("当前阶段", _field("stage_label"), 10),
    _SIGNED,
    Column("规则", _field("label"), 20),
    _LEVEL,
    Column("起算日", _field("basis_on")),
    Column("时限", _field("limit"), 8),
    Column("到期日", _field("due_on")),
    Column("超期天数", _field("days_over"), 10),
    Column("缺少", _missing, 24),
    Column("建议", _field("advice"), 48),
    Column("承诺事项", _said("acknowledged", "plan"), 36),
    Column("承诺期限", _said("acknowledged", "until")),
    Column("承诺人", lambda row: _voice((row["acknowledged"] or {}).get("by")), 20),
    Column("暂缓至", _said("snoozed", "until")),
    Column("暂缓原因", _said("snoozed", "reason"), 36),
    Column("暂缓批准人", lambda row: _voice((row["snoozed"] or {}).get("approver")), 20),
)  # fmt: skip

PROJECTS = (
    _REF, _NAME, _OFFICE, _INVESTOR,
    Column("产业类别", _field("industry")),
    Column("落地方式", _label("route", lifecycle.ROUTES), 20),
    Column("统一社会信用代码", _field("credit_code"), 22),
    _AMOUNT, _CURRENCY,
    Column("到位资金", _amount("funds_in_place"), 20, "（元）"),
    Column("到位资金币种", _currency("funds_in_place"), 12),
    Column("签约活动", _field("signing_event"), 20),
    Column("当前阶段", _field("stage_label"), 10),
    Column("已认定阶段", _label("stage_recognised", _STAGES), 11),
    Column("状态", _label("status", lifecycle.STATUSES), 8),
    Column("进入阶段日期", _field("stage_entered_on")),
    _SIGNED,
    Column("最近进展", _field("last_progress_on")),
    Column("最近跟踪", _field("last_contact_on")),
    Column("最近报告", _field("last_report_on")),
    Column("约定开工日期", _field("planned_start_on"), 13),
    Column("约定投产日期", _field("planned_operation_on"), 13),
    Column("暂停至", _field("suspended_until")),
    _OWNER, _LEVEL,
    Column("原因", _because("flags"), 60),
)  # fmt: skip
