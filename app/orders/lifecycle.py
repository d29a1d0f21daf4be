"""THE TABLE of a supervision order (督办单): which step leads from where to where, whose it is, and what it needs. Pure.

A new step is one row in STEPS. Refusals, the buttons an answer offers (`may`), the database CHECK and the tests come from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple

ISSUED, RECEIVED, REPLIED, SENT_BACK, CLOSED = "issued", "received", "replied", "sent_back", "closed"
STATES = {ISSUED: "待签收", RECEIVED: "办理中", REPLIED: "已回复", SENT_BACK: "退回重办", CLOSED: "已办结"}
OPEN = (ISSUED, RECEIVED, REPLIED, SENT_BACK)
WITH_UNIT = (ISSUED, RECEIVED, SENT_BACK)
"""The unit has to act: only such an order can be overdue."""
DUE_IN = 5
"""Workdays that a unit has, unless the order says otherwise (2-domain 2.5)."""
UNIT, BUREAU = "unit", "bureau"
SIDES = {UNIT: "责任单位", BUREAU: "县招商局"}


class Step(NamedTuple):
    """One row. `target` None leaves the state; `pending` says whether an extension must wait for its answer (None: either);
    `in_time`: only until the day the order is due."""

    action: str
    label: str
    english: str
    sources: tuple[str, ...]
    target: str | None
    side: str
    fields: tuple[str, ...] = ()
    pending: bool | None = None
    in_time: bool = False


STEPS = (
    Step("receive", "签收", "the unit has the order", (ISSUED,), RECEIVED, UNIT),
    Step("reply", "回复", "the unit says what was done", (RECEIVED, SENT_BACK), REPLIED, UNIT, ("text",)),
    Step("extend", "申请延期", "the unit asks for a later date", (ISSUED, RECEIVED, SENT_BACK), None, UNIT,
         ("reason", "until"), pending=False, in_time=True),
    Step("decide_extension", "延期审批", "the bureau grants or refuses it", (ISSUED, RECEIVED, SENT_BACK), None, BUREAU,
         ("granted",), pending=True),
    Step("close", "办结", "the bureau accepts the reply", (REPLIED,), CLOSED, BUREAU),
    Step("close", "撤销", "the bureau withdraws the order, with a reason", (ISSUED, RECEIVED, SENT_BACK), CLOSED, BUREAU, ("reason",)),
    Step("send_back", "退回重办", "the bureau does not accept the reply", (REPLIED,), SENT_BACK, BUREAU, ("reason",)),
)  # fmt: skip
ISSUE = "issue"
LABELS = {ISSUE: "下达", **{step.action: step.label for step in reversed(STEPS)}}
FIELD_LABELS = {"text": "办理情况", "reason": "原因", "until": "延至日期", "granted": "是否同意"}


class Held(NamedTuple):
    """What the table has to know of an order: where it stands, until when, and the date an extension asks for."""

    state: str
    due_on: date
    asked_until: date | None = None


class Refusal(NamedTuple):
    """Why a step is refused: a stable code, what to do next, and the fields that are missing."""

    code: str
    hint: str
    missing: tuple[str, ...] = ()


def step_of(action: str, state: str) -> Step | None:
    """The row of an action from a state; None when the table has none."""
    return next((step for step in STEPS if step.action == action and state in step.sources), None)


def refuse(action: str, held: Held, given: Mapping[str, Any], today: date) -> Refusal | None:
    """Say no, or None when the step may be taken."""
    step = step_of(action, held.state)
    if step is None:
        allowed = "、".join(dict.fromkeys(STATES[source] for one in STEPS if one.action == action for source in one.sources))
        return Refusal("order_not_allowed", f"督办单为“{STATES[held.state]}”，不能{LABELS[action]}；{LABELS[action]}须为：{allowed}")
    if step.pending is False and held.asked_until is not None:
        return Refusal("extension_pending", f"已申请延期至 {held.asked_until}，请等待县招商局答复")
    if step.pending is True and held.asked_until is None:
        return Refusal("extension_not_asked", "没有待审批的延期申请")
    if step.in_time and today > held.due_on:
        return Refusal("extension_too_late", f"办理期限 {held.due_on} 已过，不能再申请延期；请尽快回复")
    missing = tuple(name for name in step.fields if _blank(given.get(name)))
    if missing:
        return Refusal("order_incomplete", f"{step.label}须写明：{'、'.join(FIELD_LABELS[name] for name in missing)}", missing)
    if "until" in step.fields and given["until"] <= held.due_on:
        return Refusal("order_incomplete", f"延至日期须晚于现在的期限 {held.due_on}", ("until",))
    return None


def _blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def possible(held: Held, side: str, today: date) -> list[str]:
    """The steps a side can take now, whatever it still has to write."""
    found = []
    for step in STEPS:
        if step.side == side and held.state in step.sources:
            refusal = refuse(step.action, held, {}, today)
            if refusal is None or refusal.code == "order_incomplete":
                found.append(step.action)
    return found


def is_overdue(state: str, due_on: date, day: date) -> bool:
    """Has the unit not answered in time? A reply that waits for the bureau is not the unit's delay."""
    return state in WITH_UNIT and due_on < day


def check_sql(column: str = "state") -> str:
    """The database CHECK for a state column."""
    return f"{column} IN ({', '.join(repr(name) for name in STATES)})"


def mermaid() -> str:
    """The diagram of an order."""
    lines = ["stateDiagram-v2", "    direction LR", *(f"    {name} : {label} {name}" for name, label in STATES.items())]
    lines.append(f"    [*] --> {ISSUED}")
    lines += [f"    {source} --> {step.target or source} : {step.action}" for step in STEPS for source in step.sources]
    return "\n".join(lines)
