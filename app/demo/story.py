"""One project's history while it is being told: what happened, and when somebody told the register.

A story is told in any order and read in the order of recording. Everything happens, and is recorded, before today.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from app.demo import cast
from app.heart import facts as kinds
from app.heart import lifecycle
from app.heart.calendar import SHIPPED
from app.projects.derived import Actor, New


class Town(NamedTuple):
    """A town with the people who report for it."""

    id: int
    code: str
    clerks: tuple[Actor, ...]


@dataclass(eq=False)
class Told:
    """What one person told the register in one act. `on` is another act whose first fact this one reviews."""

    recorded_on: date
    actor: Actor
    new: list[New]
    on: Told | None = None


class Act(NamedTuple):
    """A told act with its moment, ready to be recorded."""

    moment: datetime
    actor: Actor
    new: list[New]


@dataclass
class Teller:
    """What all stories share: the day they are told on, the dice, and who is there."""

    today: date
    zone: ZoneInfo
    dice: Random
    officers: tuple[Actor, ...]
    towns: tuple[Town, ...]
    events: tuple[tuple[date, str], ...]
    number: int = 0

    @property
    def yesterday(self) -> date:
        return self.today - timedelta(days=1)

    def ago(self, days: int) -> date:
        """That many days before today."""
        return self.today - timedelta(days=days)

    def between(self, low: int, high: int) -> int:
        return self.dice.randint(low, high)


@dataclass
class Story:
    """One project. Its verbs add acts; `acts` reads them off in the order of recording."""

    teller: Teller
    town: Town
    route: str | None
    amount: int
    currency: str
    clerk: Actor
    number: int
    told: list[Told] = field(default_factory=list)
    last: date = date.min  # recording day of the last step: the next one is not told before it
    begun: date = date.min
    funds: int = 0

    def tell(
        self,
        day: date,
        new: Sequence[New],
        *,
        actor: Actor | None = None,
        recorded: date | None = None,
        aside: bool = False,
        on: Told | None = None,
    ) -> Told:
        """Add an act that happened on `day`; unless said, it is recorded some days later. `aside` may come before earlier steps."""
        assert day <= self.teller.yesterday, "the demo tells no future"
        if recorded is None:
            recorded = day + timedelta(days=self.teller.dice.choices((0, 1, 2, 4, 7), (30, 35, 20, 10, 5))[0])
            while not SHIPPED.is_workday(recorded):
                recorded += timedelta(days=1)
        recorded = min(recorded, self.teller.yesterday)
        if not aside:
            recorded = self.last = max(recorded, self.last)
        act = Told(recorded, actor or self.clerk, list(new), on)
        self.told.append(act)
        return act

    # verbs ------------------------------------------------------------------------------------------

    def register(self, day: date, **described: Any) -> Told:
        """The first contact: the project enters the register in intent."""
        self.begun = day
        data = {key: value for key, value in described.items() if value is not None}
        data |= {
            "office": self.town.id,
            "claims": True,
            "recognition": "recognised",
            "evidence": [{"kind": "meeting_record", "dated_on": day.isoformat()}],
        }
        if self.route:
            data["route"] = self.route
        return self.tell(day, [New(kinds.REGISTERED, day, data)], recorded=day)

    def move(
        self,
        action: str,
        day: date,
        *,
        proofs: Sequence[tuple[str, str | None]] = (),
        review: int | None = None,
        recorded: date | None = None,
        **said: Any,
    ) -> Told:
        """A stage claim by the town with its proofs (kind, number); `review` is after how many days the bureau recognises it."""
        data: dict[str, Any] = {"action": action, "recognition": "claimed", **said}
        if proofs:
            data["evidence"] = [
                {"kind": kind, "number": number, "dated_on": day.isoformat()} if number else {"kind": kind, "dated_on": day.isoformat()}
                for kind, number in proofs
            ]
        act = self.tell(day, [New(kinds.MOVED, day, data)], recorded=recorded)
        if review is not None:
            self.review(act, act.recorded_on + timedelta(days=review))
        return act

    def sign(
        self,
        day: date,
        *,
        event: str | None = None,
        review: int | None = 3,
        start: date | None = None,
        operation: date | None = None,
        **said: Any,
    ) -> Told:
        """The formal contract, with its amount, the agreed dates and the signing event."""
        money = {"amount": self.amount, "currency": self.currency}
        act = self.move(
            "sign", day, proofs=[("formal_contract", f"HT-{day.year}-{self.number:03d}")], contract_amount=money, review=review, **said
        )
        agreed = {
            "signing_event": event,
            "planned_start_on": start.isoformat() if start else None,
            "planned_operation_on": operation.isoformat() if operation else None,
        }
        if changes := {key: value for key, value in agreed.items() if value is not None}:
            act.new.append(New(kinds.AMENDED, day, {"changes": changes, "reason": "正式合同约定"}))
        return act

    def registered(self, day: date) -> Told:
        """The company: milestone, proof and credit code in one act."""
        code = cast.credit_code(self.number)
        act = self.milestone("company_registered", day, [("company_registration", code)])
        act.new.append(New(kinds.AMENDED, day, {"changes": {"credit_code": code}, "reason": "公司注册"}))
        return act

    def filed(self, day: date) -> Told:
        """The project filing with its code."""
        return self.milestone("project_filed", day, [("project_filing", f"{day:%y%m}-999999-04-01-{self.number:06d}")])

    def milestone(self, name: str, day: date, proofs: Sequence[tuple[str, str]] = ()) -> Told:
        """An actual milestone, with proofs (kind, number)."""
        data: dict[str, Any] = {"milestone": name, "recognition": "claimed"}
        if proofs:
            data["evidence"] = [{"kind": kind, "number": number, "dated_on": day.isoformat()} for kind, number in proofs]
        return self.tell(day, [New(kinds.MILESTONE, day, data)])

    def land(self, day: date, *, review: int | None = 4, recorded: date | None = None, **said: Any) -> Told:
        """The site: company and filing are on file, so only its own proof comes along."""
        proof = lifecycle.SITE_PROOF[self.route or ""]
        proofs = [(proof[0], f"DK-{day.year}-{self.number:03d}")] if proof else []
        return self.move("secure_land", day, proofs=proofs, review=review, recorded=recorded, **said)

    def start(self, day: date, *, review: int | None = 5, recorded: date | None = None, **said: Any) -> Told:
        """The substantive start, seen on site."""
        permit = "construction_permit" if self.route in lifecycle.BUILT_ROUTES else "start_report"
        proofs = [(permit, f"KG-{day.year}-{self.number:03d}"), ("site_photo", None)]
        return self.move("start_construction", day, proofs=proofs, review=review, recorded=recorded, **said)

    def operate(self, day: date, *, review: int | None = 4, recorded: date | None = None) -> Told:
        """Real operation: the first invoice, and the acceptance where something was built."""
        proofs: list[tuple[str, str | None]] = [("first_invoice", f"FP-{day.year}-{self.number:03d}")]
        if self.route in lifecycle.BUILT_ROUTES:
            proofs.append(("completion_acceptance", f"YS-{day.year}-{self.number:03d}"))
        return self.move("start_operation", day, proofs=proofs, review=review, recorded=recorded)

    def fund(self, day: date, percent: int) -> None:
        """Money in place reaches a share of the contract amount."""
        total = self.amount * percent // 100
        if total > self.funds:
            self.funds = total
            self.tell(day, [New(kinds.FUNDED, day, {"amount": total, "currency": self.currency, "recognition": "claimed"})], aside=True)

    def report(self, day: date, text: str | None) -> None:
        """A progress report in words, or "no change"."""
        data: dict[str, Any] = {"text": text, "no_change": False} if text else {"no_change": True}
        self.tell(day, [New(kinds.REPORTED, day, data)], aside=True, recorded=day)

    def call(self, day: date) -> None:
        """A follow-up."""
        data = {"channel": self.teller.dice.choice(("call", "visit", "meeting", "service")), "note": self.teller.dice.choice(cast.CALLS)}
        self.tell(day, [New(kinds.FOLLOWED_UP, day, data)], aside=True)

    def suspend(self, day: date, until: date, reason: str, next_actor: str) -> None:
        """A pause: a reason, who must act next, and an end date."""
        self.tell(
            day, [New(kinds.MOVED, day, {"action": "suspend", "reason": reason, "next_actor": next_actor, "until": until.isoformat()})]
        )

    def status(self, action: str, day: date, **said: Any) -> None:
        """Resume, terminate, reopen or revert: the bureau's word."""
        self.tell(day, [New(kinds.MOVED, day, {"action": action, **said})], actor=self.teller.officers[0])

    def acknowledge(self, day: date, rule: str, plan: str, until: date) -> None:
        """The town says what it plans about a stall."""
        data = {"rule": rule, "level": "red", "plan": plan, "until": until.isoformat()}
        self.tell(day, [New(kinds.ACKNOWLEDGED, day, data)], recorded=day)

    def snooze(self, day: date, rule: str, reason: str, until: date) -> None:
        """The bureau puts a stall off."""
        officer = self.teller.officers[0]
        approver = {"office": officer.office_id, "role": officer.role, "person": officer.person_id}
        due_on = max(self.begun, self.teller.ago(30)).isoformat()
        data = {"rule": rule, "level": "red", "reason": reason, "until": until.isoformat(), "due_on": due_on, "approver": approver}
        self.tell(day, [New(kinds.SNOOZED, day, data)], actor=officer, recorded=day)

    def decide(self, day: date, decision: str, reason: str, until: date) -> None:
        """The bureau decides what becomes of a project in exit review."""
        data = {"decision": decision, "reason": reason, "until": until.isoformat()}
        self.tell(day, [New(kinds.EXIT_REVIEWED, day, data)], actor=self.teller.officers[0], recorded=day)

    def amend(self, day: date, reason: str, **changes: Any) -> None:
        """Descriptions, dates or people change, with a reason."""
        self.tell(day, [New(kinds.AMENDED, day, {"changes": changes, "reason": reason})])

    def review(self, act: Told, day: date, reason: str | None = None, scored: bool = True) -> None:
        """The bureau recognises a claim, or returns it with a reason; in time for yesterday, or not yet."""
        while not SHIPPED.is_workday(day):
            day += timedelta(days=1)
        if day > self.teller.yesterday:
            return
        data = {"reason": reason} if reason else {"scored": scored, "counted_on": day.isoformat()}
        kind = kinds.RETURNED if reason else kinds.RECOGNISED
        self.last = max(self.last, day)
        self.tell(day, [New(kind, day, data)], actor=self.teller.dice.choice(self.teller.officers), recorded=day, on=act)

    def void(self, act: Told, day: date, reason: str) -> None:
        """The bureau voids a fact: it never was, known from then on."""
        self.tell(day, [New(kinds.VOIDED, day, {"reason": reason})], actor=self.teller.officers[0], recorded=day, on=act)

    # reading ----------------------------------------------------------------------------------------

    def acts(self) -> list[Act]:
        """The acts in the order of recording, each with its moment in office hours."""
        first, *rest = self.told
        ordered = [first, *sorted(rest, key=lambda act: max(act.recorded_on, first.recorded_on))]
        found: list[Act] = []
        sequence: dict[int, int] = {}
        told = 0
        moment = datetime.min.replace(tzinfo=UTC)
        for act in ordered:
            day = max(act.recorded_on, first.recorded_on)
            minute = self.teller.dice.randint(0, 8 * 60)
            at = datetime.combine(day, time(8, 45), self.teller.zone).astimezone(UTC) + timedelta(
                minutes=minute, seconds=self.teller.dice.randint(0, 59)
            )
            moment = max(at, moment + timedelta(minutes=2))
            sequence[id(act)] = told + 1
            target = sequence[id(act.on)] if act.on else None
            found.append(Act(moment, act.actor, [one._replace(target=target) for one in act.new]))
            told += len(act.new)
        return found
