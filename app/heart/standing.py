"""The fold: facts in, standings out. Pure, and the only reading of what facts mean (2-domain 2.1, 2.3).

`fold` sweeps a project's facts day by day and returns segments: what is true between two dates. Inside one day
the order of recording cannot matter. Who knew what when is not decided here: fold the facts recorded by then.
Returned and voided claims are gone as if they never were; a revert puts later stages out of force from its date on.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from datetime import date
from operator import itemgetter
from typing import Any, NamedTuple

from app.heart import checks, starts
from app.heart import lifecycle as table
from app.heart.facts import (
    AMENDED,
    EVIDENCE,
    FOLLOWED_UP,
    FUNDED,
    MILESTONE,
    MOVED,
    NOTED,
    RECOGNISED,
    REGISTERED,
    REPORTED,
    RETURNED,
    VOIDED,
    Fact,
)
from app.heart.limits import FOREVER
from app.heart.live import claims_stage, is_complete, live, returns
from app.heart.sweep import (
    AMEND,
    CLAIM,
    FUND,
    NOTHING,
    PROVE,
    REACH,
    REOPEN,
    REPORT,
    RESUME,
    REVERT,
    REVIEWED,
    STEPS,
    SUSPEND,
    TERMINATE,
    UNPAUSE,
    WAIT,
    WORK,
    Sweep,
)


class Standing(NamedTuple):
    """What is true of one project on a day. Bases of clocks, no policy, no due dates. Amounts in the smallest unit.

    `solid` progress is every progress that is not text; `firm` is solid progress without claims that await review. From
    `duties_on` reports and an owner are due: of an imported project not before the register knew it. `checks` are the bits of the
    data checks that hold (heart/checks.py); `ground_only`: since the start only work was told of that is no start (heart/starts.py).
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
    liaison_id: int | None
    amount: int | None
    currency: str | None
    checks: int
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
    raised_on: date | None
    returned_since: date | None
    ownerless_on: date | None
    duties_on: date
    ground_only: bool
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


AGREED = {"real_start": "planned_start_on", "first_invoice": "planned_operation_on"}
"""Planned milestones that are the contract's agreed dates."""

_POINT = re.compile(r"(?<=[0-9])\.(?=[0-9])")


