"""All that a recording writes, with as few statements as the database allows. Columns are read from the models.

PostgreSQL gets one statement, its rows as JSON; its parts do not see each other's writes, and need not: what is closed and what
begins are never one row. From MANY facts on (an import) the new rows go by COPY. SQLite, which is in this process, gets one
plain statement per table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from functools import cache
from itertools import chain
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.projects import search
from app.projects.models import ClockRow, FactRow, Project, StandingRow
from app.rows import as_told, fetched, for_each

Rows = list[dict[str, Any]]
MANY = 100
"""COPY saves a fifth of the processor time of an import."""


class Written(NamedTuple):
    """Rows of one transaction: known projects changed, facts told, standings and clocks that end, and those that begin."""

    projects: Rows
    facts: Rows
    standings_closed: Rows
    clocks_closed: Rows
    standings: Rows
    clocks: Rows


Told = Iterable[tuple[int, int, int]]
"""New facts as (project, sequence number, number)."""


def _columns(table: Any, *without: str) -> list[str]:
    return [column.name for column in sa.inspect(table).local_table.columns if column.name not in without]


PROJECT, FACT = _columns(Project, "id", "ref"), _columns(FactRow, "id")
_KEPT = search.KEYS
"""Columns of a project that stay when their new value is NULL: nothing was told that changes them."""
STANDING, CLOCK = _columns(StandingRow), _columns(ClockRow)
_STANDING_KEY, _CLOCK_KEY = ["project_id", "valid_from"], ["project_id", "rule", "valid_from"]


def write(connection: Connection, rows: Written) -> Told:
    """Write everything. The new facts' numbers come back when they were few."""
    if connection.dialect.name == "sqlite":
        return _sqlite(connection, rows)
    few = len(rows.facts) < MANY
    here = rows if few else rows._replace(facts=[], standings=[], clocks=[])
    told = fetched(connection, _POSTGRESQL, {name: orjson.dumps(value).decode() for name, value in here._asdict().items()})
    numbers = [(row[0], row[1], row[2]) for row in told]
    if not few:  # what ended is closed by now
        for table, columns, new in (("fact", FACT, rows.facts), ("standing", STANDING, rows.standings), ("clock", CLOCK, rows.clocks)):
            add(connection, table, columns, [tuple([row[name] for name in columns]) for row in new])
    return numbers


