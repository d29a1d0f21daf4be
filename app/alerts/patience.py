"""What the other side answered is written down, however long the database takes to come back."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import sqlalchemy as sa
import structlog

from app.errors import CommitUnknown

log = structlog.get_logger()
T = TypeVar("T")
PATIENCE = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
"""Seconds between attempts: a restart or a fail-over is over by then, and a lease (`fates.LEASE_AFTER_MARK`) is not."""
AWAY = (sa.exc.DBAPIError, sa.exc.TimeoutError, CommitUnknown)
"""What a database that is away raises, and a pool without a free connection."""


BRIEFLY = 3
"""Pauses of somebody who has a mail server wait meanwhile: two seconds in all."""


def insist(work: Callable[[], T], *, delivery: int, pauses: int | None = None) -> T:
    """Do a unit of work that may be done twice (its updates are conditional) until it is done; after two minutes, or so many
    pauses, its error."""
    for pause in PATIENCE[:pauses]:
        try:
            return work()
        except AWAY as error:
            log.warning("database away, the fate of a message waits", delivery=delivery, error=type(error).__name__)
            time.sleep(pause)
    return work()
