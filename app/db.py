"""The database, SQLite or PostgreSQL: engine, transactions, column types.

Three ways in: `snapshot()` (several reads that agree with each other), `statement()` (one read, no transaction around it)
and `write()` (one transaction; on SQLite one writer at a time, taken with BEGIN IMMEDIATE because the driver's default
lost concurrent updates without an error). Whoever opens it commits it: there is no session to forget.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.sql.visitors import InternalTraversal

from app.errors import CommitUnknown
from app.sessions import BEGIN, POOLING, begins, listen, postgresql_arguments
from app.settings import database_address

log = logging.getLogger("luodi.db")
T = TypeVar("T")
ATTEMPTS = 3
"""How often a whole transaction is tried, all in all."""
ROOT = Path(__file__).resolve().parent.parent
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """All tables; migrations are compared with this metadata on both databases."""

    metadata = sa.MetaData(naming_convention=NAMING)


BigId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""SQLite numbers its rows by itself only for INTEGER."""


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """An instant in UTC. SQLite has no time zones: it stores UTC and gets the zone back on the way out."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        return value if value is None or value.tzinfo is not None else value.replace(tzinfo=UTC)


class _Many(sa.types.TypeDecorator[Sequence[Any]]):
    """Any number of numbers or texts as one value: an array on PostgreSQL, JSON on SQLite."""

    impl = sa.Text
    cache_ok = True

    def __init__(self, item: type[sa.types.TypeEngine[Any]]) -> None:
        super().__init__()
        self.item = item

    def load_dialect_impl(self, dialect: Any) -> Any:
        return dialect.type_descriptor(sa.ARRAY(self.item) if dialect.name == "postgresql" else sa.Text())

    def process_bind_param(self, value: Sequence[Any] | None, dialect: Any) -> Any:
        return value if value is None else list(value) if dialect.name == "postgresql" else orjson.dumps(list(value)).decode()


class _Among(sa.ColumnElement[bool]):
    inherit_cache = True
    type = sa.Boolean()
    _traverse_internals = [("column", InternalTraversal.dp_clauseelement), ("many", InternalTraversal.dp_clauseelement)]  # noqa: RUF012

    def __init__(self, column: Any, many: Any) -> None:
        self.column, self.many = column, many

    def self_group(self, against: Any = None) -> _Among:
        """A comparison already: not to be compared with 1 where there are no booleans."""
        return self


def among(column: Any, name: str = "ids", item: type[sa.types.TypeEngine[Any]] = sa.BigInteger) -> sa.ColumnElement[bool]:
    """Is the column's value one of those bound to `name`? One text whatever their number: a list that is spelt out value by
    value has to be read anew each time, which takes PostgreSQL's driver 30 ms for 500 of them."""
    return _Among(sa.inspect(column).expression if hasattr(column, "property") else column, sa.bindparam(name, type_=_Many(item)))


@compiles(_Among)
def _among_any(element: _Among, compiler: Any, **more: Any) -> str:
    return f"{compiler.process(element.column, **more)} = ANY({compiler.process(element.many, **more)})"


@compiles(_Among, "sqlite")
def _among_json(element: _Among, compiler: Any, **more: Any) -> str:
    return f"{compiler.process(element.column, **more)} IN (SELECT value FROM json_each({compiler.process(element.many, **more)}))"


