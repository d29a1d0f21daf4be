"""Robots' vendors on loopback: real HTTP servers that check signatures and limits by their own reading of the vendors' rules,
and that behave as badly as they are told to."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from standardwebhooks import Webhook, WebhookVerificationError

TOKEN = "5f0c1d2e3b4a59687766554433221100ffeeddccbbaa99887766554433221100"
SECRETS = {
    "wecom": None,
    "dingtalk": "SEC" + "c0ffee0123456789" * 4,
    "feishu": "FeishuSecret0123456789",
    "webhook": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqrTwjUPD8ILPZI",
}
PATHS = {
    "wecom": f"/cgi-bin/webhook/send?key={TOKEN}",
    "dingtalk": f"/robot/send?access_token={TOKEN}",
    "feishu": f"/open-apis/bot/v2/hook/{TOKEN}",
    "webhook": f"/hooks/{TOKEN}",
}


class Request(NamedTuple):
    """One request, completely read."""

    target: str
    headers: dict[str, str]
    body: bytes


Act = Callable[["Peer", socket.socket, Request], None]


def _hmac(key: bytes, text: bytes) -> str:
    made = HMAC(key, SHA256())
    made.update(text)
    return base64.b64encode(made.finalize()).decode()


class Peer:
    """A vendor with one robot. `script` holds what it does to the next requests; afterwards it behaves well."""

    def __init__(self, kind: str, port: int, scheme: str, path: str) -> None:
        self.kind, self.address = kind, f"{scheme}://127.0.0.1:{port}"
        self.url, self.secret = self.address + path, SECRETS[kind]
        self.script: list[Act] = []
        self.requests: list[Request] = []
        self.taken: list[str] = []
        self.ids: list[str] = []
        self.sent = 0
        self.arrived, self.stopped = threading.Event(), threading.Event()
        self.lock = threading.Lock()

    def judge(self, request: Request) -> tuple[int, Any]:
        """Status and answer of a vendor that works; what it takes is kept."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(request.target).query).items()}
        judges = {"wecom": self._wecom, "dingtalk": self._dingtalk, "feishu": self._feishu, "webhook": self._webhook}
        return judges[self.kind](request, query)

    def _wecom(self, request: Request, query: dict[str, str]) -> tuple[int, Any]:
        told = json.loads(request.body)
        if query != {"key": TOKEN}:
            return 200, {"errcode": 93000, "errmsg": "invalid webhook url, hint: [1]"}
        if told["msgtype"] != "markdown" or len(told["markdown"]["content"].encode()) > 4096:
            return 200, {"errcode": 40058, "errmsg": "markdown.content exceed max length 4096"}
        self.taken.append(told["markdown"]["content"])
        return 200, {"errcode": 0, "errmsg": "ok"}

    def _dingtalk(self, request: Request, query: dict[str, str]) -> tuple[int, Any]:
        if query.pop("access_token", "") != TOKEN:
            return 200, {"errcode": 300005, "errmsg": "token is not exist"}
        if len(request.body) > 20_000:
            return 200, {"errcode": 460101, "errmsg": "message too long, exceed 20000 bytes"}
        if abs(int(query["timestamp"]) / 1000 - time.time()) > 3600:
            return 200, {"errcode": 310000, "errmsg": "invalid timestamp"}
        if query["sign"] != _hmac(str(self.secret).encode(), f"{query['timestamp']}\n{self.secret}".encode()):
            return 200, {"errcode": 310000, "errmsg": "sign not match"}
        told = json.loads(request.body)
        if told["msgtype"] != "markdown" or "落地" not in told["markdown"]["title"]:
            return 200, {"errcode": 310000, "errmsg": "keywords not in content"}
        self.taken.append(told["markdown"]["text"])
        return 200, {"errcode": 0, "errmsg": "ok"}

    def _feishu(self, request: Request, query: dict[str, str]) -> tuple[int, Any]:
        told = json.loads(request.body)
        if urlsplit(request.target).path != PATHS["feishu"]:
            return 400, {"code": 19001, "msg": "param invalid: incoming webhook access token invalid", "data": {}}
        if len(request.body) > 20 * 1024:
            return 400, {"code": 9499, "msg": "Bad Request", "data": {}}
        late = abs(int(told["timestamp"]) - time.time()) > 3600
        if late or told["sign"] != _hmac(f"{told['timestamp']}\n{self.secret}".encode(), b""):
            return 200, {"code": 19021, "msg": "sign match fail or timestamp is not within one hour from current time"}
        post = told["content"]["post"]["zh_cn"]
        self.taken.append("\n".join([post["title"], *("".join(one["text"] for one in line) for line in post["content"])]))
        return 200, {"code": 0, "msg": "success", "data": {}, "StatusCode": 0, "StatusMessage": "success"}

    def _webhook(self, request: Request, query: dict[str, str]) -> tuple[int, Any]:
        try:
            told = Webhook(str(self.secret)).verify(request.body, request.headers)
        except WebhookVerificationError as error:
            return 401, {"error": str(error)}
        self.ids.append(request.headers["webhook-id"])
        self.taken.append(told["data"]["title"] + "\n" + told["data"]["text"])
        return 200, {}


