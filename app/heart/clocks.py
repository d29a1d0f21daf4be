"""Which clocks of a project ran when: the rules asked for every stretch of its history. Pure."""

from __future__ import annotations

import hashlib
import inspect
import sys
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import date
from operator import itemgetter
from typing import NamedTuple

from app.heart import checks, lifecycle, live, rules, standing, starts, sweep
from app.heart.limits import FOREVER
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


_Read = tuple[Basis, bool, int, str | None]
"""What a clock reads beside its days: basis, halted, office, route."""
_Stretch = tuple[date, date, _Read]


def clocks(segments: Sequence[Segment], reports: Sequence[date]) -> list[Clock]:
    """Every clock of a project's segments and report days (standing.reports_of); neighbours that read the same are one clock."""
    running: dict[str, _Stretch] = {}
    done: list[Clock] = []
    for valid_from, valid_to, now in segments:
        before, running = running, {}
        for rule, start, end, basis, halted in _asked(valid_from, valid_to, now, reports):
            read = (basis, halted, now.office_id, now.route)
            last = running.get(rule) or before.pop(rule, None)
            if last is not None:
                if last[2] == read and last[1] == start:
                    start = last[0]
                else:
                    done.append(_clock(rule, last))
            running[rule] = (start, end, read)
        done += [_clock(rule, last) for rule, last in before.items()]
    done += [_clock(rule, last) for rule, last in running.items()]
    done.sort(key=itemgetter(0, 1))
    return done


def _clock(rule: str, stretch: _Stretch) -> Clock:
    valid_from, valid_to, ((name, solid_on, soft_on, part, agreed_on), halted, office_id, route) = stretch
    return Clock(rule, valid_from, valid_to, name, solid_on, soft_on, halted, office_id, route, part, agreed_on)


_STOPPING = frozenset(rules.STOPPED_BY)


def _asked(valid_from: date, valid_to: date, now: Standing, reports: Sequence[date]) -> Iterator[tuple[str, date, date, Basis, bool]]:
    """(rule, from, to, basis, halted) of all that run in a segment."""
    silent = now.silent
    if now.terminated_on is None:
        halted = now.halted
        for rule in rules.RULES:
            if (not silent or rule.during_pause) and (basis := rule.basis(now)) is not None:
                yield rule.name, valid_from, valid_to, basis, halted and rule.name in _STOPPING
        if not silent and now.signed_on is not None and not halted and not now.firm_moved:
            since = max(now.signed_on, now.firm_solid_on or now.signed_on)
            yield rules.AWAITING, valid_from, valid_to, Basis("signed_on", since, since), False
    if silent:
        return
    # the stretches that reports cut a segment into
    first = bisect_right(reports, valid_from)
    reported_on = reports[first - 1] if first else None
    asking = [rule for rule in rules.RULES if rule.reported is not None]
    start = valid_from
    for cut in (*reports[first:], FOREVER):
        end = min(cut, valid_to)
        for rule in asking:
            if rule.reported is not None and (basis := rule.reported(now, reported_on)) is not None:
                yield rule.name, start, end, basis, False
        if cut >= valid_to:
            break
        start = reported_on = cut


def fingerprint() -> str:
    """Changes whenever the fold, a rule or the table they read changes, so that stored clocks are derived anew exactly then."""
    source = "".join(
        inspect.getsource(module) for module in (live, standing, sweep, lifecycle, rules, checks, starts, sys.modules[__name__])
    )
    return hashlib.sha256(source.encode()).hexdigest()[:16]
