"""The events CSV out and in again: equal standings, and the same bytes, on both databases."""

import csv
import random
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.errors import Invalid
from app.ledgers.events_export import events_of
from app.ledgers.events_reading import EVENTS, UNDATED
from tests.heart import story
from tests.ledgers.conftest import HEADER, Register, row

ROWS = [
    row("B-2", "signed", "2025-03-01", office="示例2镇", name='=1+1, "quoted"'),
    row("A/1".replace("/", "-"), "contact", "2025-01-01"),
    row("B-10", "terminated", "", investor="", amount="", currency=""),
    row("B-10", "intent", "2024-01-01", investor="", amount="", currency=""),
    row("b-1", "funds", "2025-05-01", amount="3", currency="JPY"),
    row("b-1", "signed", "2025-05-01"),
]


def random_rows(seed: int, projects: int = 60) -> list[list[str]]:
    """A neutral history that nobody would make up."""
    chance = random.Random(seed)
    rows = []
    for number in range(projects):
        head: dict[str, Any] = {"office": chance.choice(["T01", "T02", "C"]), "name": f"项目 {number}"}
        for _ in range(chance.randint(1, 9)):
            event = chance.choice(list(EVENTS))
            day = (date(2025, 1, 1) + timedelta(days=chance.randint(0, 12))).isoformat()
            rows.append(row(f"R-{number}", event, "" if event in UNDATED and chance.random() < 0.4 else day, **head))
    chance.shuffle(rows)
    return rows


def cells(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_an_export_is_sorted_and_complete(register: Register) -> None:
    register.take(ROWS)
    out = register.give()
    assert out.read_text("utf-8").splitlines()[0] == HEADER
    found = [(one["project_ref"], one["date"], one["event"], one["amount"], one["currency"]) for one in cells(out)]
    assert found == [
        ("A-1", "2025-01-01", "intent", "100.50", "CNY"),
        ("A-1", "2025-01-01", "contact", "100.50", "CNY"),
        ("B-10", "", "terminated", "", ""),
        ("B-10", "2024-01-01", "intent", "", ""),
        ("B-2", "2025-03-01", "signed", "100.50", "CNY"),
        ("b-1", "2025-05-01", "signed", "100.50", "CNY"),
        ("b-1", "2025-05-01", "funds", "3", "JPY"),
    ]


@pytest.mark.parametrize("seed", [1, 2])
def test_a_round_trip_gives_equal_standings_and_the_same_bytes(register: Register, other: Register, seed: int) -> None:
    register.take([*ROWS, *random_rows(seed)])
    first = register.give()
    taken = other.take_file(first)
    assert (taken.rejected, taken.warnings) == ([], [])
    assert other.standings() == register.standings()
    assert other.give().read_bytes() == first.read_bytes()
    assert other.take_file(first).events_added == register.take_file(first).events_added == 0


def test_later_events_keep_an_undated_end_where_it_was(register: Register, other: Register) -> None:
    register.take([row("P-1", "signed", "2025-01-01"), row("P-1", "terminated", "")])
    register.take([row("P-1", "note", "2025-06-01")])
    first = register.give()
    assert [one["date"] for one in cells(first) if one["event"] == "terminated"] == ["2025-01-01"]
    other.take_file(first)
    assert other.standings() == register.standings()
    assert register.take_file(first).events_added == 0


def test_as_of_and_office_limit_an_export(register: Register) -> None:
    register.take([row("P-1", "signed", "2025-01-01"), row("P-1", "land", "2025-06-01"), row("P-2", "signed", "2025-03-01", office="T02")])
    assert [(one["project_ref"], one["event"]) for one in cells(register.give(as_of=date(2025, 2, 1)))] == [("P-1", "signed")]
    assert {one["project_ref"] for one in cells(register.give(office="T02"))} == {"P-2"}
    assert {one["project_ref"] for one in cells(register.give(office="B"))} == {"P-1", "P-2"}
    assert cells(register.give(office="D")) == []
    with pytest.raises(Invalid):
        register.give(as_of=date(2026, 6, 11))


def test_a_signing_event_is_a_column_only_when_there_is_one(register: Register, other: Register) -> None:
    rows = [[*row("P-1", "signed", "2025-01-01"), "春季签约会"], [*row("P-2", "signed", "2025-01-01"), ""]]
    register.take(rows, header=HEADER + ",signing_event")
    out = register.give()
    assert [one["signing_event"] for one in cells(out)] == ["春季签约会", ""]
    other.take_file(out)
    assert other.give().read_bytes() == out.read_bytes()


def test_made_offices_keep_their_names(register: Register, other: Register) -> None:
    rows = [row("P-1", "signed", "2025-01-01", office="Cote D'Ivoire"), row("P-2", "signed", "2025-01-01", office="示例1镇")]
    register.take(rows, create_offices=True)
    out = register.give()
    assert [one["office"] for one in cells(out)] == ["Cote D'Ivoire", "T01"]
    assert other.take_file(out, create_offices=True).offices_created == ["Cote D'Ivoire"]
    assert other.give().read_bytes() == out.read_bytes()


def test_a_file_that_cannot_be_written_leaves_nothing(register: Register) -> None:
    with pytest.raises(Invalid):
        register.give("no/such/folder.csv")
    assert list(register.folder.glob(".*.part")) == []


DAY = date(2026, 12, 31)


def said(*facts: Any) -> list[tuple[str, str]]:
    return [(when, event) for when, event, _ in events_of(story.history(*facts), DAY)]


def test_a_revert_takes_its_stages_along() -> None:
    facts = [story.registered("2026-01-01"), story.signed("2026-02-01"), story.landed("2026-03-01"), story.reverted("2026-04-01", "signed")]
    assert said(*facts) == [("2026-01-01", "intent"), ("2026-02-01", "signed")]
    assert said(*facts, story.landed("2026-05-01"))[-1] == ("2026-05-01", "land")


def test_voided_and_returned_facts_stay_behind() -> None:
    facts = [story.registered("2026-01-01"), story.signed("2026-02-01"), story.contacted("2026-03-01")]
    assert said(*facts, story.voided(2, "2026-03-02"), story.voided(3, "2026-03-02")) == [("2026-01-01", "intent")]


def test_a_declared_pause_is_not_ended_by_its_export() -> None:
    facts = [story.registered("2026-01-01"), story.signed("2026-02-01"), story.suspended("2026-03-01"), story.contacted("2026-04-01")]
    assert said(*facts)[-1] == ("2026-03-01", "suspended")
    landed = [*facts[:3], story.landed("2026-04-01")]
    assert said(*landed)[-2:] == [("2026-04-01", "land"), ("2026-04-01", "suspended")]
