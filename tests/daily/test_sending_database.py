"""The database goes away while messages are on their way: nothing is taken twice, nothing vanishes, what was answered is kept."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from app import sessions
from app.alerts import marker, patience
from app.alerts.models import Delivery
from app.alerts.sender import Sender
from app.db import Database
from app.errors import CommitUnknown
from tests.daily.county import MONDAY, County, in_a_hurry
from tests.daily.test_smtp_faults import EVERYBODY, post
from tests.invariants import check_invariants
from tests.robots import peers
from tests.robots.peers import vendor
from tests.robots.test_sending import RED, Groups, many, parts_of

DAY = MONDAY + timedelta(days=31)


def cut_off(url: str) -> None:
    """The server ends every connection to a database, and is seen to have done so."""
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with psycopg.connect(url, autocommit=True) as outside:
        while outside.execute(f"SELECT count(*) {others}").fetchone() != (0,):
            outside.execute(f"SELECT pg_terminate_backend(pid) {others}")


def nth(turn: int, do: Callable[[], None], answer: str) -> Callable[[str], str]:
    """Something happens the n-th time before the answer is given."""
    turns = iter(range(1, 1_000))

    def say(_: str) -> str:
        if next(turns) == turn:
            do()
        return answer

    return say


def test_connections_cut_just_before_the_marker(postgresql_url: str, tmp_path: Path) -> None:
    """The text is there, the marker cannot be written: the dot is not sent, and the message goes with its next attempt."""
    with post(postgresql_url, tmp_path, {"DATA": nth(1, lambda: cut_off(postgresql_url), "354 go on")}) as told:
        assert sorted(told.first().values()) == ["pending", "sent", "sent"]
        assert len(told.peer.letters) == 2 and "数据库暂不可用" in next(reason for state, _, reason in told.events() if state == "pending")
        assert told.again(1) == dict.fromkeys(EVERYBODY, "sent")
        assert len(told.peer.letters) == 3 and told.relay().failures == 0, "it was no fault of the relay"


def test_connections_cut_just_after_the_marker(postgresql_url: str, tmp_path: Path) -> None:
    """The dot is sent and answered while nobody can write that down: it is written as soon as somebody can."""
    with post(postgresql_url, tmp_path, {"dot": nth(1, lambda: cut_off(postgresql_url), "250 taken")}) as told:
        assert told.first() == dict.fromkeys(EVERYBODY, "sent")
        assert len(told.peer.letters) == 3


def test_connections_cut_before_a_later_marker(postgresql_url: str, tmp_path: Path) -> None:
    """The answer to the message before is written with that marker, so it is tried again."""
    with post(postgresql_url, tmp_path, {"DATA": nth(2, lambda: cut_off(postgresql_url), "354 go on")}) as told:
        assert told.first() == dict.fromkeys(EVERYBODY, "sent") and len(told.peer.letters) == 3


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize(("which", "waits"), [({1}, 1), ({2}, 0), ({2, 3, 4, 5}, 1), ({3, 4}, 0), ({3, 4, 5, 6}, 1)])
def test_nobody_knows_whether_the_marker_was_committed(
    postgresql_url: str, tmp_path: Path, done: bool, which: set[int], waits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection breaks in the middle of the statement, before or after the server had done it: nothing was handed over, and
    what the message before came to (it is written by the same statement) is known all the same."""
    whole, turn = Database.at_once, [0]

    @contextmanager
    def broken(self: Database) -> Iterator[Any]:
        turn[0] += 1
        if done or turn[0] not in which:
            with whole(self) as connection:
                yield connection
        if turn[0] in which:
            raise CommitUnknown("the connection broke")

    monkeypatch.setattr(Database, "at_once", broken)
    monkeypatch.setattr(patience, "PATIENCE", (0.01,) * 9)
    with post(postgresql_url, tmp_path) as told:
        assert sorted(told.first().values()) == ["pending"] * waits + ["sent"] * (3 - waits) and turn[0] >= 3
        assert [state for state, _, _ in told.events() if state == "sent"] == ["sent"] * (3 - waits), "written once each"
        assert told.again(1) == dict.fromkeys(EVERYBODY, "sent") and len(told.peer.letters) == 3


def test_sqlite_is_locked_by_somebody_else_while_the_answer_comes(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None, check_same_thread=False)
    monkeypatch.setattr(sessions, "PATIENCE", 0.02)
    monkeypatch.setattr(sessions, "BUSY_TIMEOUT", 20)
    monkeypatch.setattr(patience, "time", SimpleNamespace(sleep=lambda _: other.rollback()))
    with post(sqlite_url, tmp_path, {"dot": nth(1, lambda: other.execute("BEGIN IMMEDIATE") and None, "250 taken")}) as told:
        assert told.first() == dict.fromkeys(EVERYBODY, "sent") and len(told.peer.letters) == 3
        assert not other.in_transaction, "it had to wait for the other"
    other.close()


