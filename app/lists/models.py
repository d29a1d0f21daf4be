"""The filters that offices keep."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, UtcDateTime


class SavedFilter(Base):
    """A question to a list under a name, kept by an office for everybody in it. It is never changed: whoever wants another
    one keeps another, so that an address that was passed on goes on meaning the same."""

    __tablename__ = "saved_filter"
    __table_args__ = (sa.UniqueConstraint("office_id", "list", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    office_id: Mapped[int] = mapped_column(sa.ForeignKey("office.id"))
    name: Mapped[str] = mapped_column(sa.String(100))
    list: Mapped[str] = mapped_column(sa.String(24))
    query: Mapped[str] = mapped_column(sa.Text)
    role: Mapped[str] = mapped_column(sa.String(12))
    person_id: Mapped[int | None] = mapped_column(sa.ForeignKey("person.id"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
