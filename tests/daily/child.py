"""A process that does a day and is killed in the middle of its n-th transaction, before the commit; or, where a statement is a
transaction by itself, just before it and just after it."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy.engine import Connection

from app.alerts.daily import daily
from app.clock import FixedClock
from app.db import Database
from app.policies.queries import PolicyBook
from app.settings import Settings
from app.stalls import evaluation
from tests.daily.county import ZONE, in_a_hurry


def die_in_transaction(number: int) -> None:
    """From now on, the n-th writing transaction of this process is its last moment."""
    left = number
    whole, single = Database.write, Database.at_once

    def step() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    @contextmanager
    def write(self: Database) -> Iterator[Connection]:
        with whole(self) as connection:
            yield connection
            step()

    @contextmanager
    def at_once(self: Database) -> Iterator[Connection]:
        if self.sqlite:  # it comes to `write`
            with single(self) as connection:
                yield connection
            return
        step()
        with single(self) as connection:
            yield connection
            step()

    Database.write, Database.at_once = write, at_once  # type: ignore[method-assign]


def do_day(url: str, folder: Path, smtp_url: str, instant: datetime, die_at: int, orders: str = "off") -> None:
    """`luodi daily` in one project per chunk, until death."""
    evaluation.CHUNK = 1
    evaluation.Evaluation.__init__.__kwdefaults__["chunk"] = 1
    settings = Settings(database_url=url, var_dir=folder, smtp_url=smtp_url, orders_automatic=orders)
    database = in_a_hurry(Database(url))
    die_in_transaction(die_at)
    daily(database, settings, FixedClock(ZONE, instant), PolicyBook())
    database.dispose()
