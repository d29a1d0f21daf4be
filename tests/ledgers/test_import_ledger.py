"""A ledger in the register: what a trial says, what applying writes, and that a file may come again, edited, or from a town."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
import sqlalchemy as sa

from app.heart import facts as kinds
from app.heart.live import live
from app.ledgers import running
from app.ledgers.models import LedgerImport, LedgerImportRow
from app.ledgers.queries import Import
from app.ledgers.service import import_ledger
from app.ledgers.understanding.reading import read_ledger
from app.offices.service import add_person
from app.projects import rebuild, store
from app.projects.derived import Actor, New
from app.projects.models import Project
from tests.invariants import check_invariants
from tests.ledgers.conftest import Register
from tests.ledgers.test_ledger_files import SHARED
from tests.ledgers.workbooks import Page, xlsx

HEAD = [
    "序号", "项目编号", "镇区", "项目名称", "投资方", "协议类型", "签约时间", "协议总投资（万元）", "到位资金（万元）",
    "统一社会信用代码", "注册时间", "项目代码", "实质性开工时间", "当前阶段", "目前进展", "备注", "最近更新", "责任人",
]  # fmt: skip
CODES = ("2510-990000-04-01-100037", "2510-990000-04-01-100038")


def cells(number: int = 1, **more: Any) -> list[Any]:
    """A signed project of T01; named columns differ."""
    row = {
        "序号": number,
        "项目编号": f"SL-{number:03d}",
        "镇区": "示例1镇",
        "项目名称": f"锂电材料{number}号",
        "投资方": "示例公司",
        "协议类型": "正式",
        "签约时间": "2026-03-01",
        "协议总投资（万元）": 12000,
        "目前进展": "正在办理备案",
        "当前阶段": "签约",
        "最近更新": "2026-05-31",
    } | more
    return [row.get(name, "") for name in HEAD]


def book(folder: Path, *rows: list[Any], name: str = "台账.xlsx", head: list[str] | None = None) -> Path:
    path = folder / name
    path.write_bytes(xlsx(Page([head or HEAD, *rows])))
    return path


def load(register: Register, path: Path, office: str | None = None, **more: Any) -> Import:
    return import_ledger(register.house, path, office=register.office(office) if office else None, **more)


def set_clock(register: Register, instant: str) -> None:
    register.house.clock.instant = datetime.fromisoformat(instant).astimezone(UTC)  # type: ignore[attr-defined]


def whole(register: Register) -> None:
    """Facts, chains, standings and what else has to hold."""
    assert rebuild.check(register.house.database) == []
    assert rebuild.verify_chains(register.house.database, register.house.audit_key) == []
    with register.house.database.snapshot() as connection:
        check_invariants(connection)


def record(register: Register, ref: str, new: New) -> None:
    """What somebody does to a project in the system."""
    house = register.house
    with house.database.write() as connection:
        head = store.load_many(connection, [ref])[ref]
        moment = store.moment_after(head, house.clock.now())
        act: dict[str, Any] = {"actor": Actor(None, "officer"), "source": "api", "key": house.audit_key}
        store.write(connection, [(head, store.prepare(head, [new], **act, moment=moment, recorded_on=house.clock.today()))])


def outcomes(told: Import) -> dict[str, int]:
    return {name: count for name, count in told.counts.items() if count and name != "facts"}


def codes_of(told: Import) -> list[tuple[int, str, list[str]]]:
    return [(row["row"], row["outcome"], [mark["code"] for mark in row["remarks"]]) for row in told.mend]


def test_a_trial_says_what_applying_then_does(register: Register) -> None:
    file = book(register.folder, cells(1), cells(2, 当前阶段="开工", 实质性开工时间="2026-05-10"), cells(3, 镇区="天上镇"))
    before = register.counts()
    trial = load(register, file, dry_run=True)
    assert register.counts() == before and trial.state == "planned"
    with register.house.database.snapshot() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(LedgerImport)) == 0
    applied = load(register, file)
    assert applied.counts == trial.counts and outcomes(trial) == {"create": 2, "rejected": 1}
    assert codes_of(applied) == codes_of(trial) == [(4, "rejected", ["town_unknown"])]
    mend = applied.mend[0]["remarks"][0]
    assert (mend["column"], mend["value"]) == ("C", "天上镇") and mend["reason"] and mend["do"]
    assert register.facts("SL-001") == [("registered", "", "2026-03-01"), ("moved", "sign", "2026-03-01"), ("reported", "", "2026-05-31")]
    now = register.now("SL-002")
    assert (now.stage, now.stage_recognised, now.signed_on.isoformat(), now.started_on.isoformat()) == (  # type: ignore[union-attr]
        "construction", "construction", "2026-03-01", "2026-05-10",
    )  # fmt: skip
    assert (now.amount, now.currency) == (12_000_000_000, "CNY")
    source = register.head("SL-001").facts[1]
    assert source.imported and source.data["ledger"] == {"file": applied.sha256[:16], "sheet": "台账", "row": 2}
    whole(register)


def test_the_same_file_twice_changes_nothing_and_an_edited_one_only_what_was_edited(register: Register) -> None:
    file = book(register.folder, cells(1), cells(2, 备注="无"), cells(3, **{"到位资金（万元）": 0, "注册时间": "2026-04"}))
    load(register, file)
    before = register.counts()
    set_clock(register, "2026-06-11T10:00:00+08:00")
    again = load(register, file)
    assert outcomes(again) == {"same": 3} and register.counts() == before
    edited = book(
        register.folder,
        cells(1, **{"协议总投资（万元）": 15000}),
        cells(2, 备注="", 目前进展="主体施工", 当前阶段="开工", 实质性开工时间="2026-05-20"),
        cells(3, **{"到位资金（万元）": 300, "注册时间": "2026-04-16", "签约时间": ""}),
        name="改.xlsx",
    )
    told = load(register, edited)
    assert outcomes(told) == {"change": 3}
    with register.house.database.snapshot() as connection:
        rows = connection.execute(sa.select(LedgerImportRow.row, LedgerImportRow.told).where(LedgerImportRow.import_id == told.id))
        changes = {row.row: [(one["field"], one["old"], one["new"]) for one in orjson.loads(row.told)["changes"]] for row in rows}
    assert changes == {
        2: [("amount", "120000000.00 CNY", "150000000.00 CNY")],
        3: [("construction", None, "2026-05-20"), ("progress", None, "主体施工")],
        4: [
            ("company_registered", "2026-04-01", "2026-04-16"), ("funds_in_place", "0.00 CNY", "3000000.00 CNY"),
        ],
    }  # fmt: skip
    assert register.now("SL-003").signed_on is not None, "an empty cell takes nothing away"
    assert register.now("SL-003").registered_on.isoformat() == "2026-04-16"  # type: ignore[union-attr]
    assert outcomes(load(register, edited)) == {"same": 3}
    whole(register)


def test_a_date_that_is_less_precise_changes_nothing_and_another_one_does(register: Register) -> None:
    load(register, book(register.folder, cells(1, 签约时间="2026-03-15")))
    for text in ("2026年3月", "2026年", "一季度"):
        assert outcomes(load(register, book(register.folder, cells(1, 签约时间=text)))).keys() <= {"same", "warned"}, text
    assert outcomes(load(register, book(register.folder, cells(1, 签约时间="2026年4月")))) == {"change": 1}
    assert register.now("SL-001").signed_on.isoformat() == "2026-04-01"  # type: ignore[union-attr]
    whole(register)


def test_a_town_touches_its_own_rows_and_its_claims_wait(register: Register) -> None:
    load(register, book(register.folder, cells(1, 镇区="示例2镇")))
    file = book(register.folder, cells(1), cells(2, 镇区="示例2镇"), cells(3), cells(4, 镇区=""), cells(5, 当前阶段="取消"), name="镇.xlsx")
    told = load(register, file, "T01")
    assert codes_of(told) == [
        (2, "rejected", ["project_outside"]), (3, "rejected", ["town_unknown"]), (5, "create", ["town_filled_down"]),
        (6, "create", ["needs_bureau"]),
    ]  # fmt: skip
    now = register.now("SL-003")
    assert (now.stage, now.stage_recognised) == ("signed", None) and now.waiting_since is not None
    assert register.now("SL-005").status == "active"
    later = load(register, book(register.folder, cells(3, 签约时间="2026-03-09"), name="晚.xlsx"), "T01")
    assert codes_of(later) == [(2, "same", ["needs_bureau"])]
    county = load(register, book(register.folder, cells(3, 签约时间="2026-03-09"), name="县.xlsx"))
    assert outcomes(county) == {"change": 1} and register.now("SL-003").signed_on.isoformat() == "2026-03-09"  # type: ignore[union-attr]
    assert register.now("SL-003").stage_recognised == "signed"
    whole(register)


def test_a_row_finds_its_project_by_number_code_or_name_and_says_when_it_cannot(register: Register) -> None:
    plain = {"项目编号": "", "序号": 1}
    first = book(
        register.folder, cells(1, 项目编号="", 项目名称="甲项目", 项目代码=CODES[0]), cells(2, 项目编号="", 项目名称="乙 项目（一期）"),
        cells(3, 项目编号="", 项目名称="丙项目", 项目代码=CODES[1].replace("-", "")),
    )  # fmt: skip
    load(register, first)
    assert set(register.standings()) == {"T01-2026-0001", "T01-2026-0002", "T01-2026-0003"}
    second = book(
        register.folder,
        cells(1, **plain, 项目名称="甲项目改名", 项目代码=CODES[0]),
        cells(2, **plain, 项目名称="乙项目(一期)", 投资方="另一公司"),
        name="二.xlsx",
    )
    assert outcomes(load(register, second)) == {"change": 2}
    third = book(
        register.folder,
        cells(1, 项目编号="T01-2026-0003", 项目名称="丙项目", 项目代码=CODES[0]),
        cells(2, 项目编号="T01-2026-0002", 项目名称="乙项目(一期)", 投资方="另一公司", 统一社会信用代码="91990000EX00000101"),
        name="三.xlsx",
    )
    told = load(register, third)
    assert codes_of(told) == [(2, "rejected", ["keys_disagree"])] and told.counts["change"] == 1
    fourth = book(register.folder, cells(1, **plain, 项目名称="二期", 统一社会信用代码="91990000EX00000101"), name="四.xlsx")
    told = load(register, fourth)
    assert codes_of(told) == [(2, "rejected", ["match_ambiguous"])] and told.mend[0]["remarks"][0]["value"] == "T01-2026-0002"
    with register.house.database.snapshot() as connection:
        stored = {row.ref: row.name for row in connection.execute(sa.select(Project.ref, Project.name))}
    assert stored == {"T01-2026-0001": "甲项目改名", "T01-2026-0002": "乙项目(一期)", "T01-2026-0003": "丙项目"}
    whole(register)


def test_a_row_without_a_town_means_the_project_its_number_names(register: Register) -> None:
    load(register, book(register.folder, cells(1), cells(2, 镇区="示例2镇")))
    head = [name for name in HEAD if name != "镇区"]
    rows = [[cell for name, cell in zip(HEAD, cells(number, 投资方="新"), strict=True) if name != "镇区"] for number in (1, 2, 3)]
    told = load(register, book(register.folder, *rows, head=head))
    assert outcomes(told) == {"change": 2, "rejected": 1} and codes_of(told) == [(4, "rejected", ["town_needed"])]
    assert register.now("SL-001").office_id != register.now("SL-002").office_id, "each stays in its town"


def test_towns_that_a_trial_would_make_are_told_apart(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [cells(number, 项目编号="", 项目名称="同名项目", 镇区=f"新{number}镇") for number in range(1, 4)]
    file = book(register.folder, *rows)
    monkeypatch.setattr(running, "CHUNK", 1)
    trial = load(register, file, create_offices=True, dry_run=True)
    assert outcomes(trial) == outcomes(load(register, file, create_offices=True))


def test_rows_that_repeat_a_project_are_told_and_taken_once(register: Register) -> None:
    file = book(
        register.folder,
        cells(1, 项目编号="", 项目名称="甲项目"),
        cells(1, 项目编号="", 项目名称="甲项目"),
        cells(3, 项目编号="", 项目名称="“甲”项目", 投资方="别家"),
        cells(4, 项目编号="X-4", 项目名称="乙项目"),
        cells(5, 项目编号="X-5", 项目名称="乙项目"),
    )
    told = load(register, file)
    assert outcomes(told) == {"create": 3, "duplicate": 2, "warned": 1}
    assert [row["of"] for row in told.mend if row["outcome"] == "duplicate"] == [{"sheet": "台账", "row": 2}] * 2
    assert outcomes(load(register, file)) == {"same": 3, "duplicate": 2, "warned": 1}


def test_a_framework_agreement_is_not_signed_and_no_stage_is_higher_than_told(register: Register) -> None:
    file = book(
        register.folder,
        cells(1, 协议类型="框架协议"),
        cells(2, 实质性开工时间="2026-05-01"),
        cells(3, 当前阶段="开工"),
        cells(4, 签约时间="2026-12-01"),
        cells(5, 签约时间="2026年3月", 实质性开工时间="2026-03-20", 当前阶段="开工"),
    )
    told = load(register, file)
    assert codes_of(told) == [
        (2, "create", ["framework_not_signed"]), (3, "create", ["date_beyond_stage"]), (4, "create", ["stage_undated"]),
        (5, "create", ["date_in_future", "stage_undated"]),
    ]  # fmt: skip
    first = register.now("SL-001")
    assert (first.stage, first.signed_on) == ("intent", None) and "framework_agreement" in first.proofs
    assert [register.now(f"SL-00{number}").stage for number in (2, 3, 4, 5)] == ["signed", "construction", "signed", "construction"]
    third = register.head("SL-003").facts[2]
    assert third.data["undated"] and third.effective_on.isoformat() == "2026-05-31"
    assert register.head("SL-005").facts[1].data["said"] == "2026-03"
    assert outcomes(load(register, file)) == {"same": 5, "warned": 3}
    whole(register)


@pytest.mark.parametrize("size", [1, 100])
def test_two_numbers_of_a_file_may_share_a_code(register: Register, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Phases of one project; how many rows go together makes no difference, and a project that no row tells of stays protected."""
    monkeypatch.setattr(running, "CHUNK", size)
    load(register, book(register.folder, cells(1), cells(2), cells(3, 项目代码=CODES[1])))
    phases = book(register.folder, cells(1, 项目代码=CODES[0]), cells(2, 项目代码=CODES[0]), cells(4, 项目代码=CODES[0]), name="二.xlsx")
    trial = load(register, phases, dry_run=True)
    first = load(register, phases)
    assert codes_of(trial) == codes_of(first) == [(3, "change", ["shared_code"]), (4, "create", ["shared_code"])]
    assert first.counts["change"] == 2 and "第 2 行" in first.mend[0]["remarks"][0]["reason"]
    assert outcomes(load(register, phases)) == {"same": 3, "warned": 2}
    without = book(register.folder, cells(1), cells(3, 项目代码=CODES[0]), name="四.xlsx")
    assert [marks for _, _, marks in codes_of(load(register, without, dry_run=True))] == [["keys_disagree"]], "2 and 4 are not told of"
    told = load(register, book(register.folder, cells(1), cells(2), cells(4), cells(3, 项目代码=CODES[0]), name="五.xlsx"), dry_run=True)
    assert [(row, outcome, marks) for row, outcome, marks in codes_of(told)] == [(5, "change", ["shared_code"])]
    assert told.mend[0]["remarks"][0]["value"] == "SL-001、SL-002、SL-004"
    told = load(register, book(register.folder, cells(1, 项目代码=CODES[1]), name="三.xlsx"))
    assert codes_of(told) == [(2, "rejected", ["keys_disagree"])]
    whole(register)


