"""smtplib with an end to every wait: no peer keeps us longer than we said, however slowly it drips.

smtplib gives each single read a time limit, so a server that sends one byte a minute is listened to for ever. Here every
answer as a whole has until `until`, and may be so long and no longer; several together have until `end`. `phase` says how far
the conversation got.
"""

from __future__ import annotations

import io
import smtplib
import socket
import ssl
import time
from functools import cache
from typing import Any

from app.mail import is_address

PATIENCE = 60.0
"""Seconds for every answer as a whole but the last."""
OPENING, MESSAGE = 120.0, 150.0
"""Seconds for all of a beginning (connect to AUTH), and for all of a message up to its dot."""
MOST = 64 * 1024
"""Bytes of one answer."""


@cache
def _our_name() -> str:
    """What we call ourselves in EHLO; asked for once, since asking may wait for a name server."""
    name = socket.getfqdn()
    return name if "." in name and name.isascii() else "[127.0.0.1]"


class _Bounded(io.RawIOBase):
    """What the peer says, read until the session's patience ends."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        sock, session = self.session.sock, self.session
        if sock is None:
            return 0
        if session.heard > MOST:
            raise OSError("答复过长 / answer too long")
        session.limit()
        number: int = sock.recv_into(buffer)
        session.heard += number
        return number


class Session(smtplib.SMTP):
    """One conversation. `context` makes it SMTPS from the first byte; `secure` turns a plain one into TLS (STARTTLS)."""

    def __init__(self, host: str, port: int, *, context: ssl.SSLContext | None = None) -> None:
        self.peer, self.context, self.phase = (host, port), context, "connect"
        self.end = time.monotonic() + OPENING
        self.until, self.heard = 0.0, 0
        super().__init__(local_hostname=_our_name(), timeout=PATIENCE)

    def allow(self, seconds: float) -> None:
        """From now on the peer has so many seconds to complete its answer, and not beyond `end`."""
        self.until, self.heard = min(time.monotonic() + seconds, self.end), 0

    def within(self, seconds: float) -> None:
        """Everything from now on together has so many seconds."""
        self.end = time.monotonic() + seconds

    def limit(self) -> None:
        """Give the next single operation what is left."""
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError("答复超时 / timed out")
        assert self.sock is not None
        if not left <= (self.sock.gettimeout() or 0) <= 1.01 * left:  # each time anew would be one more call to the system
            self.sock.settimeout(1.005 * left)

    def open(self) -> tuple[int, bytes]:
        """Connect and read the greeting."""
        self.allow(PATIENCE)
        return self.connect(*self.peer)

    def secure(self, context: ssl.SSLContext) -> None:
        """STARTTLS: what was said before it, and whatever came together with its answer, is forgotten."""
        self.allow(PATIENCE)
        code, words = self.docmd("STARTTLS")
        if code != 220:
            raise smtplib.SMTPResponseException(code, words)
        assert self.sock is not None
        self.limit()
        self.sock = context.wrap_socket(self.sock, server_hostname=self.peer[0])
        self.file = None
        self.helo_resp = self.ehlo_resp = None
        self.esmtp_features, self.does_esmtp = {}, False

    def send(self, s: Any) -> None:
        """Everything or an error; no longer than `until`."""
        if self.sock is not None:
            self.limit()
        super().send(s)

    def getreply(self) -> tuple[int, bytes]:
        """One whole answer, within what `allow` gave it."""
        if self.file is None and self.sock is not None:
            self.file = io.BufferedReader(_Bounded(self))
        return super().getreply()

    def docmd(self, cmd: str, args: str = "") -> tuple[int, bytes]:
        """One command and its answer, with the usual patience."""
        self.allow(PATIENCE)
        return super().docmd(cmd, args)

    def tell(self, what: str, address: str) -> tuple[int, bytes]:
        """MAIL FROM or RCPT TO, and its answer. smtplib takes every address apart to see what is in it, which costs more than all
        the rest of a command; a plain one says so itself."""
        self.putcmd(f"{what}:{f'<{address}>' if is_address(address) else smtplib.quoteaddr(address)}")
        return self.getreply()

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        sock = socket.create_connection((host, port), timeout)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # a dot on its own does not wait until the text is confirmed
        if self.context is not None:
            self.phase = "TLS"
            try:
                sock = self.context.wrap_socket(sock, server_hostname=host)
            except BaseException:
                sock.close()
                raise
        self.phase = "greeting"
        self.allow(PATIENCE)
        return sock
