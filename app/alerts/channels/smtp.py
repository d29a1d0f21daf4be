"""SMTP by phases, so that it is always known how far a message got and whose fault a failure is.

connect, greeting, EHLO, STARTTLS, AUTH belong to the relay; MAIL to our settings; RCPT and the answer to the text to the
message. Up to the end of the text nothing is binding. The final dot is: before it the sender writes a marker, and if no
answer comes back after it, nobody can know whether the message was taken.

TLS is always verified. `auto`: used when it is offered, and a must where there is a password (but for a server on this very
machine); `require`: a must; `off`: never, and then no password leaves this machine.
"""

from __future__ import annotations

import re
import smtplib
import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from app.alerts.channels import session
from app.alerts.channels.base import Blame, Letter, Pace, Refused, Uncertain
from app.alerts.channels.session import Session
from app.mail import HERE, Relay

LAST_PATIENCE = 600.0
"""Seconds for the answer to the final dot (RFC 5321 4.5.3.2.6)."""
GOODBYE = 5.0
"""Seconds for the answer to QUIT, which no longer matters."""
ENOUGH = 100
"""Messages after which a connection is made anew: relays close those that stay too long, mostly in the middle of something."""
_GONE = (OSError, smtplib.SMTPServerDisconnected)
_DOT = re.compile(rb"(?m)^\.")
_ALL_BUT_BREAKS = bytes(set(range(256)) - {0x0A, 0x0D})
_BREAK = re.compile(rb"\r\n|\r|\n")


def stuffed(body: bytes) -> bytes:
    """A body as it travels: CRLF, a dot at the start of a line doubled, a line break at the end. Ours mostly are so already, and
    to see that takes a hundredth of the time."""
    if _travels(body):
        return body
    lines = _DOT.sub(b"..", _BREAK.sub(b"\n", body)).rstrip(b"\n") + b"\n"
    return lines.replace(b"\n", b"\r\n")


