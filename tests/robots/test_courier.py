"""One POST to an allowed address: what leaves, what comes back, and everything that may go wrong on the way."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpcore
import pytest
import trustme

from app.robots import courier
from app.robots.addresses import Target, target
from app.robots.kinds.base import Reply
from app.settings import Settings
from tests.robots import peers
from tests.robots.peers import TOKEN, Peer, vendor

BODY = '{"text":"落地"}'.encode()


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier, "DEADLINE", 0.8)


@pytest.fixture(autouse=True)
def nothing_told(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever happens here, no log line of any library holds the key, at any level."""
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield
    records = caplog.get_records("call")
    assert not [record for record in records if TOKEN in record.getMessage() + str(record.args)]


def at(url: str, listed: str = "127.0.0.1,localhost") -> Target:
    return target(url, Settings(allowed_webhook_hosts=listed).webhook_hosts, dev=True)


class Sent:
    """A request, and whether it was said in time that the body is about to leave."""

    def __init__(self, to: Target, **more: Any) -> None:
        self.marks, self.reply, self.error = 0, None, None
        self.began = time.monotonic()
        try:
            self.reply: Reply | None = courier.post(to, "a=1", {"X-Test": "1"}, BODY, self.mark, **more)
        except (courier.Unreached, courier.NoAnswer) as error:
            self.error: Exception | None = error
            shown = "".join(traceback.format_exception(error)) + repr(error)
            assert TOKEN not in shown and "access_token" not in shown
        self.took = time.monotonic() - self.began

    def mark(self) -> None:
        self.marks += 1

    @property
    def handed_over(self) -> bool:
        return isinstance(self.error, courier.NoAnswer)


def test_what_leaves_and_what_comes_back() -> None:
    with vendor("dingtalk", peers.answer(200, {"errcode": 0}, Retry_After="7")) as peer:
        sent = Sent(at(peer.url))
        assert sent.reply is not None and sent.reply.status == 200 and sent.reply.body == b'{"errcode": 0}'
        assert sent.reply.headers["Retry-After"] == "7" and sent.marks == 1
        (request,) = peer.requests
        assert request.target == peers.PATHS["dingtalk"] + "&a=1" and request.body == BODY
        assert request.headers["x-test"] == "1" and request.headers["accept-encoding"] == "identity"
        assert request.headers["content-length"] == str(len(BODY)) and not {"cookie", "authorization"} & set(request.headers)


@pytest.mark.parametrize("act", [peers.silent, peers.drip, peers.drip_body], ids=lambda act: act.__name__)
def test_nobody_holds_us_longer_than_the_deadline(act: peers.Act) -> None:
    with vendor("wecom", act) as peer:
        sent = Sent(at(peer.url))
        assert sent.handed_over and "0.8" in str(sent.error) and sent.marks == 1
        assert 0.5 < sent.took < 3 and len(peer.requests) == 1


@pytest.mark.parametrize("act", [peers.reset, peers.hang_up, peers.truncated, peers.garbage], ids=lambda act: act.__name__)
def test_half_an_answer_is_no_answer(act: peers.Act) -> None:
    with vendor("wecom", act) as peer:
        sent = Sent(at(peer.url))
        assert sent.handed_over and sent.marks == 1 and len(peer.requests) == 1


def test_no_more_is_read_than_anybody_answers() -> None:
    with vendor("wecom", peers.huge) as peer:
        sent = Sent(at(peer.url))
        assert sent.reply == Reply(200, sent.reply.headers, None) if sent.reply else False
        peer.stopped.wait(0.2)
        assert peer.sent < 20_000_000, "it went on reading"


def test_exactly_the_most_is_read() -> None:
    with vendor("wecom", peers.answer(200, b"x" * courier.LONGEST), peers.answer(200, b"x" * (courier.LONGEST + 1))) as peer:
        whole, more = Sent(at(peer.url)).reply, Sent(at(peer.url)).reply
        assert whole is not None and whole.body is not None and len(whole.body) == courier.LONGEST
        assert more is not None and more.body is None


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(status: int) -> None:
    with vendor("wecom") as other, vendor("wecom", peers.answer(status, b"", Location=other.address + "/elsewhere")) as peer:
        sent = Sent(at(peer.url))
        assert sent.reply is not None and sent.reply.status == status
        assert other.requests == [] and len(peer.requests) == 1


def test_the_environment_has_no_say(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login eve password geheim\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with vendor("wecom") as proxy, vendor("wecom") as peer:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.address)
        monkeypatch.delenv("NO_PROXY", raising=False)
        sent = Sent(at(peer.url))
        assert sent.reply is not None and proxy.requests == [] and "authorization" not in peer.requests[0].headers


