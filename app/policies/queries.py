"""Reading policy versions. They are few and never change, so a process keeps them and asks only for the newest number."""

from __future__ import annotations

from datetime import date, datetime
from weakref import WeakKeyDictionary

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.db import Database
from app.policies.models import PolicyVersion
from app.policies.policy import Policy, governing

NEWEST = sa.select(sa.func.max(PolicyVersion.id)).scalar_subquery()
_NEWEST = sa.select(sa.func.max(PolicyVersion.id))
_ALL = sa.select(PolicyVersion.id, PolicyVersion.effective_from, PolicyVersion.recorded_at, PolicyVersion.body).order_by(PolicyVersion.id)


class PolicyBook:
    """All versions known to this process; asks the database for the newest number before it trusts itself."""

    def __init__(self) -> None:
        self._versions: list[Policy] = []

    def versions(self, connection: Connection, newest: int | None = None) -> list[Policy]:
        """Every version, oldest first. `newest` is the newest number when the caller has just read it."""
        if newest is None:
            newest = connection.scalar(_NEWEST)
        if not self._versions or self._versions[-1].id != newest:
            self._versions = [
                Policy(row.id, row.effective_from, row.recorded_at, orjson.loads(row.body)) for row in connection.execute(_ALL)
            ]
        return self._versions

    def governing(self, connection: Connection, on: date, known_at: datetime | None, newest: int | None = None) -> Policy:
        """The version that answers for (as_of, known_at); `known_at` None means all that is known now."""
        return governing(self.versions(connection, newest), on, known_at)

    def version(self, connection: Connection, number: int) -> Policy | None:
        """One version by its number (cursors pin it)."""
        return next((one for one in self.versions(connection) if one.id == number), None)


_BOOKS: WeakKeyDictionary[Database, PolicyBook] = WeakKeyDictionary()


def book_of(database: Database) -> PolicyBook:
    """This process's book of a database's versions."""
    if database not in _BOOKS:
        _BOOKS[database] = PolicyBook()
    return _BOOKS[database]
