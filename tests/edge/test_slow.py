"""Clients that take their time: the others are served as ever, no thread waits, and whoever does not finish is let go."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.lists import files
from app.wire import Patient
from tests.cast import County, make_settings, running
from tests.edge.raw import answers, bearer, place, request, rest

MANY = 300


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same limits, sooner."""
    for name in ("head_seconds", "answer_seconds"):
        monkeypatch.setattr(Patient, name, 1.5)
    monkeypatch.setattr(Patient, "request_seconds", 3.0)


@pytest.fixture
def narrow(database_url: str, tmp_path: Path) -> Iterator[County]:
    """A service with two threads: whoever held one would be noticed."""
    with running(make_settings(database_url, tmp_path, threads=2)) as county:
        yield county


@contextlib.contextmanager
def dripping(county: County, number: int, start: bytes, drop: bytes) -> Iterator[list[socket.socket]]:
    """So many connections that each send `start` and then `drop` again and again, until the server closes them."""
    there = [socket.create_connection(place(county), 10) for _ in range(number)]
    over = threading.Event()
    for one in there:
        one.sendall(start)

    def drip() -> None:
        while not over.wait(0.2):
            for one in there:
                with contextlib.suppress(OSError):
                    one.send(drop)

    dripper = threading.Thread(target=drip)
    dripper.start()
    try:
        yield there
    finally:
        over.set()
        dripper.join()
        for one in there:
            one.close()


def served_meanwhile(county: County, ref: str, seconds: float) -> int:
    """How many requests of an honest client were answered in the time."""
    until, count = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        assert county.get("clerk", f"/projects/{ref}")["ref"] == ref
        county.post("clerk", f"/projects/{ref}/follow-ups", {"channel": "call"})
        count += 1
    return count


def all_let_go(there: list[socket.socket], within: float) -> bool:
    """Has the server closed all of them?"""
    poll, left = select.poll(), {one.fileno() for one in there}
    for number in left:
        poll.register(number, select.POLLRDHUP)
    until = time.monotonic() + within
    while left and time.monotonic() < until:
        for number, _ in poll.poll(100):
            poll.unregister(number)
            left.discard(number)
    return not left


def test_headers_that_never_end(narrow: County) -> None:
    ref = narrow.register()
    start = b"GET /api/v1/me HTTP/1.1\r\nHost: x\r\n" + bearer(narrow) + b"X-Slow: "
    with dripping(narrow, MANY, start, b"x") as there:
        assert served_meanwhile(narrow, ref, 1.0) > 0
        assert all_let_go(there, 10)
    assert narrow.get("clerk", "/me")["role"] == "clerk"


def test_bodies_that_never_end_hold_no_thread(narrow: County) -> None:
    ref = narrow.register()
    line = f"POST /api/v1/projects/{ref}/follow-ups HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n".encode()
    with dripping(narrow, MANY, line + bearer(narrow) + b'Content-Length: 900\r\n\r\n{"channel": "call", "note": "', b"x") as there:
        count = served_meanwhile(narrow, ref, 1.5)
        assert count > 0
        assert all_let_go(there, 15)
    assert narrow.get("clerk", f"/projects/{ref}")["version"] == 1 + count


def test_a_slow_request_is_told_so(narrow: County) -> None:
    ref = narrow.register()
    line = f"POST /api/v1/projects/{ref}/follow-ups HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n".encode()
    for start in (
        line,
        line + bearer(narrow) + b"Content-Length: 19\r\n\r\n{",
        line + bearer(narrow) + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{",
    ):
        with socket.create_connection(place(narrow), 15) as there:
            there.sendall(start)
            (said,) = answers(rest(there))
        assert (said.status, said.json["code"], said.headers["connection"]) == (408, "request_timeout", "close")
    assert narrow.get("clerk", f"/projects/{ref}")["version"] == 1


def test_a_connection_without_a_word_is_closed(narrow: County) -> None:
    with contextlib.ExitStack() as stack:
        there = [stack.enter_context(socket.create_connection(place(narrow), 10)) for _ in range(50)]
        assert all_let_go(there, 10)
    assert not [one for one in Patient.silent if one.transport.is_closing()]


def test_half_a_second_request_does_not_stay(narrow: County) -> None:
    first = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.create_connection(place(narrow), 15) as there:
        there.sendall(first + first[:10])
        said = answers(rest(there))
    assert [one.status for one in said] == [200, 408]


def test_an_answer_that_nobody_takes_is_given_up(narrow: County, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "pieces", lambda file: iter([b"x" * 6_000_000]))
    ref = narrow.register("officer", effective_on="2026-01-01")
    narrow.sign(ref, "2026-02-01", "officer")
    with contextlib.ExitStack() as stack:
        there = [stack.enter_context(socket.create_connection(place(narrow), 10)) for _ in range(6)]
        for number, one in enumerate(there):
            close = b"Connection: close\r\n" if number % 2 else b""
            one.sendall(b"GET /api/v1/signed-then-stopped.csv HTTP/1.1\r\nHost: x\r\n" + close + bearer(narrow) + b"\r\n")
        assert served_meanwhile(narrow, ref, 1.0) > 0
        poll = select.poll()
        for one in there:
            poll.register(one.fileno(), 0)  # only that the connection is gone
        until, gone = time.monotonic() + 20, set()
        while len(gone) < len(there) and time.monotonic() < until:
            for number, _ in poll.poll(100):
                poll.unregister(number)
                gone.add(number)
        assert len(gone) == len(there)


def test_a_slow_but_steady_reader_gets_everything(narrow: County, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "pieces", lambda file: iter([b"x" * 12_000_001]))
    narrow.sign(narrow.register("officer", effective_on="2026-01-01"), "2026-02-01", "officer")
    with socket.create_connection(place(narrow), 30) as there:
        there.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        there.sendall(request(narrow, b"GET /api/v1/signed-then-stopped.csv", who="officer"))
        got, began = b"", time.monotonic()
        while piece := there.recv(65536):
            got += piece
            if time.monotonic() - began < 4:  # for longer than any one limit
                time.sleep(0.05)
    (said,) = answers(got)
    assert said.status == 200 and len(said.body) > 12_000_000


def test_an_answer_may_take_longer_than_a_request(narrow: County) -> None:
    """The limits are for clients. Whoever waits for the database, with a second request begun behind it, is not cut off."""
    ref = narrow.register()
    body = b'{"channel": "call"}'
    raw = request(narrow, f"POST /api/v1/projects/{ref}/follow-ups".encode(), body).replace(b"Connection: close\r\n", b"")
    with socket.create_connection(place(narrow), 15) as there:
        with narrow.database.write() as connection:
            connection.exec_driver_sql(f"UPDATE project SET version = version WHERE ref = '{ref}'")
            there.sendall(raw + b"GET /livez HT")
            time.sleep(4.0)
        there.sendall(b"TP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        said = answers(rest(there))
    assert [one.status for one in said] == [201, 200]


def test_when_there_are_too_many_the_longest_silent_gives_way(narrow: County, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Patient, "most", 40)
    monkeypatch.setattr(Patient, "head_seconds", 60)
    ref = narrow.register()
    with contextlib.ExitStack() as stack:
        there = [stack.enter_context(socket.create_connection(place(narrow), 10)) for _ in range(120)]
        assert all_let_go(there[:60], 10)
        assert served_meanwhile(narrow, ref, 0.5) > 0
        assert not all_let_go(there[-20:], 0.3)
