"""Words for telling a project's history in a test: `history(registered("2026-01-05"), signed("2026-03-01"))`.

Every word makes one fact without a number; `history` numbers them in the order told, from 1. Reviews name the fact they
act on by that number. A fact is recorded on the day it happened unless the story says otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from app.heart import facts as kinds
from app.heart.facts import Fact
from app.heart.standing import Standing, fold, standing_on

TOWN, OTHER_TOWN = 11, 12
CLERK, OTHER_CLERK = 101, 102

RECOGNISED_AT_ONCE: dict[str, Any] = {"recognition": "recognised"}
CONTRACT = {"kind": "formal_contract", "number": "HT-2026-001", "dated_on": "2026-03-01"}


def day(text: str | date) -> date:
    return text if isinstance(text, date) else date.fromisoformat(text)


def fact(
    kind: str,
    on: str | date,
    data: dict[str, Any] | None = None,
    *,
    of: int | None = None,
    told: str | date | None = None,
    source: str = "api",
) -> Fact:
    """One fact that still lacks its number; `told` is the business date of recording, `of` the fact acted on."""
    recorded_on = day(told if told is not None else on)
    at = datetime.combine(recorded_on, time(8), UTC)
    return Fact(0, kind, day(on), at, recorded_on, source, data or {}, of)


def history(*facts: Fact) -> list[Fact]:
    """The facts as one project's, numbered from 1 in the order told, each recorded a little later than the one before:
    what is told after a later fact is recorded no earlier than that one."""
    told, last = [], datetime.min.replace(tzinfo=UTC)
    for seq, one in enumerate(facts, 1):
        last = max(one.recorded_at, last + timedelta(seconds=1))
        told.append(one._replace(seq=seq, id=seq, recorded_at=last, recorded_on=last.date()))
    return told


def standing(facts: Sequence[Fact], on: str | date) -> Standing:
    """The standing on a day on which the project already exists."""
    found = standing_on(fold(facts), day(on))
    assert found is not None
    return found


def proof(kind: str, dated_on: str | None = None, **more: Any) -> dict[str, Any]:
    """One piece of evidence as a payload carries it."""
    return {"kind": kind, "dated_on": dated_on, **more}


# The facts, in the past tense -----------------------------------------------------------------------------------


def registered(on: str | date, *, by: str = "bureau", told: str | date | None = None, **data: Any) -> Fact:
    """Registered with its descriptions. What the bureau registers or imports is recognised at once, a town's waits."""
    base: dict[str, Any] = {"office": TOWN, "owner": CLERK, "route": "leased"}
    at_once = {} if by == "town" else RECOGNISED_AT_ONCE
    return fact(kinds.REGISTERED, on, base | at_once | data, told=told, source="import" if by == "import" else "api")


def moved(
    action: str,
    on: str | date,
    *evidence: dict[str, Any],
    by: str = "bureau",
    told: str | date | None = None,
    **data: Any,
) -> Fact:
    """A stage claimed or a status changed, with evidence. By default by the bureau, so that no review is due."""
    at_once = {} if by == "town" else RECOGNISED_AT_ONCE
    payload = {"action": action, "evidence": list(evidence)} | at_once | data
    return fact(kinds.MOVED, on, payload, told=told, source="import" if by == "import" else "api")


def signed(on: str | date, *evidence: dict[str, Any], **more: Any) -> Fact:
    return moved("sign", on, *evidence, **more)


def landed(on: str | date, *evidence: dict[str, Any], **more: Any) -> Fact:
    return moved("secure_land", on, *evidence, **more)


def started(on: str | date, *evidence: dict[str, Any], **more: Any) -> Fact:
    return moved("start_construction", on, *evidence, **more)


def operated(on: str | date, *evidence: dict[str, Any], **more: Any) -> Fact:
    return moved("start_operation", on, *evidence, **more)


def intended(on: str | date, **more: Any) -> Fact:
    """An intent told once more, apart from the registration."""
    return moved("register", on, **more)


def suspended(on: str | date, until: str | None = None, **more: Any) -> Fact:
    return moved("suspend", on, until=until, reason="等待环评", next_actor="investor", **more)


def resumed(on: str | date, **more: Any) -> Fact:
    return moved("resume", on, **more)


def terminated(on: str | date, **more: Any) -> Fact:
    return moved("terminate", on, reason="投资方放弃", termination="withdrawn", **more)


def reopened(on: str | date, **more: Any) -> Fact:
    return moved("reopen", on, reason="投资方回来", **more)


def reverted(on: str | date, to: str, **more: Any) -> Fact:
    return moved("revert", on, to=to, reason="现场核查未开工", **more)


def milestone(name: str, on: str | date, *evidence: dict[str, Any], planned: bool = False, planned_on: str | date | None = None) -> Fact:
    data: dict[str, Any] = {"milestone": name, "evidence": list(evidence)}
    return fact(kinds.MILESTONE, on, data | ({"planned": True, "planned_on": day(planned_on or on).isoformat()} if planned else {}))


def evidence(on: str | date, *items: dict[str, Any], told: str | date | None = None) -> Fact:
    return fact(kinds.EVIDENCE, on, {"evidence": list(items)}, told=told)


def funded(on: str | date, amount: int, currency: str = "CNY") -> Fact:
    return fact(kinds.FUNDED, on, {"amount": amount, "currency": currency})


def reported(on: str | date, text: str | None) -> Fact:
    return fact(kinds.REPORTED, on, {"text": text})


def amended(on: str | date, **changes: Any) -> Fact:
    return fact(kinds.AMENDED, on, {"changes": changes, "reason": "更正"})


def contacted(on: str | date, by: str = "town") -> Fact:
    return fact(kinds.FOLLOWED_UP, on, {"form": "visit"}, source="import" if by == "import" else "api")


def noted(on: str | date) -> Fact:
    return fact(kinds.NOTED, on, {"text": "备注"})


def recognised(of: int, on: str | date) -> Fact:
    return fact(kinds.RECOGNISED, on, of=of)


def returned(of: int, on: str | date) -> Fact:
    return fact(kinds.RETURNED, on, {"reason": "材料不齐"}, of=of)


def voided(of: int, on: str | date) -> Fact:
    return fact(kinds.VOIDED, on, {"reason": "录入错误"}, of=of)