def test_nobody_there_is_known_before_anything_is_handed_over() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        sent = Sent(at(f"http://127.0.0.1:{free.getsockname()[1]}/x"))
    assert isinstance(sent.error, courier.Unreached) and sent.error.again and sent.marks == 0


def test_what_the_marker_says_ends_it_before_the_body() -> None:
    class Stop(Exception):
        pass

    def stop() -> None:
        raise Stop

    with vendor("wecom") as peer:
        with pytest.raises(Stop):
            courier.post(at(peer.url), "", {}, BODY, stop)
        assert not peer.arrived.wait(0.3) and peer.requests == [], "the body was sent"


def answers(monkeypatch: pytest.MonkeyPatch, *rounds: list[str]) -> list[str]:
    """Names are answered so, one round after the other; what is connected to is kept, and nobody is there."""
    asked, left = [], list(rounds)
    reached: list[str] = []

    def look_up(host: Any, port: Any, *args: Any, **more: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET6 if ":" in ip else socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in left.pop(0)]

    def connect(self: Any, host: str, port: int, **more: Any) -> Any:
        reached.append(host)
        raise httpcore.ConnectError("nobody")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", connect)
    return reached


@pytest.mark.parametrize(
    "found",
    [["10.0.0.1"], ["127.0.0.1"], ["169.254.169.254"], ["1.1.1.1", "192.168.0.1"], ["::1"], ["::ffff:10.0.0.1"], ["fe80::1%eth0"], []],
)
def test_a_name_that_leads_inside_is_not_followed(found: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    reached = answers(monkeypatch, found)
    sent = Sent(at("https://hook.example/x", "hook.example"))
    assert isinstance(sent.error, courier.Unreached) and not sent.error.again and sent.marks == 0
    assert reached == []


def test_the_address_that_was_checked_is_the_one_that_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is answered differently the second time is not asked a second time."""
    reached = answers(monkeypatch, ["1.1.1.1", "2606:4700:4700::1111"], ["127.0.0.1"])
    sent = Sent(at("https://hook.example/x", "hook.example"))
    assert reached == ["1.1.1.1", "2606:4700:4700::1111"] and isinstance(sent.error, courier.Unreached) and sent.error.again


def test_a_private_host_is_reached_where_the_list_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    reached = answers(monkeypatch, ["10.1.2.3"], ["10.2.0.1"])
    for _ in range(2):
        Sent(at("https://hook.example/x", "hook.example=10.1.0.0/16"))
    assert reached == ["10.1.2.3"]


def test_a_name_server_that_does_not_answer_costs_no_more_than_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    end = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **more: end.wait(30) and [])
    sent = Sent(at("https://hook.example/x", "hook.example"))
    end.set()
    assert isinstance(sent.error, courier.Unreached) and sent.error.again and sent.took < 3


def test_a_name_nobody_knows() -> None:
    sent = Sent(at("https://nobody.invalid/x", "nobody.invalid"))
    assert isinstance(sent.error, courier.Unreached) and sent.marks == 0


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def tls(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    return context


def trusting(authority: trustme.CA, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system trusts this authority."""
    authority.cert_pem.write_to_path(folder / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "ca.pem"))


def by_name(peer: Peer) -> Target:
    return at(peer.url.replace("127.0.0.1", "localhost"))


def test_a_good_certificate(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trusting(authority, tmp_path, monkeypatch)
    monkeypatch.setattr(courier, "DEADLINE", 5.0)
    with vendor("wecom", context=tls(authority, "localhost")) as peer:
        sent = Sent(by_name(peer))
        assert sent.reply is not None and sent.reply.status == 200 and peer.requests[0].body == BODY


@pytest.mark.parametrize("name", ["other.example", "127.0.0.1"])
def test_a_certificate_for_somebody_else(name: str, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trusting(authority, tmp_path, monkeypatch)
    with vendor("wecom", context=tls(authority, name)) as peer:
        sent = Sent(by_name(peer))
        assert isinstance(sent.error, courier.Unreached) and "证书" in str(sent.error) and sent.marks == 0 and peer.requests == []


def test_a_certificate_of_an_unknown_authority(authority: trustme.CA) -> None:
    with vendor("wecom", context=tls(authority, "localhost")) as peer:
        sent = Sent(by_name(peer))
        assert isinstance(sent.error, courier.Unreached) and "证书" in str(sent.error) and peer.requests == []


def test_a_handshake_that_never_ends() -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    with listening:
        sent = Sent(at(f"https://127.0.0.1:{listening.getsockname()[1]}/x"))
    assert isinstance(sent.error, courier.Unreached) and sent.marks == 0 and sent.took < 3
