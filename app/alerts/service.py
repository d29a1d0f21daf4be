"""What a person may decide about messages."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.alerts.models import Delivery
from app.errors import DomainError, NotFound
from app.offices.models import Office, Person

RESENDABLE = ("failed", "expired", "uncertain", "suppressed")


def resend(connection: Connection, number: int, *, now: datetime, scope: str = "/") -> None:
    """Send a message again although a copy may have arrived: only a person decides that. Refused while it may still go by itself.

    `scope` is the path of the offices the person covers. The bytes and the Message-ID stay the same. It gets an hour,
    also after its day's deadline.
    """
    query = (
        sa.select(Delivery.state, sa.func.length(Delivery.body))
        .join(Person, Person.id == Delivery.person_id)
        .join(Office, Office.id == Person.office_id)
        .where(Delivery.id == number, Office.path.startswith(scope, autoescape=True))
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"没有编号为 {number} 的消息")
    moments = {"next_try_at": now, "created_at": now, "updated_at": now, "lease_until": None, "marked_at": None}
    done = connection.execute(
        sa.update(Delivery)
        .where(Delivery.id == number, Delivery.state.in_(RESENDABLE), sa.func.length(Delivery.body) > 0)
        .values(**moments, state="pending", reason="人工重发", attempt=Delivery.attempt + 1)
    )
    if done.rowcount != 1:
        hint = "消息没有正文，不能重发" if not row[1] else f"状态为 {row[0]} 的消息不能重发；只有 {'、'.join(RESENDABLE)} 可以"
        raise DomainError(hint)
