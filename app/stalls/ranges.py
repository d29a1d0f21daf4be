"""Reading late clocks in order: one index range per (rule, limit) and life, merged. The cost follows the page, not the register.

"Late on D" is "basis on or before a cutoff", so each stream of a policy is a range of ix_clock_now or ix_clock_office, already in
order. For a day in the past most clocks of a range have long ended; `life` (how long a clock ran) lets the range begin
where a clock of that life can still have been running, so that few rows are read in vain.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.heart.rules import STOPPED_BY
from app.offices.desk import House, Moment
from app.policies.policy import Running, Stream
from app.projects.lateness import conditions
from app.projects.models import ClockRow
from app.projects.queries import RUNNING, true_on
from app.projects.store import ENDS_LATER, OPEN

RECENT = timedelta(hours=1)
LIVES = range(9)
"""Exponents of four; 4^9 days are seven centuries."""
PIECES = 100
"""Parts of one statement: SQLite takes 500 (limits that differ on every route make more) and 32,766 values."""
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


def _piece(
    number: int,
    stream: Stream,
    part: Slice,
    at: Moment,
    on: date,
    offices: tuple[int, ...] | None,
    halted: bool,
    bound: date,
    position: Any,
    down: bool,
    limit: int,
) -> sa.Select[Any] | None:
    if part.after >= bound:
        return None
    where: list[Any] = [
        ClockRow.rule == stream.rule,
        ClockRow.halted == (sa.true() if halted else sa.false()),
        ClockRow.solid_on <= bound,
        true_on(ClockRow, at),
    ]
    where.append(ClockRow.known_to.is_(None) if part.still_known else ClockRow.known_to.is_not(None))
    if part.life is not None:
        where.append(ClockRow.life == part.life)
    else:
        where.append(ClockRow.known_to > at.pinned)
    if part.after > date.min:
        where.append(ClockRow.solid_on > part.after)
    if stream.soft > date.min:  # yellow and blue count from the soft basis, which is never before the solid one
        where.append(sa.or_(ClockRow.soft_on <= stream.soft, ClockRow.solid_on <= stream.solid))
    if offices is not None:
        where.append(ClockRow.office_id == offices[0] if len(offices) == 1 else ClockRow.office_id.in_(offices))
    if position is not None:
        pair, last = sa.tuple_(ClockRow.solid_on, ClockRow.project_id), sa.tuple_(sa.literal(position[0]), sa.literal(position[1]))
        where.append(pair < last if down else pair > last)
    order = (ClockRow.solid_on.desc(), ClockRow.project_id.desc()) if down else (ClockRow.solid_on, ClockRow.project_id)
    where += conditions(stream, on)
    inner = sa.select(sa.literal(number).label("stream"), *_COLUMNS).where(*where).order_by(*order).limit(limit).subquery()
    return sa.select(inner)


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
) -> Iterator[Late]:
    """Late clocks of all streams, merged in the order of `key` (which must not fall along a stream), from `positions` on.

    The streams were made for the day `on`; `halted` is only ever true of the composite's rules.
    Rows are fetched in batches; a caller that stops early leaves the rest unread.
    """
    parts = slices(house, at)

    def fetch(numbers: Sequence[int], where: dict[int, tuple[date, int]]) -> dict[int, list[Late]]:
        pieces = [
            piece
            for number in numbers
            for part in parts
            for flag in halted
            if not (flag and streams[number].rule not in STOPPED_BY)
            if (
                piece := _piece(
                    number,
                    streams[number],
                    part,
                    at,
                    on,
                    offices,
                    flag,
                    max(streams[number].solid, streams[number].soft),
                    where.get(number),
                    down,
                    batch,
                )
            )
            is not None
        ]
        found: dict[int, list[Late]] = {number: [] for number in numbers}
        for begin in range(0, len(pieces), PIECES):
            some = pieces[begin : begin + PIECES]
            for number, project_id, *row in connection.execute(sa.union_all(*some) if len(some) > 1 else some[0]):
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
