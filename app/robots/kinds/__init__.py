"""The kinds of robots there are. A new one is a file in this folder and a line here."""

from __future__ import annotations

from app.robots.kinds import dingtalk, feishu, webhook, wecom
from app.robots.kinds.base import Kind

KINDS: dict[str, Kind] = {one.KIND.name: one.KIND for one in (wecom, dingtalk, feishu, webhook)}
