"""Group robots of offices."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, UtcDateTime

LIVE = "removed_at IS NULL"


class Robot(Base):
    """A chat group's robot that carries the short form of its office's digest. `sealed` holds address and secret, encrypted with
    a key that is not in the database. A removed robot keeps its row, for the sake of its messages, and loses what was sealed."""

    __tablename__ = "robot"
    __table_args__ = (
        sa.CheckConstraint("kind IN ('wecom', 'dingtalk', 'feishu', 'webhook')", name="kind"),
        sa.Index("ix_robot_name", "office_id", "name", unique=True, sqlite_where=sa.text(LIVE), postgresql_where=sa.text(LIVE)),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    office_id: Mapped[int] = mapped_column(sa.ForeignKey("office.id"))
    kind: Mapped[str] = mapped_column(sa.String(12))
    name: Mapped[str] = mapped_column(sa.String(100))
    host: Mapped[str] = mapped_column(sa.String(260))
    tail: Mapped[str] = mapped_column(sa.String(4))
    signed: Mapped[bool]
    sealed: Mapped[str | None] = mapped_column(sa.Text)
    enabled: Mapped[bool]
    recent: Mapped[str] = mapped_column(sa.Text)
    """The moments of its last posts, for pacing."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    removed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
