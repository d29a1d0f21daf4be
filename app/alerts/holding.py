"""Holding everything back: after a restore until somebody finalises it, or because somebody says so.

While there is a hold nothing leaves: the sender checks it with every claim and again in the statement that writes the marker.
Whatever waits becomes `held`, with the hold's reason, and is counted and listed like any other state.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from app.alerts import history
from app.alerts.models import OPEN, Delivery, Hold

NOBODY_HOLDS = ~sa.exists(sa.select(sa.literal(1)).select_from(Hold.__table__))
"""A condition of a statement that may only take effect while nothing is held back."""
DOUBTFUL = "恢复前可能已经发出；需人工决定是否重发"


class Held(Exception):
    """Everything is being held back; the message did not leave."""


def current(connection: Connection) -> Any | None:
    """The hold's row (reason, since, doubtful_through), or None when messages may leave."""
    return connection.execute(sa.select(Hold.reason, Hold.since, Hold.doubtful_through)).one_or_none()


def hold(connection: Connection, reason: str, *, now: datetime, doubtful_through: date | None = None) -> int:
    """From this transaction's commit on nothing leaves; how many messages were waiting. Of two holds one stays, the stricter.

    `doubtful_through` is for a restore: messages of business dates up to it may have been sent by the system that was lost,
    so `release` calls them uncertain instead of sending them, and only a person may resend.
    """
    dialect: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    row = {"id": 1, "reason": reason[:500], "since": now, "doubtful_through": doubtful_through}
    made = connection.execute(dialect.insert(Hold).values(row).on_conflict_do_nothing().returning(Hold.id)).scalar_one_or_none()
    if made is None and doubtful_through is not None:
        connection.execute(sa.update(Hold).values(reason=reason[:500], doubtful_through=doubtful_through))
    return hold_back(connection, reason, now)


def hold_back(connection: Connection, reason: str, now: datetime) -> int:
    """Whatever waits becomes held; how many."""
    return history.move_all(connection, (sa.text(OPEN), Delivery.state == "pending"), "held", reason[:500], now)


def take_in(connection: Connection, reason: str, *, now: datetime) -> int:
    """After a restore: whatever the backup has waiting or on its way is held, or uncertain where the marker was there already.
    How many. Only under a hold, when nothing can be on its way but what the lost system had begun."""
    sending = (sa.text(OPEN), Delivery.state == "sending")
    lost = history.move_all(connection, (*sending, Delivery.marked_at.is_not(None)), "uncertain", DOUBTFUL, now)
    return lost + history.move_all(connection, sending, "held", reason[:500], now) + hold_back(connection, reason, now)


def release(connection: Connection, *, now: datetime) -> dict[str, int]:
    """End the hold: what it held waits again (its day's deadline still binds it), or is uncertain when it may have left before.

    Answers {"pending": n, "uncertain": n}; without a hold both are 0.
    """
    found = current(connection)
    if found is None:
        return {"pending": 0, "uncertain": 0}
    connection.execute(sa.delete(Hold))
    held: tuple[sa.ColumnElement[bool], ...] = (Delivery.state == "held",)
    uncertain = 0
    if found.doubtful_through is not None:
        uncertain = history.move_all(connection, (*held, Delivery.run_date <= found.doubtful_through), "uncertain", DOUBTFUL, now)
    return {"pending": history.move_all(connection, held, "pending", "已解除暂缓", now, next_try_at=now), "uncertain": uncertain}
