"""The daily run and the calendar: an import between two runs moves flags, and the digest says which years are not published."""

from datetime import date, timedelta
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest
import sqlalchemy as sa

from app.alerts.daily import run_if_due
from app.policies.policy import Running
from app.projects.models import ClockRow
from app.projects.queries import RUNNING
from app.stalls import evaluation
from app.stalls.flags import judge
from app.stalls.models import DailyRun, Flag
from tests.calendars.notices import notice
from tests.daily.county import County, days

LIMITS = {
    "signed_no_progress": {"yellow": "3wd", "red": "6wd", "exit_review": "12wd"},
    "signed_to_registered": {"enabled": False},
    "signed_to_filed": {"yellow": "2wd", "red": "30d"},
}
BEGIN = date(2026, 12, 1)
HOLIDAYS = "date,kind,name\n2027-01-01,holiday,元旦\n2027-01-04,holiday,元旦\n2027-01-05,holiday,元旦\n2027-01-09,workday,元旦\n"


def whole(county: County, day: date) -> dict[tuple[int, str], tuple[str, date, date]]:
    """What a look at every project says on a day."""
    with county.database.statement() as connection:
        policy = county.book.governing(connection, day, None)
        rows = connection.execute(
            sa.select(ClockRow.project_id, *RUNNING).where(ClockRow.known_to.is_(None), ClockRow.valid_from <= day, ClockRow.valid_to > day)
        )
        return {
            (project, rule): tuple(judged) for project, *clock in rows for rule, judged in judge([Running(*clock)], policy, day).items()
        }  # type: ignore[return-value]


def flags(county: County) -> dict[tuple[int, str], tuple[str, date, date]]:
    with county.database.statement() as connection:
        query = sa.select(Flag.project_id, Flag.rule, Flag.level, Flag.basis_on, Flag.due_on).where(Flag.closed_on.is_(None))
        return {(project, rule): (level, basis, due) for project, rule, level, basis, due in connection.execute(query)}


