"""What the bureau's digest says about the sending itself: ways out that are out of order, and messages held back."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.alerts import breaker, holding
from app.alerts.models import Delivery

CHANNELS = {"mail": "邮件", "wecom": "企业微信", "dingtalk": "钉钉", "feishu": "飞书", "webhook": "Webhook"}
_STATES = {"paused": "已暂停，需人工处理", "resting": "暂歇，稍后自动重试", "probing": "正在试探"}


def sending_notes(connection: Connection, zone: ZoneInfo) -> list[str]:
    """One plain sentence for each relay in trouble, and one when messages are held back."""
    said = []
    for one in breaker.troubles(connection):
        since = "" if one.since is None else f"自 {one.since.astimezone(zone):%Y-%m-%d %H:%M} 起"
        said.append(f"{CHANNELS.get(one.channel, one.channel)}通道（{one.relay}）{since}{_STATES[one.state]}：{one.reason or '原因不明'}")
    if (hold := holding.current(connection)) is not None:
        number = connection.scalar(sa.select(sa.func.count()).where(Delivery.state == "held")) or 0
        said.append(f"自 {hold.since.astimezone(zone):%Y-%m-%d %H:%M} 起暂缓发送一切消息（{hold.reason}），现有 {number} 条。")
    return said
