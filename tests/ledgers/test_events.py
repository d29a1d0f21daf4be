"""Taking over history from an events CSV (contract 4.3), on both databases."""

import csv
import random
from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.errors import Forbidden, Invalid
from app.offices.models import Office
from app.projects import rebuild
from app.projects.derived import Actor, New
from app.projects.store import moment_after, prepare
from app.projects.store import write as write_changes
from tests.ledgers.conftest import HEADER, Register, row

STORY = [
    row("P-1", "intent", "2025-01-10"),
    row("P-1", "contact", "2025-02-01"),
    row("P-1", "signed", "2025-03-01"),
    row("P-1", "land", "2025-06-01"),
    row("P-1", "construction", "2025-09-01"),
    row("P-1", "funds", "2025-10-01", amount="50", currency="CNY"),
    row("P-1", "operating", "2026-05-01"),
    row("P-1", "note", "2026-05-02"),
    row("P-2", "signed", "2025-04-01", office="示例2镇"),
    row("P-2", "suspended", "", office="示例2镇"),
]


def test_a_history_becomes_a_standing(register: Register) -> None:
    summary = register.take(STORY)
    assert (summary.projects_created, summary.events_added, len(summary.rejected)) == (2, 10, 0)
    one, two = register.now("P-1"), register.now("P-2")
    assert (one.stage, one.stage_recognised, one.signed_on, one.amount, one.funds) == (
        "operating",
        "operating",
        date(2025, 3, 1),
        10050,
        5000,
    )
    assert (two.stage, two.status, two.suspended_on, two.intent_on) == ("signed", "suspended", date(2025, 4, 1), None)
    assert register.head("P-1").facts[0].data["claims"] is True
    assert register.head("P-2").facts[0].data["claims"] is False
    assert {fact.recorded_at for fact in register.head("P-1").facts} == {register.head("P-1").last_recorded_at}


def test_the_same_file_twice_changes_nothing(register: Register) -> None:
    register.take(STORY)
    before = register.counts(), register.standings()
    summary = register.take(STORY)
    assert (summary.projects_created, summary.projects_changed, summary.projects_unchanged) == (0, 0, 2)
    assert (summary.events_added, summary.events_unchanged, summary.warnings, summary.inferred) == (0, 10, [], 0)
    assert (register.counts(), register.standings()) == before


def test_rows_in_any_order_give_the_same(register: Register, other: Register) -> None:
    register.take(STORY)
    shuffled = list(STORY)
    random.Random(7).shuffle(shuffled)
    other.take(shuffled)
    assert register.standings() == other.standings()


def test_a_dry_run_plans_the_same_and_writes_nothing(register: Register) -> None:
    rows = [*STORY, row("P-3", "signed", "2025-01-01", office="新镇")]
    before = register.counts()
    planned = register.take(rows, dry_run=True, create_offices=True)
    assert register.counts() == before
    done = register.take(rows, create_offices=True)
    assert planned.shown() | {"dry_run": False} == done.shown()
    assert done.offices_created == ["新镇"]
    assert "新增 3" in done.text()


