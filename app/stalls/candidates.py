"""Whom the daily run has to look at: only projects whose level can have changed since the last evaluated run.

A level is reached when a basis is on or before a cutoff, and cutoffs move with the day and the policy, forwards or back.
So these are: clocks whose basis lies between the last run's cutoffs and today's; projects that learnt something since;
and projects for which something begins or ends by itself in between (the end of a pause).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from itertools import product
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.heart.limits import BLUE_DAYS, LEVELS
from app.heart.rules import RULES
from app.policies.policy import ROUTES, Policy
from app.projects.derived import ENDS_LATER, OPEN
from app.projects.lateness import passed, route_filter
from app.projects.models import ClockRow, FactRow, Project, StandingRow
from app.stalls.models import Flag, FlagChange

LATE_COMMIT = timedelta(minutes=10)
"""A fact may be committed after a later one; no transaction may stay open as long as this (sessions.PG_OPTIONS)."""

Interval = tuple[date, date]


class Window(NamedTuple):
    """Bases of a rule, on some routes, that passed a cutoff in between: low < basis <= high."""

    rule: str
    routes: tuple[str | None, ...]
    solid: tuple[Interval, ...]
    soft: tuple[Interval, ...]


class Crossing(NamedTuple):
    """Clocks of a rule with an agreed date, on some routes, whose percentages say otherwise now: no interval of bases can tell."""

    rule: str
    routes: tuple[str | None, ...]
    before: tuple[tuple[int, date], ...]
    before_on: date
    after: tuple[tuple[int, date], ...]
    after_on: date


def _merged(found: Iterable[Interval]) -> tuple[Interval, ...]:
    merged: list[Interval] = []
    for low, high in sorted(set(found)):
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


def windows(old: Policy, old_day: date, new: Policy, new_day: date) -> list[Window]:
    """Where the cutoffs of two runs differ. The soft basis is never before the solid one."""
    groups: dict[tuple[str, tuple[Interval, ...], tuple[Interval, ...]], list[str | None]] = {}
    for rule in RULES:
        for route in ROUTES:
            solid: list[Interval] = []
            soft: list[Interval] = []
            before, after = old.limits(rule.name, route), new.limits(rule.name, route)
            if before and after and before.share != after.share:  # how late says nothing of how much
                solid.append((date.min, max(*before.cutoffs("blue", old_day, old.calendar), *after.cutoffs("blue", new_day, new.calendar))))
            for level in LEVELS:
                was = before.cutoffs(level, old_day, old.calendar) if before else (date.min, date.min)
                now = after.cutoffs(level, new_day, new.calendar) if after else (date.min, date.min)
                for found, one, other in ((solid, was[0], now[0]), (soft, was[1], now[1])):
                    if one != other:
                        found.append((min(one, other), max(one, other)))
            if solid or soft:
                groups.setdefault((rule.name, _merged(solid), _merged(soft)), []).append(route)
    return [Window(rule, tuple(routes), solid, soft) for (rule, solid, soft), routes in groups.items()]


def crossings(old: Policy, old_day: date, new: Policy, new_day: date) -> list[Crossing]:
    """Where the percentages of two runs can differ in what they say: of a level, or since the day went on."""
    found = []
    for rule in RULES:
        for route in ROUTES if rule.agreed else ():
            before, after = old.limits(rule.name, route, True), new.limits(rule.name, route, True)
            for level in LEVELS:
                was = tuple(before.spans(level, old_day)) if before else ()
                now = tuple(after.spans(level, new_day)) if after else ()
                if was or now:
                    found.append(Crossing(rule.name, (route,), was, old_day, now, new_day))
    grouped: dict[Any, list[str | None]] = {}
    for one in found:
        grouped.setdefault(one._replace(routes=()), []).extend(one.routes)
    return [one._replace(routes=tuple(routes)) for one, routes in grouped.items()]


_WAKES: Any = sa.literal_column("wakes")
"""As ix_standing_wakes spells it; SQLAlchemy would write `wakes = 1` on SQLite, and the index would go unused."""
_known = ClockRow.known_to.is_(None)
_running = (_known, ClockRow.halted.in_((False, True)), ClockRow.life.in_((OPEN, ENDS_LATER)))
"""Spelt out so that ix_clock_now is entered by its leading columns."""


def _routes(routes: tuple[str | None, ...]) -> tuple[sa.ColumnElement[bool], ...]:
    if len(routes) == len(ROUTES):
        return ()
    return tuple(route_filter(routes))


def _crossed(one: Crossing) -> sa.Select[Any]:
    was, now = passed(one.before, one.before_on), passed(one.after, one.after_on)
    query = sa.select(ClockRow.project_id).where(
        ClockRow.rule == one.rule, *_routes(one.routes), _known, ClockRow.agreed_on.is_not(None), was != now
    )
    if one.before and max(percent for percent, _ in (*one.before, *one.after)) <= 100:
        # what had passed all its time by then says the same today, unless a percentage changed
        same = {percent for percent, _ in one.before} == {percent for percent, _ in one.after}
        query = query.where(sa.or_(ClockRow.agreed_on > one.before_on, ClockRow.solid_on > one.before_on)) if same else query
    return query


def _queries(windows: Iterable[Window], since: date, today: date, learnt_since: datetime) -> Iterator[sa.Select[Any]]:
    for window in windows:
        mine = (ClockRow.rule == window.rule, *_routes(window.routes))
        for low, high in _merged((*window.solid, *window.soft)):
            yield sa.select(ClockRow.project_id).where(*mine, *_running, ClockRow.solid_on > low, ClockRow.solid_on <= high)
        for low, high in window.soft:  # clocks that a text moved: few, with an index of their own
            moved = (ClockRow.soft_on > ClockRow.solid_on, ClockRow.soft_on > low, ClockRow.soft_on <= high)
            yield sa.select(ClockRow.project_id).where(*mine, _known, *moved)
    yield sa.select(FactRow.project_id).where(FactRow.recorded_at >= learnt_since)
    yield sa.select(StandingRow.project_id).where(
        StandingRow.known_to.is_(None),
        _WAKES,
        StandingRow.valid_from > since,
        StandingRow.valid_from <= today,
    )
    ended = (ClockRow.valid_to > since, ClockRow.valid_to <= today)
    for rule in RULES:  # one by one: over a list of rules SQLite would rather read the whole table
        in_order = (ClockRow.rule == rule.name, _known, ClockRow.halted.in_((False, True)), ClockRow.life == ENDS_LATER)
        yield sa.select(ClockRow.project_id).where(*in_order, *ended)


_COUNTED_BY = {"blue": ("yellow",), "exit_review": ("exit_review", "red")}
"""The limits that a level's day comes from, where it is not its own alone."""