def test_no_free_connection_does_not_cost_an_answer(county: County, monkeypatch: pytest.MonkeyPatch) -> None:
    waits = list[float]()
    monkeypatch.setattr(patience, "time", SimpleNamespace(sleep=waits.append))
    busy = [sa.exc.TimeoutError("QueuePool limit"), CommitUnknown("?")]

    def work() -> str:
        if busy:
            raise busy.pop(0)
        return "done"

    assert patience.insist(work, delivery=1) == "done" and waits == list(patience.PATIENCE[:2])
    busy += [CommitUnknown("?")] * 20
    with pytest.raises(CommitUnknown):
        patience.insist(work, delivery=1)
    assert county.states() == {}


# robots: what was taken is known to be taken ----------------------------------------------------------------


@contextmanager
def group(url: str, folder: Path, *script: peers.Act) -> Iterator[tuple[Groups, peers.Peer]]:
    groups = Groups(url, folder)
    with vendor("wecom", *script) as peer:
        many(groups)
        groups.group(peer)
        yield groups, peer
    with groups.county.database.statement() as connection:
        check_invariants(connection)
    groups.county.close()


@pytest.mark.parametrize("part", [0, 1, 2])
def test_connections_cut_while_a_robot_answers(postgresql_url: str, tmp_path: Path, part: int) -> None:
    def cut(peer: peers.Peer, sock: Any, request: peers.Request) -> None:
        cut_off(postgresql_url)
        peers.works(peer, sock, request)

    with group(postgresql_url, tmp_path, *[peers.works] * part, cut) as (groups, peer):
        groups.county.daily(RED)
        groups.send(5)
        assert parts_of(peer) == ["1/3", "2/3", "3/3"] and groups.fate()[:1] == ("sent",)


def test_what_cannot_be_written_down_is_uncertain_and_never_sent_again(
    postgresql_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database stays away for longer than anybody waits, after a part was taken."""
    monkeypatch.setattr(patience, "PATIENCE", ())

    def cut(peer: peers.Peer, sock: Any, request: peers.Request) -> None:
        cut_off(postgresql_url)
        peers.works(peer, sock, request)

    with group(postgresql_url, tmp_path, cut) as (groups, peer):
        groups.county.daily(RED)
        assert groups.fate().state == "uncertain" and "第 1 部分已送达" in groups.fate().reason
        for _ in range(3):
            groups.send(30)
        assert parts_of(peer) == ["1/3"]


def two_workers(county: County) -> None:
    """A round of two other processes' senders at once."""
    both = [in_a_hurry(Database(county.settings.database_url)) for _ in range(2)]
    threads = [threading.Thread(target=Sender(one, county.clock, county.settings, bound=False).run) for one in both]
    for thread in threads:
        thread.start()
    for thread, one in zip(threads, both, strict=True):
        thread.join(60)
        one.dispose()


def test_ten_a_minute_over_two_workers_and_a_restart(database_url: str, tmp_path: Path) -> None:
    groups = Groups(database_url, tmp_path)
    county = groups.county
    with vendor("webhook") as peer:
        robot = groups.group(peer)
        now, body = county.clock.now(), b'["{\\"data\\":{\\"title\\":\\"t\\",\\"text\\":\\"x\\"}}"]'
        with county.database.write() as connection:
            rows = [
                {
                    "run_date": DAY - timedelta(days=number), "robot_id": robot, "channel": "webhook", "recipient": str(robot),
                    "message_id": f"<digest.{number}@x>", "subject": "s", "body": body, "state": "pending", "attempt": 0,
                    "next_try_at": now, "created_at": now, "updated_at": now,
                }
                for number in range(25)
            ]  # fmt: skip
            connection.execute(sa.insert(Delivery), rows)
        two_workers(county)
        assert len(peer.requests) == len(peer.taken) == 10
        county.clock.instant += timedelta(minutes=2)  # turns are counted by the real clock, whatever day is being tried out
        two_workers(county)
        assert len(peer.requests) == 10, "processes that are started anew know of the turns that were taken"
        with county.database.write() as connection:
            connection.exec_driver_sql("UPDATE robot SET recent = '[]'")  # as a minute does
        county.clock.instant += timedelta(minutes=2)
        two_workers(county)
        assert len(peer.requests) == len(set(peer.ids)) == 20
    with county.database.statement() as connection:
        check_invariants(connection)
    county.close()


def test_an_error_of_the_driver_is_known_as_a_database_that_is_away(sqlite_url: str, tmp_path: Path) -> None:
    """The marker goes to SQLite's driver as it is; whoever waits for a database to come back waits for this one too."""
    county = County(sqlite_url, tmp_path)
    told = {"number": 1, "turn": 1, "whose": "x", "at": county.clock.now(), "until": county.clock.now()}
    with pytest.raises(patience.AWAY), county.database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE delivery RENAME TO gone")
        marker.mark(connection, told)
    county.close()
