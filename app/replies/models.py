"""Every use of a link: opened, answered, repeated, refused and why."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, BigId, UtcDateTime
from app.offices.models import Person
from app.projects.models import FactRow, Project
from app.replies import rules

ANSWERED = sa.text("what = 'answered'")


class ReplyUse(Base):
    """One use of one link; the same again within a minute, from the same network, counts in `times`, so that nobody who holds a
    link can fill the table. `link` is a hash of the token. `network` is the caller's address cut to /24 (IPv6: /48): it tells
    the office's line from a stranger's, and nobody's telephone. An answered link has one such row, with its fact."""

    __tablename__ = "reply_use"
    __table_args__ = (
        sa.UniqueConstraint("link", "what", "reason", "network", "minute", name="uq_reply_use_minute"),
        sa.CheckConstraint(f"what IN ({', '.join(repr(what) for what in rules.USES)})", name="what"),
        sa.Index("uq_reply_use_answered", "link", unique=True, sqlite_where=ANSWERED, postgresql_where=ANSWERED),
        sa.Index("ix_reply_use_person", "person_id", "id"),
        sa.Index("ix_reply_use_project", "project_id", "id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    link: Mapped[str] = mapped_column(sa.String(64))
    run_date: Mapped[date]
    person_id: Mapped[int] = mapped_column(sa.ForeignKey(Person.id))
    project_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey(Project.id))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    minute: Mapped[datetime] = mapped_column(UtcDateTime)
    what: Mapped[str] = mapped_column(sa.String(12))
    reason: Mapped[str] = mapped_column(sa.String(20))
    network: Mapped[str] = mapped_column(sa.String(43))
    times: Mapped[int]
    kind: Mapped[str | None] = mapped_column(sa.String(12))
    answer: Mapped[str | None] = mapped_column(sa.String(64))
    fact_id: Mapped[int | None] = mapped_column(BigId, sa.ForeignKey(FactRow.id))
