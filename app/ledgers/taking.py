"""Taking the rows of a ledger, a chunk at a time: found, planned and (unless it is a trial) written in one transaction.

Chunks of all ledgers come one after another: two files that bring the same new project at once make it once. Facts, chain,
standings and what became of the rows commit together or not at all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.ledgers.events_offices import Authority, Offices
from app.ledgers.exporting import names_of
from app.ledgers.known import Known
from app.ledgers.matching import Candidates, Keys, Match, People, Towns, heads_of, match
from app.ledgers.plan import CHANGE, CREATE, DUPLICATE, Given, Planned, plan, rejected
from app.ledgers.rendering import Names
from app.ledgers.returning import come_back, disagrees, mark_in, meant
from app.ledgers.row_marks import RowMark
from app.ledgers.seen import Seen
from app.ledgers.telling import told_by
from app.ledgers.understanding.marks import REJECT, Mark
from app.ledgers.understanding.model import Row
from app.offices.desk import House
from app.offices.queries import OfficeRow, all_offices
from app.projects import service, store
from app.projects.founders import TOGETHER, Foundation
from app.projects.founding import Act
from app.projects.helpers import Helpers
from app.projects.store import Change, Head

ONE_AT_A_TIME = sa.text("SELECT pg_advisory_xact_lock(7105002)")


class Task(NamedTuple):
    """One file with the authority it is imported with. `own` is the office that sent it."""

    sha256: str
    authority: Authority
    own: OfficeRow | None
    create_offices: bool = False


class Placed(NamedTuple):
    """A row that may be taken. Without a town it can still mean a project that has one."""

    row: Row
    keys: Keys
    office: OfficeRow | None
    fault: Mark | None
    mark: RowMark | None = None
    remark: Mark | None = None


def wait_for_turn(connection: Connection) -> None:
    """Until no other ledger is being written; SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(ONE_AT_A_TIME)


def settle(rows: Sequence[Row], towns: Towns, seen: Seen) -> tuple[dict[int, Planned], dict[int, Placed]]:
    """What can be said of some rows without looking for their projects, by place: rows that end here, and those that go on."""
    made: dict[int, Planned] = {}
    placed: dict[int, Placed] = {}
    for place, row in enumerate(rows):
        mark, remark = mark_in(row)
        if row.rejected is not None and mark is None:
            made[place] = rejected(row, row.rejected)
            continue
        office, fault = towns.find(row) if mark is None else (towns.near(row), None)
        if fault is not None and fault.level != REJECT:
            row, fault = row._replace(marks=(*row.marks, fault)), None
        fault = disagrees(row, mark) or fault
        if fault is not None and fault.code != "town_needed":
            made[place] = rejected(row, fault)
            continue
        keys = Keys.of(row)
        if mark is not None:
            keys = keys._replace(ref=mark.ref)
        if (of := seen.earlier(row, keys, office.code if office else "")) is not None:
            made[place] = Planned(row, DUPLICATE, marks=list(row.marks), of=of)
        else:
            if (first := seen.shares_code(keys)) is not None:
                shared = Mark("shared_code", "project_code", row.table.columns.get("project_code"), keys.code, first)
                row = row._replace(marks=(*row.marks, shared))
            placed[place] = Placed(row, keys, office, fault, mark, remark)
    return made, placed


def towns_of(connection: Connection, task: Task, *, dry_run: bool) -> Towns:
    """The offices that rows may name."""
    return Towns(Offices(connection, task.authority, create=task.create_offices, dry_run=dry_run), task.authority, task.own)


def take(connection: Connection, house: House, task: Task, rows: Sequence[Row], seen: Seen, *, dry_run: bool) -> Iterator[list[Planned]]:
    """The plans of some rows, portion by portion; their projects are locked unless it is a trial. `seen` learns of them. After the
    first portion the connection is somebody else's."""
    towns = towns_of(connection, task, dry_run=dry_run)
    made, placed = settle(rows, towns, seen)
    found = Candidates.of(connection, [one.keys for one in placed.values()])
    matches: dict[int, Match] = {}
    for place, one in placed.items():
        told = meant(one.row, one.mark, found, towns.covers) if one.mark else None
        if told is None:
            told = match(one.row, one.keys, one.office, found, towns.covers, seen)
            told = told._replace(fault=told.fault or one.row.rejected or (one.fault if told.project is None else None))
        fault = told.fault
        if fault is not None:
            made[place] = rejected(one.row, fault)
        elif told.project is not None and (before := seen.told_of(told.project.id)):
            made[place] = Planned(one.row, DUPLICATE, marks=list(one.row.marks), of=before, ref=told.project.ref)
        else:
            matches[place] = told
            if told.project is not None:
                seen.meet(told.project.id, (one.row.table.sheet, one.row.number))
    people = People(connection, towns)
    heads = heads_of(connection, list(matches.values()), lock=not dry_run)
    today = house.clock.today()
    names = names_of(connection) if any(one.mark for one in placed.values()) else Names({}, {})
    given = Given(today, task.authority.county is not None, task.authority.recognition, {"file": task.sha256[:16]}, people.names)
    # what comes back from an export may bring new towns while it is planned: then everything is, before anything is written
    together = len(rows) if any(one.mark for one in placed.values()) else TOGETHER
    for at in range(0, len(rows), together):
        portion = range(at, min(at + together, len(rows)))
        for place in portion:
            if (told := matches.get(place)) is not None:
                head = heads[told.project.id] if told.project else None
                made[place] = _planned(placed[place], told, head, towns, people, given, names)
        yield [made.pop(place) for place in portion]


