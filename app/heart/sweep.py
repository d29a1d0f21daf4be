"""One project between two days of the fold: what has happened so far, and the steps that change it.

A step is one thing that happened. The order of steps inside a day is fixed below, so the order of recording cannot matter.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from app.heart import lifecycle as table


class Sweep:
    """The state of a fold between two days; each method applies one thing that happened."""

    def __init__(self, base: dict[str, Any], start: date) -> None:
        self.told = base  # descriptions in force
        self.start = start
        self.first: dict[str, date] = {}  # stage → earliest claim in force
        self.first_recognised: dict[str, date] = {}
        self.by_stage: dict[str, date] = {}  # stage → progress its claim made
        self.firm_by_stage: dict[str, date] = {}
        # what evidence and milestones showed, by the stage a revert takes it away with (None: it stays)
        self.milestones: dict[tuple[str, str | None], date] = {}
        self.milestone_on: dict[str | None, date] = {}
        self.firm_milestone_on: dict[str | None, date] = {}
        self.solid: dict[str | None, date] = {}  # progress apart from stage claims and text
        self.firm: dict[str | None, date] = {}
        self.text_on: date | None = None
        self.texts: set[str] = set()
        self.texts_day: date | None = None
        self.earlier_texts: set[str] = set()
        self.proofs: set[tuple[str, str | None]] = set()
        self.funds_most: dict[str, int] = {}
        self.raised_on: date | None = None  # money in place last grew
        self.funds: tuple[int, str, date] | None = None
        self.suspended: tuple[date, date | None, bool] | None = None
        self.inferred_end = False
        self.terminated_on: date | None = None
        self.waiting: list[date] = []
        self.returned: list[date] = []
        self.ownerless_on: date | None = None
        self.work_told: dict[str, date] = {}  # kind of work (heart/starts.py) → last day a text told of it
        self.follow_owner(start)
        self.rank_before = 0

    # one thing that happened -----------------------------------------------------------------------

    def amend(self, day: date, changes: dict[str, Any]) -> None:
        self.told = {**self.told, **({"owner_left": False} if "owner" in changes else {}), **changes}
        self.follow_owner(day)

    def follow_owner(self, day: date) -> None:
        """Since when nobody is responsible: no owner was named, or the owner left."""
        if self.told.get("owner") is not None and not self.told.get("owner_left"):
            self.ownerless_on = None
        elif self.ownerless_on is None:
            self.ownerless_on = day

    def unpause(self, day: date, _: Any) -> None:
        """Imported history: a stage or contact of a later date ends a pause nobody ended (inferred)."""
        if self.suspended is not None and self.suspended[2] and day > self.suspended[0]:
            self.suspended, self.inferred_end = None, True

    def claim(self, day: date, what: tuple[str, bool]) -> None:
        stage, firm = what
        raises = table.RANK[stage] > self.rank_before
        counts = raises or table.milestone_of(stage) not in (None, "contract_signed")
        if stage not in self.first:
            self.first[stage] = day
            if counts:
                self.by_stage[stage] = day
        if firm:
            self.first_recognised.setdefault(stage, day)
            if counts:
                self.firm_by_stage.setdefault(stage, day)

    def revert(self, day: date, to: str) -> None:
        """Later stages, and what was shown for them, are out of force from this day on."""
        limit = table.RANK[to]
        for known in (self.first, self.first_recognised, self.by_stage, self.firm_by_stage):
            for stage in [stage for stage in known if table.RANK[stage] > limit]:
                del known[stage]
        for shown in (self.milestone_on, self.firm_milestone_on, self.solid, self.firm):
            for key in [key for key in shown if table.RANK[key] > limit]:
                del shown[key]
        self.milestones = {pair: on for pair, on in self.milestones.items() if table.RANK[pair[1]] <= limit}
        self.proofs = {pair for pair in self.proofs if table.RANK[pair[1]] <= limit}

    def prove(self, day: date, what: tuple[str, date | None, bool, bool, str | None]) -> None:
        kind, dated_on, complete, firm, claimed = what
        row = table.EVIDENCE[kind]
        stage = table.STAGE_OF_MILESTONE.get(row.proves) if row.proves else claimed
        if complete:
            self.proofs.add((kind, stage))
        if dated_on is None:
            return
        if row.progress:
            self._latest(self.solid, self.firm, stage, dated_on, firm)
        if row.proves is not None:
            self._milestone(row.proves, dated_on, firm)

    def reach(self, day: date, milestone: str) -> None:
        self._milestone(milestone, day, True)
        if milestone != "contract_signed":
            self._latest(self.solid, self.firm, table.STAGE_OF_MILESTONE.get(milestone), day, True)

    def fund(self, day: date, what: tuple[int, str]) -> None:
        amount, currency = what
        self.funds = (amount, currency, day)
        if amount > self.funds_most.get(currency, 0):
            self.funds_most[currency] = amount
            self.raised_on = day
            self._latest(self.solid, self.firm, None, day, True)

    def report(self, day: date, text: str) -> None:
        if self.texts_day != day:
            self.earlier_texts, self.texts, self.texts_day = self.texts, set(), day
        self.texts.add(text)
        if text not in self.earlier_texts:
            self.text_on = day

    def suspend(self, day: date, what: tuple[date | None, bool]) -> None:
        self.suspended, self.inferred_end = (day, *what), False

    def resume(self, day: date, _: Any) -> None:
        """Ends the pause; after a termination it means reopen, and the project is active again."""
        self.suspended, self.terminated_on = None, None

    def terminate(self, day: date, _: Any) -> None:
        self.terminated_on = day

    def wait(self, day: date, since: date) -> None:
        self.waiting.append(since)

    def reviewed(self, day: date, since: date) -> None:
        self.waiting.remove(since)

    def send_back(self, day: date, since: date) -> None:
        self.returned.append(since)

    def resubmit(self, day: date, since: date) -> None:
        self.returned.remove(since)

    def work(self, day: date, kind: str) -> None:
        self.work_told[kind] = day

    def nothing(self, day: date, _: Any) -> None:
        """A day on which something was said that changes no standing, or on which a pause runs out."""

    # ------------------------------------------------------------------------------------------------

    def told_since(self, kind: str, day: date) -> bool:
        """Did a text tell of this kind of work on or after a day?"""
        return kind in self.work_told and self.work_told[kind] >= day

    @staticmethod
    def _latest(every: dict[Any, date], firm_ones: dict[Any, date], key: str | None, day: date, firm: bool) -> None:
        every[key] = max(day, every.get(key, day))
        if firm:
            firm_ones[key] = max(day, firm_ones.get(key, day))

    def _milestone(self, kind: str, day: date, firm: bool) -> None:
        stage = table.STAGE_OF_MILESTONE.get(kind)
        self.milestones[kind, stage] = min(day, self.milestones.get((kind, stage), day))
        if kind != "contract_signed":
            self._latest(self.milestone_on, self.firm_milestone_on, stage, day, firm)


AMEND, UNPAUSE, CLAIM, PROVE, REACH, REVERT, FUND, REPORT, SUSPEND, RESUME, TERMINATE, REOPEN, WAIT, REVIEWED = range(14)
SEND_BACK, RESUBMIT, WORK, NOTHING = range(14, 18)
STEPS = (
    Sweep.amend, Sweep.unpause, Sweep.claim, Sweep.prove, Sweep.reach, Sweep.revert, Sweep.fund, Sweep.report,
    Sweep.suspend, Sweep.resume, Sweep.terminate, Sweep.resume, Sweep.wait, Sweep.reviewed,
    Sweep.send_back, Sweep.resubmit, Sweep.work, Sweep.nothing,
)  # fmt: skip
"""The order inside one day is this order, whatever the order of recording: claims and what shows them before reverts,
suspend before resume."""
