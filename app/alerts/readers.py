"""Who may get the digest of a day, and what each was told last."""

from __future__ import annotations

from datetime import date, datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.alerts import digest
from app.alerts.models import Delivery
from app.offices.models import Office, Person

MAIL = "mail"
WHOLE = ("county", "bureau")
READERS = ("clerk", "officer", "leader")


class Recipient(NamedTuple):
    """Somebody who may get a digest, and the last one known to have reached him: of which day, and when it was written."""

    id: int
    name: str
    email: str
    role: str
    office_id: int
    office: str
    kind: str
    path: str
    last_date: date | None = None
    last_at: datetime | None = None

    @property
    def whole(self) -> bool:
        """County and bureau hear of every town."""
        return self.kind in WHOLE

    @property
    def reader(self) -> digest.Reader:
        """What the digest has to know of him."""
        return digest.Reader(self.name, self.office, self.whole, self.whole and self.role == "leader")


def recipients(connection: Connection, day: date) -> list[Recipient]:
    """Everybody who may get the digest of a day."""
    last = (
        sa.select(Delivery.person_id, sa.func.max(Delivery.run_date).label("run_date"))
        .where(Delivery.state == "sent", Delivery.channel == MAIL, Delivery.run_date < day)
        .group_by(Delivery.person_id)
        .subquery()
    )
    query = (
        sa.select(
            Person.id,
            Person.name,
            Person.email,
            Person.role,
            Office.id,
            Office.name,
            Office.kind,
            Office.path,
            last.c.run_date,
            Delivery.created_at,  # not when it was sent: what failed while it was on its way is not in it
        )
        .join(Office, Office.id == Person.office_id)
        .outerjoin(last, last.c.person_id == Person.id)
        .outerjoin(
            Delivery,
            sa.and_(Delivery.person_id == Person.id, Delivery.run_date == last.c.run_date, Delivery.channel == MAIL),
        )
        .where(
            Person.role.in_(READERS),
            Office.kind.in_((*WHOLE, "town")),
            sa.or_(Person.left_on.is_(None), Person.left_on > day),
        )
        .order_by(Person.id)
    )
    return [Recipient(*row) for row in connection.execute(query)]
