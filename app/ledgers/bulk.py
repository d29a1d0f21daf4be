"""What both imports, of events and of ledgers, do alike when they write much beside others."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy.exc import IntegrityError, OperationalError

from app.errors import Duplicate

ANALYSE_AFTER = 1_000
"""New projects after which the database is told how its tables are filled."""
TRIES = 3
Result = TypeVar("Result")


def again(work: Callable[[], Result]) -> Result:
    """Once more when somebody else made the same project or office meanwhile, or the database ended a deadlock."""
    for tries_left in reversed(range(TRIES)):
        try:
            return work()
        except (IntegrityError, OperationalError, Duplicate):
            if not tries_left:
                raise
    raise AssertionError


@contextmanager
def few_collections() -> Iterator[None]:
    """Millions of small rows without a single cycle: looking for cycles among them took a third of the time."""
    usual = gc.get_threshold()
    gc.set_threshold(100_000, 50, 50)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
