"""What may be answered, and why a link is refused: two tables. Pure."""

from __future__ import annotations

from typing import NamedTuple

FOLLOW_UP, DATE, BLOCKER, NO_CHANGE = "follow_up", "date", "blocker", "no_change"
KINDS = {FOLLOW_UP: "跟踪服务", DATE: "新的约定日期", BLOCKER: "堵点", NO_CHANGE: "没有变化"}
UNDO = "undo"
LABELS = {**KINDS, UNDO: "撤回登记"}
"""What was recorded through a link; an undo takes one of the others back."""
DISOWNED = "收件人确认不是本人登记，经邮件链接撤回"
"""The reason that the void gives."""
CHANNELS = {"call": "电话", "visit": "走访", "meeting": "会议", "service": "协调服务"}
AGREED = {"real_start": "计划开工日期", "first_invoice": "计划投产日期"}
YEARS_AHEAD = 10
"""An agreed date further away is a slip of the finger."""

OPENED, ANSWERED, REPEATED, REFUSED = "opened", "answered", "repeated", "refused"
USES = {OPENED: "打开", ANSWERED: "登记", REPEATED: "重复提交", REFUSED: "拒绝"}
ASK = "请向本单位负责人或县招商局值班员询问。"
NEXT = "项目再次列入每日邮件时，会有新的链接。"


class Reason(NamedTuple):
    """Why nothing is recorded: the answer's status, what the page says, and what to do next."""

    status: int
    title: str
    hint: str


UNKNOWN, EXPIRED, LEFT, MOVED, ROLE, OUTSIDE = "unknown", "expired", "left", "moved", "role", "outside"
ELSEWHERE, OLD_PAGE, INVALID, ANSWERED_BEFORE, RULED_OUT = "elsewhere", "old_page", "invalid", "answered_before", "ruled_out"
AWAY, UNSURE = "away", "unsure"
REASONS = {
    UNKNOWN: Reason(404, "链接不完整或有误", f"请从邮件中重新打开完整的链接；仍打不开时，{ASK}"),
    EXPIRED: Reason(410, "链接已过期", f"{NEXT}急需登记时，{ASK}"),
    LEFT: Reason(410, "链接已失效", f"链接只供收件人本人在岗时使用。{ASK}"),
    MOVED: Reason(410, "链接已失效", f"收件人已调整单位，旧链接不能再用。{NEXT}{ASK}"),
    ROLE: Reason(403, "不能登记", f"收件人现在的角色不能上报项目情况。{ASK}"),
    OUTSIDE: Reason(410, "链接已失效", f"该项目已不在收件人的管辖范围内。{ASK}"),
    ELSEWHERE: Reason(403, "没有登记", "内容不是从本页面提交的。请从邮件中重新打开链接再填写。"),
    OLD_PAGE: Reason(403, "没有登记", "页面打开太久了。请重新打开邮件中的链接，再填写一次。"),
    INVALID: Reason(422, "没有登记，请修改后再提交", ""),
    ANSWERED_BEFORE: Reason(
        409, "这个链接已经登记过", f"一个链接只能登记一次，这次的内容没有记录。如需更正，请在系统中作废原记录后重报，或{ASK[1:]}{NEXT}"
    ),
    RULED_OUT: Reason(409, "没有登记", ""),
    AWAY: Reason(503, "系统暂时繁忙，没有登记", "请过一分钟再试：返回上一页，内容还在，再提交一次即可。"),
    UNSURE: Reason(503, "不能确定是否已登记", "提交时连接中断。请过一分钟重新打开邮件中的链接：已登记的会显示出来，没有登记的可以再填。"),
}
"""In the page and (but for the last two) in the list of uses; `hint` is empty where the refusal brings its own."""
