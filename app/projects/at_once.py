"""PostgreSQL: all that a recording writes, in one statement. Rows travel as JSON; the columns are read from the models.

The parts of the statement do not see each other's writes, and need not: what is closed and what begins are never one row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.projects.models import ClockRow, FactRow, Project, StandingRow

Rows = Sequence[dict[str, Any]]


def _columns(table: Any, *without: str) -> list[str]:
    return [column.name for column in sa.inspect(table).local_table.columns if column.name not in without]


def _insert(table: Any, rows: str, *without: str) -> str:
    columns = ", ".join(_columns(table, *without))
    name = table.__tablename__
    return f"INSERT INTO {name} ({columns}) SELECT {columns} FROM json_populate_recordset(NULL::{name}, %({rows})s::json)"


def _close(table: Any, rows: str, changed: Sequence[str], key: Sequence[str]) -> str:
    name = table.__tablename__
    values = ", ".join(f"{column} = n.{column}" for column in changed)
    where = " AND ".join(f"o.{column} = n.{column}" for column in ("project_id", *key))
    return (
        f"UPDATE {name} o SET {values} FROM json_populate_recordset(NULL::{name}, %({rows})s::json) n WHERE {where} AND o.known_to IS NULL"
    )


_PROJECT = _columns(Project, "id", "ref")
_WRITE = f"""WITH
changed AS (UPDATE project o SET {", ".join(f"{name} = n.{name}" for name in _PROJECT)}
    FROM json_populate_recordset(NULL::project, %(projects)s::json) n WHERE o.id = n.id),
told AS ({_insert(FactRow, "facts", "id")} RETURNING project_id, seq, id),
closed AS ({_close(StandingRow, "standings_closed", ["known_to"], ["valid_from"])}),
stopped AS ({_close(ClockRow, "clocks_closed", ["known_to", "life"], ["rule", "valid_from"])}),
stands AS ({_insert(StandingRow, "standings")}),
runs AS ({_insert(ClockRow, "clocks")})
SELECT project_id, seq, id FROM told"""


def write(
    connection: Connection, projects: Rows, facts: Rows, standings_closed: Rows, clocks_closed: Rows, standings: Rows, clocks: Rows
) -> list[tuple[int, int, int]]:
    """Write everything; the new facts' numbers as (project, sequence number, number)."""
    rows = {
        "projects": projects, "facts": facts, "standings_closed": standings_closed, "clocks_closed": clocks_closed,
        "standings": standings, "clocks": clocks,
    }  # fmt: skip
    written = connection.exec_driver_sql(_WRITE, {name: _json(value) for name, value in rows.items()})
    return [(row[0], row[1], row[2]) for row in written]


def _json(rows: Rows) -> str:
    return orjson.dumps(rows).decode()
