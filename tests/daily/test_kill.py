"""kill -9 in every transaction of a day: whoever comes next reaches the same end."""

import multiprocessing
import signal
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.alerts.sender import Sender
from tests.conftest import MakeDatabase
from tests.daily.child import do_day
from tests.daily.county import MONDAY, County
from tests.daily.peers import mail_server
from tests.invariants import check_invariants

RED = MONDAY + timedelta(days=31)
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.daily.child"])


def a_county(url: str, folder: Path, **settings: Any) -> County:
    """Flags that will open, go up, and close, all on one day."""
    folder.mkdir(parents=True, exist_ok=True)
    county = County(url, folder, **settings)
    county.signed("new", RED - timedelta(days=20))
    county.signed("up", RED - timedelta(days=30), office="T02")
    county.signed("gone", RED - timedelta(days=40))
    county.now_is(RED - timedelta(days=1))
    smtp, county.settings = county.settings, county.settings.model_copy(update={"smtp_url": f"file:{folder}/mail"})
    county.daily()
    county.settings = smtp
    county.progress("gone", RED - timedelta(days=1), "company_registered")
    county.now_is(RED)
    return county


def die(county: County, number: int) -> bool:
    """One process that does the day and dies in its n-th transaction; was there such a transaction at all?"""
    told = (str(county.settings.database_url), county.settings.var_dir, county.settings.smtp_url, county.clock.now(), number)
    process = PROCESSES.Process(target=do_day, args=told)
    process.start()
    process.join(60)
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


def finish(county: County) -> None:
    """The next process comes at once, and looks again when leases have run out."""
    county.daily()
    county.clock.instant += timedelta(minutes=12)
    Sender(county.database, county.clock, county.settings).run()


def ended(county: County) -> Any:
    counts = {name: value for name, value in county.counts(RED).items() if name != "looked_at"}
    return county.runs(), county.open_flags(), county.changes(), county.subjects("wang"), county.states(), counts


def check(county: County) -> None:
    with county.database.statement() as connection:
        check_invariants(connection)
    county.close()


@pytest.mark.timeout(600)
def test_killed_in_any_transaction(database_kind: str, make_database: MakeDatabase, tmp_path: Path) -> None:
    whole = a_county(make_database(database_kind), tmp_path / "whole")
    finish(whole)
    expected = ended(whole)
    letters = sorted(path.name for path in whole.mail.iterdir())
    check(whole)
    number = 1
    while True:
        county = a_county(make_database(database_kind), tmp_path / str(number))
        died = die(county, number)
        finish(county)
        assert ended(county) == expected, f"killed in transaction {number}"
        assert sorted(path.name for path in county.mail.iterdir() if path.suffix == ".eml") == letters
        check(county)
        if not died:
            break
        number += 1
    assert number > 12, "the day has more transactions than that"


@pytest.mark.parametrize("number", range(9, 19))
def test_killed_while_sending_nobody_gets_two(sqlite_url: str, tmp_path: Path, number: int) -> None:
    with mail_server() as (inbox, url):
        county = a_county(sqlite_url, tmp_path, smtp_url=url)
        die(county, number)
        finish(county)
        taken = [to for to, _ in inbox.letters]
        assert len(taken) == len(set(taken)), "two copies"
        for (day, name), state in county.states().items():
            if day == RED:
                assert state in ("sent", "uncertain")
                assert state == "uncertain" or f"{name}@example.org" in taken
        check(county)


def test_a_moment_of_the_dead(county: County) -> None:
    """A claimer of this machine that is gone is not waited for."""
    from app.stalls.runs import is_dead, new_owner

    assert not is_dead(new_owner()) and not is_dead("elsewhere/1:1:x") and not is_dead(None)
    here, _, _ = new_owner().partition(":")
    assert is_dead(f"{here}:{2**22 + 1}:x")
    assert isinstance(county.clock.now(), datetime)
