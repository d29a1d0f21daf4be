"""A relay that keeps failing rests, one message probes it, and nobody else suffers for it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from app.alerts import breaker, holding
from app.alerts.channels import OPENERS
from app.alerts.channels.base import Blame, Letter, Pace, Refused
from app.alerts.models import ChannelState, Delivery
from app.alerts.sender import Sender
from tests.daily.county import MONDAY, County, at
from tests.daily.hostile import Peer
from tests.daily.test_smtp_faults import DAY, EVERYBODY, Post, post

RELAY = ("mail", "mail.example.org:25")


def moves(county: County, *steps: Any) -> list[str]:
    """The state after each step, a function of (connection, now)."""
    states = []
    for step in steps:
        with county.database.write() as connection:
            step(connection, county.clock.now())
        with county.database.statement() as connection:
            states.append(connection.scalar(sa.select(ChannelState.state)) or "none")
    return states


def fail(connection: Any, now: Any) -> None:
    breaker.failed(connection, *RELAY, now, "no answer", needs_person=False)


def work(connection: Any, now: Any) -> None:
    breaker.worked(connection, *RELAY, now)


def test_three_failures_in_a_row(county: County) -> None:
    assert moves(county, fail, fail, work, fail, fail, fail) == ["ok", "ok", "ok", "ok", "ok", "resting"]


def test_one_probe_at_a_time_and_longer_rests(county: County) -> None:
    moves(county, fail, fail, fail)
    for minutes in breaker.REST[:3]:
        with county.database.write() as connection:
            assert breaker.admit(connection, *RELAY, county.clock.now()).until is not None
            county.clock.instant += timedelta(minutes=minutes)
            first, second = (breaker.admit(connection, *RELAY, county.clock.now()) for _ in range(2))
            assert (first.until, first.probe) == (None, True) and second.until is not None
        assert moves(county, fail) == ["resting"]
    county.clock.instant += timedelta(minutes=10)
    with county.database.write() as connection:
        assert breaker.admit(connection, *RELAY, county.clock.now()).probe
    assert moves(county, work) == ["ok"]


def test_a_probe_that_died_is_replaced(county: County) -> None:
    moves(county, fail, fail, fail)
    county.clock.instant += timedelta(minutes=1)
    for _ in range(2):
        with county.database.write() as connection:
            assert breaker.admit(connection, *RELAY, county.clock.now()).probe
        county.clock.instant += breaker.PROBE + timedelta(seconds=1)


def test_a_pace_is_kept_in_every_stretch(county: County) -> None:
    pace = Pace(10, timedelta(minutes=1))
    gone: list[Any] = []
    county.now_is(MONDAY)
    while len(gone) < 35:
        with county.database.write() as connection:
            now = county.clock.now()
            asked = breaker.admit(connection, "wecom", "7", now, pace=pace)
        if asked.until is None:
            gone.append(now)
            county.clock.instant += timedelta(seconds=1)
        else:
            assert now < asked.until <= now + pace.within + timedelta(seconds=1)
            county.clock.instant = asked.until
    assert all(later - first >= pace.within for first, later in zip(gone, gone[10:], strict=False))


def test_a_dead_relay_rests_and_comes_back(database_url: str, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody answers, and no other test is given the port meanwhile
        told = Post(database_url, tmp_path, Peer({}, [], None), taken.getsockname()[1])
        assert set(told.first().values()) == {"pending"}
        for _ in range(2):
            told.again()
        assert told.relay().state == "resting" and "无法连接" in told.relay().reason
        assert told.again() and len(told.events()) == 3, "while it rests nothing is tried"
        told.county.clock.instant += timedelta(minutes=1)
        told.again()
        assert told.relay().state == "resting" and len(told.events()) == 4, "one message probed"
        told.county.close()


def test_a_crash_on_every_message_opens_it_and_one_alone_does_not(sqlite_url: str, tmp_path: Path) -> None:
    poison = {"wang@example.org"}

    def judged(line: str) -> str:
        return "drop" if any(one in line for one in poison) else "250 ok"

    with post(sqlite_url, tmp_path, {"RCPT": judged}) as told:
        assert told.first() == {"wang": "pending", "zhao": "sent", "qian": "sent"}
        assert told.relay().failures == 0
        poison |= {"zhao@example.org", "qian@example.org"}
        for _ in range(4):
            told.again(60)
        assert told.relay().state == "resting"


# several channels ----------------------------------------------------------------------------------------


class Robot:
    """A channel of a test: every recipient is a relay of its own."""

    repeatable = False
    relay: str | None = None
    lanes = 1
    pace: Pace | None = None

    def __init__(self, gone: list[str], refuse: Callable[[str], Refused | None] = lambda recipient: None) -> None:
        self.gone, self.refuse = gone, refuse

    def send(self, letter: Letter, mark: Callable[[], None]) -> str:
        if (refused := self.refuse(letter.recipient)) is not None:
            raise refused
        mark()
        self.gone.append(letter.recipient)
        return "ok"

    def close(self) -> None:
        pass


def enqueue(county: County, channel: str, recipients: list[str]) -> None:
    """One message for each recipient, each of another day (a person has one a day and channel)."""
    with county.database.write() as connection:
        now = county.clock.now()
        rows = [
            {
                "run_date": DAY - timedelta(days=number), "person_id": county.people["wang"], "channel": channel, "recipient": recipient,
                "message_id": f"<{channel}.{number}@x>", "subject": "s", "body": b"b", "state": "pending", "attempt": 0,
                "next_try_at": now, "created_at": now, "updated_at": now,
            }
            for number, recipient in enumerate(recipients)
        ]  # fmt: skip
        connection.execute(sa.insert(Delivery), rows)


def states(county: County, channel: str) -> dict[str, str]:
    return {to: state for name, to, state in county.rows(Delivery, "channel", "recipient", "state") if name == channel}


def test_a_paused_mail_channel_stops_no_robot(database_url: str, tmp_path: Path) -> None:
    gone: list[str] = []
    with post(database_url, tmp_path, {"MAIL": "530 log in first"}) as told:
        assert set(told.first().values()) == {"pending"} and told.relay().state == "paused"
        county = told.county
        enqueue(county, "robot", ["1", "2"])
        openers = {**OPENERS, "robot": lambda settings, database: Robot(gone)}
        Sender(county.database, county.clock, county.settings, openers=openers, bound=False).run()
        assert sorted(gone) == ["1", "2"] and set(states(county, "robot").values()) == {"sent"}
        assert set(states(county, "mail").values()) == {"pending"}


def test_a_slow_channel_holds_up_no_other(county: County) -> None:
    enqueue(county, "slow", ["1"])
    enqueue(county, "fast", ["1"])
    fast_is_through = threading.Event()

    class Slow(Robot):
        def send(self, letter: Letter, mark: Callable[[], None]) -> str:
            assert fast_is_through.wait(20), "the fast channel waits for the slow one"
            return super().send(letter, mark)

    class Fast(Robot):
        def close(self) -> None:
            fast_is_through.set()

    openers = {"slow": lambda settings, database: Slow([]), "fast": lambda settings, database: Fast([])}
    assert Sender(county.database, county.clock, county.settings, openers=openers, bound=False).run() == {"sent": 2}


def test_one_robot_rests_alone(county: County) -> None:
    gone: list[str] = []
    dead = Refused("no route", again=True, blame=Blame.AWAY, phase="HTTP")
    openers = {"robot": lambda settings, database: Robot(gone, lambda to: dead if to == "1" else None)}
    enqueue(county, "robot", ["1", "1", "1", "1", "1", "2", "3"])
    Sender(county.database, county.clock, county.settings, openers=openers, bound=False).run()
    assert sorted(gone) == ["2", "3"]
    with county.database.statement() as connection:
        found = dict(connection.execute(sa.select(ChannelState.relay, ChannelState.state)).all())  # type: ignore[arg-type]
    assert found == {"1": "resting"}, "of the others there is nothing to note"


def test_a_pace_sends_the_rest_later(county: County) -> None:
    gone: list[str] = []

    class Paced(Robot):
        pace = Pace(3, timedelta(minutes=1))

    openers = {"robot": lambda settings, database: Paced(gone)}
    enqueue(county, "robot", ["7"] * 8)
    for expected in (3, 6, 8):
        Sender(county.database, county.clock, county.settings, openers=openers, bound=False).run()
        assert len(gone) == expected
        county.clock.instant += timedelta(minutes=1, seconds=1)


def test_a_channel_nobody_knows_waits_for_a_version_that_does(county: County) -> None:
    county.now_is(DAY)
    enqueue(county, "pigeon", ["1"])
    Sender(county.database, county.clock, county.settings).run()
    assert states(county, "pigeon") == {"1": "pending"}
    county.now_is(DAY, 20, 1)
    Sender(county.database, county.clock, county.settings).run()
    assert states(county, "pigeon") == {"1": "expired"}


def test_a_channel_that_cannot_be_opened_stops_only_itself(county: County) -> None:
    def broken(settings: Any, database: Any) -> Any:
        raise RuntimeError("no key")

    enqueue(county, "robot", ["1"])
    enqueue(county, "other", ["1"])
    openers = {"robot": broken, "other": lambda settings, database: Robot([])}
    Sender(county.database, county.clock, county.settings, openers=openers, bound=False).run()
    assert states(county, "robot") == {"1": "pending"} and states(county, "other") == {"1": "sent"}


# holding everything back ---------------------------------------------------------------------------------


def hold(county: County, **more: Any) -> int:
    with county.database.write() as connection:
        return holding.hold(connection, "恢复后尚未确认", now=county.clock.now(), **more)


def release(county: County) -> dict[str, int]:
    with county.database.write() as connection:
        return holding.release(connection, now=county.clock.now())


def test_nothing_leaves_while_everything_is_held(county: County) -> None:
    county.signed("A", MONDAY)
    county.now_is(DAY)
    assert hold(county) == 0
    assert county.daily()["deliveries"] == {"held": 3}
    assert not list(county.mail.glob("*.eml"))
    assert {row[0] for row in county.rows(Delivery, "reason")} == {"恢复后尚未确认"}
    assert release(county) == {"pending": 3, "uncertain": 0}
    assert county.daily()["deliveries"] == {"sent": 3}
    assert release(county) == {"pending": 0, "uncertain": 0}


def test_after_a_restore_what_may_have_left_is_uncertain(county: County) -> None:
    county.signed("A", MONDAY)
    county.now_is(DAY)
    hold(county, doubtful_through=DAY)
    county.daily()
    assert release(county) == {"pending": 0, "uncertain": 3}
    assert county.daily()["deliveries"] == {"uncertain": 3}
    county.clock.instant = at(DAY + timedelta(days=1))
    county.daily()
    assert county.states()[DAY + timedelta(days=1), "wang"] == "sent", "the next digest tells it"


def test_a_hold_that_comes_while_a_message_is_on_its_way_stops_it_before_the_dot(sqlite_url: str, tmp_path: Path) -> None:
    held: list[int] = []
    with post(sqlite_url, tmp_path) as told:

        def data(_: str) -> str:
            if not held:
                held.append(hold(told.county))
            return "354 go on"

        told.peer.answers["DATA"] = data
        assert told.first() == dict.fromkeys(EVERYBODY, "held")
        assert told.peer.letters == [] and held == [0], "all three were claimed, and none had left"
        release(told.county)
        assert told.again() == dict.fromkeys(EVERYBODY, "sent")


def test_of_two_holds_the_stricter_stays(county: County) -> None:
    hold(county)
    hold(county, doubtful_through=DAY)
    hold(county)
    with county.database.statement() as connection:
        found = holding.current(connection)
    assert found is not None and found.doubtful_through == DAY
    release(county)
    with county.database.statement() as connection:
        assert holding.current(connection) is None
