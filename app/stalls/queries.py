"""The lists: signed-then-stopped, and every stall, with the reasons for each row."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import chain
from typing import Any

import sqlalchemy as sa

from app.errors import Invalid
from app.heart import lifecycle, rules
from app.heart.limits import cutoff
from app.heart.standing import Standing
from app.offices.desk import Moment, Work
from app.offices.queries import Scope
from app.policies.policy import Policy, Reason, Running, Stream, red_only
from app.projects import derived, lateness
from app.projects.marks import mark, marked, marks_of, voices_of
from app.projects.models import ClockRow, Project
from app.projects.queries import clocks_of, contacts_of, people_of, presented, rows_of, true_on
from app.projects.seeking import matches
from app.stalls.ranges import BY_BASIS, Order, day_before, late

Positions = dict[int, tuple[date, int]]


def missing_of(names: Sequence[str], now: Standing) -> list[dict[str, str]]:
    """What some rules miss (a milestone, money, a report, an owner), each once."""
    kinds = dict.fromkeys(kind for name in names for kind in rules.BY_NAME[name].missing(now))
    return [{"kind": kind, "label": rules.MISSING_LABELS[kind]} for kind in kinds]


def read_positions(after: list[Any] | None) -> Positions:
    """Stream positions as a cursor keeps them."""
    return {int(number): (date.fromisoformat(day), int(project)) for number, day, project in after or ()}


# signed-then-stopped --------------------------------------------------------------------------------


def _by_red(policy: Policy) -> Order:
    """The longest stopped first: by the day red was reached."""

    def key(stream: Stream, clock: Running, project_id: int) -> tuple[Any, ...]:
        assert stream.limits.red is not None
        return policy.due(stream.limits.red, clock.solid_on), clock.solid_on, project_id

    def reach(stream: Stream, key: tuple[Any, ...], down: bool) -> date:
        assert stream.limits.red is not None
        return cutoff(stream.limits.red, day_before(key[0]) if down else key[0], policy.calendar)

    return Order(key, reach)


def _owner(policy: Policy, clocks: Sequence[Running], on: date) -> tuple[str, date] | None:
    """Which of the composite's clocks holds the earliest red of a project, and that day: only its stream emits the row."""
    found = []
    for clock in clocks:
        limits = policy.limits(clock.rule, clock.route)
        stops = clock.halted and clock.rule in rules.STOPPED_BY
        if stops and limits and limits.red and (red_on := policy.due(limits.red, clock.solid_on)) <= on:
            found.append((red_on, clock.solid_on, rules.STOPPED_BY.index(clock.rule)))
    return None if not found else (rules.STOPPED_BY[min(found)[2]], min(found)[0])


def among(work: Work, q: str | None) -> list[sa.ColumnElement[bool]]:
    """Clocks of projects that `q` finds, for those who read all clocks anyway: the projects are searched once."""
    if q is None:
        return []
    return [ClockRow.project_id.in_(sa.select(Project.id).where(matches(Project.search_key, q, work.house.database.sqlite)))]


def stopped_pages(
    work: Work,
    at: Moment,
    policy: Policy,
    scope: Scope,
    after: list[Any] | None,
    *,
    limit: int,
    min_days: int = 0,
    down: bool = False,
    q: str | None = None,
) -> tuple[list[dict[str, Any]], list[Any] | None]:
    """(rows, position of the next page) of signed-then-stopped; the longest stopped first unless `down`."""
    on = at.as_of - timedelta(days=min_days)
    streams = red_only(policy.streams("red", on, rules.STOPPED_BY))
    found: list[tuple[int, date, list[Running]]] = []
    if scope.ids == ():
        return [], None
    last = read_positions(after)
    more, asked = False, 2 * (limit + 1)  # many projects are late by both rules
    while not more:
        batch = late(
            work.connection,
            work.house,
            at,
            streams,
            scope.ids,
            order=_by_red(policy),
            on=on,
            halted=(True,),
            positions=last,
            down=down,
            batch=asked,
            q=q,
        )
        clocks = clocks_of(work.connection, list({one.project_id for one in batch}), at)
        for one in batch:
            owner = _owner(policy, clocks[one.project_id], at.as_of)
            emits = owner is not None and owner[0] == one.clock.rule
            if emits and len(found) == limit:
                more = True
                break
            last[one.stream] = (one.clock.solid_on, one.project_id)
            if emits and owner is not None:
                found.append((one.project_id, owner[1], clocks[one.project_id]))
        if len(batch) < asked:
            break
    rows = stopped_rows(work, at, policy, scope, found)
    return rows, [[number, day.isoformat(), project] for number, (day, project) in last.items()] if more else None


def stopped_rows(
    work: Work, at: Moment, policy: Policy, scope: Scope, found: Sequence[tuple[int, date, list[Running]]]
) -> list[dict[str, Any]]:
    """Stopped projects as the list prints them, in the order given: (number, stopped_on, running clocks)."""
    ids = [number for number, _, _ in found]
    if not ids:
        return []
    rows = rows_of(work.connection, ids, at)
    contacts, marks = contacts_of(work.connection, ids, at), marks_of(work.connection, ids, at)
    voices = voices_of(work.connection, chain.from_iterable(marks.values()))
    people = people_of(work.connection, (row[name] for row in rows.values() for name in ("owner_id", "liaison_id")))
    listed = []
    for number, stopped_on, clocks in found:
        row = rows[number]
        standing = derived.standing_from(row)
        reasons = policy.reasons(clocks, at.as_of)
        red = {reason.rule: reason for reason in reasons if reason.level in ("red", "exit_review")}
        why = [red[name] for name in rules.STOPPED_BY if name in red]
        shown = presented(row, standing, scope.offices[row["office_id"]].shown, reasons, contacts[number], people)
        assert standing.signed_on is not None
        shown |= {
            "stopped_on": stopped_on,
            "days_since_signing": (at.as_of - standing.signed_on).days,
            "days_stopped": (at.as_of - stopped_on).days,
            "missing": missing_of([reason.rule for reason in why], standing),
            "reasons": [reason.shown() for reason in why],
        }
        mark((*shown["flags"], *shown["reasons"]), marks.get(number, ()), at.as_of, voices)
        listed.append(shown)
    return listed