def redated(connection: Connection, old: Policy, new: Policy) -> set[int]:
    """Projects whose open flags have another day because a limit changed, though their level may stay."""
    changed = []
    for rule in RULES:
        for level in LEVELS:
            for route, agreed in product(ROUTES, (False, True) if rule.agreed else (False,)):
                before, after = old.limits(rule.name, route, agreed), new.limits(rule.name, route, agreed)
                if before and after and any(getattr(before, one) != getattr(after, one) for one in _COUNTED_BY.get(level, (level,))):
                    changed.append((rule.name, level))
                    break
    if not changed:
        return set()
    query = sa.select(Flag.project_id).where(Flag.closed_on.is_(None), sa.tuple_(Flag.rule, Flag.level).in_(changed))
    return set(connection.scalars(query))


def recounted(connection: Connection, old: Policy, new: Policy) -> set[int]:
    """Projects whose open flags have another day because the calendar changed around it, though their level may stay."""
    changed = old.calendar.differs(new.calendar)
    if changed is None:
        return set()
    first, last = changed[0] - timedelta(days=BLUE_DAYS), changed[1]  # a blue flag's day lies before the one that is counted
    near = [sa.or_(Flag.due_on >= first, Flag.basis_on >= first), sa.or_(Flag.due_on <= last, Flag.basis_on <= last)]
    query = sa.select(Flag.project_id, Flag.rule, Flag.level, Flag.basis_on).where(Flag.closed_on.is_(None), *near)
    moved = set()
    for project_id, rule, level, basis_on in connection.execute(query):
        found = [limits for route in ROUTES if (limits := new.limits(rule, route))]
        counted = {getattr(limits, name) for limits in found for name in _COUNTED_BY.get(level, (level,))}
        workdays = [limit for limit in counted if limit is not None and limit.unit == "wd"]
        if any(old.due(limit, basis_on) != new.due(limit, basis_on) for limit in workdays):
            moved.add(project_id)
    return moved


def since_last_run(connection: Connection, old: Policy, old_day: date, learnt: datetime, new: Policy, new_day: date) -> list[int]:
    """The projects to look at, ascending; `learnt` is when the last evaluated run started."""
    found: set[int] = set()
    for query in _queries(windows(old, old_day, new, new_day), old_day, new_day, learnt - LATE_COMMIT):
        found.update(connection.scalars(query))
    for crossing in crossings(old, old_day, new, new_day):
        found.update(connection.scalars(_crossed(crossing)))
    found |= recounted(connection, old, new) | redated(connection, old, new)
    # an earlier attempt of this run may have judged by another policy or another knowledge
    found.update(connection.scalars(sa.select(FlagChange.project_id).where(FlagChange.run_date == new_day)))
    return sorted(found)


def next_of_all(connection: Connection, after: int, size: int) -> list[int]:
    """The next projects of the whole register: for the first run, and after a rule was added."""
    return list(connection.scalars(sa.select(Project.id).where(Project.id > after).order_by(Project.id).limit(size)))
