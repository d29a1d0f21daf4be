"""What happened to messages, written down: one row per end of an attempt and per decision of a person."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.alerts.models import Delivery, DeliveryEvent

_INSERT = sa.insert(DeliveryEvent)


def note(
    connection: Connection, number: int, attempt: int, state: str, reason: str | None, now: datetime, *, phase: str = "", **who: Any
) -> None:
    """One line of a message's history. `who` are token_id, office_id, role and person_id of somebody who decided it."""
    row = {"delivery_id": number, "at": now, "attempt": attempt, "state": state, "phase": phase[:16] or None, "reason": reason}
    connection.execute(_INSERT, {**row, "token_id": None, "office_id": None, "role": None, "person_id": None, **who})


def move_all(connection: Connection, where: Sequence[Any], state: str, reason: str, now: datetime, **values: Any) -> int:
    """Bring all messages that match to a state, with a line of history each; how many there were."""
    change = sa.update(Delivery).where(*where).values(state=state, reason=reason, updated_at=now, lease_until=None, owner=None, **values)
    moved = connection.execute(change.returning(Delivery.id, Delivery.attempt)).all()
    if moved:
        rows = [{"delivery_id": number, "at": now, "attempt": attempt, "state": state, "reason": reason} for number, attempt in moved]
        connection.execute(_INSERT, rows)
    return len(moved)