class Database:
    """One database and its pool. `threads` is how many requests may hold a connection at once; `inspect` looks at every new
    connection (PostgreSQL's or sqlite3's own) before it is used, and may refuse it. Of several hosts the primary is looked for, or
    with `standby` one that is none."""

    def __init__(self, url: str, threads: int = 8, inspect: Callable[[Any], None] | None = None, *, standby: bool = False) -> None:
        self.url = database_address(url)
        self.sqlite = self.url.get_backend_name() == "sqlite"
        self.pooled = self.url.query.get(POOLING) == "transaction"
        self.url = self.url.difference_update_query([POOLING])
        self._writer = threading.Lock()
        if self.sqlite:
            if self.url.database:
                Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
            connect_args: dict[str, Any] = {"timeout": 60, "check_same_thread": False}
        else:
            connect_args = postgresql_arguments(self.url, pooled=self.pooled, standby=standby)
        # a few spare connections for the worker's threads; a request never waits for more than its own. What people wrote
        # (the parameters) stays out of error messages and thereby out of logs
        self.engine: Engine = sa.create_engine(
            self.url, pool_size=threads + 4, max_overflow=0, pool_timeout=30, connect_args=connect_args, hide_parameters=True,
            isolation_level="AUTOCOMMIT",
        )  # fmt: skip
        self.begins = begins(sqlite=self.sqlite, pooled=self.pooled)
        listen(self.engine, self.begins)
        self._statement = self.engine.execution_options(**{BEGIN: self.begins.statement})
        self._snapshot = self.engine.execution_options(**{BEGIN: self.begins.snapshot})
        if inspect is not None:
            sa.event.listen(self.engine, "connect", lambda connection, _record: inspect(connection))

    @contextmanager
    def statement(self) -> Iterator[Connection]:
        """For a single read: no BEGIN and no ROLLBACK travel to the server (but through a pooler, where settings travel with it)."""
        with self._statement.connect() as connection:
            yield connection
            if self.pooled:
                connection.commit()

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """For several reads that must agree with each other."""
        with self._snapshot.connect() as connection:
            yield connection
            connection.commit()  # nothing was written; but after a rollback psycopg forgets all that it had prepared

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction, committed when the block ends well. On SQLite one writer at a time, also between processes."""
        if not self.sqlite:
            with self.engine.connect() as connection, connection.begin() as transaction:
                yield connection
                _commit(transaction)
            return
        with self._writer, self.engine.begin() as connection:
            yield connection

    @contextmanager
    def at_once(self) -> Iterator[Connection]:
        """For a single statement that writes: a transaction by itself, committed once it has answered; no BEGIN and no COMMIT travel
        to the server. On SQLite and through a pooler the same as `write`."""
        with self.write() if self.sqlite or self.pooled else _sure(self._statement.connect()) as connection:
            yield connection

    def patiently(self, work: Callable[[], T]) -> T:
        """Do a whole unit of work, and once more when the database ended it for no fault of its own: a deadlock, a
        serialization failure, or a connection that broke before the commit was sent. Twice at most, each time from the start."""
        for turn in range(1, ATTEMPTS):
            try:
                return work()
            except sa.exc.DBAPIError as error:
                if not _may_try_again(error):
                    raise
                log.warning("whole transaction once more (%s): %s", turn, str(error.orig).partition("\n")[0])
                time.sleep(random.uniform(0, 0.05 * turn))
        return work()

    def analyse(self) -> None:
        """Tell the database how its tables are filled: after much was added it plans by guesses until somebody does."""
        if self.sqlite:
            with self.write() as connection:  # a sample, for nobody can write meanwhile
                connection.exec_driver_sql("PRAGMA analysis_limit=1000")
                connection.exec_driver_sql("ANALYZE")
        else:
            with self.statement() as connection:
                connection.exec_driver_sql("ANALYZE")

    def dispose(self) -> None:
        """Close the pool."""
        self.engine.dispose()


@contextmanager
def _sure(work: AbstractContextManager[T]) -> Iterator[T]:
    """When the connection breaks in the middle of a commit nobody knows whether it happened: that is said, never retried."""
    try:
        with work as given:
            yield given
    except sa.exc.DBAPIError as error:
        if error.connection_invalidated:
            raise CommitUnknown("提交时数据库连接中断，不能确定是否已记录；请用同一 Idempotency-Key 重试，或先查询再重报") from error
        raise


def _commit(transaction: sa.RootTransaction) -> None:
    with _sure(nullcontext()):
        transaction.commit()


def _may_try_again(error: sa.exc.DBAPIError) -> bool:
    return error.connection_invalidated or getattr(error.orig, "sqlstate", None) in ("40001", "40P01")


def alembic_config(url: str) -> Any:
    """Alembic's configuration for this database, wherever the process was started."""
    from alembic.config import Config

    config = Config(str(ROOT / "alembic.ini"))
    config.set_main_option("script_location", str(ROOT / "migrations"))
    config.attributes["url"] = url
    return config


@cache
def head() -> str:
    """The newest revision in migrations/."""
    from alembic.script import ScriptDirectory

    revision = ScriptDirectory.from_config(alembic_config("sqlite://")).get_current_head()
    assert revision is not None
    return revision


def knows(revision: str) -> bool:
    """Is this one of the revisions in migrations/? One that is not comes from a newer version."""
    from alembic.script import ScriptDirectory

    return any(one.revision == revision for one in ScriptDirectory.from_config(alembic_config("sqlite://")).walk_revisions())


def current_revision(connection: Connection) -> str | None:
    """The revision the database is at; None when it was never migrated."""
    from alembic.migration import MigrationContext

    return MigrationContext.configure(connection).get_current_revision()


def migrate(url: str) -> None:
    """Bring the schema to the newest revision. Two at once are safe: PostgreSQL takes an advisory lock, SQLite its own."""
    from alembic import command

    database = Database(url)
    try:
        with database.engine.connect() as connection:
            if not database.sqlite:  # held until the commit: through a pooler a session may be anybody's
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7105001)")
            config = alembic_config(url)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()
    finally:
        database.dispose()
