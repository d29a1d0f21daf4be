"""Large imports are founded by helpers: what they make is what is made here, and whatever becomes of them the import is whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app.ledgers import running, taking
from app.projects import founders, helpers
from tests.ledgers.conftest import Register
from tests.ledgers.test_export import random_rows
from tests.ledgers.test_import_ledger import book, cells, load, outcomes, whole
from tests.ledgers.test_large import everything

ODD = ("\\N", "甲\\n乙", "C:\\新厂\\t1", "两\n行", "末\\", "引\"号'", "😀项目", "=1+1")


def rows(count: int) -> list[list[Any]]:
    """New projects of many names, some without a number of their own."""
    made = []
    for n in range(1, count + 1):
        own = {"项目编号": ""} if n % 3 else {}
        made.append(cells(n, 项目名称=f"{ODD[n % len(ODD)]}{n}号", 镇区=f"示例{1 + n % 2}镇", 备注=f"{ODD[n % 3]}备注", **own))
    return made


class Watched(helpers.Helpers):
    """Helpers that are remembered."""

    every: list[Watched]

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.every.append(self)
        self.asked = 0

    def ask(self, *given: Any) -> Any:
        self.asked += 1
        return super().ask(*given)

    def pids(self) -> list[int]:
        return [one.pid for one in self._all]


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> list[Watched]:
    """Few rows are many here."""
    monkeypatch.setattr(helpers, "FROM", 1)
    monkeypatch.setattr(helpers, "Helpers", Watched)
    monkeypatch.setattr(founders, "TOGETHER", 7)
    monkeypatch.setattr(taking, "TOGETHER", 10)
    monkeypatch.setattr(running, "CHUNK", 40)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    Watched.every = []
    return Watched.every


def gone(pid: int) -> bool:
    """Has a process ended?"""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_what_helpers_make_is_what_is_made_here(
    register: Register, other: Register, watched: list[Watched], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = book(register.folder, *rows(100))
    assert outcomes(load(register, file))["create"] == 100
    [used] = watched
    assert used.asked >= 3 * 10 / 2, "portions of seven of a hundred"
    assert all(gone(pid) for pid in used.pids())
    whole(register)
    monkeypatch.setattr(helpers, "FROM", 1_000)
    load(other, file)
    assert len(watched) == 1 and everything(other) == everything(register)
    names = [one[2] for one in everything(register)["project"]]
    assert {"\\N8号", "两 行3号", "末\\12号"} <= set(names)


def test_events_are_founded_by_helpers_too(
    register: Register, other: Register, watched: list[Watched], monkeypatch: pytest.MonkeyPatch
) -> None:
    some = random_rows(31, projects=60)
    register.take(some)
    assert sum(one.asked for one in watched) >= 60 / 7
    monkeypatch.setattr(helpers, "FROM", 10_000)
    other.take(some)
    assert everything(other) == everything(register)
    whole(register)


ENDS = ("do not start", "are killed at once", "are killed half-way", "stand still", "are of another version")


@pytest.mark.parametrize("end", ENDS)
def test_an_import_is_whole_whatever_becomes_of_its_helpers(
    register: Register, watched: list[Watched], monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    def started() -> Any:
        if end == "do not start":
            raise OSError("no memory")
        return start()

    class Ending(Watched):
        def __init__(self, count: int) -> None:
            super().__init__(count)
            if end in ("are killed at once", "stand still"):
                for pid in self.pids():
                    os.kill(pid, signal.SIGKILL if end == "are killed at once" else signal.SIGSTOP)

        def ask(self, *given: Any) -> Any:
            if end == "are killed half-way" and self.asked == 5:
                for pid in self.pids():
                    os.kill(pid, signal.SIGKILL)
            return super().ask(*given)

    start, packed, here = helpers._started, helpers.packed, list[int]()
    monkeypatch.setattr(helpers, "_started", started)
    monkeypatch.setattr(helpers, "Helpers", Ending)
    if end == "are of another version":
        monkeypatch.setattr(helpers, "CODE", b"the program was replaced meanwhile")
        monkeypatch.setattr(helpers, "packed", lambda *given: here.append(1) or packed(*given))
    if end == "stand still":
        monkeypatch.setattr(helpers, "PATIENCE", 0.5)
    told = load(register, book(register.folder, *rows(90)))
    assert (told.state, outcomes(told)["create"]) == ("complete", 90)
    assert all(gone(pid) for one in watched for pid in one.pids()) and len(watched) == 1
    assert end != "are of another version" or len(here) == watched[0].asked, "every portion was founded here"
    whole(register)


def test_what_somebody_else_made_meanwhile_is_met_again(
    register: Register, watched: list[Watched], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread that writes is told that a project is there already: the whole chunk is taken once more."""
    write, turns = founders.write, []

    def met(*given: Any) -> None:
        turns.append(1)
        if len(turns) == 3:
            raise sa.exc.IntegrityError("INSERT", None, Exception("there already"))
        write(*given)

    monkeypatch.setattr(founders, "write", met)
    assert outcomes(load(register, book(register.folder, *rows(60))))["create"] == 60
    assert len(turns) > 3 and register.counts()["project"] == 60
    whole(register)


def test_a_plan_that_fails_writes_nothing_of_its_chunk(register: Register, watched: list[Watched], monkeypatch: pytest.MonkeyPatch) -> None:
    number, turns = taking._number, []

    def failing(*given: Any) -> None:
        turns.append(1)
        if len(turns) == 7:
            raise RuntimeError("a bug")
        number(*given)

    monkeypatch.setattr(taking, "_number", failing)
    told = load(register, book(register.folder, *rows(90)))
    assert (told.state, told.rows_done, register.counts()["project"]) == ("failed", 40, 40)
    whole(register)


def test_helpers_end_with_the_process_that_started_them() -> None:
    program = (
        "import os, time; from app.projects.helpers import Helpers; print(*[p.pid for p in Helpers(2)._all], flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pids = [int(pid) for pid in process.stdout.readline().split()]
        assert len(pids) == 2 and not any(gone(pid) for pid in pids)
        process.kill()
    until = time.monotonic() + 20
    while not all(gone(pid) for pid in pids):
        assert time.monotonic() < until
        time.sleep(0.05)
