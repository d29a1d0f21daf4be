"""A second, slow reading of the domain, made from its sentences and not from the fold: the judge of the fold.

Nothing is swept or remembered here. Every answer looks through all facts again and asks a sentence of the domain: is
this claim in force on that day? did this report say anything new? Only the table of evidence is shared with the fold,
because it is the county's data and no reading.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from fractions import Fraction
from typing import Any, NamedTuple

from app.heart.facts import Fact
from app.heart.lifecycle import EVIDENCE
from app.heart.standing import Standing

STAGES = ("intent", "signed", "land", "construction", "operating")
CLAIMED_BY = {
    "register": "intent",
    "sign": "signed",
    "secure_land": "land",
    "start_construction": "construction",
    "start_operation": "operating",
}
WRITES = {
    "signed": "contract_signed",
    "land": "land_secured",
    "construction": "real_start",
    "operating": "first_invoice",
}
"""Each stage move writes its milestone."""
FALLS_WITH = {"land_secured": "land", "real_start": "construction", "first_invoice": "operating"}
"""A stage's own milestone falls when a revert takes the stage; every other milestone stays."""
REVIEWS = ("recognised", "returned", "voided")
HALF_WIDTH = {wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)}
REPORT_NOISE = string.whitespace + string.punctuation + "，。、；：？！“”（）《》　"


class Shown(NamedTuple):
    """A milestone or a piece of evidence: visible from a day, dated, and falling with a stage (or never)."""

    visible_from: date
    dated_on: date | None
    milestone: str | None
    progress: bool
    falls_with: str | None
    kind: str | None = None
    complete: bool = True


def naive_standing(facts: Sequence[Fact], day: date) -> dict[str, Any] | None:
    """Everything true of the project on a day by the given facts, or None before its first day."""
    history = History(facts)
    if history.starts_on is None or day < history.starts_on:
        return None
    return history.on(day)


def rank(stage: str | None) -> int:
    return 0 if stage is None else STAGES.index(stage) + 1


