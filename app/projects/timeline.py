"""A project's timeline: its facts, newest first, with what became of each claim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.heart import facts as kinds
from app.heart.facts import Fact
from app.heart.live import claims_stage, live
from app.projects import store
from app.projects.models import FactRow
from app.projects.money import shown

_TIMELINE = (*store.FACT_COLUMNS, FactRow.office_id, FactRow.role, FactRow.person_id)


Who = tuple[int | None, str, int | None]
"""Who recorded a fact: (office, role, person) by number."""


def timeline(connection: Connection, project_id: int, known_at: datetime | None) -> list[dict[str, Any]]:
    """A project's facts, newest first, voided and returned ones marked; people and offices by number."""
    query = sa.select(*_TIMELINE).where(FactRow.project_id == project_id).order_by(FactRow.seq)
    if known_at is not None:
        query = query.where(FactRow.recorded_at <= known_at)
    rows = [(store.fact_from(row[:9]), tuple(row[9:])) for row in connection.execute(query)]
    marks = _Marks([fact for fact, _ in rows])
    return [marks.told(fact, who) for fact, who in reversed(rows)]


def told_fact(fact: Fact, facts: Sequence[Fact], who: Who) -> dict[str, Any]:
    """One fact as its project's timeline shows it; `facts` are all facts of the project."""
    return _Marks(facts).told(fact, who)


class _Marks:
    """What became of each claim of a project."""

    def __init__(self, facts: Sequence[Fact]) -> None:
        kept, self.recognised = live(facts)
        alive = {fact.seq for fact in kept}
        self.ended = {fact.target: fact.kind for fact in facts if fact.kind in (kinds.VOIDED, kinds.RETURNED) and fact.seq in alive}
        self.numbers = {fact.seq: fact.id for fact in facts}

    def told(self, fact: Fact, who: Who) -> dict[str, Any]:
        ended = self.ended.get(fact.seq)
        return {
            "id": fact.id,
            "seq": fact.seq,
            "kind": fact.kind,
            "label": kinds.KINDS[fact.kind][0],
            "action": fact.data.get("action"),
            "effective_on": fact.effective_on,
            "recorded_at": fact.recorded_at,
            "recognition": _recognition_of(fact, self.recognised, self.ended),
            "voided": ended == kinds.VOIDED,
            "returned": ended == kinds.RETURNED,
            "target": self.numbers.get(fact.target) if fact.target else None,
            "source": fact.source,
            "actor": dict(zip(("office_id", "role", "person_id"), who, strict=True)),
            "data": _shown_data(fact),
        }


def _recognition_of(fact: Fact, recognised: Mapping[int, Fact], ended: Mapping[int | None, str]) -> str | None:
    if claims_stage(fact) is None and fact.data.get("recognition") is None:
        return None
    if ended.get(fact.seq) == kinds.RETURNED:
        return "returned"
    review = recognised.get(fact.seq)
    if review is not None:
        return "recognised" if review.data.get("scored", True) else "recognised_not_scored"
    told: str = fact.data.get("recognition", "claimed")
    return told


def _shown_data(fact: Fact) -> dict[str, Any]:
    """The payload with money as decimal text."""
    data = dict(fact.data)
    if "amount" in data and "currency" in data:
        data["amount"] = shown(data.pop("amount"), data.pop("currency"))
    if isinstance(data.get("contract_amount"), dict):
        data["contract_amount"] = shown(data["contract_amount"]["amount"], data["contract_amount"]["currency"])
    if isinstance(data.get("changes"), dict) and "amount" in data["changes"]:
        changes = dict(data["changes"])
        changes["contract_amount"] = shown(changes.pop("amount"), changes.pop("currency", None))
        data["changes"] = changes
    return data
