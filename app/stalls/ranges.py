"""Reading late clocks in order: one index range per (rule, limit) and life, merged. The cost follows the page, not the register.

"Late on D" is "basis on or before a cutoff", so each stream of a policy is a range of ix_clock_now or ix_clock_office, already in
order. For a day in the past most clocks of a range have long ended; `life` (how long a clock ran) lets the range begin
where a clock of that life can still have been running, so that few rows are read in vain.
"""

from __future__ import annotations

import heapq
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
from app.projects import search
from app.projects.lateness import span_passed
from app.projects.models import ClockRow, Project
from app.projects.queries import RUNNING
from app.projects.store import ENDS_LATER, OPEN

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
        where.append(search.holds(key, sa.bindparam("sought", type_=sa.Text), sqlite))
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
        one = dict.fromkeys(_PART) | {
            "number": number, "rule": stream.rule, "bound": bound, "solid": stream.solid, "routes": routes,
            "soft": stream.soft if stream.soft > date.min else None, "share": stream.limits.share, "agreed": stream.agreed,
            "at_day": at_day, "at_project": at_project, **spans,
        }  # fmt: skip
        for place in some:
            if place.after < bound:
                for flag in halted:
                    if not flag or stream.rule in STOPPED_BY:  # the others are never halted
                        yield one | {"halted": flag, "life": place.life, "after": place.after}


def _given(house: House, at: Moment, offices: tuple[int, ...] | None, on: date, batch: int, q: str | None) -> tuple[str, dict[str, Any]]:
    """How offices are asked for, and what is the same for all parts."""
    named = "all" if offices is None else "one" if len(offices) == 1 else "some"
    given: dict[str, Any] = {"day": at.as_of, "on_day": on, "batch": batch}
    if offices is not None:
        given |= {"office": offices[0]} if named == "one" else {"offices": offices}
    if at.pinned is not None:
        given["known"] = at.pinned
    if q is not None:
        given["sought"] = search.sought(q, house.database.sqlite)
    return named, given


def first(
    connection: Connection,
    house: House,
    at: Moment,
    streams: Sequence[Stream],
    offices: tuple[int, ...] | None,
    *,
    halted: Sequence[bool],
    positions: dict[int, tuple[date, int]],
    down: bool = False,
    batch: int = 51,
    q: str | None = None,
) -> list[Late]:
    """The first so many late clocks of all streams, by basis, project and rule.

    What still runs is read first: it tells how far the other lives have to be read, and most of their ranges hold nothing so early.
    """
    named, given = _given(house, at, offices, at.as_of, batch, q)
    sqlite = house.database.sqlite
    found: list[Late] = []
    rounds: dict[tuple[bool, bool, bool], list[Slice]] = {}
    for place in slices(house, at):
        runs = place.still_known and place.life in (OPEN, ENDS_LATER)
        rounds.setdefault((runs, place.still_known, place.life is not None), []).append(place)
    for (_, still_known, lives), some in rounds.items():
        statement = _statement(sqlite, still_known, lives, at.pinned is not None, named, down, q is not None)
        asked = list(_parts(range(len(streams)), streams, some, halted, positions, down))
        if sqlite:
            for part in asked:
                if _narrowed(part, found, batch, down):
                    rows = connection.execute(statement, given | part)
                    more = [Late(part["number"], row[0], Running(*row[1:])) for row in rows]
                    found = _foremost(found, more, batch, down) if more else found
            continue
        share = max(batch // SHARE, 1)
        while asked := [part for part in asked if _narrowed(part, found, batch, down)]:
            # a part is named by its place here, and goes on after its last row when it gave all that it was asked for, and all is wanted
            numbered = [part | {"number": turn} for turn, part in enumerate(asked)]
            read: dict[int, list[Late]] = {}
            answer = connection.execute(statement, given | {"batch": share, "parts": orjson.dumps(numbered).decode()})
            for turn, project_id, *row in answer:
                read.setdefault(turn, []).append(Late(asked[turn]["number"], project_id, Running(*row)))
            found = _foremost(found, chain.from_iterable(read.values()), batch, down)
            unread = [(asked[turn], rows[-1]) for turn, rows in read.items() if len(rows) == share and rows[-1] in found]
            asked = [part | {"at_day": last.clock.solid_on, "at_project": last.project_id} for part, last in unread]
            share = min(share * SHARE, batch)
    return found


def _order(one: Late) -> tuple[date, int, str]:
    return one.clock.solid_on, one.project_id, one.clock.rule


def _foremost(found: list[Late], more: Iterable[Late], batch: int, down: bool) -> list[Late]:
    return sorted(chain(found, more), key=_order, reverse=down)[:batch]


def _narrowed(part: dict[str, Any], found: list[Late], batch: int, down: bool) -> bool:
    """Keep a part to what can still come before the last that was found; answers whether anything can."""
    if len(found) == batch:
        last = found[-1].clock.solid_on
        if down:
            part["after"] = max(part["after"], last - timedelta(days=1) if last > date.min else last)
        else:
            part["bound"] = min(part["bound"], last)
    return bool(part["after"] < part["bound"])


def late(
    connection: Connection,
    house: House,
    at: Moment,
    streams: Sequence[Stream],
    offices: tuple[int, ...] | None,
    *,
    on: date,
    halted: Sequence[bool],
    positions: dict[int, tuple[date, int]],
    key: Callable[[Stream, Running, int], Any],
    down: bool = False,
    batch: int = 51,
    q: str | None = None,
) -> Iterator[Late]:
    """Late clocks of all streams, merged in the order of `key` (which must not fall along a stream), from `positions` on.

    The streams were made for the day `on`; `q` keeps to the projects it finds. Rows are fetched in batches; a caller that stops
    early leaves the rest unread.
    """
    parts = slices(house, at)
    named, given = _given(house, at, offices, on, batch, q)

    def fetch(numbers: Sequence[int], where: dict[int, tuple[date, int]]) -> dict[int, list[Late]]:
        found: dict[int, list[Late]] = {number: [] for number in numbers}
        for shape in dict.fromkeys((part.still_known, part.life is not None) for part in parts):
            some = [part for part in parts if (part.still_known, part.life is not None) == shape]
            statement = _statement(house.database.sqlite, *shape, at.pinned is not None, named, down, q is not None)
            asked = list(_parts(numbers, streams, some, halted, where, down))
            if house.database.sqlite:
                for part in asked:
                    for project_id, *row in connection.execute(statement, given | part):
                        found[part["number"]].append(Late(part["number"], project_id, Running(*row)))
            elif asked:
                for number, project_id, *row in connection.execute(statement, given | {"parts": orjson.dumps(asked).decode()}):
                    found[number].append(Late(number, project_id, Running(*row)))
        for rows in found.values():
            rows.sort(key=lambda one: (one.clock.solid_on, one.project_id), reverse=down)
            del rows[batch:]  # beyond it another part may hold rows that were not fetched
        return found

    def flow(number: int, rows: list[Late]) -> Iterator[Late]:
        while rows:
            yield from rows
            if len(rows) < batch:
                return
            last = rows[-1]
            rows = fetch([number], {number: (last.clock.solid_on, last.project_id)})[number]

    first = fetch(range(len(streams)), positions)
    flows = [flow(number, rows) for number, rows in first.items()]
    yield from heapq.merge(*flows, key=lambda one: key(streams[one.stream], one.clock, one.project_id), reverse=down)
