"""From a digest to the bytes of one message: text, HTML, attachment, headers. The bytes are fixed once and stored."""

from __future__ import annotations

import re
from binascii import b2a_base64
from collections.abc import Callable
from datetime import date, datetime
from email.header import Header
from email.utils import format_datetime, formataddr
from functools import cache
from pathlib import Path
from urllib.parse import quote, urlsplit

import css_inline
from jinja2 import Environment, Template

from app.alerts.digest import Digest
from app.heart.calendar import chinese_date

TEMPLATES = Path(__file__).parent / "templates"
STATE_LABELS = {
    "pending": "待发送",
    "sending": "发送中",
    "sent": "已送达",
    "failed": "被拒收",
    "expired": "超过当日时限",
    "uncertain": "结果不明",
    "suppressed": "不发送",
    "held": "暂缓",
}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def one_line(text: str) -> str:
    """A text that may stand in a header: no control character, no line break, no half character."""
    return _CONTROL.sub(" ", text.encode("utf-8", "replace").decode()).strip()


def _environment(autoescape: bool) -> Environment:
    environment = Environment(autoescape=autoescape, trim_blocks=False, keep_trailing_newline=True)
    environment.filters["one_line"] = one_line
    environment.filters["chinese"] = chinese_date
    environment.filters["state"] = lambda state: STATE_LABELS.get(state, state)
    return environment


@cache
def _text() -> Template:
    source = (TEMPLATES / "digest.txt").read_text("utf-8")
    return _environment(False).from_string(source.replace("{{ section(block) }}", (TEMPLATES / "block.txt").read_text("utf-8")))


@cache
def _html() -> Template:
    """The page with its styles moved into the elements (mail readers drop style sheets): done once, not per message."""
    source = (TEMPLATES / "digest.html").read_text("utf-8")
    source = source.replace("{{ body(line) }}", (TEMPLATES / "line.html").read_text("utf-8").strip())
    source = source.replace("{{ section(block) }}", (TEMPLATES / "block.html").read_text("utf-8").strip())
    return _environment(True).from_string(css_inline.inline(source, load_remote_stylesheets=False))


Link = Callable[[int], str]
"""A project's number → where one reader answers about it (replies.links.url_for)."""


def as_text(digest: Digest, answer: Link | None = None) -> str:
    """The plain text."""
    return _text().render(digest=digest, answer=answer)


def as_html(digest: Digest, answer: Link | None = None) -> str:
    """The same in HTML."""
    return _html().render(digest=digest, answer=answer)


def message_id(day: date, person_id: int, public_url: str) -> str:
    """The same for a (date, person) for ever, so that a mail server can tell a second copy."""
    host = re.sub(r"[^A-Za-z0-9.\-]", "", urlsplit(public_url).hostname or "") or "localhost"
    return f"<digest.{day.isoformat()}.{person_id}@{host}>"


def as_message(
    digest: Digest, *, sender: str, name: str, recipient: str, message_id: str, written_at: datetime, answer: Link | None = None
) -> bytes:
    """The message as it travels, 7-bit and with CRLF: text and HTML as alternatives, and what found no place as an attachment.

    Put together by hand, for `email` takes three times as long; it reads these messages in the tests.
    """
    head = (
        f"From: {_mailbox('落地', one_line(sender))}",
        f"To: {_mailbox(one_line(name), recipient)}",
        f"Subject: {_encoded(one_line(digest.subject), 9)}",
        f"Date: {format_datetime(written_at)}",
        f"Message-ID: {message_id}",
        "Auto-Submitted: auto-generated",
        "X-Auto-Response-Suppress: All",
        "MIME-Version: 1.0",
    )
    body = _multipart(
        "alternative", "=_alternative", _part("text/plain", as_text(digest, answer)), _part("text/html", as_html(digest, answer))
    )
    if digest.csv is not None:
        body = _multipart("mixed", "=_mixed", body, _file("其余项目.csv", "text/csv", digest.csv))
    return "\r\n".join(head).encode("ascii") + b"\r\n" + body


def _mailbox(name: str, address: str) -> str:
    if name.isascii():
        return formataddr((name, address))
    return f"{_encoded(name, 6)}\r\n <{address}>"


def _encoded(text: str, used: int) -> str:
    """A header's text after so many characters of its line, as RFC 2047 has it: words of at most 75 characters."""
    if text.isascii() and len(text) + used < 78 and "=?" not in text:
        return text
    return Header(text, "utf-8", maxlinelen=75, header_name="x" * (used - 2)).encode(linesep="\r\n")


def _multipart(kind: str, boundary: str, *parts: bytes) -> bytes:
    """Parts behind one another. No base64 and no header of ours contains the boundary: it has an underscore after its sign."""
    mark = b"\r\n--" + boundary.encode()
    head = f'Content-Type: multipart/{kind}; boundary="{boundary}"\r\n'.encode()
    return head + b"".join(mark + b"\r\n" + part for part in parts) + mark + b"--\r\n"


def _part(kind: str, text: str) -> bytes:
    return f'Content-Type: {kind}; charset="utf-8"\r\nContent-Transfer-Encoding: base64\r\n\r\n'.encode() + _base64(_sound(text).encode())


def _file(name: str, kind: str, content: bytes) -> bytes:
    head = (
        f'Content-Type: {kind}; charset="utf-8"',
        f"Content-Disposition: attachment; filename*=utf-8''{quote(name)}",
        "Content-Transfer-Encoding: base64",
        "",
        "",
    )
    return "\r\n".join(head).encode() + _base64(content)


def _base64(content: bytes) -> bytes:
    whole = b2a_base64(content, newline=False)
    return b"\r\n".join([whole[at : at + 76] for at in range(0, len(whole), 76)])


def _sound(text: str) -> str:
    """Without what no mail may carry: NUL and half characters."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()
