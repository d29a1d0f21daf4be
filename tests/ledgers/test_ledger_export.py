"""A ledger out of the register and in again: the same cells, nothing new, whatever a spreadsheet did to the file between."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import sqlalchemy as sa
from openpyxl.utils.escape import unescape
from typer.testing import CliRunner

from app.cli import app as command_line
from app.cli import registers
from app.errors import DomainError, Invalid
from app.heart import facts as kinds
from app.ledgers import exporting, ledger_book
from app.ledgers.columns import COLUMNS, MARKS
from app.ledgers.exporting import export_ledger, export_template
from app.ledgers.ledger_notes import EXAMPLES, header
from app.ledgers.rendering import light
from app.ledgers.row_marks import read_mark
from app.offices.service import add_person
from app.projects.derived import Actor, New
from app.projects.founders import Foundation
from app.projects.founding import Act
from tests.ledgers.conftest import Register, row
from tests.ledgers.test_import_ledger import CODES, HEAD, book, cells, load, outcomes, record, set_clock, whole

HEADS = [header(column) for column in (*COLUMNS, *MARKS)]
MORE = (
    "产业类别", "是否新供地", "固定资产投资（万元）", "用地面积（亩）", "租赁面积（㎡）", "注册公司", "备案时间",
    "供地/厂房落实时间", "计划竣工时间", "投产时间", "存在问题", "下步计划", "责任单位", "责任领导", "包联领导", "引荐单位",
)  # fmt: skip
WIDE = [*HEAD, *MORE]
HOSTILE = [
    "=HYPERLINK(\"http://x\",\"y\")", "+1+1", "-2+3", "@SUM(A1)", "=cmd|' /C calc'!A0", "<script>alert(1)</script>", "<b>&amp;\"'</b>",
    "_x000D_ _x0041_", "'quoted", "'=quoted", "http://example.org/", "１２３４５", "007", "1e999", "TRUE", "2026-01-01", "😀𠮷",
    "两行\n名称", "逗,号;分|号\t制表", "“引”\"号", "合计", "注：备注", "无",
]  # fmt: skip


def wide(number: int, **more: Any) -> list[Any]:
    plain = dict(zip(HEAD, cells(number), strict=True)) | more
    return [plain.get(name, "") for name in WIDE]


def fill(register: Register) -> None:
    """Projects from a ledger, from events and from people; words, dates, money and lights of every kind."""
    with register.house.database.write() as connection:
        clerk = add_person(connection, office="T01", name="王一", email="1@example.org", role="clerk")
        leader = add_person(connection, office="B", name="赵县长", email="2@example.org", role="leader")
    rows = [
        wide(
            1,
            产业类别="新材料",
            是否新供地="是",
            备注="无",
            责任人="王 一",
            包联领导="钱某",
            **{"用地面积（亩）": "约70亩", "到位资金（万元）": 0.5},
        ),
        wide(2, 签约时间="2026年3月", 注册时间="2026年上半年", 计划竣工时间="2027年9月底", **{"协议总投资（万元）": "9000万美元"}),
        wide(3, 协议类型="框架协议", 当前阶段="意向", 目前进展="已签框架协议", **{"协议总投资（万元）": "待定"}),
        wide(4, 当前阶段="开工", 实质性开工时间="2026-05-10", 项目代码=CODES[0], **{"协议总投资（万元）": "近2亿元"}),
        wide(
            5,
            镇区="示例2镇",
            当前阶段="投产",
            目前进展="设备安装\n=1+1",
            **{"供地/厂房落实时间": "2026-04-01", "投产时间": "2026年第2季度"},
        ),
        wide(6, 镇区="示例2镇", 当前阶段="取消", 目前进展="投资方退出"),
        wide(7, 镇区="示例2镇", 当前阶段="暂停", 责任人="查无此人", **{"协议总投资（万元）": 123456.78, "固定资产投资（万元）": 0.01}),
        wide(8, 镇区="示例2镇", 签约时间="", 最近更新="", 统一社会信用代码="91", 目前进展=""),
    ]
    told = load(register, book(register.folder, *rows, head=WIDE, name="原.xlsx"))
    assert told.counts["create"] == len(rows), told.text()
    numbered = {"office": "T02", "name": "编号是数"}
    rows = [row("E-1", "signed", "2025-01-01", amount="5.5", currency="EUR"), row("12", "intent", "2025-01-01", **numbered)]
    assert not register.take([*rows, row("12", "terminated", "", **numbered)]).rejected
    today = register.house.clock.today()
    record(register, "SL-001", New(kinds.AMENDED, today, {"changes": {"liaison": leader, "route": "leased"}, "reason": "分工"}))
    record(register, "E-1", New(kinds.AMENDED, today, {"changes": {"owner": clerk, "industry": "食品"}, "reason": "分工"}))
    record(register, "E-1", New(kinds.FUNDED, today, {"amount": 700, "currency": "EUR"}))
    record(register, "SL-002", New(kinds.MILESTONE, date(2026, 5, 1), {"milestone": "land_secured"}))
    record(register, "SL-005", New(kinds.MOVED, today, {"action": "revert", "to": "signed", "reason": "核查"}))


def give(register: Register, name: str = "台账.xlsx", office: str | None = None, **more: Any) -> Path:
    out = register.folder / name
    export_ledger(register.house, out, office=register.office(office) if office else None, **more)
    return out


def read(path: Path) -> list[dict[str, Any]]:
    """Header → cell of every row."""
    if path.suffix == ".csv":
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))
    sheet = openpyxl.load_workbook(path).worksheets[0]
    head, *rest = [[cell.value for cell in line] for line in sheet.iter_rows()]
    return [dict(zip(head, line, strict=True)) for line in rest]


def comes_back(register: Register, path: Path, rows: int) -> None:
    """An import of the file finds every project and nothing new."""
    before = register.counts()
    trial = load(register, path, dry_run=True)
    assert {name: count for name, count in outcomes(trial).items() if name != "warned"} == {"same": rows}, trial.text()
    told = load(register, path)
    assert (told.counts["same"], told.counts["facts"]) == (rows, 0), told.text()
    assert register.counts() == before


@pytest.mark.parametrize("name", ["台账.xlsx", "台账.csv"])
def test_an_untouched_export_changes_nothing(register: Register, name: str) -> None:
    fill(register)
    out = give(register, name)
    assert list(read(out)[0]) == HEADS and len(read(out)) == 10
    comes_back(register, out, 10)
    set_clock(register, "2026-07-02T10:00:00+08:00")
    comes_back(register, out, 10)
    comes_back(register, give(register, "后来" + name), 10)
    whole(register)


def test_sorted_hidden_and_saved_by_another_program_it_changes_nothing(register: Register) -> None:
    fill(register)
    out = give(register)
    work = openpyxl.load_workbook(out)
    sheet = work.worksheets[0]
    lines = [[cell.value for cell in line] for line in sheet.iter_rows(min_row=2)]
    lines.sort(key=lambda line: str(line[HEADS.index("投资方")]) + str(line[HEADS.index("项目名称")])[::-1])
    for at, line in enumerate(lines, 2):
        for place, value in enumerate(line, 1):
            sheet.cell(at, place).value = value
    for letter in ("A", "F", "AI", "AJ", "AK"):
        sheet.column_dimensions[letter].hidden = True
    sheet.insert_cols(5)
    work.save(register.folder / "乱.xlsx")
    comes_back(register, register.folder / "乱.xlsx", 10)


LONG = "长" * 4_000


def hostile(register: Register) -> int:
    """Projects whose words would do harm somewhere; how many."""
    for number, text in enumerate([*HOSTILE, LONG], 1):
        data: dict[str, Any] = {"office": register.office("T01").id, "name": " ".join(text.split())[:500], "recognition": "recognised"}
        data["details"] = {"remark": text, "company": text, "owner": text, "planned_finish": text}
        new = [New(kinds.REGISTERED, date(2026, 1, 1), data), New(kinds.REPORTED, date(2026, 2, 1), {"text": text})]
        found(register, f"H-{number:02d}", new)
    return len(HOSTILE) + 1


@pytest.mark.parametrize("name", ["台账.xlsx", "台账.csv"])
def test_hostile_words_do_no_harm_and_come_back(register: Register, name: str) -> None:
    many = hostile(register)
    out = give(register, name)
    rows = {one["项目编号"]: one for one in read(out)}
    guard = ("=", "+", "-", "@", "\t", "\r")
    for number, text in enumerate([*HOSTILE, LONG], 1):
        line = rows[f"H-{number:02d}"]
        for head in ("备注", "注册公司", "目前进展"):
            guarded = "'" if name.endswith("csv") and text.lstrip("'").startswith(guard) else ""
            told = str(line[head]) if name.endswith("csv") else unescape(str(line[head]))
            assert told.removeprefix(guarded) == text.replace("\t", " ")
        if name.endswith("csv"):
            assert not any(str(cell).startswith(guard) for cell in line.values())
    if name.endswith("xlsx"):
        sheet = openpyxl.load_workbook(out).worksheets[0]
        assert {cell.data_type for line in sheet.iter_rows() for cell in line} <= {"s", "n", "d", "inlineStr"}
        assert not any(cell.hyperlink for line in sheet.iter_rows() for cell in line)
    comes_back(register, out, many)


def found(register: Register, ref: str, new: list[New]) -> None:
    """A project as somebody registered it in the system."""
    house = register.house
    now = house.clock.now()
    with house.database.write() as connection:
        act = Act(Actor(None, "officer"), "api", now, house.clock.today(), house.audit_key, house.database.sqlite)
        with Foundation(connection, act) as foundation:
            foundation.add([(ref, new)])


def test_cells_are_what_they_are_and_lists_lights_and_notes_are_there(register: Register) -> None:
    fill(register)
    out = give(register, as_of=date(2026, 6, 9))
    work = openpyxl.load_workbook(out)
    assert work.sheetnames == ["台账", "说明"]
    sheet = work.worksheets[0]
    head = {cell.value: cell.column_letter for cell in sheet[1]}
    assert list(head) == HEADS and sheet.freeze_panes == "E2" and sheet.auto_filter.ref.startswith("A1:AK")
    by_ref = {sheet[f"{head['项目编号']}{at}"].value: at for at in range(2, sheet.max_row + 1)}

    def cell(ref: str, name: str) -> Any:
        return sheet[f"{head[name]}{by_ref[ref]}"]

    assert (cell("SL-001", "协议总投资（万元）").value, cell("SL-001", "协议总投资（万元）").data_type) == (12000, "n")
    assert cell("SL-007", "协议总投资（万元）").value == 123456.78 and cell("SL-001", "到位资金（万元）").value == 0.5
    assert (cell("SL-002", "协议总投资（万元）").value, cell("SL-004", "协议总投资（万元）").value) == ("9000万美元", "近2亿元")
    assert cell("SL-001", "签约时间").is_date and cell("SL-001", "签约时间").value == datetime(2026, 3, 1)
    assert cell("SL-002", "签约时间").value == "2026年3月"
    assert (cell("SL-007", "当前阶段").value, cell("SL-006", "当前阶段").value) == ("签约，暂停", "签约，终止")
    words = {sheet[f"{head['亮灯']}{at}"].value for at in by_ref.values()}
    assert words >= {"红灯", "退出评估"} and words <= {*ledger_book.COLOURS, None}
    assert (light(None, "active"), light(None, "suspended"), light("blue", "active")) == ("绿灯", "", "蓝灯")
    for at in by_ref.values():
        lamp = sheet[f"{head['亮灯']}{at}"]
        if lamp.value:
            assert lamp.fill.start_color.rgb == "FF" + ledger_book.COLOURS[lamp.value].removeprefix("#")
    rules = {str(one.sqref).split(":")[0]: one.formula1 for one in sheet.data_validations.dataValidation}
    assert set(rules) == {f"{head[name]}2" for name in ("镇区", "协议类型", "是否新供地", "当前阶段")}
    assert rules[f"{head['镇区']}2"] == '"示例1镇,示例2镇"' and "意向,签约,落地" in rules[f"{head['当前阶段']}2"]
    notes = {line[0].value: line[1].value for line in work["说明"].iter_rows() if line[0].value}
    assert (notes["统计截止日"], notes["项目数"], notes["导出范围"]) == (datetime(2026, 6, 9), 9, "全部单位"), "SL-008 begins a day later"
    assert notes["生成时间"].startswith("2026-06-10 10:00") and {"冲突", "版本、行标识"} <= set(notes)
    for ref in by_ref:
        version = register.head(ref).version
        mark = read_mark(cell(ref, "行标识（请勿修改）").value)
        assert mark is not None and mark[:3] == (ref, version, date(2026, 6, 9)) and mark.wrote("town", cell(ref, "镇区").value)
        assert cell(ref, "版本（请勿修改）").value == version


def test_a_day_and_an_office_limit_an_export(register: Register) -> None:
    fill(register)
    assert {one["项目编号"] for one in read(give(register, office="T02"))} == {"SL-005", "SL-006", "SL-007", "SL-008", "12"}
    assert len(read(give(register, office="B"))) == 10 and read(give(register, "部门.csv", office="D")) == []
    past = {one["项目编号"]: one for one in read(give(register, "过去.csv", as_of=date(2026, 3, 20)))}
    assert "SL-003" in past and (past["SL-004"]["当前阶段"], past["SL-004"]["实质性开工时间"]) == ("签约", "")
    assert past["SL-005"]["当前阶段"] == "签约" and past["SL-001"]["最近更新"] == ""
    with pytest.raises(Invalid):
        give(register, as_of=date(2026, 6, 11))
    with pytest.raises(Invalid):
        give(register, "台账.pdf")


def test_a_file_that_cannot_be_written_leaves_nothing(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Invalid):
        give(register, "no/such/台账.xlsx")
    fill(register)
    out = give(register)
    whole_file = out.read_bytes()
    monkeypatch.setattr(exporting, "light", lambda level, status: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        give(register)
    assert out.read_bytes() == whole_file and list(register.folder.glob(".*.part")) == []


@contextmanager
def asked(register: Register) -> Iterator[list[str]]:
    """The statements of a block."""
    statements: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        statements.append(statement)

    sa.event.listen(register.house.database.engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        sa.event.remove(register.house.database.engine, "before_cursor_execute", note)


def test_a_chunk_costs_three_statements_whatever_it_holds(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(register)
    give(register)  # what a process reads once
    told = {}
    for size in (10, 5, 2):
        monkeypatch.setattr(exporting, "CHUNK", size)
        with asked(register) as statements:
            rows = read(give(register, f"{size}.csv"))
        told[size] = len(statements)
        assert [one["序号"] for one in rows] == [str(number) for number in range(1, 11)]
    assert (told[5] - told[10], told[2] - told[5]) == (3, 9)


def test_a_blank_template_is_a_ledger_without_rows(register: Register) -> None:
    out = register.folder / "模板.xlsx"
    export_template(register.house, out)
    work = openpyxl.load_workbook(out)
    assert [cell.value for cell in work.worksheets[0][1]] == HEADS[:35] and work.worksheets[0].max_row == 1
    assert len(work.worksheets[0].data_validations.dataValidation) == 4
    guide = {line[0].value: [cell.value for cell in line[2:5]] for line in work["说明"].iter_rows() if line[0].value in HEADS}
    assert list(guide) == HEADS[:35] and guide["项目名称"] == [one["project_name"] for one in EXAMPLES]
    told = load(register, out)
    assert (told.state, told.rows_total, register.counts()["project"]) == ("complete", 0, 0)
    sheet = work.worksheets[0]
    for at, example in enumerate(EXAMPLES, 2):  # whoever copies the examples over gets what they say
        for place, column in enumerate(COLUMNS, 1):
            sheet.cell(at, place).value = example.get(column.field)
    work.save(out)
    told = load(register, out)
    assert outcomes(told) == {"create": 3, "warned": 1}, told.text()
    stages = {one["项目名称"]: one["当前阶段"] for one in read(give(register, "新.csv"))}
    assert stages == {"年产5万吨锂电材料": "签约", "智能装备": "开工", "预制菜加工": "意向"}
    comes_back(register, give(register), 3)


@pytest.fixture
def luodi(register: Register, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(registers, "open_house", lambda: register.house)

    def run(*args: str) -> tuple[int, str]:
        done = CliRunner().invoke(command_line, ["export", *args])
        if isinstance(done.exception, DomainError):
            return 1, done.exception.hint
        return done.exit_code, done.output

    return run


def test_the_command_writes_ledgers_events_and_templates(luodi: Any, register: Register) -> None:
    fill(register)
    out = register.folder / "出.xlsx"
    assert luodi(str(out)) == (0, f"已写出 10 个项目：{out}\n") and len(read(out)) == 10
    ledger = register.folder / "出.csv"
    assert luodi(str(ledger), "--format", "ledger", "--office", "T02", "--as-of", "2026-06-01")[0] == 0 and len(read(ledger)) == 4
    assert luodi(str(ledger))[1].startswith("已写出") and ledger.read_text("utf-8").startswith("project_ref,")
    assert luodi(str(out), "--template")[0] == 0 and openpyxl.load_workbook(out).worksheets[0].max_row == 1
    assert [luodi(str(out), *more)[0] for more in (["--template", "--office", "T01"], ["--format", "pdf"])] == [2, 2]
    assert luodi(str(register.folder / "x.pdf"), "--format", "ledger")[0] == luodi(str(ledger), "--template")[0] == 1


def test_long_numbers_stay_whole_in_a_workbook() -> None:
    line = dict.fromkeys((column.field for column in (*COLUMNS, *MARKS)), "") | {
        "amount": Decimal("123456789012.123456"), "funds_in_place": Decimal("12345678.123456"), "project_name": "大",
    }  # fmt: skip
    out = io.BytesIO()
    about = ledger_book.About(date(2026, 6, 10), datetime(2026, 6, 10), "县", lambda: 1)
    ledger_book.write_xlsx(out, [[line]], about, ["镇" * 100, "乡" * 200])
    sheet = openpyxl.load_workbook(out).worksheets[0]
    assert sheet["J2"].value == "123456789012.123456" and sheet["L2"].value == 12345678.123456
    assert len(sheet.data_validations.dataValidation) == 3, "a list of towns that is too long is left out"


def test_a_ledger_goes_on_on_the_next_sheet(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(register)
    for module in ("app.lists.files", "app.ledgers.ledger_book"):
        monkeypatch.setattr(f"{module}.SHEET_ROWS", 5)
    out = give(register)
    assert openpyxl.load_workbook(out).sheetnames == ["台账", "台账2", "台账3", "说明"]
    comes_back(register, out, 10)
