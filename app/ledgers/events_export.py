"""Exporting the events CSV (contract 4.3): what the neutral format can say of each project, sorted by ref and date.

Importing the file into an empty register gives the same standings, and exporting that gives the same bytes. What the format has
no words for stays behind: reports, evidence, owners, routes, the end date of a pause, reviews. Stages that a revert put out of
force are left out with it. Cells are written as they are, also when they begin with = + - @: this is a format for programs.
"""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.errors import Invalid
from app.heart import lifecycle
from app.heart.facts import FUNDED, MOVED, Fact
from app.heart.live import claims_stage, live
from app.heart.standing import fold, standing_on
from app.ledgers.events_offices import code_for
from app.ledgers.events_reading import COLUMNS, ORDER, SIGNING_EVENT, UNDATED, event_of
from app.offices.access import scope_of
from app.offices.desk import House
from app.offices.queries import OfficeRow, all_offices
from app.projects import store
from app.projects.models import FactRow, Project, StandingRow
from app.projects.money import to_text

CHUNK = 1000
"""Projects read at once; memory does not grow with the register."""
_SUSPENDED = "suspended"


def export_events(house: House, out_path: Path, *, office: OfficeRow | None = None, as_of: date | None = None) -> int:
    """Write the events of an office's projects (None: of all) that had happened by a date; how many rows were written.

    The file appears when it is whole.
    """
    day = as_of or house.clock.today()
    if day > house.clock.today():
        raise Invalid("as_of 不能晚于今天 / in the future", errors=[{"field": "as_of", "message": "in the future"}])
    draft = out_path.with_name(f".{out_path.name}.part")
    try:
        with house.database.snapshot() as connection, draft.open("w", encoding="utf-8", newline="") as file:
            count = 0
            out = csv.writer(file, lineterminator="\n")
            offices = {one.id: one for one in all_offices(connection)}
            mine = covered(offices, office)
            in_scope = _in_scope(mine, len(offices), day)
            extra = [SIGNING_EVENT] if connection.scalar(in_scope.where(Project.signing_event.is_not(None)).limit(1)) else []
            out.writerow([*COLUMNS, *extra])
            for row in _rows(connection, in_scope, _labels(offices), day, house.database.sqlite):
                out.writerow(row[: len(COLUMNS) + len(extra)])
                count += 1
            file.flush()
            os.fsync(file.fileno())
        draft.replace(out_path)
    except OSError as error:
        raise Invalid(f"写不了文件 {out_path}：{error.strerror} / cannot write it") from error
    finally:
        draft.unlink(missing_ok=True)
    return count


def covered(offices: dict[int, OfficeRow], office: OfficeRow | None) -> list[int]:
    """The offices whose projects an office exports (None: all)."""
    if office is None:
        return list(offices)
    parent = offices.get(office.parent_id) if office.parent_id else None
    prefix = scope_of(office.kind, office.path, parent.path if parent else None)
    return [one.id for one in offices.values() if one.path.startswith(prefix)]


def _labels(offices: dict[int, OfficeRow]) -> dict[int, str]:
    """How each office is written: by its code, or by its name where an import into an empty register makes the code from it."""
    codes = {one.code for one in offices.values()}
    names = Counter(one.name for one in offices.values())
    return {
        one.id: one.name if code_for(one.name) == one.code and names[one.name] == 1 and one.name not in codes else one.code
        for one in offices.values()
    }


def _in_scope(mine: Sequence[int], every: int, day: date) -> sa.Select[Any]:
    """Projects with their standing on the day, of some offices."""
    query = (
        sa.select(Project.id, Project.ref, Project.name, Project.investor, Project.signing_event)
        .add_columns(StandingRow.office_id, StandingRow.amount, StandingRow.currency)
        .join(StandingRow, StandingRow.project_id == Project.id)
        .where(StandingRow.known_to.is_(None), StandingRow.valid_from <= day, StandingRow.valid_to > day)
    )
    return query if len(mine) == every else query.where(StandingRow.office_id.in_(mine))


def _rows(connection: Connection, in_scope: sa.Select[Any], labels: dict[int, str], day: date, sqlite: bool) -> Iterator[list[str]]:
    # by code point on both databases, so that the same register gives the same bytes
    order = Project.ref if sqlite else sa.collate(Project.ref, "C")
    found = connection.execute(in_scope.order_by(order).execution_options(yield_per=CHUNK))
    for projects in found.partitions():
        facts: dict[int, list[Fact]] = {row.id: [] for row in projects}
        query = sa.select(FactRow.project_id, *store.FACT_COLUMNS).where(FactRow.project_id.in_(facts))
        for number, *row in connection.execute(query.order_by(FactRow.project_id, FactRow.seq)):
            facts[number].append(store.fact_from(row))
        for project in projects:
            money = _money(project.amount, project.currency)
            head = [project.ref, project.name, labels[project.office_id], project.investor or ""]
            for when, event, funds in events_of(facts[project.id], day):
                yield [*head, *(funds or money), event, when, project.signing_event or ""]


def _money(amount: int | None, currency: str | None) -> tuple[str, str]:
    return ("", "") if amount is None or currency is None else (to_text(amount, currency), currency)


def events_of(facts: Sequence[Fact], day: date) -> list[tuple[str, str, tuple[str, str] | None]]:
    """(date, event, total of funds) of every event in force on the day, sorted by date as text; an end that was imported
    without a date has none again while it lies on the date that an import would give it."""
    told = [fact for fact in live(facts)[0] if fact.effective_on <= day]
    reverts = [fact for fact in told if fact.kind == MOVED and fact.data["action"] == "revert"]
    kept = [fact for fact in told if event_of(fact) is not None and not _reverted(fact, reverts)]
    found: dict[tuple[date, str], tuple[str, str] | None] = {}
    undated = set()
    for fact in kept:
        event = event_of(fact)
        assert event is not None
        found[fact.effective_on, event] = _money(fact.data["amount"], fact.data["currency"]) if fact.kind == FUNDED else None
        if event in UNDATED and not fact.data.get("event", ("", "dated"))[1]:
            undated.add((fact.effective_on, event))
    _keep_pauses(facts, found)
    latest = max((on for on, event in found if (on, event) not in undated), default=None)
    rows = [("" if (on, event) in undated and on == latest else on.isoformat(), event, funds) for (on, event), funds in found.items()]
    return sorted(rows, key=lambda row: (row[0], ORDER[row[1]]))


def _reverted(fact: Fact, reverts: Sequence[Fact]) -> bool:
    """Did a revert put the stage of this claim out of force?"""
    rank = lifecycle.RANK.get(claims_stage(fact), 0)
    return any(fact.effective_on <= one.effective_on and rank > lifecycle.RANK[one.data["to"]] for one in reverts)


def _keep_pauses(facts: Sequence[Fact], found: dict[tuple[date, str], tuple[str, str] | None]) -> None:
    """A pause that an office declared itself is not ended by a stage or contact, an imported one is: leave such contacts
    out, and say `suspended` again on the day of such a stage."""
    own = any(fact.kind == MOVED and fact.data["action"] == "suspend" and not fact.imported for fact in facts)
    if not own:
        return
    segments = fold(facts)
    for on, event in list(found):
        now = standing_on(segments, on)
        if now is None or now.suspended_on is None or now.suspended_on >= on or now.terminated_on is not None:
            continue
        if event in lifecycle.RANK:
            found[on, _SUSPENDED] = None
        elif event == "contact":
            del found[on, event]
