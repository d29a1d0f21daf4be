"""The page behind a line of a digest. No log-in, no script; whoever opens it sees little, and can do one of four small things."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from jinja2 import Environment, StrictUndefined, Template
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.responses import HTMLResponse, Response

from app.clock import Clock
from app.errors import CommitUnknown, DomainError
from app.http import GIVEN, database_problem
from app.offices.desk import House, house_of
from app.replies import links, rules, service, undoing
from app.replies.service import Refused, Told, network_of
from app.replies.undoing import Seen

router = APIRouter(include_in_schema=False)
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex, nofollow",
}
"""What the page may load, and that nobody keeps it. Every page carries Referrer-Policy: no-referrer (gate.py): the address is
the key, and is told to nobody."""


@cache
def _template(name: str) -> Template:
    source = (Path(__file__).parent / "templates" / name).read_text("utf-8")
    return Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True).from_string(source)


@router.api_route("/r/{token}", methods=["GET", "HEAD"])
def open_link(request: Request, token: str) -> Response:
    """The page of one line."""
    house, network = house_of(request), network_of(request.client)
    if links.signer(house.settings).undo(token):
        return _shown(house, token, {}, lambda: undoing.show(house, token, network))
    return _shown(house, token, {}, lambda: service.show(house, token, network))


@router.post("/r/{token}")
def answer_link(request: Request, token: str) -> Response:
    """One answer, sent by the page's form."""
    house = house_of(request)
    sent: Mapping[str, str] = request.scope.get(GIVEN) or {}
    here, network = _same_site(request, house), network_of(request.client)
    if links.signer(house.settings).undo(token):
        return _shown(house, token, sent, lambda: undoing.take_back(house, token, sent, network, here=here))
    return _shown(house, token, sent, lambda: service.answer(house, token, sent, network, here=here))


def _same_site(request: Request, house: House) -> bool:
    """Was the form sent from a page of ours, as far as the browser says? (Ours says "null", for it tells nobody its address;
    what proves the page is the form's own token.)"""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = request.headers.get("origin", "null")
    return origin == "null" or urlsplit(origin).netloc in (request.headers.get("host"), urlsplit(house.settings.public_url).netloc)


def _shown(house: House, token: str, sent: Mapping[str, str], work: Callable[[], Told | Seen | None]) -> Response:
    """The page of what came of it; who holds a telephone is told in words, too, when the database is away."""
    try:
        told = work()
    except (DBAPIError, PoolTimeout) as error:
        if database_problem(error) is None:
            raise
        return _page(house, token, None, sent, rules.AWAY)
    except DomainError as error:
        return _page(house, token, None, sent, rules.UNSURE if isinstance(error, CommitUnknown) else rules.AWAY)
    return _undo_page(house, token, told) if isinstance(told, Seen) else _page(house, token, told, sent)


def _undo_page(house: House, token: str, seen: Seen) -> Response:
    refused, use = seen.refused, seen.use
    reason = rules.REASONS[refused.reason] if refused else None
    shown: dict[str, Any] = {
        "reason": reason,
        "hint": ((refused.hint or reason.hint) if refused and reason else ""),
        "who": seen.who,
        "use": use,
        "label": rules.LABELS.get(use.kind, use.kind) if use else "",
        "recorded_at": _moment(use.at, house.clock) if use else "",
        "done": seen.done,
        "form": links.signer(house.settings).form(token, house.clock.now()) if seen.who and not seen.done else "",
        "last_day": _day(seen.undo.last_day),
    }
    return HTMLResponse(_template("undo.html").render(shown), reason.status if reason else 200, _HEADERS)


def _page(house: House, token: str, told: Told | None, sent: Mapping[str, str], otherwise: str = rules.UNKNOWN) -> Response:
    refused = told.refused if told else Refused(otherwise)
    reason = rules.REASONS[refused.reason] if refused else None
    project, who = (told.project, told.who) if told else (None, None)
    shown: dict[str, Any] = {
        "reason": reason,
        "hint": ((refused.hint or reason.hint) if refused and reason else ""),
        "project": project,
        "who": who,
        "last_day": _day(told.link.last_day) if told else "",
        "before": told.before if told else None,
        "recorded_at": _moment(told.before.at, house.clock) if told and told.before else "",
        "recorded": bool(told and told.recorded),
        "repeated": bool(told and told.before and not told.recorded and not refused and sent),
        "form": links.signer(house.settings).form(token, house.clock.now()) if project else "",
        "today": house.clock.today().isoformat(),
        "sent": sent if refused and refused.reason in (rules.INVALID, rules.RULED_OUT) else {},
        "kinds": rules.KINDS,
        "channels": rules.CHANNELS,
        "agreed": rules.AGREED,
        "ask": rules.ASK,
        "next": rules.NEXT,
    }
    return HTMLResponse(_template("reply.html").render(shown), reason.status if reason else 200, _HEADERS)


def _day(day: Any) -> str:
    return f"{day.year}年{day.month}月{day.day}日"


def _moment(at: Any, clock: Clock) -> str:
    here = at.astimezone(clock.zone)
    return f"{_day(here)} {here:%H:%M}"
