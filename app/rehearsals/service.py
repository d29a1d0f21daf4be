"""Rehearsing policies over history: nothing is written, nothing is told."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

from app.alerts import rhythms
from app.errors import Invalid
from app.heart.calendar import Calendar
from app.offices.desk import House
from app.offices.queries import Scope
from app.policies.queries import book_of
from app.rehearsals import queries
from app.rehearsals.audience import Audience
from app.rehearsals.queries import Question
from app.rehearsals.report import report
from app.rehearsals.tally import Period
from app.rehearsals.variants import CURRENT, Contest, Variant, laid_over

LONGEST = 5 * 366
"""Days of the longest period."""


class Asked(NamedTuple):
    """A rehearsal to be done: variants by name with the tables that change the policy in force, the days, and whose knowledge."""

    variants: Sequence[tuple[str, Mapping[str, Any]]]
    begin: date | None = None
    end: date | None = None
    knowledge: str = queries.NOW


def a_year_until(end: date) -> date:
    """The first of the month eleven months before: twelve months of a calendar, the last one as far as it goes."""
    index = end.year * 12 + end.month - 1 - 11
    return date(index // 12, index % 12 + 1, 1)


def rehearse(
    house: House,
    asked: Asked,
    scope: Scope,
    *,
    office: Mapping[str, str] | None = None,
    progress: Callable[[int, int], None] = lambda done, of: None,
    patience: float | None = None,
) -> dict[str, Any]:
    """What each variant, and the policy in force, would have flagged and told in the period, side by side.

    Each variant is laid over the version that governs today and judges every day of the period. `patience` (seconds)
    bounds the work; Invalid says what to ask less of. Reads by chunks and holds no connection in between.
    """
    now = house.clock.now()
    today = house.clock.business_date(now)
    begin, end = _days(asked, today)
    with house.database.snapshot() as connection:
        current = book_of(house.database).governing(connection, today, None)
        people, offices = queries.people(connection, scope), queries.offices(connection)
        question = Question(Period(begin, end), asked.knowledge, now, scope, house.settings.zone, house.settings.daily_at)
        chosen = None if scope.ids is None else queries.of_offices(connection, question) if scope.ids else []
        total = queries.total(connection) if chosen is None else len(chosen)
    workdays = [day for day in range(question.period.begin, question.period.end + 1) if current.calendar.is_workday(date.fromordinal(day))]
    months, weeks = (_begins(workdays, period, current.calendar) for period in (rhythms.MONTHLY, rhythms.WEEKLY))
    audience = Audience(people, workdays, months, weeks, offices)
    contest = Contest(question.period, audience, [Variant(CURRENT, current), *laid_over(current, asked.variants)])
    began, done = time.monotonic(), 0
    for batch in queries.register(house.database, question, audience, chosen):
        for told in batch:
            contest.add(told.seen, told.clocks)
        done = min(done + queries.CHUNK, total)
        progress(done, total)
        if patience is not None and time.monotonic() - began > patience:
            raise Invalid(
                f"{patience:.0f} 秒内只演练了 {total} 个项目中的 {done} 个；请缩短时段、减少方案、指定镇区，"
                "或用命令行 luodi policy rehearse / too much for one request: shorten the period, or use the command line"
            )
    return report(contest, question, current, office=office)


def _days(asked: Asked, today: date) -> tuple[date, date]:
    end = asked.end or today
    begin = asked.begin or a_year_until(end)
    if end > today:
        raise Invalid("to 不能晚于今天", errors=[{"field": "to", "message": "in the future"}])
    if begin > end:
        raise Invalid("from 不能晚于 to", errors=[{"field": "from", "message": "after to"}])
    if end - begin > timedelta(days=LONGEST):
        raise Invalid("时段最长五年", errors=[{"field": "from", "message": "more than five years before to"}])
    return begin, end


def _begins(workdays: Sequence[int], period: Callable[[date], date], calendar: Calendar) -> list[int]:
    """Those of the workdays with which a week or a month begins."""
    return [day for day in workdays if rhythms.last_begun(date.fromordinal(day), period, calendar) == date.fromordinal(day)]
