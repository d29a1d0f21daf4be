"""What a person may decide about messages."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.alerts import breaker, history, holding
from app.alerts.models import Delivery
from app.alerts.queries import ADDRESSED
from app.errors import DomainError, NotFound
from app.offices.access import Caller
from app.offices.models import Office

RESENDABLE = ("failed", "expired", "uncertain", "suppressed")


class Resent(NamedTuple):
    """What a resend came to: `held` while everything is held back."""

    id: int
    state: str


def resend(connection: Connection, number: int, caller: Caller, *, now: datetime, reason: str | None = None) -> Resent:
    """Send a message again although a copy may have arrived: only a person decides that, once per message, and it is recorded
    who did. Refused while it may still go by itself. The bytes and the Message-ID stay the same. It gets an hour, also after
    its day's deadline; what it told is told again by the next message anyway, as long as none is known to be sent.
    """
    query = (
        sa.select(Delivery.state, Delivery.resent_at, Delivery.attempt, sa.func.length(Delivery.body).label("size"))
        .select_from(ADDRESSED)
        .where(Delivery.id == number, Office.path.startswith(caller.scope, autoescape=True))
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"没有编号为 {number} 的消息")
    held = holding.current(connection)
    state = "pending" if held is None else "held"
    free = (Delivery.id == number, Delivery.state.in_(RESENDABLE), Delivery.resent_at.is_(None), sa.func.length(Delivery.body) > 0)
    moments = {"next_try_at": now, "resent_at": now, "updated_at": now, "lease_until": None, "owner": None, "marked_at": None}
    said = f"人工重发：{reason}" if reason else "人工重发"
    change = sa.update(Delivery).where(*free).values(**moments, state=state, reason=said[:500], attempt=Delivery.attempt + 1)
    attempt = connection.scalar(change.returning(Delivery.attempt))
    if attempt is None:
        raise DomainError(_why_not(row))
    who: dict[str, Any] = {"token_id": caller.token_id, "office_id": caller.office_id, "role": caller.role, "person_id": caller.person_id}
    history.note(connection, number, attempt, state, said[:500], now, **who)
    return Resent(number, state)


def _why_not(row: sa.Row[*tuple[object, ...]]) -> str:
    if not row.size:
        return "消息没有正文，不能重发"
    if row.resent_at is not None:
        return "该消息已人工重发过一次，不能再次重发；其内容会由下一份送达的消息再次告知"
    return f"状态为 {row.state} 的消息不能重发；只有 {'、'.join(RESENDABLE)} 可以"


def resume(connection: Connection, channel: str, *, now: datetime) -> int:
    """Somebody mended a channel: its relays are tried at the next tick instead of when their rest is over. How many rested."""
    if not breaker.known(connection, channel):
        raise NotFound(f"没有名为 {channel} 的通道，或它还没有发送过")
    return breaker.resume(connection, channel, now)
