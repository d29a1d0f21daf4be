"""Letting go: what is old enough and nothing else, in pieces, and whatever stops it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from app import worker
from app.alerts.models import STATES, ChannelState, Delivery, DeliveryEvent
from app.cli import app
from app.cli import operations as commands
from app.db import Base
from app.offices import service as offices
from app.offices.models import Idempotency
from app.operations import retention
from app.operations.retention import ENDED, KEPT, prune
from app.settings import Settings
from app.worker import daily
from tests.cast import County
from tests.invariants import check_invariants

TOUCHED = {"idempotency", "delivery", "channel_state"}


def contents(county: County, *names: str) -> dict[str, list[Any]]:
    with county.database.statement() as connection:
        tables = [table for name, table in Base.metadata.tables.items() if not names or name in names]
        return {table.name: sorted(map(tuple, connection.execute(sa.select(table))), key=str) for table in tables}


def one_day(county: County) -> None:
    """A county that told somebody something, with a key that was remembered."""
    with county.database.write() as connection:
        for number in range(3):
            email = f"p{number}@example.org"
            offices.add_person(connection, office="T01", name=f"王{number}", email=email, role="clerk")
    county.post("clerk", "/projects", {"name": "乙", "office": "T01"}, **{"Idempotency-Key": "one-key"})
    county.sign(county.register())
    daily(county.house)
    with county.database.write() as connection:
        for relay, state in (("old:25", "ok"), ("ill:25", "paused")):
            row = {"channel": "mail", "relay": relay, "state": state, "failures": 0, "recent": "[]", "updated_at": county.clock.now()}
            connection.execute(sa.insert(ChannelState).values(**row))


def texts(county: County) -> list[bytes]:
    with county.database.statement() as connection:
        return list(connection.scalars(sa.select(Delivery.body)))


def go(county: County, **options: Any) -> dict[str, int]:
    return prune(county.database, county.house.settings, county.clock.now(), **options)


def test_only_what_is_old_enough_goes_and_evidence_stays(county: County) -> None:
    one_day(county)
    before = contents(county)
    relays = len([row for row in before["channel_state"] if "ok" in row])
    assert set(go(county).values()) == {0} and contents(county) == before
    county.clock.instant += timedelta(days=399)
    assert go(county) == {"idempotency_answers": 1, "message_texts": 0, "unused_relays": 0}
    county.clock.instant += timedelta(days=2)
    would = {"idempotency_answers": 0, "message_texts": 3, "unused_relays": relays}
    before = contents(county)
    assert go(county, dry_run=True) == would and contents(county) == before, "a dry run only counts"
    assert go(county) == would
    assert set(go(county).values()) == {0}, "once is enough"
    after = contents(county)
    assert {name for name in after if after[name] != before[name]} <= TOUCHED
    assert texts(county) == [b"", b"", b""] and [row[1] for row in after["channel_state"]] == ["ill:25"]
    with county.database.snapshot() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(DeliveryEvent))
        shown = connection.execute(sa.select(Delivery.subject, Delivery.state, Delivery.recipient)).all()
        assert all(row.subject and row.state == "sent" and row.recipient for row in shown)
        check_invariants(connection)


def test_a_message_that_may_still_leave_keeps_its_text(county: County) -> None:
    one_day(county)
    then, now = county.clock.now(), county.clock.now() + timedelta(days=500)
    for state in STATES:
        with county.database.write() as connection:
            connection.execute(sa.update(Delivery).values(state=state, body=b"text", lease_until=then))
        assert prune(county.database, county.house.settings, now)["message_texts"] == (3 if state in ENDED else 0), state


def test_it_goes_in_pieces_and_stops_between_two(county: County, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "PIECE", 10)
    monkeypatch.setattr(retention, "BREATH", 0.0)
    now = county.clock.now() - timedelta(days=8)
    rows = [{"key": str(number), "body_hash": "", "status": 200, "created_at": now} for number in range(25)]
    with county.database.write() as connection:
        connection.execute(sa.insert(Idempotency), rows)
    asked = iter((False, True))
    assert go(county, stopping=lambda: next(asked, True))["idempotency_answers"] == 10
    assert go(county)["idempotency_answers"] == 15


def test_a_failure_loses_no_more_than_its_own_piece(county: County, monkeypatch: pytest.MonkeyPatch) -> None:
    one_day(county)
    county.clock.instant += timedelta(days=500)
    real, turns = retention._rows, iter((True, False))

    def broken(*given: Any) -> int:
        done = real(*given)
        if not next(turns, False):
            raise RuntimeError("killed before the commit")
        return done

    with monkeypatch.context() as broke:
        broke.setattr(retention, "_rows", broken)
        with pytest.raises(RuntimeError):
            go(county)
    assert all(texts(county)), "rolled back as a whole"
    assert go(county)["message_texts"] == 3


def test_what_never_goes_is_in_no_row() -> None:
    now, settings = datetime(2026, 6, 10, tzinfo=UTC), Settings()
    assert {kind.let_go(kind.over(now, settings)).table.name for kind in KEPT} == TOUCHED  # type: ignore[attr-defined]


def test_the_worker_does_it_and_the_command_says_what_it_did(county: County, monkeypatch: pytest.MonkeyPatch) -> None:
    one_day(county)
    monkeypatch.setattr(commands, "open_house", lambda: county.house)
    county.clock.instant += timedelta(days=8)
    said = CliRunner().invoke(app, ["prune", "--dry-run", "--json"])
    assert said.exit_code == 0 and orjson.loads(said.stdout) == {
        "dry_run": True, "idempotency_answers": 1, "message_texts": 0, "unused_relays": 0,
    }  # fmt: skip
    worker.forget(worker.Worker(county.house))
    assert contents(county, "idempotency")["idempotency"] == []
    county.clock.instant += timedelta(days=500)
    said = CliRunner().invoke(app, ["prune"])
    assert said.exit_code == 0 and "message_texts: 3" in said.output