def test_a_pause_that_a_stage_of_a_later_day_ended_is_told_once(register: Register) -> None:
    """The pause of a row gets the latest day that the row adds; the second time it adds none."""
    load(register, book(register.folder, cells(1, 实质性开工时间="2026-02-01", 当前阶段="开工", 签约时间="2025-12-01")))
    paused = book(register.folder, cells(1, 当前阶段="暂缓", 注册时间="2026年1月", 签约时间="", 最近更新="2025-12-31"), name="二.xlsx")
    assert codes_of(load(register, paused)) == [(2, "change", ["stage_below_register"])]
    facts = register.head("SL-001").facts
    assert (facts[-1].data["action"], facts[-1].effective_on.isoformat()) == ("suspend", "2026-01-01")
    assert register.now("SL-001").status == "active", "it was under construction a month later"
    assert codes_of(load(register, paused)) == [(2, "same", ["stage_below_register"])]
    later = book(register.folder, cells(1, 当前阶段="暂缓", 签约时间="", 最近更新="2026-06-01"), name="三.xlsx")
    assert load(register, later).counts["change"] == 1 and register.now("SL-001").status == "suspended"
    assert "change" not in outcomes(load(register, later))
    whole(register)


def test_what_people_reported_or_took_back_is_not_overruled_by_a_file(register: Register) -> None:
    load(register, book(register.folder, cells(1), cells(2)))
    today = register.house.clock.today()
    record(register, "SL-001", New(kinds.RETURNED, today, {"reason": "未见合同"}, 2))
    record(register, "SL-002", New(kinds.MOVED, today, {"action": "start_construction", "recognition": "recognised"}))
    told = load(register, book(register.folder, cells(1), cells(2, 当前阶段="开工", 实质性开工时间="2026-05-01"), cells(2), name="二.xlsx"))
    assert codes_of(told)[:2] == [(2, "same", ["taken_back"]), (3, "same", ["date_conflict"])]
    below = load(register, book(register.folder, cells(2), name="三.xlsx"))
    assert codes_of(below) == [(2, "same", ["stage_below_register"])] and register.now("SL-002").stage == "construction"
    assert below.mend[0]["remarks"][0]["value"] == "签约（系统内为开工）"
    assert register.now("SL-001").signed_on is None
    whole(register)