def normalised(text: str) -> str:
    """A progress text without what a copier changes by accident: width, case, blanks, punctuation (1.2亿 stays apart from 12亿)."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    if folded.isalnum():  # letters and numbers (L*, N*) are what isalnum says, character by character
        return folded
    return "".join(filter(str.isalnum, _POINT.sub("点", folded)))


def _day(text: Any) -> date | None:
    return None if text is None else date.fromisoformat(text)


def _read_off(sweep: Sweep, day: date, duties_on: date) -> Standing:
    """The standing that a sweep has come to. In the order of its fields: names would take four times as long, a million times."""
    told, first, recognised = sweep.told.get, sweep.first, sweep.first_recognised
    solid = max((*sweep.by_stage.values(), *sweep.solid.values()), default=None)
    progress = solid if sweep.text_on is None else sweep.text_on if solid is None else max(solid, sweep.text_on)
    stage = table.furthest(first)
    signed_on, land_on = first.get(table.SIGNED), first.get(table.LAND)
    began, operating_on = first.get(table.CONSTRUCTION), first.get(table.OPERATING)
    suspended_on, until, _ = sweep.suspended or (None, None, None)
    status = "terminated" if sweep.terminated_on else "suspended" if suspended_on else "active"
    needs_registration = told("needs_registration")
    if needs_registration is None:
        needs_registration = table.founds_company(told("route")) and not told("credit_code")
    later = [on for on in (land_on, began, operating_on) if on is not None]
    shown = {name for kind in first if (name := table.milestone_of(kind))}
    shown.update([kind for kind, _ in sweep.milestones])
    funds, funds_currency, funded_on = sweep.funds or (None, None, None)
    standing = Standing(
        sweep.told["office"],
        stage,
        table.furthest(recognised),
        status,
        first[stage] if stage else None,  # stage_entered_on
        signed_on,
        progress,
        solid,
        told("route"),
        told("owner"),
        told("liaison"),
        told("amount"),
        told("currency"),
        0,  # checks
        needs_registration,
        status == "suspended" and (until is None or day < until),  # paused
        sweep.inferred_end,
        suspended_on,
        until,
        sweep.terminated_on,
        first.get(table.INTENT),
        land_on,
        began,
        operating_on,
        sweep.milestones.get(("company_registered", None)),
        sweep.milestones.get(("project_filed", None)),
        max((*later, *sweep.milestone_on.values()), default=None),  # last_milestone_on
        min(sweep.waiting) if sweep.waiting else None,
        max((*sweep.firm_by_stage.values(), *sweep.firm.values()), default=None),  # firm_solid_on
        signed_on is not None
        and (
            table.CONSTRUCTION in recognised
            or table.OPERATING in recognised
            or _moved_on(signed_on, recognised.get(table.LAND), max(sweep.firm_milestone_on.values(), default=None))
        ),  # firm_moved
        funds,
        funds_currency,
        funded_on,
        _day(told("planned_start_on")),
        _day(told("planned_operation_on")),
        sweep.raised_on,
        min(sweep.returned) if sweep.returned else None,
        sweep.ownerless_on,
        duties_on,
        began is not None and sweep.told_since(starts.GROUND, began) and not sweep.told_since(starts.PERMANENT, began),  # ground_only
        tuple(sorted({kind for kind, _ in sweep.proofs})) if sweep.proofs else (),
        tuple(sorted(shown)),
    )
    bits = checks.of(standing)
    return Standing._make((*standing[:_CHECKS], bits, *standing[_CHECKS + 1 :])) if bits else standing


_CHECKS = Standing._fields.index("checks")


def _proof_events(fact: Fact, firm: bool, start: date, claimed: str | None) -> Iterator[tuple[date, int, int, Any]]:
    """Evidence counts from its own date (never before the project's first day); undated, from the day it was handed in."""
    for item in fact.data.get("evidence") or ():
        dated_on = _day(item.get("dated_on"))
        at = max(start, dated_on or fact.effective_on)
        yield at, PROVE, fact.seq, (item["kind"], dated_on, is_complete(item), firm, claimed)


def _work(fact: Fact, text: str | None) -> Iterator[tuple[date, int, int, Any]]:
    """What kind of work a text tells of, if any."""
    if text and (kind := starts.work_in(text)) is not None:
        yield fact.effective_on, WORK, fact.seq, kind


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
            yield from _work(fact, data.get("note"))
            continue
        yield day, NOTHING, fact.seq, None
        if kind in (NOTED, MILESTONE):
            yield from _work(fact, data.get("note") or data.get("text"))
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
            if data.get("planned"):
                if (agreed := AGREED.get(data["milestone"])) and data.get("planned_on"):
                    yield day, AMEND, fact.seq, {agreed: data["planned_on"]}
            else:
                yield day, REACH, fact.seq, data["milestone"]
                yield from _proof_events(fact, True, start, table.STAGE_OF_MILESTONE.get(data["milestone"]))
        elif kind == FUNDED:
            yield day, FUND, fact.seq, (data["amount"], data["currency"])
        elif kind == REPORTED:
            if text := normalised(data.get("text") or ""):
                yield day, REPORT, fact.seq, text
                yield from _work(fact, data["text"])
        elif kind == AMENDED:
            yield day, AMEND, fact.seq, data["changes"]
        elif kind == FOLLOWED_UP and fact.imported:
            yield day, UNPAUSE, fact.seq, None
        elif kind == EVIDENCE:
            yield from _proof_events(fact, True, start, None)


_ORDER = itemgetter(0, 1, 2)


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
    events = sorted([*_events(kept, recognised, start), *returns(facts)], key=_ORDER)
    sweep = Sweep(dict(registered.data), start)
    duties_on = max(start, registered.recorded_on) if registered.imported else start
    segments: list[Segment] = []
    at = 0
    while at < len(events):
        day = events[at][0]
        sweep.rank_before = max((table.RANK[stage] for stage in sweep.first), default=0)
        while at < len(events) and events[at][0] == day:
            _, step, _, what = events[at]
            STEPS[step](sweep, day, what)
            at += 1
        standing = _read_off(sweep, day, duties_on)
        if segments and segments[-1].standing == standing:
            continue
        if segments:
            before = segments[-1]
            segments[-1] = Segment(before.valid_from, day, before.standing)
        segments.append(Segment(day, FOREVER, standing))
    return segments


def standing_on(segments: Sequence[Segment], day: date) -> Standing | None:
    """The standing on a day, or None before the project's first day."""
    for segment in reversed(segments):
        if segment.valid_from <= day:
            return segment.standing
    return None
