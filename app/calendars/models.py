"""The table of notices. Only added to; one row is what one notice says of one year."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, UtcDateTime


class CalendarVersion(Base):
    """One year as one notice has it. Of a year's versions the one recorded latest is in force; earlier ones answer for what was
    known before."""

    __tablename__ = "calendar_version"

    id: Mapped[int] = mapped_column(primary_key=True)
    year: Mapped[int]
    recorded_at: Mapped[datetime] = mapped_column(UtcDateTime)
    body: Mapped[str] = mapped_column(sa.Text)  # JSON: {"holidays": {"2026-01-01": "元旦"}, "workdays": {"2026-01-04": "元旦"}}
    source: Mapped[str | None] = mapped_column(sa.String(500))  # number or address of the notice
    given: Mapped[str | None] = mapped_column(sa.Text)  # the wording or CSV it was read from
    office_id: Mapped[int | None]  # of the actor, as in facts; no office: the command line, or shipped with the software
    role: Mapped[str | None] = mapped_column(sa.String(12))
    person_id: Mapped[int | None]
