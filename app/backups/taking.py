"""Making a backup while servers write: dump, counts and seal are of one and the same moment."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.backups import postgres, sqlite
from app.backups.archive import Packer, exists, publish, workshop
from app.backups.manifest import Contents, Manifest, contents, made_by
from app.db import Database
from app.errors import DomainError

Progress = Callable[[str, int, float | None], None]
"""Hears of a phase, the bytes that are done, and what share of it that is, where this is known."""
COPY, PACK = "复制 copying", "写入 writing"


def backup(database: Database, out: Path, key: bytes, now: datetime, progress: Progress) -> tuple[Path, Manifest]:
    """Write a backup to a file that is not there yet, or into a folder under a name made of the moment; (where, what it holds).

    Refused when the file exists, the disk is full or PostgreSQL's programs are missing; then nothing is left behind.
    """
    if out.is_dir():
        out = out / f"luodi-{now:%Y%m%dT%H%M%SZ}.backup"
    out = out.absolute()
    if out.exists():
        raise exists(out)
    if not out.parent.is_dir():
        raise DomainError(f"没有文件夹 {out.parent} / no such folder")
    with _told_plainly(out), workshop(out) as folder:
        draft = folder / "archive"
        packer = Packer(draft, squeeze=database.sqlite)
        try:
            pack = _sqlite if database.sqlite else _postgresql
            manifest = pack(database, packer, folder, key, now, progress).signed(key)
            packer.close(manifest)
        except BaseException:
            packer.abandon()
            raise
        publish(draft, out)
    return out, manifest


def _sqlite(database: Database, packer: Packer, folder: Path, key: bytes, now: datetime, progress: Progress) -> Manifest:
    source, copied = Path(str(database.url.database)), folder / "copy.db"
    if not source.exists():
        raise DomainError("数据库尚未初始化；请先运行 luodi migrate / run `luodi migrate` first")
    sqlite.copy(source, copied, lambda done, total: progress(COPY, done, done / max(total, 1)))
    found = looked_at(copied, key)
    size = copied.stat().st_size
    with copied.open("rb") as file:
        dump = packer.dump(file, lambda done: progress(PACK, done, done / max(size, 1)))
    copied.unlink()
    return made_by(now, "sqlite", sqlite3.sqlite_version, found, dump)


def looked_at(path: Path, key: bytes | None) -> Contents:
    """What a copy holds; nothing is written into it, and no log appears beside it."""
    engine = sa.create_engine("sqlite://", creator=lambda: sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True), poolclass=sa.NullPool)
    with engine.connect() as connection:
        return contents(connection, key)


def _postgresql(database: Database, packer: Packer, folder: Path, key: bytes, now: datetime, progress: Progress) -> Manifest:
    with _moment(database) as connection:
        found = contents(connection, key)
        server = postgres.major(connection)
        snapshot = str(connection.exec_driver_sql("SELECT pg_export_snapshot()").scalar_one())
        with postgres.dumping(database, snapshot, server) as stream:
            dump = packer.dump(stream, lambda done: progress(PACK, done, None))
        version = str(connection.exec_driver_sql("SHOW server_version").scalar_one())
    return made_by(now, "postgresql", version, found, dump)


@contextmanager
def _moment(database: Database) -> Iterator[Connection]:
    """A snapshot that may be kept for hours; a server's short limits are for requests."""
    with database.snapshot() as connection:
        for limit in ("idle_in_transaction_session_timeout", "statement_timeout"):
            connection.exec_driver_sql(f"SET LOCAL {limit} = 0")
        yield connection


@contextmanager
def _told_plainly(out: Path) -> Iterator[None]:
    """What goes wrong with disks, as a refusal that says so."""
    try:
        yield
    except OSError as error:
        raise DomainError(f"不能写入 {error.filename or out.parent}：{error.strerror or error}；未留下任何文件 / cannot write") from error
    except sqlite3.Error as error:
        raise DomainError(f"不能复制数据库到 {out.parent}：{error}；未留下任何文件 / cannot copy") from error
