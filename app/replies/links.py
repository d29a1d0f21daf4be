"""The link behind one line of one person's digest: who, which project, which day, until when; signed, and nothing else. Pure.

The same line always gets the same link, because a message's bytes are fixed once. Whoever has a link can do what its page
offers and no more: four short answers for one project, one of them, once, in the name of the addressee, until it expires.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from app.offices.access import MAY, REPORT
from app.settings import Settings

DAYS = 10
"""How many days after its digest a link is good: over the longest row of days off (nine with the weekends around them), and not
so long that an old mail in a forgotten mailbox stays a key."""
PAGE_LIFE = timedelta(hours=12)
"""How long a page may stay open before what was typed into it is sent."""
_LAYOUT = struct.Struct(">BIIQHB")
_ANSWER, _UNDO, _MAC = 1, 2, 16
_EPOCH = date(2000, 1, 1)
LENGTH = (_LAYOUT.size + _MAC) * 4 // 3
"""Characters of a token. Its bytes are a multiple of three, so that one link is spelt in one way."""


class Link(NamedTuple):
    """What a token says. `office_id` is the addressee's office when the digest was written: after a move it no longer fits."""

    person_id: int
    office_id: int
    project_id: int
    run_date: date
    days: int = DAYS

    @property
    def last_day(self) -> date:
        """The last business date on which it is good."""
        return self.run_date + timedelta(days=self.days)


class Undo(NamedTuple):
    """What a token of the other kind says: this person may take back the answer that is this use (of one of his links). It is in
    the message that tells him of the answer, so whoever was forwarded the first link does not have it."""

    person_id: int
    office_id: int
    use_id: int
    run_date: date
    days: int = DAYS

    @property
    def last_day(self) -> date:
        """The last business date on which it is good."""
        return self.run_date + timedelta(days=self.days)


class Signer:
    """Makes and reads tokens with keys that serve nothing else."""

    def __init__(self, secret: bytes, public_url: str) -> None:
        self._links = hmac.digest(secret, b"luodi reply link", "sha256")
        self._forms = hmac.digest(secret, b"luodi reply form", "sha256")
        self._base = public_url.rstrip("/") + "/r/"

    def pack(self, link: Link | Undo) -> str:
        """The token of a link."""
        person, office, what, day, days = link
        version = _UNDO if isinstance(link, Undo) else _ANSWER
        raw = _LAYOUT.pack(version, person, office, what, (day - _EPOCH).days, days)
        return urlsafe_b64encode(raw + self._mac(raw)).decode()

    def unpack(self, token: str) -> Link | None:
        """What a token says; None for whatever we did not sign, and for an undo."""
        told = self._told(token)
        return Link(*told[1:]) if told is not None and told[0] == _ANSWER else None

    def undo(self, token: str) -> Undo | None:
        """What the token of an undo says; None for everything else."""
        told = self._told(token)
        return Undo(*told[1:]) if told is not None and told[0] == _UNDO else None

    def _told(self, token: str) -> tuple[int, int, int, int, date, int] | None:
        if len(token) != LENGTH or not token.isascii():
            return None
        try:
            whole = urlsafe_b64decode(token)
        except ValueError:
            return None
        raw, mac = whole[: _LAYOUT.size], whole[_LAYOUT.size :]
        if not hmac.compare_digest(mac, self._mac(raw)) or urlsafe_b64encode(whole).decode() != token:
            return None
        version, person, office, what, number, days = _LAYOUT.unpack(raw)
        return version, person, office, what, _EPOCH + timedelta(days=number), days

    def _mac(self, raw: bytes) -> bytes:
        return hmac.digest(self._links, raw, "sha256")[:_MAC]

    def url(self, link: Link | Undo) -> str:
        """The address of the page."""
        return self._base + self.pack(link)

    def form(self, token: str, now: datetime) -> str:
        """What a page carries and gives back with its answer: bound to the link and to when the page was shown."""
        shown = f"{int(now.timestamp()):x}"
        return f"{shown}.{hmac.digest(self._forms, f'{shown} {token}'.encode(), 'sha256')[:_MAC].hex()}"

    def is_form(self, token: str, given: str, now: datetime) -> bool:
        """Does what was sent come from a page of this link, and not from one of yesterday?"""
        shown, _, _ = given.partition(".")
        try:
            then = datetime.fromtimestamp(int(shown, 16), now.tzinfo)
        except (ValueError, OverflowError, OSError):
            return False
        good = hmac.compare_digest(given.encode("utf-8", "replace"), self.form(token, then).encode())
        return good and timedelta(minutes=-5) <= now - then <= PAGE_LIFE


@lru_cache(maxsize=8)
def signer(settings: Settings) -> Signer:
    """The signer of an installation."""
    return Signer(settings.key("secret_key"), settings.public_url)


def hash_of(token: str) -> str:
    """What is stored of a token: enough to know it again, not enough to use it."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def url_for(settings: Settings, run_date: date, person_id: int, office_id: int, role: str) -> Callable[[int], str] | None:
    """For one reader of a day's digest: project → address of its answer page. None for whom the role lets report nothing."""
    if REPORT not in MAY[role]:
        return None
    made = signer(settings)
    return lambda project_id: made.url(Link(person_id, office_id, project_id, run_date))
