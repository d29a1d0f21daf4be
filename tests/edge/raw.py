"""Bytes on a socket, for requests that no client library would send."""

from __future__ import annotations

import contextlib
import json
import socket
from typing import Any, NamedTuple

from tests.cast import County


class Said(NamedTuple):
    """One answer as it came over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def place(county: County) -> tuple[str, int]:
    host, port = county.address.removeprefix("http://").split(":")
    return host, int(port)


def bearer(county: County, who: str = "clerk") -> bytes:
    return b"Authorization: Bearer " + county.tokens[who].encode() + b"\r\n"


def exchange(county: County, raw: bytes, timeout: float = 10) -> list[Said]:
    """Send bytes, say that no more will come, and read all answers until the server closes."""
    with socket.create_connection(place(county), timeout) as there:
        with contextlib.suppress(OSError):  # refused and closed while we were still sending
            there.sendall(raw)
        return answers(rest(there))


def rest(there: socket.socket) -> bytes:
    """Everything until the server closes."""
    got = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := there.recv(65536):
            got += piece
    return got


def answers(got: bytes) -> list[Said]:
    """Answers one after the other, chunked ones put together."""
    found = []
    while got:
        head, _, got = got.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while True:
                size, _, got = got.partition(b"\r\n")
                body, got = body + got[: int(size, 16)], got[int(size, 16) + 2 :]
                if size == b"0":
                    break
        else:
            length = int(headers.get("content-length", 0))
            body, got = got[:length], got[length:]
        found.append(Said(int(first.split()[1]), headers, body))
    return found


def request(county: County, line: bytes, body: bytes = b"", who: str | None = "clerk", more: bytes = b"") -> bytes:
    """A well-formed request as bytes, which asks the server to close afterwards."""
    head = line + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + (bearer(county, who) if who else b"") + more
    if body:
        head += b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(body)
    return head + b"\r\n" + body
