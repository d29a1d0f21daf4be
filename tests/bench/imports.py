"""Loading history from an events CSV, against writing the very same rows without thinking: COPY, and executemany on SQLite.

The import is a process of its own (`python -m tests.bench.imports URL FILE FOLDER`), so that its memory is its own. Facts of an
import carry the chain. Half of a file's rows lie in another order than by project.
"""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from app.clock import FixedClock
from app.db import Database
from app.ledgers.events import import_events
from app.main import build_house
from app.offices import service as offices
from app.settings import Settings
from tests.bench.daily import memory
from tests.bench.load import ROOT
from tests.bench.registers import KINDS, Registers
from tests.bench.stories import TODAY
from tests.bench.table import Figures

PROJECTS, QUICK = 100_000, 10_000
TABLES = ("office", "project", "fact", "standing", "clock")
HEADER = "project_ref,project_name,office,investor,amount,currency,event,date\n"
SHUFFLED = 5_000
"""Rows that are thrown together before they are written."""


def measure(registers: Registers, figures: Figures, *, quick: bool = False, projects: int = PROJECTS) -> None:
    """Both databases, one file."""
    projects = QUICK if quick else projects
    file = registers.folder / f"events-{projects}.csv"
    began = time.monotonic()
    events = write_file(file, projects)
    print(f"  a file of {projects:,} projects and {events:,} events: {time.monotonic() - began:.0f} s", flush=True)
    small = registers.folder / "events-small.csv"
    write_file(small, projects // 10)
    for kind in KINDS:
        few = _import(empty_county(registers, kind), small)
        url = empty_county(registers, kind)
        first = _import(url, file)
        again = _import(url, file)
        bare = (_copied if kind == "postgresql" else _inserted)(registers, url)
        figures.figure(
            f"{kind} import of {projects:,} projects", events=events, seconds=first["seconds"],
            events_per_second=round(events / first["seconds"]),
            bare_rows_seconds=round(bare, 1), bare_events_per_second=round(events / bare), again_seconds=again["seconds"],
            grown_mb=first["grown_mb"], grown_mb_at_a_tenth=few["grown_mb"],
        )  # fmt: skip
        what = "COPY" if kind == "postgresql" else "executemany"
        figures.ratio(f"{kind}: import of {projects:,} projects / {what} of the bare rows", first["seconds"], bare)
        figures.ratio(f"{kind}: the same file again / the first time", again["seconds"], first["seconds"])
        registers.forget(url)
    file.unlink()


def write_file(path: Path, projects: int, seed: int = 1) -> int:
    """A believable file, some six events a project; how many rows it has."""
    chance, count = random.Random(seed), 0
    rows: list[str] = []
    with path.open("w", encoding="utf-8") as file:
        file.write(HEADER)
        for number in range(1, projects + 1):
            rows += _rows(number, chance)
            if len(rows) > SHUFFLED or number == projects:
                chance.shuffle(rows)
                count += len(rows)
                file.writelines(rows)
                rows.clear()
    return count


def _rows(number: int, chance: random.Random) -> list[str]:
    amount = chance.randrange(1, 500) * 1_000_000
    head = f"L-{number:07d},年产{number % 97}万吨新材料项目{number},T{number * 7919 % 200 + 1:03d},示例投资有限公司{number % 991}"
    day = TODAY - timedelta(days=chance.randrange(100, 8 * 365))
    told: dict[tuple[str, date], str] = {("intent", day): f"{amount}.00"}
    for event in ("signed", "land", "construction", "operating"):
        day += timedelta(days=chance.randrange(20, 260))
        if day >= TODAY:
            break
        told[event, day] = f"{amount}.00"
        if chance.random() < 0.4:
            told["contact", min(TODAY, day + timedelta(days=chance.randrange(1, 20)))] = f"{amount}.00"
    while len(told) < 5:
        told["contact", min(TODAY, day + timedelta(days=chance.randrange(0, 90)))] = f"{amount}.00"
        day -= timedelta(days=1)
    if chance.random() < 0.4:
        told["funds", min(TODAY, day)] = f"{amount // 2}.00"
    return [f"{head},{money},CNY,{event},{on}\n" for (event, on), money in told.items()]


def empty_county(registers: Registers, kind: str) -> str:
    """A register with a county; the towns are made by the file."""
    url = registers.empty(kind)
    database = Database(url)
    with database.write() as connection:
        offices.add_office(connection, code="C", name="示例县", kind="county")
    database.dispose()
    return url


def _import(url: str, file: Path) -> dict[str, Any]:
    called = [sys.executable, "-m", "tests.bench.imports", url, str(file), str(file.parent)]
    done = subprocess.run(called, cwd=ROOT, capture_output=True, text=True, timeout=7200, check=False)
    if done.returncode:
        raise RuntimeError(f"the import failed: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _copied(registers: Registers, url: str) -> float:
    """Seconds that COPY takes for the rows of a register, from files into an empty one."""
    empty = registers.empty("postgresql")
    seconds = 0.0
    with psycopg.connect(url) as source, psycopg.connect(empty, autocommit=True) as target:
        for table in TABLES:
            path = registers.folder / f"{table}.copy"
            with path.open("wb") as out, source.cursor().copy(f"COPY {table} TO STDOUT") as copy:
                for block in copy:
                    out.write(block)
            began = time.perf_counter()
            with path.open("rb") as read, target.cursor().copy(f"COPY {table} FROM STDIN") as copy:
                while block := read.read(1 << 18):
                    copy.write(block)
            seconds += time.perf_counter() - began
            path.unlink()
    registers.forget(empty)
    return seconds


def _inserted(registers: Registers, url: str) -> float:
    """Seconds that executemany takes for the rows of a register, into an empty one, committing now and then."""
    empty = registers.empty("sqlite")
    seconds = 0.0
    with (
        closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as source,
        closing(sqlite3.connect(empty.removeprefix("sqlite:///"))) as target,
    ):
        for pragma in ("synchronous=FULL", "foreign_keys=ON", "cache_size=-16384"):
            target.execute(f"PRAGMA {pragma}")
        for table in TABLES:
            cursor = source.execute(f"SELECT * FROM {table} ORDER BY 1")
            marks = ", ".join("?" * len(cursor.description))
            while rows := cursor.fetchmany(10_000):
                began = time.perf_counter()
                target.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
                target.commit()
                seconds += time.perf_counter() - began
    registers.forget(empty)
    return seconds


def main(url: str, file: str, folder: str) -> None:
    """Import a file and print what it took as JSON."""
    settings = Settings(database_url=url, dev=True, worker=False, secret_key="bench", audit_key="bench", var_dir=Path(folder))
    house = build_house(settings, FixedClock(settings.zone, datetime(TODAY.year, TODAY.month, TODAY.day, 2, 0, tzinfo=UTC)), Database(url))
    with house.database.snapshot() as connection:
        connection.exec_driver_sql("SELECT 1")
    before, began = memory(), time.perf_counter()
    summary = import_events(house, Path(file), create_offices=True)
    seconds = time.perf_counter() - began
    house.database.dispose()
    assert not summary.rejected, summary.rejected[0]
    print(json.dumps({"seconds": round(seconds, 2), "grown_mb": round(memory() - before, 1), "added": summary.events_added}))


if __name__ == "__main__":
    main(*sys.argv[1:])
