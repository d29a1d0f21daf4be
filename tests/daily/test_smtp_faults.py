"""A mail server that drops, drips, lies and refuses, phase by phase: no message is lost, none is taken twice, each says what
happened and how far it got. Real connections on loopback; patience is cut short, never slept away."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app.alerts import breaker
from app.alerts.channels import session, smtp
from app.alerts.fates import BACK_OFF
from app.alerts.models import ChannelState, DeliveryEvent
from app.alerts.sender import Sender
from tests.daily.county import MONDAY, County
from tests.daily.hostile import DRIP, DROP, FLOOD, HANG, Answer, Peer, hostile
from tests.invariants import check_invariants

DAY = MONDAY + timedelta(days=31)
EVERYBODY = ("wang", "zhao", "qian")


class Post:
    """A county with three messages due, and the server they go to."""

    def __init__(self, url: str, folder: Path, peer: Peer, port: int, **settings: Any) -> None:
        self.peer = peer
        address = settings.pop("smtp_url", f"smtp://127.0.0.1:{port}")
        self.county = County(url, folder, smtp_url=address, **settings)
        self.county.signed("A", MONDAY)

    def first(self) -> dict[str, str]:
        """The day's run, with one attempt to send; the state of each reader's message."""
        self.county.daily(DAY)
        return self.states()

    def again(self, minutes: int = 0) -> dict[str, str]:
        """The worker's next tick, so many minutes later."""
        self.county.clock.instant += timedelta(minutes=minutes)
        Sender(self.county.database, self.county.clock, self.county.settings).run()
        return self.states()

    def states(self) -> dict[str, str]:
        return {name: state for (_, name), state in self.county.states().items()}

    def relay(self) -> Any:
        with self.county.database.statement() as connection:
            return connection.execute(sa.select(ChannelState.__table__)).one_or_none()

    def events(self) -> list[tuple[str, str | None, str]]:
        """(state, phase, reason) of everything that happened, in order."""
        return [(state, phase, reason) for _, state, phase, reason in self.county.rows(DeliveryEvent, "id", "state", "phase", "reason")]


@contextmanager
def post(url: str, folder: Path, answers: dict[str, Answer] | None = None, **more: Any) -> Iterator[Post]:
    """The case ends with the invariants, with the server as witness of what was taken."""
    with hostile(answers, features=more.pop("features", None)) as (peer, port):
        made = Post(url, folder, peer, port, **more)
        yield made
        with made.county.database.statement() as connection:
            check_invariants(connection, accepted=peer.accepted)
        made.county.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "PATIENCE", 0.4)
    monkeypatch.setattr(smtp, "LAST_PATIENCE", 0.4)
    monkeypatch.setattr(smtp, "GOODBYE", 0.2)


def test_three_messages_one_connection(database_url: str, tmp_path: Path) -> None:
    with post(database_url, tmp_path) as told:
        assert told.first() == dict.fromkeys(EVERYBODY, "sent")
        assert told.peer.connections == 1 and len(told.peer.letters) == 3
        assert {state for state, _, _ in told.events()} == {"sent"}


@pytest.mark.parametrize(
    ("answers", "phase"),
    [
        ({"greeting": HANG}, "greeting"),
        ({"greeting": DRIP}, "greeting"),
        ({"greeting": FLOOD}, "greeting"),
        ({"greeting": DROP}, "greeting"),
        ({"greeting": "22"}, "greeting"),
        ({"greeting": "421 busy"}, "greeting"),
        ({"greeting": "554 no mail here"}, "greeting"),
        ({"EHLO": DROP}, "EHLO"),
        ({"EHLO": HANG}, "EHLO"),
        ({"EHLO": DRIP}, "EHLO"),
        ({"EHLO": "451 later"}, "EHLO"),
    ],
)
@pytest.mark.usefixtures("impatient")
def test_a_relay_that_does_not_talk_costs_one_look_and_no_message(
    database_url: str, tmp_path: Path, answers: dict[str, Answer], phase: str
) -> None:
    with post(database_url, tmp_path, answers) as told:
        began = time.monotonic()
        assert told.first() == dict.fromkeys(EVERYBODY, "pending")
        assert time.monotonic() - began < 20 and told.peer.connections == 1
        assert [(state, how_far) for state, how_far, _ in told.events()] == [("pending", phase)]
        assert (told.relay().state, told.relay().failures) == ("ok", 1)
        told.peer.answers["greeting"], told.peer.answers["EHLO"] = "220 back", "250 back"
        assert told.again(1) == dict.fromkeys(EVERYBODY, "sent")
        assert told.relay().failures == 0


