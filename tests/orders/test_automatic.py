"""Orders the daily run issues by itself: one per project, no flood, and the same whatever happens to the run."""

from __future__ import annotations

import multiprocessing
import re
import signal
from collections.abc import Iterator
from datetime import date, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app.alerts import daily as days
from app.orders import automatic
from app.orders.models import Order, OrderFlag
from app.projects.derived import New
from app.projects.models import Project
from tests.conftest import MakeDatabase
from tests.daily.child import do_day
from tests.daily.county import MONDAY, County, at
from tests.invariants import check_invariants

TUESDAY = MONDAY + timedelta(days=1)
BEFORE = TUESDAY - timedelta(days=10)
"""The register is looked at for the first time, and nothing is late yet."""
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.daily.child"])


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(days, "WAIT_FOR_OTHERS", 0.0)


def quiet(county: County) -> County:
    """Without the monthly report, which everybody here owes."""
    county.policy(date(2020, 1, 1), report_missing={"enabled": False})
    return county


@pytest.fixture
def county(database_url: str, tmp_path: Path) -> Iterator[County]:
    made = quiet(County(database_url, tmp_path, orders_automatic="yellow"))
    yield made
    with made.database.statement() as connection:
        check_invariants(connection)
    made.close()


def orders(county: County) -> list[tuple[Any, ...]]:
    """Number, project, state, level, day, due."""
    with county.database.statement() as connection:
        query = sa.select(Order.number, Project.ref, Order.state, Order.level, Order.issued_on, Order.due_on)
        return [tuple(row) for row in connection.execute(query.join(Project, Project.id == Order.project_id).order_by(Order.id))]


def a_project_that_turns_yellow_on(county: County, ref: str, day: date, **more: Any) -> None:
    """`signed_no_progress` is yellow after 20 days, `signed_to_registered` after 24. It was signed long enough before to be known."""
    now, county.clock.instant = county.clock.instant, at(day - timedelta(days=15))
    county.signed(ref, day - timedelta(days=20), **more)
    county.clock.instant = now


def close(county: County, number: str) -> None:
    with county.database.write() as connection:
        connection.execute(sa.update(Order).where(Order.number == number).values(state="closed"))


def test_a_project_that_turns_yellow_gets_one_order(county: County) -> None:
    a_project_that_turns_yellow_on(county, "p", TUESDAY)
    county.daily(BEFORE)
    assert county.daily(MONDAY).get("orders") is None and orders(county) == []
    assert county.daily(TUESDAY)["orders"] == 1
    told = ("督办〔2026〕1号", "p", "issued", "yellow", TUESDAY, date(2026, 3, 10))  # five workdays
    assert orders(county) == [told]
    for later in range(2, 8):  # a second rule turns yellow on Saturday
        county.daily(MONDAY + timedelta(days=later))
    assert orders(county) == [told] and county.open_flags()["p", "signed_to_registered"] == "yellow"
    close(county, "督办〔2026〕1号")
    county.daily(MONDAY + timedelta(days=8))
    assert [row[:3] for row in orders(county)] == [("督办〔2026〕1号", "p", "closed"), ("督办〔2026〕2号", "p", "issued")]
    close(county, "督办〔2026〕2号")
    county.daily(MONDAY + timedelta(days=9))
    assert len(orders(county)) == 2  # a flag gets one order in its life; that it stays is for the ladder
    with county.database.statement() as connection:
        covered = connection.execute(sa.select(OrderFlag.order_id, sa.func.count()).group_by(OrderFlag.order_id)).all()
        assert [number for _, number in sorted(covered)] == [1, 1]
        assert connection.scalar(sa.select(Order.person_id).limit(1)) == county.people["wang"]


def test_the_first_morning_is_no_flood_of_orders(county: County) -> None:
    for number in (1, 2, 3):
        a_project_that_turns_yellow_on(county, f"old{number}", MONDAY - timedelta(days=number))
    assert county.daily(MONDAY)["stock"] >= 3
    county.daily(TUESDAY)
    county.daily(MONDAY + timedelta(days=15))  # some of them are red by now
    assert "red" in county.open_flags().values() and orders(county) == []


def test_weekends_wait_for_the_next_workday(county: County) -> None:
    saturday = MONDAY + timedelta(days=5)
    a_project_that_turns_yellow_on(county, "p", saturday)
    county.daily(BEFORE)
    county.daily(saturday)
    assert orders(county) == []
    county.daily(MONDAY + timedelta(days=7))
    assert [row[4] for row in orders(county)] == [MONDAY + timedelta(days=7)]


def test_days_that_were_missed_change_the_day_and_nothing_else(county: County) -> None:
    a_project_that_turns_yellow_on(county, "p", TUESDAY)
    county.daily(BEFORE)
    county.daily(MONDAY + timedelta(days=3))
    county.daily(MONDAY + timedelta(days=3))
    assert [row[:2] for row in orders(county)] == [("督办〔2026〕1号", "p")]


