"""Writing facts and what derives from them, in one transaction. The only file that writes these tables.

Stored standings always equal folded facts, so what has to change is the difference of two folds: nothing is read back.
PostgreSQL gets one statement for everything; SQLite, which is in this process, a few.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.db import among
from app.heart import facts as kinds
from app.heart.clocks import Clock, clocks
from app.heart.facts import Fact
from app.heart.live import reports_of
from app.heart.standing import Segment, fold
from app.projects import at_once, search
from app.projects.at_once import Written
from app.projects.chain import GENESIS, link
from app.projects.derived import COLUMNS, Actor, New, detail_of, keys_of, life_of, printed
from app.projects.models import FactRow, Project


class Around(NamedTuple):
    """What was read along with a project: its office, its owner as answers print one, the newest number of policies and calendars."""

    office_id: int
    office_code: str
    office_name: str
    office_path: str
    owner: dict[str, Any] | None
    newest: int


@dataclass(slots=True)
class Head:
    """One project under its lock: its printed row and all its facts. `id` is 0 until it is stored."""

    id: int
    ref: str
    version: int = 0
    mac: str = GENESIS
    last_recorded_at: datetime | None = None
    facts: list[Fact] = field(default_factory=list)
    around: Around | None = None
    segments: list[Segment] = field(default_factory=list)
    running: list[Clock] | None = None

    def fold(self) -> list[Segment]:
        """The segments of the known facts (folded once)."""
        if not self.segments and self.facts:
            self.segments, self.running = fold(self.facts), None
        return self.segments

    @property
    def clocks(self) -> list[Clock]:
        """The clocks of the known facts (asked for once)."""
        segments = self.fold()
        if self.running is None:
            self.running = clocks(segments, reports_of(self.facts))
        return self.running


class Change(NamedTuple):
    """Everything one recording writes, as rows: what a project's new facts did to what derives from them."""

    project: dict[str, Any]
    facts: list[dict[str, Any]]
    standings_closed: list[dict[str, Any]]
    standings: list[dict[str, Any]]
    clocks_closed: list[dict[str, Any]]
    clocks: list[dict[str, Any]]


_NAMING = (kinds.REGISTERED, kinds.AMENDED, kinds.VOIDED, kinds.RETURNED)
"""Kinds of facts that can change a name."""


def moment_after(head: Head, now: datetime) -> datetime:
    """The recording moment: never before or at the project's last one, whatever the clock does."""
    if head.last_recorded_at is not None and now <= head.last_recorded_at:
        return head.last_recorded_at + timedelta(microseconds=1)
    return now


def standing_rows(
    segments: Iterable[Segment], known_from: datetime, recorded_on: date, known_to: datetime | None = None
) -> list[dict[str, Any]]:
    """Segments as rows of the standing table, without the project's id."""
    return [
        {
            "valid_from": segment.valid_from, "valid_to": segment.valid_to, "known_from": known_from, "known_to": known_to,
            "wakes": segment.valid_from > recorded_on, **dict(zip(COLUMNS, segment.standing, strict=False)),
            "detail": detail_of(segment.standing),
        }
        for segment in segments
    ]  # fmt: skip


def clock_rows(
    running: Iterable[Clock], known_from: datetime, recorded_on: date, superseded: tuple[datetime, date] | None = None
) -> list[dict[str, Any]]:
    """Clocks as rows of the clock table, without the project's id; `superseded` = (moment, business date) of newer knowledge."""
    known_to, superseded_on = superseded or (None, None)
    return [
        {**clock._asdict(), "known_from": known_from, "known_to": known_to, "life": life_of(clock, recorded_on, superseded_on)}
        for clock in running
    ]


def prepare(head: Head, new: Sequence[New], *, actor: Actor, source: str, moment: datetime, recorded_on: date, key: bytes | None) -> Change:
    """Append facts to a head and say what has to be written. All facts of one act carry one recording moment.

    `key` None leaves the chain out (bench registers only; their macs read "unsealed").
    """
    before, clocks_before = head.fold(), head.clocks
    rows = []
    for one in new:
        head.version += 1
        data = orjson.dumps(one.data, option=orjson.OPT_SORT_KEYS).decode()
        row = {
            "seq": head.version, "kind": one.kind, "effective_on": one.effective_on, "recorded_at": moment, "recorded_on": recorded_on,
            "office_id": actor.office_id, "role": actor.role, "person_id": actor.person_id, "token_id": actor.token_id,
            "source": source, "target": one.target, "data": data,
        }  # fmt: skip
        row["mac"] = head.mac = link(key, head.mac, head.ref, row) if key is not None else "unsealed"
        rows.append(row)
        head.facts.append(Fact(head.version, one.kind, one.effective_on, moment, recorded_on, source, one.data, one.target))
    head.last_recorded_at = moment
    head.segments = after = fold(head.facts)
    head.running = clocks_after = clocks(after, reports_of(head.facts))
    was, now = set(before), set(after)
    ran, runs = set(clocks_before), set(clocks_after)
    row = printed(head.facts)
    row |= {
        "office_id": after[-1].standing.office_id, "version": head.version, "head_mac": head.mac,
        "created_at": head.facts[0].recorded_at, "last_recorded_at": moment,
    }  # fmt: skip
    named = any(one.kind in _NAMING for one in new)
    row |= keys_of(head.ref, row) if named else dict.fromkeys(search.KEYS)  # NULL leaves the stored ones
    return Change(
        row,
        rows,
        [{"valid_from": one.valid_from} for one in before if one not in now],
        standing_rows((one for one in after if one not in was), moment, recorded_on),
        [
            {"rule": one.rule, "valid_from": one.valid_from, "life": life_of(one, recorded_on, recorded_on)}
            for one in clocks_before
            if one not in runs
        ],
        clock_rows((one for one in clocks_after if one not in ran), moment, recorded_on),
    )


