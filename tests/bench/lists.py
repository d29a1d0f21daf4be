"""Signed-then-stopped: first page and deep page, now and as of a date, one town and the whole county, 10k and 100k projects."""

from __future__ import annotations

import http.client
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import orjson

from app.clock import ShiftedClock
from app.db import Database
from app.main import build_house
from app.offices.desk import Work, moment
from app.offices.queries import authenticate, scope
from app.policies.queries import book_of
from app.settings import Settings
from app.stalls.queries import stall_pages, stopped_pages
from tests.bench.load import Service, service
from tests.bench.registers import KINDS, Registers
from tests.bench.seed import NOW, Seeded
from tests.bench.stories import TODAY
from tests.bench.table import Figures

SMALL, LARGE = 10_000, 100_000
PAGE, STRIDE = 50, 2_000
"""Rows of a page that is measured, and of those that only lead to the deepest one."""
DEEP = 180_000
"""The row the deepest page begins at, where a list is so long."""
HALF_A_YEAR, THREE_YEARS = TODAY - timedelta(days=182), TODAY - timedelta(days=3 * 365)
KNOWN_THEN = datetime.combine(HALF_A_YEAR, datetime.min.time(), UTC)
PATH = "/api/v1/signed-then-stopped?limit=50"


class Reader:
    """Reads list pages through the query layer, each in a snapshot of its own."""

    def __init__(self, seeded: Seeded) -> None:
        settings = Settings(database_url=seeded.url, dev=True, secret_key="bench", audit_key="bench", worker=False)
        self.house = build_house(settings, ShiftedClock(settings.zone, NOW), Database(seeded.url))
        self.token = f"Bearer {seeded.county_token}"

    def page(
        self, office: str | None = None, as_of: Any = None, known_at: Any = None, after: Any = None, limit: int = PAGE
    ) -> tuple[int, Any]:
        """(rows, position of the next page)."""
        with self.house.database.snapshot() as connection:
            work = Work(connection, authenticate(connection, self.token, self.house.clock.now()), self.house)
            at = moment(self.house, as_of, known_at)
            policy = book_of(self.house.database).governing(connection, at.as_of, at.pinned)
            rows, position = stopped_pages(work, at, policy, scope(connection, work.caller, office), after, limit=limit)
        return len(rows), position

    def stalls(self, as_of: Any = None, known_at: Any = None, after: Any = None, limit: int = PAGE) -> tuple[int, Any]:
        """(rows, position of the next page) of every stall at red or worse."""
        with self.house.database.snapshot() as connection:
            work = Work(connection, authenticate(connection, self.token, self.house.clock.now()), self.house)
            at = moment(self.house, as_of, known_at)
            policy = book_of(self.house.database).governing(connection, at.as_of, at.pinned)
            rows, position = stall_pages(work, at, policy, scope(connection, work.caller, None), after, level="red", rule=None, limit=limit)
        return len(rows), position

    def deep_stall(self) -> tuple[int, Any]:
        """(row, position) of the deepest page of every stall, at row 180,000 where there are so many."""
        row, after, last = 0, None, (0, None)
        while row < DEEP:
            count, after = self.stalls(after=after, limit=STRIDE)
            if after is None:
                return last
            row, last = row + count, (row + count, after)
        return row, after

    def deep(self, office: str | None) -> tuple[int, Any]:
        """(row, position) of the last place from which a whole page can still be read."""
        places: list[tuple[int, Any]] = [(0, None)]
        row, after = self.page(office, limit=STRIDE)
        while after is not None and row < DEEP:
            places.append((row, after))
            count, after = self.page(office, after=after, limit=STRIDE)
            row += count
        return next(place for place in reversed(places) if row - place[0] >= PAGE or place[0] == 0)


