"""Which clocks of a project ran when: the rules asked for every stretch of its history. Pure."""

from __future__ import annotations

import hashlib
import inspect
import sys
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import pairwise
from typing import NamedTuple

from app.heart import checks, lifecycle, live, rules, standing, starts, sweep
from app.heart.rules import Basis
from app.heart.standing import Segment, Standing


class Clock(NamedTuple):
    """One clock of one project, running over valid_from <= day < valid_to. `halted`: conditions (a)-(d) of the composite hold."""

    rule: str
    valid_from: date
    valid_to: date
    basis: str
    solid_on: date
    soft_on: date
    halted: bool
    office_id: int
    route: str | None
    part: int | None = None
    agreed_on: date | None = None


def clocks(segments: Sequence[Segment], reports: Sequence[date]) -> list[Clock]:
    """Every clock of a project's segments and report days (standing.reports_of); neighbours that read the same are one clock."""
    running: dict[str, Clock] = {}
    done: list[Clock] = []
    for valid_from, valid_to, now in segments:
        seen = set()
        for rule, basis, halted in _running(now):
            seen.add(rule)
            _go_on(running, done, _clock(rule, valid_from, valid_to, basis, halted, now))
        for start, end, rule, basis in _waiting_for_reports(valid_from, valid_to, now, reports):
            seen.add(rule)
            _go_on(running, done, _clock(rule, start, end, basis, False, now))
        done += [running.pop(rule) for rule in [rule for rule in running if rule not in seen]]
    return sorted([*done, *running.values()], key=lambda clock: clock[:2])


def _clock(rule: str, valid_from: date, valid_to: date, basis: Basis, halted: bool, now: Standing) -> Clock:
    name, solid_on, soft_on, part, agreed_on = basis
    return Clock(rule, valid_from, valid_to, name, solid_on, soft_on, halted, now.office_id, now.route, part, agreed_on)


def _go_on(running: dict[str, Clock], done: list[Clock], clock: Clock) -> None:
    """The clock of the rule before, if it reads the same, runs on; else it ends and this one begins."""
    before = running.get(clock.rule)
    if before is not None and before[3:] == clock[3:] and before.valid_to == clock.valid_from:
        running[clock.rule] = before._replace(valid_to=clock.valid_to)
        return
    if before is not None:
        done.append(before)
    running[clock.rule] = clock


def _waiting_for_reports(
    valid_from: date, valid_to: date, now: Standing, reports: Sequence[date]
) -> Iterator[tuple[date, date, str, Basis]]:
    """(from, to, rule, basis) over the stretches that reports cut a segment into."""
    first = bisect_right(reports, valid_from)
    reported_on = reports[first - 1] if first else None
    cuts = [day for day in reports[first:] if day < valid_to]
    for start, end in pairwise((valid_from, *cuts, valid_to)):
        if start != valid_from:
            reported_on = start
        for rule in rules.RULES if not now.silent else ():
            if rule.reported is not None and (basis := rule.reported(now, reported_on)) is not None:
                yield start, end, rule.name, basis


def _running(now: Standing) -> Iterator[tuple[str, Basis, bool]]:
    if now.terminated_on is not None:
        return
    halted, silent = now.halted, now.silent
    for rule in rules.RULES:
        if silent and not rule.during_pause:
            continue
        basis = rule.basis(now)
        if basis is not None:
            yield rule.name, basis, halted and rule.name in rules.STOPPED_BY
    if not silent and now.signed_on is not None and not halted and not now.firm_moved:
        since = max(now.signed_on, now.firm_solid_on or now.signed_on)
        yield rules.AWAITING, Basis("signed_on", since, since), False


def fingerprint() -> str:
    """Changes whenever the fold, a rule or the table they read changes, so that stored clocks are derived anew exactly then."""
    source = "".join(
        inspect.getsource(module) for module in (live, standing, sweep, lifecycle, rules, checks, starts, sys.modules[__name__])
    )
    return hashlib.sha256(source.encode()).hexdigest()[:16]