def _planned(one: Placed, told: Match, head: Head | None, towns: Towns, people: People, given: Given, names: Names) -> Planned:
    """The plan of one row whose project is found, or that brings a new one, with that project."""
    planned = _plan_of(one, told, head, towns, people, given, names)
    if told.remark is not None and planned.outcome in (CREATE, CHANGE):
        planned.marks.append(told.remark)
    planned.ref, planned.version, planned.head = (head.ref, head.version, head) if head else (one.keys.ref, 0, None)
    return planned


def _plan_of(one: Placed, told: Match, head: Head | None, towns: Towns, people: People, given: Given, names: Names) -> Planned:
    known = Known(head) if head else None
    row, office, remarks = one.row, one.office, [one.remark] if one.remark else []
    edited: frozenset[str] | None = None
    if one.mark is not None:
        back = come_back(row, one.mark, known, names, given.today)
        if back.done is not None:
            return back.done
        if back.merged is not None:
            row, edited = back.merged.row, back.merged.edited
        elif row.rejected is not None:
            return rejected(row, row.rejected)
        remarks += back.remarks
        fault = None
        if edited is None or "town" in edited:
            office, fault = towns.find(row)
        if fault is not None and fault.level != REJECT:
            remarks, fault = [*remarks, fault], None
        if fault is not None and (edited or known is None):
            return rejected(one.row, fault)
    said = told_by(row, given.today, back=edited is not None)
    number = office.id if office and (edited is None or "town" in edited) else told.project.office_id if told.project else 0
    said.owner, several = people.find(said.details.get("owner"), number)
    if several:
        said.mark("owner_ambiguous", "owner", said.details["owner"])
    planned = plan(said, number, known, given, towns.name_of)
    planned.row = one.row
    planned.marks += remarks
    return planned


class Pen:
    """Writes the facts of planned rows, all in one transaction and portion by portion. Known projects are under their locks.

    Whoever uses the connection before `finish` takes his `turn`. A context manager: nobody uses it any more when that is left."""

    def __init__(self, connection: Connection, house: House, task: Task, helpers: Helpers | None) -> None:
        self._connection, self._house = connection, house
        self._now = house.clock.now()
        self._act: dict[str, Any] = {"actor": task.authority.actor, "source": "import", "key": house.audit_key}
        act = Act(**self._act, moment=self._now, recorded_on=house.clock.business_date(self._now), sqlite=house.database.sqlite)
        self._foundation = Foundation(connection, act, helpers)
        self.turn = self._foundation.turn
        self._changes: list[tuple[Head, Change]] = []
        self._numbers: dict[str, int] = {}
        self._created: list[Planned] = []

    def __enter__(self) -> Pen:
        return self

    def __exit__(self, *_: object) -> None:
        self._foundation.__exit__()

    def write(self, planned: Sequence[Planned]) -> None:
        """Write some rows, now or by `finish`."""
        creating = [one for one in planned if one.outcome == CREATE]
        with self.turn:
            _number(self._connection, creating)
        self._foundation.add([(str(one.ref), one.new) for one in creating])
        self._created += creating
        self._numbers |= {one.head.ref: one.head.id for one in planned if one.head is not None}
        for one in planned:
            if one.new and one.head is not None:
                moment = store.moment_after(one.head, self._now)
                on = self._house.clock.business_date(moment)
                self._changes.append((one.head, store.prepare(one.head, one.new, **self._act, moment=moment, recorded_on=on)))

    def numbers(self, seen: Seen) -> dict[str, int]:
        """The numbers of all projects by ref, before everything is written. `seen` learns of the new ones."""
        for one in self._created:
            seen.meet(self._foundation.numbers[str(one.ref)], (one.row.table.sheet, one.row.number))
        return self._numbers | self._foundation.numbers

    def finish(self) -> None:
        """Write what is left."""
        self._foundation.finish()
        if self._changes:
            store.write(self._connection, self._changes)


def _number(connection: Connection, creating: Sequence[Planned]) -> None:
    """Give new projects without a number of their own the next ones of their office and year."""
    groups: dict[tuple[int, int], list[Planned]] = defaultdict(list)
    for one in creating:
        if one.ref is None:
            groups[one.new[0].data["office"], one.new[0].effective_on.year].append(one)
    if not groups:
        return
    codes = {office.id: office.code for office in all_offices(connection)}
    for (office_id, year), some in sorted(groups.items(), key=lambda pair: pair[0]):
        for one, ref in zip(some, service.next_refs(connection, office_id, codes[office_id], year, len(some)), strict=True):
            one.ref = ref


def moved(planned: Planned) -> Planned:
    """A row whose project changed since the trial."""
    made = rejected(planned.row, Mark("moved_since", None, None, planned.ref))
    made.ref, made.version = planned.ref, planned.version
    return made
