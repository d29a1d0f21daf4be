"""An order on paper: as a page to print and as a Word document, laid out by templates that an office may change in Word.

What people wrote is text, whatever it holds: markup is escaped, and what no XML may carry is left out.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from docxtpl import DocxTemplate
from jinja2 import Environment, StrictUndefined, Template

from app.heart.calendar import chinese_date
from app.heart.limits import LEVEL_LABELS
from app.offices.access import ROLES

TEMPLATES = Path(__file__).parent / "templates"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_NOT_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def plain(text: str | None) -> str:
    """A text without what XML, and so Word, refuses; its lines stay lines."""
    return _NOT_XML.sub("", (text or "").replace("\r\n", "\n").replace("\r", "\n"))


def _day(day: date | None) -> str:
    return chinese_date(day) if day is not None else ""


def printed(order: Mapping[str, Any]) -> dict[str, Any]:
    """What a template may name: texts only."""
    source = order["source"]
    level = LEVEL_LABELS[source["level"]][0] if source["level"] else ""
    project = order["project"]
    events = order["events"]
    reply = next((one for one in reversed(events) if one["action"] == "reply"), None)
    receipt = next((one for one in events if one["action"] == "receive"), None)
    words = {
        "title": "督办单",
        "number": order["number"],
        "issuer": order["issuer"]["name"],
        "office": order["office"]["name"],
        "person": order["person"]["name"] if order["person"] else "",
        "project": f"{project['name']}（{project['ref']}）" if project else "",
        "source": f"{source['label']}（{level}）" if source["label"] else "县招商局交办",
        "matter": order["matter"],
        "requirement": order["requirement"],
        "issued_on": _day(order["issued_on"]),
        "due_on": _day(order["due_on"]),
        "state": order["state_label"] + (f"（逾期 {order['days_over']} 天）" if order["overdue"] else ""),
        "receipt": f"{_actor(receipt)}　{_day(receipt['happened_on'])}" if receipt else "",
        "reply": reply["text"] if reply else "",
        "replied_on": _day(order["replied_on"]),
        "closed_on": _day(order["closed_on"]),
    }
    history = [{"on": _day(one["happened_on"]), "label": one["label"], "actor": _actor(one), "text": _told(one)} for one in events]
    return {name: plain(text) for name, text in words.items()} | {
        "events": [{name: plain(text) for name, text in one.items()} for one in history]
    }


def _actor(event: Mapping[str, Any]) -> str:
    actor = event["actor"]
    if actor["role"] is None:
        return "系统自动"
    office = actor["office"]["name"] if actor["office"] else ""
    return f"{office} {ROLES.get(actor['role'], actor['role'])}" + ("（代录）" if actor["on_behalf"] else "")


def _told(event: Mapping[str, Any]) -> str:
    parts = []
    if event["granted"] is not None:
        parts.append("同意延期" if event["granted"] else "不同意延期")
    if event["until"] is not None:
        parts.append(f"至 {_day(event['until'])}")
    if event["text"]:
        parts.append(event["text"])
    return "；".join(parts)


@cache
def _page() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    return environment.from_string((TEMPLATES / "order.html").read_text("utf-8"))


@cache
def _document() -> bytes:
    return (TEMPLATES / "order.docx").read_bytes()


def as_html(order: Mapping[str, Any]) -> str:
    """A page that prints on one sheet."""
    return _page().render(printed(order))


def as_docx(order: Mapping[str, Any]) -> bytes:
    """A Word document, from the template beside this file."""
    template = DocxTemplate(io.BytesIO(_document()))
    template.render(printed(order), jinja_env=Environment(undefined=StrictUndefined), autoescape=True)
    out = io.BytesIO()
    template.save(out)
    return out.getvalue()
