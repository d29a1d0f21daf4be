"""Who may see and do what: the one place for roles and data scope. Pure.

County and bureau cover the whole county (a bureau's parent and its subtree), a town its own subtree, a department
what is assigned to it (nothing yet). Outside the scope everything is "not found"; inside it a role may be forbidden.
"""

from __future__ import annotations

from typing import NamedTuple

from app.errors import Forbidden, NotFound

KINDS = {"county": "县", "bureau": "县招商局", "town": "镇区", "department": "部门"}
ROLES = {"clerk": "经办人", "officer": "值班员", "leader": "领导", "auditor": "审计", "admin": "管理员"}

REPORT = "report"  # facts of a project: moves, milestones, follow-ups, funds, reports, evidence, amendments
REVIEW = "review"  # recognise, return, void: only the county's own offices
ADMINISTER = "administer"  # offices, people, tokens, policy
CALENDAR = "calendar"  # the yearly notice of days off: only the county's own administrators
KEEP = "keep"  # filters of the own office: no fact of any project; whoever audits leaves nothing behind
RESEND = "resend"  # messages: send one again, try a relay again; only the county's own offices
ROBOTS = "robots"  # group robots of offices: whoever of the county reviews or administers
COLUMNS = "columns"  # headers that ledgers are read by: whoever of the county reviews or administers
SUPERVISE = "supervise"  # supervision orders: issue, decide, close, send back; only the county's own offices
ANSWER = "answer"  # supervision orders: receive, reply, ask for more time
OBSERVE = "observe"  # what is measured of the running service: whoever of the county audits or administers
COUNTY_ONLY = (REVIEW, CALENDAR, RESEND, ROBOTS, COLUMNS, SUPERVISE, OBSERVE)
MAY: dict[str, tuple[str, ...]] = {
    "clerk": (REPORT, KEEP, ANSWER),
    "officer": (REPORT, REVIEW, KEEP, RESEND, ROBOTS, COLUMNS, SUPERVISE, ANSWER),
    "leader": (KEEP, ANSWER),
    "auditor": (OBSERVE,),
    "admin": (ADMINISTER, CALENDAR, KEEP, RESEND, ROBOTS, COLUMNS, OBSERVE),
}
VERBS = {
    REPORT: "上报", REVIEW: "认定、退回或作废", ADMINISTER: "管理", CALENDAR: "导入放假安排", KEEP: "保存筛选", RESEND: "重发消息",
    ROBOTS: "管理群机器人", COLUMNS: "管理台账列的别名",
    SUPERVISE: "下达或审核督办单", ANSWER: "签收或回复督办单", OBSERVE: "查看运行指标",
}  # fmt: skip
NOTHING = "-"  # a path no office has


class Caller(NamedTuple):
    """Who is asking: an office in a role, by which token, for which person. `scope` is the path of the subtree it covers."""

    token_id: str | None
    office_id: int
    office_code: str
    office_name: str
    kind: str
    role: str
    person_id: int | None
    scope: str

    @property
    def is_county(self) -> bool:
        """Does it act with the county's authority (its own claims need no further recognition)?"""
        return self.kind in ("county", "bureau")

    def covers(self, path: str) -> bool:
        """Is the office with this path inside the caller's scope?"""
        return path.startswith(self.scope)

    def must_cover(self, path: str | None) -> None:
        """404 for everything outside: the answer does not tell what exists there."""
        if path is None or not self.covers(path):
            raise NotFound("没有这个项目或这条记录，或不在您的管辖范围内")

    def must(self, what: str) -> None:
        """403 unless the role may do it; reviews, the calendar and messages also need the county's authority."""
        if what not in MAY[self.role] or (what in COUNTY_ONLY and not self.is_county):
            raise Forbidden(f"“{ROLES[self.role]}”不能{VERBS[what]}；请联系有权限的人员")


def units_above(path: str) -> list[str]:
    """The path of a unit and of those above it, the nearest first: /1/4/, /1/."""
    return [path[: at + 1] for at in range(len(path) - 1, 0, -1) if path[at] == "/"]


def scope_of(kind: str, path: str, parent_path: str | None) -> str:
    """The path prefix that an office covers."""
    if kind == "bureau":
        return parent_path or path
    return NOTHING if kind == "department" else path
