"""Every kind of fact, one list.

A fact is one thing that happened: never edited, never deleted. A correction is another fact that points at
the one it acts on. Three dates stay apart: `effective_on` (happened), `recorded_at` (told to us), and the
`counted_on` inside a recognition (counted).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

REGISTERED = "registered"
MOVED = "moved"
MILESTONE = "milestone"
FOLLOWED_UP = "followed_up"
FUNDED = "funded"
REPORTED = "reported"
EVIDENCE = "evidence"
AMENDED = "amended"
NOTED = "noted"
ACKNOWLEDGED = "acknowledged"
SNOOZED = "snoozed"
EXIT_REVIEWED = "exit_reviewed"
RECOGNISED = "recognised"
RETURNED = "returned"
VOIDED = "voided"

KINDS: dict[str, tuple[str, str]] = {
    REGISTERED: ("登记", "the project was registered; claims intent unless `claims` is false"),
    MOVED: ("阶段或状态变动", "a stage was claimed or the status changed; `action` names a move of lifecycle.MOVES"),
    MILESTONE: ("节点", "a milestone has an actual or a planned date"),
    FOLLOWED_UP: ("跟踪服务", "a call, visit, meeting or service"),
    FUNDED: ("到位资金", "the total of money in place on that date"),
    REPORTED: ("进展报告", "a progress report; without text it says no change"),
    EVIDENCE: ("佐证材料", "evidence was added outside a move"),
    AMENDED: ("信息变更", "descriptions, route, office, owner or agreed dates changed, with a reason"),
    NOTED: ("备注", "a remark; it moves nothing"),
    ACKNOWLEDGED: ("承诺办理", "a plan and a date for a stall; it moves nothing"),
    SNOOZED: ("暂缓督办", "the bureau put a stall off to a date; it moves nothing"),
    EXIT_REVIEWED: ("退出评估", "the bureau decided what becomes of a project in exit review"),
    RECOGNISED: ("认定", "a claim was recognised (scored or not)"),
    RETURNED: ("退回", "a claim was returned; known from then on, it never existed"),
    VOIDED: ("作废", "a fact never was; known from then on"),
}
REVIEWS = (RECOGNISED, RETURNED)
ON_OTHERS = (RECOGNISED, RETURNED, VOIDED)
"""Kinds that act on another fact of the same project, named by `target` (its sequence number)."""


class Fact(NamedTuple):
    """One fact as the fold reads it. `data` is the stored payload: amounts in the currency's smallest unit, dates ISO text,
    people and offices by id. `recorded_on` is the business date of `recorded_at`. `seq` counts from 1 per project."""

    seq: int
    kind: str
    effective_on: date
    recorded_at: datetime
    recorded_on: date
    source: str
    data: Mapping[str, Any]
    target: int | None = None
    id: int = 0

    @property
    def imported(self) -> bool:
        """Is this history taken over from elsewhere (2-domain 2.1: it may end a pause by itself)?"""
        return self.source == "import"