BAD = [
    (row("P-9", "signd", "2025-01-01"), "event"),
    (row("P-9", "signed", "2025-02-30"), "date"),
    (row("P-9", "signed", "20250201"), "date"),
    (row("P-9", "signed", "1899-12-31"), "date"),
    (row("P-9", "signed", "2026-06-11"), "date"),
    (row("P-9", "signed", ""), "date"),
    (row("P-9", "resumed", ""), "date"),
    (row("P-9", "signed", "2025-01-01", amount="1,000"), "amount"),
    (row("P-9", "signed", "2025-01-01", amount="1.001"), "amount"),
    (row("P-9", "signed", "2025-01-01", amount="-1"), "amount"),
    (row("P-9", "signed", "2025-01-01", amount="NaN"), "amount"),
    (row("P-9", "signed", "2025-01-01", currency=""), "currency"),
    (row("P-9", "signed", "2025-01-01", currency="rmb"), "currency"),
    (row("P-9", "funds", "2025-01-01", amount=""), "amount"),
    (row("a/b", "signed", "2025-01-01"), "project_ref"),
    (row("", "signed", "2025-01-01"), "project_ref"),
    (row("x" * 65, "signed", "2025-01-01"), "project_ref"),
    (row("P\u200b9", "signed", "2025-01-01"), "project_ref"),
    (row("P-9", "signed", "2025-01-01", name=""), "project_name"),
    (row("P-9", "signed", "2025-01-01", name="n" * 501), "project_name"),
    (row("P-9", "signed", "2025-01-01", name="two\nlines"), "project_name"),
    (row("P-9", "signed", "2025-01-01", investor="a\x00b"), "investor"),
    (row("P-9", "signed", "2025-01-01", office=""), "office"),
    (row("P-9", "signed", "2025-01-01", office="没有的镇"), "office"),
    (row("P-9", "signed", "2025-01-01")[:-1], ""),
    ([*row("P-9", "signed", "2025-01-01"), "extra"], ""),
    (row("P-8", "terminated", ""), "date"),
]


def test_bad_rows_never_stop_good_ones(register: Register) -> None:
    rows, wanted, line = [], [], 2
    for bad, column in BAD:
        rows += [row(f"G-{len(wanted)}", "signed", "2025-01-01"), bad]
        wanted.append((line + 1, column))
        line += 2 + sum(cell.count("\n") for cell in bad)
    errors = register.folder / "errors.csv"
    summary = register.take(rows, errors_path=errors)
    assert [(one.line, one.column) for one in summary.rejected] == wanted
    assert all(one.reason for one in summary.rejected)
    assert summary.projects_created == len(BAD) == register.counts()["project"]
    with errors.open(encoding="utf-8-sig", newline="") as file:
        listed = list(csv.reader(file))
    assert listed[0][:8] == HEADER.split(",") and listed[0][-3:] == ["line", "column", "reason"]
    assert [(int(one[-3]), one[-2]) for one in listed[1:]] == wanted
    assert listed[1][:8] == BAD[0][0]


def test_broken_quotes_and_bytes_cost_their_own_line(register: Register) -> None:
    good = ",".join(row("G-{}", "signed", "2025-01-01"))
    lines = [
        HEADER,
        good.format(1),
        'P-1,"never closed,T01,x,1,CNY,signed,2025-01-01',
        good.format(2),
        'P-2,5" pipe,T01,x,1,CNY,signed,2025-01-01',
        'P-3,"closed" then more,T01,x,1,CNY,signed,2025-01-01',
        good.format(3),
        f"P-4,{'n' * 30_000},T01,x,1,CNY,signed,2025-01-01",
        "",
        good.format(4),
    ]
    path = register.folder / "broken.csv"
    path.write_bytes("\r\n".join(lines).encode() + b"\r\nP-5,\xc4\xfa,T01,x,1,CNY,signed,2025-01-01\r\n" + good.format(5).encode())
    errors = register.folder / "errors.csv"
    summary = register.take_file(path, errors_path=errors)
    assert [one.line for one in summary.rejected] == [3, 6, 8, 11]
    assert summary.projects_created == 6
    assert register.head("P-2").facts[0].data["name"] == '5" pipe'
    assert b"\xc4\xfa" in errors.read_bytes()


def test_a_byte_order_mark_and_text_that_looks_like_a_formula(register: Register) -> None:
    path = register.folder / "bom.csv"
    path.write_text("\ufeff" + HEADER + '\nP-1,=1+1,T01,"@x, y",1,CNY,signed,2025-01-01\n', "utf-8")
    register.take_file(path)
    assert register.head("P-1").facts[0].data["name"] == "=1+1"
    assert '=1+1,T01,"@x, y"' in register.give().read_text("utf-8")


