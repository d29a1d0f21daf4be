"""The gate: what every request meets before the house looks at it, and what every answer carries.

In this order: a request id; the size of what was sent; the form of the token; how often this token, or this address without a
good one, has asked; the body, read whole on the event loop (no thread waits for a slow client) and judged as JSON, or under
FORMS as a form.
"""

from __future__ import annotations

import ipaddress
import itertools
import math
import re
import secrets
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_to_bytes

from app.bodies import read_form, read_json
from app.errors import AddressTooLong, BadRequest, DomainError, HeadersTooLarge, RateLimited, TooLarge, UnsupportedMedia
from app.http import GIVEN, Receive, Scope, Send, problem, token_parts
from app.logs import REQUEST
from app.rate import Rate

MAX_BODY = 1_000_000
"""Bytes of a request body that is JSON."""
FILES = {"/api/v1/imports": 10 * 1024 * 1024}
"""Where the body of a POST is a file, of any kind: path → bytes at most."""
MAX_ADDRESS, MAX_HEADERS, MAX_HEADER_COUNT = 8_192, 32_768, 100
"""Bytes of path and query, bytes of all headers, headers."""

FORMS = "/r/"
"""Where pages of ours have forms; nowhere else a form is taken, so that no other site's page can send one."""
_ONCE = {b"authorization", b"content-type", b"content-encoding", b"idempotency-key"}
"""Headers that may come once: two would leave it to chance which one counts."""
_WANTED = _ONCE | {b"content-length", b"transfer-encoding", b"x-request-id"}
_REQUEST_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
_TOKEN_PROVED = {403, 409, 412, 428}
"""Refusals that nobody meets without a good token; success is the other proof."""

_SHARED = [(b"x-content-type-options", b"nosniff"), (b"x-frame-options", b"DENY"), (b"referrer-policy", b"no-referrer")]
_NOTHING = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
_DATA = [*_SHARED, _NOTHING, (b"cache-control", b"no-store")]

_BATCH, _COUNT = secrets.token_hex(4), itertools.count(1)


class Limits:
    """Who asked how often: by token once it proved good here, else by address; and how often an address came with a bad one."""

    stopwatch = staticmethod(time.monotonic)

    def __init__(self, per_minute: int, refusals_per_minute: int) -> None:
        self.tokens, self.addresses, self.refusals = Rate(per_minute), Rate(per_minute), Rate(refusals_per_minute)
        self.on = bool(per_minute or refusals_per_minute)

    def admit(self, token: str | None, client: Any) -> str | None:
        """Refuse who asks the API too often. The address to hold a refusal against; None when the token is known to be good."""
        now = self.stopwatch()
        if token is not None and token in self.tokens:
            _wait(self.tokens.take(token, now), "该令牌请求过于频繁；请稍后再试，或合并请求")
            return None
        address = address_of(client)
        _wait(self.refusals.wait(address, now), "该地址多次使用无效令牌；请核对令牌后再试")
        self.visit(address)
        return address

    def visit(self, address: str) -> None:
        """Refuse who asks too often without a token that is known to be good."""
        _wait(self.addresses.take(address, self.stopwatch()), "该地址请求过于频繁；请稍后再试")

    def judge(self, status: int, token: str | None, client: Any, address: str | None) -> None:
        """What an answer says about the token that was shown."""
        if status == 401:
            if token is not None:
                self.tokens.forget(token)
            self.refusals.charge(address or address_of(client), self.stopwatch())
        elif address is not None and token is not None and (status < 300 or status in _TOKEN_PROVED):
            self.tokens.charge(token, self.stopwatch())


def address_of(client: Any) -> str:
    """Whom an address stands for: one IPv4 address, or the /64 of an IPv6 one, since whoever has one has them all."""
    text = str(client[0])[:64] if client else ""
    if ":" not in text:
        return text
    try:
        given = ipaddress.IPv6Address(text.partition("%")[0])
    except ValueError:
        return text
    return str(given.ipv4_mapped or ipaddress.IPv6Network((given, 64), strict=False).network_address)


def _wait(seconds: float, hint: str) -> None:
    if seconds:
        whole = max(1, math.ceil(seconds))
        refusal = RateLimited(f"{hint}（{whole} 秒后可重试 / retry after {whole} s）", retry_after=whole)
        refusal.headers = {"Retry-After": str(whole)}  # type: ignore[misc]
        raise refusal


