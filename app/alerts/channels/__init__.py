"""Ways out of the house, one file each. A new channel is one file and one line in `channel_for`."""

from __future__ import annotations

from app.alerts.channels.base import Channel
from app.alerts.channels.file import Folder
from app.alerts.channels.smtp import Smtp
from app.settings import Settings


def channel_for(settings: Settings) -> Channel:
    """The channel that SMTP_URL names."""
    url = settings.smtp_url
    if url.startswith("file:"):
        return Folder(url.removeprefix("file:"))
    return Smtp(url, settings.mail_from)
