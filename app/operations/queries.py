"""Reading how the day stands: a handful of reads, each by an index, whatever the size of the register."""

from __future__ import annotations

from datetime import datetime, time

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.alerts import breaker, holding
from app.alerts.models import LOST, OPEN, Delivery
from app.calendars.models import CalendarVersion
from app.operations.condition import OVERDUE, Seen, last_due
from app.settings import Settings
from app.stalls import runs


def overdue(now: datetime) -> sa.Select[int]:
    """How many messages should have left: pending past their time, or in the hands of a sender that let its lease run out."""
    late = now - OVERDUE
    waits = sa.and_(Delivery.state == "pending", Delivery.next_try_at < late)
    stuck = sa.and_(Delivery.state == "sending", Delivery.lease_until < late)
    return sa.select(sa.func.count()).select_from(Delivery).where(sa.text(OPEN), sa.or_(waits, stuck))


def lost(now: datetime, settings: Settings) -> sa.Select[str, int]:
    """Messages of the last day that was due which ended badly. What earlier days lost is told again by later digests."""
    day = last_due(now, settings)
    since = datetime.combine(day, time(), settings.zone)
    query = sa.select(Delivery.state, sa.func.count()).where(sa.text(LOST), Delivery.updated_at >= since, Delivery.run_date >= day)
    return query.group_by(Delivery.state)


def seen(connection: Connection, now: datetime, settings: Settings) -> Seen:
    """What the condition of the day is judged by."""
    hold = holding.current(connection)
    year = now.astimezone(settings.zone).year
    years = sa.select(CalendarVersion.year).where(CalendarVersion.year.in_((year, year + 1))).distinct()
    return Seen(
        runs.latest(connection),
        connection.scalar(overdue(now)) or 0,
        {state: number for state, number in connection.execute(lost(now, settings))},
        [(row.channel, row.state, row.since) for row in breaker.troubles(connection)],
        None if hold is None else hold.since,
        set(connection.scalars(years)),
    )