class History:
    """The facts of a project that were not taken back, and one question per sentence of the spec."""

    def __init__(self, facts: Sequence[Fact]) -> None:
        self.all = list(facts)
        self.facts = [fact for fact in self.all if self.stands(fact) and fact.kind not in REVIEWS]
        exists = any(fact.kind == "registered" for fact in self.facts)
        self.starts_on = min(fact.effective_on for fact in self.facts) if exists else None

    # Corrections act on knowledge ------------------------------------------------------------------------------

    def corrected(self, fact: Fact, *kinds: str) -> bool:
        """Does a correction that stands itself act on this fact?"""
        return any(other.kind in kinds and other.target == fact.seq and self.stands(other) for other in self.all)

    def stands(self, fact: Fact) -> bool:
        """A voided fact never was; a returned one neither, but a project whose intent is returned stays registered."""
        takes_back = ("voided",) if fact.kind == "registered" else ("voided", "returned")
        return not self.corrected(fact, *takes_back)

    # Stages ----------------------------------------------------------------------------------------------------

    def claims(self) -> Iterator[tuple[str, Fact]]:
        """(stage, fact) of every claim that was neither voided nor returned."""
        for fact in self.facts:
            if fact.kind == "registered" and fact.data.get("claims", True) and not self.corrected(fact, "returned"):
                yield "intent", fact
            if fact.kind == "moved" and fact.data["action"] in CLAIMED_BY:
                yield CLAIMED_BY[fact.data["action"]], fact

    def fallen(self, stage: str | None, since: date, day: date) -> bool:
        """Did a revert of a day in [since, day] put this stage out of force?"""
        return any(since <= fact.effective_on <= day and rank(stage) > rank(fact.data["to"]) for fact in self.moves("revert"))

    def claims_in_force(self, day: date) -> list[tuple[str, Fact]]:
        return [
            (stage, fact) for stage, fact in self.claims() if fact.effective_on <= day and not self.fallen(stage, fact.effective_on, day)
        ]

    def entered(self, stage: str | None, day: date) -> date | None:
        """The earliest claim of a stage in force on a day: repeated stages count from the earliest date."""
        return min((fact.effective_on for name, fact in self.claims_in_force(day) if name == stage), default=None)

    def furthest(self, day: date, *, recognised: bool = False) -> str | None:
        claims = self.claims_in_force(day)
        return max((stage for stage, fact in claims if not recognised or self.recognised(fact)), key=rank, default=None)

    def recognised(self, fact: Fact) -> bool:
        return fact.data.get("recognition") == "recognised" or self.corrected(fact, "recognised")

    def waiting_since(self, day: date) -> date | None:
        """The business date of recording of the oldest claim that nobody has reviewed by the end of the day."""
        waiting = []
        for _, fact in self.claims():
            reviews = [other for other in self.all if other.kind == "recognised" and other.target == fact.seq]
            reviewed = any(review.recorded_on <= day for review in reviews if self.stands(review))
            if fact.recorded_on <= day and not reviewed and fact.data.get("recognition") != "recognised":
                waiting.append(fact.recorded_on)
        return min(waiting, default=None)

    # Milestones, evidence, progress ----------------------------------------------------------------------------

    def shown(self, day: date) -> list[Shown]:
        """Milestones and evidence visible on a day and not fallen with a revert (stage moves' own milestones apart)."""
        found = []
        for fact in self.facts:
            stage: str | None = None
            if fact.kind == "milestone":
                if fact.data.get("planned"):
                    continue
                name = fact.data["milestone"]
                stage = FALLS_WITH.get(name)
                found.append(Shown(fact.effective_on, fact.effective_on, name, name != "contract_signed", stage))
            elif fact.kind != "evidence":
                stage = next((stage for stage, claim in self.claims() if claim.seq == fact.seq), None)
                if stage is None:
                    continue
            found += [self.proof(item, fact, stage) for item in fact.data.get("evidence", [])]
        visible = [one for one in found if one.visible_from <= day]
        return [one for one in visible if not self.fallen(one.falls_with, one.visible_from, day)]

    def proof(self, item: dict[str, Any], fact: Fact, stage: str | None) -> Shown:
        """Evidence counts from its own date, undated from when it was handed in, and never before the project began."""
        row = EVIDENCE[item["kind"]]
        dated_on = date.fromisoformat(item["dated_on"]) if item.get("dated_on") else None
        assert self.starts_on is not None
        falls_with = FALLS_WITH.get(row.proves) if row.proves else stage
        return Shown(
            visible_from=max(dated_on or fact.effective_on, self.starts_on),
            dated_on=dated_on,
            milestone=row.proves,
            progress=row.progress,
            falls_with=falls_with,
            kind=item["kind"],
            complete=all(item.get(field) for field in row.needs),
        )

    def milestone_dates(self, day: date) -> list[tuple[str, date]]:
        """(milestone, date) of every actual milestone in force, those written by stage moves among them."""
        written = [(WRITES[stage], entered) for stage in WRITES if (entered := self.entered(stage, day)) is not None]
        return written + [(one.milestone, one.dated_on) for one in self.shown(day) if one.milestone and one.dated_on]

    def earliest(self, milestone: str, day: date) -> date | None:
        return min((dated for name, dated in self.milestone_dates(day) if name == milestone), default=None)

    def solid_progress(self, day: date) -> list[date]:
        """Days of progress that is not text."""
        dates = []
        for stage, fact in self.claims_in_force(day):
            eve = fact.effective_on - timedelta(days=1)
            repeated = self.entered(stage, eve) is not None
            raises = rank(stage) > rank(self.furthest(eve))
            if not repeated and (raises or WRITES.get(stage, "contract_signed") != "contract_signed"):
                dates.append(fact.effective_on)
        dates += [one.dated_on for one in self.shown(day) if one.progress and one.dated_on]
        return dates + [fact.effective_on for fact in self.told("funded", day) if self.more_than_ever(fact)]

    def more_than_ever(self, fact: Fact) -> bool:
        """Was more money in place than any earlier total in the same currency? A total corrected downwards and up again
        to where it was is no increase."""
        before = [
            other.data["amount"]
            for other in self.told("funded", fact.effective_on)
            if other.data["currency"] == fact.data["currency"] and (other.effective_on, other.seq) < (fact.effective_on, fact.seq)
        ]
        return bool(fact.data["amount"] > max(before, default=0))

    def changed_texts(self, day: date) -> list[date]:
        """Days on which a report said something that the last day with a text had not said."""
        texts: dict[date, set[str]] = {}
        for fact in self.told("reported", day):
            written = (fact.data["text"] or "").translate(HALF_WIDTH).lower()
            text = "".join(mark for mark in written if mark not in REPORT_NOISE)
            if text:
                texts.setdefault(fact.effective_on, set()).add(text)
        days = sorted(texts)
        return [now for last, now in zip([None, *days], days, strict=False) if texts[now] - texts.get(last, set())]  # type: ignore[arg-type]

    # Status ----------------------------------------------------------------------------------------------------

    def moves(self, *actions: str) -> list[Fact]:
        return [fact for fact in self.facts if fact.kind == "moved" and fact.data["action"] in actions]

    def told(self, kind: str, day: date) -> list[Fact]:
        """Facts of a kind by the end of a day, oldest first, inside a day in the order told."""
        by_then = [fact for fact in self.facts if fact.kind == kind and fact.effective_on <= day]
        return sorted(by_then, key=lambda fact: (fact.effective_on, fact.seq))

    def terminated_on(self, day: date) -> date | None:
        """The last termination, unless reopened on or after it; `resumed` after it means reopened too."""
        ends = [fact.effective_on for fact in self.moves("terminate") if fact.effective_on <= day]
        if not ends:
            return None
        end = max(ends)
        reopened = any(end <= fact.effective_on <= day for fact in self.moves("reopen"))
        resumed = any(end < fact.effective_on <= day for fact in self.moves("resume"))
        return None if reopened or resumed else end

    def suspension(self, day: date) -> Fact | None:
        """The last suspension unless resumed, or (imported) followed by an imported stage or contact of a later day."""
        pauses = [fact for fact in self.told("moved", day) if fact.data["action"] == "suspend"]
        if not pauses:
            return None
        pause = pauses[-1]
        resumed = any(pause.effective_on <= fact.effective_on <= day for fact in self.moves("resume", "reopen"))
        went_on = pause.source == "import" and any(
            pause.effective_on < fact.effective_on <= day and fact.source == "import"
            for fact in [*(claim for _, claim in self.claims()), *self.told("followed_up", day)]
        )
        return None if resumed or went_on else pause

    # The whole answer ------------------------------------------------------------------------------------------

    def described(self, name: str, day: date) -> Any:
        """A description on a day: the last amendment (or a contract's amount) by then, else what was registered."""
        value = next(fact for fact in self.facts if fact.kind == "registered").data.get(name)
        by_then = [fact for fact in self.facts if fact.effective_on <= day]
        for fact in sorted(by_then, key=lambda fact: (fact.effective_on, fact.seq)):
            changes = fact.data["changes"] if fact.kind == "amended" else fact.data.get("contract_amount") or {}
            value = changes.get(name, value)
        return value

    def agreed(self, name: str, milestone: str, day: date) -> date | None:
        """The agreed date as last told by the day, by a planned milestone or with the descriptions."""
        told = [
            (fact.effective_on, fact.seq, fact.data["planned_on"])
            for fact in self.told("milestone", day)
            if fact.data.get("planned") and fact.data["milestone"] == milestone and fact.data.get("planned_on")
        ]
        told += [
            (fact.effective_on, fact.seq, fact.data["changes"][name]) for fact in self.told("amended", day) if name in fact.data["changes"]
        ]
        first = next(fact for fact in self.facts if fact.kind == "registered").data.get(name)
        return _date(max(told)[2] if told else first)

    def returned_since(self, day: date) -> date | None:
        """The oldest return, by the days things were recorded on, that nobody answered by telling the thing again."""
        open_ones = []
        for back in self.all:
            if back.kind != "returned" or not self.stands(back) or back.recorded_on > day:
                continue
            claim = next(fact for fact in self.all if fact.seq == back.target)
            if self.corrected(claim, "voided"):
                continue
            stage = CLAIMED_BY.get(claim.data.get("action", "register"))
            again = [
                fact
                for fact in self.all
                if fact.seq > back.seq
                and fact.recorded_on <= day
                and not self.corrected(fact, "voided")
                and fact.kind == "moved"
                and rank(CLAIMED_BY.get(fact.data["action"])) >= rank(stage)
            ]
            if not again:
                open_ones.append(back.recorded_on)
        return min(open_ones, default=None)

    def ownerless_on(self, day: date) -> date | None:
        """Since when without an owner, or with one who left: the day after which every day is like this one."""
        since: date | None = None
        changes = [self.starts_on, *(fact.effective_on for fact in self.told("amended", day))]
        for when in sorted({one for one in changes if one is not None}, reverse=True):
            if self.described("owner", when) is not None and not self.left(when):
                break
            since = when
        return since

    def left(self, day: date) -> bool:
        """Was it told last that the owner left, or who the owner is?"""
        left = False
        for fact in self.told("amended", day):
            if "owner" in fact.data["changes"]:
                left = False
            left = fact.data["changes"].get("owner_left", left)
        return left

    def duties_on(self) -> date | None:
        """Reports and an owner are due from the first day; of an imported project not before it was recorded."""
        registration = next(fact for fact in self.facts if fact.kind == "registered")
        assert self.starts_on is not None
        return max(self.starts_on, registration.recorded_on) if registration.source == "import" else self.starts_on

    def on(self, day: date) -> dict[str, Any]:
        stage = self.furthest(day)
        signed_on = self.entered("signed", day)
        pause, terminated_on = self.suspension(day), self.terminated_on(day)
        status = "terminated" if terminated_on else "suspended" if pause else "active"
        until = date.fromisoformat(pause.data["until"]) if pause and pause.data.get("until") else None
        paused = status == "suspended" and (until is None or day < until)
        solid = max(self.solid_progress(day), default=None)
        money = self.told("funded", day)
        explicit = self.described("needs_registration", day)
        new_company = self.described("route", day) != "existing_site" and not self.described("credit_code", day)
        since_signing = [
            dated for name, dated in self.milestone_dates(day) if signed_on is not None and name != "contract_signed" and dated >= signed_on
        ]
        began = self.entered("construction", day) or self.entered("operating", day)
        silent = paused or status == "terminated"
        return {
            "stage": stage,
            "stage_recognised": self.furthest(day, recognised=True),
            "stage_entered_on": self.entered(stage, day),
            "intent_on": self.entered("intent", day),
            "signed_on": signed_on,
            "land_on": self.entered("land", day),
            "started_on": self.entered("construction", day),
            "operating_on": self.entered("operating", day),
            "status": status,
            "paused": paused,
            "silent": silent,
            "suspended_on": pause.effective_on if pause else None,
            "suspended_until": until,
            "terminated_on": terminated_on,
            "last_solid_on": solid,
            "last_progress_on": max(filter(None, [solid, *self.changed_texts(day)]), default=None),
            "registered_on": self.earliest("company_registered", day),
            "filed_on": self.earliest("project_filed", day),
            "waiting_since": self.waiting_since(day),
            "halted": signed_on is not None and not silent and not began and not since_signing,
            "office_id": self.described("office", day),
            "owner_id": self.described("owner", day),
            "route": self.described("route", day),
            "amount": self.described("amount", day),
            "currency": self.described("currency", day),
            "needs_registration": new_company if explicit is None else explicit,
            "planned_start_on": self.agreed("planned_start_on", "real_start", day),
            "planned_operation_on": self.agreed("planned_operation_on", "first_invoice", day),
            "raised_on": max((fact.effective_on for fact in self.told("funded", day) if self.more_than_ever(fact)), default=None),
            "returned_since": self.returned_since(day),
            "ownerless_on": self.ownerless_on(day),
            "duties_on": self.duties_on(),
            "_reported_on": max((fact.effective_on for fact in self.told("reported", day)), default=None),
            "funds": money[-1].data["amount"] if money else None,
            "funds_currency": money[-1].data["currency"] if money else None,
            "funded_on": money[-1].effective_on if money else None,
            "proofs": tuple(sorted({one.kind for one in self.shown(day) if one.kind and one.complete})),
            "milestones": tuple(sorted({name for name, _ in self.milestone_dates(day)})),
        }


