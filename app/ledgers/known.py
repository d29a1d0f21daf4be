"""What the register holds of one project, in the words of a ledger: told descriptions, details, dates. Pure; read off the facts.

Facts that were voided or returned are not in force; what people (not an import) took back is remembered, so that a file that
still says so does not bring it back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from app.heart import facts as kinds
from app.heart.facts import Fact
from app.heart.live import claims_stage, live
from app.heart.standing import normalised
from app.projects.store import Head


def key_of(fact: Fact) -> str | None:
    """The stage or the actual milestone a fact dates; a registration dates none."""
    if fact.kind == kinds.MOVED:
        return claims_stage(fact)
    if fact.kind == kinds.MILESTONE and not fact.data.get("planned"):
        return str(fact.data["milestone"])
    return None


class Known:
    """`told` and `details`: descriptions as last told. `dated`: stage or milestone → the facts in force that date it."""

    def __init__(self, head: Head) -> None:
        self.head = head
        facts, _ = live(head.facts)
        self.told: dict[str, Any] = {}
        self.details: dict[str, str] = {}
        self.dated: dict[str, list[Fact]] = {}
        self.proofs: set[tuple[str, str]] = set()
        self.funds: list[Fact] = []
        self.reports: list[Fact] = []
        self.sides: set[tuple[str, date]] = set()
        for fact in facts:
            self._take(fact)
        self.taken_back = set(_taken_back(head.facts, {fact.seq for fact in facts}))

    def _take(self, fact: Fact) -> None:
        data = fact.data
        if fact.kind in (kinds.REGISTERED, kinds.AMENDED):
            changes = data if fact.kind == kinds.REGISTERED else data["changes"]
            self.details |= changes.get("details") or {}
            self.told |= {name: value for name, value in changes.items() if name != "details"}
        elif fact.kind == kinds.FUNDED:
            self.funds.append(fact)
        elif fact.kind == kinds.REPORTED:
            self.reports.append(fact)
        elif fact.kind == kinds.MOVED:
            self.sides.add((data["action"], fact.effective_on))
        if amount := data.get("contract_amount"):
            self.told |= amount
        for item in data.get("evidence") or ():
            self.proofs.add((item["kind"], item.get("dated_on") or ""))
        if (key := key_of(fact)) is not None:
            self.dated.setdefault(key, []).append(fact)

    @property
    def status(self) -> str:
        """active, suspended or terminated, as of its last segment."""
        return self.head.fold()[-1].standing.status

    @property
    def stage(self) -> str | None:
        """The furthest stage of its last segment."""
        return self.head.fold()[-1].standing.stage

    def funds_on(self, day: date) -> tuple[int, str] | None:
        """The total of money in place as told for a day or before it."""
        found = _latest(self.funds, day)
        return (found.data["amount"], found.data["currency"]) if found else None

    def text_on(self, day: date) -> str | None:
        """The progress text of a day, normalised."""
        found = _latest([fact for fact in self.reports if fact.data.get("text")], day)
        return normalised(found.data["text"]) if found else None

    def reported_on(self) -> date | None:
        """The last report's day."""
        return max((fact.effective_on for fact in self.reports), default=None)


def _latest(facts: Sequence[Fact], day: date) -> Fact | None:
    return max((fact for fact in facts if fact.effective_on <= day), key=lambda fact: (fact.effective_on, fact.seq), default=None)


def _taken_back(facts: Sequence[Fact], in_force: set[int]) -> Iterator[tuple[str, date]]:
    """(stage or milestone, day) of claims that a person returned or voided."""
    acted = {fact.target for fact in facts if fact.kind in (kinds.VOIDED, kinds.RETURNED) and not fact.imported and fact.seq in in_force}
    for fact in facts:
        if fact.seq in acted and (key := key_of(fact)) is not None:
            yield key, fact.effective_on
