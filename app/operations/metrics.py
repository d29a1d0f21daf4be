"""What is measured, for Prometheus: requests of this process, and how the day stands by the database.

No label holds a name, a ref or a token: routes are templates, channels and states come from tables. A request costs three
additions. With several processes of one `serve` the library keeps each process's counts in a file (PROMETHEUS_MULTIPROC_DIR,
made by `serve --workers N`), and whichever process is asked adds them up, those of processes that have ended included.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import sqlalchemy as sa
from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, disable_created_metrics, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from sqlalchemy.engine import Connection

from app import __version__
from app.alerts.models import OPEN, RELAYS, ChannelState, Delivery
from app.db import head
from app.http import ROUTE, Scope
from app.offices.desk import House
from app.operations import condition, queries
from app.stalls import runs

MULTIPROCESS = "PROMETHEUS_MULTIPROC_DIR"
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
METHODS = {"GET", "POST", "PATCH", "DELETE", "HEAD", "PUT", "OPTIONS"}
FRESH = 5.0
"""Seconds for which what the database said is said again: scraping often costs nothing."""
RUN_STATES = (runs.CLAIMED, runs.EVALUATED, runs.ENQUEUED, runs.DONE, runs.SKIPPED)
disable_created_metrics()  # type: ignore[no-untyped-call]


@contextmanager
def shared_counts() -> Iterator[None]:
    """A folder in which the processes of one `serve` count together, for as long as it runs; processes started inside find it in
    their environment. Where somebody named a folder, that one is used."""
    if os.environ.get(MULTIPROCESS):
        yield
        return
    with tempfile.TemporaryDirectory(prefix="luodi-metrics-", ignore_cleanup_errors=True) as folder:
        os.environ[MULTIPROCESS] = folder
        try:
            yield
        finally:
            del os.environ[MULTIPROCESS]


class Cell(NamedTuple):
    """Where requests of one kind are counted."""

    number: Any
    seconds: Any


class Metrics:
    """The counts of one app in one process, and how they are told."""

    def __init__(self, house: House) -> None:
        self._cells: dict[tuple[str, str, int], Cell] = {}
        self._counted, self._read = CollectorRegistry(), CollectorRegistry()
        self._requests = Counter("luodi_http_requests", "Requests answered.", ("method", "route", "status"), registry=self._counted)
        self._seconds = Histogram(
            "luodi_http_request_seconds", "Seconds from a request's headers to the end of its answer.", ("method", "route"),
            buckets=BUCKETS, registry=self._counted,
        )  # fmt: skip
        self._shared = bool(os.environ.get(MULTIPROCESS))
        if not self._shared:
            ProcessCollector(registry=self._counted)
        self._read.register(State(house))

    def seen(self, scope: Scope, status: int, seconds: float) -> None:
        """Count one request. Called for every one of them, on the event loop."""
        key = scope["method"], _route(scope), status
        cell = self._cells.get(key)
        if cell is None:
            method = key[0] if key[0] in METHODS else "other"
            cell = Cell(self._requests.labels(method, key[1], str(status)), self._seconds.labels(method, key[1]))
            if method == key[0]:  # made-up methods fill no memory
                self._cells[key] = cell
        cell.number.inc()
        cell.seconds.observe(seconds)

    def told(self) -> bytes:
        """Everything in the text format of Prometheus."""
        counted = self._counted
        if self._shared:
            counted = CollectorRegistry()
            MultiProcessCollector(counted)  # type: ignore[no-untyped-call]
        return generate_latest(counted) + generate_latest(self._read)


def _route(scope: Scope) -> str:
    """The template of the path that was asked for; what no route has is one kind, or guesses would become labels."""
    known: str | None = scope.get(ROUTE) or getattr(scope.get("route"), "path", None)
    return known or ("/static" if scope["path"].startswith("/static/") else "other")


class State(Collector):
    """How the day stands, asked of the database when somebody scrapes."""

    def __init__(self, house: House) -> None:
        self.house = house
        self._told: list[GaugeMetricFamily] = []
        self._until = 0.0

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The gauges; a database that is away is one of them."""
        if time.monotonic() > self._until:
            self._told, self._until = list(self._ask()), time.monotonic() + FRESH
        yield from self._told
        yield self._pool()

    def describe(self) -> list[Any]:
        """Nothing: registering shall not ask the database."""
        return []

    def _ask(self) -> Iterator[GaugeMetricFamily]:
        yield _gauge(
            "luodi_build_info", "The version that answers, and the schema it wants.", {(__version__, head()): 1}, "version", "schema"
        )
        try:
            with self.house.database.snapshot() as connection:
                found = [*self._day(connection), *self._messages(connection)]
        except (sa.exc.DBAPIError, sa.exc.TimeoutError):
            found = []
        yield _gauge("luodi_database_up", "1 while the database answers.", {(): int(bool(found))})
        yield from found

    def _day(self, connection: Connection) -> Iterator[GaugeMetricFamily]:
        house, now = self.house, self.house.clock.now()
        seen = queries.seen(connection, now, house.settings)
        codes = {one.code for one in condition.judge(seen, now, house.settings)}
        levels = {(code, level): int(code in codes) for code, (level, _) in condition.CODES.items()}
        yield _gauge("luodi_finding", "1 while GET /healthz/daily finds this.", levels, "code", "level")
        state = seen.run.state if seen.run else None
        yield _gauge("luodi_daily_run_state", "State of the newest daily run.", {(one,): int(one == state) for one in RUN_STATES}, "state")
        if seen.run is not None:
            begun, ended = seen.run.started_at, seen.run.finished_at
            yield _gauge("luodi_daily_run_attempts", "Attempts of the newest daily run.", {(): seen.run.attempt})
            if begun is not None:
                age, took = (now - begun).total_seconds(), ((ended or now) - begun).total_seconds()
                yield _gauge("luodi_daily_run_age_seconds", "Seconds since the newest daily run began.", {(): age})
                yield _gauge("luodi_daily_run_duration_seconds", "Seconds that it took, or takes up to now.", {(): took})
        held = int(seen.held_since is not None)
        yield _gauge("luodi_sending_held", "1 while nothing leaves because somebody holds everything back.", {(): held})

    def _messages(self, connection: Connection) -> Iterator[GaugeMetricFamily]:
        now = self.house.clock.now()
        day = condition.last_due(now, self.house.settings)
        of_day = sa.select(Delivery.channel, Delivery.state, sa.func.count()).where(Delivery.run_date == day)
        states = {
            (channel, state): number for channel, state, number in connection.execute(of_day.group_by(Delivery.channel, Delivery.state))
        }
        yield _gauge("luodi_deliveries", "Messages of the newest day that was due.", states, "channel", "state")
        asked = sa.func.min(sa.func.coalesce(Delivery.resent_at, Delivery.created_at), type_=Delivery.created_at.type)
        oldest = sa.select(Delivery.channel, asked).where(sa.text(OPEN)).group_by(Delivery.channel)
        ages = {(channel,): (now - since).total_seconds() for channel, since in connection.execute(oldest)}
        yield _gauge("luodi_oldest_waiting_seconds", "Age of the oldest message that has not left.", ages, "channel")
        relays = sa.select(ChannelState.channel, ChannelState.state, sa.func.count()).group_by(ChannelState.channel, ChannelState.state)
        counted = {(channel, state): number for channel, state, number in connection.execute(relays)}
        every = {(channel, state): counted.get((channel, state), 0) for channel in {one for one, _ in counted} for state in RELAYS}
        yield _gauge("luodi_channel_relays", "Ways out by channel and how they are.", every, "channel", "state")

    def _pool(self) -> GaugeMetricFamily:
        pool: Any = self.house.database.engine.pool
        numbers = {("in_use",): pool.checkedout(), ("idle",): pool.checkedin(), ("most",): pool.size()}
        return _gauge("luodi_database_connections", "Connections of the process that answers.", numbers, "state")


def _gauge(name: str, text: str, values: Mapping[Any, float], *labels: str) -> GaugeMetricFamily:
    made = GaugeMetricFamily(name, text, labels=labels)
    for labelled, value in values.items():
        made.add_metric(labelled, value)
    return made