@pytest.mark.parametrize("phase", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("how", [DROP, HANG, DRIP, "421 closing", "garbage"])
@pytest.mark.usefixtures("impatient")
def test_what_breaks_before_the_dot_is_tried_again(sqlite_url: str, tmp_path: Path, phase: str, how: str) -> None:
    with post(sqlite_url, tmp_path, {phase: [how, MANNERLY[phase]]}) as told:
        states = told.first()
        assert sorted(states.values())[0] == "pending" and len(told.peer.letters) == len([one for one in states.values() if one == "sent"])
        assert [how_far for state, how_far, _ in told.events() if state == "pending"] == [phase]
        assert told.again(BACK_OFF[0]) == dict.fromkeys(EVERYBODY, "sent")
        assert len(told.peer.letters) == 3


MANNERLY = {"MAIL": "250 ok", "RCPT": "250 ok", "DATA": "354 go on"}


@pytest.mark.parametrize("phase", ["RCPT", "DATA", "dot"])
def test_450_then_250(database_url: str, tmp_path: Path, phase: str) -> None:
    good = MANNERLY.get(phase, "250 taken")
    with post(database_url, tmp_path, {phase: ["450 greylisted", good]}) as told:
        assert sorted(told.first().values()) == ["pending", "sent", "sent"]
        assert sorted(told.again().values()) == ["pending", "sent", "sent"], "not before its pause is over"
        assert told.again(BACK_OFF[0]) == dict.fromkeys(EVERYBODY, "sent")
        assert [(how_far, reason) for state, how_far, reason in told.events() if state == "pending"] == [(phase, "450 greylisted")]
        assert told.relay().failures == 0, "a message's own trouble is not the relay's"


@pytest.mark.parametrize("phase", ["RCPT", "DATA", "dot"])
def test_550_is_final_for_one_recipient_only(database_url: str, tmp_path: Path, phase: str) -> None:
    good = MANNERLY.get(phase, "250 taken")
    with post(database_url, tmp_path, {phase: ["550 5.1.1 nobody here", good]}) as told:
        assert sorted(told.first().values()) == ["failed", "sent", "sent"]
        assert sorted(told.again(60).values()) == ["failed", "sent", "sent"]
        assert [(how_far, reason) for state, how_far, reason in told.events() if state == "failed"] == [(phase, "550 5.1.1 nobody here")]


def test_by_recipient(sqlite_url: str, tmp_path: Path) -> None:
    answers: dict[str, str] = {"wang@example.org": "550 no", "zhao@example.org": "452 full"}

    def judged(line: str) -> str:
        return next((answer for who, answer in answers.items() if who in line), "250 ok")

    with post(sqlite_url, tmp_path, {"RCPT": judged}) as told:
        assert told.first() == {"wang": "failed", "zhao": "pending", "qian": "sent"}
        assert told.peer.connections == 1, "a refusal does not cost the connection"
        answers.clear()
        assert told.again(1) == {"wang": "failed", "zhao": "sent", "qian": "sent"}


def test_not_now_all_day_expires_and_says_why(database_url: str, tmp_path: Path) -> None:
    with post(database_url, tmp_path, {"RCPT": "450 later"}) as told:
        told.first()
        for hour in (10, 12, 15, 19):
            told.county.now_is(DAY, hour)
            assert set(told.again().values()) == {"pending"}
        told.county.now_is(DAY, 20, 1)
        assert set(told.again().values()) == {"expired"}
        assert {reason for state, _, reason in told.events() if state == "expired"} == {"超过当日发送时限；最后一次：450 later"}


def test_back_off_grows(sqlite_url: str, tmp_path: Path) -> None:
    with post(sqlite_url, tmp_path, {"RCPT": "450 later"}) as told:
        told.first()
        began = told.county.clock.instant
        for _ in range(70):
            told.again(1)
        tries = [at - began for at, state in told.county.rows(DeliveryEvent, "at", "state") if state == "pending"][3::3]
        minutes = [round(one.total_seconds() / 60) for one in tries]
        assert minutes == [1, 3, 8, 18, 38, 68]


@pytest.mark.parametrize("how", [DROP, HANG, DRIP, "999 what", "not a code"])
@pytest.mark.usefixtures("impatient")
def test_no_answer_after_the_dot_is_uncertain_and_never_repeated(database_url: str, tmp_path: Path, how: str) -> None:
    with post(database_url, tmp_path, {"dot": [how, "250 taken"]}) as told:
        assert sorted(told.first().values()) == ["sent", "sent", "uncertain"]
        for minutes in (1, 15, 120):
            assert sorted(told.again(minutes).values()) == ["sent", "sent", "uncertain"]
        assert len(told.peer.letters) == 2
        assert [how_far for state, how_far, _ in told.events() if state == "uncertain"] == ["dot"]


@pytest.mark.usefixtures("impatient")
def test_a_late_answer_is_waited_for(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "LAST_PATIENCE", 20.0)

    def late(_: str) -> str:
        time.sleep(0.8)  # twice the patience of any other answer
        return "250 at last"

    with post(database_url, tmp_path, {"dot": late}) as told:
        assert told.first() == dict.fromkeys(EVERYBODY, "sent") and len(told.peer.letters) == 3


@pytest.mark.usefixtures("impatient")
def test_an_answer_after_everybodys_patience_is_uncertain_and_taken_once(database_url: str, tmp_path: Path) -> None:
    """The relay took it after all, when nobody listened any more: that is why it is never sent again."""
    gone, taken = threading.Event(), threading.Event()

    def too_late(_: str) -> str:
        if not taken.is_set():
            taken.set()
            assert gone.wait(20)
        return "250 taken"

    with post(database_url, tmp_path, {"dot": too_late}) as told:
        assert sorted(told.first().values()) == ["sent", "sent", "uncertain"]
        gone.set()
        for minutes in (1, 15, 120):
            assert sorted(told.again(minutes).values()) == ["sent", "sent", "uncertain"]
        while len(told.peer.letters) < 3:
            time.sleep(0.01)


def test_dropped_in_the_middle_of_the_text(database_url: str, tmp_path: Path) -> None:
    """Whether before or after our marker: it is sent again or uncertain, and taken at most once."""
    with post(database_url, tmp_path, {"text": [DROP, ""]}) as told:
        states = told.first()
        assert sorted(states.values())[:2] == ["pending", "sent"] or sorted(states.values()) == ["sent", "sent", "uncertain"]
        assert set(told.again(BACK_OFF[0]).values()) <= {"sent", "uncertain"}
        assert len(told.peer.letters) == list(told.states().values()).count("sent")


def test_a_relay_that_is_started_again_between_two_messages(database_url: str, tmp_path: Path) -> None:
    """The kept connection breaks and nobody is there: the next message waits, and goes when somebody is."""
    with hostile({"dot": f"250 taken then {DROP}"}) as (before, port):
        told = Post(database_url, tmp_path, before, port)
        before.closing = True
        assert sorted(told.first().values()) == ["pending", "pending", "sent"]
        assert told.relay().failures == 1 and "无法连接" in told.events()[-1][2]
    with hostile(port=port) as (after, _):
        assert told.again(1) == dict.fromkeys(EVERYBODY, "sent")
        assert (len(before.letters), len(after.letters), after.connections) == (1, 2, 1)
    with told.county.database.statement() as connection:
        check_invariants(connection, accepted=[*before.accepted, *after.accepted])
    told.county.close()


def test_the_last_answer_may_take_ten_minutes() -> None:
    from app.alerts import fates, lanes

    assert smtp.LAST_PATIENCE == 600 and fates.LEASE_AFTER_MARK.total_seconds() > smtp.LAST_PATIENCE
    gone_stale = session.PATIENCE  # MAIL over a kept connection that is not answered, before a new one is opened
    assert fates.LEASE.total_seconds() > lanes.FRESH + gone_stale + session.OPENING + session.MESSAGE


@pytest.mark.parametrize("goodbye", ["421 already gone", "554 no goodbye", DROP, HANG, DRIP])
@pytest.mark.usefixtures("impatient")
def test_a_failing_goodbye_is_no_failure(sqlite_url: str, tmp_path: Path, goodbye: str) -> None:
    with post(sqlite_url, tmp_path, {"QUIT": goodbye}) as told:
        assert told.first() == dict.fromkeys(EVERYBODY, "sent") and len(told.peer.letters) == 3


def test_250_then_the_connection_is_gone(database_url: str, tmp_path: Path) -> None:
    """What was accepted is sent; the next message does not suffer for a connection that went stale."""
    with post(database_url, tmp_path, {"dot": f"250 taken then {DROP}"}) as told:
        assert told.first() == dict.fromkeys(EVERYBODY, "sent")
        assert told.peer.connections == 3 and len(told.peer.letters) == 3
        assert told.relay().failures == 0


def test_a_refused_sender_address_pauses_and_costs_no_message(database_url: str, tmp_path: Path) -> None:
    with post(database_url, tmp_path, {"MAIL": "550 5.7.1 not from you"}) as told:
        assert set(told.first().values()) == {"pending"}
        assert told.relay().state == "paused" and "5.7.1" in told.relay().reason
        told.peer.answers["MAIL"] = "250 ok"
        told.county.clock.instant += breaker.PAUSE
        assert set(told.again().values()) == {"sent"}


def test_a_connection_is_made_anew_now_and_then(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "ENOUGH", 2)
    with post(sqlite_url, tmp_path) as told:
        assert set(told.first().values()) == {"sent"} and told.peer.connections == 2


def test_the_bytes_and_the_number_never_change(database_url: str, tmp_path: Path) -> None:
    with post(database_url, tmp_path, {"dot": ["451 once more", "250 taken"]}) as told:
        told.first()
        told.again(1)
        once, again = (text for to, text in told.peer.texts if to == told.peer.texts[0][0])
        assert once == again
        assert sorted(told.peer.accepted) == sorted(f"<digest.{DAY}.{told.county.people[name]}@127.0.0.1>" for name in EVERYBODY)
