"""Stored == derived: proved, found out when it is not so, and mended, on both databases."""

from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa

from app.heart import clocks
from app.offices.models import Meta
from app.projects import rebuild
from app.projects.models import ClockRow, FactRow, Project, StandingRow
from tests.heart import story
from tests.projects.conftest import KEY, Book

HISTORY = story.history(
    story.registered("2026-01-05"),
    story.signed("2026-02-01", story.CONTRACT),
    story.contacted("2026-02-10"),
    story.suspended("2026-03-01", "2026-04-01"),
    story.resumed("2026-03-20"),
    story.voided(2, "2026-03-25"),
    story.signed("2026-03-26", by="town"),
)
SIGNED = StandingRow.stage == "signed"
OPEN = StandingRow.known_to.is_(None)


@pytest.fixture
def told(book: Book) -> Book:
    for ref in ("P-1", "P-2"):
        for fact in HISTORY:
            book.record(ref, [fact])
    return book


def rows(book: Book) -> list[list[dict[str, Any]]]:
    tables = [Project.__table__, StandingRow.__table__, ClockRow.__table__]
    return [sorted(book.all(sa.select(table)), key=str) for table in tables]


def test_what_is_stored_follows_from_the_facts(told: Book) -> None:
    before = rows(told)
    assert rebuild.check(told.database) == []
    assert rebuild.rebuild(told.database) == []
    assert rows(told) == before


P1 = sa.select(Project.id).where(Project.ref == "P-1").scalar_subquery()
TAMPERED = {
    "a stage": sa.update(StandingRow).where(StandingRow.project_id == P1, OPEN, SIGNED).values(stage="operating"),
    "a hidden field": sa.update(StandingRow).where(StandingRow.project_id == P1, OPEN, SIGNED).values(detail="{}"),
    "old knowledge": sa.delete(StandingRow).where(StandingRow.project_id == P1, ~OPEN),
    "a missing clock": sa.delete(ClockRow).where(ClockRow.project_id == P1, ClockRow.known_to.is_(None)),
    "the life of a clock": sa.update(ClockRow).where(ClockRow.project_id == P1, ClockRow.known_to.is_not(None)).values(life=7),
    "a clock reopened": sa.update(ClockRow).where(ClockRow.project_id == P1, ClockRow.known_to.is_not(None)).values(known_to=None),
    "the printed name": sa.update(Project).where(Project.ref == "P-1").values(name="别的"),
    "the last contact": sa.update(Project).where(Project.ref == "P-1").values(last_contact_on=None),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_tampering_is_found_and_mended(told: Book, what: str) -> None:
    before = rows(told)
    told.change(TAMPERED[what])
    found = rebuild.check(told.database)
    assert found and all(one.startswith("项目 P-1：") for one in found)
    assert rebuild.rebuild(told.database) == found
    assert rows(told) == before
    assert rebuild.check(told.database) == []


def test_a_row_that_no_fact_makes_is_found(told: Book) -> None:
    row = told.all(sa.select(ClockRow.__table__).limit(1))[0]
    told.change(sa.insert(ClockRow).values({**row, "valid_from": date(2020, 1, 1)}))
    assert "多出" in rebuild.check(told.database)[0]
    rebuild.rebuild(told.database)
    assert rebuild.check(told.database) == []


def test_a_changed_rule_derives_everything_anew_once(told: Book) -> None:
    assert rebuild.refresh_if_rules_changed(told.database) is True
    assert told.all(sa.select(Meta.value).where(Meta.name == "fold")) == [{"value": clocks.fingerprint()}]
    assert rebuild.refresh_if_rules_changed(told.database) is False
    told.change(sa.update(Meta).where(Meta.name == "fold").values(value="an older fold"))
    told.change(TAMPERED["a missing clock"])
    assert rebuild.refresh_if_rules_changed(told.database) is True
    assert rebuild.check(told.database) == []


def test_many_projects_are_compared_in_chunks(told: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuild, "CHUNK", 1)
    for ref in ("P-3", "P-4"):
        told.record(ref, HISTORY[:1])
    told.change(sa.update(Project).values(name="别的"))
    assert [one[:6] for one in rebuild.check(told.database)] == ["项目 P-1", "项目 P-2", "项目 P-3", "项目 P-4"]
    rebuild.rebuild(told.database)
    assert rebuild.check(told.database) == []


FORGED = {
    "a payload": sa.update(FactRow).where(FactRow.project_id == P1, FactRow.seq == 2).values(data="{}"),
    "a date": sa.update(FactRow).where(FactRow.project_id == P1, FactRow.seq == 3).values(effective_on=date(2026, 2, 11)),
    "a fact taken out": sa.delete(FactRow).where(FactRow.project_id == P1, FactRow.seq == 3),
    "the end cut off": sa.delete(FactRow).where(FactRow.project_id == P1, FactRow.seq == len(HISTORY)),
    "the head": sa.update(Project).where(Project.ref == "P-1").values(head_mac="0" * 64),
}


@pytest.mark.parametrize("what", FORGED)
def test_a_forged_chain_is_found_and_rebuild_does_not_hide_it(told: Book, what: str) -> None:
    assert rebuild.verify_chains(told.database, KEY) == []
    told.change(FORGED[what])
    if what in ("the end cut off", "the head"):
        rebuild.rebuild(told.database)
    found = rebuild.verify_chains(told.database, KEY)
    assert len(found) == 1 and found[0].startswith("项目 P-1：")


def test_another_key_breaks_every_chain(told: Book) -> None:
    assert len(rebuild.verify_chains(told.database, b"another")) == 2
