"""Reading late clocks in order: one index range per (rule, limit) and life, merged. The cost follows the page, not the register.

"Late on D" is "basis on or before a cutoff", so each stream of a policy is a range of ix_clock_now or ix_clock_office, already in
order. For a day in the past most clocks of a range have long ended; `life` (how long a clock ran) lets the range begin
where a clock of that life can still have been running, so that few rows are read in vain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, timedelta
from functools import cache
from itertools import chain
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.db import UtcDateTime
from app.heart.rules import STOPPED_BY
from app.offices.desk import House, Moment
from app.policies.policy import Running, Stream
from app.projects import seeking
from app.projects.derived import ENDS_LATER, OPEN
from app.projects.lateness import span_passed
from app.projects.models import ClockRow, Project
from app.projects.queries import RUNNING

RECENT = timedelta(hours=1)
LIVES = range(9)
"""Exponents of four; 4^9 days are seven centuries."""
SHARE = 6
"""Of a page so much is first asked of each part; a part that has more is asked again for so many times as much."""
NO_ROUTE = "-"
"""Stands for a project whose route is unknown, in a part's list of routes."""
_COLUMNS = (ClockRow.project_id, *RUNNING)


class Slice(NamedTuple):
    """Part of the clock table that can hold rows running on the day: a life, or all that was superseded since."""

    life: int | None
    still_known: bool
    after: date


class Late(NamedTuple):
    """A clock that is late, from one stream."""

    stream: int
    project_id: int
    clock: Running


def slices(house: House, at: Moment) -> list[Slice]:
    """The parts of the table to look into for (D, K)."""
    now = house.clock.now()
    known = at.pinned or now
    current = [Slice(OPEN, True, date.min), Slice(ENDS_LATER, True, date.min)]
    if at.as_of == house.clock.business_date(known) and now - known <= RECENT:
        # what is true today is still running; what was known a moment ago was superseded since then, or still is known
        return current if at.pinned is None else [*current, Slice(None, False, date.min)]
    found = current + [Slice(life, True, _begins_after(at.as_of, life)) for life in LIVES]
    if at.pinned is not None:
        ended = min(at.as_of, house.clock.business_date(at.pinned))
        found += [Slice(life, False, _begins_after(ended, life)) for life in LIVES]
    return found


def _begins_after(day: date, life: int) -> date:
    """A clock of this life that runs on the day began after this date."""
    return date.fromordinal(max(day.toordinal() - 4 ** (life + 1), 1))


_PART: dict[str, Any] = {
    "number": sa.Integer, "rule": sa.Text, "halted": sa.Boolean, "life": sa.Integer, "after": sa.Date, "bound": sa.Date,
    "solid": sa.Date, "soft": sa.Date, "routes": sa.Text, "share": sa.Integer, "agreed": sa.Boolean,
    "percent_1": sa.Integer, "day_1": sa.Date, "percent_2": sa.Integer, "day_2": sa.Date, "percent_3": sa.Integer, "day_3": sa.Date,
    "at_day": sa.Date, "at_project": sa.BigInteger,
}  # fmt: skip
"""What differs between the parts of one question: the statement stays the same, whatever is asked, and is compiled once."""
_SPANS = (1, 2, 3)
_day, _on, _known = sa.bindparam("day", type_=sa.Date), sa.bindparam("on_day", type_=sa.Date), sa.bindparam("known", type_=UtcDateTime)


def _rows(
    part: Any, *, still_known: bool, lives: bool, pinned: bool, offices: str, down: bool, sought: bool, sqlite: bool
) -> sa.Select[Any]:
    """The clocks of one part in order; `part` has the names of _PART."""
    where = [
        ClockRow.rule == part["rule"],
        ClockRow.halted == part["halted"],
        ClockRow.solid_on > part["after"],
        ClockRow.solid_on <= part["bound"],
        ClockRow.valid_from <= _day,
        ClockRow.valid_to > _day,
        # yellow and blue count from the soft basis, which is never before the solid one
        sa.or_(part["soft"].is_(None), ClockRow.soft_on <= part["soft"], ClockRow.solid_on <= part["solid"]),
        sa.or_(part["routes"].is_(None), part["routes"].like("%," + sa.func.coalesce(ClockRow.route, NO_ROUTE) + ",%")),
        sa.or_(part["share"].is_(None), ClockRow.part < part["share"]),
        sa.or_(part["agreed"].is_(None), ClockRow.agreed_on.is_not(None) == part["agreed"]),
        sa.or_(part["percent_1"].is_(None), *(span_passed(part[f"percent_{n}"], part[f"day_{n}"], _on) for n in _SPANS)),
        ClockRow.known_to.is_(None) if still_known else ClockRow.known_to.is_not(None),
    ]
    if lives:
        where.append(ClockRow.life == part["life"])
    if pinned:
        where.append(ClockRow.known_from <= _known)
        if not still_known:
            where.append(ClockRow.known_to > _known)
    if offices == "one":
        where.append(ClockRow.office_id == sa.bindparam("office", type_=sa.Integer))
    elif offices == "some":
        where.append(ClockRow.office_id.in_(sa.bindparam("offices", expanding=True)))
    if sought:  # looked up clock by clock, so that a range stays in order and ends with the page
        key = sa.select(Project.search_key).where(Project.id == ClockRow.project_id).correlate(ClockRow).scalar_subquery()
        where.append(seeking.holds(key, sa.bindparam("sought", type_=sa.Text), sqlite))
    place, last = sa.tuple_(ClockRow.solid_on, ClockRow.project_id), sa.tuple_(part["at_day"], part["at_project"])
    where.append(place < last if down else place > last)
    order = (ClockRow.solid_on.desc(), ClockRow.project_id.desc()) if down else (ClockRow.solid_on, ClockRow.project_id)
    return sa.select(*_COLUMNS).where(*where).order_by(*order).limit(sa.bindparam("batch", type_=sa.Integer))


