"""The outbox: one message per (date, person, channel), its bytes fixed once, its fate always visible."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, BigId, UtcDateTime

STATES = ("pending", "sending", "sent", "failed", "expired", "uncertain", "suppressed", "held")
OPEN = "state IN ('pending', 'sending')"
LOST = "state IN ('failed', 'expired', 'uncertain')"
"""Both as their partial indexes spell them: a query has to say the same words, or SQLite does not use the index."""


class Delivery(Base):
    """One message and what became of it. `marked_at` is written just before the final dot: after it, only a person may resend."""

    __tablename__ = "delivery"
    __table_args__ = (
        sa.UniqueConstraint("run_date", "person_id", "channel"),
        sa.CheckConstraint(f"state IN ({', '.join(repr(state) for state in STATES)})", name="state"),
        sa.Index("ix_delivery_open", "state", "next_try_at", sqlite_where=sa.text(OPEN), postgresql_where=sa.text(OPEN)),
        sa.Index("ix_delivery_lost", "updated_at", sqlite_where=sa.text(LOST), postgresql_where=sa.text(LOST)),
        sa.Index("ix_delivery_person", "person_id", "run_date"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    run_date: Mapped[date]
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("person.id"))
    channel: Mapped[str] = mapped_column(sa.String(12))
    recipient: Mapped[str] = mapped_column(sa.String(254))
    message_id: Mapped[str] = mapped_column(sa.String(200))
    subject: Mapped[str] = mapped_column(sa.String(400))
    body: Mapped[bytes] = mapped_column(sa.LargeBinary)
    state: Mapped[str] = mapped_column(sa.String(12))
    reason: Mapped[str | None] = mapped_column(sa.String(500))
    attempt: Mapped[int]
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    next_try_at: Mapped[datetime] = mapped_column(UtcDateTime)
    marked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
