"""Policy versions as stored."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, UtcDateTime


class PolicyVersion(Base):
    """One version of the limits. `body` is JSON and holds what differs from heart.rules (version 1 differs in nothing)."""

    __tablename__ = "policy_version"

    id: Mapped[int] = mapped_column(primary_key=True)
    effective_from: Mapped[date]
    recorded_at: Mapped[datetime] = mapped_column(UtcDateTime)
    body: Mapped[str] = mapped_column(sa.Text)
