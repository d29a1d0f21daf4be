"""Nothing goes out after a restore until somebody says so, and then nothing that may have gone out before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import sqlalchemy as sa

from app.alerts import holding
from app.alerts.models import Delivery
from app.alerts.sender import Sender
from app.backups import finalizing, records, restoring, taking
from app.clock import FixedClock
from app.db import Database
from app.errors import DomainError
from app.main import build_house
from app.settings import Settings
from app.worker import Worker, daily_run, deliver
from tests.backup.conftest import KEY, Place, silent
from tests.daily.county import MONDAY, County, at
from tests.daily.peers import Inbox, mail_server
from tests.invariants import check_invariants

DAY = MONDAY + timedelta(days=31)
"""A contract of MONDAY is red since then: people are told."""
READERS = {"wang", "zhao", "qian"}


@pytest.fixture
def mail() -> Iterator[tuple[Inbox, str]]:
    with mail_server() as server:
        yield server


class Second:
    """The register that comes back, on another machine, with the same relay."""

    def __init__(self, county: County, place: Place, smtp_url: str) -> None:
        self.county, self.place = county, place
        settings = place.settings.model_copy(update={"smtp_url": smtp_url, "dev": False})
        self.clock = place.clock
        self.house = build_house(settings, self.clock, Database(place.url))
        self.worker = Worker(self.house)

    def tick(self) -> None:
        """What a worker does every few seconds."""
        daily_run(self.worker)
        deliver(self.worker)
        for one in self.worker._rounds.values():
            one.join(60)
            assert not one.is_alive()

    def states(self) -> dict[tuple[Any, str], str]:
        with self.house.database.statement() as connection:
            named = {number: name for name, number in self.county.people.items()}
            query = sa.select(Delivery.run_date, Delivery.person_id, Delivery.state)
            return {(day, named[person]): state for day, person, state in connection.execute(query)}

    def of(self, day: Any) -> set[str]:
        return {state for (on, _), state in self.states().items() if on == day}

    def close(self) -> None:
        with self.house.database.snapshot() as connection:
            check_invariants(connection)
        self.house.database.dispose()


@pytest.fixture
def lost(database_url: str, place: Place, tmp_path: Path, mail: tuple[Inbox, str]) -> Iterator[SimpleNamespace]:
    """A county with a digest due on one day; `back_up()` it, and `restore(at)` it elsewhere."""
    inbox, smtp_url = mail
    county = County(database_url, tmp_path, smtp_url=smtp_url)
    county.signed("A", MONDAY)
    opened: list[Second] = []

    def back_up() -> None:
        taking.backup(county.database, tmp_path / "a.backup", KEY, county.clock.now(), silent)

    def restore(instant: Any) -> Second:
        second = Second(county, place, smtp_url)
        opened.append(second)
        second.clock.instant = instant
        with restoring.read(tmp_path / "a.backup", KEY, silent) as archive:
            until = restoring.doubtful_day(second.house.settings, second.clock, archive.manifest)
            restoring.restore(second.house.database, archive, KEY, second.clock, until, silent)
        return second

    yield SimpleNamespace(county=county, inbox=inbox, back_up=back_up, restore=restore)
    for one in opened:
        one.close()
    county.close()


def enqueue_only(county: County) -> None:
    """The day's run, but no message is sent yet."""
    from app.alerts.daily import run_day

    run_day(county.database, county.clock, county.settings, county.book, county.clock.today())


def test_what_waited_in_the_backup_may_have_left_since(lost: SimpleNamespace) -> None:
    county: County = lost.county
    county.now_is(DAY)
    enqueue_only(county)
    lost.back_up()
    Sender(county.database, county.clock, county.settings).run()
    number = len(county.states())
    assert len(lost.inbox.letters) == number > 0
    second: Second = lost.restore(at(DAY, 10))
    assert second.of(DAY) == {"held"}
    for _ in range(3):
        second.tick()
    assert len(lost.inbox.letters) == number, "nothing is sent before somebody says so"
    with second.house.database.snapshot() as connection:
        ahead = finalizing.outlook(connection)
    assert (ahead.uncertain, ahead.pending, ahead.doubtful_through) == (number, 0, DAY)
    assert finalizing.finalize(second.house) == {"uncertain": number, "pending": 0}
    second.tick()
    assert second.of(DAY) == {"uncertain"} and len(lost.inbox.letters) == number
    second.clock.instant = at(DAY + timedelta(days=1))
    second.tick()
    assert second.of(DAY + timedelta(days=1)) == {"sent"}, "the next digest tells it"


def test_a_day_the_lost_system_may_have_told_is_not_told_again(lost: SimpleNamespace) -> None:
    """The backup is of the night; the digest went out at nine; the machine burnt at ten."""
    county: County = lost.county
    county.now_is(DAY, 2)
    lost.back_up()
    county.now_is(DAY)
    county.daily()
    number = len(lost.inbox.letters)
    assert number > 0
    second: Second = lost.restore(at(DAY, 11))
    assert finalizing.finalize(second.house) == {"uncertain": number, "pending": 0}, "the day was done under the hold"
    second.tick()
    assert second.of(DAY) == {"uncertain"} and len(lost.inbox.letters) == number


