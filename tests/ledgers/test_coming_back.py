"""An export that comes back: untouched it changes nothing, edited it changes what was edited, edited on both sides it waits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from app.heart import facts as kinds
from app.heart.lifecycle import ACTION_OF
from app.ledgers.columns import COLUMNS, MARKS
from app.ledgers.exporting import export_ledger
from app.ledgers.queries import Import
from app.ledgers.sheets.workbook import open_workbook
from app.projects.derived import New
from tests.ledgers.conftest import Register
from tests.ledgers.test_import_ledger import book, cells, codes_of, load, outcomes, record, set_clock, whole
from tests.ledgers.workbooks import Page, comma, xlsx

TITLES = {column.title: place for place, column in enumerate((*COLUMNS, *MARKS))}
Grid = list[list[Any]]


def filled(register: Register) -> None:
    """Two projects of T01 and one of T02, as a ledger told them."""
    other = cells(3, 镇区="示例2镇", 目前进展="主体施工", 当前阶段="开工", 实质性开工时间="2026-05-10")
    told = load(
        register, book(register.folder, cells(1, 备注="原备注"), cells(2, **{"协议总投资（万元）": "近2亿元"}), other, name="first.xlsx")
    )
    assert outcomes(told) == {"create": 3, "warned": 1}


def exported(register: Register, *, office: str | None = None, as_of: date | None = None, name: str = "export.xlsx") -> Grid:
    """The rows of an export as a spreadsheet program shows them: header first."""
    out = register.folder / name
    export_ledger(register.house, out, office=register.office(office) if office else None, as_of=as_of)
    with open_workbook(out) as opened:
        _, portions = next(opened.sheets())
        return [row for portion in portions for row in portion]


def back(register: Register, grid: Grid, *, name: str = "back.xlsx", **more: Any) -> Import:
    path: Path = register.folder / name
    path.write_bytes(comma(Page(grid), "utf-8-sig") if name.endswith(".csv") else xlsx(Page(grid, name="台账")))
    return load(register, path, **more)


def edit(grid: Grid, row: int, **cells: Any) -> Grid:
    """The grid with some cells of a row (from 1) written anew."""
    grid = [list(line) for line in grid]
    for title, cell in cells.items():
        grid[row][TITLES[title]] = cell
    return grid


def amend(register: Register, ref: str, **changes: Any) -> None:
    record(register, ref, New(kinds.AMENDED, register.house.clock.today(), {"changes": changes, "reason": "更正"}))


def amount(register: Register, ref: str) -> int | None:
    return register.now(ref).amount


def as_written(grid: Grid) -> Grid:
    return grid


def as_another_program_writes(grid: Grid) -> Grid:
    """Whole numbers with decimals, days with a time, blanks behind texts, line breaks of Windows."""

    def anew(cell: Any) -> Any:
        if isinstance(cell, int | float):
            return f"{cell:.2f}"
        if len(cell) == 10 and cell[4:5] == "-":
            return f"{cell} 00:00:00"
        return f"{cell} " if cell else ""

    return [grid[0], *([anew(cell) for cell in line] for line in grid[1:])]


@pytest.mark.parametrize("name", ["back.xlsx", "back.csv"])
@pytest.mark.parametrize("rewrite", [as_written, as_another_program_writes])
def test_an_untouched_export_changes_nothing(register: Register, rewrite: Callable[[Grid], Grid], name: str) -> None:
    filled(register)
    before = register.counts()
    told = back(register, rewrite(exported(register)), name=name)
    assert outcomes(told) == {"same": 3} and register.counts() == before and not told.refused


def test_an_old_export_says_nothing_of_what_others_did_since(register: Register) -> None:
    """Without the marks the old cells would be written over the new ones."""
    filled(register)
    grid = exported(register)
    set_clock(register, "2026-06-20T09:00+08:00")
    amend(register, "SL-001", amount=900, currency="CNY", investor="新投资方")
    record(register, "SL-002", New(kinds.REPORTED, date(2026, 6, 19), {"text": "已完成备案"}))
    before = register.counts()
    assert outcomes(back(register, grid)) == {"same": 3} and register.counts() == before
    assert amount(register, "SL-001") == 900


def test_what_was_edited_is_taken_and_nothing_else(register: Register) -> None:
    filled(register)
    grid = exported(register)
    amend(register, "SL-001", investor="新投资方")
    told = back(register, edit(grid, 1, 协议总投资=15000, 目前进展="已完成备案", 备注="新备注"), dry_run=True)
    assert outcomes(told) == {"change": 1, "same": 2}
    assert outcomes(back(register, edit(grid, 1, 协议总投资=15000, 目前进展="已完成备案", 备注="新备注"))) == {"change": 1, "same": 2}
    assert amount(register, "SL-001") == 15_000_000_000
    last = exported(register)[1]
    assert [last[TITLES[title]] for title in ("目前进展", "备注", "投资方")] == ["已完成备案", "新备注", "新投资方"]
    whole(register)


def test_a_stage_that_was_edited_moves_on(register: Register) -> None:
    filled(register)
    told = back(register, edit(exported(register), 1, 当前阶段="开工", 实质性开工时间="2026-06-05"))
    assert outcomes(told) == {"change": 1, "same": 2}
    assert (register.now("SL-001").stage, str(register.now("SL-001").started_on)) == ("construction", "2026-06-05")
    whole(register)


def test_a_date_that_was_edited_is_corrected_and_the_stage_stays(register: Register) -> None:
    filled(register)
    told = back(register, edit(exported(register), 1, 签约时间="2026-03-08"))
    assert outcomes(told) == {"change": 1, "same": 2}
    assert str(register.now("SL-001").signed_on) == "2026-03-08" and register.now("SL-001").stage == "signed"


def test_two_edits_of_one_cell_are_a_conflict_and_the_other_rows_go_on(register: Register) -> None:
    filled(register)
    grid = edit(edit(exported(register), 1, 协议总投资=15000, 备注="新备注"), 2, 备注="二号")
    amend(register, "SL-001", amount=13_000_000_000, currency="CNY", investor="新投资方")
    for dry_run in (True, False):
        told = back(register, grid, dry_run=dry_run, errors_path=register.folder / "errors.xlsx")
        assert outcomes(told) == {"conflict": 1, "change": 1, "same": 1} and told.refused
        (row,) = [one for one in told.mend if one["outcome"] == "conflict"]
        assert [(one["title"], one["base"], one["theirs"], one["now"]) for one in row["conflicts"]] == [
            ("协议总投资", "12000万元", "15000万元", "13000万元")
        ]
        assert "协议总投资：导出时为“12000万元”，文件改为“15000万元”，系统内现为“13000万元”" in told.text()
    assert amount(register, "SL-001") == 13_000_000_000
    assert exported(register)[1][TITLES["备注"]] == "原备注"  # nothing of the row was taken
    whole(register)


@pytest.mark.parametrize("decision", ["mine", "theirs"])
def test_the_error_book_comes_back_with_a_decision(register: Register, decision: str) -> None:
    """Sent again as it is, the file's cells win; a cleared cell leaves the register's. What nobody edited is the register's news."""
    filled(register)
    grid = edit(exported(register), 1, 协议总投资=15000, 备注="新备注")
    amend(register, "SL-001", amount=13_000_000_000, currency="CNY", investor="新投资方")
    errors = register.folder / "errors.xlsx"
    back(register, grid, errors_path=errors)
    with open_workbook(errors) as opened:
        _, portions = next(opened.sheets())
        mend = [row for portion in portions for row in portion]
    header = next(at for at, row in enumerate(mend) if "项目名称" in row)
    assert mend[header + 1][0].startswith("【冲突，未导入】协议总投资：导出时为“12000万元”")
    assert mend[header + 1][mend[header].index("投资方")] == "新投资方"
    if decision == "theirs":
        mend[header + 1][next(at for at, title in enumerate(mend[header]) if title.startswith("协议总投资"))] = ""
    told = back(register, mend)
    assert outcomes(told) == {"change": 1}
    assert amount(register, "SL-001") == (15_000_000_000 if decision == "mine" else 13_000_000_000)
    assert [exported(register)[1][TITLES[title]] for title in ("备注", "投资方")] == ["新备注", "新投资方"]
    whole(register)


