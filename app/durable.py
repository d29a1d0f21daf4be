"""Refuse a database that would lose, or misread, what it said it kept. Looked at on every new connection, since a server may be
set up well and a role, a database or the address's own options may not; DEV takes anything.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from functools import partial
from typing import Any

from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError

from app.db import Database
from app.errors import UnsafeDatabase
from app.sessions import POOLING
from app.settings import Settings, database_address

log = logging.getLogger("luodi.db")
OLDEST = 130_000
"""PostgreSQL 13."""
_ASKED = """SELECT current_setting('synchronous_commit'), current_setting('fsync'), current_setting('full_page_writes'),
current_setting('server_encoding'), pg_is_in_recovery(), current_setting('transaction_read_only'),
current_setting('statement_timeout'), current_setting('default_transaction_isolation'),
(SELECT datcollate FROM pg_database WHERE datname = current_database())"""
_PLAIN = ("C", "POSIX", "C.UTF-8", "C.utf8", "C.UTF8")


def inspect(connection: Any, *, pooled: bool = False) -> None:
    """Raise UnsafeDatabase with everything that has to change, for one fresh connection of either driver."""
    faults = faults_of(connection, pooled)
    if faults:
        connection.close()
        raise UnsafeDatabase("；".join(faults) + "（仅开发环境可用 LUODI_DEV=true 忽略 / only DEV takes it as it is）")


def faults_of(connection: Any, pooled: bool = False) -> list[str]:
    """Everything that has to change before this connection keeps what it confirms."""
    return _sqlite(connection) if isinstance(connection, sqlite3.Connection) else _postgresql(connection, pooled)


def inspector(settings: Settings) -> Callable[[Any], None] | None:
    """What looks at new connections under these settings."""
    pooled = database_address(settings.database_url).query.get(POOLING) == "transaction"
    return None if settings.dev else partial(inspect, pooled=pooled)


def must_be_safe(settings: Settings, *, may_be_away: bool = False) -> None:
    """At start: refuse the database, or say what is odd about it. A service may start before its database."""
    if settings.dev:
        return
    database = Database(settings.database_url, 1, inspector(settings))
    try:
        with database.engine.connect() as connection:
            if not database.sqlite:
                _remark(connection)
    except OperationalError as error:
        if not may_be_away:
            raise
        log.warning("数据库暂时不可用，连上时再检查 / database unavailable, to be looked at later: %s", str(error.orig).strip())
    finally:
        database.dispose()


def _remark(connection: Connection) -> None:
    isolation, collation = connection.exec_driver_sql(_ASKED).one()[-2:]
    if collation not in _PLAIN:
        log.warning("数据库排序规则 %s 随系统 libc 改变，升级后索引可能失效；建议用 C.UTF-8 建库 / collation changes with libc", collation)
    if isolation != "read committed":
        log.warning("事务隔离级别为 %s；请从地址中去掉 default_transaction_isolation / isolation is not read committed", isolation)


def _postgresql(connection: Any, pooled: bool) -> list[str]:
    version = connection.info.server_version
    before = connection.autocommit
    connection.autocommit = True
    row = connection.execute(_ASKED).fetchone()
    connection.autocommit = before
    commit, fsync, pages, encoding, standby, read_only, patience, _, _ = row
    faults = []
    if version < OLDEST:
        faults.append(f"PostgreSQL {version // 10_000} 太旧，请升级到 13 或更新 / needs PostgreSQL 13 or newer")
    for name, value in (("synchronous_commit", commit), ("fsync", fsync), ("full_page_writes", pages)):
        if value == "off":
            faults.append(f"{name}=off 会在断电时丢失已确认的记录，请设 {name}=on / set {name}=on, or confirmed facts are lost")
    if patience == "0" and not pooled:
        faults.append(
            "连接参数被中间的连接池忽略，请在地址后加 ?pooling=transaction / a pooler ignores our options, add ?pooling=transaction"
        )
    if encoding != "UTF8":
        faults.append(f"数据库编码为 {encoding}，请用 createdb -T template0 -E UTF8 --locale=C.UTF-8 重建 / encoding must be UTF8")
    if standby:
        faults.append("这是只读备库，请把 LUODI_DATABASE_URL 指向主库 / this is a standby, point LUODI_DATABASE_URL at the primary")
    elif read_only == "on":
        faults.append("default_transaction_read_only=on，无法写入，请设为 off / set default_transaction_read_only=off")
    return faults


def _sqlite(connection: Any) -> list[str]:
    faults = []
    if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        faults.append("SQLite 不能在此文件上使用 WAL，请把文件放在本机磁盘 / no WAL here, keep the file on a local disk")
    if connection.execute("PRAGMA synchronous").fetchone()[0] != 2:
        faults.append("SQLite synchronous 不是 FULL / synchronous is not FULL")
    return faults
