"""A channel that drips keeps nobody else waiting: not the day's run, not other channels, not another robot."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from app import worker as ticker
from app.offices.desk import House
from app.robots import courier, service
from app.worker import Worker, daily_run, deliver
from tests.daily.county import MONDAY, County
from tests.daily.hostile import DRIP, HANG, hostile
from tests.invariants import check_invariants
from tests.robots import peers
from tests.robots.peers import vendor

DAY = MONDAY + timedelta(days=31)
NEXT = DAY + timedelta(days=1)


@contextmanager
def worked(url: str, folder: Path, port: int) -> Iterator[tuple[County, Worker]]:
    """A county with a stopped project, and its worker. Its ticks are made by hand."""
    county = County(url, folder, smtp_url=f"smtp://127.0.0.1:{port}", dev=True, allowed_webhook_hosts="127.0.0.1")
    county.signed("A", MONDAY)
    county.now_is(DAY)
    worker = Worker(House(county.settings, county.database, county.clock, b"", None))  # type: ignore[arg-type]
    yield county, worker
    worker.stop()
    with county.database.statement() as connection:
        check_invariants(connection)
    county.close()


def add_robot(county: County, peer: peers.Peer, office: str = "T01", name: str = "值班群") -> int:
    with county.database.write() as connection:
        given = {"office": office, "kind": peer.kind, "name": name, "url": peer.url, "secret": peer.secret}
        return service.add(connection, county.settings, **given, now=county.clock.now())


def soon(what: Callable[[], object]) -> None:
    """Other threads are at it: it comes true."""
    for _ in range(1000):
        if what():
            return
        threading.Event().wait(0.02)
    raise AssertionError("it did not come true")


@pytest.mark.parametrize("phase", ["greeting", "dot"])
@pytest.mark.parametrize("how", [DRIP, HANG])
def test_a_dripping_mail_server_delays_neither_the_day_nor_a_robot(database_url: str, tmp_path: Path, how: str, phase: str) -> None:
    with hostile({phase: how}) as (peer, port), vendor("wecom") as group, worked(database_url, tmp_path, port) as (county, worker):
        daily_run(worker)
        deliver(worker)  # comes back although nobody has answered yet
        soon(lambda: peer.connections == 1)
        add_robot(county, group)
        county.signed("B", NEXT - timedelta(days=30))
        county.now_is(NEXT)
        daily_run(worker)
        assert county.runs() == {DAY: "done", NEXT: "done"}
        deliver(worker)
        soon(lambda: len(group.taken) == 1)
        assert peer.connections == 1 and not peer.over.is_set(), "mail still drips, in its one round"
        peer.over.set()


def test_a_stop_waits_for_the_message_in_hand(sqlite_url: str, tmp_path: Path) -> None:
    answered = threading.Event()

    def slowly(_: str) -> str:
        assert answered.wait(30)
        return "250 taken"

    with hostile({"dot": slowly}) as (peer, port), worked(sqlite_url, tmp_path, port) as (county, worker):
        daily_run(worker)
        deliver(worker)
        soon(lambda: "DATA" in peer.heard)
        stopping = threading.Thread(target=worker.stop)
        stopping.start()
        assert worker.stopping.wait(10)
        answered.set()
        stopping.join(30)
        assert not stopping.is_alive()
        assert sorted(county.states().values()) == ["pending", "pending", "sent"], "one in hand is finished, the others are left"


def test_silent_robots_keep_no_other_waiting(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three of one kind say nothing until the fourth has been served."""
    monkeypatch.setattr(courier, "DEADLINE", 30.0)
    served = threading.Event()

    def after_the_other(peer: peers.Peer, sock: object, request: peers.Request) -> None:
        assert served.wait(20)
        peers.works(peer, sock, request)  # type: ignore[arg-type]

    with (
        hostile() as (_, port),
        vendor("wecom", after_the_other) as one,
        vendor("wecom", after_the_other) as two,
        vendor("wecom", after_the_other) as three,
        vendor("wecom") as last,
        worked(database_url, tmp_path, port) as (county, worker),
    ):
        for number, peer in enumerate((one, two, three, last)):
            add_robot(county, peer, name=f"群{number}")
        daily_run(worker)
        deliver(worker)
        soon(lambda: last.taken)
        served.set()
        soon(lambda: one.taken and two.taken and three.taken)


def test_one_round_of_a_channel_at_a_time(county: County) -> None:
    worker = Worker(House(county.settings, county.database, county.clock, b"", None))  # type: ignore[arg-type]
    go_on, begun = threading.Event(), []

    def work() -> None:
        begun.append(1)
        assert go_on.wait(20)

    for _ in range(3):
        worker.begin_round("mail", work)
    worker.begin_round("wecom", work)
    soon(lambda: len(begun) == 2)
    go_on.set()
    worker.stop()
    assert len(begun) == 2
    assert {job.__name__ for _, job in ticker.JOBS} >= {"daily_run", "deliver"}
