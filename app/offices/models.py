"""Offices (a tree), people, and the tokens that town systems call with."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, UtcDateTime


class Office(Base):
    """A unit in the tree. `path` holds the ids from the root down ("/1/4/"), so that a subtree is a prefix."""

    __tablename__ = "office"
    __table_args__ = (sa.CheckConstraint("kind IN ('county', 'bureau', 'town', 'department')", name="kind"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(sa.String(64), unique=True)
    name: Mapped[str] = mapped_column(sa.String(200), index=True)
    kind: Mapped[str] = mapped_column(sa.String(12))
    parent_id: Mapped[int | None] = mapped_column(sa.ForeignKey("office.id"))
    path: Mapped[str] = mapped_column(sa.String(400), index=True)


class Person(Base):
    """Somebody who owns projects or gets the digest. Facts name people by this id only."""

    __tablename__ = "person"
    __table_args__ = (sa.CheckConstraint("role IN ('clerk', 'officer', 'leader', 'auditor', 'admin')", name="role"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    office_id: Mapped[int] = mapped_column(sa.ForeignKey("office.id"), index=True)
    name: Mapped[str] = mapped_column(sa.String(100))
    email: Mapped[str] = mapped_column(sa.String(254), unique=True)
    role: Mapped[str] = mapped_column(sa.String(12))
    left_on: Mapped[date | None]
    left_told_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when somebody recorded that


class Token(Base):
    """A bearer token `id.secret`; only the secret's SHA-256 is kept (it has 256 random bits, so no slow hash is needed)."""

    __tablename__ = "token"

    id: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    office_id: Mapped[int] = mapped_column(sa.ForeignKey("office.id"), index=True)
    role: Mapped[str] = mapped_column(sa.String(12))
    person_id: Mapped[int | None] = mapped_column(sa.ForeignKey("person.id"))
    secret_hash: Mapped[str] = mapped_column(sa.String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class RefCounter(Base):
    """The last number given to a new project of an office in a year (T01-2026-0001)."""

    __tablename__ = "ref_counter"

    office_id: Mapped[int] = mapped_column(sa.ForeignKey("office.id"), primary_key=True)
    year: Mapped[int] = mapped_column(primary_key=True)
    last: Mapped[int]


class Idempotency(Base):
    """The first answer to an Idempotency-Key, given again to whoever repeats it. Written in the same transaction as the effect."""

    __tablename__ = "idempotency"

    key: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    body_hash: Mapped[str] = mapped_column(sa.String(64))
    status: Mapped[int]
    etag: Mapped[str | None] = mapped_column(sa.String(40))
    body: Mapped[str | None] = mapped_column(sa.Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class Meta(Base):
    """Small facts about the installation, such as which fold derived the standings."""

    __tablename__ = "meta"

    name: Mapped[str] = mapped_column(sa.String(40), primary_key=True)
    value: Mapped[str] = mapped_column(sa.Text)
