"""The file of an import waits in pieces: they make the file again, leave with its end, and migrate from and to one value."""

from __future__ import annotations

import io
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command

from app.db import alembic_config
from app.ledgers import running, service
from app.ledgers.events_offices import authority_of
from app.ledgers.models import PLANNED, LedgerImportPiece
from app.ledgers.queries import import_of
from tests.ledgers.conftest import Register
from tests.ledgers.test_import_ledger import book, cells, load, outcomes

PIECE = 700


def sent(register: Register, data: bytes, monkeypatch: pytest.MonkeyPatch, *, apply: bool = True) -> int:
    monkeypatch.setattr(service, "PIECE", PIECE)
    with register.house.database.write() as connection:
        authority = authority_of(connection, register.office("C"), False)
        now = register.house.clock.now()
        return service.send(
            connection, file=io.BytesIO(data), name="台账.xlsx", authority=authority, now=now, apply=apply, create_offices=False
        )


def waiting(register: Register) -> list[int]:
    with register.house.database.snapshot() as connection:
        return [len(one) for one in connection.scalars(sa.select(LedgerImportPiece.content).order_by(LedgerImportPiece.number))]


def ended(register: Register, number: int) -> tuple[str, dict[str, int]]:
    with register.house.database.snapshot() as connection:
        told = import_of(connection, number)
    return told.state, told.counts


def test_pieces_make_the_file_again_and_leave_with_its_end(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    data = book(register.folder, *(cells(number) for number in range(1, 31))).read_bytes()
    number = sent(register, data, monkeypatch)
    sizes = waiting(register)
    assert len(sizes) > 5 and sum(sizes) == len(data) and set(sizes[:-1]) == {PIECE}
    assert running.run_waiting(register.house) == 1
    assert ended(register, number)[0] == "complete" and register.counts()["project"] == 30
    assert waiting(register) == []


def test_a_trial_keeps_its_file_until_it_is_forgotten(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    data = book(register.folder, cells(1)).read_bytes()
    number = sent(register, data, monkeypatch, apply=False)
    kept = sent(register, data, monkeypatch, apply=False)
    assert running.run_waiting(register.house) == 2 and ended(register, number)[0] == PLANNED
    assert sum(waiting(register)) == 2 * len(data)
    monkeypatch.setattr(running, "TRIAL_KEPT", timedelta(seconds=-1))
    assert running.forget_trials(register.house) == 2 and ended(register, kept)[0] == "failed"
    assert waiting(register) == []


@pytest.mark.parametrize("what", ["up", "down and up"])
def test_a_file_that_waits_while_the_schema_changes(register: Register, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    data = book(register.folder, *(cells(number) for number in range(1, 31))).read_bytes()
    number = sent(register, data, monkeypatch)
    database = register.house.database
    config: Any = alembic_config(database.url.render_as_string(hide_password=False))
    command.downgrade(config, "0014")
    with database.snapshot() as connection:
        assert connection.scalar(sa.text("SELECT length(content) FROM ledger_import")) == len(data)
    command.upgrade(config, "0015")
    assert waiting(register) == [len(data)]
    if what != "up":
        command.downgrade(config, "0014")
        command.upgrade(config, "head")
    assert running.run_waiting(register.house) == 1
    assert ended(register, number)[0] == "complete" and register.counts()["project"] == 30


def test_a_file_may_come_through_a_pipe(register: Register) -> None:
    data = book(register.folder, *(cells(number) for number in range(1, 4))).read_bytes()
    for dry_run in (True, False):
        ours, theirs = os.pipe()
        os.write(theirs, data)
        os.close(theirs)
        told = load(register, Path(f"/dev/fd/{ours}"), dry_run=dry_run)
        os.close(ours)
        assert outcomes(told) == {"create": 3} and told.size == len(data)