@pytest.mark.parametrize("header", ["ref,name", HEADER.upper(), HEADER + ",more", ""])
def test_a_wrong_header_is_one_clear_sentence(register: Register, header: str) -> None:
    with pytest.raises(Invalid, match="首行应为 project_ref"):
        register.take([], header=header)


def test_files_that_are_none(register: Register) -> None:
    with pytest.raises(Invalid):
        register.take_file(register.folder / "missing.csv")
    with pytest.raises(Invalid):
        register.take_file(register.folder)
    with pytest.raises(Invalid, match="csv"):
        register.take(STORY, errors_path=Path("errors.xlsx"))
    with pytest.raises(Invalid, match="错误文件"):
        register.take(STORY, errors_path=register.folder / "no" / "errors.csv")
    assert register.counts()["project"] == 0


def test_an_undated_end_takes_the_latest_dated_event_once(register: Register) -> None:
    rows = [row("P-1", "terminated", ""), row("P-1", "signed", "2025-01-01"), row("P-1", "contact", "2025-05-05")]
    assert register.take(rows).inferred == 1
    assert register.now("P-1").terminated_on == date(2025, 5, 5)
    summary = register.take([*rows, row("P-1", "note", "2026-01-01")])
    assert (summary.events_added, summary.events_unchanged) == (1, 3)
    assert register.now("P-1").terminated_on == date(2025, 5, 5)


def test_repeated_stages_count_from_the_earliest(register: Register) -> None:
    register.take([row("P-1", "intent", "2025-03-01"), row("P-1", "signed", "2025-06-01"), row("P-1", "intent", "2025-02-01")])
    assert register.facts("P-1")[0] == ("registered", "", "2025-02-01")
    register.take([row("P-1", "signed", "2025-05-01"), row("P-1", "intent", "2025-01-01")])
    now = register.now("P-1")
    assert (now.intent_on, now.signed_on) == (date(2025, 1, 1), date(2025, 5, 1))


def test_a_project_without_a_stage_is_an_intent_from_its_first_day(register: Register) -> None:
    assert register.take([row("P-1", "contact", "2025-03-01"), row("P-1", "note", "2025-01-01")]).inferred == 1
    assert (register.now("P-1").stage, register.now("P-1").intent_on) == ("intent", date(2025, 1, 1))
    assert register.head("P-1").facts[0].data["inferred"] is True


def test_inside_a_file_the_last_row_wins(register: Register) -> None:
    rows = [
        row("P-1", "intent", "2025-01-01", name="旧名", office="T02"),
        row("P-1", "contact", "2025-01-02", name="新名", investor="", amount="", currency=""),
    ]
    summary = register.take(rows)
    assert {(one.line, one.column) for one in summary.warnings} == {(3, "project_name"), (3, "office")}
    data = register.head("P-1").facts[0].data
    assert (data["name"], data["office"], data["investor"], data["amount"]) == ("新名", register.office("T01").id, "示例公司", 10050)


def test_a_differing_file_amends_from_today(register: Register) -> None:
    register.take(STORY)
    summary = register.take([row("P-1", "signed", "2025-03-01", name="改名", office="T02", amount="7")])
    assert (summary.projects_changed, summary.events_unchanged) == (1, 1)
    assert [one.column for one in summary.warnings] == ["project_name", "office", "amount"]
    now = register.now("P-1")
    assert (now.office_id, now.amount) == (register.office("T02").id, 700)
    assert register.facts("P-1")[-1] == ("amended", "", "2026-06-10")
    assert register.take([row("P-1", "signed", "2025-03-01", name="改名", office="T02", amount="7")]).projects_unchanged == 1


def test_a_total_told_anew_counts_from_its_date(register: Register) -> None:
    register.take([row("P-1", "intent", "2025-01-01"), row("P-1", "funds", "2025-02-01", amount="5")])
    summary = register.take([row("P-1", "funds", "2025-02-01", amount="6")])
    assert (summary.events_added, [one.column for one in summary.warnings], register.now("P-1").funds) == (1, ["amount"], 600)


