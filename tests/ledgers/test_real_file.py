"""A real file of 24,760 events, imported and judged by a naive reading of the same rows (absent from a bare checkout)."""

import csv
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.offices.desk import Moment
from app.policies.policy import Policy
from app.projects import rebuild
from app.projects.models import ClockRow, Project
from app.projects.queries import clocks_of, true_on
from tests.ledgers.conftest import HEADER, Register
from tests.ledgers.test_export import random_rows

SHARED = Path(os.environ.get("LUODI_SHARED", Path(__file__).parents[3] / "shared"))
REAL = SHARED / "data" / "ifc-investment-projects" / "to_events.py"
DATES = (date(2015, 6, 30), date(2020, 12, 31), date(2025, 4, 17))
LIMITS = (180, 365, 730)


def naive_stopped(rows: Iterable[dict[str, str]], on: date, limit: int) -> dict[str, date]:
    """ref → day it stopped, read straight off the rows: signed, never started, silent for `limit` days, not paused, not ended."""
    told: dict[str, dict[str, list[date | None]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        told[row["project_ref"]][row["event"]].append(date.fromisoformat(row["date"]) if row["date"] else None)
    found = {}
    for ref, events in told.items():
        latest = max((day for days in events.values() for day in days if day), default=None)
        if latest is None:
            continue
        days = {event: [day or latest for day in every if (day or latest) <= on] for event, every in events.items()}
        signed = min(days.get("signed", []), default=None)
        if signed is None or days.get("construction") or days.get("operating"):
            continue
        if min(days.get("land", []), default=date.min) >= signed:  # repeated stages: the earliest date counts
            continue
        resumed, end = days.get("resumed", []), max(days.get("terminated", []), default=None)
        if end is not None and not any(day > end for day in resumed):
            continue
        pause = max(days.get("suspended", []), default=None)
        going_on = [day for event in ("intent", "signed", "land", "contact") for day in days.get(event, []) if pause and day > pause]
        if pause is not None and not going_on and not any(day >= pause for day in resumed):
            continue
        if signed + timedelta(days=limit) <= on:
            found[ref] = signed + timedelta(days=limit)
    return found


def stopped(register: Register, on: date, limit: int) -> dict[str, date]:
    """The same as stored clocks and a policy of one limit say it."""
    levels = {"yellow": None, "exit_review": None}
    body = {"signed_no_progress": {**levels, "red": f"{limit}d"}, "signed_to_registered": {"enabled": False}}
    policy = Policy(2, date(1, 1, 1), datetime(1, 1, 1, tzinfo=UTC), body)
    at = Moment(on, register.house.clock.now(), None, False)
    with register.house.database.snapshot() as connection:
        query = sa.select(ClockRow.project_id, Project.ref).join(Project, Project.id == ClockRow.project_id)
        refs = {
            row.project_id: row.ref for row in connection.execute(query.where(ClockRow.rule == "signed_no_progress", true_on(ClockRow, at)))
        }
        clocks = clocks_of(connection, list(refs), at)
    days = {ref: policy.stopped_on(clocks[number], on) for number, ref in refs.items()}
    return {ref: day for ref, day in days.items() if day is not None}


def test_random_histories_are_judged_as_a_naive_reader_would(register: Register) -> None:
    rows = random_rows(11, projects=300)
    register.take(rows)
    read = [dict(zip(HEADER.split(","), row, strict=True)) for row in rows]
    for on in (date(2025, 1, 5), date(2025, 1, 9), date(2025, 1, 20)):
        for limit in (1, 4, 9):
            assert stopped(register, on, limit) == naive_funds_aside(read, on, limit)


def naive_funds_aside(rows: list[dict[str, str]], on: date, limit: int) -> dict[str, date]:
    """Money that grows is progress: the first total after signing moves the clock, as all totals here are equal."""
    found = naive_stopped(rows, on, 0)
    money: dict[str, list[date]] = defaultdict(list)
    for row in rows:
        if row["event"] == "funds":
            money[row["project_ref"]].append(date.fromisoformat(row["date"]))
    days = {}
    for ref, signed in found.items():
        first = min((day for day in money[ref]), default=signed)
        basis = max(signed, first) if first <= on else signed
        if basis + timedelta(days=limit) <= on:
            days[ref] = basis + timedelta(days=limit)
    return days


@pytest.fixture(scope="session")
def real_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not REAL.exists():
        pytest.skip(f"no {REAL}")
    path = tmp_path_factory.mktemp("real") / "ifc_events.csv"
    with path.open("wb") as file:
        subprocess.run([sys.executable, str(REAL)], stdout=file, check=True)
    return path


def test_the_real_file(register: Register, real_file: Path) -> None:
    summary = register.take_file(real_file, create_offices=True)
    with real_file.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert (summary.projects_created, len(summary.rejected)) == (len({row["project_ref"] for row in rows}), 0)
    assert summary.events_added == len({(row["project_ref"], row["event"], row["date"]) for row in rows})
    assert summary.events_added + summary.events_unchanged == len(rows)
    counted = {}
    for on in DATES:
        for limit in LIMITS:
            wanted = naive_stopped(rows, on, limit)
            assert stopped(register, on, limit) == wanted
            counted[on, limit] = len(wanted)
    assert all(counted[on, limit] > 100 for on in DATES[1:] for limit in LIMITS)
    before = register.counts()
    assert register.take_file(real_file, create_offices=True).events_added == 0
    assert register.counts() == before
    assert rebuild.check(register.house.database) == []