@cache
def _statement(sqlite: bool, still_known: bool, lives: bool, pinned: bool, offices: str, down: bool, sought: bool) -> sa.Select[Any]:
    """PostgreSQL answers all parts in one statement, each a LATERAL index range; SQLite, which is in this process, one by one."""
    shape: dict[str, Any] = {"still_known": still_known, "lives": lives, "pinned": pinned, "offices": offices, "down": down}
    shape |= {"sought": sought, "sqlite": sqlite}
    if sqlite:
        part: Any = {name: sa.bindparam(name, type_=kind) for name, kind in _PART.items()}
        return _rows(part, **shape)
    values: Any = sa.func.json_to_recordset(sa.cast(sa.bindparam("parts", type_=sa.Text), sa.JSON))
    values = values.table_valued(*(sa.column(name, kind) for name, kind in _PART.items())).render_derived(name="part", with_types=True)
    found = _rows(values.c, **shape).lateral("found")
    return sa.select(values.c.number, found).select_from(values.join(found, sa.true()))


def _parts(
    numbers: Iterable[int],
    streams: Sequence[Stream],
    some: Sequence[Slice],
    halted: Sequence[bool],
    positions: dict[int, tuple[date, int]],
    down: bool,
) -> Iterator[dict[str, Any]]:
    for number in numbers:
        stream = streams[number]
        bound = max(stream.solid, stream.soft)
        routes = None if stream.routes is None else f",{','.join(route or NO_ROUTE for route in stream.routes)},"
        spans = {
            f"{name}_{n}": value for n, span in enumerate(stream.spans, 1) for name, value in zip(("percent", "day"), span, strict=True)
        }
        at_day, at_project = positions.get(number, (date.max, 0) if down else (date.min, 0))
        bound = min(bound, at_day) if down else bound
        one = dict.fromkeys(_PART) | {
            "number": number, "rule": stream.rule, "bound": bound, "solid": stream.solid, "routes": routes,
            "soft": stream.soft if stream.soft > date.min else None, "share": stream.limits.share, "agreed": stream.agreed,
            "at_day": at_day, "at_project": at_project, **spans,
        }  # fmt: skip
        for place in some:
            after = place.after if down else max(place.after, day_before(at_day))  # SQLite enters a range by its days alone
            if after < bound:
                for flag in halted:
                    if not flag or stream.rule in STOPPED_BY:  # the others are never halted
                        yield one | {"halted": flag, "life": place.life, "after": after}


def _given(house: House, at: Moment, offices: tuple[int, ...] | None, on: date, batch: int, q: str | None) -> tuple[str, dict[str, Any]]:
    """How offices are asked for, and what is the same for all parts."""
    named = "all" if offices is None else "one" if len(offices) == 1 else "some"
    given: dict[str, Any] = {"day": at.as_of, "on_day": on, "batch": batch}
    if offices is not None:
        given |= {"office": offices[0]} if named == "one" else {"offices": offices}
    if at.pinned is not None:
        given["known"] = at.pinned
    if q is not None:
        given["sought"] = seeking.sought(q, house.database.sqlite)
    return named, given


class Order(NamedTuple):
    """How late clocks follow each other. Along a stream the key must not fall."""

    key: Callable[[Stream, Running, int], tuple[Any, ...]]
    reach: Callable[[Stream, tuple[Any, ...], bool], date]
    """(stream, a key, down): the stream's last basis that can come before a row of that key; when `down`, the last that cannot."""


def day_before(day: date) -> date:
    """The day before, as far as there is one."""
    return day - timedelta(days=1) if day > date.min else day


