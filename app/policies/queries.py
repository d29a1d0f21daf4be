"""Reading policy versions and the calendar they count by. Both are few and never change, so a process keeps them and asks only
whether a newer one exists."""

from __future__ import annotations

from datetime import date, datetime
from typing import NamedTuple
from weakref import WeakKeyDictionary

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.calendars import queries as calendars
from app.db import Database
from app.heart.calendar import Calendar
from app.policies.models import PolicyVersion
from app.policies.policy import Policy, governing

NEWEST = sa.select(sa.func.max(PolicyVersion.id)).scalar_subquery() + calendars.NEWEST
"""Changes exactly when a policy or a calendar is added: numbers only grow, so their sum stands still only when both do."""
_NEWEST = sa.select(NEWEST)
_ALL = sa.select(PolicyVersion.id, PolicyVersion.effective_from, PolicyVersion.recorded_at, PolicyVersion.body).order_by(PolicyVersion.id)


class _Known(NamedTuple):
    """What a process has read: policies and calendar versions, oldest first, and the calendar of now."""

    newest: int
    policies: list[Policy]
    calendars: list[calendars.Version]
    calendar: Calendar


class PolicyBook:
    """All versions known to this process; asks the database for the newest number before it trusts itself.

    Every policy it hands out is bound to the calendar of the same knowledge.
    """

    def __init__(self) -> None:
        self._shelf = calendars.Shelf()
        self._known = _Known(-1, [], [], self._shelf.calendar([]))
        self._bound: dict[tuple[int, Calendar], Policy] = {}

    def _read(self, connection: Connection, newest: int | None) -> _Known:
        if newest is None:
            newest = connection.scalar(_NEWEST)
        known = self._known
        if known.newest != newest:
            policies = [Policy(row.id, row.effective_from, row.recorded_at, orjson.loads(row.body)) for row in connection.execute(_ALL)]
            years = calendars.versions(connection)
            read = policies[-1].id + (years[-1].id if years else 0)  # may be newer than what was asked about
            known = self._known = _Known(read, policies, years, self._shelf.calendar(years))
        return known

    def _by(self, policy: Policy, calendar: Calendar) -> Policy:
        bound = self._bound.get((policy.id, calendar))
        if bound is None:
            bound = self._bound.setdefault((policy.id, calendar), policy.by(calendar))
        return bound

    def versions(self, connection: Connection, newest: int | None = None) -> list[Policy]:
        """Every version, oldest first, by the calendar of now. `newest` is the newest number when the caller has just read it."""
        known = self._read(connection, newest)
        return [self._by(one, known.calendar) for one in known.policies]

    def governing(self, connection: Connection, on: date, known_at: datetime | None, newest: int | None = None) -> Policy:
        """The version that answers for (as_of, known_at), by the calendar known then; `known_at` None means all that is known now."""
        known = self._read(connection, newest)
        calendar = known.calendar if known_at is None else self._shelf.calendar(known.calendars, known_at)
        return self._by(governing(known.policies, on, known_at), calendar)

    def version(
        self, connection: Connection, number: int, *, known_at: datetime | None = None, calendar: int | None = None
    ) -> Policy | None:
        """One version by its number: by the calendar known at a moment (cursors pin it), or by the one a run used (its number)."""
        known = self._read(connection, None)
        by = self._shelf.calendar(known.calendars, known_at, calendar)
        return next((self._by(one, by) for one in known.policies if one.id == number), None)


_BOOKS: WeakKeyDictionary[Database, PolicyBook] = WeakKeyDictionary()


def book_of(database: Database) -> PolicyBook:
    """This process's book of a database's versions."""
    if database not in _BOOKS:
        _BOOKS[database] = PolicyBook()
    return _BOOKS[database]