def test_odd_names_stay_text_and_the_errors_come_back_as_a_ledger(register: Register) -> None:
    odd = ["=1+1", "@SUM(A1)", "<script>alert(1)</script>", "两行\n名称", "'; DROP TABLE project; --"]
    rows = [cells(number, 项目名称=name) for number, name in enumerate(odd, 1)]
    out = register.folder / "错误.xlsx"
    wrong = cells(9, **{"协议总投资（万元）": "2个茶场", "备注": "=cmd|' /C calc'!A0"})
    told = load(register, book(register.folder, *rows, wrong), errors_path=out)
    assert told.counts["create"] == 5 and told.counts["rejected"] == 1
    with register.house.database.snapshot() as connection:
        names = list(connection.scalars(sa.select(Project.name).order_by(Project.ref)))
    assert names == [" ".join(name.split()) for name in odd]
    again = read_ledger(out)
    assert [row.get("project_no") for row in again.rows] == [f"SL-00{number}" for number in (1, 2, 9)]
    assert "【未导入】" in str(again.rows[-1].raw[0]) and again.rows[-1].raw_of("remark") == wrong[HEAD.index("备注")]
    assert list(again.tables[0].labels.values())[1:] == HEAD
    whole(register)


def test_the_responsible_person_is_found_by_name_where_there_is_one(register: Register) -> None:
    with register.house.database.write() as connection:
        mine = add_person(connection, office="T01", name="王一", email="1@example.org", role="clerk")
        add_person(connection, office="T02", name="王一", email="2@example.org", role="clerk")
        boss = add_person(connection, office="B", name="李二", email="3@example.org", role="officer")
        for number in (4, 5):
            add_person(connection, office="B", name="张三", email=f"{number}@example.org", role="officer")
    rows = [cells(1, 责任人="王 一"), cells(2, 责任人="李二"), cells(3, 责任人="张三"), cells(4, 责任人="赵四")]
    told = load(register, book(register.folder, *rows))
    assert [register.now(f"SL-00{number}").owner_id for number in (1, 2, 3, 4)] == [mine, boss, None, None]
    assert codes_of(told) == [(4, "create", ["owner_ambiguous"])]
    change = New(kinds.AMENDED, register.house.clock.today(), {"changes": {"owner": boss}, "reason": "分工调整"})
    record(register, "SL-001", change)
    assert outcomes(load(register, book(register.folder, *rows))) == {"same": 4, "warned": 1}, "who was named since stays"
    load(register, book(register.folder, cells(1, 责任人="李二"), cells(4, 责任人="王一")))
    assert [register.now(ref).owner_id for ref in ("SL-001", "SL-004")] == [boss, mine]
    whole(register)


