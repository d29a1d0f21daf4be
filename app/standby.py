"""A hot standby that answers lists and files, and never with less than the primary knew when the question was asked.

The caller's token is checked on the primary, together with the question how far its log has been written. The standby answers
once it has replayed that far: whoever was told that something is recorded sees it in every later answer, whichever replica he
asks, and a token that was revoked opens nothing. When the standby is behind, away or a primary itself, the primary answers.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.db import Database
from app.sessions import BEGIN

log = logging.getLogger("luodi.standby")
T = TypeVar("T")
PATIENCE, LOOK = 0.1, 0.005
"""Seconds a question waits for the standby, and between two looks. A standby nearby is some milliseconds behind."""
REST_BEHIND, REST_AWAY = 1.0, 10.0
"""Seconds without asking a standby that is behind, or not there: nobody else is to wait for that."""


class Place(NamedTuple):
    """How far a primary's log has been written, and whose log it is."""

    position: str
    cluster: int


class StandbyAway(Exception):
    """The primary has to answer."""


_PLACE = sa.text("SELECT pg_current_wal_flush_lsn()::text, system_identifier FROM pg_control_system()")
_REPLAYED = sa.text(
    "SELECT pg_is_in_recovery() AND system_identifier = :cluster, COALESCE(pg_last_wal_replay_lsn() >= CAST(:position AS pg_lsn), false) "
    "FROM pg_control_system()"
)


def place(primary: Connection) -> Place:
    """Everything that was acknowledged by now lies before this place."""
    return Place(*primary.execute(_PLACE).one())


class Standby:
    """One standby, or several of which the address finds one."""

    def __init__(self, url: str, threads: int) -> None:
        self.database = Database(url, threads, standby=True)
        self._rests_until = 0.0

    @property
    def awake(self) -> bool:
        """Is it worth asking?"""
        return time.monotonic() >= self._rests_until

    def read(self, after: Place, view: Callable[[Connection], T]) -> T:
        """What a view sees there, in reads that agree with each other and hold all that lies before the place. StandbyAway when
        there is no such thing; also when the standby ended the view because it had to go on replaying."""
        try:
            with self.database.engine.connect() as connection:  # one session for both, or another server might be the one that is asked
                connection.execution_options(**{BEGIN: self.database.begins.statement})
                self._catch_up(connection, after)
                connection.commit()
                connection.execution_options(**{BEGIN: self.database.begins.snapshot})  # from here on: not before
                seen = view(connection)
                connection.commit()
                return seen
        except sa.exc.DBAPIError as error:
            took_too_long = getattr(error.orig, "sqlstate", None) == "57014"
            if took_too_long or not (error.connection_invalidated or type(error).__name__ in ("OperationalError", "InterfaceError")):
                raise
            raise self._rest(REST_AWAY, str(error.orig).partition("\n")[0]) from error
        except sa.exc.TimeoutError as error:
            raise self._rest(REST_BEHIND, "no connection is free") from error

    def _catch_up(self, connection: Connection, after: Place) -> None:
        ends = time.monotonic() + PATIENCE
        while True:
            standby, replayed = connection.execute(_REPLAYED, after._asdict()).one()
            if not standby:
                raise self._rest(REST_AWAY, "it is no standby of this primary")
            if replayed:
                return
            if time.monotonic() > ends:
                raise self._rest(REST_BEHIND, "it is behind")
            time.sleep(LOOK)

    def _rest(self, seconds: float, why: str) -> StandbyAway:
        if self.awake:
            log.warning("备库不可用，由主库回答 / the primary answers instead of the standby: %s", why)
        self._rests_until = time.monotonic() + seconds
        return StandbyAway(why)