def _travels(body: bytes) -> bool:
    """Nothing to do? Passes that run at the speed of memory, for a message has two thousand lines and a dozen dots."""
    breaks = body.translate(None, _ALL_BUT_BREAKS)
    if not body.endswith(b"\r\n") or breaks != b"\r\n" * (len(breaks) // 2):
        return False
    at = body.find(b".")
    while at > 0 and body[at - 1] != 0x0A:
        at = body.find(b".", at + 1)
    return at < 0


def verifying(authority: Path | None = None) -> ssl.SSLContext:
    """A context that believes certificates of the system's authorities, and of one of our own when it is given."""
    context = ssl.create_default_context()
    if authority is not None:
        context.load_verify_locations(authority)
    return context


class Smtp:
    """One connection, opened when first needed and kept; one recipient per message."""

    repeatable = False
    lanes = 3
    pace: Pace | None = None

    def __init__(self, url: str, sender: str, *, tls: str = "auto", authority: Path | None = None) -> None:
        self.implicit, self.host, self.port, self.user, self.password = Relay.read(url)
        self.sender, self.tls, self.authority = sender, tls, authority
        self.relay: str | None = f"{self.host}:{self.port}"
        self._open: Session | None = None
        self._context: ssl.SSLContext | None = None  # to read the system's authorities takes longer than a message
        self._sent = 0

    def send(self, letter: Letter, mark: Callable[[], None]) -> str:
        """MAIL, RCPT, DATA, the text; then the marker; then the dot and its answer."""
        server = self._begun()
        self._hand_over(server, letter)
        try:
            mark()
        except BaseException:
            self._abandon()  # closed without the dot, the text counts as never sent
            raise
        return self._finished(server)

    def greet(self) -> bool:
        """Connect, say who we are, log in, and say goodbye; nothing is sent. Whether the connection was encrypted."""
        self._greeted()
        secure = self._open is not None and isinstance(self._open.sock, ssl.SSLSocket)
        self.close()
        return secure

    def close(self) -> None:
        """Say goodbye; whether the server answers no longer matters."""
        server, self._open = self._open, None
        if server is not None:
            server.within(GOODBYE)
            with suppress(OSError, smtplib.SMTPException):
                server.allow(GOODBYE)
                server.putcmd("QUIT")
                server.getreply()
            with suppress(OSError, smtplib.SMTPException):
                server.close()

    def _begun(self) -> Session:
        """A connection that has taken our MAIL: the kept one, or a new one when that has gone stale."""
        if self._sent >= ENOUGH:
            self.close()
        fresh = self._open is None
        server = self._open or self._greeted()
        server.phase = "MAIL"
        server.within(session.MESSAGE)
        try:
            server.allow(session.PATIENCE)
            code, words = server.tell("MAIL FROM", self.sender)
        except (*_GONE, smtplib.SMTPException, UnicodeError, ValueError) as error:
            self._abandon()
            if isinstance(error, UnicodeError | ValueError):
                raise Refused(f"MAIL_FROM 不能使用：{_why(error)}", again=True, blame=Blame.SETTINGS, phase="MAIL") from error
            if not fresh:
                return self._begun()
            raise Refused(f"连接中断：{_why(error)}", again=True, blame=Blame.RELAY, phase="MAIL") from error
        if code == 250:
            return server
        self._start_over(server, code)
        if code == 421 and not fresh:
            return self._begun()
        if 500 <= code < 600:  # our own address or rights, the same for every message
            raise Refused(f"发件人被拒绝：{_said(code, words)}", again=True, blame=Blame.SETTINGS, phase="MAIL")
        raise Refused(_said(code, words), again=True, blame=Blame.AWAY if code == 421 else Blame.RELAY, phase="MAIL")

    def _hand_over(self, server: Session, letter: Letter) -> None:
        """RCPT, DATA and the text, all but the dot."""
        try:
            server.phase = "RCPT"
            server.allow(session.PATIENCE)
            self._ask(server, *server.tell("RCPT TO", letter.recipient), (250, 251))
            server.phase = "DATA"
            server.allow(session.PATIENCE)
            server.putcmd("DATA")
            self._ask(server, *server.getreply(), (354,))
            server.phase = "text"
            server.allow(2 * session.PATIENCE)
            server.send(stuffed(letter.body))
        except (*_GONE, smtplib.SMTPException) as error:
            phase = server.phase
            self._abandon()
            raise Refused(f"连接中断：{_why(error)}", again=True, blame=Blame.RELAY, phase=phase) from error
        except (UnicodeError, ValueError) as error:
            phase = server.phase
            self._abandon()
            raise Refused(f"无法发送：{_why(error)}", again=False, phase=phase) from error

    def _finished(self, server: Session) -> str:
        """The dot, and its answer."""
        server.phase = "dot"
        server.within(LAST_PATIENCE)
        try:
            server.allow(LAST_PATIENCE)
            server.send(b".\r\n")
            code, words = server.getreply()
        except (*_GONE, smtplib.SMTPException) as error:
            self._abandon()
            raise Uncertain(f"已交出正文，未收到答复：{_why(error)}", phase="dot") from error
        self._sent += 1
        if 200 <= code < 300:
            return _said(code, words)
        if not 400 <= code < 600:
            self._abandon()
            raise Uncertain(f"已交出正文，答复无法理解：{_said(code, words)}", phase="dot")
        if code == 421:
            self.close()
        raise Refused(_said(code, words), again=code < 500, blame=Blame.RELAY if code == 421 else Blame.MESSAGE, phase="dot")

    def _ask(self, server: Session, code: int, words: bytes, wanted: tuple[int, ...]) -> None:
        if code in wanted:
            return
        phase = server.phase
        self._start_over(server, code)
        relay = code == 421 or not 400 <= code < 600
        raise Refused(_said(code, words), again=not 500 <= code < 600, blame=Blame.RELAY if relay else Blame.MESSAGE, phase=phase)

    def _start_over(self, server: Session, code: int) -> None:
        """After a refusal the connection may be used again, if the server agrees."""
        if code != 421 and 400 <= code < 600:
            server.within(session.PATIENCE)
            with suppress(OSError, smtplib.SMTPException):
                if server.docmd("RSET")[0] == 250:
                    return
        self.close()

    def _abandon(self) -> None:
        server, self._open = self._open, None
        if server is not None:
            with suppress(OSError, smtplib.SMTPException):
                server.close()

    # how a connection comes about ----------------------------------------------------------------------

    def _greeted(self) -> Session:
        try:
            if self._context is None and (self.implicit or self.tls != "off"):
                self._context = verifying(self.authority)
        except OSError as error:
            raise Refused(f"SMTP_CA 无法读取：{_why(error)}", again=True, blame=Blame.SETTINGS, phase="TLS") from error
        context = self._context
        server = Session(self.host, self.port, context=context if self.implicit else None)
        try:
            self._introduce(server, context)
        except Refused:
            server.close()
            raise
        except ssl.SSLCertVerificationError as error:
            server.close()
            reason = f"{self.host} 的证书不可信：{error.verify_message}"
            raise Refused(reason, again=True, blame=Blame.SETTINGS, phase=server.phase) from error
        except (OSError, smtplib.SMTPException) as error:
            server.close()
            reason = f"无法连接 {self.host}:{self.port}：{_why(error)}"
            raise Refused(reason, again=True, blame=Blame.AWAY, phase=server.phase) from error
        self._open, self._sent = server, 0
        return server

    def _introduce(self, server: Session, context: ssl.SSLContext | None) -> None:
        """Greeting, EHLO, STARTTLS, EHLO, AUTH."""
        code, words = server.open()
        if code != 220:
            raise self._away(f"拒绝服务：{_said(code, words)}", server)
        self._hello(server)
        if not self.implicit:
            if context is not None and server.has_extn("starttls"):
                server.phase = "STARTTLS"
                server.secure(context)
                self._hello(server)
            elif self.tls == "require" or (self.user and self.host not in HERE):
                what = "已设置不使用 TLS" if self.tls == "off" else "服务器不提供 STARTTLS"
                reason = f"{what}，不在明文连接上{'登录' if self.user else '发送'}"
                raise Refused(reason, again=True, blame=Blame.SETTINGS, phase="STARTTLS")
        if self.user:
            self._log_in(server)

    def _hello(self, server: Session) -> None:
        server.phase = "EHLO"
        server.allow(session.PATIENCE)
        code, words = server.ehlo()
        if 500 <= code < 600:
            server.allow(session.PATIENCE)
            code, words = server.helo()
        if not 200 <= code < 300:
            raise self._away(f"拒绝握手：{_said(code, words)}", server)

    def _log_in(self, server: Session) -> None:
        server.phase = "AUTH"
        try:
            server.login(self.user, self.password)
        except smtplib.SMTPAuthenticationError as error:
            reason = f"登录被拒绝：{_said(error.smtp_code, error.smtp_error)}"
            if 500 <= error.smtp_code < 600:
                raise Refused(reason, again=True, blame=Blame.SETTINGS, phase="AUTH") from error
            raise self._away(reason, server) from error
        except smtplib.SMTPNotSupportedError as error:
            raise Refused("设置了用户名，但服务器不支持登录", again=True, blame=Blame.SETTINGS, phase="AUTH") from error

    def _away(self, reason: str, server: Session) -> Refused:
        return Refused(f"{self.host}:{self.port} {reason}", again=True, blame=Blame.AWAY, phase=server.phase)


def _said(code: int, text: bytes | str) -> str:
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return f"{code} {' '.join(words.split())}"[:400]


def _why(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
