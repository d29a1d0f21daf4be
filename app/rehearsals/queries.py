"""Reading what a rehearsal needs: who reads digests, and clocks and standings of the register, some projects at a time.

Every batch is read in a snapshot of its own, all by the knowledge of one moment: clocks are bitemporal, so the answer is
one all the same, and no connection or transaction is held while the counting goes on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.db import Database
from app.heart.limits import NEVER
from app.mail import is_address
from app.offices.models import Office, Person
from app.offices.queries import Scope
from app.projects.models import ClockRow, Project, StandingRow
from app.rehearsals.audience import Audience, Reader
from app.rehearsals.flags import ENDED, PAUSED, Place, Ticking
from app.rehearsals.tally import Period, Seen

CHUNK = 500
"""Projects of one batch."""
NOW, THEN = "now", "then"
"""By what is known now; or every day by what was known on its morning."""


class Question(NamedTuple):
    """Which days, by whose knowledge, and whose projects."""

    period: Period
    knowledge: str
    known_at: datetime
    scope: Scope
    zone: ZoneInfo
    daily_at: time


class Told(NamedTuple):
    """One project as it streams by: where it was, and its clocks by rule in the order of their days."""

    number: int
    seen: Seen
    clocks: dict[str, list[Ticking]]


def people(connection: Connection, scope: Scope) -> list[Reader]:
    """Everybody there is now: nobody recorded since when somebody was there, only when he left. Mails are counted of those in the
    scope who have an address."""
    query = sa.select(Person.id, Person.role, Office.kind, Office.path, Person.left_on, Person.email, Person.office_id)
    found = []
    for number, role, kind, path, left_on, email, office in connection.execute(query.join(Office).order_by(Person.id)):
        until = left_on.toordinal() if left_on is not None else NEVER
        found.append(Reader(number, role, kind, path, until, is_address(email) and (scope.ids is None or office in scope.ids)))
    return found


def offices(connection: Connection) -> list[tuple[int, str]]:
    """Every office's number and path."""
    return [(number, path) for number, path in connection.execute(sa.select(Office.id, Office.path).order_by(Office.path))]


def total(connection: Connection) -> int:
    """How many projects there are."""
    return connection.scalar(sa.select(sa.func.count()).select_from(Project)) or 0


def of_offices(connection: Connection, question: Question) -> list[int]:
    """The projects that some offices have had, ascending."""
    query = sa.select(StandingRow.project_id).where(StandingRow.office_id.in_(question.scope.ids or ())).distinct()
    query = query.where(_known(StandingRow, question)).order_by(StandingRow.project_id)
    return list(connection.scalars(query))


def register(database: Database, question: Question, audience: Audience, chosen: Sequence[int] | None) -> Iterator[list[Told]]:
    """The whole register, or the chosen projects, batch by batch."""
    reader = _Reader(question, audience)
    if chosen is not None:
        for at in range(0, len(chosen), CHUNK):
            with database.snapshot() as connection:
                batch = reader.read(connection, lambda column, some=chosen[at : at + CHUNK]: column.in_(some))
            yield batch
        return
    last = 0
    while True:
        with database.snapshot() as connection:
            ids = connection.scalars(sa.select(Project.id).where(Project.id > last).order_by(Project.id).limit(CHUNK)).all()
            if not ids:
                return
            first, last = ids[0], ids[-1]
            batch = reader.read(connection, lambda column, low=first, high=last: column.between(low, high))
        yield batch


def _known(table: Any, question: Question) -> sa.ColumnElement[bool]:
    """Rows that the reading can use: known at its moment, or known on some morning of the period."""
    since = question.known_at if question.knowledge == NOW else _Mornings(question.zone, question.daily_at).of(question.period.begin)
    return sa.and_(
        table.known_from <= question.known_at,
        sa.or_(table.known_to.is_(None), table.known_to > min(since, question.known_at)),
        table.valid_from <= date.fromordinal(question.period.end),
        table.valid_to > date.fromordinal(question.period.begin),
    )


