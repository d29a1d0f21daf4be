"""The ladder over a simulated month: real clocks, facts and people, and a holder who changes in the middle."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from app.heart import facts as kinds
from app.offices.service import person_leaves
from app.orders.climbing import climbed
from app.orders.ladder import BUREAU
from app.orders.service import By, New, issue
from app.policies.service import set_policy
from app.projects.derived import New as NewFact
from tests.daily.county import MONDAY, County, at

SIGNED = MONDAY - timedelta(days=30)
"""Red on Monday 2 March, and in exit review (company not registered) after sixty days, on 1 April."""


@pytest.fixture
def county(database_url: str, tmp_path: Path) -> Iterator[County]:
    made = County(database_url, tmp_path)
    made.policy(date(2020, 1, 1), report_missing={"enabled": False}, signed_to_start={"enabled": False}, signed_to_filed={"enabled": False})
    made.now_is(SIGNED + timedelta(days=1))
    made.signed("p", SIGNED)
    made.person("sun", "T01", "leader")
    made.person("zhou", "county", "leader")  # will take over from qian
    with made.database.write() as connection:
        person_leaves(connection, "qian@example.org", date(2026, 3, 12), at(SIGNED))
    yield made
    made.close()


def whose(county: County, day: date, ref: str = "p", known_at: datetime | None = None) -> str | None:
    """The name of the leader a project is with on a day; "bureau", or None when it is on no rung."""
    names = {number: name for name, number in county.people.items()}
    with county.database.snapshot() as connection:
        policy = county.book.governing(connection, day, known_at)
        found = [one for one in climbed(connection, policy, day, known_at=known_at) if one.ref == ref]
    if not found:
        return None
    (one,) = found
    return BUREAU if one.rung.kind == BUREAU else names[one.person_id or 0]


def march(*days: int) -> list[date]:
    return [date(2026, 3, day) for day in days]


def test_a_month_that_nobody_touches(county: County) -> None:
    story = {1: None, 2: "sun", 6: "sun", 8: "sun", 9: "qian", 11: "qian", 12: "zhou", 16: "zhou", 31: "zhou"}
    assert {day: whose(county, date(2026, 3, day)) for day in story} == story
    assert whose(county, date(2026, 4, 1)) == BUREAU
    backwards = {day: whose(county, date(2026, 3, day)) for day in reversed(story)}
    assert backwards == story, "the order of looking changes nothing"


@pytest.mark.parametrize(
    "touch",
    [
        NewFact(kinds.FOLLOWED_UP, date(2026, 3, 10), {"channel": "visit"}),
        NewFact(kinds.REPORTED, date(2026, 3, 10), {"no_change": True}),
        NewFact(kinds.ACKNOWLEDGED, date(2026, 3, 10), {"rule": "signed_no_progress", "level": "red", "plan": "x", "until": "2026-05-01"}),
    ],
    ids=lambda touch: touch.kind,
)
def test_a_touch_brings_it_down(county: County, touch: NewFact) -> None:
    county.clock.instant = at(date(2026, 3, 10))
    county.record("p", touch, source="api")
    assert [whose(county, day) for day in march(9, 10, 16, 17)] == ["qian", "sun", "sun", "zhou"]
    with county.database.snapshot() as connection:
        number = len(list(climbed(connection, county.book.governing(connection, MONDAY, None), date(2026, 3, 9))))
    assert number == 1
    county.record("p", NewFact(kinds.VOIDED, date(2026, 3, 10), {"reason": "写错"}, 3), source="api")
    assert whose(county, date(2026, 3, 10)) == "qian", "what was voided touched nothing"


def test_a_reply_to_an_order_is_a_touch(county: County) -> None:
    from app.orders import lifecycle as table
    from app.orders.models import Order, OrderEvent

    day, now = date(2026, 3, 10), at(date(2026, 3, 10))
    with county.database.write() as connection:
        project = next(iter(climbed(connection, county.book.governing(connection, day, None), day))).project_id
        new = New(county.offices["T01"], None, "督办", "办理", day, project)
        (number,) = issue(connection, [new], By(county.offices["bureau"]), day, now)
        row = {"order_id": number, "seq": 2, "action": "reply", "at": now, "happened_on": day, "state": table.REPLIED, "due_on": day}
        connection.execute(OrderEvent.__table__.insert().values(row))
        connection.execute(Order.__table__.update().values(version=2, state=table.REPLIED))
    assert [whose(county, one) for one in march(9, 10, 16, 17)] == ["qian", "sun", "sun", "zhou"]


def test_a_stall_that_was_put_off_climbs_no_further_until_then(county: County) -> None:
    county.clock.instant = at(date(2026, 3, 4))
    for rule in ("signed_no_progress", "signed_to_registered"):
        approver = {"office": county.offices["bureau"], "role": "officer", "person": None}
        data = {"rule": rule, "level": "red", "reason": "x", "until": "2026-03-18", "due_on": "2026-03-02", "approver": approver}
        county.record("p", NewFact(kinds.SNOOZED, date(2026, 3, 4), data), source="api")
    assert [whose(county, day) for day in march(3, 4, 17, 18, 24, 25)] == ["sun", None, None, "sun", "sun", "zhou"]


def test_an_exit_review_that_was_decided_comes_back_on_its_date(county: County) -> None:
    county.clock.instant = at(date(2026, 4, 8))
    data = {"decision": "push_on", "reason": "x", "until": "2026-04-20"}
    county.record("p", NewFact(kinds.EXIT_REVIEWED, date(2026, 4, 8), data), source="api")
    days = [date(2026, 4, day) for day in (7, 8, 14, 15, 19, 20)]
    assert [whose(county, day) for day in days] == [BUREAU, "sun", "sun", "zhou", "zhou", BUREAU]


def test_an_empty_chair_is_passed_over(county: County) -> None:
    county.signed("q", SIGNED, office="T02")
    assert [whose(county, day, "q") for day in march(2, 9, 12)] == ["qian", "qian", "zhou"]


def test_progress_takes_it_off_the_ladder(county: County) -> None:
    county.clock.instant = at(date(2026, 3, 10))
    county.progress("p", date(2026, 3, 10), "company_registered")
    assert [whose(county, day) for day in march(9, 10)] == ["qian", None]


@pytest.mark.parametrize("day", [date(2026, 3, 1), date(2026, 3, 10), date(2026, 4, 2)])
def test_the_flags_of_a_judged_day_say_the_same(county: County, day: date) -> None:
    county.signed("q", SIGNED + timedelta(days=3), office="T02")
    county.daily(day)
    with county.database.snapshot() as connection:
        policy = county.book.governing(connection, day, None)
        found, quick = (sorted(climbed(connection, policy, day, flagged=flagged)) for flagged in (False, True))
    assert found == quick and len(found) == (0 if day < MONDAY else 2)


def test_a_question_by_the_knowledge_of_a_moment_is_answered_alike_for_ever(county: County) -> None:
    """Asked each day by what was known that evening; then a visit is reported late, a putting off, an exit of a leader, the end of
    the wait, all of it backdated, and one of these voided: what had been answered stays the answer."""
    evenings = {day: at(day, 20) for day in march(2, 9, 10, 12, 17, 24)}
    county.clock.instant = at(date(2026, 3, 24), 19)
    before = {day: whose(county, day, known_at=known) for day, known in evenings.items()}
    assert list(before.values()) == ["sun", "qian", "qian", "zhou", "zhou", "zhou"]
    county.clock.instant = at(date(2026, 3, 25))
    approver = {"office": county.offices["bureau"], "role": "officer", "person": None}
    put_off = {"rule": "signed_no_progress", "level": "red", "reason": "x", "until": "2026-03-20", "due_on": "2026-03-02"}
    county.record("p", NewFact(kinds.FOLLOWED_UP, date(2026, 3, 10), {"channel": "visit"}), source="api")
    county.record("p", NewFact(kinds.SNOOZED, date(2026, 3, 16), {**put_off, "approver": approver}), source="api")
    with county.database.write() as connection:
        person_leaves(connection, "sun@example.org", date(2026, 3, 1), county.clock.now())
        change = {"limits": {"signed_no_progress": {"red": "25d"}}}
        set_policy(connection, county.book, change, effective_from=date(2020, 1, 1), now=county.clock.now())
    now = {day: whose(county, day) for day in evenings}
    assert now != before and now[date(2026, 3, 10)] == "qian" and now[date(2026, 3, 2)] == "qian"
    assert {day: whose(county, day, known_at=known) for day, known in evenings.items()} == before
    told = at(date(2026, 3, 25), 10)
    by_then = {day: whose(county, day, known_at=told) for day in evenings}
    assert by_then == now
    county.clock.instant = at(date(2026, 3, 26))
    county.record("p", NewFact(kinds.VOIDED, date(2026, 3, 26), {"reason": "写错"}, 3), source="api")
    county.progress("p", date(2026, 3, 2), "company_registered")
    assert whose(county, date(2026, 3, 9)) is None
    assert {day: whose(county, day, known_at=known) for day, known in evenings.items()} == before
    assert {day: whose(county, day, known_at=told) for day in evenings} == now
