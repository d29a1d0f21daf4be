"""TLS is verified or not used, and a password never travels in the clear; whoever is refused is told so, once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.alerts import breaker
from app.alerts.channels.base import Blame, Letter, Refused
from app.alerts.channels.smtp import Smtp
from tests.daily.hostile import Answer, Authority, Peer, hostile
from tests.daily.test_smtp_faults import DAY, EVERYBODY, Post
from tests.invariants import check_invariants

AUTH = ["STARTTLS", "AUTH PLAIN LOGIN"]
LETTER = Letter(1, DAY, 1, "x@example.org", "<1@x>", b"Message-ID: <1@x>\r\n\r\nhello\r\n")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def sent(channel: Smtp) -> str:
    try:
        return channel.send(LETTER, lambda: None)
    finally:
        channel.close()


def refusal(channel: Smtp) -> Refused:
    with pytest.raises(Refused) as found:
        sent(channel)
    return found.value


def test_starttls_is_used_when_offered(authority: Authority) -> None:
    with hostile(features=["STARTTLS"], tls=authority.context("127.0.0.1")) as (peer, port):
        sent(Smtp(f"smtp://127.0.0.1:{port}", "luodi@example.org", authority=authority.file))
        assert peer.heard[:3] == ["EHLO", "STARTTLS", "EHLO"] and len(peer.letters) == 1


def test_off_is_off(authority: Authority) -> None:
    with hostile(features=["STARTTLS"], tls=authority.context("127.0.0.1")) as (peer, port):
        sent(Smtp(f"smtp://127.0.0.1:{port}", "luodi@example.org", tls="off"))
        assert "STARTTLS" not in peer.heard and len(peer.letters) == 1


def test_smtps_is_tls_from_the_first_byte(authority: Authority) -> None:
    with hostile(features=["AUTH PLAIN"], tls=authority.context("localhost"), implicit=True) as (peer, port):
        sent(Smtp(f"smtps://luodi:secret@localhost:{port}", "luodi@example.org", authority=authority.file))
        assert "AUTH" in peer.heard and len(peer.letters) == 1


@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize("wrong", ["authority", "name"])
def test_a_wrong_certificate_is_refused_and_said(authority: Authority, tmp_path: Path, wrong: str, implicit: bool) -> None:
    context = authority.context("127.0.0.1" if wrong == "authority" else "mail.example.org")
    with hostile(features=AUTH, tls=context, implicit=implicit) as (peer, port):
        known = None if wrong == "authority" else authority.file
        error = refusal(Smtp(f"smtp{'s' if implicit else ''}://luodi:secret@127.0.0.1:{port}", "l@example.org", authority=known))
        assert error.blame is Blame.SETTINGS and error.again and error.phase == ("TLS" if implicit else "STARTTLS")
        assert "证书不可信" in error.reason and ("mismatch" in error.reason) == (wrong == "name")
        assert "AUTH" not in peer.heard and "MAIL" not in peer.heard and peer.letters == []


def test_a_stripped_starttls_never_gets_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.alerts.channels.smtp.HERE", ())  # as if the server were elsewhere
    with hostile(features=["AUTH PLAIN LOGIN"]) as (peer, port):
        for tls in ("auto", "require", "off"):
            error = refusal(Smtp(f"smtp://luodi:secret@127.0.0.1:{port}", "l@example.org", tls=tls))
            assert (error.blame, error.phase) == (Blame.SETTINGS, "STARTTLS") and "secret" not in error.reason
        assert "AUTH" not in peer.heard and "MAIL" not in peer.heard


def test_required_tls_is_required_without_a_password_too() -> None:
    with hostile() as (peer, port):
        assert refusal(Smtp(f"smtp://127.0.0.1:{port}", "l@example.org", tls="require")).blame is Blame.SETTINGS
        assert "MAIL" not in peer.heard


@pytest.mark.parametrize("answer", ["454 not now", "500 what?"])
def test_a_refused_starttls_is_no_reason_to_go_on_in_the_clear(authority: Authority, answer: str) -> None:
    with hostile({"STARTTLS": answer}, features=["STARTTLS"]) as (peer, port):
        assert refusal(Smtp(f"smtp://127.0.0.1:{port}", "l@example.org", authority=authority.file)).phase == "STARTTLS"
        assert "MAIL" not in peer.heard


def test_what_comes_with_the_answer_to_starttls_is_forgotten(authority: Authority) -> None:
    """Somebody between us put an answer behind the last one in the clear: it is not taken for one over TLS."""
    with hostile({"STARTTLS": "220 go on\r\n250 AUTH PLAIN"}, features=["STARTTLS"], tls=authority.context("127.0.0.1")) as (peer, port):
        sent(Smtp(f"smtp://127.0.0.1:{port}", "l@example.org", authority=authority.file))
        assert len(peer.letters) == 1


@contextmanager
def with_password(url: str, folder: Path, answers: dict[str, Answer]) -> Iterator[tuple[Post, Peer]]:
    with hostile(answers, features=["AUTH PLAIN LOGIN"]) as (peer, port):
        told = Post(url, folder, peer, port, smtp_url=f"smtp://luodi:s3cret-word@127.0.0.1:{port}")
        yield told, peer
        with told.county.database.statement() as connection:
            check_invariants(connection, accepted=peer.accepted)
        told.county.close()


def test_a_refused_password_pauses_the_channel_with_one_alarm(database_url: str, tmp_path: Path) -> None:
    with with_password(database_url, tmp_path, {"AUTH": "535 5.7.8 bad password"}) as (told, peer):
        with capture_logs() as lines:
            assert set(told.first().values()) == {"pending"}
            for _ in range(14):
                told.again(1)
            assert peer.connections == 1, "left alone while it is paused"
            told.again(2)
            assert peer.connections == 2 and told.relay().state == "paused"
        alarms: list[Any] = [line for line in lines if line.get("alarm")]
        assert len(alarms) == 1 and "535" in alarms[0]["reason"]
        assert not any("s3cret-word" in str(line) for line in lines)
        assert "535" in told.relay().reason and told.relay().until > told.county.clock.instant
        peer.answers["AUTH"] = "235 welcome"
        told.county.clock.instant += breaker.PAUSE
        assert told.again() == dict.fromkeys(EVERYBODY, "sent")
        assert (told.relay().state, told.relay().since, told.relay().reason) == ("ok", None, None)


def test_login_not_now_is_no_alarm(sqlite_url: str, tmp_path: Path) -> None:
    with with_password(sqlite_url, tmp_path, {"AUTH": ["454 try later", "454 try later", "235 welcome"]}) as (told, _):
        assert set(told.first().values()) == {"pending"} and told.relay().state == "ok"
        assert told.again(1) == dict.fromkeys(EVERYBODY, "sent")


def test_a_paused_channel_expires_its_messages_and_says_why(database_url: str, tmp_path: Path) -> None:
    with with_password(database_url, tmp_path, {"AUTH": "535 bad password"}) as (told, _):
        told.first()
        told.county.now_is(DAY, 20, 1)
        assert set(told.again().values()) == {"expired"}
        reasons = {reason for state, _, reason in told.events() if state == "expired"}
        assert reasons and all("535 bad password" in reason for reason in reasons)
