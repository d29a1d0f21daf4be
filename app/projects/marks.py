"""What was said about a stall: a plan with a date (acknowledged), or a date to which the bureau put it off (snoozed).

Both are facts; neither moves a clock or a level, and a stall that was put off stays in every list, marked. A mark holds for the
stall it was made for: once the clock counts from a later day, it is history.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.db import among
from app.heart import facts as kinds
from app.heart.facts import Fact
from app.heart.live import live
from app.offices.desk import Moment
from app.offices.models import Office, Person
from app.projects import store
from app.projects.models import FactRow, Project

KINDS = (kinds.ACKNOWLEDGED, kinds.SNOOZED)
Voices = Mapping[int, Mapping[str, Any]]
"""fact → who said it: the office, the role and the person (None: an office's token), by number and by name."""
_VOICES = (
    sa.select(
        FactRow.id, FactRow.office_id, FactRow.role, FactRow.person_id, Office.name.label("office"), Person.name.label("person")
    )
    .outerjoin(Office, Office.id == FactRow.office_id)
    .outerjoin(Person, Person.id == FactRow.person_id)
    .where(among(FactRow.id))
)  # fmt: skip
_READ = sa.select(FactRow.project_id, *store.FACT_COLUMNS).where(among(FactRow.project_id), among(FactRow.kind, "kinds", sa.String))


def marks_of(connection: Connection, ids: Iterable[int], at: Moment, wanted: Sequence[str] = KINDS) -> dict[int, list[Fact]]:
    """project → its marks (or other facts) in force by what was known at the moment, oldest first."""
    query = _READ if at.pinned is None else _READ.where(FactRow.recorded_at <= at.pinned)
    found: dict[int, list[Fact]] = {}
    here = {"ids": list(ids), "kinds": [*wanted, kinds.VOIDED]}  # a void may take one back
    for number, *row in connection.execute(query.order_by(FactRow.project_id, FactRow.seq), here):
        found.setdefault(number, []).append(store.fact_from(row))
    return {number: in_force(facts, wanted) for number, facts in found.items()}


def has_marks() -> sa.Exists:
    """In a query over projects: did anybody ever say such a thing about this one? One look at the facts that only marks are in."""
    one_of = sa.or_(*(FactRow.kind == kind for kind in KINDS))  # an IN would be spelt out anew for each request
    return sa.exists().where(FactRow.project_id == Project.id, one_of).correlate(Project)


def in_force(facts: Sequence[Fact], wanted: Sequence[str] = KINDS) -> list[Fact]:
    """The marks among some facts that nobody took back."""
    return [fact for fact in live(facts)[0] if fact.kind in wanted]


def voices_of(connection: Connection, marks: Iterable[Fact]) -> Voices:
    """Who said some marks. Nothing is asked when there are none, as with most projects."""
    numbers = [fact.id for fact in marks]
    if not numbers:
        return {}
    rows = connection.execute(_VOICES, {"ids": numbers}).mappings()
    return {row["id"]: {name: row[name] for name in ("office_id", "role", "person_id", "office", "person")} for row in rows}


def marked(facts: Iterable[Fact], rule: str, basis_on: date, day: date, voices: Voices | None = None) -> dict[str, Any]:
    """What is said on a day of a stall that counts from `basis_on`: the last plan, and the last putting off that is not over;
    by whom, where `voices` knows it."""
    said: dict[str, Any] = {"acknowledged": None, "snoozed": None}
    for fact in facts:
        if fact.data["rule"] != rule or not basis_on <= fact.effective_on <= day:
            continue
        told = {"on": fact.effective_on, "until": date.fromisoformat(fact.data["until"])}
        by = (voices or {}).get(fact.id)
        if fact.kind == kinds.ACKNOWLEDGED:
            said["acknowledged"] = {**told, "plan": fact.data["plan"], "by": by}
        else:
            due_on = date.fromisoformat(fact.data["due_on"])
            over = told["until"] <= day
            said["snoozed"] = None if over else {**told, "reason": fact.data["reason"], "due_on": due_on, "approver": by}
    return said


def mark(flags: Iterable[dict[str, Any]], facts: Iterable[Fact], day: date, voices: Voices) -> None:
    """Write into printed reasons of one project what is said of each."""
    for flag in flags:
        flag |= marked(facts, flag["rule"], flag["basis_on"], day, voices)
