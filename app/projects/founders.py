"""New projects into the database: numbered, founded (here, or by processes that do nothing else), and written as they come back.

PostgreSQL takes the rows by COPY, SQLite many in one statement; and while the database takes some, the next are founded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.projects import at_once
from app.projects.derived import New
from app.projects.founding import FACT, TABLES, Act, Numbered, Packed, founded, packed
from app.projects.helpers import Helpers

assert {name: set(TABLES[name]) for name in ("project", "fact")} == {"project": {"id", "ref", *at_once.PROJECT}, "fact": {*at_once.FACT}}
assert (FACT, TABLES["standing"], TABLES["clock"]) == (tuple(at_once.FACT), tuple(at_once.STANDING), tuple(at_once.CLOCK))
TOGETHER = 125
"""Projects that go to a helper and to the database together: some 3,000 rows."""


class Foundation:
    """The new projects of one transaction, which have their `numbers`, by ref, as soon as they are added.

    With helpers a thread writes what they answer, from the first `add` on: whoever uses the connection meanwhile takes his `turn`.
    A context manager: nobody uses the connection any more when it is left.
    """

    def __init__(self, connection: Connection, act: Act, helpers: Helpers | None = None) -> None:
        self._connection, self._act, self._helpers = connection, act, helpers
        self._writing: list[Future[None]] = []
        self._writer = ThreadPoolExecutor(1, "writing")
        self._last: int | None = None
        self.numbers: dict[str, int] = {}
        self.turn = Lock()

    def __enter__(self) -> Foundation:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.shutdown(cancel_futures=True)

    def add(self, projects: Sequence[tuple[str, Sequence[New]]]) -> None:
        """Found new projects, (ref, facts) each; they are written now or by `finish`. IntegrityError, here or there, when somebody else
        has made one of them meanwhile."""
        for at in range(0, len(projects), TOGETHER):
            some = projects[at : at + TOGETHER]
            with self.turn:
                ids = self._next_ids(len(some))
            numbered = [Numbered(number, ref, new) for number, (ref, new) in zip(ids, some, strict=True)]
            self.numbers |= {ref: number for number, ref, _ in numbered}
            if self._helpers is None:
                write(self._connection, packed(self._act, founded(self._act, numbered)))
            else:
                self._writing.append(self._writer.submit(self._write, self._helpers.ask(self._act, numbered)))

    def _write(self, coming: Callable[[], Packed]) -> None:
        rows = coming()
        with self.turn:
            write(self._connection, rows)

    def finish(self) -> None:
        """Until everything is written."""
        for written in self._writing:
            written.result()

    def _next_ids(self, count: int) -> Sequence[int]:
        """The next free numbers of projects. SQLite's only writer counts on from the last one."""
        if not self._act.sqlite:
            return [row[0] for row in self._connection.exec_driver_sql(_NEXT, {"count": count})]
        if self._last is None:
            self._last = self._connection.scalar(_LAST) or 0
        first, self._last = self._last + 1, self._last + count
        return range(first, first + count)


_LAST = sa.text("SELECT max(id) FROM project")
_NEXT = "SELECT nextval(pg_get_serial_sequence('project', 'id')) FROM generate_series(1, %(count)s)"


def write(connection: Connection, rows: Packed) -> None:
    """Write the rows of new projects."""
    for table, columns in TABLES.items():
        at_once.put(connection, table, columns, rows[table])