def test_both_sides_made_the_same_edit(register: Register) -> None:
    filled(register)
    grid = edit(exported(register), 1, 协议总投资=13000)
    amend(register, "SL-001", amount=13_000_000_000, currency="CNY")
    assert outcomes(back(register, grid)) == {"same": 3}


def test_a_cleared_cell_and_a_removed_row_say_nothing(register: Register) -> None:
    filled(register)
    grid = edit(exported(register), 1, 协议总投资="", 备注="", 签约时间="", 当前阶段="", 目前进展="", 项目名称="")
    before = register.counts()
    assert outcomes(back(register, [grid[0], grid[1], grid[3]])) == {"same": 2} and register.counts() == before


def test_a_row_without_a_mark_is_new_and_a_copied_one_is_told(register: Register) -> None:
    filled(register)
    grid = exported(register)
    added = edit([grid[0], grid[1]], 1, 项目编号="", 项目名称="新项目", 行标识="", 版本="", 统一社会信用代码="", 项目代码="")[1]
    copied = edit(grid, 2, 项目名称="照抄后改名", 项目编号="")[2]
    renumbered = edit(grid, 3, 项目名称="改了编号", 项目编号="SL-777")[3]
    told = back(register, [*grid, added, copied, renumbered])
    assert outcomes(told) == {"same": 3, "create": 1, "duplicate": 1, "rejected": 1}
    assert [(row, outcome, codes) for row, outcome, codes in codes_of(told) if outcome == "rejected"] == [
        (7, "rejected", ["mark_disagrees"])
    ]
    whole(register)