def test_voided_history_is_not_brought_back(register: Register) -> None:
    register.take(STORY)
    with register.house.database.write() as connection:
        head = register.head("P-1")
        signed = next(fact for fact in head.facts if fact.data.get("action") == "sign")
        moment = moment_after(head, register.house.clock.now())
        change = prepare(
            head, [New("voided", date(2026, 6, 10), {"reason": "x"}, signed.seq)], actor=Actor(1, "officer"), source="api",
            moment=moment, recorded_on=date(2026, 6, 10), key=register.house.audit_key,
        )  # fmt: skip
        write_changes(connection, [(head, change)])
    assert register.take(STORY).events_added == 0
    assert register.now("P-1").signed_on is None


def test_who_imports_decides_on_recognition_and_reach(register: Register) -> None:
    register.take([row("P-2", "signed", "2025-01-01", office="T02")])
    rows = [
        row("P-1", "intent", "2025-01-01"),
        row("P-1", "signed", "2025-02-01"),
        row("P-3", "intent", "2025-01-01", office="T02"),
        row("P-4", "intent", "2025-01-01", office="不存在"),
        row("P-2", "land", "2025-02-01"),
    ]
    summary = register.take(rows, office="T01")
    assert [(one.line, one.column) for one in summary.rejected] == [(4, "office"), (5, "office"), (6, "project_ref")]
    assert len({one.reason for one in summary.rejected}) == 1
    now = register.now("P-1")
    assert (now.stage, now.stage_recognised) == ("signed", "intent")
    assert register.now("P-2").stage == "signed"
    register.take([row("P-5", "signed", "2025-01-01")], office="B")
    assert register.now("P-5").stage_recognised == "signed"


def test_only_the_county_makes_offices(register: Register) -> None:
    with pytest.raises(Forbidden):
        register.take(STORY, office="T01", create_offices=True)
    with pytest.raises(Forbidden):
        register.take(STORY, office="D")


def test_offices_are_made_from_any_name_and_found_again(register: Register) -> None:
    names = ["Cote D'Ivoire", "(no country)", "Congo, Republic of", "Congo Republic of", "工业园", "--", "!!"]
    rows = [row(f"P-{place}", "signed", "2025-01-01", office=name) for place, name in enumerate(names)]
    assert register.take(rows, create_offices=True).offices_created == names
    assert register.take(rows, create_offices=True).shown()["projects"] == {"created": 0, "changed": 0, "unchanged": len(names)}
    with register.house.database.snapshot() as connection:
        made = connection.execute(sa.select(Office.code, Office.name, Office.kind).where(Office.name.in_(names))).all()
    assert {(one.name, one.code) for one in made} >= {
        ("Cote D'Ivoire", "Cote-D-Ivoire"),
        ("(no country)", "no-country"),
        ("工业园", "工业园"),
    }
    assert len({one.code for one in made}) == len(names)


def test_without_an_office_there_must_be_one_county(database_url: str, register: Register) -> None:
    with register.house.database.write() as connection:
        connection.execute(sa.insert(Office).values(code="C2", name="另一县", kind="county", path="/99/"))
    with pytest.raises(Invalid, match="--office"):
        register.take(STORY)


def test_progress_is_told_by_chunk(register: Register) -> None:
    told: list[tuple[int, int]] = []
    register.take([row(f"P-{number}", "signed", "2025-01-01") for number in range(1100)], progress=lambda *pair: told.append(pair))
    assert told[-1] == (1100, 1100) and all(one[0] < two[0] for one, two in pairwise(told)) and len(told) == 3


def test_what_was_imported_derives_from_its_facts(register: Register) -> None:
    register.take(STORY)
    register.take([row("P-1", "signed", "2025-01-01", name="改名")])
    assert rebuild.check(register.house.database) == []
    assert rebuild.verify_chains(register.house.database, register.house.audit_key) == []
