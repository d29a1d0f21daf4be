"""Letting go of what was kept long enough, in small pieces, while everybody else goes on working.

Facts, standings, flags, runs, and the history of messages with the decisions of persons are never touched: they are evidence.
Of an old message its text goes; that it was sent, when, to whom and how it ended stays.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.alerts.models import ChannelState, Delivery
from app.db import Database
from app.offices.desk import REMEMBERED
from app.offices.models import Idempotency
from app.settings import Settings

PIECE = 500
"""Rows in one transaction: on SQLite nobody else can write meanwhile."""
BREATH = 0.05
"""Seconds between two pieces in which others get their turn."""
ENDED = ("sent", "failed", "expired", "uncertain", "suppressed")
"""States in which nobody sends a message any more, unless a person decides so on the same days."""


class Kept(NamedTuple):
    """One kind of rows, how long it is kept, which of them are over by a moment, and what letting go does to them."""

    name: str
    keep: Callable[[Settings], timedelta]
    over: Callable[[datetime, Settings], sa.Select[*tuple[Any, ...]]]
    let_go: Callable[[sa.Select[*tuple[Any, ...]]], sa.Delete | sa.Update]


def _messages(settings: Settings) -> timedelta:
    return timedelta(days=settings.keep_messages_days)


def _answers(since: datetime, _settings: Settings) -> sa.Select[*tuple[Any, ...]]:
    return sa.select(Idempotency.key).where(Idempotency.created_at < since)


def _texts(since: datetime, settings: Settings) -> sa.Select[*tuple[Any, ...]]:
    old = Delivery.run_date < since.astimezone(settings.zone).date()
    return sa.select(Delivery.id).where(old, Delivery.state.in_(ENDED), sa.func.length(Delivery.body) > 0, Delivery.updated_at < since)


def _relays(since: datetime, _settings: Settings) -> sa.Select[*tuple[Any, ...]]:
    return sa.select(ChannelState.channel, ChannelState.relay).where(ChannelState.state == "ok", ChannelState.updated_at < since)


KEPT: tuple[Kept, ...] = (
    Kept(
        "idempotency_answers", lambda _: REMEMBERED, _answers,
        lambda piece: sa.delete(Idempotency).where(Idempotency.key.in_(piece)),
    ),
    Kept(
        "message_texts", _messages, _texts,
        lambda piece: sa.update(Delivery).where(Delivery.id.in_(piece)).values(body=b""),
    ),
    Kept(
        "unused_relays", _messages, _relays,
        lambda piece: sa.delete(ChannelState).where(sa.tuple_(ChannelState.channel, ChannelState.relay).in_(piece)),
    ),
)  # fmt: skip
"""Everything that is let go of. What has no row here is kept for ever."""


def prune(
    database: Database,
    settings: Settings,
    now: datetime,
    *,
    dry_run: bool = False,
    stopping: Callable[[], bool] = lambda: False,
) -> dict[str, int]:
    """Let go of what is over; how many rows of each kind (would be). Two at once are harmless, and so is a stop in between."""
    return {one.name: _count(database, settings, now, one) if dry_run else _go(database, settings, now, one, stopping) for one in KEPT}


def _count(database: Database, settings: Settings, now: datetime, kind: Kept) -> int:
    over = kind.over(now - kind.keep(settings), settings)
    with database.statement() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(over.subquery())) or 0


def _go(database: Database, settings: Settings, now: datetime, kind: Kept, stopping: Callable[[], bool]) -> int:
    piece = kind.over(now - kind.keep(settings), settings).limit(PIECE)
    gone = 0
    while not stopping():
        with database.write() as connection:
            number = _rows(connection, kind.let_go(piece))
        gone += number
        if number < PIECE:
            break
        time.sleep(BREATH)
    return gone


def _rows(connection: Connection, statement: sa.Delete | sa.Update) -> int:
    return connection.execute(statement).rowcount
