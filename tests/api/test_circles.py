"""Two that wait for each other: one key used at the same moment on a project and on its fact ends in answers, never in a 503.

Whole transactions are done again when the database ended them for no fault of their own, and only then."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psycopg
import pytest
import sqlalchemy as sa

from app import db
from app.db import Database
from app.errors import CommitUnknown
from tests.cast import County, make_settings, running


def at_once(county: County, calls: list[tuple[str, str, dict[str, Any]]], **headers: str) -> list[httpx.Response]:
    """All calls at the same moment, each on a connection of its own."""
    start = threading.Barrier(len(calls))

    def one(call: tuple[str, str, dict[str, Any]]) -> httpx.Response:
        who, path, body = call
        token = {"Authorization": f"Bearer {county.tokens[who]}"}
        with httpx.Client(trust_env=False, timeout=60) as client:
            start.wait()
            return client.post(county.address + "/api/v1" + path, json=body, headers=token | headers)

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(one, calls))


def test_one_key_on_a_project_and_on_its_fact_at_once(county: County, caplog: pytest.LogCaptureFixture) -> None:
    for turn in range(12):
        ref = county.register("officer")
        fact = county.sign(ref, who="clerk")["fact"]["id"]
        review, call = ("officer", f"/facts/{fact}/recognise", {}), ("officer", f"/projects/{ref}/follow-ups", {"channel": "call"})
        answers = at_once(county, [review, call] * 3, **{"Idempotency-Key": f"same-{turn}"})
        assert set(Counter(answer.status_code for answer in answers)) == {201, 422}, [answer.text for answer in answers]
        assert {answer.json()["code"] for answer in answers if answer.status_code == 422} == {"idempotency_mismatch"}
        assert county.get("officer", f"/projects/{ref}")["version"] == 3  # one of the two happened, once
    assert "once more" not in caplog.text, "nobody waited in a circle"


def test_a_deadlock_costs_time_and_nothing_else(postgresql_url: str) -> None:
    """Two transactions that lock two rows crosswise: the database ends one, and it is done again from the start."""
    database = Database(postgresql_url, 4)
    with database.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE tally (name text PRIMARY KEY, number int NOT NULL)")
        connection.exec_driver_sql("INSERT INTO tally VALUES ('a', 0), ('b', 0)")
    both, tries = threading.Barrier(2), Counter[str]()

    def add(first: str, second: str) -> None:
        def work() -> None:
            tries[first] += 1
            with database.write() as connection:
                connection.exec_driver_sql(f"UPDATE tally SET number = number + 1 WHERE name = '{first}'")
                if tries[first] == 1:
                    both.wait(20)
                connection.exec_driver_sql(f"UPDATE tally SET number = number + 1 WHERE name = '{second}'")

        database.patiently(work)

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(add, "a", "b"), pool.submit(add, "b", "a")]:
            done.result(60)
    with database.snapshot() as connection:
        assert connection.exec_driver_sql("SELECT number FROM tally ORDER BY name").scalars().all() == [2, 2]
    assert sum(tries.values()) == 3
    database.dispose()


def test_a_connection_that_broke_is_replaced(postgresql_url: str, tmp_path: Any) -> None:
    """The server was started again: nobody outside learns of it."""
    with running(make_settings(postgresql_url, tmp_path)) as county:
        ref = county.register()

        def all_broken() -> None:
            at_once(county, [("clerk", f"/projects/{ref}/follow-ups", {"channel": "call"})] * 8)  # several connections in the pool
            with psycopg.connect(postgresql_url, autocommit=True) as outside:
                everybody = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
                outside.execute(f"SELECT pg_terminate_backend(pid) {everybody}")
                while outside.execute(f"SELECT count(*) {everybody}").fetchone() != (0,):
                    pass

        all_broken()
        assert county.get("clerk", f"/projects/{ref}")["version"] == 9
        all_broken()
        assert county.get("clerk", "/projects")["items"][0]["version"] == 17
        all_broken()
        county.post("clerk", f"/projects/{ref}/follow-ups", {"channel": "call"})
        all_broken()
        county.post("clerk", "/projects", {"name": "x", "office": "T01"}, **{"Idempotency-Key": "k"})


def failing(code: str | None, invalidated: bool = False) -> sa.exc.DBAPIError:
    class Broken(Exception):
        sqlstate = code

    return sa.exc.OperationalError("COMMIT", {}, Broken("x"), connection_invalidated=invalidated)


@pytest.mark.parametrize(
    ("error", "tries"),
    [
        (failing("40P01"), db.ATTEMPTS),
        (failing("40001"), db.ATTEMPTS),
        (failing(None, invalidated=True), db.ATTEMPTS),
        (failing("57014"), 1),  # the statement took too long: it would again
        (failing("55P03"), 1),
        (failing("23505"), 1),
        (CommitUnknown(), 1),
        (ValueError(), 1),
    ],
)
def test_only_what_may_be_done_again_is(sqlite_url: str, error: Exception, tries: int) -> None:
    database, count = Database(sqlite_url), 0

    def work() -> None:
        nonlocal count
        count += 1
        raise error

    with pytest.raises(type(error)):
        database.patiently(work)
    assert count == tries
    database.dispose()


def test_a_commit_without_a_reply_is_told_and_not_repeated(postgresql_url: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reply is lost, the fact is there: the same key finds out."""
    with running(make_settings(postgresql_url, tmp_path)) as county:
        ref = county.register()
        commit = sa.RootTransaction.commit

        def lost(transaction: sa.RootTransaction) -> None:
            commit(transaction)
            monkeypatch.undo()
            raise failing(None, invalidated=True)

        monkeypatch.setattr(sa.RootTransaction, "commit", lost)
        key = {"Idempotency-Key": "again"}
        refusal = county.post("clerk", f"/projects/{ref}/follow-ups", {"channel": "call"}, 503, **key)
        assert refusal["code"] == "commit_unknown" and "Idempotency-Key" in refusal["hint"]
        answer = county.as_("clerk").post(f"/projects/{ref}/follow-ups", json={"channel": "call"}, headers=key)
        assert (answer.status_code, answer.headers["idempotent-replayed"]) == (201, "true")
        assert county.get("clerk", f"/projects/{ref}")["version"] == 2
