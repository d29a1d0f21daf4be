"""Three workers over twenty days, with everything that happens to workers: one day, one evaluation; one reader, one message a day."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.alerts.models import Delivery
from app.db import migrate
from app.heart.calendar import SHIPPED
from app.stalls.models import DailyRun
from tests.daily.county import MONDAY, County, at, days
from tests.daily.hostile import Peer, hostile
from tests.invariants import check_invariants
from tests.postgres import SETTINGS, Cluster
from tests.replicas.life import live
from tests.replicas.waiting import until

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.replicas.life"])
AHEAD = (0.0, 40.0, -40.0)
"""Seconds by which the workers' own clocks are wrong."""
HOURS = ((7, 50), (8, 5), (9, 0), (19, 0))


class Workers:
    def __init__(self, county: County) -> None:
        self.county = county
        lists = {name: PROCESSES.Array("i", 3, lock=False) for name in ("signal_at", "signal", "may", "ticks")}
        self.shared: dict[str, Any] = {**lists, "told": PROCESSES.Value("d", at(MONDAY, 7).timestamp(), lock=False)}
        self.alive: list[Any] = [None] * 3
        for number in range(3):
            self.start(number)
            self.shared["may"][number] = 1

    def start(self, number: int) -> None:
        settings = self.county.settings
        told = (settings.database_url, settings.var_dir, settings.smtp_url, number, AHEAD[number], self.shared)
        self.alive[number] = PROCESSES.Process(target=live, args=told, daemon=True)
        self.alive[number].start()

    def frozen(self, number: int) -> bool:
        status = Path(f"/proc/{self.alive[number].pid}/stat").read_text()
        return status.rpartition(")")[2].split()[0] == "T"

    def at_work(self) -> list[int]:
        return [one for one in range(3) if self.alive[one].is_alive() and not self.frozen(one) and self.shared["may"][one]]

    def ticked(self) -> None:
        """Everybody who is at work has looked, whole, since now."""
        before = list(self.shared["ticks"])
        until(lambda: all(self.shared["ticks"][one] > before[one] for one in self.at_work()), "a worker hangs", 60)

    def now_is(self, day: date, hour: int, minute: int) -> None:
        self.shared["told"].value = at(day, hour, minute).timestamp()
        self.ticked()

    def only(self, *numbers: int) -> None:
        """The others rest (a tick that was under way is over)."""
        self.ticked()
        for number in range(3):
            self.shared["may"][number] = number in numbers

    def hit(self, number: int, what: int, at_write: int) -> None:
        """Send a signal to a worker before one of its next transactions: alone at work, so that it is the one that has the day."""
        self.only(number)
        self.shared["signal"][number], self.shared["signal_at"][number] = what, at_write

    def everybody(self) -> None:
        for number in range(3):
            self.shared["may"][number] = 1

    def end(self) -> None:
        for one in self.alive:
            one.kill()
            one.join(30)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """One that may be stopped."""
    made = Cluster.start_new(settings={**SETTINGS, "synchronous_commit": "on"})  # what is committed survives the kill
    try:
        yield made
    finally:
        made.remove()


def state_of(county: County, day: date) -> str | None:
    return county.runs().get(day)


def usual(workers: Workers, day: date) -> None:
    for hour, minute in HOURS:
        workers.now_is(day, hour, minute)


def frozen_day(workers: Workers, day: date, at_write: int) -> None:
    """Worker 0 is frozen (SIGSTOP) in the middle of its day, past its lease; the others take over; then it wakes up."""
    workers.now_is(day, 7, 50)
    workers.hit(0, signal.SIGSTOP, at_write)
    workers.shared["told"].value = at(day, 8, 5).timestamp()
    until(lambda: workers.frozen(0) or over(workers.county, day), "neither frozen nor done", 30)
    workers.everybody()
    until(lambda: over(workers.county, day), "nobody took over", 30)
    workers.shared["signal_at"][0] = 0  # a quiet day may have fewer transactions than that
    os.kill(workers.alive[0].pid, signal.SIGCONT)
    usual(workers, day)


