"""What is stored of projects: the fact log, and what is derived from it (standings, clocks, the printed row)."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, BigId, UtcDateTime
from app.heart import lifecycle

_ByBytes = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""Text in the order of its bytes, whatever locale the database was made with."""
_KNOWN, _SUPERSEDED = sa.text("known_to IS NULL"), sa.text("known_to IS NOT NULL")
_OWNED = sa.text("known_to IS NULL AND owner_id IS NOT NULL")
_LED = sa.text("known_to IS NULL AND liaison_id IS NOT NULL")
CHECKED = "known_to IS NULL AND checks > 0 AND valid_to = '9999-12-31'"
"""What the daily count of data checks reads, as its index spells it: nothing but the index."""
_CHECKED = sa.text(CHECKED)
_AGREED = sa.text("known_to IS NULL AND agreed_on IS NOT NULL")
_CREDITED, _CODED = sa.text("credit_code IS NOT NULL"), sa.text("project_code IS NOT NULL")
_MOVED_BY_TEXT = sa.text("known_to IS NULL AND soft_on > solid_on")


class Project(Base):
    """The printed row of a project, and the end of its fact chain. All but `id` and `ref` derives from facts."""

    __tablename__ = "project"
    __table_args__ = (
        sa.Index("ix_project_name", "name_key", "id"),
        sa.Index("ix_project_match", "match_key"),  # these three: a ledger's rows find their projects
        sa.Index("ix_project_credit_code", "credit_code", sqlite_where=_CREDITED, postgresql_where=_CREDITED),
        sa.Index("ix_project_code", "project_code", sqlite_where=_CODED, postgresql_where=_CODED),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    ref: Mapped[str] = mapped_column(sa.String(64), unique=True)
    office_id: Mapped[int] = mapped_column(sa.ForeignKey("office.id"), index=True)
    name: Mapped[str] = mapped_column(sa.String(500))
    investor: Mapped[str | None] = mapped_column(sa.String(500))
    industry: Mapped[str | None] = mapped_column(sa.String(100))
    credit_code: Mapped[str | None] = mapped_column(sa.String(18))
    signing_event: Mapped[str | None] = mapped_column(sa.String(200))
    project_code: Mapped[str | None] = mapped_column(sa.String(24))  # 项目代码, with hyphens
    version: Mapped[int]  # sequence number of the last fact; the ETag
    head_mac: Mapped[str] = mapped_column(sa.String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)  # moment of the first fact
    last_recorded_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_contact_on: Mapped[date | None]
    last_report_on: Mapped[date | None]
    name_key: Mapped[str] = mapped_column(_ByBytes, server_default=sa.text("''"))  # these four: search.py
    investor_key: Mapped[str] = mapped_column(_ByBytes, server_default=sa.text("''"))
    search_key: Mapped[str] = mapped_column(sa.Text, server_default=sa.text("''"))
    match_key: Mapped[int | None] = mapped_column(sa.BigInteger)


class FactRow(Base):
    """One fact, append-only. `mac` is the HMAC over the previous fact's mac and this row's stored bytes (chain.py)."""

    __tablename__ = "fact"
    __table_args__ = (sa.UniqueConstraint("project_id", "seq"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    project_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("project.id"))
    seq: Mapped[int]
    kind: Mapped[str] = mapped_column(sa.String(16))
    effective_on: Mapped[date]
    recorded_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    recorded_on: Mapped[date]
    office_id: Mapped[int | None]  # of the actor
    role: Mapped[str] = mapped_column(sa.String(12))
    person_id: Mapped[int | None]
    token_id: Mapped[str | None] = mapped_column(sa.String(16))
    source: Mapped[str] = mapped_column(sa.String(12))
    target: Mapped[int | None]  # sequence number of the fact it acts on
    data: Mapped[str] = mapped_column(sa.Text)
    mac: Mapped[str] = mapped_column(sa.String(64))


class StandingRow(Base):
    """What is true of a project on valid_from <= day < valid_to, as known on known_from <= moment < known_to (NULL: still)."""

    __tablename__ = "standing"
    __table_args__ = (
        sa.CheckConstraint(lifecycle.check_sql("stage"), name="stage"),
        sa.CheckConstraint(lifecycle.check_sql("stage_recognised"), name="stage_recognised"),
        sa.CheckConstraint("status IN ('active', 'suspended', 'terminated')", name="status"),
        sa.Index("ix_standing_office", "office_id", "project_id", sqlite_where=_KNOWN, postgresql_where=_KNOWN),
        sa.Index("ix_standing_owner", "owner_id", "project_id", sqlite_where=_OWNED, postgresql_where=_OWNED),
        sa.Index("ix_standing_liaison", "liaison_id", "project_id", sqlite_where=_LED, postgresql_where=_LED),
        sa.Index("ix_standing_checks", "office_id", "checks", "valid_to", "known_to", sqlite_where=_CHECKED, postgresql_where=_CHECKED),
        sa.Index(
            "ix_standing_wakes",
            "valid_from",
            sqlite_where=sa.text("known_to IS NULL AND wakes"),
            postgresql_where=sa.text("known_to IS NULL AND wakes"),
        ),
    )

    project_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("project.id"), primary_key=True)
    valid_from: Mapped[date] = mapped_column(primary_key=True)
    known_from: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    valid_to: Mapped[date]
    known_to: Mapped[datetime | None] = mapped_column(UtcDateTime)
    wakes: Mapped[bool]  # begins after the day it was recorded on (the end of a pause): the daily run must look then
    office_id: Mapped[int]
    stage: Mapped[str | None] = mapped_column(sa.String(12))
    stage_recognised: Mapped[str | None] = mapped_column(sa.String(12))
    status: Mapped[str] = mapped_column(sa.String(12))
    stage_entered_on: Mapped[date | None]
    signed_on: Mapped[date | None]
    last_progress_on: Mapped[date | None]
    last_solid_on: Mapped[date | None]
    route: Mapped[str | None] = mapped_column(sa.String(24))
    owner_id: Mapped[int | None]
    liaison_id: Mapped[int | None]  # 包联领导
    amount: Mapped[int | None] = mapped_column(sa.BigInteger)
    currency: Mapped[str | None] = mapped_column(sa.String(3))
    checks: Mapped[int] = mapped_column(sa.SmallInteger, server_default=sa.text("0"))  # bits of heart.checks
    detail: Mapped[str] = mapped_column(sa.Text)  # the rest of heart.standing.Standing as JSON


class ClockRow(Base):
    """One running clock (heart.rules.Clock), bitemporal like a standing, in the order lists are read in.

    `life` sorts clocks by how long they ran, so that a question about a past day skips those that had ended by then:
    99 still runs, 98 was known to end in the future, n ran 4^n to 4^(n+1) days (see derived.life_of).
    """

    __tablename__ = "clock"
    __table_args__ = (
        sa.Index(
            "ix_clock_now", "rule", "halted", "life", "solid_on", "project_id",
            sqlite_where=_KNOWN, postgresql_where=_KNOWN,
        ),
        sa.Index(
            "ix_clock_office", "office_id", "rule", "halted", "life", "solid_on", "project_id",
            sqlite_where=_KNOWN, postgresql_where=_KNOWN,
        ),
        sa.Index(
            "ix_clock_past", "rule", "halted", "life", "solid_on", "project_id",
            sqlite_where=_SUPERSEDED, postgresql_where=_SUPERSEDED,
        ),
        sa.Index(  # clocks that a text moved: the daily run finds them by their soft basis
            "ix_clock_soft", "rule", "soft_on", "project_id",
            sqlite_where=_MOVED_BY_TEXT, postgresql_where=_MOVED_BY_TEXT,
        ),
        sa.Index(  # clocks with an agreed period, whose percentages no basis bounds
            "ix_clock_agreed", "rule", "agreed_on", "solid_on", "project_id",
            sqlite_where=_AGREED, postgresql_where=_AGREED,
        ),
        sa.Index("ix_clock_known_to", "known_to", sqlite_where=_SUPERSEDED, postgresql_where=_SUPERSEDED),
    )  # fmt: skip

    project_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("project.id"), primary_key=True)
    rule: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    valid_from: Mapped[date] = mapped_column(primary_key=True)
    known_from: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    valid_to: Mapped[date]
    known_to: Mapped[datetime | None] = mapped_column(UtcDateTime)
    basis: Mapped[str] = mapped_column(sa.String(20))
    solid_on: Mapped[date]
    soft_on: Mapped[date]
    halted: Mapped[bool]
    office_id: Mapped[int]
    route: Mapped[str | None] = mapped_column(sa.String(24))
    part: Mapped[int | None]  # money in place in ten-thousandths of the contract, for rules with a share
    agreed_on: Mapped[date | None]  # the contract's date that percentages count to
    life: Mapped[int] = mapped_column(sa.SmallInteger)
