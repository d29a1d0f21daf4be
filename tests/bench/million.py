"""A register of a million projects beside one of ten thousand: lists, reads and reports, the daily run, and who waits for whom.

One register of the large size on each database, and no copy of it: the first day, the quiet day with the same hundred rows
due, a first day again while somebody reports, and the day after a policy change while somebody reports.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from app.db import Database
from app.policies.queries import book_of
from app.policies.service import set_policy
from tests.bench import daily, lists
from tests.bench.load import Reads, Reports, service
from tests.bench.registers import KINDS, Registers
from tests.bench.seed import Seeded
from tests.bench.stories import FIRST_DAY, TODAY
from tests.bench.table import Figures
from tests.bench.waits import Probe

SMALL, PROJECTS = 10_000, 1_000_000
FRESH = 60_000
AGAIN, CHANGED = TODAY + timedelta(days=1), TODAY + timedelta(days=2)
IDLE = 10.0
OTHER_LIMITS = {"signed_no_progress": {"yellow": "30d", "red": "45d", "exit_review": "150d"}}


def measure(registers: Registers, figures: Figures, *, quick: bool = False, projects: int = PROJECTS) -> None:
    """Both databases, one after the other, so that the disk holds one large register at a time."""
    for kind in KINDS:
        print(f"  {kind}, {projects:,} projects", flush=True)
        small, large = registers.take(kind, SMALL, FRESH), registers.take(kind, projects, FRESH)
        _lists(figures, kind, small, large, 10 if quick else 30)
        _requests(registers, figures, kind, small, large, 2 if quick else 5)
        registers.drop(small)
        small = registers.take(kind, SMALL, 0)  # nobody has reported anything in it
        _days(registers, figures, kind, small, large)
        registers.drop(small)
        registers.drop(large)


def _lists(figures: Figures, kind: str, small: Seeded, large: Seeded, rounds: int) -> None:
    for one in (small, large):
        lists.layer(one, figures, kind, rounds)
    times = lists.side_by_side(small, large, rounds)
    for name, what in (("page", "signed-then-stopped"), ("stalls", "every stall")):
        ratio = f"{kind}: {what}, first page at {large.projects:,} / at {SMALL:,}"
        figures.ratio(ratio, times[f"{name} large"], times[f"{name} small"], at_most=1.3)


def _requests(registers: Registers, figures: Figures, kind: str, small: Seeded, large: Seeded, seconds: float) -> None:
    found: dict[tuple[str, int], float] = {}
    for seeded in (small, large):
        with service(seeded.url) as running:
            began = running.memory()
            works: dict[str, Any] = {
                "read": Reads(seeded),
                "report": Reports(seeded, FRESH, registers.folder / f"next-{kind}-{seeded.projects}"),
            }
            for name, work in works.items():
                running.load(work, 32, 1)
                load = running.load(work, 32, seconds)
                found[name, seeded.projects] = load.rate
                figures.figure(
                    f"{kind} {seeded.projects:,}: {name}, 32 connections", per_second=round(load.rate), p50_ms=load.p50, p99_ms=load.p99,
                    errors=load.errors, cpu_us=round(load.cpu_us), memory_mb=round(running.memory(), 1), at_start_mb=round(began, 1),
                )  # fmt: skip
    for name in ("read", "report"):
        figures.ratio(f"{kind}: {name} at {large.projects:,} / at {SMALL:,}", found[name, large.projects], found[name, SMALL], at_least=0.8)


def _days(registers: Registers, figures: Figures, kind: str, small: Seeded, large: Seeded) -> None:
    _forget_reports(large)
    first = {one.projects: daily.run(one, FIRST_DAY) for one in (small, large)}
    bare = _bare(large, FIRST_DAY.isoformat())
    quiet = {one.projects: daily.run(one, TODAY) for one in (small, large)}
    for projects, runs in ((SMALL, (first[SMALL], quiet[SMALL])), (large.projects, (first[large.projects], quiet[large.projects]))):
        for name, run in zip(("first day", "quiet day"), runs, strict=True):
            figures.figure(f"{kind} {projects:,}: {name}", **run)
    figures.figure(f"{kind}: merely inserting the first day's flags and changes", seconds=round(bare, 1))
    most = 1.3 if kind == "postgresql" else 3
    figures.ratio(f"{kind}: first day, flags / merely inserting them", first[large.projects]["evaluate_s"], bare, at_most=most)
    note = "" if quiet[large.projects]["looked_at"] == quiet[SMALL]["looked_at"] else "not the same rows"
    figures.ratio(f"{kind}: quiet day, flags", quiet[large.projects]["evaluate_s"], quiet[SMALL]["evaluate_s"], at_most=2, note=note)
    figures.ratio(f"{kind}: quiet day, with digests", quiet[large.projects]["whole_s"], quiet[SMALL]["whole_s"], at_most=2, note=note)
    for name, runs in (("first", first), ("quiet", quiet)):
        grown = runs[large.projects]["grown_mb"] - runs[SMALL]["grown_mb"]
        figures.ratio(f"{kind}: {name} day, memory beyond that at {SMALL:,}, / 20 MB", max(grown, 0.1), 20, at_most=1)
    _waits(figures, kind, large)


def _waits(figures: Figures, kind: str, large: Seeded) -> None:
    _forget_flags(large)
    with service(large.url) as running:
        probe = Probe(running, large, FRESH)
        probe.used = FRESH // 2  # the others were used before
        probe.idle(2)
        for name, day in (("first day", AGAIN), ("day after a policy change", CHANGED)):
            idle = probe.idle(IDLE)
            if day == CHANGED:
                _change_policy(large)
            run, busy = probe.during(lambda day=day: daily.run(large, day))  # type: ignore[misc]
            figures.figure(f"{kind} {large.projects:,}: {name}, somebody reports", **run)
            figures.figure(f"{kind} {large.projects:,}: reports, idle before", **idle)
            figures.figure(f"{kind} {large.projects:,}: reports during the {name}", **busy)
            if day == CHANGED:
                bare = _bare(large, day.isoformat())
                figures.ratio(f"{kind}: {name}, flags / merely inserting its changes", run["evaluate_s"], bare)
            if kind == "sqlite":
                figures.ratio(f"{kind}: longest wait of a report during the {name}, / 100 ms", busy["longest_ms"], 100, at_most=1)
            figures.ratio(
                f"{kind}: p99 of a report during the {name} / idle",
                busy["p99_ms"],
                idle["p99_ms"],
                at_most=2 if kind == "postgresql" else None,
            )


def _change_policy(seeded: Seeded) -> None:
    database = Database(seeded.url)
    now = datetime(CHANGED.year, CHANGED.month, CHANGED.day, 1, 0, tzinfo=UTC)
    with database.write() as connection:
        set_policy(connection, book_of(database), {"limits": OTHER_LIMITS}, effective_from=CHANGED, now=now)
    database.dispose()


def _execute(seeded: Seeded, *statements: str) -> None:
    if seeded.url.startswith("sqlite"):
        with closing(sqlite3.connect(seeded.url.removeprefix("sqlite:///"), isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous=OFF")
            for statement in statements:
                connection.execute(statement)
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    else:
        with psycopg.connect(seeded.url, autocommit=True) as pg:
            for statement in statements:
                pg.execute(statement)  # type: ignore[arg-type]


def _forget_reports(seeded: Seeded) -> None:
    """What the load reported was learnt long before the first day: a quiet day shall not look at it."""
    before, after = f"{FIRST_DAY - timedelta(days=3)} 00:00:00.000000", f"{FIRST_DAY} 12:00:00.000000"
    _execute(seeded, f"UPDATE fact SET recorded_at = '{before}' WHERE recorded_at > '{after}'")


def _forget_flags(seeded: Seeded) -> None:
    if seeded.url.startswith("sqlite"):
        _execute(seeded, *(f"DELETE FROM {table}" for table in ("flag_change", "flag", "delivery_event", "delivery", "daily_run")))
    else:
        _execute(seeded, "TRUNCATE flag_change, flag, delivery_event, delivery, daily_run")


def _bare(seeded: Seeded, day: str) -> float:
    """Seconds that writing a day's flags and changes takes when nobody has to find them out: into tables made alike."""
    rows = {"flag": f"level_on = '{day}'", "flag_change": f"run_date = '{day}'"}
    return (_bare_sqlite if seeded.url.startswith("sqlite") else _bare_postgresql)(seeded, rows)


