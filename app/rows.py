"""The short way from a statement to its rows, for what is asked all day long: the library's own way takes longer than the answer
of the database. Its pool, its transactions and its kinds of errors stay what they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection


@contextmanager
def as_told(connection: Connection, statement: str) -> Iterator[None]:
    """What the driver itself refuses is told as SQLAlchemy tells it: whoever calls looks at what kind of error it is."""
    dialect: Any = connection.dialect
    raw: Any = connection.connection.dbapi_connection
    try:
        yield
    except dialect.loaded_dbapi.Error as error:
        lost = dialect.is_disconnect(error, raw, None)
        if lost:
            connection.exec_driver_sql("SELECT 1")  # fails as well, and lets the pool know that its other connections are gone too
        made = sa.exc.DBAPIError.instance(
            statement, None, error, dialect.loaded_dbapi.Error, hide_parameters=True, connection_invalidated=lost, dialect=dialect
        )
        raise made from error


def fetched(connection: Connection, statement: str, given: Any) -> list[tuple[Any, ...]]:
    """All rows of a statement in the words of the driver, and their values as the driver gives them."""
    raw: Any = connection.connection.dbapi_connection
    with as_told(connection, statement):
        rows: list[tuple[Any, ...]] = raw.cursor().execute(statement, given).fetchall()
    return rows


def for_each(connection: Connection, statement: str, rows: Sequence[Any]) -> None:
    """One statement for each of the rows, none of which answers anything."""
    raw: Any = connection.connection.dbapi_connection
    with as_told(connection, statement):
        raw.cursor().executemany(statement, rows)


class _Words(NamedTuple):
    text: str
    order: tuple[str, ...] | None
    fixed: dict[str, Any]
    binders: tuple[tuple[str, Callable[[Any], Any]], ...]
    names: tuple[str, ...]
    readers: tuple[tuple[str, Callable[[Any], Any]], ...]


class Single:
    """A query for one row at most, or a change that answers one at most, put into a database's words once. Values go in and come
    out by the types of their columns."""

    def __init__(self, query: sa.Select[Any] | sa.UpdateBase) -> None:
        self._query = query
        self._words: dict[str, _Words] = {}

    def row(self, connection: Connection, given: Mapping[str, Any]) -> dict[str, Any] | None:
        """The row by the names of its columns; None when there is none."""
        if not connection.in_transaction():
            connection.begin()  # also where that means nothing: whoever closes the connection ends it
        words = self._words.get(connection.dialect.name) or self._words.setdefault(connection.dialect.name, self._made(connection.dialect))
        values = {**words.fixed, **given}
        for name, bind in words.binders:
            values[name] = bind(values[name])
        rows = fetched(connection, words.text, values if words.order is None else [values[name] for name in words.order])
        if not rows:
            return None
        row = dict(zip(words.names, rows[0], strict=True))
        for name, read in words.readers:
            row[name] = read(row[name])
        return row

    def _made(self, dialect: Any) -> _Words:
        compiled: Any = self._query.compile(dialect=dialect)
        assert not compiled.post_compile_params, "a list of values is spelt out anew each time: use `among`"
        binders = [(name, one.type.dialect_impl(dialect).bind_processor(dialect)) for name, one in compiled.binds.items()]
        columns = [(str(one.key), one.type.dialect_impl(dialect)) for one in self._query.exported_columns]
        readers: list[tuple[str, Any]] = [(name, kind.result_processor(dialect, None)) for name, kind in columns]
        return _Words(
            str(compiled), tuple(compiled.positiontup) if compiled.positional else None,
            {name: one.value for name, one in compiled.binds.items() if not one.required},
            tuple((name, bind) for name, bind in binders if bind is not None),
            tuple(name for name, _ in columns),
            tuple((name, read) for name, read in readers if read is not None),
        )  # fmt: skip
