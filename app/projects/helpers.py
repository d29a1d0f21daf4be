"""Processes that found projects for a large import: they fold on other cores while this process plans and the database writes.

A helper is this same Python with nothing of ours in its environment; it gets acts and facts on its standard input and answers rows
(founding.serve). It ends when its input does, thus also when this process is killed. Nothing depends on it: what a helper does not
answer, or would make by other code than this process has loaded, is founded here.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue

import structlog

import app
from app.projects.founding import CODE, Act, Numbered, Packed, founded, packed

log = structlog.get_logger()
FROM = 2_000
"""Projects from which helpers are worth their start, which takes a third of a second."""
MOST = 3
"""Three fold more than one database takes in."""
PATIENCE = 60.0
"""Seconds that a portion may take before its helper is given up."""
_ROOT = str(Path(app.__file__).parent.parent)
_COMMAND = "import sys; sys.path.insert(0, sys.argv[1]); from app.projects.founding import serve; serve()"
_ENVIRONMENT = {"LANG": "C.UTF-8", "MALLOC_ARENA_MAX": "1"}
"""Nothing of ours: settings hold secrets."""


class Helpers:
    """Some helpers; whoever is free takes the next portion. Several threads may ask."""

    def __init__(self, count: int) -> None:
        self._free: SimpleQueue[subprocess.Popen[bytes]] = SimpleQueue()
        self._all = []
        for _ in range(count):
            try:
                self._all.append(_started())
            except OSError as error:  # no memory or process is left: those that are there will do
                log.warning("no helper", why=type(error).__name__)
                break
        for one in self._all:
            self._free.put(one)
        self._threads = ThreadPoolExecutor(count, "founding")
        self.working = bool(self._all)

    def ask(self, act: Act, projects: Sequence[Numbered]) -> Callable[[], Packed]:
        """Have projects founded; what comes back waits for their rows."""
        plain = [(number, ref, [tuple(one) for one in new]) for number, ref, new in projects]
        coming = self._threads.submit(self._answer, pickle.dumps((CODE, act, plain), pickle.HIGHEST_PROTOCOL))

        def rows() -> Packed:
            try:
                return coming.result(PATIENCE)
            except (OSError, EOFError, pickle.UnpicklingError, TimeoutError) as error:
                if self.working:
                    log.warning("a helper gave no answer, founding here from now on", why=type(error).__name__)
                self._end()
                return packed(act, founded(act, projects))

        return rows

    def _answer(self, given: bytes) -> Packed:
        one = self._free.get()
        try:
            assert one.stdin is not None and one.stdout is not None
            one.stdin.write(given)
            one.stdin.flush()
            answer: Packed = pickle.load(one.stdout)  # from a process that this one started
        finally:
            self._free.put(one)
        return answer

    def close(self) -> None:
        """Let them go; nobody waits for an answer any more."""
        self._end()
        self._threads.shutdown(cancel_futures=True)
        for one in self._all:
            for pipe in (one.stdin, one.stdout):
                with suppress(OSError):  # what a dead one did not read
                    pipe.close()  # type: ignore[union-attr]
            one.wait()

    def _end(self) -> None:
        """From here on every portion fails at once, and is founded where it is needed."""
        self.working = False
        for one in self._all:
            one.kill()


def _started() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", "-c", _COMMAND, _ROOT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd="/",
        env=_ENVIRONMENT,
    )  # fmt: skip


@contextmanager
def helping(projects: int) -> Iterator[Helpers | None]:
    """Helpers for so many projects, one for every core; None for few, or on a single core."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if projects < FROM or cores < 2:
        yield None
        return
    helpers = Helpers(min(MOST, cores))
    try:
        yield helpers if helpers.working else None
    finally:
        helpers.close()