class Gate:
    """ASGI, around everything else, so that also the answer to a defect passes it. `seen` is told of every request: its scope,
    the status of its answer (0: the caller went away before there was one), and how many seconds it took."""

    def __init__(self, app: Any, limits: Limits, seen: Callable[[Scope, int, float], None]) -> None:
        self.app, self.limits, self.seen = app, limits, seen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        wanted: dict[bytes, bytes] = {}
        size, doubled = 0, b""
        for name, value in scope["headers"]:
            size += len(name) + len(value)
            if name in _WANTED:
                if name in wanted and name in _ONCE:
                    doubled = name
                wanted.setdefault(name, value)
        given = wanted.get(b"x-request-id", b"")
        number = given if _REQUEST_ID.fullmatch(given) else f"{_BATCH}-{next(_COUNT):08x}".encode()
        REQUEST.set(number.decode())
        data = scope["path"].startswith("/api/")
        token: str | None = None
        address: str | None = None
        counted = self.limits.on and scope["path"] != "/livez"  # whoever asks whether it lives shall learn it in a flood too

        status = 0

        async def told(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if counted and data:
                    self.limits.judge(message["status"], token, scope["client"], address)
                headers = list(message.get("headers", ()))
                headers += _DATA if data else _page(headers)
                headers.append((b"x-request-id", number))
                message["headers"] = headers
            await send(message)

        try:
            try:
                _well_formed(scope, size, doubled)
                if data:
                    try:
                        token = ".".join(token_parts(wanted.get(b"authorization", b"").decode("latin-1")))
                    finally:
                        if counted:
                            address = self.limits.admit(token, scope["client"])
                elif counted:
                    self.limits.visit(address_of(scope["client"]))
                if scope["method"] not in ("GET", "HEAD") and (b"content-length" in wanted or b"transfer-encoding" in wanted):
                    most = FILES.get(scope["path"]) if scope["method"] == "POST" else None
                    raw = await _whole(receive, wanted, most or MAX_BODY)
                    if raw is not None and raw and most is None:
                        form = scope["path"].startswith(FORMS)
                        _about(wanted, form)
                        scope[GIVEN] = read_form(raw) if form else read_json(raw)
                    receive = _again(raw, receive)
            except DomainError as refusal:
                await problem(refusal)(scope, receive, told)
                return
            try:
                await self.app(scope, receive, told)
            except Exception:
                if status != 500:  # else it was answered and logged by http.py: the server need not break the connection as well
                    raise
        finally:
            self.seen(scope, status, time.perf_counter() - began)


def _page(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """What everything but data carries: a page says itself what it may load."""
    return _SHARED if any(name == b"content-security-policy" for name, _ in headers) else [*_SHARED, _NOTHING]


def _well_formed(scope: Scope, size: int, doubled: bytes) -> None:
    """Refuse what no honest client sends."""
    if size > MAX_HEADERS or len(scope["headers"]) > MAX_HEADER_COUNT:
        raise HeadersTooLarge(f"请求头合计不超过 {MAX_HEADERS} 字节、{MAX_HEADER_COUNT} 项")
    query = scope["query_string"]
    if len(scope.get("raw_path") or b"") + len(query) > MAX_ADDRESS:
        raise AddressTooLong(f"地址不超过 {MAX_ADDRESS} 字节；请缩短查询条件")
    if doubled:
        raise BadRequest(f"请求头 {doubled.decode()} 只能出现一次 / header given twice")
    if b"%" in query:
        try:
            unquote_to_bytes(query).decode()
        except UnicodeDecodeError as error:
            raise BadRequest("查询条件不是 UTF-8 / the query is not UTF-8") from error


def _about(wanted: dict[bytes, bytes], form: bool) -> None:
    """Refuse a body that is anything but JSON in UTF-8 (or a plain form), as it is."""
    if wanted.get(b"content-encoding", b"identity").strip().lower() != b"identity":
        raise UnsupportedMedia("请求内容不能压缩；请去掉 Content-Encoding / send the body uncompressed")
    kind, *parameters = (part.strip().lower() for part in wanted.get(b"content-type", b"").split(b";"))
    if form and kind != b"application/x-www-form-urlencoded":
        raise UnsupportedMedia("请从页面上提交 / Content-Type: application/x-www-form-urlencoded")
    if not form and kind != b"application/json":
        raise UnsupportedMedia("请求内容应为 JSON：Content-Type: application/json")
    if any(one.startswith(b"charset=") and one[8:].strip(b'"') not in (b"utf-8", b"utf8") for one in parameters):
        raise UnsupportedMedia("请求内容应为 UTF-8：Content-Type: application/json; charset=utf-8")


async def _whole(receive: Receive, wanted: dict[bytes, bytes], most: int) -> bytes | None:
    """The whole body; None when the caller went away. Refused past the limit, whether it says its length or not."""
    said = wanted.get(b"content-length", b"0")
    left = most - (int(said) if said.isdigit() and len(said) < 20 else 0)
    parts: list[bytes] = []
    while left >= 0:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)
        if b"content-length" not in wanted:
            left -= len(parts[-1])
    raise TooLarge(f"请求内容不超过 {most} 字节")


def _again(raw: bytes | None, receive: Receive) -> Receive:
    """A receive that gives the body once more to whoever comes next."""
    told = [{"type": "http.disconnect"} if raw is None else {"type": "http.request", "body": raw, "more_body": False}]

    async def replay() -> Any:
        return told.pop() if told else await receive()

    return replay
