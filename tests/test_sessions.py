"""How transactions begin: a single read begins none, several reads agree with each other, and a failed write leaves nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from app.db import Database, UtcDateTime
from app.errors import CommitUnknown
from app.rows import Single, fetched, for_each

_COUNT = sa.text("SELECT count(*) FROM thing")


@pytest.fixture
def database(empty_database_url: str) -> Iterator[Database]:
    made = Database(empty_database_url, 2)
    with made.write() as connection:
        connection.exec_driver_sql("CREATE TABLE thing (id INTEGER PRIMARY KEY)")
        connection.exec_driver_sql("INSERT INTO thing VALUES (1)")
    yield made
    made.dispose()


def add(database: Database, number: int) -> None:
    with database.write() as connection:
        connection.exec_driver_sql(f"INSERT INTO thing VALUES ({number})")


def begun(connection: sa.Connection) -> bool:
    """Does the driver say that a transaction is open?"""
    raw: Any = connection.connection.dbapi_connection
    return bool(raw.in_transaction) if hasattr(raw, "in_transaction") else raw.info.transaction_status != psycopg.pq.TransactionStatus.IDLE


def test_a_single_read_begins_no_transaction_and_sees_what_is_there(database: Database) -> None:
    with database.statement() as connection:
        assert connection.scalar(_COUNT) == 1
        assert not begun(connection)
        add(database, 2)
        assert connection.scalar(_COUNT) == 2


def test_reads_of_a_snapshot_agree_whatever_is_written_meanwhile(database: Database) -> None:
    with database.snapshot() as connection:
        assert connection.scalar(_COUNT) == 1
        assert begun(connection)
        add(database, 2)
        assert connection.scalar(_COUNT) == 1
    with database.snapshot() as connection:
        assert connection.scalar(_COUNT) == 2


def test_a_snapshot_of_postgresql_cannot_write(postgresql_url: str) -> None:
    database = Database(postgresql_url, 2)
    with pytest.raises(sa.exc.InternalError, match="read-only transaction"), database.snapshot() as connection:
        connection.exec_driver_sql("CREATE TABLE thing (id INTEGER)")
    database.dispose()


def test_a_write_that_fails_leaves_nothing_behind_nor_open(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.write() as connection:
        connection.exec_driver_sql("INSERT INTO thing VALUES (2)")
        _ = 1 / 0
    with pytest.raises(sa.exc.IntegrityError), database.write() as connection:
        connection.exec_driver_sql("INSERT INTO thing VALUES (3)")
        connection.exec_driver_sql("INSERT INTO thing VALUES (1)")
    for _turn in range(3):  # whichever connection of the pool comes
        with database.statement() as connection:
            assert not begun(connection)
            assert connection.scalar(_COUNT) == 1


def test_a_write_reads_what_was_committed_before_each_of_its_statements(postgresql_url: str) -> None:
    """Also where the address prefers another isolation: whoever waited for a lock must see what was written meanwhile."""
    database = Database(f"{postgresql_url}?options=-c%20default_transaction_isolation%3Dserializable", 2)
    with database.write() as connection:
        assert connection.exec_driver_sql("SHOW transaction_isolation").scalar() == "read committed"
        connection.exec_driver_sql("CREATE TABLE thing (id INTEGER PRIMARY KEY)")
    with database.write() as connection:
        assert connection.scalar(_COUNT) == 0
        add(database, 1)
        assert connection.scalar(_COUNT) == 1
    database.dispose()


def test_a_connection_that_broke_in_the_pool_is_told_as_such_and_replaced(postgresql_url: str) -> None:
    database = Database(postgresql_url, 1)
    with database.write() as connection:
        number = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
    with psycopg.connect(database.url.set(drivername="postgresql").render_as_string(hide_password=False), autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", (number,))

    def written() -> Any:
        with database.write() as connection:
            return connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()

    with pytest.raises(sa.exc.DBAPIError) as told:
        written()
    assert told.value.connection_invalidated and not isinstance(told.value, CommitUnknown)
    assert written() != number
    database.dispose()


def test_columns_are_those_of_the_driver(postgresql_url: str) -> None:
    """What SQLAlchemy is given for the columns of a result answers as the driver's own would."""
    database = Database(postgresql_url, 1)
    with database.statement() as connection:
        raw: Any = connection.connection.dbapi_connection
        cursor = raw.cursor()
        assert cursor.description is None
        cursor.execute("SELECT 1 AS one, 'x'::text AS two, NULL::date AS three")
        own = psycopg.Cursor.description.fget(cursor)  # type: ignore[attr-defined]
        assert [tuple(one) for one in cursor.description] == [tuple(one) for one in own]
        assert len(cursor.description) == 3 and cursor.description[-1].name == "three"
        cursor.execute("SELECT")
        assert list(cursor.description) == []
        row = connection.execute(sa.text("SELECT 1 AS one, 'x' AS two")).mappings().one()
        assert dict(row) == {"one": 1, "two": "x"}
    database.dispose()


