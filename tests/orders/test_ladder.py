"""The ladder by dates alone: whatever the order of looking, however often. Pure."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from app.heart.calendar import SHIPPED
from app.orders.ladder import BUREAU, LEADER, Holder, Rung, chain_of, climb, holder_on, whom

RED = date(2026, 4, 1)  # a Wednesday; 4 to 6 April are days off (清明)
DAYS = st.dates(date(2026, 1, 1), date(2026, 12, 31))
TOUCHES = st.lists(DAYS, max_size=6)
MAYBE = st.one_of(st.none(), DAYS)


def height(day: date, *touches: date) -> int | None:
    rung = climb(RED, None, touches, day, SHIPPED)
    return None if rung is None else rung.height


def test_a_month_that_nobody_touches() -> None:
    """By hand: workdays after 1 April are 2, 3, 7, 8, 9 | 10, 13, 14, 15, 16 | 17, 20, …"""
    assert height(date(2026, 3, 31)) is None
    assert [height(date(2026, 4, day)) for day in (1, 8, 9, 15, 16, 22, 23)] == [0, 0, 1, 1, 2, 2, 3]
    assert climb(RED, None, (), date(2026, 4, 12), SHIPPED) == Rung(LEADER, 1, date(2026, 4, 9))
    assert climb(RED, None, (), date(2026, 4, 8), SHIPPED) == Rung(LEADER, 0, RED)


def test_at_the_top_it_stays_since_the_day_it_came_there() -> None:
    for day in (date(2026, 4, 9), date(2026, 4, 30), date(2026, 12, 1)):
        assert climb(RED, None, (), day, SHIPPED, top=1) == Rung(LEADER, 1, date(2026, 4, 9))
    assert climb(RED, None, (), date(2026, 4, 30), SHIPPED, top=-1) == Rung(LEADER, 0, RED)


def test_a_touch_brings_it_down_and_five_days_up_again() -> None:
    touch = date(2026, 4, 13)
    assert height(date(2026, 4, 12), touch) == 1  # it has not happened yet
    assert [height(date(2026, 4, day), touch) for day in (13, 17, 20)] == [0, 0, 1]  # workdays after it: 14, 15, 16, 17, 20
    assert height(date(2026, 4, 9), date(2026, 3, 30)) == 1  # before it was red


def test_exit_review_is_the_bureau_s_until_it_decides() -> None:
    out = date(2026, 8, 3)
    assert climb(RED, out, (), date(2026, 8, 3), SHIPPED) == Rung(BUREAU, 0, out)
    decided, until = date(2026, 8, 10), date(2026, 9, 1)
    put_off = climb(RED, out, (decided,), date(2026, 8, 10), SHIPPED, until)
    assert put_off == Rung(LEADER, 0, RED)
    assert climb(RED, out, (decided,), until, SHIPPED, until) == Rung(BUREAU, 0, until)


@given(DAYS, MAYBE, TOUCHES, DAYS, MAYBE)
def test_only_the_past_decides(red: date, out: date | None, touches: list[date], day: date, settled: date | None) -> None:
    rung = climb(red, out, touches, day, SHIPPED, settled)
    assert rung == climb(red, out, [one for one in touches if one <= day], day, SHIPPED, settled)
    assert rung == climb(red, out, sorted(touches, reverse=True) * 2, day, SHIPPED, settled)
    if rung is not None:
        assert rung.since <= day and rung.height >= 0
    assert (rung is None) == all(one is None or one > day for one in (red, out))


@given(DAYS, TOUCHES, DAYS, DAYS)
def test_a_touch_never_makes_it_climb(red: date, touches: list[date], more: date, day: date) -> None:
    before, after = climb(red, None, touches, day, SHIPPED), climb(red, None, [*touches, more], day, SHIPPED)
    assert (before is None) == (after is None)
    assert before is None or after is None or after.height <= before.height


@given(DAYS, TOUCHES, st.integers(0, 200))
def test_it_climbs_one_rung_at_a_time(red: date, touches: list[date], ahead: int) -> None:
    """Day by day: up by at most one, and down only on the day of a touch."""
    day = red + timedelta(days=ahead)
    today, tomorrow = climb(red, None, touches, day, SHIPPED), climb(red, None, touches, day + timedelta(days=1), SHIPPED)
    assert today is not None and tomorrow is not None
    if tomorrow.height < today.height:
        assert day + timedelta(days=1) in touches and tomorrow.height == 0
    assert tomorrow.height <= today.height + 1


def test_who_holds_an_office_on_a_day() -> None:
    leaders = [Holder(7, None), Holder(3, date(2026, 4, 10)), Holder(9, None)]
    assert [holder_on(leaders, date(2026, 4, day)) for day in (1, 9, 10)] == [3, 3, 7]
    assert holder_on([Holder(3, date(2026, 4, 10))], date(2026, 4, 10)) is None


@given(st.one_of(st.none(), st.integers(1, 5)), st.lists(st.one_of(st.none(), st.integers(1, 5)), max_size=4), st.integers(0, 9))
def test_every_rung_has_its_person(liaison: int | None, leaders: list[int | None], steps: int) -> None:
    chain = chain_of(liaison, leaders)
    vacant = liaison is None and (not leaders or leaders[0] is None)
    steps_of_one = chain[1:] if vacant else chain
    assert len(steps_of_one) == len(set(steps_of_one)) and None not in chain
    assert not vacant or chain[:1] == chain[1:2], "whoever stands in for an empty first chair has its rung and his own"
    found = whom(Rung(LEADER, steps, RED), chain)
    assert found == (chain[min(steps, len(chain) - 1)] if chain else None)
    assert liaison is None or whom(Rung(LEADER, 0, RED), chain) == liaison
    assert whom(Rung(BUREAU, 0, RED), chain) is None
