"""From a digest to the bytes of one message: text, HTML, attachment, headers. The bytes are fixed once and stored."""

from __future__ import annotations

import re
from datetime import date, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import css_inline
from jinja2 import Environment, Template

from app.alerts.digest import Digest, chinese_date

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
_ADDRESS = re.compile(r"[!-?A-~]{1,64}@[A-Za-z0-9.\-]{1,253}")


def one_line(text: str) -> str:
    """A text that may stand in a header: no control character, no line break, no half character."""
    return _CONTROL.sub(" ", text.encode("utf-8", "replace").decode()).strip()


def is_address(text: str) -> bool:
    """Can mail be addressed to this (ASCII, one @, nothing that would break a header)?"""
    return bool(_ADDRESS.fullmatch(text)) and text.count("@") == 1 and not set(text) & set('<>(),;:"\\[]')


def _environment(autoescape: bool) -> Environment:
    environment = Environment(autoescape=autoescape, trim_blocks=False, keep_trailing_newline=True)
    environment.filters["chinese"] = chinese_date
    environment.filters["state"] = lambda state: STATE_LABELS.get(state, state)
    return environment


@cache
def _text() -> Template:
    return _environment(False).from_string((TEMPLATES / "digest.txt").read_text("utf-8"))


@cache
def _html() -> Template:
    """The page with its styles moved into the elements (mail readers drop style sheets): done once, not per message."""
    source = (TEMPLATES / "digest.html").read_text("utf-8")
    source = source.replace("{{ body(line) }}", (TEMPLATES / "line.html").read_text("utf-8").strip())
    return _environment(True).from_string(css_inline.inline(source, load_remote_stylesheets=False))


def as_text(digest: Digest) -> str:
    """The plain text."""
    return _text().render(digest=digest)


def as_html(digest: Digest) -> str:
    """The same in HTML."""
    return _html().render(digest=digest)


def message_id(day: date, person_id: int, public_url: str) -> str:
    """The same for a (date, person) for ever, so that a mail server can tell a second copy."""
    host = re.sub(r"[^A-Za-z0-9.\-]", "", urlsplit(public_url).hostname or "") or "localhost"
    return f"<digest.{day.isoformat()}.{person_id}@{host}>"


def as_message(digest: Digest, *, sender: str, name: str, recipient: str, message_id: str, written_at: datetime) -> bytes:
    """The message as it travels, 7-bit and with CRLF."""
    message = EmailMessage(policy=SMTP)
    message["From"] = Address("落地", addr_spec=one_line(sender))
    message["To"] = Address(one_line(name), addr_spec=recipient)
    message["Subject"] = one_line(digest.subject)
    message["Date"] = format_datetime(written_at)
    message["Message-ID"] = message_id
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    clean: dict[str, Any] = {"cte": "base64"}
    message.set_content(_sound(as_text(digest)), **clean)
    message.add_alternative(_sound(as_html(digest)), subtype="html", **clean)
    if digest.csv is not None:
        message.add_attachment(digest.csv, maintype="text", subtype="csv", params={"charset": "utf-8"}, filename="其余项目.csv")
    return message.as_bytes()


def _sound(text: str) -> str:
    """Without what no mail may carry: NUL and half characters."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()