FILES = {
    "01_county_clean.xlsx": {"create": 120},
    "02_monthly_messy.xlsx": {"create": 32, "duplicate": 2, "rejected": 2},
    "03_legacy_other_county.xls": {"create": 32, "duplicate": 1, "rejected": 1},
    "04_dispatch_gb18030.csv": {"create": 21, "duplicate": 2, "rejected": 1},
}


@pytest.mark.skipif(not (SHARED / "data/ledgers").is_dir(), reason="the workbooks lie beside the repository")
@pytest.mark.parametrize("name", FILES)
def test_the_four_workbooks_read_back(register: Register, name: str) -> None:
    house = register.house
    set_clock(register, "2026-11-23T10:00:00+08:00")
    file = SHARED / "data/ledgers" / name
    expected = orjson.loads(file.with_suffix("").with_suffix(".expected.json").read_bytes())
    told = load(register, file, create_offices=True)
    assert {outcome: told.counts.get(outcome, 0) for outcome in FILES[name]} == FILES[name]
    wanted = {row["row"]: row for table in expected["tables"] for row in table["rows"]}
    with house.database.snapshot() as connection:
        rows = connection.execute(sa.select(LedgerImportRow).where(LedgerImportRow.import_id == told.id)).mappings().all()
    assert {row["row"] for row in rows} == set(wanted)
    signed = 0
    for row in rows:
        want = wanted[row["row"]]
        assert (row["outcome"] == "rejected") == (want["status"] == "rejected"), want
        if row["outcome"] != "create":
            continue
        head = register.head(row["ref"])
        now, facts = head.fold()[-1].standing, live(head.facts)[0]
        assert now.stage == (want["stage"] or "intent"), want
        assert (now.signed_on is not None) <= want["counts_as_signed"], want
        signed += now.signed_on is not None
        assert now.amount == (None if want["amount_yuan"] is None and not want["amount_foreign"] else now.amount)
        if want["amount_yuan"] is not None:
            assert ((now.amount or 0) + 50) // 100 == want["amount_yuan"] and now.currency == "CNY"
        if want["counts_as_signed"] and want["signed_date"]:
            assert now.signed_on is not None and want["signed_from"] <= now.signed_on.isoformat() <= want["signed_to"]
        if want.get("funds_yuan") is not None:
            assert now.funds is not None and now.funds // 100 == want["funds_yuan"]
        for field, milestone in (("registered_date", "company_registered"), ("filed_date", "project_filed")):
            if day := want.get("milestones", {}).get(field):
                assert day in [one.effective_on.isoformat() for one in facts if one.data.get("milestone") == milestone]
        assert now.status == {"cancelled": "terminated", "paused": "suspended", None: "active"}[want["side_state"]]
    mismatches = [mark for table in told.tables for mark in table["remarks"] if mark["code"] == "total_mismatch"]
    assert len(mismatches) == expected["counts"]["totals_mismatch"] and all(mark["reason"] and mark["do"] for mark in mismatches)
    before = register.counts()
    again = load(register, file, create_offices=True)
    assert (again.counts.get("create", 0), again.counts.get("change", 0)) == (0, 0) and register.counts() == before
    if name.startswith("01"):
        assert (told.counts["warned"], signed) == (0, expected["counts"]["counts_as_signed"])
    whole(register)