def test_a_mangled_mark_is_told_and_the_row_is_found_as_any_other(register: Register) -> None:
    filled(register)
    grid = exported(register)
    mark = grid[1][TITLES["行标识"]]
    told = back(register, edit(edit(grid, 1, 行标识=mark[:-1] + "~", 备注="新备注"), 2, 行标识=mark.replace("SL-001", "SL-009")))
    assert outcomes(told) == {"change": 1, "same": 2, "warned": 2}
    assert [codes[-1] for _, _, codes in codes_of(told)] == ["mark_mangled", "mark_mangled"]


def test_the_mark_of_another_register_is_told(register: Register, other: Register) -> None:
    filled(register)
    told = back(other, exported(register))
    assert outcomes(told) == {"create": 3, "warned": 3}
    assert {codes[-1] for _, _, codes in codes_of(told)} == {"mark_unknown"}


def test_a_project_of_another_office_is_refused_by_its_mark_without_a_word_about_it(register: Register) -> None:
    filled(register)
    grid = edit(exported(register), 1, 备注="别人的", 项目编号="", 镇区="示例2镇")
    told = back(register, grid, office="T02")
    assert outcomes(told) == {"rejected": 2, "same": 1}
    (mend, *_) = told.mend
    assert [mark["code"] for mark in mend["remarks"] if mark["level"] == "reject"] == ["project_outside"]
    assert mend["ref"] is None and not mend["changes"] and not mend["conflicts"]


def test_a_version_older_than_a_void(register: Register) -> None:
    """What was exported and voided since is not said again by a row that leaves it as it was."""
    filled(register)
    grid = exported(register)
    seq = next(fact.seq for fact in register.head("SL-003").facts if fact.data.get("action") == ACTION_OF["construction"])
    record(register, "SL-003", New(kinds.VOIDED, register.house.clock.today(), {"reason": "误报"}, seq))
    assert register.now("SL-003").stage == "signed"
    before = register.counts()
    assert outcomes(back(register, grid)) == {"same": 3} and register.counts() == before
    told = back(register, edit(grid, 3, 备注="新备注"))
    assert outcomes(told) == {"change": 1, "same": 2} and register.now("SL-003").stage == "signed"
    told = back(register, edit(grid, 3, 实质性开工时间="2026-05-20"))
    assert outcomes(told) == {"conflict": 1, "same": 2}
    whole(register)


def test_an_export_of_an_earlier_day(register: Register) -> None:
    filled(register)
    set_clock(register, "2026-06-20T09:00+08:00")
    record(register, "SL-001", New(kinds.REPORTED, date(2026, 6, 18), {"text": "已完成备案"}))
    grid = exported(register, as_of=date(2026, 6, 1))
    assert grid[1][TITLES["目前进展"]] == "正在办理备案"
    assert outcomes(back(register, grid)) == {"same": 3}
    told = back(register, edit(grid, 1, 目前进展="另有说法", 备注="新备注"))
    assert outcomes(told) == {"conflict": 1, "same": 2}
    assert outcomes(back(register, edit(grid, 1, 备注="新备注"))) == {"change": 1, "same": 2}


def test_two_offices_one_after_the_other(register: Register) -> None:
    """County and town both work on exports of the morning: what they leave alone stays the other's, what both touch is a conflict."""
    filled(register)
    county, town = exported(register), exported(register, office="T01", name="town.xlsx")
    assert len(town) == 3
    told = back(register, edit(edit(town, 1, 目前进展="镇里写的"), 2, 目前进展="已备案"), office="T01", name="town.xlsx")
    assert outcomes(told) == {"change": 2}
    told = back(register, edit(edit(edit(county, 1, 目前进展="县里写的"), 2, 备注="县里"), 3, 备注="县里"))
    assert outcomes(told) == {"conflict": 1, "change": 2}
    assert [exported(register)[row][TITLES["目前进展"]] for row in (1, 2)] == ["镇里写的", "已备案"]
    whole(register)


def test_leaving_out_that_a_project_is_paused_does_not_resume_it(register: Register) -> None:
    filled(register)
    record(register, "SL-001", New(kinds.MOVED, date(2026, 6, 1), {"action": "suspend", "reason": "等地"}))
    grid = exported(register)
    assert grid[1][TITLES["当前阶段"]] == "签约，暂停"
    told = back(register, edit(grid, 1, 当前阶段="签约"))
    assert codes_of(told) == [(2, "same", ["side_kept"])] and register.now("SL-001").status == "suspended"
    told = back(register, edit(grid, 1, 备注="新备注"))
    assert outcomes(told) == {"change": 1, "same": 2} and register.now("SL-001").status == "suspended"
