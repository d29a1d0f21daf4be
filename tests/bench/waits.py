"""How long somebody who reports a stage has to wait while something else goes on: one caller, one report after the other."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from tests.bench.load import Reports, Service
from tests.bench.seed import Seeded

Result = TypeVar("Result")
PAUSE = 0.01


class Probe:
    """Reports from young intents, each once; `used` of them are gone."""

    def __init__(self, running: Service, seeded: Seeded, fresh: int) -> None:
        self.running, self.seeded, self.fresh, self.used = running, seeded, fresh, 0

    def idle(self, seconds: float) -> dict[str, Any]:
        """What a report takes while nothing else goes on."""
        return self.during(lambda: time.sleep(seconds))[1]

    def during(self, work: Callable[[], Result]) -> tuple[Result, dict[str, Any]]:
        """What a report takes while something is being done, and what came of that."""
        ended = threading.Event()
        waits: list[float] = []
        caller = threading.Thread(target=self._call, args=(ended, waits))
        caller.start()
        try:
            result = work()
        finally:
            ended.set()
            caller.join()
        waits.sort()
        if not waits:
            return result, {"reports": 0, "p50_ms": 0.0, "p99_ms": 0.0, "longest_ms": 0.0}
        middle, late = waits[len(waits) // 2], waits[len(waits) * 99 // 100]
        return result, {"reports": len(waits), "p50_ms": round(middle, 1), "p99_ms": round(late, 1), "longest_ms": round(waits[-1], 1)}

    def _call(self, ended: threading.Event, waits: list[float]) -> None:
        reports = Reports(self.seeded, self.fresh, Path("/nonexistent"), self.used)
        headers = {"Authorization": f"Bearer {self.seeded.county_token}", "Content-Type": "application/json"}
        connection = http.client.HTTPConnection("127.0.0.1", self.running.port, timeout=120)
        while not ended.is_set() and reports.used < self.fresh:
            method, path, body = reports.request(0)
            began = time.perf_counter()
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            answer.read()
            waits.append((time.perf_counter() - began) * 1000)
            if answer.status != 201:
                raise RuntimeError(f"{path}: {answer.status}")
            time.sleep(PAUSE)
        self.used = reports.used
        connection.close()
