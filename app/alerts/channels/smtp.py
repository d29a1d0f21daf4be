"""SMTP by phases, so that it is always known how far a message got.

Up to the end of the text nothing is binding. The final dot is: before it the sender writes a marker, and if no answer
comes back after it, nobody can know whether the message was taken.
"""

from __future__ import annotations

import re
import smtplib
import ssl
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import unquote, urlsplit

from app.alerts.channels.base import Letter, Refused, Uncertain

PATIENCE = 60
"""Seconds for every answer but the last."""
LAST_PATIENCE = 600
"""Seconds for the answer to the final dot (RFC 5321 4.5.3.2.6)."""
_GONE = (OSError, smtplib.SMTPServerDisconnected)
_DOT = re.compile(rb"(?m)^\.")
_BREAK = re.compile(rb"\r\n|\r|\n")


def stuffed(body: bytes) -> bytes:
    """A body as it travels: CRLF, a dot at the start of a line doubled, a line break at the end."""
    lines = _DOT.sub(b"..", _BREAK.sub(b"\n", body)).rstrip(b"\n") + b"\n"
    return lines.replace(b"\n", b"\r\n")


def _said(code: int, text: bytes | str) -> str:
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return f"{code} {' '.join(words.split())}"[:400]


class Smtp:
    """One connection for a batch, opened when first needed; one recipient per message."""

    repeatable = False

    def __init__(self, url: str, sender: str, *, context: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise ValueError(f"SMTP_URL {parts.scheme}://… is none of smtp://, smtps:// and file:")
        self.implicit = parts.scheme == "smtps"
        self.host, self.port = parts.hostname, parts.port or (465 if self.implicit else 25)
        self.user, self.password = unquote(parts.username or ""), unquote(parts.password or "")
        self.sender, self._context = sender, context
        self._open: smtplib.SMTP | None = None

    def send(self, letter: Letter, mark: Callable[[], None]) -> str:
        """MAIL, RCPT, DATA, the text; then the marker; then the dot and its answer."""
        server = self._connected()
        try:
            self._ask(*server.mail(self.sender))
            self._ask(*server.rcpt(letter.recipient))
            server.putcmd("data")
            self._ask(*server.getreply(), expected=354)
            server.send(stuffed(letter.body))
        except Refused:
            self._start_over(server)
            raise
        except _GONE as error:
            self.close()
            raise Refused(f"连接中断：{_why(error)}", again=True) from error
        except (smtplib.SMTPException, UnicodeError, ValueError) as error:
            self.close()
            raise Refused(f"无法发送：{_why(error)}", again=False) from error
        try:
            mark()
        except BaseException:
            self._abandon()  # closed without the dot, the text counts as never sent
            raise
        try:
            if server.sock is not None:
                server.sock.settimeout(LAST_PATIENCE)
            server.send(b".\r\n")
            code, text = server.getreply()
            if server.sock is not None:
                server.sock.settimeout(PATIENCE)
        except (*_GONE, smtplib.SMTPException) as error:
            self._abandon()
            raise Uncertain(f"已交出正文，未收到答复：{_why(error)}") from error
        if code == 421:
            self.close()
        if 200 <= code < 300:
            return _said(code, text)
        raise Refused(_said(code, text), again=400 <= code < 500)

    def close(self) -> None:
        """Say goodbye; whether the server answers no longer matters."""
        server, self._open = self._open, None
        if server is not None:
            with suppress(OSError, smtplib.SMTPException):
                if server.sock is not None:
                    server.sock.settimeout(5)
                server.quit()
            with suppress(OSError, smtplib.SMTPException):
                server.close()

    def _abandon(self) -> None:
        server, self._open = self._open, None
        if server is not None:
            with suppress(OSError, smtplib.SMTPException):
                server.close()

    def _connected(self) -> smtplib.SMTP:
        if self._open is not None:
            return self._open
        try:
            self._open = self._greet()
        except smtplib.SMTPAuthenticationError as error:
            raise Refused(f"登录被拒绝：{_said(error.smtp_code, error.smtp_error)}", again=True, everyone=True) from error
        except (OSError, smtplib.SMTPException) as error:
            raise Refused(f"无法连接 {self.host}:{self.port}：{_why(error)}", again=True, everyone=True) from error
        return self._open

    def _greet(self) -> smtplib.SMTP:
        context = self._context or ssl.create_default_context()
        server: smtplib.SMTP
        if self.implicit:
            server = smtplib.SMTP_SSL(self.host, self.port, timeout=PATIENCE, context=context)
        else:
            server = smtplib.SMTP(self.host, self.port, timeout=PATIENCE)
        try:
            server.ehlo_or_helo_if_needed()
            if not self.implicit and self.user:
                if server.has_extn("starttls"):
                    server.starttls(context=context)
                    server.ehlo()
                elif self.host not in ("127.0.0.1", "localhost", "::1"):
                    raise smtplib.SMTPException("服务器不支持 STARTTLS，不在明文连接上登录")
            if self.user:
                server.login(self.user, self.password)
        except BaseException:
            server.close()
            raise
        return server

    def _ask(self, code: int, text: bytes, expected: int = 250) -> None:
        if code == expected or (expected == 250 and code == 251):
            return
        raise Refused(_said(code, text), again=not 500 <= code < 600)

    def _start_over(self, server: smtplib.SMTP) -> None:
        try:
            code, _ = server.rset()
        except (OSError, smtplib.SMTPException):
            code = 421
        if code != 250:
            self.close()


def _why(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
