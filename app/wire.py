"""The wire: how long the server waits for a client, whatever that client sends or leaves unread.

uvicorn has no time limit for a request under way and none for an answer that is not taken; one machine with a thousand
half-sent requests would hold a thousand connections for ever. Nothing here costs a request that arrives and is taken whole.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import struct
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.errors import BadRequest, DomainError, HeadersTooLarge, RequestTimeout, Unavailable
from app.http import problem
from app.settings import Settings

log = logging.getLogger("luodi.wire")
HEAD, BODY, WHOLE = "head", "body", "whole"


class Patient(HttpToolsProtocol):
    """One connection. It has so long to send a request, and so long to take an answer; when there are too many, the one that
    has been silent longest gives way."""

    head_seconds: ClassVar[float] = 15
    """For a request's headers, from its first byte (from connecting, for the first request)."""
    request_seconds: ClassVar[float] = 30
    """For the whole request."""
    answer_seconds: ClassVar[float] = 30
    """In which an answer under way must move by `answer_bytes`, or end."""
    answer_bytes: ClassVar[int] = 16_384
    head_bytes: ClassVar[int] = 65_536
    """Of headers that do not end; the gate's own limit is half of it."""
    most: ClassVar[int] = 2_000
    """Connections at once."""
    silent: ClassVar[dict[Patient, None]] = {}
    """Connections that nothing is being done for, longest silent first."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._state = HEAD
        self._since = self.loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._seen = 0
        self._watch: asyncio.TimerHandle | None = None
        self._left = 0

    # what comes in --------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.most and not self._make_room():
            self._turn_away(Unavailable("连接过多，请稍后重试 / too many connections"))
            return
        self.silent[self] = None
        self._timer = self.loop.call_later(self.head_seconds, self._late)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._state, self._since, self._seen = HEAD, self.loop.time(), 0

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._state = BODY

    def on_message_complete(self) -> None:
        self._state = WHOLE
        self.silent.pop(self, None)
        super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        was = self._state
        super().data_received(data)
        if self._state is WHOLE or self.transport.is_closing():
            return
        if self._timer is None:
            self._timer = self.loop.call_later(self.head_seconds, self._late)
        if was is HEAD and self._state is HEAD:
            self._seen += len(data)
            if self._seen > self.head_bytes:
                self._turn_away(HeadersTooLarge(f"请求头超过 {self.head_bytes} 字节"))

    def send_400_response(self, msg: str) -> None:
        """What cannot be read as HTTP is refused like everything else."""
        self._turn_away(BadRequest("不是有效的 HTTP 请求；地址中的中文要百分号编码（curl -G --data-urlencode）/ not valid HTTP"))

    def _late(self) -> None:
        self._timer = None
        if self._state is WHOLE or self.transport.is_closing():
            return
        now = self.loop.time()
        if self.flow.read_paused or self.pipeline or (self._state is HEAD and self.cycle is not None and not self.cycle.response_complete):
            self._since = now  # we are the slow one: an earlier answer is still being made
        rest = self._since + (self.head_seconds if self._state is HEAD else self.request_seconds) - now
        if rest > 0:
            self._timer = self.loop.call_later(rest, self._late)
            return
        log.info("let go of a client that did not finish its request")
        self._turn_away(RequestTimeout(f"请在 {self.request_seconds:g} 秒内传完请求"))

    # what goes out --------------------------------------------------------------------------------------

    def pause_writing(self) -> None:
        super().pause_writing()
        self._look_at_writing()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._watch is not None and not self.transport.is_closing():
            self._watch.cancel()
            self._watch = None

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._state is WHOLE:
            self.silent[self] = None
        if self.transport.get_write_buffer_size():
            self._look_at_writing()

    def timeout_keep_alive_handler(self) -> None:
        if self.transport.get_write_buffer_size():  # still taking the answer; the watch below sees to it
            self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)
        else:
            super().timeout_keep_alive_handler()

    def _look_at_writing(self) -> None:
        if self._watch is None:
            self._left = self.transport.get_write_buffer_size()
            self._watch = self.loop.call_later(self.answer_seconds, self._still_writing)

    def _still_writing(self) -> None:
        self._watch = None
        left = self.transport.get_write_buffer_size()
        if not left:
            return
        if left > self._left - self.answer_bytes:
            log.info("let go of a client that did not take its answer")
            # with a reset, so that the system throws away what it still holds for this client
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()
            return
        self._look_at_writing()

    # the end --------------------------------------------------------------------------------------------

    def connection_lost(self, exc: Exception | None) -> None:
        self.silent.pop(self, None)
        for timer in (self._timer, self._watch):
            if timer is not None:
                timer.cancel()
        self._timer = self._watch = None
        super().connection_lost(exc)

    def _make_room(self) -> bool:
        """Close the connection that has been silent longest; False when all of them are being worked for."""
        for oldest in self.silent:
            if oldest.connections is self.connections:
                del self.silent[oldest]
                oldest.transport.abort()
                return True
        return False

    def _turn_away(self, refusal: DomainError) -> None:
        """Say why and close; where an answer is under way, close after it."""
        if not self._free():
            self.flow.pause_reading()
            self.cycle.keep_alive = False
            return
        if self.cycle is None or not (self._state is BODY and self.cycle.response_complete):
            answer = problem(refusal, {"Connection": "close"})
            head = b"".join(name + b": " + value + b"\r\n" for name, value in answer.raw_headers)
            self.transport.write(b"HTTP/1.1 %d %s\r\n%s\r\n%s" % (refusal.status, refusal.code.encode(), head, bytes(answer.body)))
        self.transport.close()
        if self.transport.get_write_buffer_size():
            self._look_at_writing()

    def _free(self) -> bool:
        """Is no answer under way, so that one of ours would not land inside it?"""
        if self.cycle is None or self.cycle.response_complete:
            return True
        return self._state is BODY and not self.cycle.response_started and not self.pipeline

    def _unsupported_upgrade_warning(self) -> None:
        """Whoever asks for another protocol gets this one, and fills no log."""


def served(settings: Settings) -> dict[str, Any]:
    """How uvicorn is to serve the app, for the command line and the tests alike. No banner, no second log format; addresses from
    X-Forwarded-For only where the settings name the proxy."""
    trusted = settings.trusted_proxies.strip()
    return {
        "http": Patient, "ws": "none", "server_header": False, "access_log": False, "log_config": None,
        "log_level": settings.log_level.lower(), "timeout_keep_alive": 5, "timeout_graceful_shutdown": 30,
        # with 5, the default, a machine under load kills its processes while they start; and for so long SIGTERM waits when one
        # is killed just as it is asked
        "timeout_worker_healthcheck": 20,
        "proxy_headers": bool(trusted), "forwarded_allow_ips": trusted or None,
    }  # fmt: skip


def raise_file_limit() -> None:
    """As many open files as the system allows: the usual 1,024 are fewer than the connections a server may have."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = 65_536 if most == resource.RLIM_INFINITY else min(most, 65_536)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
