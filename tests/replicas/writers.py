"""Towns that go on reporting while something breaks, as clients should: the same key again until it is answered."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import sqlalchemy as sa

from app.db import Database
from app.projects.models import FactRow, Project
from tests.cast import County
from tests.invariants import check_invariants

PATIENCE = 60.0
"""Seconds that a writer repeats one report."""


class Writers:
    """So many at once. `acknowledged` is what they were told is recorded: the ref of every project they registered."""

    def __init__(self, county: County, number: int, url: str) -> None:
        self.county, self.over, self.url = county, threading.Event(), url
        self.acknowledged: list[str] = []
        self.refusals: Counter[str] = Counter()
        self.faults: list[str] = []
        self._threads = [threading.Thread(target=self._write, args=(one,)) for one in range(number)]

    def _write(self, writer: int) -> None:
        headers = {"Authorization": f"Bearer {self.county.tokens['clerk']}"}
        with httpx.Client(base_url=self.county.address + "/api/v1", headers=headers, timeout=30, trust_env=False) as client:
            turn = 0
            while not self.over.is_set() and not self.faults:
                turn += 1
                self._report(client, f"writer {writer} report {turn}")

    def _report(self, client: httpx.Client, key: str) -> None:
        body = {"name": key, "office": "T01", "route": "leased", "effective_on": "2026-02-01"}
        ends = time.monotonic() + PATIENCE
        while time.monotonic() < ends:
            answer = client.post("/projects", json=body, headers={"Idempotency-Key": key})
            if answer.status_code == 201:
                self.acknowledged.append(answer.json()["ref"])
                return
            said = answer.json()
            if answer.status_code != 503 or "retry-after" not in answer.headers:
                self.faults.append(f"{answer.status_code} {said}")
                return
            self.refusals[said["code"]] += 1
            self.over.wait(0.1)  # Retry-After says two seconds; the impatient are served as well
        self.faults.append(f"{key}: not answered in {PATIENCE:g} s")

    def go_on_for(self, reports: int, seconds: float = 60) -> None:
        """Return when so many more are acknowledged."""
        wanted, ends = len(self.acknowledged) + reports, time.monotonic() + seconds
        while len(self.acknowledged) < wanted:
            assert not self.faults, self.faults
            assert time.monotonic() < ends, f"writers stand still: {self.refusals}"
            time.sleep(0.01)

    def stop(self) -> None:
        self.over.set()
        for thread in self._threads:
            thread.join(PATIENCE + 30)

    def check(self) -> None:
        """Nothing acknowledged is lost, nothing is there twice, and the register is whole."""
        assert self.faults == []
        database = Database(self.url)
        with database.snapshot() as connection:
            stored = Counter(connection.scalars(sa.select(Project.name)))
            refs = set(connection.scalars(sa.select(Project.ref)))
            assert set(self.acknowledged) <= refs, "acknowledged, and lost"
            assert len(set(self.acknowledged)) == len(self.acknowledged)
            assert max(stored.values()) == 1, "doubled"
            assert connection.scalar(sa.select(sa.func.count()).select_from(FactRow)) == len(refs)
            check_invariants(connection, key=self.county.house.audit_key)
        database.dispose()


@contextmanager
def writing(county: County, number: int = 6, url: str = "") -> Iterator[Writers]:
    """Writers at work until the block ends; then what they were told is compared with what is there (behind `url`)."""
    writers = Writers(county, number, url or county.house.settings.database_url)
    for thread in writers._threads:
        thread.start()
    try:
        yield writers
    finally:
        writers.stop()
    writers.check()