def killed_day(workers: Workers, day: date, at_write: int) -> None:
    """Worker 1 is killed (SIGKILL) in the middle of its day, and started again."""
    workers.now_is(day, 7, 50)
    workers.hit(1, signal.SIGKILL, at_write)
    workers.shared["told"].value = at(day, 8, 5).timestamp()
    until(lambda: not workers.alive[1].is_alive() or over(workers.county, day), "neither killed nor done", 30)
    workers.shared["signal_at"][1] = 0
    workers.everybody()
    usual(workers, day)
    if not workers.alive[1].is_alive():
        workers.start(1)
    usual(workers, day)


def over(county: County, day: date) -> bool:
    """The day is done and nothing of it waits."""
    waits = (one == day and state in ("pending", "sending") for one, state in county.rows(Delivery, "run_date", "state"))
    return state_of(county, day) == "done" and not any(waits)


def all_down(workers: Workers, day: date) -> None:
    """Nobody is up until the afternoon."""
    workers.only()
    workers.shared["told"].value = at(day, 8, 5).timestamp()
    workers.shared["told"].value = at(day, 16, 40).timestamp()
    workers.everybody()
    workers.ticked()


def database_down(workers: Workers, day: date, cluster: Cluster) -> None:
    """The database is killed while the day is being done, and started again."""
    workers.now_is(day, 7, 50)
    workers.shared["told"].value = at(day, 8, 5).timestamp()
    until(lambda: state_of(workers.county, day) is not None, "nobody began", 30)
    cluster.stop("immediate")
    cluster.start()
    until(lambda: working(workers.county), "the database is not back")
    usual(workers, day)


def working(county: County) -> bool:
    try:
        return bool(county.rows(DailyRun, "run_date"))
    except Exception:
        return False


@pytest.mark.long
@pytest.mark.timeout(900)
def test_three_workers_twenty_days(cluster: Cluster, tmp_path: Path) -> None:
    url = cluster.new_database()
    migrate(url)
    twenty = days(MONDAY, 20)
    special = {2: all_down, 3: lambda w, d: frozen_day(w, d, 3), 4: lambda w, d: killed_day(w, d, 4), 8: lambda w, d: frozen_day(w, d, 8),
               9: lambda w, d: database_down(w, d, cluster), 10: lambda w, d: killed_day(w, d, 9), 14: lambda w, d: frozen_day(w, d, 14),
               15: lambda w, d: killed_day(w, d, 13), 16: all_down, 17: lambda w, d: frozen_day(w, d, 18)}  # fmt: skip
    with hostile({}) as (peer, port):
        county = County(url, tmp_path, smtp_url=f"smtp://127.0.0.1:{port}")
        for number in range(12):
            county.signed(f"P{number:02d}", MONDAY - timedelta(days=2 * number), office="T01" if number % 2 else "T02")
        workers = Workers(county)
        try:
            for number, day in enumerate(twenty):
                special.get(number, usual)(workers, day)
                until(lambda day=day: over(county, day), f"{day} is not done", 60)
        finally:
            workers.end()
        verdict(county, peer, twenty)
        county.close()


def verdict(county: County, peer: Peer, twenty: list[date]) -> None:
    assert county.runs() == dict.fromkeys(twenty, "done")
    attempts = dict(county.rows(DailyRun, "run_date", "attempt"))
    print("taken over:", sum(number > 1 for number in attempts.values()), dict(Counter(state for state in county.states().values())))
    assert sum(number > 1 for number in attempts.values()) >= 3, "the faults did not hit"
    told = county.states()
    workdays = {day for day in twenty if SHIPPED.is_workday(day)}
    assert {day for day, name in told if name == "zhao"} == workdays and {day for day, _ in told} <= workdays
    copies = Counter(peer.accepted)
    assert max(copies.values()) == 1, "a reader got a day twice"
    for message_id, state in county.rows(Delivery, "message_id", "state"):
        assert state == "uncertain" or (state == "sent" and message_id in copies), (message_id, state)
    assert Counter(told.values())["uncertain"] <= 8
    with county.database.statement() as connection:
        check_invariants(connection, accepted=peer.accepted)
