"""The daily run on a first day and on a quiet day with the same 100 rows due, at 10k and 100k projects, and what it keeps in memory.

Each run is a process of its own (`python -m tests.bench.daily URL DAY`), so that its memory is its own.
"""

from __future__ import annotations

import json
import logging
import re
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import structlog

from app.alerts import daily as days
from app.alerts.sender import Sender
from app.clock import FixedClock
from app.db import Database
from app.policies.queries import book_of
from app.settings import Settings
from tests.bench.load import ROOT
from tests.bench.registers import KINDS, Registers
from tests.bench.seed import Seeded
from tests.bench.stories import FIRST_DAY, NEWLY_DUE, TODAY
from tests.bench.table import Figures

SMALL, LARGE = 10_000, 100_000


def measure(registers: Registers, figures: Figures, *, quick: bool) -> None:
    """Both databases, both sizes. The quiet day is run on several copies of the register after its first day."""
    rounds = 2 if quick else 4
    for kind in KINDS:
        first: dict[int, dict[str, Any]] = {}
        quiet: dict[int, list[dict[str, Any]]] = {SMALL: [], LARGE: []}
        seeded: dict[int, Seeded] = {}
        for projects in (SMALL, LARGE):
            print(f"  daily run, {kind}, {projects:,} projects", flush=True)
            seeded[projects] = registers.copy(kind, projects)
            first[projects] = run(seeded[projects], FIRST_DAY)
            figures.figure(f"{kind} {projects // 1000}k first day", **first[projects])
        for _ in range(rounds):
            for projects in (SMALL, LARGE):
                copy = registers.again(seeded[projects])
                quiet[projects].append(run(copy, TODAY))
                registers.drop(copy)
        for projects in (SMALL, LARGE):
            registers.drop(seeded[projects])
            figures.figure(f"{kind} {projects // 1000}k quiet day", **_middle(quiet[projects]))
        _ratios(figures, kind, first, {projects: _middle(runs) for projects, runs in quiet.items()})


def _ratios(figures: Figures, kind: str, first: dict[int, dict[str, Any]], quiet: dict[int, dict[str, Any]]) -> None:
    due = {quiet[projects]["looked_at"] for projects in quiet}
    note = "" if due == {NEWLY_DUE} else f"looked at {sorted(due)} projects, {NEWLY_DUE} were due"
    figures.ratio(
        f"{kind}: quiet day at 100k / at 10k, flags", quiet[LARGE]["evaluate_s"], quiet[SMALL]["evaluate_s"], at_most=2, note=note
    )
    figures.ratio(f"{kind}: quiet day at 100k / at 10k, with digests", quiet[LARGE]["whole_s"], quiet[SMALL]["whole_s"], at_most=2)
    figures.ratio(
        f"{kind}: first day at 100k / at 10k, flags (ten times the projects)", first[LARGE]["evaluate_s"], first[SMALL]["evaluate_s"]
    )
    growth = {"first": first[LARGE]["grown_mb"] - first[SMALL]["grown_mb"], "quiet": quiet[LARGE]["grown_mb"] - quiet[SMALL]["grown_mb"]}
    figures.figure(f"{kind} memory at 100k beyond that at 10k, MB", **{name: round(one, 1) for name, one in growth.items()})


def _middle(runs: list[dict[str, Any]]) -> dict[str, Any]:
    return {name: statistics.median(one[name] for one in runs) for name in runs[0]}


def run(seeded: Seeded, day: date) -> dict[str, Any]:
    """One day of a register, in a process of its own."""
    called = [sys.executable, "-m", "tests.bench.daily", seeded.url, day.isoformat()]
    done = subprocess.run(called, cwd=ROOT, capture_output=True, text=True, timeout=7200, check=False)
    if done.returncode:
        raise RuntimeError(f"the daily run failed: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def memory() -> float:
    """The most this process ever held, in megabytes (the rusage figure would count what the parent held when it forked)."""
    found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def main(url: str, day: date) -> None:
    """Do one day on a register and print what it took as JSON."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    settings = Settings(database_url=url, dev=True, worker=False, secret_key="bench", audit_key="bench")
    database = Database(url)
    clock = FixedClock(settings.zone, datetime(day.year, day.month, day.day, 2, 0, tzinfo=UTC))
    enqueue, spent = days._enqueue, 0.0

    def timed(*given: Any) -> None:
        nonlocal spent
        began = time.perf_counter()
        enqueue(*given)
        spent += time.perf_counter() - began

    days._enqueue = timed
    with database.snapshot() as connection:
        connection.execute(sa.text("SELECT 1"))
    before, began = memory(), time.perf_counter()
    counts = days.run_day(database, clock, settings, book_of(database), day)
    whole = time.perf_counter() - began
    assert counts is not None, "the day was done already"
    with tempfile.TemporaryDirectory(prefix="luodi-bench-mail-") as folder:  # the next day tells what is new since a digest that was sent
        Sender(database, clock, settings.model_copy(update={"smtp_url": f"file:{folder}"})).run()
    database.analyse()
    database.dispose()
    told = {name: counts.get(name, 0) for name in ("looked_at", "opened", "escalated", "eased", "recovered", "failed")}
    print(json.dumps({"whole_s": round(whole, 3), "evaluate_s": round(whole - spent, 3), "grown_mb": round(memory() - before, 1), **told}))


if __name__ == "__main__":
    main(sys.argv[1], date.fromisoformat(sys.argv[2]))
