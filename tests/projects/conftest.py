"""A database with two towns, and a way to record the facts of a story as the service does."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import sqlalchemy as sa

from app.db import Database
from app.heart.facts import Fact
from app.offices.models import Office
from app.projects import store
from app.projects.derived import Actor, New
from app.projects.store import Head
from tests.heart import story

KEY = b"k" * 32


class Book:
    """A register that stories are written into."""

    def __init__(self, database: Database) -> None:
        self.database = database
        offices = [
            {"id": number, "code": f"T{number}", "name": f"示例{number}镇", "kind": "county", "path": f"/{number}/"}
            for number in (story.TOWN, story.OTHER_TOWN)
        ]
        with database.write() as connection:
            connection.execute(sa.insert(Office), offices)

    def record(self, ref: str, facts: Sequence[Fact]) -> None:
        """Record some facts of a project in one act, at the moment of the last of them."""
        with self.database.write() as connection:
            head = store.load(connection, ref) or Head(0, ref)
            moment = store.moment_after(head, facts[-1].recorded_at)
            new = [New(fact.kind, fact.effective_on, self._data(fact), fact.target) for fact in facts]
            change = store.prepare(
                head,
                new,
                actor=Actor(story.TOWN, "officer"),
                source=facts[-1].source,
                moment=moment,
                recorded_on=facts[-1].recorded_on,
                key=KEY,
            )
            store.write(connection, [(head, change)])

    @staticmethod
    def _data(fact: Fact) -> dict[str, Any]:
        return {"name": "项目", **fact.data} if fact.kind == "registered" else dict(fact.data)

    def all(self, query: Any) -> list[dict[str, Any]]:
        with self.database.snapshot() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def change(self, statement: Any) -> None:
        with self.database.write() as connection:
            assert connection.execute(statement).rowcount != 0


@pytest.fixture
def book(database_url: str) -> Iterator[Book]:
    database = Database(database_url)
    yield Book(database)
    database.dispose()
