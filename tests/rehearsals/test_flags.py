"""Flags without walking through the days are the flags of whoever walks through them."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.heart.calendar import SHIPPED, Calendar
from app.heart.clocks import Clock, clocks
from app.heart.facts import Fact
from app.heart.limits import LEVELS, RANK
from app.heart.live import reports_of
from app.heart.rules import BY_NAME, STOPPED_BY
from app.heart.standing import fold
from app.policies.policy import Policy, Running, changed_body
from app.rehearsals.flags import Change, Place, Ticking, changes, reds, steps
from app.rehearsals.tally import AT, Period, Seen, Tally, median, stopped_months
from app.rehearsals.variants import judge_of
from tests.heart.histories import FIRST_DAY, fact_histories

lengths = st.builds(lambda number, unit: f"{number}{unit}", st.integers(1, 25), st.sampled_from(("d", "d", "wd"))) | st.sampled_from(
    ("-2d", "0d", "1m", "-3wd", "none")
)
levels = st.fixed_dictionaries({}, optional={"yellow": lengths, "red": lengths, "exit_review": lengths})
plain = st.dictionaries(
    st.sampled_from(list(BY_NAME)),
    st.builds(lambda own, leased, on: own | {"leased": leased} | ({} if on else {"enabled": False}), levels, levels, st.integers(0, 5)),
    max_size=8,
)
percents = st.fixed_dictionaries({}, optional={level: st.sampled_from(("5%", "40%", "100%", "130%", "none")) for level in LEVELS[1:]})


@st.composite
def tables(draw: st.DrawFn) -> dict[str, Any]:
    """What a policy file may change: lengths, routes, a share of the contract, percentages of the agreed time."""
    table: dict[str, Any] = draw(plain)
    if draw(st.booleans()):
        table["funds_low_after_start"] = draw(levels) | {"share": draw(st.sampled_from(("1%", "40%", "99.99%")))}
    if draw(st.booleans()):
        table["start_to_operating"] = draw(levels) | {"agreed": draw(percents), "leased": {"agreed": draw(percents)}}
    return table


begins = st.integers(-3, 20).map(lambda count: FIRST_DAY + timedelta(days=count))


NOT_PUBLISHED = Calendar()
"""Monday to Friday: in these weeks it differs from what was published by the Spring Festival."""


def policy_of(table: dict[str, Any], calendar: Calendar = SHIPPED) -> Policy:
    return Policy(2, date(1900, 1, 1), datetime(2026, 1, 1, tzinfo=UTC), changed_body({}, {"limits": table}), calendar)


def ticking(running: list[Clock], rule: str, begin: date, end: date) -> list[Ticking]:
    cut = [
        Ticking(max(one.valid_from, begin).toordinal(), min(one.valid_to, end + timedelta(days=1)).toordinal(), one.solid_on, one.soft_on,
                one.halted, one.route, one.part, one.agreed_on)
        for one in running
        if one.rule == rule
    ]  # fmt: skip
    return sorted((one for one in cut if one.first < one.until), key=lambda one: one.first)


def running_on(found: list[Clock], day: date) -> list[Running]:
    return [Running(*(getattr(one, name) for name in Running._fields)) for one in found if one.valid_from <= day < one.valid_to]


def walked(found: list[Clock], rule: str, policy: Policy, begin: date, end: date) -> list[Change]:
    """Day by day, with the reasons that lists print."""
    told, before, worst, stock = [], 0, 0, False
    for offset in range((end - begin).days + 1):
        day = begin + timedelta(days=offset)
        reason = next((one for one in policy.reasons(running_on(found, day), day) if one.rule == rule), None)
        now = RANK[reason.level] if reason else 0
        if now == before:
            continue
        if not before and reason:
            stock, worst = day == begin and reason.due_on < day, 0
        worst = max(worst, now)
        told.append(Change(day.toordinal(), before, now, stock, worst))
        before = now
    return told


@given(fact_histories(), tables(), st.sampled_from((SHIPPED, NOT_PUBLISHED)), begins, st.integers(0, 60))
def test_steps_are_what_a_walk_through_the_days_finds(
    history: list[Fact], table: dict[str, Any], calendar: Calendar, begin: date, days: int
) -> None:
    found, policy, end = clocks(fold(history), reports_of(history)), policy_of(table, calendar), begin + timedelta(days=days)
    for rule in BY_NAME:
        judge = judge_of(policy, rule)
        mine = list(changes(steps(ticking(found, rule, begin, end), judge, end.toordinal()), begin.toordinal()))
        assert mine == walked(found, rule, policy, begin, end), rule


@given(fact_histories(), tables(), begins, st.integers(0, 60))
def test_stopped_at_the_end_of_a_month_is_what_the_list_says(history: list[Fact], table: dict[str, Any], begin: date, days: int) -> None:
    found, policy, end = clocks(fold(history), reports_of(history)), policy_of(table), begin + timedelta(days=days)
    period, months = Period(begin, end), 0
    for rule in STOPPED_BY:
        months |= stopped_months(period, ticking(found, rule, begin, end), judge_of(policy, rule))
    for month, last in enumerate(period.month_ends):
        day = date.fromordinal(last)
        assert (months >> month & 1) == (policy.stopped_on(running_on(found, day), day) is not None)


def test_a_flag_that_turns_red_eases_and_recovers_is_counted_once_at_each_level() -> None:
    period = Period(date(2026, 1, 10), date(2026, 4, 20))
    judge = judge_of(policy_of({}), "signed_no_progress")
    signed, moved = date(2026, 1, 1), date(2026, 2, 15)
    at = [one.toordinal() for one in (date(2026, 1, 10), moved, date(2026, 3, 25))]
    told = [Ticking(at[0], at[1], signed, signed, False, None), Ticking(at[1], at[2], moved, moved, False, None)]
    seen = Seen(period.begin, [Place(at[0], period.end + 1, 7, None, None)], [])
    tally = Tally(period)
    tally.add(seen, steps(told, judge, period.end))
    shown = {period.months[month]: {name: one for name, one in zip(COUNTED, picked(row), strict=True) if one} for (month, _), row in
             sorted(tally.counts.items())}  # fmt: skip
    assert shown == {
        "2026-01": {"yellow": 1, "red": 1, "open_red": 1},  # blue on the 14th, yellow on the 21st, red on the 31st
        "2026-02": {"recovered": 1},
        "2026-03": {"yellow": 1, "red": 1, "recovered": 1},
    }
    assert tally.stood == Counter({25: 1, 18: 1})


COUNTED = ("yellow", "red", "recovered", "recovered_before_red", "open_yellow", "open_red")


def picked(row: list[int]) -> list[int]:
    return [row[AT[name]] for name in COUNTED]


def test_what_a_pause_or_the_end_closes_has_not_recovered() -> None:
    period = Period(date(2026, 1, 1), date(2026, 3, 31))
    judge = judge_of(policy_of({}), "signed_no_progress")
    signed = date(2025, 12, 1)
    closed = date(2026, 2, 1).toordinal()
    clock = Ticking(period.begin, closed, signed, signed, True, None)
    for silent, name in (("paused", "paused"), ("ended", "ended"), (None, "recovered")):
        places = [Place(period.begin, closed, 7, None, None), Place(closed, period.end + 1, 7, None, silent)]
        tally = Tally(period)
        tally.add(Seen(period.begin, places, []), steps([clock], judge, period.end))
        february = tally.counts[1, 7]
        assert {one: february[AT[one]] for one in ("paused", "ended", "recovered")} == {
            one: int(one == name) for one in ("paused", "ended", "recovered")
        }
        assert tally.counts[0, 7][AT["stock_red"]] == 1, "red on 31 December, before the first day"
        assert list(reds([clock], judge)) == [(period.begin, closed)]


def test_the_middle_of_an_even_number_lies_between() -> None:
    assert median(Counter()) is None
    assert median(Counter({5: 1})) == 5
    assert median(Counter({1: 1, 2: 1, 9: 2})) == 5.5


def test_what_stock_reaches_later_is_reached_in_the_period() -> None:
    period = Period(date(2026, 1, 1), date(2026, 2, 28))
    judge = judge_of(policy_of({}), "signed_no_progress")
    signed = date(2025, 12, 10)  # yellow on 30 December, red on 9 January
    clock = Ticking(period.begin, date(2026, 2, 10).toordinal(), signed, signed, True, None)
    tally = Tally(period)
    tally.add(Seen(period.begin, [Place(period.begin, period.end + 1, 7, None, None)], []), steps([clock], judge, period.end))
    january, february = tally.counts[0, 7], tally.counts[1, 7]
    assert [january[AT[one]] for one in ("stock_yellow", "yellow", "stock_red", "red", "open_red")] == [1, 0, 0, 1, 1]
    assert february[AT["recovered"]] == 1 and not tally.stood, "nobody knows here how long it had been yellow"
