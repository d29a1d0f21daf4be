"""Limits, cutoffs, levels and workdays: `due` and `cutoff` are each other's judge."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.heart.calendar import SHIPPED as calendar
from app.heart.limits import LEVELS, RANK, Limit, Limits, cutoff, due, limits_of, parse
from tests.heart.story import day

days = st.dates(date(1900, 1, 1), date(2100, 12, 31))
holidays_2026 = st.dates(date(2026, 1, 1), date(2026, 12, 31))
around_blue = st.integers(0, 10)
counts = {
    "d": around_blue | st.integers(-400, 800),
    "m": st.integers(-30, 30),
    "wd": around_blue.filter(bool) | st.integers(-30, 60).filter(bool),
}
limits = st.sampled_from(("d", "m", "wd")).flatmap(lambda unit: st.builds(Limit, counts[unit], st.just(unit)))
policies = st.builds(Limits, *[st.none() | limits] * 3, st.none())

# One limit -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "basis", "expected"),
    [
        ("0d", "2026-03-01", "2026-03-01"),
        ("30d", "2026-03-01", "2026-03-31"),
        ("-7d", "2026-03-01", "2026-02-22"),
        ("365d", "2024-02-29", "2025-02-28"),
        ("1m", "2026-01-31", "2026-02-28"),
        ("1m", "2024-01-31", "2024-02-29"),
        ("1m", "2026-02-28", "2026-03-28"),  # the same day, not the month's end
        ("3m", "2026-11-30", "2027-02-28"),
        ("12m", "2024-02-29", "2025-02-28"),
        ("-1m", "2026-03-31", "2026-02-28"),
        ("-3m", "2026-02-15", "2025-11-15"),
        ("11m", "2026-01-15", "2026-12-15"),
        ("1wd", "2026-03-06", "2026-03-09"),  # Friday to Monday
        ("1wd", "2026-03-07", "2026-03-09"),  # from a Saturday as well
        ("5wd", "2026-03-02", "2026-03-09"),
        ("1wd", "2026-02-14", "2026-02-24"),  # a working Saturday, then the spring festival to 23 February
        ("5wd", "2026-02-24", "2026-03-02"),  # 28 February is a Saturday on which offices work
        ("1wd", "2026-09-30", "2026-10-08"),
        ("3wd", "2026-09-30", "2026-10-10"),  # 8, 9, and Saturday the 10th
        ("1wd", "2026-04-30", "2026-05-06"),
        ("-1wd", "2026-03-09", "2026-03-06"),
        ("-1wd", "2026-02-24", "2026-02-14"),
        ("-3wd", "2026-02-25", "2026-02-13"),  # 24 and 14 February before it
        ("-1wd", "2026-03-08", "2026-03-06"),
    ],
)
def test_due_by_hand(text: str, basis: str, expected: str) -> None:
    assert due(parse(text), day(basis)) == day(expected)


@given(limits, days)
@example(Limit(1, "m"), date(2026, 2, 27))
@example(Limit(1, "m"), date(2026, 2, 28))  # 28 to 31 January are all due then: the latest counts
@example(Limit(-1, "m"), date(2026, 2, 28))
@example(Limit(1, "wd"), date(2026, 2, 20))  # inside the spring festival
@example(Limit(-3, "wd"), date(2026, 2, 20))
def test_cutoff_is_the_latest_basis_that_is_due(limit: Limit, on: date) -> None:
    latest = cutoff(limit, on)
    assert due(limit, latest) <= on < due(limit, latest + timedelta(days=1))


@given(limits, days, days)
def test_due_by_a_day_is_the_same_as_a_basis_by_its_cutoff(limit: Limit, basis: date, on: date) -> None:
    assert (due(limit, basis) <= on) == (basis <= cutoff(limit, on))


@given(limits, days, st.integers(0, 400))
def test_a_later_basis_is_never_due_earlier(limit: Limit, basis: date, later: int) -> None:
    assert due(limit, basis) <= due(limit, basis + timedelta(days=later))


@pytest.mark.parametrize("text", ["30d", "-400d", "5wd", "-3wd", "3m", "-14m", "99999d", "99999wd", "99999m", "-99999m"])
@pytest.mark.parametrize("extreme", [date(1, 1, 1), date(9999, 12, 31)])
def test_hostile_dates_do_not_raise(text: str, extreme: date) -> None:
    due(parse(text), extreme)
    cutoff(parse(text), extreme)


# Levels ----------------------------------------------------------------------------------------------------------


def reaches(policy: Limits, level: str, solid: date, soft: date, on: date) -> bool:
    """Is this level, or a worse one, reached?"""
    reached = policy.reached(solid, soft, on)
    return reached is not None and RANK[reached[0]] >= RANK[level]


@given(policies, days, st.integers(0, 200), around_blue | st.integers(-20, 900), st.sampled_from(LEVELS))
@example(Limits(Limit(3, "d"), None, None), date(2026, 3, 2), 0, 0, "blue")  # not on the basis itself
@example(Limits(Limit(3, "d"), None, None), date(2026, 3, 2), 0, 1, "blue")
@example(Limits(Limit(0, "d"), None, None), date(2026, 3, 2), 0, 0, "blue")  # yellow at once, so blue or worse
def test_cutoffs_find_exactly_what_is_reached(policy: Limits, solid: date, text_later: int, later: int, level: str) -> None:
    """The lists ask an index for cutoffs, the page of one project asks `reached`: they may never differ."""
    soft = solid + timedelta(days=text_later)
    on = soft + timedelta(days=later)
    hard_cutoff, soft_cutoff = policy.cutoffs(level, on)
    assert reaches(policy, level, solid, soft, on) == (solid <= hard_cutoff or soft <= soft_cutoff)


@given(policies, days, st.integers(0, 60), st.integers(-10, 900))
def test_a_level_was_reached_on_the_day_it_says_and_not_the_day_before(policy: Limits, solid: date, text_later: int, later: int) -> None:
    soft = solid + timedelta(days=text_later)
    on = soft + timedelta(days=later)
    reached = policy.reached(solid, soft, on)
    if reached is not None:
        level, _, reached_on = reached
        assert reached_on <= on
        assert reaches(policy, level, solid, soft, reached_on)
        assert not reaches(policy, level, solid, soft, reached_on - timedelta(days=1))


@given(policies, days, st.integers(-30, 0))
def test_blue_never_comes_on_or_before_the_basis(policy: Limits, basis: date, later: int) -> None:
    reached = policy.reached(basis, basis, basis + timedelta(days=later))
    assert reached is None or reached[0] != "blue"


@given(policies, days, st.integers(0, 900))
def test_levels_never_get_better_by_waiting(policy: Limits, basis: date, later: int) -> None:
    today, tomorrow = (policy.reached(basis, basis, basis + timedelta(days=later + more)) for more in (0, 1))
    assert RANK[today and today[0]] <= RANK[tomorrow and tomorrow[0]]


FULL = limits_of({"yellow": "20d", "red": "30d", "exit_review": "180d"})
ODD = {
    "exit before red": limits_of({"yellow": "20d", "red": "30d", "exit_review": "25d"}),
    "no red": limits_of({"yellow": "20d", "exit_review": "40d"}),
    "no yellow": limits_of({"red": "30d"}),
    "red before yellow": limits_of({"yellow": "20d", "red": "10d"}),
    "yellow at once": limits_of({"yellow": "0d", "red": "30d"}),
    "yellow in three days": limits_of({"yellow": "3d"}),
    "before its date": limits_of({"yellow": "-3wd", "red": "1wd"}),
    "nothing": limits_of({}),
}


@pytest.mark.parametrize(
    ("policy", "after", "expected"),
    [
        (FULL, 12, None),
        (FULL, 13, ("blue", 13)),
        (FULL, 19, ("blue", 13)),
        (FULL, 20, ("yellow", 20)),
        (FULL, 29, ("yellow", 20)),
        (FULL, 30, ("red", 30)),
        (FULL, 179, ("red", 30)),
        (FULL, 180, ("exit_review", 180)),
        (FULL, 4000, ("exit_review", 180)),
        (ODD["exit before red"], 25, ("yellow", 20)),
        (ODD["exit before red"], 30, ("exit_review", 30)),
        (ODD["no red"], 39, ("yellow", 20)),
        (ODD["no red"], 40, ("exit_review", 40)),
        (ODD["no yellow"], 29, None),
        (ODD["no yellow"], 30, ("red", 30)),
        (ODD["red before yellow"], 9, None),
        (ODD["red before yellow"], 10, ("red", 10)),
        (ODD["red before yellow"], 20, ("red", 10)),
        (ODD["yellow at once"], -1, None),
        (ODD["yellow at once"], 0, ("yellow", 0)),
        (ODD["yellow in three days"], 0, None),
        (ODD["yellow in three days"], 1, ("blue", 1)),
        (ODD["yellow in three days"], 3, ("yellow", 3)),
        (ODD["before its date"], -5, None),
        (ODD["before its date"], -4, ("yellow", -4)),  # before the Monday: Sat 28 (working), Fri 27, Thu 26
        (ODD["before its date"], 0, ("yellow", -4)),
        (ODD["before its date"], 1, ("red", 1)),
        (ODD["nothing"], 4000, None),
    ],
)
def test_levels_by_hand(policy: Limits, after: int, expected: tuple[str, int] | None) -> None:
    """Days after the basis, a Monday: 2026-03-02."""
    basis = day("2026-03-02")
    reached = policy.reached(basis, basis, basis + timedelta(days=after))
    assert (reached and (reached[0], (reached[2] - basis).days)) == expected


def test_text_moves_yellow_and_blue_but_not_red() -> None:
    solid, soft = day("2026-03-01"), day("2026-03-25")
    assert FULL.reached(solid, soft, day("2026-03-30")) is None
    assert FULL.reached(solid, soft, day("2026-03-31")) == ("red", Limit(30, "d"), day("2026-03-31"))
    assert FULL.cutoffs("yellow", day("2026-03-31")) == (day("2026-03-01"), day("2026-03-11"))


# Reading a policy ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["30d", "5wd", "3m", "-3wd", "0d", "0m", "99999d"])
def test_a_limit_reads_as_it_is_written(text: str) -> None:
    assert str(parse(text)) == text
    assert parse(f" {text} ") == parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "30",
        "d",
        "30 d",
        "30D",
        "3w",
        "1y",
        "30days",
        "1.5d",
        "+3d",
        "--3d",
        "0wd",
        "-0wd",
        "３0d",
        "٣d",
        "100000d",
        "30d\n5d",
        None,
        30,
        3.5,
        True,
    ],
)
def test_a_limit_that_is_none_is_refused_with_what_is_allowed(text: object) -> None:
    with pytest.raises(ValueError, match="wd"):
        parse(text)  # type: ignore[arg-type]


def test_a_level_left_out_does_not_exist() -> None:
    assert limits_of({"yellow": "30d", "red": None}) == Limits(Limit(30, "d"), None, None)


# Workdays --------------------------------------------------------------------------------------------------------

WORKING_WEEKENDS_2026 = ["2026-01-04", "2026-02-14", "2026-02-28", "2026-05-09", "2026-09-20", "2026-10-10"]
HOLIDAYS_2026 = [
    *("2026-01-01", "2026-01-02", "2026-02-16", "2026-02-23", "2026-04-06", "2026-05-05"),
    *("2026-06-19", "2026-09-25", "2026-10-07"),
]


@pytest.mark.parametrize("text", WORKING_WEEKENDS_2026)
def test_a_shifted_weekend_is_a_workday(text: str) -> None:
    assert day(text).weekday() >= 5
    assert calendar.is_workday(day(text))


@pytest.mark.parametrize("text", HOLIDAYS_2026)
def test_a_holiday_on_a_weekday_is_none(text: str) -> None:
    assert day(text).weekday() < 5
    assert not calendar.is_workday(day(text))


@pytest.mark.parametrize("text", ["1999-10-01", "2003-10-01", "2050-10-03", "2050-02-01"])
def test_a_year_nobody_has_published_is_monday_to_friday_and_says_so(text: str) -> None:
    assert calendar.is_provisional(day(text))
    assert calendar.is_workday(day(text)) == (day(text).weekday() < 5)


def test_published_years_are_not_provisional() -> None:
    assert not any(calendar.is_provisional(date(year, 10, 1)) for year in range(2004, 2027))


@given(st.one_of(days, holidays_2026), counts["wd"])
def test_the_nth_workday_is_found_by_walking(basis: date, n: int) -> None:
    at, left = basis, abs(n)
    while left:
        at += timedelta(days=1 if n > 0 else -1)
        left -= calendar.is_workday(at)
    assert calendar.nth_workday(basis, n) == at


@given(holidays_2026, st.integers(0, 60))
def test_workdays_between_counts_the_last_day_and_not_the_first(after: date, length: int) -> None:
    until = after + timedelta(days=length)
    walked = sum(calendar.is_workday(after + timedelta(days=count)) for count in range(1, length + 1))
    assert calendar.workdays_between(after, until) == walked


@given(policies, st.sampled_from((None, 100, 2000)), days, st.integers(0, 40), st.integers(0, 400), st.integers(0, 3000))
def test_the_days_on_which_levels_begin_are_those_on_which_they_are_reached(
    policy: Limits, share: int | None, solid: date, text_later: int, later: int, part: int
) -> None:
    policy, soft = policy._replace(share=share), solid + timedelta(days=text_later)
    on = solid + timedelta(days=later)
    begun = [rank for rank, first in enumerate(policy.begins(solid, soft, None), 1) if first <= on.toordinal()]
    reached = policy.reached(solid, soft, on, part=part)
    assert policy.holds(part) == (share is None or part < share)
    assert RANK[reached[0] if reached else None] == (max(begun, default=0) if policy.holds(part) else 0)
