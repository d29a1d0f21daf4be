"""Messages are claimed several at a time, and the end of one is written with the marker of the next: whatever happens in the middle
of that, each is in a known state, taken at most once, and nobody waits for what cannot be sent."""

from __future__ import annotations

import multiprocessing
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app.alerts import fates, holding, lanes
from app.alerts.channels import OPENERS
from app.alerts.channels.base import MAIL
from app.alerts.fates import Fates, Taken
from app.alerts.models import ChannelState, Delivery, DeliveryEvent
from app.alerts.sender import Sender
from app.alerts.together import Together
from app.db import Database, migrate
from tests.conftest import MakeDatabase
from tests.daily.county import County, in_a_hurry
from tests.daily.hostile import DROP, Answer, Peer, hostile
from tests.daily.sending import fill
from tests.daily.stepping import send_step_by_step
from tests.daily.test_breaker import hold, release
from tests.daily.test_sending_database import nth
from tests.daily.test_sending_restart import DAY, own_cluster
from tests.invariants import check_invariants
from tests.postgres import Cluster
from tests.replicas.waiting import until

__all__ = ["own_cluster"]
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.daily.stepping"])


class Outbox:
    """So many messages due, the server they go to, and senders."""

    def __init__(self, url: str, folder: Path, peer: Peer, port: int, messages: int) -> None:
        self.peer = peer
        self.county = County(url, folder, smtp_url=f"smtp://127.0.0.1:{port}", day=DAY)
        fill(self.county, messages)

    def send(self, minutes: float = 0, stopping: Any = lambda: False) -> Counter[str]:
        """One round of a worker, so much later."""
        self.county.clock.instant += timedelta(minutes=minutes)
        database = in_a_hurry(Database(self.county.settings.database_url))
        try:
            return Sender(database, self.county.clock, self.county.settings, stopping=stopping).run()
        finally:
            database.dispose()

    @contextmanager
    def sending(self, stopping: Any = lambda: False) -> Iterator[threading.Thread]:
        """A round in the background; it is over at the end of the block."""
        thread = threading.Thread(target=self.send, kwargs={"stopping": stopping})
        thread.start()
        try:
            yield thread
        finally:
            self.peer.over.set()
            thread.join(60)
        assert not thread.is_alive()

    def fates(self) -> list[tuple[str, int]]:
        """State and attempts of each message, in the order they were asked for."""
        return [(state, attempt) for _, state, attempt in sorted(self.county.rows(Delivery, "id", "state", "attempt"))]

    def states(self) -> Counter[str]:
        return Counter(state for state, _ in self.fates())

    def events(self) -> Counter[str]:
        return Counter(state for (state,) in self.county.rows(DeliveryEvent, "state"))


@contextmanager
def outbox(url: str, folder: Path, answers: dict[str, Answer] | None = None, *, messages: int = 5) -> Iterator[Outbox]:
    """The case ends with the invariants, with the server as witness of what was taken."""
    with hostile(answers) as (peer, port):
        made = Outbox(url, folder, peer, port, messages)
        yield made
        with made.county.database.statement() as connection:
            check_invariants(connection, accepted=peer.accepted)
        made.county.close()


