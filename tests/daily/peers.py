"""A real mail server on loopback that behaves as badly as it is told to."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import Message
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP


class Inbox:
    """What was accepted; `at_rcpt` and `at_dot` answer instead when they answer anything."""

    def __init__(self) -> None:
        self.letters: list[tuple[str, bytes]] = []
        self.at_rcpt: Callable[[str], str | None] = lambda address: None
        self.at_dot: Callable[[str], str | None] = lambda address: None
        self.connections = 0

    async def handle_EHLO(self, server: Any, session: Any, envelope: Any, hostname: str, responses: list[str]) -> list[str]:
        self.connections += 1
        session.host_name = hostname
        return responses

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if (refusal := self.at_rcpt(address)) is not None:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if (refusal := self.at_dot(envelope.rcpt_tos[0])) is not None:
            if refusal == "drop":
                server.transport.abort()
            return refusal
        self.letters.append((envelope.rcpt_tos[0], envelope.content))
        return "250 taken"

    def messages(self, address: str) -> list[Message]:
        return [message_from_bytes(body, policy=default) for to, body in self.letters if to == address]


class _Rude(SMTP):
    """Answers QUIT with nonsense."""

    async def smtp_QUIT(self, arg: str) -> None:
        await self.push("554 no goodbye")
        self.transport.abort()


class _Server(Controller):
    """Listens on a socket that is its own from the start, and leaves no connection open behind it."""

    def __init__(self, inbox: Inbox, rude: bool) -> None:
        self.rude, self.made = rude, list[SMTP]()
        self.listening = socket.create_server(("127.0.0.1", 0))
        super().__init__(inbox, hostname="127.0.0.1", port=self.listening.getsockname()[1])

    def factory(self) -> SMTP:
        self.made.append((_Rude if self.rude else SMTP)(self.handler, enable_SMTPUTF8=True))
        return self.made[-1]

    def _create_server(self) -> Any:
        return self.loop.create_server(self._factory_invoker, sock=self.listening)

    def stop(self, no_assert: bool = False) -> None:
        asyncio.run_coroutine_threadsafe(self._hang_up(), self.loop).result(30)
        super().stop(no_assert)

    async def _hang_up(self) -> None:
        """aiosmtpd leaves transports to the garbage collector, and its complaint would fail whatever test runs by then."""
        for one in self.made:
            if one.transport is not None:
                one.transport.abort()
        await asyncio.sleep(0)
        await asyncio.sleep(0)


@contextmanager
def mail_server(rude: bool = False) -> Iterator[tuple[Inbox, str]]:
    """An inbox and the SMTP_URL that leads to it."""
    inbox = Inbox()
    server = _Server(inbox, rude)
    server.start()
    try:
        yield inbox, f"smtp://127.0.0.1:{server.port}"
    finally:
        server.stop()


@contextmanager
def silent_server() -> Iterator[str]:
    """Accepts connections and never says a word."""
    listening = socket.create_server(("127.0.0.1", 0))
    kept: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                kept.append(listening.accept()[0])
            except OSError:
                return

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"smtp://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        listening.close()
        for one in kept:
            one.close()
