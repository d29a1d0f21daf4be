"""What both imports, of events and of ledgers, do alike when they write much beside others."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy.exc import IntegrityError, OperationalError

from app.errors import Duplicate

ANALYSE_AFTER = 1_000
"""New projects after which the database is told how its tables are filled."""
TRIES = 3
SWITCH = 0.0005
"""Seconds after which a thread has to let another one go on (usually 0.005)."""
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
def busy() -> Iterator[None]:
    """Python set for an import. Millions of small rows without a single cycle: looking for cycles among them took a third of the
    time. And the thread that hands rows to the database needs the interpreter for a moment only, but every moment."""
    usual, switch = gc.get_threshold(), sys.getswitchinterval()
    gc.set_threshold(100_000, 50, 50)
    sys.setswitchinterval(SWITCH)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        sys.setswitchinterval(switch)
