"""A worker as a process of its own, whose business day is told by the test and whose leases are real."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.alerts import fates
from app.alerts.daily import run_if_due
from app.alerts.sender import Sender
from app.clock import Clock
from app.db import Database
from app.errors import CommitUnknown
from app.policies.queries import PolicyBook
from app.settings import Settings
from app.stalls import evaluation, runs
from tests.daily.county import ZONE, in_a_hurry

LEASE = timedelta(seconds=1.5)


class ToldClock(Clock):
    """The day that the test says, and the database's clock for leases."""

    simulated = True

    def __init__(self, told: Any, ahead: float) -> None:
        super().__init__(ZONE)
        self.told, self.ahead = told, ahead

    def now(self) -> datetime:
        self.ahead += 1e-6
        return datetime.fromtimestamp(self.told.value + self.ahead, UTC)


def live(url: str, folder: Path, smtp_url: str, number: int, ahead: float, shared: dict[str, Any]) -> None:
    """Tick for ever. `signal_at[number]` is how many writing transactions from now the process gets `signal[number]`, at the
    moment before it begins."""
    runs.LEASE = fates.LEASE = fates.LEASE_AFTER_MARK = LEASE
    evaluation.CHUNK = 1
    evaluation.Evaluation.__init__.__kwdefaults__["chunk"] = 1
    whole, single = Database.write, Database.at_once

    def counted() -> None:
        if shared["signal_at"][number] > 0:
            shared["signal_at"][number] -= 1
            if shared["signal_at"][number] == 0:
                os.kill(os.getpid(), shared["signal"][number])

    @contextmanager
    def write(self: Database) -> Iterator[Connection]:
        counted()
        with whole(self) as connection:
            yield connection

    @contextmanager
    def at_once(self: Database) -> Iterator[Connection]:
        if not self.sqlite:
            counted()
        with single(self) as connection:
            yield connection

    Database.write, Database.at_once = write, at_once  # type: ignore[method-assign]
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    database, book = in_a_hurry(Database(url)), PolicyBook()
    settings, clock = Settings(database_url=url, var_dir=folder, smtp_url=smtp_url), ToldClock(shared["told"], ahead)
    while True:
        if shared["may"][number]:
            before = shared["told"].value
            try:
                run_if_due(database, clock, settings, book)
                Sender(database, clock, settings).run()
            except (sa.exc.DBAPIError, CommitUnknown) as error:  # as the worker does: said, and tried again at the next tick
                print(f"worker {number}:", str(getattr(error, "orig", error)).partition("\n")[0])
            if shared["told"].value == before:
                shared["ticks"][number] += 1
        time.sleep(0.02)