def register(county: County) -> None:
    """One project signed on every day from September to the end of the year."""
    county.now_is(BEGIN)
    county.policy(date(1900, 1, 1), **LIMITS)
    for number in range(120):
        county.signed(f"P{number}", date(2026, 12, 31) - timedelta(days=number))


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The projects that the runs look at."""
    seen: list[int] = []
    real = evaluation.Evaluation._look

    def look(self: evaluation.Evaluation, ids: list[int], *more: Any) -> None:
        seen.extend(ids)
        real(self, ids, *more)

    monkeypatch.setattr(evaluation.Evaluation, "_look", look)
    return seen


@pytest.mark.parametrize(("first", "then"), [(None, HOLIDAYS), (HOLIDAYS, notice(2027)), (notice(2027), HOLIDAYS)])
def test_an_import_moves_what_it_moves_and_nothing_else(county: County, looked: list[int], first: str | None, then: str) -> None:
    """Forwards and back: flags are what a look at every project would say, and few were looked at."""
    register(county)
    if first is not None:
        county.calendar(2027, first)
    for day in days(date(2027, 1, 6), 3):
        county.daily(day)
        assert flags(county) == whole(county, day)
    day = date(2027, 1, 9)
    county.now_is(day, 8)
    county.calendar(2027, then)
    before, after = flags(county), whole(county, day)
    moved = {project for project, rule in before.keys() | after.keys() if before.get((project, rule)) != after.get((project, rule))}
    looked.clear()
    county.daily(day)
    assert flags(county) == after and moved
    assert moved <= set(looked) and len(set(looked)) <= len(moved) + 4, (len(moved), len(looked))
    looked.clear()
    county.daily(day + timedelta(days=1))
    assert flags(county) == whole(county, day + timedelta(days=1))
    assert len(looked) <= 6, "the next run compares with what the last one counted by"


def test_flags_that_a_notice_took_back_are_closed(county: County) -> None:
    register(county)
    county.daily(date(2027, 1, 5))
    red = {project for (project, rule), told in flags(county).items() if rule == "signed_no_progress" and told[0] == "red"}
    county.calendar(2027, HOLIDAYS)
    county.daily(date(2027, 1, 6))
    eased = {project for (project, rule), told in flags(county).items() if rule == "signed_no_progress" and told[0] == "yellow"}
    assert red & eased


def test_a_run_says_which_calendar_it_counted_by(county: County) -> None:
    county.signed("A", BEGIN)
    county.daily(date(2027, 1, 4))
    county.calendar(2027, HOLIDAYS)
    county.daily(date(2027, 1, 5))
    assert county.rows(DailyRun, "run_date", "calendar_id") == [(date(2027, 1, 4), 23), (date(2027, 1, 5), 24)]


def test_a_run_of_before_the_calendar_was_stored_is_followed_by_a_look_at_everybody(county: County, looked: list[int]) -> None:
    register(county)
    county.daily(date(2027, 1, 4))
    with county.database.write() as connection:
        connection.execute(sa.update(DailyRun).values(calendar_id=None))
    looked.clear()
    county.daily(date(2027, 1, 5))
    assert len(set(looked)) == 120


def test_whether_today_is_a_workday_is_asked_of_the_register(county: County) -> None:
    """The scheduler sends digests on workdays: 4 January 2027 is a Monday until a notice takes it off, 9 January a Saturday."""
    register(county)
    told = {}
    for day, imported in ((date(2027, 1, 4), True), (date(2027, 1, 9), False)):
        county.now_is(day, 9)
        if imported:
            county.calendar(2027, HOLIDAYS)
        run_if_due(county.database, county.clock, county.settings, county.book)
        told[day] = county.counts(day)["digests"]
    assert told == {date(2027, 1, 4): False, date(2027, 1, 9): True}


def body(county: County, name: str, day: date) -> str:
    path = next(county.mail.glob(f"{day}-{county.people[name]}-*"))
    part = message_from_bytes(path.read_bytes(), policy=default).get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def test_the_digest_names_the_years_nobody_has_published(county: County) -> None:
    county.now_is(date(2026, 12, 28))
    county.policy(date(1900, 1, 1), **LIMITS)
    county.signed("A", date(2026, 12, 28))
    county.daily(date(2026, 12, 31))  # yellow; red is counted into 2027
    assert "2027 年放假安排尚未公布" in body(county, "wang", date(2026, 12, 31))
    assert "在2027年1月5日前办理" in body(county, "wang", date(2026, 12, 31))
    county.calendar(2027, notice(2027))
    county.daily(date(2027, 1, 6))
    assert "尚未公布" not in body(county, "wang", date(2027, 1, 6)) and "红灯" in body(county, "wang", date(2027, 1, 6))


def test_a_digest_that_leans_on_no_such_year_says_nothing(county: County) -> None:
    county.now_is(date(2026, 10, 12))
    county.policy(date(1900, 1, 1), **LIMITS)
    county.signed("A", date(2026, 10, 12))
    county.daily(date(2026, 10, 16))
    assert "尚未" not in body(county, "wang", date(2026, 10, 16)) and "尚未" not in body(county, "zhao", date(2026, 10, 16))


def test_from_november_on_the_bureau_is_reminded_of_next_years_notice(county: County) -> None:
    county.signed("A", date(2026, 10, 1))
    reminder = "2027 年放假安排尚未导入"
    seen = {}
    for day in (date(2026, 10, 30), date(2026, 11, 2)):
        county.daily(day)
        seen[day] = reminder in body(county, "zhao", day)
    assert seen == {date(2026, 10, 30): False, date(2026, 11, 2): True}
    assert not list(county.mail.glob(f"2026-11-02-{county.people['wang']}-*")) or reminder not in body(county, "wang", date(2026, 11, 2))
    county.calendar(2027, notice(2027))
    county.daily(date(2026, 11, 3))
    assert reminder not in body(county, "zhao", date(2026, 11, 3))
