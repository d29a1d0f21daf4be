"""One run per business date, one digest per person and workday, whoever is up and whenever."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, timedelta

import pytest

from app.alerts.daily import run_day, run_if_due
from app.alerts.sender import Sender
from app.db import Database
from app.errors import DomainError
from app.heart.calendar import SHIPPED
from app.offices.desk import House
from app.policies.queries import PolicyBook
from app.stalls import runs
from app.worker import Worker
from tests.daily.county import MONDAY, County, days, in_a_hurry

RED = MONDAY + timedelta(days=30)  # a Wednesday


class Colleague:
    """Another process's worker: its own pool and its own book, the same database."""

    def __init__(self, county: County) -> None:
        self.county, self.database, self.book = county, in_a_hurry(Database(county.settings.database_url)), PolicyBook()

    def tick(self) -> None:
        run_if_due(self.database, self.county.clock, self.county.settings, self.book)
        Sender(self.database, self.county.clock, self.county.settings).run()


@contextmanager
def colleagues(county: County, number: int) -> Iterator[list[Colleague]]:
    made = [Colleague(county) for _ in range(number)]
    yield made
    for one in made:
        one.database.dispose()


def test_two_workers_twenty_days(county: County) -> None:
    for number in range(12):
        county.signed(f"P{number:02d}", MONDAY - timedelta(days=2 * number), office="T01" if number % 2 else "T02")
    with colleagues(county, 2) as both, ThreadPoolExecutor(2) as threads:
        for day in days(MONDAY, 20):
            for hour in (7, 8, 9, 19):
                county.now_is(day, hour, 5)
                list(threads.map(Colleague.tick, both))
    assert county.runs() == dict.fromkeys(days(MONDAY, 20), "done")
    told = county.states()
    assert set(told.values()) == {"sent"} and all(SHIPPED.is_workday(day) for day, _ in told)
    assert {day for day, name in told if name == "zhao"} == {day for day in days(MONDAY, 20) if SHIPPED.is_workday(day)}
    assert len(list(county.mail.glob("*.eml"))) == len(told)


def test_down_at_the_hour_and_back_before_the_deadline(county: County) -> None:
    county.signed("A", MONDAY)
    with colleagues(county, 1) as (worker,):
        county.now_is(RED, 7, 59)
        worker.tick()
        assert county.runs() == {}
        county.now_is(RED, 16, 40)
        worker.tick()
        assert county.runs() == {RED: "done"} and set(county.states().values()) == {"sent"}


def test_after_the_deadline_nothing_is_sent(county: County) -> None:
    county.signed("A", MONDAY)
    with colleagues(county, 1) as (worker,):
        county.now_is(RED, 20, 1)
        worker.tick()
        assert county.runs() == {} and county.states() == {}


def test_three_days_down_is_one_correct_digest(county: County) -> None:
    county.signed("A", MONDAY)
    county.signed("B", MONDAY + timedelta(days=2))
    with colleagues(county, 1) as (worker,):
        for day in (RED - timedelta(days=6), RED + timedelta(days=2)):
            county.now_is(day)
            worker.tick()
    missed = days(RED - timedelta(days=5), 7)
    assert county.runs() == {RED - timedelta(days=6): "done", **dict.fromkeys(missed, "skipped"), RED + timedelta(days=2): "done"}
    assert county.subjects("wang")[RED + timedelta(days=2)].startswith("【落地】东山镇：新增 0，升级 2，恢复 0")


def test_weekends_are_judged_and_told_on_monday(county: County) -> None:
    saturday = date(2026, 3, 21)
    county.signed("A", saturday - timedelta(days=30))
    with colleagues(county, 1) as (worker,):
        for day in days(saturday - timedelta(days=1), 4):
            county.now_is(day)
            worker.tick()
    assert set(county.runs().values()) == {"done"}
    assert sorted(county.subjects("wang")) == [saturday - timedelta(days=1), saturday + timedelta(days=2)]
    assert county.subjects("wang")[saturday + timedelta(days=2)].startswith("【落地】东山镇：新增 0，升级 1，恢复 0")


def test_a_person_gets_digests_whatever_the_weekday_and_hour(county: County) -> None:
    saturday = date(2026, 3, 21)
    county.signed("A", saturday - timedelta(days=30))
    with colleagues(county, 1) as (worker,):
        county.now_is(saturday)
        worker.tick()
        assert county.states() == {}
    county.now_is(saturday, 23, 30)
    assert county.daily()["deliveries"] == {"sent": 3}
    assert county.daily()["deliveries"] == {"sent": 3}


def test_once_more_sends_nothing_twice(county: County) -> None:
    county.signed("A", MONDAY)
    first = county.daily(RED)
    files = {path.name: path.stat().st_mtime_ns for path in county.mail.iterdir()}
    assert county.daily() == first
    assert {path.name: path.stat().st_mtime_ns for path in county.mail.iterdir()} == files
    assert first["opened"] == 3 and first["deliveries"] == {"sent": 3}


def test_dates_are_refused_that_cannot_be(county: County) -> None:
    county.daily(RED)
    with pytest.raises(DomainError):
        county.daily_on(RED - timedelta(days=1))
    with pytest.raises(DomainError):
        county.daily_on(RED + timedelta(days=1))


def test_a_rehearsal_writes_nothing(county: County) -> None:
    county.signed("A", MONDAY)
    said = county.daily(RED, dry_run=True)
    assert (said["opened"], said["dry_run"]) == (3, True)
    assert county.runs() == {} and county.open_flags() == {} and county.states() == {}


def test_whoever_lost_his_claim_writes_nothing_more(county: County) -> None:
    county.now_is(RED)
    with county.database.statement() as connection:
        policy = county.book.governing(connection, RED, None)
    first = runs.claim(county.database, county.clock, RED, policy, by="scheduler")
    assert first is not None
    assert runs.claim(county.database, county.clock, RED, policy, by="scheduler") is None  # in living hands
    county.clock.instant += runs.LEASE + timedelta(seconds=1)
    second = runs.claim(county.database, county.clock, RED, policy, by="scheduler")
    assert second is not None and second.attempt == 2
    with pytest.raises(runs.RunLost), first.write():
        pass
    with pytest.raises(runs.RunLost):
        first.advance("evaluated")
    first.release()
    with second.write():
        pass
    second.release()
    assert run_day(county.database, county.clock, county.settings, county.book, RED) is not None


def test_a_stop_between_chunks_gives_the_day_back(county: County) -> None:
    county.signed("A", MONDAY)
    county.now_is(RED)
    asked = threading.Event()
    asked.set()
    assert run_day(county.database, county.clock, county.settings, county.book, RED, stopping=asked.is_set) is None
    assert county.runs() == {RED: "claimed"}
    assert county.daily()["deliveries"] == {"sent": 3}


def test_the_ticker_does_the_day_and_stops(county: County) -> None:
    county.signed("A", MONDAY)
    county.now_is(RED)
    worker = Worker(House(county.settings, county.database, county.clock, b"", None))  # type: ignore[arg-type]
    worker.start()
    try:
        for _ in range(200):
            if county.runs().get(RED) == "done" and county.states():
                break
            threading.Event().wait(0.05)
    finally:
        worker.stop()
    Sender(county.database, county.clock, county.settings).run()
    assert county.runs() == {RED: "done"} and set(county.states().values()) == {"sent"}
