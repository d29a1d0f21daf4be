"""`luodi import` of a ledger: what it prints, what it answers to a script, and how it knows a ledger from events."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from app.cli import app, registers
from app.errors import DomainError
from app.ledgers.understanding.reading import read_ledger
from tests.ledgers.conftest import Register, row, write
from tests.ledgers.test_import_ledger import HEAD, book, cells
from tests.ledgers.workbooks import Page, comma


@pytest.fixture
def luodi(register: Register, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """`luodi import …` on a register with two towns; answers the exit code and what was printed."""
    monkeypatch.setattr(registers, "open_house", lambda: register.house)

    def run(*args: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["import", *args])
        if isinstance(done.exception, DomainError):
            return 1, done.exception.hint  # as main() prints it
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.exit_code, done.stdout

    yield run


def test_a_ledger_is_tried_imported_and_mended(luodi: Any, register: Register) -> None:
    file, out = book(register.folder, cells(1), cells(2, **{"协议总投资（万元）": "2个茶场"})), register.folder / "错误.xlsx"
    code, said = luodi(str(file), "--dry-run")
    assert code == 1 and said.startswith("试算，未写入") and "新增 1" in said and "2个茶场" in said
    assert register.counts()["project"] == 0
    code, said = luodi(str(file), "--errors", str(out))
    assert code == 1 and "新增 1" in said and "拒绝 1" in said and "第 3 行" in said
    mended = read_ledger(out).rows[0]
    assert mended.name == "锂电材料2号" and mended.rejected is not None
    code, said = luodi(str(book(register.folder, cells(1), cells(2), name="改.xlsx")), "--json")
    told = orjson.loads(said)
    assert code == 0 and (told["counts"]["create"], told["counts"]["same"], told["state"]) == (1, 1, "complete")
    assert luodi(str(file), "--errors", "错误.csv")[0] == 1


def test_the_content_says_what_a_file_is(luodi: Any, register: Register) -> None:
    events = write(register.folder / "events.csv", [row("E-1", "signed", "2026-03-01")])
    assert luodi(str(events))[0] == 0
    ledger = register.folder / "台账.csv"
    ledger.write_bytes(comma(Page([HEAD, cells(1)]), "gb18030"))
    assert luodi(str(ledger))[0] == 0
    assert set(register.standings()) == {"E-1", "SL-001"}
    assert luodi(str(events), "--format", "ledger")[0] == 1
    assert luodi(str(ledger), "--format", "pdf")[0] == 2


def test_a_town_imports_with_its_own_authority(luodi: Any, register: Register) -> None:
    file = book(register.folder, cells(1), cells(2, 镇区="示例2镇"))
    code, said = luodi(str(file), "--office", "T01")
    assert code == 1 and "没有这个镇区" in said and set(register.standings()) == {"SL-001"}
    assert luodi(str(file), "--office", "D")[0] == 1, "a department has no projects"
    assert luodi(str(file), "--office", "T01", "--create-offices")[0] == 1


@pytest.mark.parametrize("content", [b"", b"x" * (10 * 1024 * 1024 + 1), b"PK\x03\x04 and no more"])
def test_what_cannot_be_read_is_refused_in_a_sentence(luodi: Any, register: Register, content: bytes) -> None:
    file: Path = register.folder / "坏.xlsx"
    file.write_bytes(content)
    code, said = luodi(str(file), "--format", "ledger")
    assert code == 1 and said.strip() and register.counts()["project"] == 0