def _bare_postgresql(seeded: Seeded, rows: dict[str, str]) -> float:
    seconds = 0.0
    with psycopg.connect(seeded.url, autocommit=True) as connection:
        for table, which in rows.items():
            connection.execute(f"CREATE TABLE bare (LIKE {table} INCLUDING ALL, FOREIGN KEY (project_id) REFERENCES project (id))")  # type: ignore[arg-type]
            with connection.cursor().copy(f"COPY (SELECT * FROM {table} WHERE {which}) TO STDOUT") as copy:  # type: ignore[arg-type]
                blocks = [bytes(block) for block in copy]
            whole = b"".join(blocks)
            began = time.perf_counter()
            with connection.cursor().copy("COPY bare FROM STDIN") as copy:
                for at in range(0, len(whole), 1 << 18):
                    copy.write(whole[at : at + (1 << 18)])
            seconds += time.perf_counter() - began
            connection.execute("DROP TABLE bare")
    return seconds


def _bare_sqlite(seeded: Seeded, rows: dict[str, str]) -> float:
    seconds = 0.0
    with closing(sqlite3.connect(seeded.url.removeprefix("sqlite:///"), isolation_level=None)) as connection:
        for pragma in ("synchronous=FULL", "foreign_keys=ON", "cache_size=-16384"):
            connection.execute(f"PRAGMA {pragma}")
        for table, which in rows.items():
            made = connection.execute("SELECT type, sql FROM sqlite_master WHERE tbl_name = ? AND sql IS NOT NULL", [table]).fetchall()
            for _, sql in sorted(made, key=lambda row: row[0] != "table"):
                renamed = sql.replace(f"CREATE TABLE {table}", "CREATE TABLE bare").replace(f'CREATE TABLE "{table}"', "CREATE TABLE bare")
                connection.execute(renamed.replace("INDEX ", "INDEX bare_").replace(f" ON {table} ", " ON bare "))
            found = connection.execute(f"SELECT * FROM {table} WHERE {which}").fetchall()
            marks = ", ".join("?" * len(found[0]))
            began = time.perf_counter()
            connection.execute("BEGIN")
            connection.executemany(f"INSERT INTO bare VALUES ({marks})", found)
            connection.execute("COMMIT")
            seconds += time.perf_counter() - began
            connection.execute("DROP TABLE bare")
    return seconds