_PROJECT = sa.insert(Project).returning(Project.id, sort_by_parameter_order=True)


def write(connection: Connection, changes: Sequence[tuple[Head, Change]]) -> None:
    """Write the changes of one or many projects: a handful of statements whatever their number. A few facts get their numbers."""
    known = [(head, change) for head, change in changes if head.id != 0]
    if new := [(head, change) for head, change in changes if head.id == 0]:
        numbers = connection.execute(_PROJECT, [{"ref": head.ref, **change.project} for head, change in new]).scalars()
        for (head, _), number in zip(new, numbers, strict=True):
            head.id = number
    every = [(head.id, change.project["last_recorded_at"], change) for head, change in changes]
    rows = Written(
        [{"id": head.id, **change.project} for head, change in known],
        [{"project_id": number, **row} for number, _, change in every for row in change.facts],
        [{"project_id": number, "known_to": at, **row} for number, at, change in every for row in change.standings_closed],
        [{"project_id": number, "known_to": at, **row} for number, at, change in every for row in change.clocks_closed],
        [{"project_id": number, **row} for number, _, change in every for row in change.standings],
        [{"project_id": number, **row} for number, _, change in every for row in change.clocks],
    )
    heads = {head.id: head for head, _ in changes}
    for project_id, seq, number in at_once.write(connection, rows):
        facts = heads[project_id].facts
        facts[seq - 1] = facts[seq - 1]._replace(id=number)


_HEAD = (
    sa.select(Project.id, Project.ref, Project.version, Project.head_mac, Project.last_recorded_at, Project.office_id)
    .where(Project.ref == sa.bindparam("ref"))
    .with_for_update(of=Project)
)
FACT_COLUMNS = (
    FactRow.seq, FactRow.kind, FactRow.effective_on, FactRow.recorded_at, FactRow.recorded_on,
    FactRow.source, FactRow.data, FactRow.target, FactRow.id,
)  # fmt: skip
_FACTS = sa.select(*FACT_COLUMNS).where(FactRow.project_id == sa.bindparam("p")).order_by(FactRow.seq)


def fact_from(row: Any) -> Fact:
    """A stored fact as the fold reads it."""
    seq, kind, effective_on, recorded_at, recorded_on, source, data, target, number = row
    return Fact(seq, kind, effective_on, recorded_at, recorded_on, source, orjson.loads(data), target, number)


def load(connection: Connection, ref: str) -> Head | None:
    """A project under its lock, with all its facts; None when there is none of that ref."""
    row = connection.execute(_HEAD, {"ref": ref}).one_or_none()
    if row is None:
        return None
    return Head(row.id, row.ref, row.version, row.head_mac, row.last_recorded_at, facts_of_one(connection, row.id))


def facts_of_one(connection: Connection, project_id: int) -> list[Fact]:
    """All facts of a project, in their order."""
    return [fact_from(one) for one in connection.execute(_FACTS, {"p": project_id})]


def usable_ref(ref: str) -> str:
    """The ref if it can be one; else a text that no project has (a database may refuse to look for the other)."""
    return ref if 0 < len(ref) <= 64 and ref.isprintable() else ""


_HEADS = (
    sa.select(Project.id, Project.ref, Project.version, Project.head_mac, Project.last_recorded_at)
    .where(among(Project.ref, "refs", sa.String))
    .order_by(Project.id)
)
_FACTS_OF = sa.select(FactRow.project_id, *FACT_COLUMNS).where(among(FactRow.project_id)).order_by(FactRow.project_id, FactRow.seq)


def load_many(connection: Connection, refs: Sequence[str], *, lock: bool = True, offices: Sequence[int] | None = None) -> dict[str, Head]:
    """Projects under their locks, in the order of their numbers so that two callers cannot lock each other out; only those of
    some offices, so that nobody waits for a caller who may not see him."""
    query = _HEADS if offices is None else _HEADS.where(Project.office_id.in_(offices))
    heads = connection.execute(query.with_for_update() if lock else query, {"refs": refs})
    found = {row.id: Head(row.id, row.ref, row.version, row.head_mac, row.last_recorded_at) for row in heads}
    if found:
        for project_id, *row in connection.execute(_FACTS_OF, {"ids": list(found)}).all():
            found[project_id].facts.append(fact_from(row))
    return {head.ref: head for head in found.values()}


def number_facts(connection: Connection, heads: Iterable[Head], since: datetime) -> None:
    """Give facts their numbers that were recorded from a moment on: a large write does not bring them back."""
    by_id = {head.id: head for head in heads}
    if not by_id:
        return
    query = sa.select(FactRow.project_id, FactRow.seq, FactRow.id).where(FactRow.project_id.in_(by_id), FactRow.recorded_at >= since)
    for project_id, seq, number in connection.execute(query):
        facts = by_id[project_id].facts
        facts[seq - 1] = facts[seq - 1]._replace(id=number)