def _date(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def naive_bases(now: dict[str, Any]) -> dict[str, tuple[date, date]]:
    """rule → (basis of red, basis of yellow) on a day, read off 2-domain 2.4 for one answer of `naive_standing`."""
    if now["status"] == "terminated":
        return {}
    found: dict[str, tuple[date, date]] = {}
    if now["status"] == "suspended" and now["suspended_until"]:
        found["suspension_expired"] = now["suspended_until"], now["suspended_until"]
    if now["silent"]:
        return found
    intent_on, signed_on = now["intent_on"], now["signed_on"]
    progress = [now["last_solid_on"], now["last_progress_on"]]
    if intent_on and now["stage"] == "intent":
        solid, soft = (max(filter(None, [intent_on, one])) for one in progress)
        found["intent_no_progress"] = solid, soft
    if signed_on:
        land_later = now["land_on"] is not None and now["land_on"] >= signed_on
        if not (land_later or now["started_on"] or now["operating_on"]):
            solid, soft = (max(filter(None, [signed_on, one])) for one in progress)
            found["signed_no_progress"] = solid, soft
        if now["needs_registration"] and not now["registered_on"]:
            found["signed_to_registered"] = signed_on, signed_on
        if now["route"] != "no_site" and not now["filed_on"]:
            found["signed_to_filed"] = signed_on, signed_on
    if now["waiting_since"]:
        found["claim_waiting"] = now["waiting_since"], now["waiting_since"]
    begun = now["started_on"] or now["operating_on"] or "real_start" in now["milestones"]
    if signed_on and not begun:
        found["signed_to_start"] = signed_on, signed_on
        if not now["land_on"] and "land_secured" not in now["milestones"]:
            found["signed_to_land"] = signed_on, signed_on
    if now["land_on"] and not begun and now["planned_start_on"]:
        found["land_to_start"] = now["planned_start_on"], now["planned_start_on"]
    started_on = now["started_on"]
    if started_on and not now["operating_on"]:
        if now["raised_on"] is None or now["raised_on"] < started_on:
            found["funds_none_after_start"] = started_on, started_on
        if naive_part(now) is not None and naive_part(now) < 1:
            found["funds_low_after_start"] = started_on, started_on
        solid, soft = (max(filter(None, [started_on, one])) for one in progress)
        found["construction_no_progress"] = solid, soft
        found["start_to_operating"] = started_on, started_on
    if now["returned_since"]:
        found["claim_returned"] = now["returned_since"], now["returned_since"]
    if now["ownerless_on"]:
        found["owner_missing"] = (max(now["ownerless_on"], now["duties_on"]),) * 2
    reported, due_on = now["_reported_on"], now["duties_on"] + timedelta(days=1)
    while due_on.day != 25 or (reported and (due_on.year, due_on.month) <= (reported.year, reported.month)):
        due_on += timedelta(days=1)
    found["report_missing"] = due_on, due_on
    return found


def naive_part(now: dict[str, Any]) -> Any:
    """The part of the contract in place, exactly; None where nothing can be said."""
    if not now["amount"] or (now["funds"] and now["funds_currency"] != now["currency"]):
        return None
    return Fraction(now["funds"] or 0, now["amount"])


def naive_reached(policy: Any, rule: str, basis: tuple[date, date], now: dict[str, Any], on: date) -> Any:
    """(level, limit, day) of a rule: by days where nothing is agreed, by a part of the agreed time where something is."""
    agreed_on = now["planned_operation_on"] if rule == "start_to_operating" else None
    limits = policy.limits(rule, now["route"], agreed_on is not None)
    if limits is None or (limits.share is not None and naive_part(now) * 10_000 >= limits.share):
        return None
    return limits._replace(share=None).reached(*basis, on, policy.calendar, agreed_on=agreed_on)


def compared(found: Standing, expected: dict[str, Any]) -> dict[str, Any]:
    """The standing as the slow reading words it; what a standing does not hold (the last report) is compared by its clock."""
    return {name: expected[name] if name.startswith("_") else getattr(found, name) for name in expected}
