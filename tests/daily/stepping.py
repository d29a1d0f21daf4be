"""A process that sends what waits and dies at its n-th step: around every transaction, and around whatever it says to a mail
server and hears from it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.engine import Connection

from app.alerts.channels.session import Session
from app.alerts.sender import Sender
from app.clock import FixedClock
from app.db import Database
from app.settings import Settings
from tests.daily.county import ZONE, in_a_hurry


def send_step_by_step(url: str, folder: Path, smtp_url: str, instant: datetime, die_at: int) -> None:
    """One round of the sender, until death; exit code 0 when it has fewer steps than that."""
    left = die_at
    write, at_once, say, hear = Database.write, Database.at_once, Session.send, Session.getreply

    def step() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    @contextmanager
    def writing(self: Database) -> Iterator[Connection]:
        step()
        with write(self) as connection:
            yield connection
            step()
        step()

    @contextmanager
    def marking(self: Database) -> Iterator[Connection]:
        step()
        with at_once(self) as connection:
            yield connection
        step()

    def saying(self: Session, s: Any) -> None:
        say(self, s)
        step()

    def hearing(self: Session) -> tuple[int, bytes]:
        heard = hear(self)
        step()
        return heard

    Database.write, Database.at_once = writing, marking  # type: ignore[method-assign]
    Session.send, Session.getreply = saying, hearing  # type: ignore[method-assign]
    database = in_a_hurry(Database(url))
    Sender(database, FixedClock(ZONE, instant), Settings(database_url=url, var_dir=folder, smtp_url=smtp_url)).run()
    database.dispose()
