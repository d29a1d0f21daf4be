"""How a session with a database looks and how its transactions begin, on SQLite and on PostgreSQL.

Neither driver begins anything by itself: both are in their autocommit mode, and a transaction begins with the words that belong
to its purpose. So a single read costs one round trip, and nothing is switched to and fro between two uses of a connection.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import psycopg
import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine

BEGIN = "luodi_begin"
"""The execution option that holds the words; nothing (a single statement needs none) when they are empty."""


class Begins(NamedTuple):
    """The words with which a single read, several reads, and a transaction that writes begin."""

    statement: str
    snapshot: str
    write: str


SESSION = {
    "timezone": "UTC", "statement_timeout": 60000, "lock_timeout": 15000, "idle_in_transaction_session_timeout": 60000, "jit": "off",
}  # fmt: skip
PG_OPTIONS = " ".join(f"-c {name}={value}" for name, value in SESSION.items()) + " -c default_transaction_isolation=read\\ committed"
"""A write that is stuck for a minute is ended, so that an open transaction cannot hold back settled answers for ever. Whoever
waited for a lock sees what was written meanwhile, whatever isolation the server prefers. Compiling a query costs more than any
of ours takes."""
LIVELY = {
    "connect_timeout": 5, "keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 20000,
}  # fmt: skip
"""A server that is gone without a word (its machine lost power) is noticed within half a minute, and the next host of the address
is tried. What the address says itself counts more."""
POOLING = "pooling"
"""A parameter of ours in the address: `pooling=transaction` says that a pgbouncer in between hands out a session per transaction.
Then nothing may rest on a session: settings travel with each transaction, and no statement is prepared."""
_EACH_TIME = "; ".join(["", *(f"SET LOCAL {name} = '{value}'" for name, value in SESSION.items())])


def begins(*, sqlite: bool, pooled: bool) -> Begins:
    """What transactions begin with."""
    if sqlite:
        return Begins("", "BEGIN", "BEGIN IMMEDIATE")
    snapshot, write = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", "BEGIN ISOLATION LEVEL READ COMMITTED"
    if pooled:
        return Begins(*(words + _EACH_TIME for words in (f"{write} READ ONLY", snapshot, write)))
    return Begins("", snapshot, write)


def postgresql_arguments(url: URL, *, pooled: bool, standby: bool) -> dict[str, Any]:
    """What a connection is asked for besides what its address says."""
    given: dict[str, Any] = {"application_name": "luodi", "client_encoding": "utf8"}
    given |= {name: value for name, value in LIVELY.items() if name not in url.query}
    if "," in str(url.query.get("host", "")) and "target_session_attrs" not in url.query:
        given["target_session_attrs"] = "prefer-standby" if standby else "read-write"
    if pooled:
        return given | {"prepare_threshold": None}
    return given | {"options": " ".join(filter(None, [PG_OPTIONS, str(url.query.get("options", ""))]))}


def listen(engine: Engine, words: Begins) -> None:
    """Make every connection of an engine behave as this module says; what nobody chose words for writes."""
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _sqlite_connect)
        sa.event.listen(engine, "begin", lambda connection: _sqlite_begin(connection, _chosen(connection, words)))
    else:
        sa.event.listen(engine, "connect", _postgresql_connect)
        sa.event.listen(engine, "begin", lambda connection: _postgresql_begin(connection, _chosen(connection, words)))


def _chosen(connection: Connection, words: Begins) -> str:
    return str(connection.get_execution_options().get(BEGIN, words.write))


# PostgreSQL -----------------------------------------------------------------------------------------


class _Columns(Sequence[psycopg.Column]):
    """The columns of a result, made when somebody asks what they are: SQLAlchemy does so once for a query and from then on only
    wants to know that there are some, while making fifty of them takes as long as fetching their row."""

    def __init__(self, cursor: psycopg.Cursor[Any], count: int) -> None:
        self._cursor, self._count = cursor, count
        self._made: list[psycopg.Column] | None = None

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: Any) -> Any:
        if self._made is None:
            self._made = psycopg.Cursor.description.fget(self._cursor) or []  # type: ignore[attr-defined]
        return self._made[index]


class _Cursor(psycopg.Cursor[Any]):
    @property
    def description(self) -> Any:
        result = self.pgresult
        return _Columns(self, result.nfields) if result is not None and result.nfields else super().description


def _postgresql_connect(connection: Any, _record: Any) -> None:
    connection.cursor_factory = _Cursor


def _postgresql_begin(connection: Connection, words: str) -> None:
    if words:
        try:
            connection.connection.dbapi_connection.execute(words, prepare=False)  # type: ignore[union-attr]
        except psycopg.Error:
            connection.exec_driver_sql(words)  # what is wrong is told as any other error


# SQLite ---------------------------------------------------------------------------------------------

BUSY_TIMEOUT = 60_000
PATIENCE, POLL = 60.0, 3
"""Seconds a writer waits for others of other processes; milliseconds between two looks. SQLite by itself looks ever more
seldom, at last every 100 ms, and misses the moments in between for a third of a second."""


def _sqlite_connect(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_TIMEOUT}", "cache_size=-16384"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _sqlite_begin(connection: Connection, words: str) -> None:
    if not words.endswith("IMMEDIATE"):
        if words:
            connection.exec_driver_sql(words)
        return
    raw: Any = connection.connection.dbapi_connection
    until = time.monotonic() + PATIENCE
    raw.execute(f"PRAGMA busy_timeout={POLL}")
    try:
        while time.monotonic() < until:
            try:
                raw.execute(words)
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    break
        connection.exec_driver_sql(words)  # what is wrong is told as any other error
    finally:
        raw.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT}")
