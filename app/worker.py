"""The ticker. It only says "look now"; what is due, and who does it, is decided by rows in the database.

A tick that is missed, late, doubled or cut off costs nothing: the next one finds the same work still to be done. While our
clock is far from the database's, ticks do nothing but say so (app/skew.py).
"""

from __future__ import annotations

import signal
import threading
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from typing import Any

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from app.alerts import daily as days
from app.alerts.sender import Sender
from app.errors import ClockSkewed
from app.ledgers import running
from app.offices.desk import House
from app.operations.retention import prune
from app.policies.queries import book_of

log = structlog.get_logger()


class Worker:
    """The daily worker of one process; `serve` and `luodi worker` start one and stop it at the end."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.stopping = threading.Event()
        self._rounds: dict[str, threading.Thread] = {}
        self._beginning = threading.Lock()
        self._scheduler: Any = None

    def start(self) -> None:
        """Start ticking, in threads of its own."""
        zone = self.house.settings.zone
        self._scheduler = BackgroundScheduler(
            jobstores={"default": MemoryJobStore()},
            executors={"default": ThreadPoolExecutor(2 * len(JOBS))},
            job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1},
            timezone=zone,
        )
        for every, job in JOBS:
            ticks = IntervalTrigger(seconds=int(every.total_seconds()), timezone=zone)
            self._scheduler.add_job(_quietly, ticks, args=(job, self), id=job.__name__)
            self._scheduler.add_job(_quietly, args=(job, self))  # and once right now
        self._scheduler.start()

    def halted(self) -> bool:
        """Is nothing more to be begun: at the end, or because our clock was set wrong meanwhile?"""
        return self.stopping.is_set() or self.house.skew.too_far()

    def stop(self) -> None:
        """End after the work in hand: the current chunk and the current message are finished, claims are given back."""
        self.stopping.set()
        scheduler, self._scheduler = self._scheduler, None
        if scheduler is not None:
            scheduler.shutdown(wait=True)
        for one in self._rounds.values():
            one.join()

    def begin_round(self, channel: str, work: Callable[[], Any]) -> None:
        """Let a channel send in a thread of its own, unless it still does: a relay that drips for minutes keeps nobody else from
        being looked at again."""
        with self._beginning:
            before = self._rounds.get(channel)
            if before is None or not before.is_alive():
                self._rounds[channel] = threading.Thread(target=work, name=f"luodi-{channel}")
                self._rounds[channel].start()


def daily_run(worker: Worker) -> None:
    """Do today's run once it is due."""
    house = worker.house
    days.run_if_due(house.database, house.clock, house.settings, book_of(house.database), worker.halted)


def deliver(worker: Worker) -> None:
    """Let every channel send what waits for it in the outbox; none is waited for."""
    house = worker.house
    sender = Sender(house.database, house.clock, house.settings, stopping=worker.halted)
    for channel, number in sender.due(Counter()).items():
        worker.begin_round(channel, partial(sender.round, channel, number))


def take_ledgers(worker: Worker) -> None:
    """Read, plan and write ledgers that were sent."""
    running.run_waiting(worker.house, worker.halted)


def forget(worker: Worker) -> None:
    """Let go of what was kept long enough."""
    house = worker.house
    prune(house.database, house.settings, house.clock.now(), stopping=worker.stopping.is_set)
    running.forget_trials(house)


JOBS: tuple[tuple[timedelta, Callable[[Worker], None]], ...] = (
    (timedelta(seconds=20), daily_run),
    (timedelta(seconds=10), deliver),
    (timedelta(seconds=2), take_ledgers),
    (timedelta(hours=6), forget),
)
"""What is looked at, and how often. The hour of the daily run is a setting, and is compared, not scheduled."""


def _quietly(job: Callable[[Worker], None], worker: Worker) -> None:
    """A job that fails says so, and is tried again at the next tick."""
    if worker.stopping.is_set():
        return
    try:
        worker.house.skew.must_be_small()
        job(worker)
    except ClockSkewed as skewed:
        log.error("nothing is done: clock differs from the database's", job=job.__name__, seconds=skewed.extra["seconds"], alarm=True)
    except Exception as error:
        log.error("job failed", job=job.__name__, exc_info=error)


def run_forever(house: House) -> None:
    """`luodi worker`: tick until SIGTERM or SIGINT, then finish or give back what is in hand."""
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    worker = Worker(house)
    worker.start()
    done.wait()
    worker.stop()
    house.database.dispose()


def daily(house: House, day: date | None = None, *, dry_run: bool = False) -> dict[str, Any]:
    """`luodi daily`: see alerts.daily.daily."""
    return days.daily(house.database, house.settings, house.clock, book_of(house.database), day, dry_run)
