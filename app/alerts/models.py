"""The outbox: one message per (date, person, channel), its bytes fixed once, its fate always visible."""

from __future__ import annotations

import zlib
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, BigId, UtcDateTime
from app.robots.models import Robot  # its table, for the key that points at it

STATES = ("pending", "sending", "sent", "failed", "expired", "uncertain", "suppressed", "held")
OPEN = "state IN ('pending', 'sending')"
LOST = "state IN ('failed', 'expired', 'uncertain')"
"""Both as their partial indexes spell them: a query has to say the same words, or SQLite does not use the index."""
GROUP = "person_id IS NULL"
RELAYS = ("ok", "resting", "probing", "paused")


PACKED = b"\x00z"
"""What no message begins with."""


class Packed(sa.types.TypeDecorator[bytes]):
    """The bytes of a message, stored packed: a digest of fifty rows takes 19 KB instead of 150, and SQLite writes a row anew with all
    of it at every change of its state. What is short, and what was stored before, is as it is."""

    impl = sa.LargeBinary
    cache_ok = True

    def process_bind_param(self, value: bytes | None, dialect: Any) -> bytes | None:
        if value is None or (len(value) < 2000 and not value.startswith(PACKED)):
            return value
        return PACKED + zlib.compress(value, 1)

    def process_result_value(self, value: bytes | None, dialect: Any) -> bytes | None:
        return None if value is None else unpacked(value)


def unpacked(stored: bytes) -> bytes:
    """A message from how it is stored."""
    return zlib.decompress(stored[len(PACKED) :]) if stored.startswith(PACKED) else stored


class Delivery(Base):
    """One message and what became of it: to a person, or (then `person_id` is NULL) to an office's group robot, or to a person by
    a robot. `recipient` is a mail address or the number of the robot. `parts_taken` counts, of a message in parts, those that are
    known to be taken. `marked_at` is written just before it is out of our hands (mail: before the final
    dot): after that, only a person may resend. `owner` is the process that holds the lease."""

    __tablename__ = "delivery"
    __table_args__ = (
        sa.UniqueConstraint("run_date", "person_id", "channel"),
        sa.CheckConstraint("person_id IS NOT NULL OR robot_id IS NOT NULL", name="addressed"),
        sa.Index(
            "ix_delivery_robot", "robot_id", "run_date", "channel",
            unique=True, sqlite_where=sa.text(GROUP), postgresql_where=sa.text(GROUP),
        ),
        sa.CheckConstraint(f"state IN ({', '.join(repr(state) for state in STATES)})", name="state"),
        sa.Index("ix_delivery_open", "channel", "state", "next_try_at", sqlite_where=sa.text(OPEN), postgresql_where=sa.text(OPEN)),
        sa.Index("ix_delivery_lost", "updated_at", sqlite_where=sa.text(LOST), postgresql_where=sa.text(LOST)),
        sa.Index("ix_delivery_person", "person_id", "run_date"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    run_date: Mapped[date]
    person_id: Mapped[int | None] = mapped_column(sa.ForeignKey("person.id"))
    robot_id: Mapped[int | None] = mapped_column(sa.ForeignKey(Robot.id))
    channel: Mapped[str] = mapped_column(sa.String(12))
    recipient: Mapped[str] = mapped_column(sa.String(254))
    message_id: Mapped[str] = mapped_column(sa.String(200))
    subject: Mapped[str] = mapped_column(sa.String(400))
    body: Mapped[bytes] = mapped_column(Packed)
    state: Mapped[str] = mapped_column(sa.String(12))
    reason: Mapped[str | None] = mapped_column(sa.String(500))
    attempt: Mapped[int]
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    owner: Mapped[str | None] = mapped_column(sa.String(80))
    next_try_at: Mapped[datetime] = mapped_column(UtcDateTime)
    marked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    parts_taken: Mapped[int | None]
    resent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # a person's decision, once per message
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class DeliveryEvent(Base):
    """One thing that happened to a message, append-only: how an attempt ended, or what a person decided (then with who it was).

    `state` is what the message came to by it, `phase` how far the attempt had got.
    """

    __tablename__ = "delivery_event"
    __table_args__ = (sa.Index("ix_delivery_event_delivery", "delivery_id", "id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    delivery_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("delivery.id"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    attempt: Mapped[int]
    state: Mapped[str] = mapped_column(sa.String(12))
    phase: Mapped[str | None] = mapped_column(sa.String(16))
    reason: Mapped[str | None] = mapped_column(sa.String(500))
    token_id: Mapped[str | None] = mapped_column(sa.String(16))
    office_id: Mapped[int | None]
    role: Mapped[str | None] = mapped_column(sa.String(12))
    person_id: Mapped[int | None]


class Preference(Base):
    """By which way somebody wants his digest: a robot of his own office, or (NULL, and without a row) mail. Whether there is a
    digest is no matter of taste."""

    __tablename__ = "person_preference"

    person_id: Mapped[int] = mapped_column(sa.ForeignKey("person.id"), primary_key=True, autoincrement=False)
    robot_id: Mapped[int | None] = mapped_column(sa.ForeignKey(Robot.id))
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ChannelState(Base):
    """How one relay of one channel is (alerts/breaker.py). `since` is when its trouble began, `until` when it is tried again;
    `recent` holds the moments of the last messages to a relay that has a pace, as JSON."""

    __tablename__ = "channel_state"
    __table_args__ = (sa.CheckConstraint(f"state IN ({', '.join(repr(state) for state in RELAYS)})", name="state"),)

    channel: Mapped[str] = mapped_column(sa.String(12), primary_key=True)
    relay: Mapped[str] = mapped_column(sa.String(254), primary_key=True)
    state: Mapped[str] = mapped_column(sa.String(12))
    failures: Mapped[int]
    since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reason: Mapped[str | None] = mapped_column(sa.String(500))
    recent: Mapped[str] = mapped_column(sa.Text)
    last_sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Hold(Base):
    """While its one row is there, nothing leaves (alerts/holding.py)."""

    __tablename__ = "sending_hold"
    __table_args__ = (sa.CheckConstraint("id = 1", name="one"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    reason: Mapped[str] = mapped_column(sa.String(500))
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    doubtful_through: Mapped[date | None]
