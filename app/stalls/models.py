"""The flags that remember what was told, and the daily run."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, BigId, UtcDateTime


class Flag(Base):
    """What was told about one project and rule. It changes level and never multiplies; levels themselves derive from dates."""

    __tablename__ = "flag"
    __table_args__ = (
        sa.Index(
            "uq_flag_open",
            "project_id",
            "rule",
            unique=True,
            sqlite_where=sa.text("closed_on IS NULL"),
            postgresql_where=sa.text("closed_on IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    project_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("project.id"))
    rule: Mapped[str] = mapped_column(sa.String(32))
    office_id: Mapped[int]
    level: Mapped[str] = mapped_column(sa.String(12))
    level_on: Mapped[date]  # run that last changed the level
    opened_on: Mapped[date]
    closed_on: Mapped[date | None]
    basis_on: Mapped[date]
    due_on: Mapped[date]
    stock: Mapped[bool]  # 存量: already late when the register first looked


class FlagChange(Base):
    """One change of one flag on one run: the raw material of "new since the digest you last got"."""

    __tablename__ = "flag_change"
    __table_args__ = (sa.UniqueConstraint("run_date", "project_id", "rule"), sa.Index("ix_flag_change_office", "office_id", "run_date"))

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    run_date: Mapped[date]
    project_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("project.id"))
    rule: Mapped[str] = mapped_column(sa.String(32))
    office_id: Mapped[int]
    from_level: Mapped[str | None] = mapped_column(sa.String(12))
    to_level: Mapped[str | None] = mapped_column(sa.String(12))
    stock: Mapped[bool]


class DailyRun(Base):
    """The authority on "has this day been done": claimed by a conditional update with lease and attempt number."""

    __tablename__ = "daily_run"
    __table_args__ = (sa.CheckConstraint("state IN ('claimed', 'evaluated', 'enqueued', 'done', 'skipped')", name="state"),)

    run_date: Mapped[date] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(sa.String(12))
    attempt: Mapped[int]
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    owner: Mapped[str | None] = mapped_column(sa.String(80))
    policy_id: Mapped[int | None]
    calendar_id: Mapped[int | None]  # workdays were counted by the calendar up to this version: the next run compares with it
    started_at: Mapped[datetime | None] = mapped_column(
        UtcDateTime
    )  # of the attempt that evaluated: the next run reads what was learnt since
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    counts: Mapped[str] = mapped_column(sa.Text)  # JSON: what the run did
