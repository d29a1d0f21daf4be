"""Any calendar whatever: counting by it is walking by it, and limits in workdays stay in order."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import example, given
from hypothesis import strategies as st

from app.heart.calendar import SHIPPED, Calendar, Year, shipped
from app.heart.limits import LEVELS, RANK, Limit, Limits, cutoff, due

near = st.dates(date(2026, 11, 1), date(2027, 3, 31))
named = st.dictionaries(st.dates(date(2026, 12, 1), date(2027, 2, 28)), st.just("节"), max_size=40)
weekend = named.map(lambda days: {day: name for day, name in days.items() if day.weekday() > 4})
years = st.builds(Year, st.sampled_from([2026, 2027]), named, weekend)
calendars = st.lists(years, max_size=3).map(Calendar)
workdays = st.integers(-15, 25).filter(bool)
limits = st.builds(Limit, workdays, st.just("wd")) | st.builds(Limit, st.integers(-20, 40), st.sampled_from(["d", "m"]))
levels = st.builds(Limits, *[st.none() | limits] * 3, share=st.none())
EVERYTHING_OFF = Calendar([Year(2027, {date(2027, 1, 1) + timedelta(days=number): "节" for number in range(40)}, {})])


@given(calendars, near, workdays)
@example(EVERYTHING_OFF, date(2026, 12, 31), 1)
def test_the_nth_workday_is_found_by_walking(calendar: Calendar, basis: date, n: int) -> None:
    at, left = basis, abs(n)
    while left:
        at += timedelta(days=1 if n > 0 else -1)
        left -= calendar.is_workday(at)
    assert calendar.nth_workday(basis, n) == at
    assert n < 0 or calendar.workdays_between(basis, at) == n


@given(calendars, limits, near, st.integers(0, 60))
@example(EVERYTHING_OFF, Limit(1, "wd"), date(2026, 12, 31), 40)
def test_a_later_basis_is_never_due_earlier(calendar: Calendar, limit: Limit, basis: date, later: int) -> None:
    assert due(limit, basis, calendar=calendar) <= due(limit, basis + timedelta(days=later), calendar=calendar)


@given(calendars, limits, near, near)
def test_due_by_a_day_is_a_basis_by_its_cutoff(calendar: Calendar, limit: Limit, basis: date, on: date) -> None:
    assert (due(limit, basis, calendar=calendar) <= on) == (basis <= cutoff(limit, on, calendar))


@given(calendars, levels, near, st.integers(0, 30), near, st.sampled_from(LEVELS))
def test_cutoffs_find_what_is_reached(calendar: Calendar, of: Limits, solid: date, text_later: int, on: date, level: str) -> None:
    soft = solid + timedelta(days=text_later)
    reached = of.reached(solid, soft, on, calendar)
    hard_cutoff, soft_cutoff = of.cutoffs(level, on, calendar)
    assert (reached is not None and RANK[reached[0]] >= RANK[level]) == (solid <= hard_cutoff or soft <= soft_cutoff)


@given(calendars, near, workdays)
def test_a_count_leans_on_the_years_it_walks_through(calendar: Calendar, basis: date, n: int) -> None:
    end, at, walked = calendar.nth_workday(basis, n), basis, set()
    while at != end:
        at += timedelta(days=1 if n > 0 else -1)
        walked.add(at.year)
    assert set(calendar.unpublished(basis, end)) == walked - calendar.published


@given(calendars, calendars)
def test_two_calendars_differ_between_the_first_and_the_last_day_only_one_works(one: Calendar, other: Calendar) -> None:
    days = [date(2026, 11, 1) + timedelta(days=number) for number in range(200)]
    apart = [day for day in days if one.is_workday(day) != other.is_workday(day)]
    assert one.differs(other) == ((apart[0], apart[-1]) if apart else None)


def test_of_two_notices_that_name_a_day_the_later_is_right() -> None:
    day = date(2026, 12, 31)
    off, worked = Year(2027, {day: "元旦"}, {}), Year(2026, {}, {day: "元旦"})
    assert not Calendar([worked, off]).is_workday(day) and Calendar([off, worked]).is_workday(day)


def test_what_is_shipped_is_what_its_package_says() -> None:
    import chinese_calendar

    day = date(2004, 1, 1)
    while day <= date(2026, 12, 31):
        assert SHIPPED.is_workday(day) == chinese_calendar.is_workday(day), day
        day += timedelta(days=1)
    assert [year.year for year in shipped()] == list(range(2004, 2027))
    new_year = next(year for year in shipped() if year.year == 2019)
    assert date(2018, 12, 31) in new_year.holidays and date(2018, 12, 29) in new_year.workdays


def test_the_ends_of_time_raise_nothing() -> None:
    for one in (date.min, date.max):
        for other in (date.min, date.max):
            SHIPPED.unpublished(one, other)
            SHIPPED.workdays_between(one, other)
