"""Replicas whose clocks differ: leases follow the database's clock, and whoever is far from it records, claims and sends nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from app.alerts import breaker, fates
from app.alerts.channels import OPENERS
from app.alerts.channels.base import MAIL
from app.alerts.fates import Fates
from app.alerts.models import ChannelState, Delivery
from app.alerts.sender import Round, Sender
from app.clock import Clock, ShiftedClock
from app.errors import ClockSkewed
from app.http import Cursors
from app.offices.desk import House
from app.policies.policy import Policy
from app.skew import Skew
from app.stalls import runs
from app.stalls.models import DailyRun
from app.worker import Worker, _quietly, deliver
from tests.cast import make_settings, running
from tests.daily.county import MONDAY, ZONE, County
from tests.daily.sending import fill
from tests.replicas.clocks import HOUR, WrongClock

SOON = timedelta(seconds=10)


@pytest.fixture
def county(postgresql_url: str, tmp_path: Path) -> Iterator[County]:
    county = County(postgresql_url, tmp_path, daily_deadline=time(23, 59, 59))
    county.clock = Clock(ZONE)  # type: ignore[assignment]
    yield county
    county.close()


def policy(county: County) -> Policy:
    with county.database.statement() as connection:
        return county.book.governing(connection, MONDAY, None)


def lease(county: County) -> timedelta:
    """How long the day's lease still is, by the database's clock."""
    with county.database.statement() as connection:
        until = connection.execute(sa.select(DailyRun.lease_until, sa.text("clock_timestamp()"))).one()
    left: timedelta = until[0] - until[1]
    return left


@pytest.mark.parametrize("ahead", [HOUR, -HOUR])
def test_a_wrong_clock_neither_steals_nor_keeps_a_day(county: County, ahead: timedelta, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong, rules = WrongClock(ahead), policy(county)
    mine = runs.claim(county.database, county.clock, MONDAY, rules, by="scheduler")
    assert mine is not None
    assert runs.claim(county.database, wrong, MONDAY, rules, by="scheduler") is None, "stolen"
    mine.release()
    theirs = runs.claim(county.database, wrong, MONDAY, rules, by="scheduler")
    assert theirs is not None and runs.LEASE - SOON < lease(county) <= runs.LEASE
    monkeypatch.setattr(runs, "LEASE", timedelta(0))  # its next write lets it run out at once
    theirs.keep()
    with theirs.write():
        pass
    taken = runs.claim(county.database, county.clock, MONDAY, rules, by="scheduler")
    assert taken is not None and taken.attempt == theirs.attempt + 1, "kept"
    with pytest.raises(runs.RunLost), theirs.write():
        pass


@pytest.mark.parametrize("ahead", [HOUR, -HOUR])
def test_a_wrong_clock_neither_steals_nor_keeps_a_message(county: County, ahead: timedelta, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(county, 1)
    right, wrong = (Fates(clock, county.settings, bound=False) for clock in (county.clock, WrongClock(ahead)))
    channel = OPENERS[MAIL](county.settings, county.database)

    def recovered(by: Fates) -> int:
        with county.database.write() as connection:
            return by.recover(connection, lambda _: False) if by.abandoned(connection) else 0

    with county.database.write() as connection:
        assert len(right.claim(connection, MAIL, channel, troubled=False, ended=lambda _: None)) == 1
    assert recovered(wrong) == 0, "stolen"
    monkeypatch.setattr(fates, "LEASE", timedelta(0))
    with county.database.write() as connection:
        connection.execute(sa.update(Delivery).values(state="pending", next_try_at=datetime(2020, 1, 1, tzinfo=UTC)))
        assert len(wrong.claim(connection, MAIL, channel, troubled=False, ended=lambda _: None)) == 1
    assert recovered(right) == 1, "kept"


def test_a_relay_rests_as_long_whatever_ones_clock_says(county: County) -> None:
    with county.database.write() as connection:
        now = county.clock.lease_now(connection)
        for _ in range(breaker.THRESHOLD):
            breaker.failed(connection, MAIL, "mail.example:25", now, "away", needs_person=False)
    for ahead, rest_over, admitted in ((HOUR, False, False), (-HOUR, True, True)):
        if rest_over:
            with county.database.write() as connection:
                connection.execute(sa.update(ChannelState).values(until=now - SOON))
        asking = Round(Sender(county.database, WrongClock(ahead), county.settings), MAIL, 1)
        assert asking._admitted("mail.example:25") is admitted


def test_how_far_is_too_far(county: County) -> None:
    for ahead, fine in ((0, True), (50, True), (-50, True), (70, False), (-70, False)):
        skew = Skew(county.database, WrongClock(timedelta(seconds=ahead)))
        assert abs(skew.look() - timedelta(seconds=ahead)) < SOON and skew.too_far() is not fine
        if fine:
            skew.must_be_small()
        else:
            with pytest.raises(ClockSkewed) as refused:
                skew.must_be_small()
            assert abs(refused.value.extra["seconds"] - ahead) < 10 and ("ahead of" if ahead > 0 else "behind") in refused.value.hint
    Skew(county.database, ShiftedClock(ZONE, datetime(2020, 1, 1, tzinfo=UTC))).must_be_small()  # a day that is tried out


def test_a_clock_that_is_set_wrong_is_noticed_without_asking(county: County) -> None:
    clock = WrongClock()
    skew = Skew(county.database, clock)
    skew.must_be_small()
    clock.ahead = -HOUR
    assert skew.too_far()
    clock.ahead = timedelta(0)
    skew.must_be_small()


def test_a_service_with_a_wrong_clock_records_nothing_and_says_why(postgresql_url: str, tmp_path: Path) -> None:
    clock = WrongClock()
    with running(make_settings(postgresql_url, tmp_path), clock=clock) as served:

        def ready() -> httpx.Response:
            return httpx.get(f"{served.address}/readyz", trust_env=False)

        def settled() -> bool:
            known = clock.now() - timedelta(minutes=5)
            return bool(served.get("officer", "/projects", known_at=known.isoformat())["settled"])

        today = clock.today().isoformat()
        served.register(effective_on=today)
        assert settled() and ready().status_code == 200
        clock.ahead = timedelta(seconds=95)
        body = {"name": "二号项目", "office": "T01", "route": "leased", "effective_on": today}
        refused = served.as_("clerk").post("/projects", json=body)
        assert (refused.status_code, refused.json()["code"], refused.headers["retry-after"]) == (503, "clock_skewed", "30")
        assert "95 秒" in refused.json()["hint"] or "94 秒" in refused.json()["hint"] or "96 秒" in refused.json()["hint"]
        assert (ready().status_code, ready().json()["code"]) == (503, "clock_skewed")
        assert not settled(), "three minutes of ours may be one of the others'"
        assert len(served.get("officer", "/projects")["items"]) == 1, "reading goes on"
        clock.ahead = timedelta(0)
        served.post("clerk", "/projects", body)
        assert settled() and ready().status_code == 200


def test_a_worker_with_a_wrong_clock_sends_nothing_and_says_so(county: County, capsys: pytest.CaptureFixture[str]) -> None:
    fill(county, 3)
    clock = WrongClock(timedelta(seconds=-90))
    worker = Worker(House(county.settings, county.database, clock, b"", Cursors(b"")))
    _quietly(deliver, worker)
    assert county.rows(Delivery, "state", "attempt") == [("pending", 0)] * 3
    said = capsys.readouterr()
    assert "clock differs" in said.out + said.err
    clock.ahead = timedelta(0)
    _quietly(deliver, worker)
    for round_ in worker._rounds.values():
        round_.join()
    assert county.rows(Delivery, "state", "attempt") == [("sent", 1)] * 3


def test_a_claimer_elsewhere_is_not_taken_for_dead() -> None:
    """Two machines of one name: only the number of their last start tells them apart."""
    here = runs._host()
    name, machine, space = here.split("/")
    assert runs.is_dead(f"{here}:{2**22 + 1}:x") and not runs.is_dead(f"{name}/{machine[::-1]}x/{space}:{2**22 + 1}:x")
    assert len(runs.new_owner()) <= 80
