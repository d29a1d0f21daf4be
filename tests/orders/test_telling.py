"""What a reader is told of orders: each thing once as news, and for as long as it holds."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa

from app.offices import service as offices
from app.offices.models import Office
from app.orders.telling import (
    ANSWERED,
    ASKED,
    BACK,
    CLIMBED,
    DUE_SOON,
    EXIT,
    LATE_UNITS,
    MOST,
    NEW,
    OVERDUE,
    REPLIED,
    Teller,
)  # fmt: skip
from app.policies.queries import book_of
from app.policies.service import set_policy
from tests.cast import County

OWN = {"office": "T01", "matter": "企业反映供电迟迟未接通", "requirement": "限期接通并回复"}


class Who(NamedTuple):
    id: int
    role: str
    scope: str
    whole: bool
    last_date: date | None


def told(county: County, day: str, code: str = "T01", role: str = "clerk", last: str | None = None, person: int = 0) -> dict[str, Any]:
    """heading → (how many, news?) for a reader of an office who was last told on a day."""
    on = date.fromisoformat(day)
    with county.database.snapshot() as connection:
        path, kind = connection.execute(sa.select(Office.path, Office.kind).where(Office.code == code)).one()
        policy = book_of(county.database).governing(connection, on, None)
        who = Who(person, role, path, kind in ("county", "bureau"), date.fromisoformat(last) if last else None)
        found = Teller(connection, policy, policy.calendar, on, flagged=False).for_reader(who)
    assert found.news == any(line.news for block in found.blocks for line in block.lines)
    return {block.heading: (block.total, any(line.news for line in block.lines)) for block in found.blocks}


@pytest.fixture
def order(county: County) -> int:
    """Issued on Wednesday 10 June, due on Wednesday the 17th."""
    number: int = county.post("officer", "/orders", OWN)["id"]
    return number


def test_a_unit_hears_of_its_order(county: County, order: int) -> None:
    assert told(county, "2026-06-10") == told(county, "2026-06-11", last="2026-06-09") == {NEW: (1, True)}
    assert told(county, "2026-06-12", last="2026-06-11") == {NEW: (1, False)}  # still not received, but no news
    assert told(county, "2026-06-11", "T02") == {}
    county.post("clerk", f"/orders/{order}/receive", {})
    assert told(county, "2026-06-12", last="2026-06-11") == {}
    assert told(county, "2026-06-15", last="2026-06-12") == {DUE_SOON: (1, True)}  # two workdays before
    assert told(county, "2026-06-17", last="2026-06-16") == {DUE_SOON: (1, False)}
    assert told(county, "2026-06-18", last="2026-06-17") == {OVERDUE: (1, True)}
    assert told(county, "2026-06-22", last="2026-06-17") == {OVERDUE: (1, True)}  # nobody was told in between
    assert told(county, "2026-06-22", last="2026-06-18") == {OVERDUE: (1, False)}


def test_what_waits_for_the_bureau(county: County, order: int) -> None:
    county.post("clerk", f"/orders/{order}/receive", {})
    county.post("clerk", f"/orders/{order}/extend", {"reason": "等", "until": "2026-06-30"})
    assert told(county, "2026-06-11", "B", "officer", "2026-06-09") == {ASKED: (1, True)}
    assert told(county, "2026-06-18", "B", "officer", "2026-06-10") == {ASKED: (1, False), LATE_UNITS: (1, True)}
    county.post("officer", f"/orders/{order}/decide-extension", {"granted": True})
    assert told(county, "2026-06-11", last="2026-06-09") == {ANSWERED: (1, True)}
    county.post("clerk", f"/orders/{order}/reply", {"text": "已接通"})
    assert told(county, "2026-06-11") == {}
    assert told(county, "2026-06-11", "B", "officer", "2026-06-09") == {REPLIED: (1, True)}
    county.at("2026-06-12T10:00:00+08:00")
    county.post("officer", f"/orders/{order}/send-back", {"reason": "无证明"})
    assert told(county, "2026-06-12", last="2026-06-11") == {BACK: (1, True)} and told(county, "2026-06-12", "B", "officer") == {}
    county.post("clerk", f"/orders/{order}/reply", {"text": "附证明"})
    county.post("officer", f"/orders/{order}/close", {})
    assert told(county, "2026-06-12") == told(county, "2026-06-12", "B", "officer") == {}


def test_the_responsible_person_hears_of_it_wherever_he_is(county: County) -> None:
    with county.database.write() as connection:
        person = offices.add_person(connection, office="T01", name="王一", email="w@example.org", role="clerk")
        connection.execute(sa.text("UPDATE person SET office_id = (SELECT id FROM office WHERE code = 'T02') WHERE id = :p"), {"p": person})
        connection.execute(sa.text("UPDATE person SET office_id = (SELECT id FROM office WHERE code = 'T01') WHERE id = :p"), {"p": person})
    county.post("officer", "/orders", OWN | {"person_id": person})
    assert told(county, "2026-06-10", "T02", person=person) == {NEW: (1, True)}
    assert told(county, "2026-06-10", "T02", person=person + 1) == {}


def test_leaders_hear_what_climbed_to_them_and_the_bureau_of_exits(county: County) -> None:
    with county.database.write() as connection:
        people = {
            name: offices.add_person(connection, office=office, name=name, email=f"{name}@example.org", role="leader")
            for name, office in (("town", "T01"), ("county", "C"))
        }
        off = {rule: {"enabled": False} for rule in ("owner_missing", "report_missing")}
        set_policy(connection, book_of(county.database), {"limits": off}, effective_from=date(2020, 1, 1), now=county.clock.now())
    ref = county.register("officer", effective_on="2026-04-20")
    county.sign(ref, "2026-05-01", "officer")  # red on Sunday 31 May, in exit review on 30 June
    assert told(county, "2026-06-01", "T01", "leader", "2026-05-29", people["town"]) == {}  # the first rung: told as any red is
    assert told(county, "2026-06-04", "C", "leader", "2026-05-29", people["county"]) == {}
    assert told(county, "2026-06-05", "C", "leader", "2026-06-04", people["county"]) == {CLIMBED: (1, True)}  # the fifth workday
    assert told(county, "2026-06-08", "C", "leader", "2026-06-05", people["county"]) == {CLIMBED: (1, False)}
    assert told(county, "2026-06-08", "C", "leader", "2026-06-04", people["county"] + 99) == {}
    assert told(county, "2026-06-30", "B", "officer", "2026-06-29") == {EXIT: (1, False)}  # the day's changes say that it is new


def test_long_lists_are_cut_and_counted_and_hostile_words_stay_one_line(county: County) -> None:
    for number in range(MOST + 3):
        county.post("officer", "/orders", OWN | {"matter": f"<b>\n第{number}项 {'长' * 300}"})
    with county.database.snapshot() as connection:
        path = connection.scalar(sa.select(Office.path).where(Office.code == "T01"))
        policy = book_of(county.database).governing(connection, date(2026, 6, 10), None)
        found = Teller(connection, policy, policy.calendar, date(2026, 6, 10)).for_reader(Who(0, "clerk", path or "", False, None))
    (block,) = found.blocks
    assert (block.total, len(block.lines), block.rest) == (MOST + 3, MOST, 3)
    assert all("\n" not in line.text and len(line.text) < 250 and "…" in line.text for line in block.lines)
    assert isinstance(county.clock.now(), datetime)


def test_one_teller_serves_towns_in_turn_each_with_its_own_words(county: County) -> None:
    numbers = {
        code: county.post("officer", "/orders", OWN | {"office": code, "matter": f"{code}的事"})["number"] for code in ("T01", "T02")
    }
    with county.database.snapshot() as connection:
        paths = dict(connection.execute(sa.select(Office.code, Office.path)).all())
        policy = book_of(county.database).governing(connection, date(2026, 6, 10), None)
        teller = Teller(connection, policy, policy.calendar, date(2026, 6, 10))
        texts = {
            code: [line.text for block in teller.for_reader(Who(0, "clerk", paths[of], False, None)).blocks for line in block.lines]
            for code, of in (("T01", "T01"), ("T02", "T02"), ("again", "T01"), ("both", "C"))
        }
    assert texts["T01"] == texts["again"] and len(texts["T01"]) == 1 and texts["both"] == texts["T01"] + texts["T02"]
    for code, number in numbers.items():
        (text,) = texts[code]
        assert text.startswith(f"{number}（") and text.endswith(f"：{code}的事") and "期限2026年6月17日" in text


def test_what_waits_is_held_as_numbers_and_words_only_of_what_is_printed(county: County) -> None:
    for number in range(MOST + 3):
        county.post("officer", "/orders", OWN | {"matter": f"第{number}项"})
    with county.database.snapshot() as connection:
        path = connection.scalar(sa.select(Office.path).where(Office.code == "T01")) or ""
        policy = book_of(county.database).governing(connection, date(2026, 6, 10), None)
        teller = Teller(connection, policy, policy.calendar, date(2026, 6, 10))
        assert teller.for_reader(Who(0, "clerk", path, False, None)).blocks[0].total == MOST + 3
        assert len(teller._words) == MOST
        assert not teller.for_reader(Who(0, "clerk", "/none/", False, None)).blocks and teller._words == {}
