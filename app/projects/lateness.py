"""When is a stored clock late? The one place that says in SQL what policy.Stream and heart.limits say in Python."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from app.policies.policy import Stream
from app.projects.models import ClockRow


class _DaysBetween(FunctionElement[int]):
    """Calendar days from the first date to the second; both databases store dates, neither in the same way."""

    type = sa.Integer()
    inherit_cache = True


@compiles(_DaysBetween)
def _days_postgresql(element: Any, compiler: Any, **more: Any) -> str:
    first, second = element.clauses
    return f"(CAST({compiler.process(second, **more)} AS date) - CAST({compiler.process(first, **more)} AS date))"


@compiles(_DaysBetween, "sqlite")
def _days_sqlite(element: Any, compiler: Any, **more: Any) -> str:
    first, second = element.clauses
    return f"CAST(julianday({compiler.process(second, **more)}) - julianday({compiler.process(first, **more)}) AS INTEGER)"


def span_passed(percent: Any, day: Any, on: Any) -> sa.ColumnElement[bool]:
    """Has so much of the agreed time passed by the day? A day after `on` (blue looks ahead) also needs a basis before `on`."""
    span = _DaysBetween(ClockRow.solid_on, ClockRow.agreed_on)
    agreed = sa.case((ClockRow.agreed_on > ClockRow.solid_on, span), else_=0)
    return sa.and_(_DaysBetween(ClockRow.solid_on, day) * 100 >= agreed * percent, sa.or_(day <= on, ClockRow.solid_on < on))


def passed(spans: Iterable[tuple[int, date]], on: date) -> sa.ColumnElement[bool]:
    """Has one of these (percent, day) of the agreed time passed?"""
    here = sa.literal(on, sa.Date)
    return sa.or_(sa.false(), *(span_passed(percent, sa.literal(day, sa.Date), here) for percent, day in spans))


def conditions(stream: Stream, on: date) -> list[sa.ColumnElement[bool]]:
    """What a clock of the stream has to fulfil beyond its basis: the route, the date agreed or not, the share of money."""
    where = route_filter(stream.routes)
    if stream.limits.share is not None:
        where.append(ClockRow.part < stream.limits.share)
    if stream.agreed is not None:
        where.append(ClockRow.agreed_on.is_not(None) if stream.agreed else ClockRow.agreed_on.is_(None))
    if stream.agreed:
        where.append(passed(stream.spans, on))
    return where


def late(stream: Stream, on: date) -> sa.ColumnElement[bool]:
    """Is a clock of this stream at its level or worse on a day?"""
    reached = sa.or_(ClockRow.solid_on <= stream.solid, ClockRow.soft_on <= stream.soft)
    return sa.and_(ClockRow.rule == stream.rule, reached, *conditions(stream, on))


def route_filter(routes: tuple[str | None, ...] | None) -> list[sa.ColumnElement[bool]]:
    """The clocks of some site routes; None means any route."""
    if routes is None:
        return []
    named = [route for route in routes if route is not None]
    arms: list[sa.ColumnElement[bool]] = [ClockRow.route.in_(named)]
    if None in routes:
        arms.append(ClockRow.route.is_(None))
    return [sa.or_(*arms)]
