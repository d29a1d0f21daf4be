"""Letting messages go again after a restore: those that the lost system may have sent become uncertain, and only a person resends."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.alerts import daily as days
from app.alerts import holding
from app.alerts.models import OPEN, Delivery
from app.backups import records
from app.errors import DomainError
from app.offices.desk import House
from app.policies.queries import book_of
from app.stalls import runs

WAIT = 180.0
"""Seconds to wait for a daily run that another process is in the middle of."""


class Outlook(NamedTuple):
    """What finalising will do, as things are: messages that become uncertain, messages that will be sent, and the restores."""

    uncertain: int
    pending: int
    doubtful_through: Any
    restores: dict[str, dict[str, Any]]


def outlook(connection: Connection) -> Outlook:
    """Look, and change nothing; refused when no restore waits to be finalised."""
    waiting = records.open_restores(connection)
    hold = holding.current(connection)
    if not waiting or hold is None:
        raise DomainError("没有等待确认的恢复 / no restore waits to be finalised")
    query = sa.select(Delivery.run_date, sa.func.count()).where(sa.or_(Delivery.state == "held", sa.text(OPEN))).group_by(Delivery.run_date)
    by_day = {day: number for day, number in connection.execute(query)}
    doubtful = sum(number for day, number in by_day.items() if hold.doubtful_through is not None and day <= hold.doubtful_through)
    return Outlook(doubtful, sum(by_day.values()) - doubtful, hold.doubtful_through, waiting)


def finalize(house: House) -> dict[str, int]:
    """End the hold; {"uncertain": n, "pending": n}. A day that is still in doubt is done first, while nothing can leave: the
    lost system may have done it too, and its messages shall not go out a second time."""
    database, clock = house.database, house.clock
    patience = time.monotonic() + WAIT
    while True:
        with database.statement() as connection:
            hold = outlook(connection).doubtful_through
        in_doubt = hold is not None and clock.today() <= hold
        if in_doubt:
            days.run_if_due(database, clock, house.settings, book_of(database))
        with database.write() as connection:
            waiting = outlook(connection).restores
            run = runs.of_day(connection, clock.today()) if in_doubt else None
            if run is None or run.state not in runs.UNFINISHED:
                now = clock.now()
                holding.take_in(connection, records.REASON, now=now)
                came_to = holding.release(connection, now=now)
                records.close(connection, waiting, now, came_to)
                return came_to
        if time.monotonic() > patience:
            raise DomainError("今天的每日任务正由其他进程处理，请稍后再试 / the daily run is under way, try again later")
        time.sleep(0.2)