def add(connection: Connection, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Add many rows to a table on the connection's own transaction: by COPY, or on SQLite (plain values only) many in one statement."""
    if connection.dialect.name == "sqlite":
        put(connection, table, columns, list(chain.from_iterable(rows)))
    elif rows:
        with _copying(connection, table, columns) as copy:
            for row in rows:
                copy.write_row(row)


def put(connection: Connection, table: str, columns: Sequence[str], packed: Any) -> None:
    """Add many rows that are in the form the database takes them in: the text of COPY, or on SQLite one list of all values.

    SQLite lets go of the interpreter once per statement, not per row, so that another thread can go on meanwhile."""
    if connection.dialect.name != "sqlite":
        if packed:
            with _copying(connection, table, columns) as copy:
                copy.write(packed)
        return
    at, width = 0, len(columns)
    for size in _BLOCKS:
        while len(packed) - at >= size * width:
            connection.exec_driver_sql(_block(table, tuple(columns), size), tuple(packed[at : at + size * width]))
            at += size * width


@contextmanager
def _copying(connection: Connection, table: str, columns: Sequence[str]) -> Iterator[Any]:
    raw: Any = connection.connection.cursor()
    statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
    with as_told(connection, statement), raw as cursor, cursor.copy(statement) as copy:
        yield copy


def alter(connection: Connection, table: str, key: str, rows: Rows) -> None:
    """Change many rows of a table, found by their key; all rows name the same columns."""
    if not rows:
        return
    changed = [name for name in rows[0] if name != key]
    if connection.dialect.name == "sqlite":
        statement, columns = _set(table, changed, [key])
        connection.exec_driver_sql(statement, [tuple([plain(row[name]) for name in columns]) for row in rows])
    else:
        connection.exec_driver_sql(_change(table, changed, [key], "rows"), {"rows": orjson.dumps(rows).decode()})


# PostgreSQL -----------------------------------------------------------------------------------------


def _insert(table: str, columns: Sequence[str], rows: str) -> str:
    names = ", ".join(columns)
    return f"INSERT INTO {table} ({names}) SELECT {names} FROM json_populate_recordset(NULL::{table}, %({rows})s::json)"


def _change(table: str, changed: Sequence[str], key: Sequence[str], rows: str, more: str = "") -> str:
    new = {column: f"COALESCE(n.{column}, o.{column})" if column in _KEPT else f"n.{column}" for column in changed}
    values = ", ".join(f"{column} = {value}" for column, value in new.items())
    where = " AND ".join(f"o.{column} = n.{column}" for column in key)
    return f"UPDATE {table} o SET {values} FROM json_populate_recordset(NULL::{table}, %({rows})s::json) n WHERE {where}{more}"


_POSTGRESQL = f"""WITH
changed AS ({_change("project", PROJECT, ["id"], "projects")}),
told AS ({_insert("fact", FACT, "facts")} RETURNING project_id, seq, id),
closed AS ({_change("standing", ["known_to"], _STANDING_KEY, "standings_closed", " AND o.known_to IS NULL")}),
stopped AS ({_change("clock", ["known_to", "life"], _CLOCK_KEY, "clocks_closed", " AND o.known_to IS NULL")}),
stands AS ({_insert("standing", STANDING, "standings")}),
runs AS ({_insert("clock", CLOCK, "clocks")})
SELECT project_id, seq, id FROM told"""


# SQLite ---------------------------------------------------------------------------------------------

_BLOCKS = tuple(1 << power for power in reversed(range(11)))
"""Rows in one statement: few lengths, so that each is prepared once; with 23 columns less values than SQLite takes (32,766)."""


@cache
def _block(table: str, columns: tuple[str, ...], size: int) -> str:
    one = f"({', '.join('?' * len(columns))})"
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join([one] * size)}"


def _values(table: str, columns: Sequence[str]) -> tuple[str, Sequence[str]]:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})", columns


def _set(table: str, changed: Sequence[str], key: Sequence[str], more: str = "") -> tuple[str, Sequence[str]]:
    values = ", ".join(f"{name} = COALESCE(?, {name})" if name in _KEPT else f"{name} = ?" for name in changed)
    where = " AND ".join(f"{name} = ?" for name in key)
    return f"UPDATE {table} SET {values} WHERE {where}{more}", [*changed, *key]


_SQLITE = (
    _set("project", PROJECT, ["id"]),
    _values("fact", FACT),
    _set("standing", ["known_to"], _STANDING_KEY, " AND known_to IS NULL"),
    _set("clock", ["known_to", "life"], _CLOCK_KEY, " AND known_to IS NULL"),
    _values("standing", STANDING),
    _values("clock", CLOCK),
)
_NUMBERS = "SELECT project_id, seq, id FROM fact WHERE project_id = ? AND seq >= ?"


def _sqlite(connection: Connection, rows: Written) -> Told:
    for (statement, columns), new in zip(_SQLITE, rows, strict=True):
        if new:
            for_each(connection, statement, [tuple([plain(row[name]) for name in columns]) for row in new])
    if len(rows.facts) >= MANY:
        return ()
    first: dict[int, int] = {}
    for fact in rows.facts:
        first.setdefault(fact["project_id"], fact["seq"])
    return [(row[0], row[1], row[2]) for place in first.items() for row in fetched(connection, _NUMBERS, place)]


def plain(value: Any) -> Any:
    """As the column types of db.py store it on SQLite."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
    return value.isoformat() if isinstance(value, date) else value