def test_one_transaction_a_message(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is what it is for: the marker, and with it the end of the one before."""
    whole, single, number = Database.write, Database.at_once, Counter[str]()

    @contextmanager
    def write(self: Database) -> Iterator[Any]:
        number["write"] += 1
        with whole(self) as connection:
            yield connection

    @contextmanager
    def at_once(self: Database) -> Iterator[Any]:
        number["marker"] += 1
        number["write"] -= self.sqlite  # it comes to one
        with single(self) as connection:
            yield connection

    with outbox(database_url, tmp_path, messages=20) as box:
        monkeypatch.setattr(Database, "write", write)
        monkeypatch.setattr(Database, "at_once", at_once)
        assert box.send() == {"sent": 20}
        # asked whether the relay may be tried; claimed; the last end; when something was sent last
        assert number["marker"] == 20 and number["write"] == 4
        assert box.fates() == [("sent", 1)] * 20 and box.events() == {"sent": 20} and box.peer.connections == 1


def test_whoever_comes_while_another_commits_joins_the_next_transaction(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three lanes come while the first one waits for the writer: two transactions, not four; and those share one error."""
    database, whole, begun = Database(sqlite_url), Database.at_once, list[str]()
    busy, first = threading.Event(), threading.Event()

    @contextmanager
    def at_once(self: Database) -> Iterator[Any]:
        begun.append("")
        if len(begun) == 1:
            first.set()
            assert busy.wait(30)
        with whole(self) as connection:
            yield connection

    def work(name: str) -> Any:
        def do(connection: Any) -> str:
            connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS t (name text)")
            connection.exec_driver_sql("INSERT INTO t VALUES (?)", (name,))
            if name == "bad":
                raise LookupError(name)
            begun[-1] += name
            return name

        return do

    monkeypatch.setattr(Database, "at_once", at_once)
    together = Together(database)
    with ThreadPoolExecutor(4) as lanes_:
        alone = lanes_.submit(together.do, work("a"))
        assert first.wait(30)
        others = [lanes_.submit(together.do, work(name)) for name in "bcd"]
        until(lambda: len(together._asked) == 3, "nobody waits")
        busy.set()
        assert [alone.result(), *(one.result() for one in others)] == list("abcd") and sorted(map(len, begun)) == [1, 3]
        first.clear()
        busy.clear()
        begun.clear()
        alone = lanes_.submit(together.do, work("e"))
        assert first.wait(30)
        others = [lanes_.submit(together.do, work(name)) for name in ("f", "bad")]
        until(lambda: len(together._asked) == 2, "nobody waits")
        busy.set()
        assert alone.result() == "e" and [type(one.exception()) for one in others] == [LookupError] * 2
    with database.statement() as connection:
        assert sorted(name for (name,) in connection.exec_driver_sql("SELECT name FROM t")) == list("abcde"), "all of it or nothing"
    database.dispose()


# killed ---------------------------------------------------------------------------------------------------


@pytest.mark.timeout(400)
def test_killed_between_any_two_steps(database_kind: str, make_database: MakeDatabase, tmp_path: Path) -> None:
    """Three messages of one claim: whichever step the sender dies at, what had no marker goes, what had one and no end is in doubt
    (one message at most), and nothing is taken twice."""
    doubts = set()
    with outbox(make_database(database_kind), tmp_path, messages=3) as box:
        county, number = box.county, 0
        while True:
            number += 1
            with county.database.write() as connection:
                connection.execute(sa.delete(DeliveryEvent))
                connection.execute(sa.delete(ChannelState))
                fresh = {"state": "pending", "attempt": 0, "next_try_at": county.clock.now()}
                connection.execute(sa.update(Delivery).values(**fresh, marked_at=None, owner=None, lease_until=None, reason=None))
            box.peer.letters.clear()
            told = (county.settings.database_url, county.settings.var_dir, county.settings.smtp_url, county.clock.now(), number)
            process = PROCESSES.Process(target=send_step_by_step, args=told)
            process.start()
            process.join(60)
            assert process.exitcode in (0, -signal.SIGKILL)
            left = Counter((state, mark is not None) for state, mark in county.rows(Delivery, "state", "marked_at"))
            box.send()  # the dead are not waited for
            states, copies = box.states(), Counter(box.peer.accepted)
            assert max(copies.values()) == 1 and states["uncertain"] <= 1 and states["sent"] + states["uncertain"] == 3, (number, left)
            assert states["uncertain"] == left["sending", True], f"killed at step {number}: {left} came to {states}"
            for message_id, state in county.rows(Delivery, "message_id", "state"):
                assert state == "uncertain" or message_id in copies, "called sent, and never taken"
            assert box.events()["sent"] == states["sent"] and box.events()["uncertain"] == states["uncertain"]
            doubts.add((states["uncertain"], len(copies)))
            with county.database.statement() as connection:
                check_invariants(connection, accepted=box.peer.accepted)
            if process.exitcode == 0:
                break
    assert number > 40 and doubts == {(0, 3), (1, 2), (1, 3)}, "before the marker, between marker and dot, after the dot"


def test_who_lost_his_claim_neither_marks_nor_gives_back(county: County) -> None:
    """A worker stands still after its claim; when the lease is over another one takes all of it."""
    fill(county, 3)
    channel = OPENERS[MAIL](county.settings, county.database)
    slow = Fates(county.clock, county.settings, bound=True)

    def claim(most: int) -> list[Taken]:
        with county.database.write() as connection:
            return slow.claim(connection, MAIL, channel, most=most, troubled=False, ended=lambda _: None)

    first = claim(5)
    assert [one.attempt for one in first] == [1, 1, 1]
    other = Sender(county.database, county.clock, county.settings)
    assert other.run() == {}, "taken while its lease lasts"
    county.clock.instant += fates.LEASE + timedelta(seconds=1)
    assert other.run() == {"sent": 3}
    with county.database.write() as connection:
        assert slow.mark(connection, first[0], None) == (False, False)
        assert slow.give_back(connection, MAIL, slow.owner) == 0
    assert Counter(state for (state,) in county.rows(DeliveryEvent, "state")) == {"pending": 3, "sent": 3}


def test_what_is_given_back_was_never_tried(county: County) -> None:
    """But for the one in hand, and the one that is marked; and it may be taken at once."""
    fill(county, 4)
    channel = OPENERS[MAIL](county.settings, county.database)
    mine = Fates(county.clock, county.settings, bound=True)
    with county.database.write() as connection:
        taken = mine.claim(connection, MAIL, channel, most=4, troubled=False, ended=lambda _: None)
    with county.database.write() as connection:
        assert mine.mark(connection, taken[1], None) == (False, True)
        assert mine.give_back(connection, MAIL, mine.owner, but=taken[0].letter.id) == 2
    rows = sorted(county.rows(Delivery, "id", "state", "attempt", "owner"))
    assert [row[1:] for row in rows] == [("sending", 1, mine.owner)] * 2 + [("pending", 0, None)] * 2
    with county.database.write() as connection:
        assert mine.mark(connection, taken[2], None) == (False, False), "given back"
    assert county.rows(DeliveryEvent, "state") == []
    assert Sender(county.database, county.clock, county.settings).run() == {"sent": 2}
    with county.database.write() as connection:
        connection.execute(sa.update(Delivery).where(Delivery.state == "sending").values(state="pending", marked_at=None))


# in the middle of a claim -----------------------------------------------------------------------------------


def waiting_for(go_on: threading.Event, turn: int, answer: str) -> Any:
    """An answer that lets itself be waited for, the n-th time."""
    return nth(turn, lambda: go_on.wait(30) and None, answer)


def test_told_to_stop_it_gives_back_at_once_what_it_has_not_begun(database_url: str, tmp_path: Path) -> None:
    go_on, stop = threading.Event(), threading.Event()
    with outbox(database_url, tmp_path, {"dot": waiting_for(go_on, 2, "250 taken")}) as box:
        with box.sending(stop.is_set):
            until(lambda: box.peer.heard.count("DATA") == 2, "nothing is sent")
            assert box.states()["sending"] > 3
            stop.set()
            until(lambda: box.states() == {"sent": 1, "sending": 1, "pending": 3}, "nothing is given back")
            assert box.fates()[2:] == [("pending", 0)] * 3 and box.events() == {"sent": 1}
            assert box.send() == {"sent": 3}, "another worker has them"
            go_on.set()
        assert box.fates() == [("sent", 1)] * 5


def test_a_server_that_stalls_keeps_neither_the_answer_before_nor_the_rest(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second message hangs at RCPT: the first one's end is written a moment later, and the others go by another worker."""
    go_on = threading.Event()
    with outbox(database_url, tmp_path, {"RCPT": waiting_for(go_on, 2, "250 ok")}) as box:
        with box.sending():
            until(lambda: box.peer.heard.count("RCPT") == 2, "nothing is sent")
            until(lambda: box.fates()[0] == ("sent", 1), "the answer is not written down")
            monkeypatch.setattr(lanes, "FRESH", 0.0)
            until(lambda: box.fates()[2:] == [("pending", 0)] * 3, "nothing is given back")
            monkeypatch.setattr(lanes, "FRESH", 5.0)
            assert box.send() == {"sent": 3}
            go_on.set()
        assert box.fates() == [("sent", 1)] * 5 and box.events() == {"sent": 5}


def test_an_old_claim_is_looked_at_again(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody leaves while messages wait in a claim: what is known of him when his turn comes counts."""
    monkeypatch.setattr(lanes, "FRESH", 0.0)
    with outbox(sqlite_url, tmp_path) as box:

        def leaves() -> None:
            with box.county.database.write() as connection:
                connection.exec_driver_sql(f"UPDATE person SET left_on = '{DAY}' WHERE name = 'r3'")

        box.peer.answers["dot"] = nth(2, leaves, "250 taken")
        assert box.send() == {"sent": 4, "suppressed": 1}
        assert box.fates() == [("sent", 1)] * 3 + [("suppressed", 0)] + [("sent", 1)]


def test_a_relay_that_goes_away(database_url: str, tmp_path: Path) -> None:
    """After the first message nobody is there any more: the second finds out, for all."""
    with outbox(database_url, tmp_path, {"dot": f"250 taken then {DROP}"}) as box:
        box.peer.closing = True
        assert box.send() == {"sent": 1, "pending": 1}
        assert box.fates() == [("sent", 1), ("pending", 1)] + [("pending", 0)] * 3
        assert box.events() == {"sent": 1, "pending": 1}


def test_a_refusal_costs_the_others_nothing(database_url: str, tmp_path: Path) -> None:
    with outbox(database_url, tmp_path, {"RCPT": ["250 ok", "550 nobody", "450 later", "250 ok"]}) as box:
        assert box.send() == {"sent": 3, "failed": 1, "pending": 1}
        assert box.fates() == [("sent", 1), ("failed", 1), ("pending", 1), ("sent", 1), ("sent", 1)]
        assert box.peer.connections == 1


def test_one_lane_s_trouble_halts_them_all(database_url: str, tmp_path: Path) -> None:
    """A refused sender address pauses the channel: every lane gives back what it has claimed."""
    with outbox(database_url, tmp_path, {"MAIL": ["250 ok"] * 12 + ["530 log in first"]}, messages=90) as box:
        ends = box.send()
        assert ends["sent"] <= 12 and 1 <= ends["pending"] <= 3
        states = box.states()
        assert states == {"sent": ends["sent"], "pending": 90 - ends["sent"]}
        assert Counter(box.fates())["pending", 1] == ends["pending"] == box.events()["pending"]


def test_a_hold_in_the_middle(database_url: str, tmp_path: Path) -> None:
    with outbox(database_url, tmp_path) as box:
        box.peer.answers["DATA"] = nth(2, lambda: hold(box.county) and None, "354 go on")
        assert box.send() == {"sent": 1, "held": 1}
        assert box.states() == {"sent": 1, "held": 4} and len(box.peer.letters) == 1
        assert {state for state, _ in box.fates()[1:]} == {"held"} and box.send() == {}
        release(box.county)
        assert box.send() == {"sent": 4}


def test_a_hold_while_a_server_stalls(database_url: str, tmp_path: Path) -> None:
    """What a lane gives back under a hold is held at once, not at the next tick."""
    go_on, stop = threading.Event(), threading.Event()
    with outbox(database_url, tmp_path, {"RCPT": waiting_for(go_on, 1, "250 ok")}) as box:
        with box.sending(stop.is_set):
            until(lambda: "RCPT" in box.peer.heard, "nothing is sent")
            hold(box.county)
            stop.set()
            until(lambda: box.states() == {"sending": 1, "held": 4}, "not held")
            go_on.set()
        assert box.states() == {"held": 5} and box.peer.letters == []
        with box.county.database.statement() as connection:
            assert holding.current(connection) is not None


def test_the_deadline_passes_in_the_middle(database_url: str, tmp_path: Path) -> None:
    with outbox(database_url, tmp_path) as box:
        box.peer.answers["dot"] = nth(2, lambda: box.county.now_is(DAY, 20, 1), "250 taken")
        assert box.send() == {"sent": 2, "expired": 3}
        assert box.fates() == [("sent", 1)] * 2 + [("expired", 0)] * 3 and len(box.peer.letters) == 2


# the database goes away ---------------------------------------------------------------------------------------


@pytest.mark.timeout(300)
@pytest.mark.parametrize("at", ["RCPT", "DATA"])
def test_postgresql_is_started_again_between_an_answer_and_its_writing(own_cluster: Cluster, tmp_path: Path, at: str) -> None:
    url = own_cluster.new_database()
    migrate(url)

    def again() -> None:
        own_cluster.stop("immediate")
        own_cluster.start()

    with outbox(url, tmp_path, {at: nth(2, again, {"RCPT": "250 ok", "DATA": "354 go on"}[at])}) as box:
        ends = box.send()
        box.county.database.dispose()
        assert ends["sent"] + ends["pending"] == 5 and box.fates()[0] == ("sent", 1), "the answer is kept"
        box.send(2)
        assert box.states() == {"sent": 5} and max(Counter(box.peer.accepted).values()) == 1


def test_a_claim_whose_reply_was_lost_is_given_back(postgresql_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commit that wrote the last end and took the next messages happened, and nobody was told: they are not left lying."""
    from app import db
    from app.errors import CommitUnknown

    committed, turn = db._commit, [0]

    def commit(transaction: Any) -> None:
        committed(transaction)
        turn[0] += 1
        if turn[0] == 3:  # after the relay was asked for, and the first claim
            raise CommitUnknown("the connection broke")

    monkeypatch.setattr(lanes, "BATCH", 2)
    with outbox(postgresql_url, tmp_path, messages=6) as box:
        began = time.monotonic()
        monkeypatch.setattr(db, "_commit", commit)
        box.send()
        assert box.fates() == [("sent", 1)] * 6 and len(box.peer.letters) == 6 and time.monotonic() - began < 10
