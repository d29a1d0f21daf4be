"""The fold: facts in, standings out. Pure, and the only reading of what facts mean (2-domain 2.1, 2.3).

`fold` sweeps a project's facts day by day and returns segments: what is true between two dates. Inside one day
the order of recording cannot matter. Who knew what when is not decided here: fold the facts recorded by then.
Returned and voided claims are gone as if they never were; a revert puts later stages out of force from its date on.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from app.heart import lifecycle as table
from app.heart.facts import (
    AMENDED,
    EVIDENCE,
    FOLLOWED_UP,
    FUNDED,
    MILESTONE,
    MOVED,
    RECOGNISED,
    REGISTERED,
    REPORTED,
    RETURNED,
    VOIDED,
    Fact,
)
from app.heart.limits import FOREVER


class Standing(NamedTuple):
    """What is true of one project on a day. Bases of clocks, no policy, no due dates. Amounts in the smallest unit.

    `solid` progress is every progress that is not text; `firm` is solid progress without claims that await review.
    """

    office_id: int
    stage: str | None
    stage_recognised: str | None
    status: str
    stage_entered_on: date | None
    signed_on: date | None
    last_progress_on: date | None
    last_solid_on: date | None
    route: str | None
    owner_id: int | None
    amount: int | None
    currency: str | None
    needs_registration: bool
    paused: bool
    pause_inferred_end: bool
    suspended_on: date | None
    suspended_until: date | None
    terminated_on: date | None
    intent_on: date | None
    land_on: date | None
    started_on: date | None
    operating_on: date | None
    registered_on: date | None
    filed_on: date | None
    last_milestone_on: date | None
    waiting_since: date | None
    firm_solid_on: date | None
    firm_moved: bool
    funds: int | None
    funds_currency: str | None
    funded_on: date | None
    planned_start_on: date | None
    planned_operation_on: date | None
    proofs: tuple[str, ...]
    milestones: tuple[str, ...]

    @property
    def in_force(self) -> tuple[str, ...]:
        """The stages in force on the day, lowest first."""
        dates = (self.intent_on, self.signed_on, self.land_on, self.started_on, self.operating_on)
        return tuple(name for name, day in zip(table.STAGE_NAMES, dates, strict=True) if day is not None)

    @property
    def silent(self) -> bool:
        """Rules are silent while a project is paused and after it ended."""
        return self.paused or self.status == "terminated"

    @property
    def halted(self) -> bool:
        """(a)-(d) of signed-then-stopped: signed, going on, and nothing that counts since the signing."""
        return (
            self.signed_on is not None
            and not self.silent
            and self.started_on is None
            and self.operating_on is None
            and not _moved_on(self.signed_on, self.land_on, self.last_milestone_on)
        )


def _moved_on(signed_on: date, land_on: date | None, milestone_on: date | None) -> bool:
    return (land_on is not None and land_on >= signed_on) or (milestone_on is not None and milestone_on >= signed_on)


class Segment(NamedTuple):
    """One standing, true on valid_from <= day < valid_to."""

    valid_from: date
    valid_to: date
    standing: Standing


_POINT = re.compile(r"(?<=[0-9])\.(?=[0-9])")


def normalised(text: str) -> str:
    """A progress text without what a copier changes by accident: width, case, blanks, punctuation (1.2亿 stays apart from 12亿)."""
    folded = _POINT.sub("点", unicodedata.normalize("NFKC", text).casefold())
    return "".join(mark for mark in folded if unicodedata.category(mark)[0] in "LN")


def live(facts: Iterable[Fact]) -> tuple[list[Fact], dict[int, Fact]]:
    """(facts in force, recognitions in force by the sequence number of the claim they review).

    Read from the newest: whatever acts on an older fact counts unless it was voided itself. A returned registration
    loses its claim of intent only: the project stays registered.
    """
    gone: dict[int, str] = {}
    kept: list[Fact] = []
    recognised: dict[int, Fact] = {}
    for fact in sorted(facts, key=lambda one: -one.seq):
        if fact.seq in gone:
            if fact.kind != REGISTERED or gone[fact.seq] == VOIDED:
                continue
            fact = fact._replace(data={**fact.data, "claims": False})
        if fact.target is not None:
            if fact.kind == VOIDED:
                gone[fact.target] = VOIDED
            elif fact.kind == RETURNED:
                gone.setdefault(fact.target, RETURNED)
            elif fact.kind == RECOGNISED:
                recognised[fact.target] = fact
        kept.append(fact)
    kept.reverse()
    return kept, recognised


def claims_stage(fact: Fact) -> str | None:
    """The stage a fact claims, if it claims one."""
    if fact.kind == REGISTERED:
        return table.INTENT if fact.data.get("claims", True) else None
    if fact.kind == MOVED:
        action = fact.data["action"]
        return table.INTENT if action == "register" else table.STAGE_MOVES.get(action)
    return None


def is_complete(item: Mapping[str, Any]) -> bool:
    """Does this evidence carry every field it needs? (A contract without a number proves nothing.)"""
    return all(item.get(field) for field in table.EVIDENCE[item["kind"]].needs)


def complete_proofs(items: Iterable[dict[str, Any]]) -> list[str]:
    """The kinds of evidence that carry every field they need."""
    return [item["kind"] for item in items if is_complete(item)]


def _day(text: Any) -> date | None:
    return None if text is None else date.fromisoformat(text)


class _Sweep:
    """The state of a fold between two days; `step` methods apply one thing that happened, `standing` reads it off."""

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
        self.funds: tuple[int, str, date] | None = None
        self.suspended: tuple[date, date | None, bool] | None = None
        self.inferred_end = False
        self.terminated_on: date | None = None
        self.waiting: list[date] = []
        self.rank_before = 0

    # one thing that happened -----------------------------------------------------------------------

    def amend(self, day: date, changes: dict[str, Any]) -> None:
        self.told = {**self.told, **changes}

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

    def nothing(self, day: date, _: Any) -> None:
        """A day on which something was said that changes no standing, or on which a pause runs out."""

    # ------------------------------------------------------------------------------------------------

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

    def standing(self, day: date) -> Standing:
        told, first = self.told, self.first
        solid = max((*self.by_stage.values(), *self.solid.values()), default=None)
        firm = max((*self.firm_by_stage.values(), *self.firm.values()), default=None)
        progress = solid if self.text_on is None else self.text_on if solid is None else max(solid, self.text_on)
        stage = table.furthest(first)
        signed_on = first.get(table.SIGNED)
        status = "terminated" if self.terminated_on else "suspended" if self.suspended else "active"
        until = self.suspended[1] if self.suspended else None
        later = [first[name] for name in (table.LAND, table.CONSTRUCTION, table.OPERATING) if name in first]
        recognised = self.first_recognised
        registered = self.milestones.get(("company_registered", None))
        needs_registration = told.get("needs_registration")
        if needs_registration is None:
            needs_registration = table.founds_company(told.get("route")) and not told.get("credit_code")
        entered = {name for kind in first if (name := table.milestone_of(kind))}
        return Standing(
            office_id=told["office"],
            stage=stage,
            stage_recognised=table.furthest(recognised),
            status=status,
            stage_entered_on=first[stage] if stage else None,
            signed_on=signed_on,
            last_progress_on=progress,
            last_solid_on=solid,
            route=told.get("route"),
            owner_id=told.get("owner"),
            amount=told.get("amount"),
            currency=told.get("currency"),
            needs_registration=needs_registration,
            paused=status == "suspended" and (until is None or day < until),
            pause_inferred_end=self.inferred_end,
            suspended_on=self.suspended[0] if self.suspended else None,
            suspended_until=until,
            terminated_on=self.terminated_on,
            intent_on=first.get(table.INTENT),
            land_on=first.get(table.LAND),
            started_on=first.get(table.CONSTRUCTION),
            operating_on=first.get(table.OPERATING),
            registered_on=registered,
            filed_on=self.milestones.get(("project_filed", None)),
            last_milestone_on=max((*later, *self.milestone_on.values()), default=None),
            waiting_since=min(self.waiting, default=None),
            firm_solid_on=firm,
            firm_moved=signed_on is not None
            and (
                table.CONSTRUCTION in recognised
                or table.OPERATING in recognised
                or _moved_on(signed_on, recognised.get(table.LAND), max(self.firm_milestone_on.values(), default=None))
            ),
            funds=self.funds[0] if self.funds else None,
            funds_currency=self.funds[1] if self.funds else None,
            funded_on=self.funds[2] if self.funds else None,
            planned_start_on=_day(told.get("planned_start_on")),
            planned_operation_on=_day(told.get("planned_operation_on")),
            proofs=tuple(sorted({kind for kind, _ in self.proofs})),
            milestones=tuple(sorted({kind for kind, _ in self.milestones} | entered)),
        )


AMEND, UNPAUSE, CLAIM, PROVE, REACH, REVERT, FUND, REPORT, SUSPEND, RESUME, TERMINATE, REOPEN, WAIT, REVIEWED, NOTHING = range(15)
_STEPS = (
    _Sweep.amend, _Sweep.unpause, _Sweep.claim, _Sweep.prove, _Sweep.reach, _Sweep.revert, _Sweep.fund, _Sweep.report,
    _Sweep.suspend, _Sweep.resume, _Sweep.terminate, _Sweep.resume, _Sweep.wait, _Sweep.reviewed, _Sweep.nothing,
)  # fmt: skip
"""The order inside one day is this order, whatever the order of recording: claims and what shows them before reverts,
suspend before resume."""


def _proof_events(fact: Fact, firm: bool, start: date, claimed: str | None) -> Iterator[tuple[date, int, int, Any]]:
    """Evidence counts from its own date (never before the project's first day); undated, from the day it was handed in."""
    for item in fact.data.get("evidence") or ():
        dated_on = _day(item.get("dated_on"))
        at = max(start, dated_on or fact.effective_on)
        yield at, PROVE, fact.seq, (item["kind"], dated_on, is_complete(item), firm, claimed)


def _events(facts: Sequence[Fact], recognised: dict[int, Fact], start: date) -> Iterator[tuple[date, int, int, Any]]:
    """Everything that happened as (day, step, sequence number, what)."""
    for fact in facts:
        day, data, kind = fact.effective_on, fact.data, fact.kind
        if kind in (RECOGNISED, RETURNED, VOIDED):
            continue
        if (stage := claims_stage(fact)) is not None:
            at_once = data.get("recognition") == "recognised"
            review = recognised.get(fact.seq)
            firm = at_once or review is not None
            yield day, CLAIM, fact.seq, (stage, firm)
            if not at_once:
                yield fact.recorded_on, WAIT, fact.seq, fact.recorded_on
                if review is not None:
                    yield max(review.recorded_on, fact.recorded_on), REVIEWED, fact.seq, fact.recorded_on
            if fact.imported:
                yield day, UNPAUSE, fact.seq, None
            if amount := data.get("contract_amount"):
                yield day, AMEND, fact.seq, amount
            yield from _proof_events(fact, firm, start, stage)
            continue
        yield day, NOTHING, fact.seq, None
        if kind == MOVED:
            action = data["action"]
            if action == "revert":
                yield day, REVERT, fact.seq, data["to"]
            elif action == "suspend":
                until = _day(data.get("until"))
                yield day, SUSPEND, fact.seq, (until, fact.imported)
                if until is not None and until > day:
                    yield until, NOTHING, fact.seq, None
            else:
                yield day, {"resume": RESUME, "terminate": TERMINATE, "reopen": REOPEN}[action], fact.seq, None
        elif kind == MILESTONE:
            if not data.get("planned"):
                yield day, REACH, fact.seq, data["milestone"]
                yield from _proof_events(fact, True, start, table.STAGE_OF_MILESTONE.get(data["milestone"]))
        elif kind == FUNDED:
            yield day, FUND, fact.seq, (data["amount"], data["currency"])
        elif kind == REPORTED:
            if text := normalised(data.get("text") or ""):
                yield day, REPORT, fact.seq, text
        elif kind == AMENDED:
            yield day, AMEND, fact.seq, data["changes"]
        elif kind == FOLLOWED_UP and fact.imported:
            yield day, UNPAUSE, fact.seq, None
        elif kind == EVIDENCE:
            yield from _proof_events(fact, True, start, None)


def fold(facts: Sequence[Fact]) -> list[Segment]:
    """The segments of one project, ascending, without gaps from its first day on; the last one is open-ended.

    `facts` are all facts of the project that are known, in any order; among them at most one registration. Before it is
    known, and once it was voided, there is no project and no segment.
    """
    kept, recognised = live(facts)
    registered = next((fact for fact in kept if fact.kind == REGISTERED), None)
    if registered is None:
        return []
    start = min(fact.effective_on for fact in kept if fact.kind not in (RECOGNISED, RETURNED, VOIDED))
    events = sorted(_events(kept, recognised, start), key=lambda event: event[:3])
    sweep = _Sweep(dict(registered.data), start)
    segments: list[Segment] = []
    at = 0
    while at < len(events):
        day = events[at][0]
        sweep.rank_before = max((table.RANK[stage] for stage in sweep.first), default=0)
        while at < len(events) and events[at][0] == day:
            _, step, _, what = events[at]
            _STEPS[step](sweep, day, what)
            at += 1
        standing = sweep.standing(day)
        if segments and segments[-1].standing == standing:
            continue
        if segments:
            segments[-1] = segments[-1]._replace(valid_to=day)
        segments.append(Segment(day, FOREVER, standing))
    return segments


def standing_on(segments: Sequence[Segment], day: date) -> Standing | None:
    """The standing on a day, or None before the project's first day."""
    for segment in reversed(segments):
        if segment.valid_from <= day:
            return segment.standing
    return None