BY_BASIS = Order(
    key=lambda _, clock, project_id: (clock.solid_on, project_id, clock.rule),
    reach=lambda _, key, down: day_before(key[0]) if down else key[0],
)
"""The oldest basis first."""


def late(
    connection: Connection,
    house: House,
    at: Moment,
    streams: Sequence[Stream],
    offices: tuple[int, ...] | None,
    *,
    order: Order,
    on: date,
    halted: Sequence[bool],
    positions: dict[int, tuple[date, int]],
    down: bool = False,
    batch: int = 51,
    q: str | None = None,
) -> list[Late]:
    """The first so many late clocks of all streams, after `positions`. The streams were made for the day `on`; `q` keeps to the
    projects it finds.

    What still runs and needs no second look is read first: it tells how far all else has to be read, and most ranges of other
    lives hold nothing so early.
    """
    named, given = _given(house, at, offices, on, batch, q)
    sqlite = house.database.sqlite
    found = _Found(streams, order, batch, down)
    for still_known, lives, numbers, some in _rounds(streams, slices(house, at)):
        statement = _statement(sqlite, still_known, lives, at.pinned is not None, named, down, q is not None)
        asked = list(_parts(numbers, streams, some, halted, positions, down))
        if sqlite:
            for part in asked:
                if found.narrow(part):
                    rows = connection.execute(statement, given | part)
                    found.add([Late(part["number"], row[0], Running(*row[1:])) for row in rows])
            continue
        share = max(batch // SHARE, 1)
        while asked := [part for part in asked if found.narrow(part)]:
            # a part is named by its place here; it goes on after its last row when it gave all that was asked for, and all was wanted
            numbered = [part | {"number": turn} for turn, part in enumerate(asked)]
            read: dict[int, list[Late]] = {}
            answer = connection.execute(statement, given | {"batch": share, "parts": orjson.dumps(numbered).decode()})
            for turn, project_id, *row in answer:
                read.setdefault(turn, []).append(Late(asked[turn]["number"], project_id, Running(*row)))
            found.add(list(chain.from_iterable(read.values())))
            unread = [(asked[turn], rows[-1]) for turn, rows in read.items() if len(rows) == share and found.wants(rows[-1])]
            asked = [part | {"at_day": last.clock.solid_on, "at_project": last.project_id} for part, last in unread]
            share = min(share * SHARE, batch)
    return found.rows


def _rounds(streams: Sequence[Stream], places: Sequence[Slice]) -> Iterator[tuple[bool, bool, list[int], list[Slice]]]:
    """(still known, told apart by life, streams, slices) of each round. Streams that leave out some of their range come later: how
    far they would have to read for a page is not known, until others have said where the page ends."""
    plain = [number for number, one in enumerate(streams) if one.routes is None and one.agreed is None and one.limits.share is None]
    picky = [number for number in range(len(streams)) if number not in plain]
    runs = [place for place in places if place.still_known and place.life in (OPEN, ENDS_LATER)]
    yield True, True, plain, runs
    yield True, True, picky, runs
    rest = [place for place in places if place not in runs]
    for still_known, lives in dict.fromkeys((place.still_known, place.life is not None) for place in rest):
        some = [place for place in rest if (place.still_known, place.life is not None) == (still_known, lives)]
        yield still_known, lives, [*plain, *picky], some


class _Found:
    """The foremost rows so far, and what they leave to look for."""

    def __init__(self, streams: Sequence[Stream], order: Order, batch: int, down: bool) -> None:
        self.rows: list[Late] = []
        self._streams, self._order, self._batch, self._down = streams, order, batch, down
        self._last: tuple[Any, ...] | None = None

    def _key(self, one: Late) -> tuple[Any, ...]:
        return self._order.key(self._streams[one.stream], one.clock, one.project_id)

    def add(self, more: list[Late]) -> None:
        """More rows, of which only the foremost are kept."""
        if more:
            self.rows = sorted((*self.rows, *more), key=self._key, reverse=self._down)[: self._batch]
            self._last = self._key(self.rows[-1]) if len(self.rows) == self._batch else None

    def wants(self, one: Late) -> bool:
        """Can a row after this one still be among the foremost?"""
        return self._last is None or (self._key(one) > self._last if self._down else self._key(one) < self._last)

    def narrow(self, part: dict[str, Any]) -> bool:
        """Keep a part to what can still be among the foremost; answers whether anything can."""
        if self._last is not None:
            reach = self._order.reach(self._streams[part["number"]], self._last, self._down)
            if self._down:
                part["after"] = max(part["after"], reach)
            else:
                part["bound"] = min(part["bound"], reach)
        return bool(part["after"] < part["bound"])