def _timed(reads: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Median milliseconds of each, taken in turns so that a busy moment falls on all of them."""
    times: dict[str, list[float]] = {name: [] for name in reads}
    for turn in range(rounds + 3):
        for name, read in reads.items():
            began = time.perf_counter()
            read()
            if turn >= 3:
                times[name].append((time.perf_counter() - began) * 1000)
    return {name: statistics.median(one) for name, one in times.items()}


def measure(registers: Registers, figures: Figures, *, quick: bool) -> None:
    """Both databases, both sizes; through the query layer, and over HTTP at the larger size."""
    rounds = 15 if quick else 40
    for kind in KINDS:
        first: dict[int, float] = {}
        for projects in (SMALL, LARGE):
            print(f"  lists, {kind}, {projects:,} projects", flush=True)
            seeded = registers.copy(kind, projects)
            first[projects] = layer(seeded, figures, kind, rounds)["first"]
            if projects == LARGE:
                _over_http(seeded, figures, kind, rounds)
            registers.drop(seeded)
        figures.ratio(f"{kind}: first page at 100k / at 10k", first[LARGE], first[SMALL], at_most=1.3)


def layer(seeded: Seeded, figures: Figures, kind: str, rounds: int) -> dict[str, float]:
    """Pages through the query layer; median milliseconds by name."""
    reader = Reader(seeded)
    try:
        row, position = reader.deep(None)
        town_row, town_position = reader.deep("T001")
        stall_row, stall_position = reader.deep_stall()
        times = _timed(
            {
                "first": reader.page,
                "deep": lambda: reader.page(after=position),
                "half_a_year_ago": lambda: reader.page(as_of=HALF_A_YEAR),
                "three_years_ago": lambda: reader.page(as_of=THREE_YEARS),
                "known_then": lambda: reader.page(known_at=KNOWN_THEN),
                "town": lambda: reader.page("T001"),
                "town_deep": lambda: reader.page("T001", after=town_position),
                "town_half_a_year_ago": lambda: reader.page("T001", as_of=HALF_A_YEAR),
                "stalls": reader.stalls,
                "stalls_deep": lambda: reader.stalls(after=stall_position),
                "stalls_half_a_year_ago": lambda: reader.stalls(as_of=HALF_A_YEAR),
                "stalls_known_then": lambda: reader.stalls(known_at=KNOWN_THEN),
            },
            rounds,
        )
        full = {
            name: reader.page(as_of=day)[0] for name, day in (("now", None), ("half_a_year", HALF_A_YEAR), ("three_years", THREE_YEARS))
        }
    finally:
        reader.house.database.dispose()
    where = f"{kind} {seeded.projects // 1000}k"
    figures.figure(
        f"{where} pages, ms",
        **{name: round(one, 2) for name, one in times.items()},
        deep_row=row,
        town_deep_row=town_row,
        stall_row=stall_row,
    )
    figures.figure(f"{where} rows on a page", **full)
    figures.ratio(f"{where}: row {row} / first page, county", times["deep"], times["first"], at_most=1.5)
    figures.ratio(f"{where}: row {town_row} / first page, one town", times["town_deep"], times["town"], at_most=1.5)
    figures.ratio(f"{where}: as of half a year ago / now", times["half_a_year_ago"], times["first"], at_most=3)
    figures.ratio(f"{where}: as of three years ago / now", times["three_years_ago"], times["first"], at_most=3)
    figures.ratio(f"{where}: one town, as of half a year ago / now", times["town_half_a_year_ago"], times["town"], at_most=3)
    figures.ratio(f"{where}: as known half a year ago / now", times["known_then"], times["first"], at_most=20)
    figures.ratio(f"{where}: every stall, row {stall_row} / first page", times["stalls_deep"], times["stalls"], at_most=1.5)
    figures.ratio(f"{where}: every stall, as of half a year ago / now", times["stalls_half_a_year_ago"], times["stalls"], at_most=3)
    figures.ratio(f"{where}: every stall, as known half a year ago / now", times["stalls_known_then"], times["stalls"], at_most=20)
    return times


def side_by_side(small: Seeded, large: Seeded, rounds: int) -> dict[str, float]:
    """Median milliseconds of first pages of both sizes, taken in turns."""
    readers = {"small": Reader(small), "large": Reader(large)}
    try:
        return _timed({f"{kind} {size}": getattr(reader, kind) for size, reader in readers.items() for kind in ("page", "stalls")}, rounds)
    finally:
        for reader in readers.values():
            reader.house.database.dispose()


def _over_http(seeded: Seeded, figures: Figures, kind: str, rounds: int) -> None:
    with service(seeded.url) as running:
        cursor = None
        deep, row = PATH, 0
        while row < 10_000:
            page = _get(running, seeded, "/api/v1/signed-then-stopped?limit=200" + (f"&cursor={quote(cursor)}" if cursor else ""))
            if page["next_cursor"] is None or len(page["items"]) < 200:
                break
            cursor, row = page["next_cursor"], row + 200
            deep = f"{PATH}&cursor={quote(cursor)}"
        times = _timed(
            {
                "first": lambda: _get(running, seeded, PATH),
                "deep": lambda: _get(running, seeded, deep),
                "as_of": lambda: _get(running, seeded, f"{PATH}&as_of={HALF_A_YEAR}"),
            },
            rounds,
        )
    figures.figure(f"{kind} 100k pages over HTTP, ms", **{name: round(one, 2) for name, one in times.items()}, deep_row=row)
    figures.ratio(f"{kind} 100k over HTTP: row {row} / first page", times["deep"], times["first"], at_most=1.5)
    figures.ratio(f"{kind} 100k over HTTP: as of half a year ago / now", times["as_of"], times["first"], at_most=3)


def _get(running: Service, seeded: Seeded, path: str) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {seeded.county_token}"})
        answer = connection.getresponse()
        raw = answer.read()
    finally:
        connection.close()
    if answer.status != 200:
        raise RuntimeError(f"{path}: {answer.status} {raw[:300]!r}")
    return orjson.loads(raw)
