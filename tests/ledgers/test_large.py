"""A large import: rows wait on disk, many are wrong, what it founds is what recording fact by fact would have made."""

import os
import random
import re
import subprocess
import sys
from typing import Any

import pytest
import sqlalchemy as sa

from app import shelves
from app.ledgers import events, events_faults, events_shelves
from app.projects import founding, rebuild, store
from app.projects.models import ClockRow, FactRow, Project, StandingRow
from tests.ledgers.conftest import Register, row, write
from tests.ledgers.test_export import random_rows


def everything(register: Register) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of the register by table, without numbers, macs and the microseconds of the recording moment."""
    with register.house.database.snapshot() as connection:
        refs = {number: ref for number, ref in connection.execute(sa.select(Project.id, Project.ref))}
        found = {}
        for model in (Project, FactRow, StandingRow, ClockRow):
            rows = []
            for one in connection.execute(sa.select(model.__table__)).mappings():
                row = {name: value for name, value in one.items() if name not in ("id", "mac", "head_mac", "project_id")}
                row |= {"of": refs[one["project_id"]]} if "project_id" in one else {}
                rows.append(tuple(re.sub(r"(\d\d:\d\d:\d\d)\.\d+", r"\1", str(value)) for value in row.values()))
            found[model.__tablename__] = sorted(rows)
    return found


def test_rows_that_wait_on_disk_give_the_same_register(register: Register, other: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = random_rows(21, projects=120)
    random.Random(3).shuffle(rows)
    register.take(rows)
    monkeypatch.setattr(shelves, "HELD", 37)
    monkeypatch.setattr(events_shelves, "SHELF_BYTES", 900)
    monkeypatch.setattr(events, "CHUNK", 11)
    told: list[tuple[int, int]] = []
    summary = other.take(rows, progress=lambda *pair: told.append(pair))
    assert told[-1][0] == told[-1][1] == summary.events_added + summary.events_unchanged + len(summary.rejected) > 400
    assert everything(other) == everything(register)
    assert rebuild.verify_chains(other.house.database, other.house.audit_key) == []
    assert list((other.folder / "var").glob("*-*")) == []


def test_what_an_import_founds_is_what_recording_makes(register: Register, other: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = random_rows(22, projects=150)
    register.take(rows)

    class Recorder:
        def __init__(self, connection: Any, act: Any, helping: Any) -> None:
            self.connection, self.act = connection, act

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *_: object) -> None: ...

        def add(self, projects: Any) -> None:
            changes = []
            for ref, new in projects:
                head, act = store.Head(0, ref), self.act
                told = {"actor": act.actor, "source": act.source, "moment": act.moment, "recorded_on": act.recorded_on, "key": act.key}
                changes.append((head, store.prepare(head, new, **told)))
            store.write(self.connection, changes)

        def finish(self) -> None: ...

    monkeypatch.setattr(events, "Foundation", Recorder)
    other.take(rows)
    assert everything(other) == everything(register)
    assert rebuild.check(register.house.database) == []
    assert rebuild.verify_chains(register.house.database, register.house.audit_key) == []


def test_an_import_run_again_folds_nothing(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = random_rows(23, projects=60)
    register.take(rows)

    def folded(*_: Any) -> Any:
        raise AssertionError("nothing is new")

    monkeypatch.setattr(store, "fold", folded)
    monkeypatch.setattr(founding, "fold", folded)
    summary = register.take(rows)
    assert (summary.projects_created, summary.projects_changed, summary.events_added) == (0, 0, 0)
    assert summary.projects_unchanged == register.counts()["project"]


def test_more_faults_than_are_kept_are_counted_and_all_go_to_the_file(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events_faults, "KEPT", 10)
    rows = [row(f"P-{number}", "signed", "2025-01-01", office="没有的镇") for number in range(40)]
    rows += [row(f"G-{number}", "signed", "2025-13-01") for number in range(5)]
    errors = register.folder / "errors.csv"
    summary = register.take(rows, errors_path=errors)
    assert len(summary.rejected) == 10 and summary.shown()["events"]["rejected"] == 45
    assert "拒绝 45" in summary.text()
    lines = errors.read_text("utf-8-sig").splitlines()
    assert len(lines) == 46 and len({line.split(",")[8] for line in lines[1:]}) == 45


def test_the_command_says_how_far_it_is(register: Register) -> None:
    file = write(register.folder / "in.csv", [row(f"P-{number}", "signed", "2025-01-01") for number in range(1200)])
    given = {
        "DATABASE_URL": register.house.database.url.render_as_string(hide_password=False), "VAR_DIR": str(register.folder / "var"),
        "SECRET_KEY": "s" * 32, "AUDIT_KEY": "a" * 32, "DEV": "true", "CLOCK": "2026-06-10T10:00:00+08:00",
    }  # fmt: skip
    environment = os.environ | {f"LUODI_{name}": value for name, value in given.items()}
    command = [sys.executable, "-c", "from app.cli import main; main()", "import", str(file)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert re.search(r"写入 writing 1,200 行 rows（100%），[\d,]+ 行/秒", done.stderr)
    assert "新增 1200" in done.stdout
