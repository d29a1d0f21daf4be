"""Waiting for what is not ours to signal: other programs, and what they have done by now."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(condition: Callable[[], bool], what: str, seconds: float = 30) -> None:
    """Return as soon as it holds; fail when it never does."""
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, what
        time.sleep(0.01)
