"""The marker of one message and the end of the one before it: one commit, and on PostgreSQL a single statement and one journey.

The marker is the point of no return. It is written only while the message is still ours and nobody holds everything back; what
became of the message before is written whether that is so or not. On SQLite the statements take the short way (app/rows.py): to
be taken through SQLAlchemy costs three times what they take, for every message, while every other writer waits.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.alerts.holding import NOBODY_HOLDS
from app.alerts.models import Delivery, DeliveryEvent
from app.db import UtcDateTime
from app.rows import Single

ENDING = ("sending", "uncertain")
"""States that the answer of the other side may end: also when others had already called it uncertain, for we know better."""
_TOLD = ("id", "updated_at", "attempt", "state", "reason")
_LINE = ("delivery_id", "at", "attempt", "state", "reason")
"""What the history says of it, from the message as it is now."""


def _marking(*, server: bool) -> Any:
    """`server`: the lease may be counted from the server's own clock."""
    until: Any = sa.bindparam("until", type_=UtcDateTime())
    if server:
        until = sa.func.coalesce(until, sa.func.clock_timestamp() + sa.bindparam("lease", type_=sa.Interval()))
    mine = (Delivery.id == sa.bindparam("number"), Delivery.attempt == sa.bindparam("turn"), Delivery.owner == sa.bindparam("whose"))
    change = sa.update(Delivery).where(*mine, Delivery.state == "sending", NOBODY_HOLDS)
    at = sa.bindparam("at", type_=UtcDateTime())
    return change.values(marked_at=at, lease_until=until, updated_at=at).returning(Delivery.id)


@cache
def _statement() -> Any:
    return _marking(server=True)


def _ending() -> Any:
    that = (
        Delivery.id == sa.bindparam("ended"),
        Delivery.attempt == sa.bindparam("ended_turn"),
        sa.or_(*(Delivery.state == one for one in ENDING)),
    )
    at = sa.bindparam("at", type_=UtcDateTime())
    change = sa.update(Delivery).where(*that)
    change = change.values(state="sent", reason=sa.bindparam("answer"), lease_until=None, owner=None, updated_at=at)
    return change.returning(*(getattr(Delivery, name) for name in _TOLD))


@cache
def _with_end() -> Any:
    """Both at once: how many ends and how many markers were written."""
    ended = _ending().cte("ended")
    noted = sa.insert(DeliveryEvent).from_select(list(_LINE), sa.select(*ended.c)).cte("noted")
    marked = _marking(server=True).cte("marked")
    counts = (sa.select(sa.func.count()).select_from(one).scalar_subquery() for one in (ended, marked))
    return sa.select(*counts).add_cte(noted)


@cache
def _plain() -> tuple[Single, Single, Single]:
    """One after the other, where a statement changes one table: the end of a message, its history, and the marker."""
    noting = sa.insert(DeliveryEvent).values({name: sa.bindparam(name) for name in _LINE}).inline()
    return Single(_ending()), Single(noting), Single(_marking(server=False))


def mark(connection: Connection, told: dict[str, Any]) -> bool:
    """Write the marker; was it written?"""
    if connection.dialect.name != "sqlite":
        return connection.execute(_statement(), told).one_or_none() is not None
    return _plain()[2].row(connection, told) is not None


def mark_after(connection: Connection, told: dict[str, Any], before: dict[str, Any]) -> tuple[bool, bool]:
    """The same, and that the message before was sent; was each of them written?"""
    if connection.dialect.name != "sqlite":
        ended, marked = connection.execute(_with_end(), told | before).one()
        return bool(ended), bool(marked)
    ending, noting, _ = _plain()
    row = ending.row(connection, before | {"at": told["at"]})
    if row is not None:
        noting.row(connection, dict(zip(_LINE, row.values(), strict=True)))
    return row is not None, mark(connection, told)