def test_a_restore_before_the_hour_leaves_the_day_as_it_is(lost: SimpleNamespace) -> None:
    county: County = lost.county
    county.now_is(DAY, 2)
    lost.back_up()
    second: Second = lost.restore(at(DAY, 7))
    second.clock.instant = at(DAY, 9)
    second.tick()
    assert second.of(DAY) <= {"held"} and not lost.inbox.letters
    came_to = finalizing.finalize(second.house)
    second.tick()
    # the backup is of today as well, so today stays in doubt; tomorrow does not
    assert came_to["pending"] == 0 and not lost.inbox.letters
    second.clock.instant = at(DAY + timedelta(days=1))
    second.tick()
    assert second.of(DAY + timedelta(days=1)) == {"sent"}


@pytest.mark.parametrize(("clock", "days_back"), [((7, 59), 1), ((8, 0), 0), ((23, 59), 0)])
def test_today_is_in_doubt_from_the_hour_of_the_run_on(tmp_path: Path, clock: tuple[int, int], days_back: int) -> None:
    """At eight sharp the lost system had begun; a minute before it had not. A backup made later than that is of a day in doubt."""
    settings = Settings(var_dir=tmp_path)
    moment = datetime.combine(DAY, time(*clock), settings.zone)

    def doubtful(settings: Settings, made_at: datetime) -> date:
        exactly = FixedClock(settings.zone, moment - timedelta(microseconds=1))  # which is what it is by its first reading
        return restoring.doubtful_day(settings, exactly, cast(Any, SimpleNamespace(made_at=made_at)))

    assert doubtful(settings, moment - timedelta(days=30)) == DAY - timedelta(days=days_back)
    assert doubtful(settings, moment) == DAY
    nine = settings.model_copy(update={"daily_at": time(9, 0)})
    assert doubtful(nine, moment - timedelta(days=30)) == DAY - timedelta(days=int(clock < (9, 0)))


def test_the_outlook_counts_what_waits_and_not_what_was_sent(lost: SimpleNamespace) -> None:
    county: County = lost.county
    county.now_is(DAY)
    county.daily()
    sent = len(lost.inbox.letters)
    with county.database.write() as connection:
        connection.execute(
            sa.update(Delivery).where(Delivery.id == sa.select(sa.func.min(Delivery.id)).scalar_subquery()).values(state="pending")
        )
    lost.back_up()
    second: Second = lost.restore(at(DAY, 10))
    with second.house.database.snapshot() as connection:
        ahead = finalizing.outlook(connection)
    assert sent > 1 and (ahead.uncertain, ahead.pending) == (1, 0)
    assert finalizing.finalize(second.house) == {"uncertain": 1, "pending": 0}


def test_days_after_the_restore_are_sent(lost: SimpleNamespace) -> None:
    county: County = lost.county
    county.now_is(DAY - timedelta(days=3))
    lost.back_up()
    second: Second = lost.restore(at(DAY - timedelta(days=1), 7))
    second.clock.instant = at(DAY)
    second.tick()
    assert second.of(DAY) == {"held"} and not lost.inbox.letters
    number = len(second.states())
    assert finalizing.finalize(second.house) == {"uncertain": 0, "pending": number}
    second.tick()
    assert second.of(DAY) == {"sent"} and len(lost.inbox.letters) == number


def test_what_was_on_its_way_when_the_backup_was_made(lost: SimpleNamespace) -> None:
    county: County = lost.county
    county.now_is(DAY)
    enqueue_only(county)
    with county.database.write() as connection:
        numbers = connection.scalars(sa.select(Delivery.id).order_by(Delivery.id)).all()
        now = county.clock.now()
        sending = {"state": "sending", "attempt": 1, "owner": "elsewhere:1:x", "lease_until": now + timedelta(minutes=6)}
        connection.execute(sa.update(Delivery).where(Delivery.id == numbers[0]).values(**sending, marked_at=now))
        connection.execute(sa.update(Delivery).where(Delivery.id == numbers[1]).values(**sending))
    lost.back_up()
    second: Second = lost.restore(at(DAY, 10))
    assert sorted(set(second.states().values())) == ["held", "uncertain"]
    assert list(second.states().values()).count("uncertain") == 1
    second.tick()
    finalizing.finalize(second.house)
    second.tick()
    assert second.of(DAY) == {"uncertain"} and not lost.inbox.letters


def test_finalising_is_written_down_and_happens_once(lost: SimpleNamespace) -> None:
    lost.county.now_is(DAY)
    lost.back_up()
    second: Second = lost.restore(at(DAY, 10))
    with second.house.database.snapshot() as connection:
        (told,) = records.open_restores(connection).values()
    assert told["restored_by"] and told["finalized_at"] is None
    came_to = finalizing.finalize(second.house)
    with second.house.database.snapshot() as connection:
        assert records.open_restores(connection) == {} and holding.current(connection) is None
        value = str(connection.scalar(sa.text("SELECT value FROM meta WHERE name LIKE 'restore %'")))
    assert '"finalized_by"' in value and came_to["uncertain"] > 0 and f'"uncertain":{came_to["uncertain"]}' in value
    with pytest.raises(DomainError, match="没有等待确认"):
        finalizing.finalize(second.house)


def test_a_hold_that_is_no_restore_is_not_finalised(lost: SimpleNamespace) -> None:
    house = build_house(lost.county.settings, lost.county.clock, lost.county.database)
    with house.database.write() as connection:
        holding.hold(connection, "邮件服务器检修", now=house.clock.now())
    with pytest.raises(DomainError, match="没有等待确认"):
        finalizing.finalize(house)
    with house.database.snapshot() as connection:
        assert holding.current(connection) is not None
