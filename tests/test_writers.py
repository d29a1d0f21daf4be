"""Writers on SQLite: one at a time, also between processes, and nobody waits longer than he has to."""

import sqlite3
import threading
from contextlib import closing

import pytest
import sqlalchemy as sa

from app import sessions
from app.db import Database


def test_a_writer_gets_in_as_soon_as_the_other_is_done(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        began, entered = threading.Event(), threading.Event()

        def write() -> None:
            began.set()
            with database.write():
                entered.set()

        writer = threading.Thread(target=write)
        writer.start()
        assert began.wait(10) and not entered.wait(0.2)
        other.execute("COMMIT")
        assert entered.wait(10)
        writer.join(10)
    database.dispose()


def test_a_writer_gives_up_with_an_error_that_says_why(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "PATIENCE", 0.05)
    database = Database(sqlite_url)
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(sa.exc.OperationalError, match="locked"), database.write():
            pass
        other.execute("COMMIT")
    with database.write() as connection:  # the connection is as good as new, and waits for readers' locks as ever
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == sessions.BUSY_TIMEOUT
    database.dispose()
