"""Ways out of the house, one file each. A new channel is one file and one line in `OPENERS`."""

from __future__ import annotations

from collections.abc import Callable

from app.alerts.channels.base import MAIL, Channel
from app.alerts.channels.file import Folder
from app.alerts.channels.robots import Robots
from app.alerts.channels.smtp import Smtp
from app.db import Database
from app.robots.kinds import KINDS
from app.settings import Settings

Opener = Callable[[Settings, Database], Channel]


def _mail(settings: Settings, _database: Database) -> Channel:
    """The way that SMTP_URL names."""
    if settings.smtp_url.startswith("file:"):
        return Folder(settings.smtp_url.removeprefix("file:"))
    return Smtp(settings.smtp_url, settings.mail_from, tls=settings.smtp_tls, authority=settings.smtp_ca)


OPENERS: dict[str, Opener] = {MAIL: _mail, **dict.fromkeys(KINDS, Robots)}
"""By the name that stands in `delivery.channel`. A message for a channel that is not here is left alone until it expires: a
newer version may know it. Opening must not talk to the other side; it may read the database."""