_ROW = sa.select(
    sa.bindparam("day", type_=sa.Date).label("day"), sa.bindparam("moment", type_=UtcDateTime).label("moment"),
    sa.literal(5).label("five"), sa.null().label("absent"),
).where(sa.bindparam("wanted", type_=sa.Boolean))  # fmt: skip


def test_the_short_way_gives_the_row_that_the_long_way_gives(database: Database) -> None:
    single = Single(_ROW)
    given = {"day": date(2026, 2, 28), "moment": datetime(2026, 2, 28, 16, 30, 0, 1, UTC), "wanted": True}
    with database.statement() as connection:
        long = dict(connection.execute(_ROW, given).mappings().one())
        short = single.row(connection, given)
        assert short == long and [type(one) for one in short.values()] == [type(one) for one in long.values()]
        assert short["absent"] is None and short["five"] == 5
        assert single.row(connection, {**given, "wanted": False}) is None


def test_the_short_way_writes_inside_the_transaction_that_is_open(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.write() as connection:
        assert len(fetched(connection, "INSERT INTO thing VALUES (2) RETURNING id", ())) == 1
        _ = 1 / 0
    with database.statement() as connection:
        assert fetched(connection, "SELECT id FROM thing", ()) == [(1,)]


def test_one_statement_for_many_rows_is_all_or_nothing(sqlite_url: str) -> None:
    database = Database(sqlite_url, 2)
    with database.write() as connection:
        connection.exec_driver_sql("CREATE TABLE thing (id INTEGER PRIMARY KEY)")
        for_each(connection, "INSERT INTO thing VALUES (?)", [(1,), (2,)])
    with pytest.raises(sa.exc.IntegrityError), database.write() as connection:
        for_each(connection, "INSERT INTO thing VALUES (?)", [(3,), (2,)])
    with database.statement() as connection:
        assert connection.scalar(_COUNT) == 2
    database.dispose()


def test_errors_of_the_short_way_are_told_as_any_other(database: Database) -> None:
    with pytest.raises(sa.exc.IntegrityError) as told, database.write() as connection:
        fetched(connection, "INSERT INTO thing VALUES (1) RETURNING id", ())
    assert not told.value.connection_invalidated
    assert begun_nowhere(database)


def begun_nowhere(database: Database) -> bool:
    with database.statement() as connection:
        return not begun(connection)


def test_when_the_server_went_away_all_its_connections_are_replaced(postgresql_url: str) -> None:
    """One request meets a connection that is gone; the next does not meet another one."""
    database = Database(postgresql_url, 4)
    with ExitStack() as all_at_once:
        held = [all_at_once.enter_context(database.statement()) for _ in range(4)]
        numbers = [fetched(one, "SELECT pg_backend_pid()", ())[0][0] for one in held]
    with psycopg.connect(database.url.set(drivername="postgresql").render_as_string(hide_password=False), autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(n) FROM unnest(%s::int[]) n", (numbers,))
    with pytest.raises(sa.exc.DBAPIError) as told, database.statement() as connection:
        fetched(connection, "SELECT pg_backend_pid()", ())
    assert told.value.connection_invalidated
    with database.statement() as connection:
        assert fetched(connection, "SELECT pg_backend_pid()", ())[0][0] not in numbers
    database.dispose()


def test_a_list_of_values_does_not_go_the_short_way(database: Database) -> None:
    with database.statement() as connection, pytest.raises(AssertionError, match="among"):
        Single(sa.select(sa.literal(1)).where(sa.literal(1).in_([1, 2]))).row(connection, {})
