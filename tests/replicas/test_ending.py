"""SIGTERM in the middle of something: it is finished or given back, and the process ends by itself."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from sqlalchemy.engine import Connection

from app.alerts.models import Delivery
from app.clock import FixedClock
from app.db import Database
from app.http import Cursors
from app.offices.desk import House
from app.settings import Settings
from app.stalls import evaluation
from app.stalls.models import DailyRun
from app.worker import run_forever
from tests.cast import found_county, make_settings
from tests.conftest import MakeDatabase
from tests.daily.county import ZONE, County, in_a_hurry
from tests.daily.hostile import hostile
from tests.daily.sending import fill
from tests.daily.test_kill import RED, a_county, check, ended, finish
from tests.replicas.waiting import until

PROCESSES = multiprocessing.get_context("forkserver")


def work(url: str, folder: Path, smtp_url: str, instant: datetime, pause_at: int, reached: Any, go_on: Any) -> None:
    """`luodi worker`, one project per chunk, that waits inside its n-th writing transaction until it may go on."""
    evaluation.CHUNK = 1
    evaluation.Evaluation.__init__.__kwdefaults__["chunk"] = 1
    settings = Settings(database_url=url, var_dir=folder, smtp_url=smtp_url)
    left, whole = pause_at, Database.write

    @contextmanager
    def write(self: Database) -> Iterator[Connection]:
        nonlocal left
        with whole(self) as connection:
            left -= 1
            if left == 0:
                reached.set()
                go_on.wait(60)
            yield connection

    Database.write = write  # type: ignore[method-assign]
    run_forever(House(settings, in_a_hurry(Database(url)), FixedClock(ZONE, instant), b"", Cursors(b"")))


@contextmanager
def worker(county: County, pause_at: int = 0) -> Iterator[tuple[Any, Any, Any]]:
    reached, go_on = PROCESSES.Event(), PROCESSES.Event()
    settings = county.settings
    told = (settings.database_url, settings.var_dir, settings.smtp_url, county.clock.now(), pause_at, reached, go_on)
    process = PROCESSES.Process(target=work, args=told)
    process.start()
    try:
        yield process, reached, go_on
    finally:
        process.kill()
        process.join(30)


def ends_well(process: Any) -> None:
    process.join(60)
    assert process.exitcode == 0, process.exitcode


def by_whomever(end: Any) -> Any:
    """What a day came to; the worker may have been done with it before it ended."""
    *rest, counts = end
    return rest, {name: value for name, value in counts.items() if name != "by"}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("pause_at", [1, 3, 5, 7, 9])
def test_a_day_that_was_begun_is_given_back(database_kind: str, make_database: MakeDatabase, tmp_path: Path, pause_at: int) -> None:
    whole = a_county(make_database(database_kind), tmp_path / "whole")
    finish(whole)
    expected = by_whomever(ended(whole))
    check(whole)
    county = a_county(make_database(database_kind), tmp_path / "ended")
    with worker(county, pause_at) as (process, reached, go_on):
        assert reached.wait(60)
        os.kill(process.pid, signal.SIGTERM)
        go_on.set()
        ends_well(process)
    ((state, lease),) = county.rows(DailyRun, "state", "lease_until")[-1:]
    assert state == "done" or lease is None, "the day was not given back"
    assert all(one != "sending" for (one,) in county.rows(Delivery, "state")), "a message was not given back"
    finish(county)
    assert by_whomever(ended(county)) == expected
    check(county)


def test_a_message_under_way_is_finished(database_kind: str, make_database: MakeDatabase, tmp_path: Path) -> None:
    """The text has been handed over and the answer is outstanding: it is waited for, and nothing else is begun."""
    may_answer = threading.Event()

    def at_dot(_: str) -> str:
        may_answer.wait(60)
        return "250 taken"

    with hostile({"dot": at_dot}) as (peer, port):
        county = County(make_database(database_kind), tmp_path, smtp_url=f"smtp://127.0.0.1:{port}", day=RED)
        county.now_is(RED, 7)  # before the day's own run is due
        fill(county, 5)
        with worker(county) as (process, _, _):
            until(lambda: "DATA" in peer.heard and ("sending",) in county.rows(Delivery, "state"), "nothing is sent")
            os.kill(process.pid, signal.SIGTERM)
            process.join(0.5)
            assert process.exitcode is None, "it did not wait for the answer"
            back = [("pending", 0, None)] * 4
            until(lambda: county.rows(Delivery, "state", "attempt", "owner")[:4] == back, "what was not begun is not given back at once")
            may_answer.set()
            ends_well(process)
        assert county.rows(Delivery, "state", "lease_until") == [("pending", None)] * 4 + [("sent", None)]
        finish(county)
        assert len(peer.accepted) == len(set(peer.accepted))
        assert {state for (state,) in county.rows(Delivery, "state")} == {"sent"}
        county.close()


def test_a_report_under_way_is_answered(postgresql_url: str, tmp_path: Path) -> None:
    """`serve` was told to end while a report waits for a lock: it is recorded and acknowledged first."""
    settings = make_settings(postgresql_url, tmp_path)
    database = Database(postgresql_url)
    tokens = found_county(House(settings, database, FixedClock(ZONE, datetime.now(ZONE) - timedelta(minutes=1)), b"", Cursors(b"")))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LUODI_")}
    given = {"LUODI_DATABASE_URL": postgresql_url, "LUODI_VAR_DIR": str(tmp_path), "LUODI_DEV": "true", "LUODI_WORKER": "false"}
    program = [str(Path(sys.executable).parent / "luodi"), "serve", "--port", str(port)]
    process = subprocess.Popen(program, env=kept | given, cwd=tmp_path, stderr=subprocess.DEVNULL)
    client = httpx.Client(
        base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {tokens['clerk']}"}, timeout=60, trust_env=False
    )

    def alive() -> bool:
        try:
            return client.get("/livez").status_code == 200
        except httpx.TransportError:
            return False

    try:
        until(alive, "serve does not start", 60)
        ref = client.post("/api/v1/projects", json={"name": "一号", "office": "T01", "route": "leased"}).json()["ref"]
        answers: list[httpx.Response] = []
        with psycopg.connect(postgresql_url) as outside:
            outside.execute("SELECT 1 FROM project WHERE ref = %s FOR UPDATE", [ref])
            path = f"/api/v1/projects/{ref}/follow-ups"
            reporting = threading.Thread(target=lambda: answers.append(client.post(path, json={"channel": "call"})))
            reporting.start()
            waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            with psycopg.connect(postgresql_url, autocommit=True) as watching:
                until(lambda: watching.execute(waits).fetchone() == (1,), "the report does not wait")
            process.send_signal(signal.SIGTERM)
            until(lambda: not listens(port), "it goes on taking requests")
            assert process.poll() is None
        reporting.join(60)
        assert [one.status_code for one in answers] == [201]
        assert process.wait(60) in (0, -signal.SIGTERM)
    finally:
        process.kill()
        process.wait(30)
        client.close()
        database.dispose()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
