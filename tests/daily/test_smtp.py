"""Sending over a real connection, and everything that can go wrong on it."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.alerts.channels.smtp import stuffed
from app.alerts.sender import BACK_OFF, Sender
from tests.daily.county import MONDAY, County
from tests.daily.peers import Inbox, mail_server

DAY = MONDAY + timedelta(days=31)


def told(url: str, folder: Path, smtp_url: str) -> County:
    county = County(url, folder, smtp_url=smtp_url)
    county.signed("A", MONDAY)
    return county


def again(county: County, minutes: int) -> None:
    county.clock.instant += timedelta(minutes=minutes)
    Sender(county.database, county.clock, county.settings).run()


def test_one_connection_one_recipient_each(database_url: str, tmp_path: Path) -> None:
    with mail_server() as (inbox, url):
        county = told(database_url, tmp_path, url)
        assert county.daily(DAY)["deliveries"] == {"sent": 3}
        assert sorted(to for to, _ in inbox.letters) == ["qian@example.org", "wang@example.org", "zhao@example.org"]
        assert inbox.connections == 1
        (message,) = inbox.messages("wang@example.org")
        assert message["Subject"] == county.subjects("wang")[DAY]
        assert county.daily()["deliveries"] == {"sent": 3} and len(inbox.letters) == 3
        county.close()


def test_not_now_is_tried_again_and_no_is_final(sqlite_url: str, tmp_path: Path) -> None:
    with mail_server() as (inbox, url):
        county = told(sqlite_url, tmp_path, url)
        inbox.at_rcpt = {"wang@example.org": "450 later", "zhao@example.org": "550 nobody here"}.get
        assert county.daily(DAY)["deliveries"] == {"pending": 1, "failed": 1, "sent": 1}
        inbox.at_rcpt = lambda address: None
        Sender(county.database, county.clock, county.settings).run()
        assert county.states()[DAY, "wang"] == "pending"  # not before its pause is over
        again(county, BACK_OFF[0])
        assert county.states() == {(DAY, "wang"): "sent", (DAY, "zhao"): "failed", (DAY, "qian"): "sent"}
        assert len(inbox.letters) == 2
        county.close()


def test_a_no_after_the_dot_is_an_answer(sqlite_url: str, tmp_path: Path) -> None:
    with mail_server() as (inbox, url):
        county = told(sqlite_url, tmp_path, url)
        inbox.at_dot = {"wang@example.org": "451 busy", "zhao@example.org": "554 spam"}.get
        assert county.daily(DAY)["deliveries"] == {"pending": 1, "failed": 1, "sent": 1}
        county.close()


def test_after_the_deadline_it_expires(sqlite_url: str, tmp_path: Path) -> None:
    with mail_server() as (inbox, url):
        county = told(sqlite_url, tmp_path, url)
        inbox.at_rcpt = lambda address: "450 later"
        county.daily(DAY)
        county.now_is(DAY, 20, 1)
        Sender(county.database, county.clock, county.settings).run()
        assert set(county.states().values()) == {"expired"}
        county.close()


def test_a_connection_lost_after_the_text_is_uncertain_and_never_repeated(sqlite_url: str, tmp_path: Path) -> None:
    with mail_server() as (inbox, url):
        county = told(sqlite_url, tmp_path, url)
        inbox.at_dot = {"wang@example.org": "drop"}.get
        assert county.daily(DAY)["deliveries"] == {"uncertain": 1, "sent": 2}
        again(county, 60)
        assert len(inbox.letters) == 2
        county.close()


def test_a_failing_goodbye_is_no_failure(sqlite_url: str, tmp_path: Path) -> None:
    with mail_server(rude=True) as (inbox, url):
        county = told(sqlite_url, tmp_path, url)
        assert county.daily(DAY)["deliveries"] == {"sent": 3} and len(inbox.letters) == 3
        county.close()


def test_a_server_that_is_down_costs_a_pause(sqlite_url: str, tmp_path: Path) -> None:
    county = told(sqlite_url, tmp_path, "smtp://127.0.0.1:1")
    assert county.daily(DAY)["deliveries"] == {"pending": 3}
    county.close()


def test_who_left_gets_nothing(sqlite_url: str, tmp_path: Path) -> None:
    with mail_server() as (inbox, url):
        county = told(sqlite_url, tmp_path, url)
        inbox.at_rcpt = lambda address: "450 later"
        county.daily(DAY)
        with county.database.write() as connection:
            connection.exec_driver_sql(f"UPDATE person SET left_on = '{DAY}' WHERE name = 'wang'")
        inbox.at_rcpt = lambda address: None
        again(county, 60)
        assert county.states()[DAY, "wang"] == "suppressed"
        county.close()


@pytest.mark.parametrize("body", [b"a\n.\nb", b".leading\r\n..two\r\n", b"no end"])
def test_dots_and_line_ends_arrive_as_they_left(body: bytes) -> None:
    from app.alerts.channels.base import Letter
    from app.alerts.channels.smtp import Smtp

    with mail_server() as (inbox, url):
        channel = Smtp(url, "luodi@example.org")
        marks: list[Inbox] = []
        channel.send(Letter(1, DAY, 1, "x@example.org", "<1@x>", body), lambda: marks.append(inbox))
        channel.close()
        assert inbox.letters[0][1].split() == body.split() and len(marks) == 1


@given(st.lists(st.sampled_from([b"\r\n", b"\r", b"\n", b".", b"a", b"..", b"\r\n."]), max_size=12).map(b"".join))
def test_a_text_travels_as_the_protocol_has_it(body: bytes) -> None:
    """Lines end with CRLF, none is a lone dot, and who takes one dot off each that begins with one has what was written."""
    sent = stuffed(body)
    assert sent.endswith(b"\r\n")
    lines = sent.removesuffix(b"\r\n").split(b"\r\n")
    assert b"." not in lines and not any(b"\r" in line or b"\n" in line for line in lines)
    read = [line[1:] if line.startswith(b".") else line for line in lines]
    assert b"\n".join(read).rstrip(b"\n") == b"\n".join(re.split(rb"\r\n|\r|\n", body)).rstrip(b"\n")


@pytest.mark.parametrize(
    ("body", "as_it_is"),
    [
        (b"To: a.b@example.org\r\n\r\nabc.\r\n", True), (b"\r\n", True), (b".a\r\n", False), (b"a\r\n.b\r\n", False), (b"a\r\nb", False),
        (b"a\nb\r\n", False), (b"a\rb\r\n", False), (b"a\r\r\n\n\r\n", False), (b"a.b\r\n..\r\n", False),
    ],
)  # fmt: skip
def test_what_is_as_it_travels_is_not_written_anew(body: bytes, as_it_is: bool) -> None:
    assert (stuffed(body) is body) == as_it_is


def test_a_peculiar_address_is_quoted_as_ever() -> None:
    """A plain one is said as it is; whatever else somebody has put into the database goes the long way."""
    from app.alerts.channels.session import Session

    for address, spelt in (("a.b+c@example.org", "<a.b+c@example.org>"), ("Wang <w@example.org>", "<w@example.org>"), ("", "<>")):
        said: list[str] = []
        session = Session("127.0.0.1", 1)
        session.putcmd, session.getreply = said.append, lambda: (250, b"ok")  # type: ignore[method-assign, assignment]
        session.tell("RCPT TO", address)
        assert said == [f"RCPT TO:{spelt}"]
