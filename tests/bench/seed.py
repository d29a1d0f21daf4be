"""Fill an empty, migrated database with a register of N projects, fast: stories are folded once and copied many times.

PostgreSQL is filled with COPY, SQLite with executemany and no waiting for the disk; both end with their statistics
made. The same N gives the same register on both.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

import psycopg
import sqlalchemy as sa

from app.db import Database
from app.offices import service as offices
from app.projects.models import ClockRow, FactRow, Project, StandingRow
from tests.bench.stories import NAME, OFFICE, OWNER, TODAY, Story, fresh_stories, stories

TOWNS = 200
CROWDED = 10
"""One project in so many lies in the first town, so that one town alone has deep pages too."""
TABLES: tuple[Any, ...] = (Project.__table__, FactRow.__table__, StandingRow.__table__, ClockRow.__table__)
NOW = datetime.combine(TODAY, time(2, 0), UTC)
"""Ten in the morning in the county: when the bench's clock starts."""
CHUNK = 1000
STORIES = 2000
_MARKS = ("@@id@@", "@@ref@@", NAME, str(OFFICE), str(OWNER))


@dataclass(frozen=True)
class Seeded:
    """A filled database and who may call it."""

    url: str
    projects: int
    county_token: str
    town_token: str


def ref(number: int) -> str:
    """The ref of the n-th project (from 1)."""
    return f"P-{number:07d}"


def fresh_ref(number: int) -> str:
    """The ref of the n-th young intent (from 1)."""
    return f"N-{number:07d}"


def fill(url: str, projects: int, fresh: int = 0) -> Seeded:
    """Offices, people, tokens, `projects` projects of every kind and `fresh` young intents."""
    database = Database(url)
    try:
        towns, owners, county, town = _offices(database)
    finally:
        database.dispose()
    quiet, due = stories(STORIES)
    told = due + [quiet[number % len(quiet)] for number in range(projects - len(due))]
    rows = [(number, ref(number), story) for number, story in enumerate(told, 1)]
    young = fresh_stories()
    rows += [(projects + number, fresh_ref(number), young[number % len(young)]) for number in range(1, fresh + 1)]
    place = [0 if number % CROWDED == 0 else number * 7919 % TOWNS for number in range(len(rows))]
    named = [(str(n), r, f"项目{n}", str(towns[p]), str(owners[p]), story) for (n, r, story), p in zip(rows, place, strict=True)]
    lay(url, named)
    return Seeded(url, projects, county, town)


def lay(url: str, named: list[tuple[Any, ...]]) -> None:
    """Projects as (number, ref, name, office, owner, story), the numbers from 1 and as text, into an empty database."""
    (_sqlite if url.startswith("sqlite") else _postgres)(url, named)


def _offices(database: Database) -> tuple[list[int], list[int], str, str]:
    with database.write() as connection:
        offices.add_office(connection, code="C", name="示例县", kind="county")
        offices.add_office(connection, code="B", name="招商局", kind="bureau", parent="C")
        units = [offices.add_office(connection, code=f"T{n:03d}", name=f"镇区{n}", kind="town", parent="C").id for n in range(1, TOWNS + 1)]
        people = [
            offices.add_person(connection, office=f"T{n:03d}", name=f"经办人{n}", email=f"t{n}@example.test", role="clerk")
            for n in range(1, TOWNS + 1)
        ]
        county = offices.issue_token(connection, office="B", role="officer", now=NOW, days=3650)
        town = offices.issue_token(connection, office="T001", role="clerk", now=NOW, days=3650)
    return units, people, county, town


def _columns(table: sa.Table) -> list[str]:
    return [column.name for column in table.columns if not (table.name == "fact" and column.name == "id")]


def _tables(story: Story) -> Iterator[tuple[sa.Table, list[dict[str, Any]]]]:
    own = {"project_id": _MARKS[0], "id": _MARKS[0], "ref": _MARKS[1]}
    yield from zip(
        TABLES, ([own | row for row in rows] for rows in ([story.project], story.facts, story.standings, story.clocks)), strict=True
    )


