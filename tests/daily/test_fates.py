"""What becomes of messages, statement by statement: until when they wait, whose they are, and what is forgotten with an attempt."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
import sqlalchemy as sa

from app.alerts.channels.base import MAIL, Channel, Letter
from app.alerts.fates import End, Fates, Taken, deadline
from app.alerts.models import Delivery
from app.offices.models import Person
from app.stalls.runs import new_owner
from tests.daily.county import MONDAY, County
from tests.daily.sending import fill
from tests.daily.test_breaker import hold

RELAY = cast(Channel, SimpleNamespace(relay="relay", pace=None))
HOUR, SECOND, TICK = timedelta(hours=1), timedelta(seconds=1), timedelta(microseconds=1)
TUESDAY = date(2026, 3, 3)


def fates(county: County) -> Fates:
    return Fates(county.clock, county.settings, bound=True)


def change(county: County, *which: Any, **values: Any) -> None:
    with county.database.write() as connection:
        connection.execute(sa.update(Delivery).where(*which).values(**values))


def numbers(county: County) -> list[int]:
    return sorted(number for (number,) in county.rows(Delivery, "id"))


def fate(county: County, *fields: str) -> list[tuple[Any, ...]]:
    return [row[1:] for row in sorted(county.rows(Delivery, "id", *fields))]


def test_until_when_a_message_is_sent(county: County) -> None:
    last, one = deadline(MONDAY, county.settings), fates(county)
    assert one.deadline(MONDAY, last - SECOND) == last
    assert one.deadline(MONDAY, last) == last + HOUR, "asked for on the minute, it still gets its hour"
    assert one.deadline(MONDAY, last + 2 * HOUR) == last + 3 * HOUR


def expired(county: County, moment: datetime) -> int:
    county.clock.instant = moment - TICK  # it moves on as it is read
    with county.database.write() as connection:
        return fates(county).expire(connection, MONDAY, MAIL)


def test_what_waited_too_long_ends_and_nothing_else(county: County) -> None:
    """Of three messages of a day one was asked for after its deadline; another day's is not looked at."""
    fill(county, 4)
    last = deadline(MONDAY, county.settings)
    _, _, late, other = numbers(county)
    change(county, Delivery.id == late, resent_at=last)
    change(county, Delivery.id == other, run_date=TUESDAY)
    assert expired(county, last) == 0, "on the second of the deadline it may still go"
    assert expired(county, last + SECOND) == 2
    assert [state for (state,) in fate(county, "state")] == ["expired", "expired", "pending", "pending"]
    assert expired(county, last + HOUR) == 0
    assert expired(county, last + HOUR + SECOND) == 1
    assert [state for (state,) in fate(county, "state")] == ["expired", "expired", "expired", "pending"]


def test_an_attempt_is_over_when_its_lease_is(county: County) -> None:
    """Whose process lives on another machine is known by the lease only; a marker makes the outcome unknown."""
    fill(county, 4)
    instant = county.clock.now()
    elsewhere = "elsewhere:1:0"
    for number, until, marked in zip(numbers(county), (HOUR, -HOUR, -HOUR, HOUR), (None, None, instant, instant), strict=True):
        change(county, Delivery.id == number, state="sending", attempt=1, owner=elsewhere, lease_until=instant + until, marked_at=marked)
    with county.database.write() as connection:
        assert fates(county).abandoned(connection)
        assert fates(county).recover(connection, lambda channel: False) == 2
    found = fate(county, "state", "owner", "marked_at")
    assert found == [("sending", elsewhere, None), ("pending", None, None), ("uncertain", None, instant), ("sending", elsewhere, instant)]
    change(county, Delivery.state == "sending", state="pending", owner=None, lease_until=None, marked_at=None)


@pytest.mark.parametrize(("repeatable", "state"), [(True, "pending"), (False, "uncertain")])
def test_what_may_be_done_twice_is_done_again(county: County, repeatable: bool, state: str) -> None:
    fill(county, 1)
    now = county.clock.now()
    change(county, state="sending", attempt=1, owner="elsewhere:1:0", lease_until=now - HOUR, marked_at=now)
    with county.database.write() as connection:
        fates(county).recover(connection, lambda channel: repeatable and channel == MAIL)
    assert [(found, marked is None) for found, marked in fate(county, "state", "marked_at")] == [(state, repeatable)]


def claimed(county: County) -> tuple[list[Taken], list[str]]:
    states: list[str] = []
    with county.database.write() as connection:
        taken = fates(county).claim(connection, MAIL, RELAY, most=10, troubled=False, ended=states.append)
    return taken, states


def test_whoever_has_no_address_is_sent_nothing(county: County) -> None:
    fill(county, 3)
    with county.database.write() as connection:
        connection.execute(sa.update(Person).where(Person.name == "r1").values(email=""))
    taken, states = claimed(county)
    assert (len(taken), states) == (2, ["suppressed"])
    assert fate(county, "state", "reason")[1] == ("suppressed", "没有邮箱地址")
    give_back(county)


def give_back(county: County) -> None:
    change(county, Delivery.state == "sending", state="pending", owner=None, lease_until=None, marked_at=None)


def test_nothing_is_claimed_under_a_hold(county: County) -> None:
    """Also what came into the outbox after the hold was placed."""
    hold(county)
    fill(county, 2)
    assert claimed(county) == ([], [])
    assert [state for (state,) in fate(county, "state")] == ["pending", "pending"]


@pytest.mark.parametrize(("state", "forgotten"), [("pending", True), ("held", True), ("sent", False), ("uncertain", False)])
def test_a_marker_ends_with_an_attempt_that_handed_nothing_over(county: County, state: str, forgotten: bool) -> None:
    fill(county, 1)
    (number,) = numbers(county)
    now = county.clock.now()
    change(county, state="sending", attempt=1, owner=new_owner(), lease_until=now + HOUR, marked_at=now)
    letter = Letter(number, MONDAY, None, "r0@example.org", "<1@x>", b"")
    taken = Taken(letter, 1, "", "relay", False, deadline(MONDAY, county.settings))
    with county.database.write() as connection:
        assert fates(county).end(connection, End(taken, state, "x"))
        assert not fates(county).end(connection, End(taken._replace(attempt=2), state, "x")), "somebody else's attempt"
    assert [(found, marked is None) for found, marked in fate(county, "state", "marked_at")] == [(state, forgotten)]
