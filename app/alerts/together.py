"""Markers of several lanes in one transaction, where each commit waits for the disk and everybody for the one writer (SQLite).

Whoever comes while another one commits joins the next transaction; nobody waits for company. PostgreSQL does that by itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from sqlalchemy.engine import Connection

from app.db import Database

T = TypeVar("T")


class Together:
    """Units of work that may share a transaction: all are committed, or all of them fail with the same error."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._asked: list[tuple[Callable[[Connection], Any], Future[Any]]] = []
        self._asking, self._turn = threading.Lock(), threading.Lock()

    def do(self, work: Callable[[Connection], T]) -> T:
        """Do it; when this returns it is committed."""
        if not self.database.sqlite:
            with self.database.at_once() as connection:
                return work(connection)
        mine = Future[T]()
        with self._asking:
            self._asked.append((work, mine))
        with self._turn:
            if not mine.done():
                self._all()
        return mine.result()

    def _all(self) -> None:
        with self._asking:
            asked, self._asked = self._asked, []
        try:
            with self.database.at_once() as connection:
                answers = [work(connection) for work, _ in asked]
        except BaseException as error:
            for _, one in asked:
                one.set_exception(error)
        else:
            for (_, one), answer in zip(asked, answers, strict=True):
                one.set_result(answer)
