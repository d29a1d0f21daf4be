"""What derives from a project's facts as it is stored: the printed row, standings and clocks. Pure, and light to load: whole
processes do nothing else (founding.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

import orjson

from app.heart import facts as kinds
from app.heart.clocks import Clock
from app.heart.facts import Fact
from app.heart.limits import FOREVER
from app.heart.live import live
from app.heart.standing import Standing
from app.projects import search

OPEN, ENDS_LATER = 99, 98
PRINTED = ("name", "investor", "industry", "credit_code", "signing_event", "project_code")
COLUMNS = (
    "office_id", "stage", "stage_recognised", "status", "stage_entered_on", "signed_on", "last_progress_on", "last_solid_on",
    "route", "owner_id", "liaison_id", "amount", "currency", "checks",
)  # fmt: skip
"""Fields of a standing that lists filter, sort or print; the rest is kept as JSON."""
assert Standing._fields[: len(COLUMNS)] == tuple(name for name in Standing._fields if name in COLUMNS)
DETAIL = Standing._fields[len(COLUMNS) :]
_DATES = {name for name in DETAIL if name.endswith(("_on", "_until", "_since"))}


class Actor(NamedTuple):
    """Who records: people and offices by id only."""

    office_id: int | None
    role: str
    person_id: int | None = None
    token_id: str | None = None


class New(NamedTuple):
    """A fact that is about to be recorded."""

    kind: str
    effective_on: date
    data: Mapping[str, Any]
    target: int | None = None


def life_of(clock: Clock, recorded_on: date, superseded_on: date | None = None) -> int:
    """How long a clock ran, as an exponent of four: n means 4^n to 4^(n+1) days; 99 still runs, 98 was known to end in
    the future. For superseded knowledge the day it was superseded ends it too (one day generously)."""
    if superseded_on is None:
        if clock.valid_to == FOREVER:
            return OPEN
        if clock.valid_to > recorded_on:
            return ENDS_LATER
        end = clock.valid_to
    else:
        end = min(clock.valid_to, superseded_on + timedelta(days=1))
    return (max((end - clock.solid_on).days, 1).bit_length() - 1) // 2


def detail_of(standing: Standing) -> str:
    """The fields of a standing that have no column, as JSON."""
    return orjson.dumps(dict(zip(DETAIL, standing[len(COLUMNS) :], strict=True))).decode()


def standing_from(row: Mapping[Any, Any]) -> Standing:
    """The standing that a stored row holds."""
    detail = orjson.loads(row["detail"])
    for name in _DATES:
        if detail[name] is not None:
            detail[name] = date.fromisoformat(detail[name])
    detail["proofs"], detail["milestones"] = tuple(detail["proofs"]), tuple(detail["milestones"])
    return Standing(**{name: row[name] for name in COLUMNS}, **detail)


def printed(facts: Sequence[Fact]) -> dict[str, Any]:
    """The printed row: descriptions as last told, and the last contact and report in force."""
    kept, _ = live(facts)
    row: dict[str, Any] = dict.fromkeys(PRINTED)
    row["last_contact_on"] = row["last_report_on"] = None
    for fact in sorted(kept, key=lambda one: (one.kind != kinds.REGISTERED, one.seq)):
        told = fact.data if fact.kind == kinds.REGISTERED else fact.data.get("changes", {}) if fact.kind == kinds.AMENDED else {}
        row.update((name, told[name]) for name in PRINTED if name in told)
        if fact.kind == kinds.FOLLOWED_UP:
            row["last_contact_on"] = max(row["last_contact_on"] or fact.effective_on, fact.effective_on)
        if fact.kind == kinds.REPORTED:
            row["last_report_on"] = max(row["last_report_on"] or fact.effective_on, fact.effective_on)
    return row


def keys_of(ref: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """The keys a project is found and sorted by; nothing to find when its registration was voided."""
    return search.keys_of(ref, row["name"] or "", row["investor"])