def _text(value: Any) -> str:
    if value is None:
        return r"\N"
    if isinstance(value, str):
        return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")
    return value.isoformat() if isinstance(value, date) else str(value)


def _postgres(url: str, named: list[tuple[Any, ...]]) -> None:
    blocks: dict[int, list[str]] = {}
    plain = url.replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")  # no foreign key is checked row by row
        connection.execute("SET synchronous_commit = off")
        connection.execute("SET maintenance_work_mem = '512MB'")
        indexes = connection.execute(
            "SELECT indexname, indexdef FROM pg_indexes"
            " WHERE schemaname = 'public' AND tablename = ANY (%s) AND indexdef NOT LIKE '%%UNIQUE%%'",
            [[table.name for table in TABLES]],
        ).fetchall()
        for index, _ in indexes:
            connection.execute(f"DROP INDEX {index}")
        for at, table in enumerate(TABLES):
            names = _columns(table)
            with connection.cursor().copy(f"COPY {table.name} ({', '.join(names)}) FROM STDIN") as copy:
                for *values, story in named:
                    if id(story) not in blocks:
                        blocks[id(story)] = [
                            "".join("\t".join(_text(row[name]) for name in _columns(table)) + "\n" for row in rows)
                            for table, rows in _tables(story)
                        ]
                    block = blocks[id(story)][at]
                    for mark, value in zip(_MARKS, values, strict=True):
                        block = block.replace(mark, value)
                    copy.write(block)
        for _, made in indexes:
            connection.execute(made)
        connection.execute("SELECT setval('project_id_seq', (SELECT max(id) FROM project))")
        connection.execute("VACUUM (ANALYZE)")
        connection.execute("CHECKPOINT")


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S.%f")
    return value.isoformat() if isinstance(value, date) else value


def _sqlite(url: str, named: list[tuple[Any, ...]]) -> None:
    ready: dict[int, list[list[tuple[list[Any], list[tuple[int, int]]]]]] = {}
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as connection:
        for pragma in ("journal_mode=WAL", "synchronous=OFF", "cache_size=-400000", "foreign_keys=OFF"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("BEGIN")
        indexes = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND sql NOT LIKE '%UNIQUE%'"
        ).fetchall()
        for index, _ in indexes:
            connection.execute(f"DROP INDEX {index}")
        for at, table in enumerate(TABLES):
            names = _columns(table)
            statement = f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
            for start in range(0, len(named), CHUNK):
                chunk = []
                for number, *texts, story in named[start : start + CHUNK]:
                    if id(story) not in ready:
                        ready[id(story)] = [[_spotted(row, _columns(table)) for row in rows] for table, rows in _tables(story)]
                    values = (int(number), *texts)
                    for row, spots in ready[id(story)][at]:
                        filled = row.copy()
                        for place, mark in spots:
                            filled[place] = values[mark] if mark >= 0 else _told(filled[place], texts)
                        chunk.append(filled)
                connection.executemany(statement, chunk)
        for _, made in indexes:
            connection.execute(made)
        connection.execute("COMMIT")
        connection.execute("ANALYZE")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _spotted(row: dict[str, Any], names: list[str]) -> tuple[list[Any], list[tuple[int, int]]]:
    """A row's cells, and which of them a project replaces: (place, number of the mark; -1 for marks inside a text)."""
    cells = [_plain(row[name]) for name in names]
    marks = {str(mark): number for number, mark in enumerate(_MARKS)}
    spots = [(place, marks[str(cell)]) for place, cell in enumerate(cells) if str(cell) in marks]
    return cells, spots + [(place, -1) for place, cell in enumerate(cells) if isinstance(cell, str) and NAME in cell and cell != NAME]


def _told(text: str, texts: list[str]) -> str:
    for mark, value in zip(_MARKS[1:], texts, strict=True):
        text = text.replace(mark, value)
    return text