def stopped_ids(at: Moment, policy: Policy, scope: Scope, min_days: int = 0) -> sa.Select[Any]:
    """The numbers of the stopped projects, each once or twice, in no order."""
    streams = red_only(policy.streams("red", at.as_of - timedelta(days=min_days), rules.STOPPED_BY))
    arms = [lateness.late(one, at.as_of) for one in streams]
    where = [ClockRow.halted, true_on(ClockRow, at), sa.or_(sa.false(), *arms)]
    if scope.ids is not None:
        where.append(ClockRow.office_id.in_(scope.ids))
    return sa.select(ClockRow.project_id).where(*where)


def stopped_total(work: Work, at: Moment, policy: Policy, scope: Scope, min_days: int = 0, q: str | None = None) -> int:
    """How many projects are signed-then-stopped."""
    found = stopped_ids(at, policy, scope, min_days).where(*among(work, q)).distinct().subquery()
    return work.connection.scalar(sa.select(sa.func.count()).select_from(found)) or 0


# every stall ----------------------------------------------------------------------------------------


def _after_row(streams: Sequence[Stream], after: list[Any] | None, down: bool) -> Positions:
    """Where each stream goes on after the row [basis, project, rule]: none begins anew with what an earlier page has told."""
    if after is None:
        return {}
    if isinstance(after[0], list):  # pages that an earlier version began
        raise Invalid("cursor 已失效；请从第一页重新查询", errors=[{"field": "cursor", "message": "of an earlier version"}])
    day, project, rule = date.fromisoformat(after[0]), after[1], after[2]
    beside = project + 1 if down else project - 1  # of the same project and day, a rule that comes later is still to be told
    return {number: (day, project if (one.rule >= rule if down else one.rule <= rule) else beside) for number, one in enumerate(streams)}


def stall_pages(
    work: Work,
    at: Moment,
    policy: Policy,
    scope: Scope,
    after: list[Any] | None,
    *,
    level: str,
    rule: str | None,
    limit: int,
    down: bool = False,
    q: str | None = None,
) -> tuple[list[dict[str, Any]], list[Any] | None]:
    """(rows, position of the next page): one row per project and rule that has reached the level or worse; the oldest basis
    first unless `down`."""
    if scope.ids == ():
        return [], None
    streams = policy.streams(level, at.as_of, None if rule is None else [rule])
    taken = late(
        work.connection,
        work.house,
        at,
        streams,
        scope.ids,
        order=BY_BASIS,
        on=at.as_of,
        halted=(True, False),
        positions=_after_row(streams, after, down),
        down=down,
        batch=limit + 1,
        q=q,
    )
    page = taken[:limit]
    last = page[-1].clock if len(taken) > limit else None
    position = [last.solid_on.isoformat(), page[-1].project_id, last.rule] if last else None
    return stall_rows(work, at, policy, scope, [(one.project_id, one.clock) for one in page]), position


def stall_rows(work: Work, at: Moment, policy: Policy, scope: Scope, page: Sequence[tuple[int, Running]]) -> list[dict[str, Any]]:
    """Late clocks as the list prints them, in the order given: (project, clock)."""
    numbers = list({number for number, _ in page})
    rows, marks = rows_of(work.connection, numbers, at), marks_of(work.connection, numbers, at)
    voices = voices_of(work.connection, chain.from_iterable(marks.values()))
    listed = []
    for number, clock in page:
        row = rows[number]
        standing = derived.standing_from(row)
        reason: Reason = policy.reasons([clock], at.as_of)[0]
        stage = standing.stage
        listed.append(
            {
                "id": f"{row['ref']}:{clock.rule}",
                "ref": row["ref"],
                "name": row["name"],
                "office": scope.offices[row["office_id"]].shown,
                "stage": stage,
                "stage_label": lifecycle.BY_STAGE[stage].label if stage else None,
                "signed_on": standing.signed_on,
                **reason.shown(),
                "missing": missing_of([clock.rule], standing),
                "advice": rules.BY_NAME[clock.rule].advice,
                **marked(marks.get(number, ()), clock.rule, reason.basis_on, at.as_of, voices),
            }
        )
    return listed


def late_clocks(at: Moment, policy: Policy, scope: Scope, level: str, rule: str | None) -> list[sa.ColumnElement[bool]]:
    """What a clock has to fulfil to be a stall at the level or worse."""
    streams = policy.streams(level, at.as_of, None if rule is None else [rule])
    arms = [lateness.late(one, at.as_of) for one in streams]
    where = [true_on(ClockRow, at), sa.or_(sa.false(), *arms)]
    if scope.ids is not None:
        where.append(ClockRow.office_id.in_(scope.ids))
    return where


def stall_total(work: Work, at: Moment, policy: Policy, scope: Scope, level: str, rule: str | None, q: str | None = None) -> int:
    """How many (project, rule) pairs have reached the level."""
    where = [*late_clocks(at, policy, scope, level, rule), *among(work, q)]
    return work.connection.scalar(sa.select(sa.func.count()).select_from(ClockRow).where(*where)) or 0