# what a peer may do to a request ------------------------------------------------------------------------


def answer(status: int, body: Any = b"", **headers: str) -> Act:
    """This answer, whatever was asked."""
    text = body if isinstance(body, bytes) else json.dumps(body).encode()

    def act(peer: Peer, connection: socket.socket, request: Request) -> None:
        named = {"Content-Type": "application/json", "Content-Length": str(len(text))}
        named |= {name.replace("_", "-"): value for name, value in headers.items()}
        head = "".join(f"{name}: {value}\r\n" for name, value in named.items())
        connection.sendall(f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + text)

    return act


def works(peer: Peer, connection: socket.socket, request: Request) -> None:
    """As the vendor does."""
    with peer.lock:
        status, body = peer.judge(request)
    answer(status, body)(peer, connection, request)


def taken_in_silence(peer: Peer, connection: socket.socket, request: Request) -> None:
    """Takes the message and never says so."""
    with peer.lock:
        peer.judge(request)
    silent(peer, connection, request)


def silent(peer: Peer, connection: socket.socket, request: Request) -> None:
    """Says nothing, for as long as the other side holds on."""
    connection.settimeout(0.05)
    while not peer.stopped.is_set():
        with suppress(TimeoutError):
            if not connection.recv(1):
                return


def reset(peer: Peer, connection: socket.socket, request: Request) -> None:
    """Hangs up on a request it has read."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def hang_up(peer: Peer, connection: socket.socket, request: Request) -> None:
    """Closes without a word."""


def drip(peer: Peer, connection: socket.socket, request: Request) -> None:
    """One byte of a header now and then, never all of them."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not peer.stopped.is_set():
        connection.sendall(b"x")
        time.sleep(0.05)


def drip_body(peer: Peer, connection: socket.socket, request: Request) -> None:
    """A good answer, byte by byte and with no end."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b'{"errcode":0,"code":0')
    while not peer.stopped.is_set():
        connection.sendall(b" ")
        time.sleep(0.05)


def huge(peer: Peer, connection: socket.socket, request: Request) -> None:
    """A hundred megabytes of yes."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    piece = b'{"errcode":0,"code":0,"x":"' + b"x" * 65536
    for _ in range(1600):
        connection.sendall(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        peer.sent += len(piece)


def truncated(peer: Peer, connection: socket.socket, request: Request) -> None:
    """The beginning of an answer."""
    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"errcode":0,"code":0}')


def garbage(peer: Peer, connection: socket.socket, request: Request) -> None:
    """No HTTP at all."""
    connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")


# serving ------------------------------------------------------------------------------------------------


@contextmanager
def vendor(kind: str, *script: Act, context: ssl.SSLContext | None = None, path: str | None = None) -> Iterator[Peer]:
    """A vendor that listens on loopback until the block ends."""
    listening = socket.create_server(("127.0.0.1", 0))
    peer = Peer(kind, listening.getsockname()[1], "https" if context else "http", path or PATHS[kind])
    peer.script += script
    threads: list[threading.Thread] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threads.append(threading.Thread(target=_converse, args=(peer, connection, context), daemon=True))
            threads[-1].start()

    acceptor = threading.Thread(target=serve, daemon=True)
    acceptor.start()
    try:
        yield peer
    finally:
        peer.stopped.set()
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        acceptor.join(5)
        for thread in threads:
            thread.join(5)


def _converse(peer: Peer, connection: socket.socket, context: ssl.SSLContext | None) -> None:
    connection.settimeout(20)
    with suppress(OSError), connection:
        if context is not None:
            connection = context.wrap_socket(connection, server_side=True)
        with connection:
            request = _read(connection)
            if request is None:
                return
            with peer.lock:
                peer.requests.append(request)
                act = peer.script.pop(0) if peer.script else works
            peer.arrived.set()
            act(peer, connection, request)


def _read(connection: socket.socket) -> Request | None:
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        more = connection.recv(65536)
        if not more:
            return None
        body += more
    return Request(first.split(" ")[1], headers, body)
