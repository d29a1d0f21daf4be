"""Which facts are in force: what was voided or returned, what was recognised, and what was told again. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from app.heart import lifecycle as table
from app.heart.facts import EVIDENCE, MILESTONE, MOVED, RECOGNISED, REGISTERED, REPORTED, RETURNED, VOIDED, Fact
from app.heart.sweep import RESUBMIT, SEND_BACK


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


def returns(facts: Sequence[Fact]) -> Iterator[tuple[date, int, int, Any]]:
    """Claims sent back, from the day the return was recorded to the day the same (or, of stages, a later one) was told again."""
    if all(fact.kind != RETURNED for fact in facts):
        return
    gone: set[int | None] = set()
    standing: list[Fact] = []
    for fact in sorted(facts, key=lambda one: -one.seq):  # a void that was voided itself takes nothing back
        if fact.seq not in gone:
            standing.append(fact)
            if fact.kind == VOIDED:
                gone.add(fact.target)
    by_seq = {fact.seq: fact for fact in standing}
    for back in standing:
        claim = by_seq.get(back.target or 0)
        if back.kind != RETURNED or claim is None:
            continue
        again = [fact.recorded_on for fact in standing if fact.seq > back.seq and _tells_again(fact, claim)]
        yield back.recorded_on, SEND_BACK, back.seq, back.recorded_on
        if again:
            yield max(min(again), back.recorded_on), RESUBMIT, back.seq, back.recorded_on


def _tells_again(fact: Fact, claim: Fact) -> bool:
    """Does a later fact answer a returned one: the same stage or a later one, the same milestone, kind of evidence, or money?"""
    if (stage := claims_stage(claim)) is not None:
        return table.RANK[claims_stage(fact)] >= table.RANK[stage]
    if fact.kind != claim.kind:
        return False
    if claim.kind == MILESTONE:
        return bool(fact.data["milestone"] == claim.data["milestone"]) and not fact.data.get("planned")
    if claim.kind == EVIDENCE:
        kinds = {item["kind"] for item in claim.data.get("evidence") or ()}
        return any(item["kind"] in kinds for item in fact.data.get("evidence") or ())
    return True


def reports_of(facts: Sequence[Fact]) -> list[date]:
    """The days of all reports in force, ascending. They stay out of standings: every monthly "no change" would cut one."""
    if all(fact.kind != REPORTED for fact in facts):
        return []
    return sorted({fact.effective_on for fact in live(facts)[0] if fact.kind == REPORTED})