class _Mornings:
    """When the daily run of a day looks."""

    def __init__(self, zone: ZoneInfo, at: time) -> None:
        self.zone, self.at = zone, at
        self.first = lru_cache(maxsize=4096)(self._first)

    def of(self, day: int) -> datetime:
        """The morning of a day."""
        return datetime.combine(date.fromordinal(day), self.at, self.zone)

    def _first(self, instant: datetime) -> int:
        """The first day whose morning is not before an instant."""
        local = instant.astimezone(self.zone)
        return local.toordinal() + (local.time() > self.at)


_PROJECTS = sa.select(Project.id, Project.created_at)
_WHEN = ("valid_from", "valid_to", "known_from", "known_to")


class _Reader:
    """Cuts stored rows to the days on which a daily run judged by them."""

    def __init__(self, question: Question, audience: Audience) -> None:
        self.question, self.audience = question, audience
        self.begin, self.end = question.period.begin, question.period.end
        self.then = question.knowledge == THEN
        self.mornings = _Mornings(question.zone, question.daily_at)
        paused = sa.case((StandingRow.status == "suspended", StandingRow.detail))
        self._standings = sa.select(
            StandingRow.project_id, *(getattr(StandingRow, name) for name in _WHEN), StandingRow.office_id, StandingRow.owner_id,
            StandingRow.liaison_id, StandingRow.status, paused,
        ).where(_known(StandingRow, question))  # fmt: skip
        ticking = (getattr(ClockRow, name) for name in Ticking._fields[2:])
        when = (getattr(ClockRow, name) for name in _WHEN)
        self._clocks = sa.select(ClockRow.project_id, ClockRow.rule, *when, *ticking).where(_known(ClockRow, question))

    def read(self, connection: Connection, of: Any) -> list[Told]:
        """Some projects; those that were not there in the period are left out."""
        looks = {number: self._look(created_at) for number, created_at in connection.execute(_PROJECTS.where(of(Project.id)))}
        places: dict[int, list[Place]] = defaultdict(list)
        clocks: dict[int, dict[str, list[Ticking]]] = defaultdict(lambda: defaultdict(list))
        for number, *when, office_id, owner_id, liaison_id, status, detail in connection.execute(
            self._standings.where(of(StandingRow.project_id))
        ):
            first, until = self._days(*when)
            if first < until:
                places[number].append(Place(first, until, office_id, owner_id, _silent(status, detail), liaison_id))
        for number, rule, valid_from, valid_to, known_from, known_to, *ticking in connection.execute(
            self._clocks.where(of(ClockRow.project_id))
        ):
            first, until = self._days(valid_from, valid_to, known_from, known_to)
            if first < until:
                clocks[number][rule].append(Ticking(first, until, *ticking))
        found = []
        for number in sorted(places):
            places[number].sort(key=_first)
            for mine in clocks[number].values():
                mine.sort(key=_first)
            found.append(Told(number, Seen(looks[number], places[number], self.audience.groups(places[number])), clocks[number]))
        return found

    def _days(self, valid_from: date, valid_to: date, known_from: datetime, known_to: datetime | None) -> tuple[int, int]:
        """The days first <= day < until on which a row was what a run saw."""
        first, until = max(valid_from.toordinal(), self.begin), min(valid_to.toordinal(), self.end + 1)
        if self.then:
            first = max(first, self.mornings.first(known_from))
            if known_to is not None and known_to <= self.question.known_at:
                until = min(until, self.mornings.first(known_to))
        return first, until

    def _look(self, created_at: datetime) -> int:
        """The day somebody first looked: the first day, or the morning after the project was recorded."""
        return max(self.begin, self.mornings.first(created_at)) if self.then else self.begin


def _first(row: Place | Ticking) -> int:
    return row.first


def _silent(status: str, detail: str | None) -> str | None:
    """Why rules are silent: after the end, and in a pause that has not run out by itself."""
    if status == "terminated":
        return ENDED
    return PAUSED if detail is not None and orjson.loads(detail)["paused"] else None
