"""What the vendors' forms have in common: a message, its parts, one request, and what an answer means."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from app.robots.sealed import Secrets
from app.robots.splitting import Row

TAKEN, LATER, NO, UNKNOWN = "taken", "later", "no", "unknown"
"""The other side has it; may be tried again; said no for good; nobody can know."""
MINUTE = 60


class Message(NamedTuple):
    """What is to be said, before any vendor's form. `id` never changes between attempts."""

    id: str
    type: str
    """For machines: "digest.daily" or "robot.test"."""
    written_at: datetime
    title: str
    rows: tuple[Row, ...]
    data: Mapping[str, Any]
    """The same for machines: what a generic webhook carries beside the text."""


class Outgoing(NamedTuple):
    """One request, signed: what is added to the query, the headers, the body."""

    query: str
    headers: Mapping[str, str]
    body: bytes


class Reply(NamedTuple):
    """What came back. `body` is None when it was longer than anybody answers."""

    status: int
    headers: Mapping[str, str]
    body: bytes | None


class Verdict(NamedTuple):
    """What became of a request: TAKEN, LATER, NO or UNKNOWN, the reason in words, and how many seconds to wait."""

    outcome: str
    reason: str
    wait: int | None = None


@dataclass(frozen=True)
class Kind:
    """One kind of robot. A new vendor is one file like wecom.py and one line in KINDS."""

    name: str
    label: str
    shape: re.Pattern[str]
    """What path and query of its addresses look like."""
    secret: re.Pattern[str] | None
    """What its signing secret looks like; None when it has none."""
    must_sign: bool
    limit: int
    """Bytes of one part, as the vendor counts them."""
    payloads: Callable[[Message], list[bytes]]
    """The parts of a message in the vendor's form, fixed once and stored; signatures come later."""
    signed: Callable[[Secrets, bytes, str, datetime], Outgoing]
    """One part as it leaves now: (secrets, payload, message id, this moment)."""
    verdict: Callable[[Reply], Verdict]


def plain(payload: bytes) -> Outgoing:
    """A request without a signature."""
    return Outgoing("", {"Content-Type": "application/json; charset=utf-8"}, payload)


def tamed(text: str) -> str:
    """A text that means nothing to a chat program: names are people's input, and must not become links, mentions or colours."""
    return " ".join(text.translate(_TAME).split())


def linked(text: str, url: str) -> str:
    """A link in markdown; nothing in the address can end it early."""
    return f"[{tamed(text)}]({url.replace('(', '%28').replace(')', '%29').replace(' ', '%20')})"


_TAME = {ord(mark): chr(ord(mark) + 0xFEE0) for mark in "<>[]*_`#@\\~|"}
"""Each mark as its full-width sister: it looks the same and formats nothing."""


def body_of(reply: Reply) -> dict[str, Any] | None:
    """The JSON object of an answer, or None."""
    try:
        found = orjson.loads(reply.body or b"")
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def by_status(reply: Reply, wait: int | None) -> Verdict:
    """What an answer means by its status alone. 502 and 504 are a gateway's word: what stands behind it may have taken it."""
    status, said = reply.status, f"HTTP {reply.status}"
    if 300 <= status < 400:
        return Verdict(NO, f"{said}：地址把请求转往别处，不跟随；请核对机器人地址")
    if status in (502, 504):
        return Verdict(UNKNOWN, f"{said}：网关未得到答复，结果不明")
    if status in (408, 425, 429) or status >= 500:
        return Verdict(LATER, f"{said}：对方暂时不接受", wait)
    if status >= 400:
        return Verdict(NO, f"{said}：对方拒绝；请核对机器人地址")
    return Verdict(UNKNOWN, f"{said}：答复过长，结果不明" if reply.body is None else f"{said}：答复不是该机器人的 JSON，结果不明")


def by_code(reply: Reply, names: Sequence[str], busy: Mapping[int, int], hints: Mapping[int, str], said: str) -> Verdict:
    """What an answer means by the code in its body: 0 is the only yes, whatever the status says.

    `names` are the fields that may hold the code (all of those present must be 0), `busy` the codes that pass by themselves
    and after how many seconds, `hints` what to do about others, `said` the field with the vendor's own words.
    """
    wait = retry_after(reply)
    found = body_of(reply)
    codes = [found[name] for name in names if name in found] if found else []
    if not found or not codes or any(type(code) is not int for code in codes):
        return by_status(reply, wait)
    code = next((code for code in codes if code != 0), 0)
    if code == 0:
        return Verdict(TAKEN, f"{names[0]} 0") if 200 <= reply.status < 300 else by_status(reply, wait)
    words = " ".join(str(found.get(said) or "").split())[:200]
    reason = f"{names[0]} {code}" + (f"：{words}" if words else "")
    if code in busy:
        return Verdict(LATER, f"{reason}（对方限流或繁忙，稍后再发）", max(busy[code], wait or 0))
    return Verdict(NO, reason + (f"；{hints[code]}" if code in hints else ""))


def retry_after(reply: Reply) -> int | None:
    """The seconds a peer asks to wait, an hour at most; None when it says nothing readable."""
    text = next((value for name, value in reply.headers.items() if name.lower() == "retry-after"), "").strip()
    return min(int(text), 3600) if text.isascii() and text.isdigit() and len(text) < 10 else None
