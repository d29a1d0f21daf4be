"""Copying an SQLite database while others write into it, and laying one down in place of another."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from app.backups.manifest import BackupBroken
from app.errors import DomainError

PAGES = 2000
"""Pages per step, some 8 MB: often enough to say how far it is."""


def copy(source: Path, to: Path, told: Callable[[int, int], None]) -> None:
    """The whole database as it is at this moment, as one file. `told` hears (bytes done, bytes in all).

    The source's own transaction keeps the moment: writers go on writing into the log, and the copy never begins again.
    """
    uri = f"{source.resolve().as_uri()}?mode=rw"
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None, timeout=60)) as origin, closing(sqlite3.connect(to)) as made:
        to.chmod(0o600)
        size = int(origin.execute("PRAGMA page_size").fetchone()[0])
        origin.execute("BEGIN")
        origin.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        origin.backup(made, pages=PAGES, progress=lambda _, left, total: told((total - left) * size, total * size), sleep=0)
        origin.execute("ROLLBACK")
        made.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it


def check(path: Path) -> None:
    """The pages hang together; BackupBroken otherwise."""
    with closing(sqlite3.connect(path)) as connection:
        try:
            said = connection.execute("PRAGMA quick_check(3)").fetchall()
        except sqlite3.DatabaseError as error:
            raise BackupBroken(f"转储不是 SQLite 数据库：{error} / the dump is no SQLite database") from error
    if said != [("ok",)]:
        raise BackupBroken(f"转储内部损坏：{said[0][0]} / the dump is damaged inside")


def is_empty(path: Path) -> bool:
    """Is there no file, or one without any table?"""
    if not path.exists() or path.stat().st_size == 0:
        return True
    with closing(sqlite3.connect(path, timeout=5)) as connection:
        return int(connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]) == 0


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Nobody else has the database open while the block lasts, and its log is part of it; refused while a server runs."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=2)) as connection:
        try:
            connection.execute("PRAGMA journal_mode=DELETE")
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            raise DomainError("数据库正被使用；请先停止 luodi serve 与 luodi worker / stop the service first") from error
        yield
