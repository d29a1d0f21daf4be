"""What is stored of supervision orders: the order as it stands, every step of it, and which flags it answers to."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, BigId, UtcDateTime
from app.orders.lifecycle import check_sql
from app.projects.models import Project
from app.stalls.models import Flag

_OPEN = sa.text("state <> 'closed'")
_OPEN_RULE = sa.text("state <> 'closed' AND rule IS NOT NULL")


class Order(Base):
    """One supervision order as it stands now; `version` counts its events and is the ETag. With a `rule` it supervises a stall:
    of those a project has at most one open, however many rules are late. `person_id` is who was responsible when it was issued."""

    __tablename__ = "supervision_order"
    __table_args__ = (
        sa.UniqueConstraint("issuer_id", "year", "seq"),
        sa.CheckConstraint(check_sql(), name="state"),
        sa.Index("ix_supervision_order_office", "office_id", "id"),
        sa.Index("ix_supervision_order_number", "number"),
        sa.Index("ix_supervision_order_project", "project_id", "id"),
        sa.Index("ix_supervision_order_open", "due_on", "id", sqlite_where=_OPEN, postgresql_where=_OPEN),
        sa.Index("uq_supervision_order_stall", "project_id", unique=True, sqlite_where=_OPEN_RULE, postgresql_where=_OPEN_RULE),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    issuer_id: Mapped[int] = mapped_column(sa.ForeignKey("office.id"))
    year: Mapped[int]
    seq: Mapped[int]
    number: Mapped[str] = mapped_column(sa.String(40))
    office_id: Mapped[int] = mapped_column(sa.ForeignKey("office.id"))
    person_id: Mapped[int | None] = mapped_column(sa.ForeignKey("person.id"))
    project_id: Mapped[int | None] = mapped_column(BigId, sa.ForeignKey(Project.id))
    rule: Mapped[str | None] = mapped_column(sa.String(32))
    level: Mapped[str | None] = mapped_column(sa.String(12))
    automatic: Mapped[bool]
    matter: Mapped[str] = mapped_column(sa.Text)
    requirement: Mapped[str] = mapped_column(sa.Text)
    state: Mapped[str] = mapped_column(sa.String(12))
    version: Mapped[int]
    issued_on: Mapped[date]
    due_on: Mapped[date]
    asked_until: Mapped[date | None]
    received_on: Mapped[date | None]
    replied_on: Mapped[date | None]
    closed_on: Mapped[date | None]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class OrderEvent(Base):
    """One step of one order, append-only: who took it and when, what was written, and how the order stood after it."""

    __tablename__ = "order_event"
    __table_args__ = (sa.UniqueConstraint("order_id", "seq"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    order_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("supervision_order.id"))
    seq: Mapped[int]
    action: Mapped[str] = mapped_column(sa.String(20))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    happened_on: Mapped[date]
    state: Mapped[str] = mapped_column(sa.String(12))
    due_on: Mapped[date]
    text: Mapped[str | None] = mapped_column(sa.Text)
    until: Mapped[date | None]
    granted: Mapped[bool | None]
    token_id: Mapped[str | None] = mapped_column(sa.String(16))
    office_id: Mapped[int | None]
    role: Mapped[str | None] = mapped_column(sa.String(12))
    person_id: Mapped[int | None]


class OrderFlag(Base):
    """A flag that an order was issued for. A flag gets one order in its life, whatever became of that order."""

    __tablename__ = "order_flag"
    __table_args__ = (sa.Index("ix_order_flag_order", "order_id"),)

    flag_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey(Flag.id), primary_key=True, autoincrement=False)
    order_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("supervision_order.id"))


class OrderCounter(Base):
    """The last number an office gave to an order in a year. It moves in the order's own transaction, so numbers have no gaps."""

    __tablename__ = "order_counter"

    office_id: Mapped[int] = mapped_column(sa.ForeignKey("office.id"), primary_key=True)
    year: Mapped[int] = mapped_column(primary_key=True)
    last: Mapped[int]