@pytest.mark.parametrize(("level", "expected"), [("off", []), ("red", ["late"]), ("yellow", ["late", "p"])])
def test_the_setting_says_from_which_level(database_url: str, tmp_path: Path, level: str, expected: list[str]) -> None:
    county = quiet(County(database_url, tmp_path, orders_automatic=level))
    a_project_that_turns_yellow_on(county, "late", BEFORE)
    county.daily(BEFORE - timedelta(days=14))
    a_project_that_turns_yellow_on(county, "p", TUESDAY)
    county.daily(TUESDAY)
    assert sorted(row[1] for row in orders(county)) == expected
    county.close()


def test_a_register_that_is_upgraded_gets_no_flood(county: County) -> None:
    a_project_that_turns_yellow_on(county, "before", TUESDAY)
    a_project_that_turns_yellow_on(county, "after", MONDAY + timedelta(days=2))
    county.daily(BEFORE)
    county.settings = county.settings.model_copy(update={"orders_automatic": "off"})  # the version before knew no orders
    county.daily(TUESDAY)
    county.settings = county.settings.model_copy(update={"orders_automatic": "yellow"})
    with county.database.write() as connection:
        connection.exec_driver_sql(f"INSERT INTO meta (name, value) VALUES ('orders_since', '{TUESDAY}')")
    county.daily(MONDAY + timedelta(days=2))
    assert [row[1] for row in orders(county)] == ["after"]
    county.daily(MONDAY + timedelta(days=11))  # red: the flag of before has changed its level since
    assert [row[1] for row in orders(county)] == ["after", "before"]


def test_a_stall_that_was_put_off_gets_its_order_when_that_is_over(county: County) -> None:
    a_project_that_turns_yellow_on(county, "p", TUESDAY)
    county.daily(BEFORE)
    county.now_is(MONDAY)  # still blue
    approver = {"office": county.offices["bureau"], "role": "officer", "person": None}
    until = TUESDAY + timedelta(days=2)
    data = {"rule": "signed_no_progress", "level": "blue", "reason": "x", "until": str(until), "due_on": str(TUESDAY), "approver": approver}
    county.record("p", New("snoozed", MONDAY, data), source="api")
    for day in (TUESDAY, TUESDAY + timedelta(days=1)):
        county.daily(day)
        assert orders(county) == [] and county.open_flags()["p", "signed_no_progress"] == "yellow"
    county.daily(until)
    assert [row[4] for row in orders(county)] == [until]


def test_the_unit_is_told_of_its_order_and_of_nothing_twice(county: County) -> None:
    """Issued on Tuesday with the yellow flag, due the Tuesday after: reminded two workdays before, and told when it is late."""
    a_project_that_turns_yellow_on(county, "p", TUESDAY)
    county.daily(BEFORE)
    told = {}
    for ahead in range(10):
        county.daily(TUESDAY + timedelta(days=ahead))
        for path in sorted(county.mail.iterdir()):
            if (letter := message_from_bytes(path.read_bytes(), policy=policy.default))["To"].addresses[0].username == "wang":
                text = letter.get_body(("plain",)).get_content()
                page = letter.get_body(("html",)).get_content()
                headings = re.findall(r"督办单·(\w+)（1）", text)
                assert headings == re.findall(r"督办单·(\w+)（1）", page) and ("督办〔2026〕1号" in text) == bool(headings)
                told[ahead] = headings
            path.unlink()
    assert {day: told.get(day) for day in (0, 3, 8)} == {0: ["新下达"], 3: ["即将到期"], 8: ["已逾期"]}


def test_many_projects_in_small_parts(county: County, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(automatic, "CHUNK", 3)
    for number in range(10):
        a_project_that_turns_yellow_on(county, f"p{number}", TUESDAY, office="T01" if number % 2 else "T02")
    county.daily(BEFORE)
    assert county.daily(TUESDAY)["orders"] == 10
    assert [row[0] for row in orders(county)] == [f"督办〔2026〕{number}号" for number in range(1, 11)]


def die(county: County, number: int) -> bool:
    told = (str(county.settings.database_url), county.settings.var_dir, county.settings.smtp_url, county.clock.now(), number, "yellow")
    process = PROCESSES.Process(target=do_day, args=told)
    process.start()
    process.join(60)
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


@pytest.mark.timeout(300)
def test_killed_in_any_transaction_the_orders_are_the_same(database_kind: str, make_database: MakeDatabase, tmp_path: Path) -> None:
    def a_county(name: str) -> County:
        (tmp_path / name).mkdir()
        made = quiet(County(make_database(database_kind), tmp_path / name, orders_automatic="yellow"))
        for ref in ("p", "q"):
            a_project_that_turns_yellow_on(made, ref, TUESDAY)
        made.daily(BEFORE)
        made.now_is(TUESDAY)
        return made

    expected, number = None, 1
    while True:
        county = a_county(str(number))
        died = die(county, number)
        county.daily()
        found = orders(county)
        county.close()
        assert [row[:2] for row in found] == [("督办〔2026〕1号", "p"), ("督办〔2026〕2号", "q")], f"killed in transaction {number}"
        assert expected in (None, found)
        expected = found
        if not died:
            break
        number += 1
    assert number > 5
