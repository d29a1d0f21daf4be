"""The only module that speaks HTTP to others: one POST to an allowed address, and what came back.

httpx bounds each read, so a peer that drips could hold us for ever: here every step (name, connection, TLS, each read) gets
what is left of one deadline. The name is asked once, its answers are checked, and the connection goes to the very address
that was checked. No redirects, no proxies or credentials from the environment, no more of an answer than anybody sends.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import httpcore
import httpx

from app.robots.addresses import Ip, Target, may_reach
from app.robots.kinds.base import Reply

DEADLINE = 20.0
"""Seconds for all of it, from the name to the last byte of the answer."""
LONGEST = 64 * 1024
"""Bytes of an answer."""
# httpx writes every address to its log, and ours hold keys
logging.getLogger("httpx").addFilter(lambda record: record.levelno >= logging.WARNING)


class Unreached(Exception):
    """Nothing was handed over; the words say why, and hold no address. `again`: it may be otherwise later."""

    def __init__(self, reason: str, *, again: bool = True) -> None:
        super().__init__(reason)
        self.reason, self.again = reason, again


class NoAnswer(Exception):
    """The request was handed over, and no whole answer came: nobody can know what became of it."""


class _TimeIsUp(httpcore.TimeoutException):
    pass


class _Forbidden(httpcore.ConnectError):
    """The name leads where we do not go."""


def post(
    to: Target,
    query: str,
    headers: Mapping[str, str],
    body: bytes,
    before_body: Callable[[], None],
    *,
    context: ssl.SSLContext | None = None,
) -> Reply:
    """Send one request. `before_body` is called once, when all but the body has left: until then the other side has nothing,
    and what it raises ends the attempt. Unreached before it, NoAnswer after it."""
    begun: list[bool] = []

    def trace(event: str, _info: Mapping[str, Any]) -> None:
        if event == "http11.send_request_body.started":
            before_body()
            begun.append(True)

    url = httpx.URL(to.url + (("&" if to.query else "?") + query if query else ""))
    backend = _Backend(to, time.monotonic() + DEADLINE)
    try:
        with (
            httpx.Client(transport=_Transport(backend, context), trust_env=False, follow_redirects=False, timeout=DEADLINE) as client,
            client.stream("POST", url, content=body, headers={**headers, **_PLAIN}, extensions={"trace": trace}) as response,
        ):
            return Reply(response.status_code, response.headers, _read(response))
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, ssl.SSLError, OSError) as error:
        reason = _why(error)
        if begun:
            raise NoAnswer(f"已交出消息，未收到完整答复：{reason}") from None
        raise Unreached(f"无法连接 {to.host}：{reason}", again=not isinstance(error, _Forbidden)) from None


_PLAIN = {"Accept-Encoding": "identity", "User-Agent": "luodi"}


def _read(response: httpx.Response) -> bytes | None:
    """The body, or None when it is longer than anybody answers."""
    read = bytearray()
    for piece in response.iter_raw():
        read += piece
        if len(read) > LONGEST:
            return None
    return bytes(read)


def _why(error: BaseException) -> str:
    """In words of our own: what libraries say may hold the address."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, _TimeIsUp | httpcore.TimeoutException | TimeoutError):
            return f"{DEADLINE:g} 秒内没有完成"
        if isinstance(cause, _Forbidden):
            return str(cause)
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"证书无效（{cause.verify_message}）"
        if isinstance(cause, ssl.SSLError):
            return f"TLS 失败（{cause.reason or 'TLS'}）"
        if isinstance(cause, socket.gaierror):
            return "找不到该主机"
        if isinstance(cause, OSError) and cause.errno:
            return cause.strerror or type(cause).__name__
        cause = cause.__cause__ or cause.__context__
    return "对方没有按 HTTP 作答" if isinstance(error, httpcore.ProtocolError) else "连接中断"


def resolve(host: str, port: int, patience: float) -> list[Ip]:
    """The addresses of a name. The system's own look-up knows no deadline, so it is waited for in a thread of its own."""
    found: list[Ip] = []
    failed: list[OSError] = []

    def ask() -> None:
        try:
            answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found.extend(ipaddress.ip_address(str(one[4][0]).partition("%")[0]) for one in answers)
        except (OSError, UnicodeError) as error:
            failed.append(error if isinstance(error, OSError) else socket.gaierror(socket.EAI_NONAME, "no such name"))

    thread = threading.Thread(target=ask, daemon=True, name="luodi-name")
    thread.start()
    thread.join(max(patience, 0))
    if thread.is_alive():
        raise _TimeIsUp
    if failed:
        raise failed[0]
    return list(dict.fromkeys(found))


class _Backend(httpcore.NetworkBackend):
    """Connects to checked addresses only, each step within what is left."""

    def __init__(self, to: Target, until: float) -> None:
        self.to, self.until, self.inner = to, until, httpcore.SyncBackend()

    def left(self) -> float:
        left = self.until - time.monotonic()
        if left <= 0:
            raise _TimeIsUp
        return left

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        addresses = resolve(host.strip("[]"), port, self.left())
        wrong = next((ip for ip in addresses if not may_reach(self.to, ip)), None)
        if wrong is not None:  # one strange answer among good ones is reason enough
            raise _Forbidden(f"该主机指向不允许的地址 {wrong}；内网主机须写作 {self.to.host}=网段，加入 LUODI_ALLOWED_WEBHOOK_HOSTS")
        last: Exception = _Forbidden("该主机没有地址")
        for ip in addresses:
            try:
                return _Timed(self.inner.connect_tcp(str(ip), port, timeout=self.left(), socket_options=socket_options), self)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = error
        raise last


class _Timed(httpcore.NetworkStream):
    """A stream whose every step gets what is left of the deadline, whatever it was going to be given."""

    def __init__(self, inner: httpcore.NetworkStream, backend: _Backend) -> None:
        self.inner, self.backend = inner, backend

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self.inner.read(max_bytes, self.backend.left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.inner.write(buffer, self.backend.left())

    def close(self) -> None:
        self.inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Timed(self.inner.start_tls(ssl_context, server_hostname, self.backend.left()), self.backend)

    def get_extra_info(self, info: str) -> Any:
        return self.inner.get_extra_info(info)


class _Transport(httpx.BaseTransport):
    """httpx over a pool of one connection with our backend."""

    def __init__(self, backend: _Backend, context: ssl.SSLContext | None) -> None:
        # the system's authorities, so that an intranet's own is trusted where the system trusts it
        self.pool = httpcore.ConnectionPool(
            ssl_context=context or ssl.create_default_context(),
            max_connections=1,
            http1=True,
            http2=False,
            retries=0,
            network_backend=backend,
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        assert isinstance(request.stream, httpx.SyncByteStream)
        answer = self.pool.handle_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer), extensions=answer.extensions)

    def close(self) -> None:
        self.pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self.answer = answer

    def __iter__(self) -> Iterator[bytes]:
        yield from self.answer.iter_stream()

    def close(self) -> None:
        self.answer.close()
