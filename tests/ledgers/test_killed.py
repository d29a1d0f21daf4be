"""An import that is killed half-way is completed by running it again, and two at once are as one."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.ledgers import events
from app.projects import rebuild
from tests.ledgers.conftest import Register, write
from tests.ledgers.test_export import random_rows


def test_a_killed_import_is_completed_by_the_next(register: Register, other: Register) -> None:
    rows = random_rows(3, projects=100)
    file = write(register.folder / "big.csv", rows)
    command = [sys.executable, "-m", "tests.ledgers.killed", "events", register.house.database.url.render_as_string(hide_password=False)]
    died = subprocess.run([*command, str(file), str(register.folder)], capture_output=True, text=True, timeout=60)
    assert died.returncode == -9, died.stderr
    other.take(rows)
    half = register.counts()["project"]
    assert 0 < half < other.counts()["project"]
    summary = register.take_file(file)
    assert summary.projects_unchanged >= half
    assert register.standings() == other.standings()
    assert register.counts() == other.counts()
    assert rebuild.check(register.house.database) == []
    assert rebuild.verify_chains(register.house.database, register.house.audit_key) == []


def test_two_imports_of_one_file_at_once_are_as_one(register: Register, other: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "CHUNK", 7)
    rows = [[*one[:2], f"新镇 {len(one[0])}", *one[3:]] for one in random_rows(4, projects=60)]
    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(register.take_file, write(register.folder / f"{part}.csv", rows), create_offices=True) for part in "abc"]:
            done.result(timeout=60)
    other.take(rows, create_offices=True)
    assert register.standings() == other.standings()
    assert register.counts() == other.counts()
    assert rebuild.check(register.house.database) == []
