"""Names that change without a fact, and projects in no stage: an export that comes back edits neither."""

from __future__ import annotations

import sqlalchemy as sa

from app.heart import facts as kinds
from app.ledgers.understanding.stages import NO_STAGE
from app.offices.models import Office, Person
from app.offices.service import add_office, add_person
from app.projects.derived import New
from tests.ledgers.conftest import Register
from tests.ledgers.test_coming_back import TITLES, back, edit, exported
from tests.ledgers.test_import_ledger import book, cells, codes_of, load, outcomes, record, whole


def rename(register: Register, code: str, name: str) -> None:
    with register.house.database.write() as connection:
        connection.execute(sa.update(Office).where(Office.code == code).values(name=name))


def test_an_office_that_was_renamed_since_the_export_is_still_the_same(register: Register) -> None:
    load(register, book(register.folder, cells(1), cells(2), cells(3, 镇区="示例2镇")))
    grid = exported(register)
    rename(register, "T01", "新城街道")
    before = register.counts()
    assert outcomes(back(register, grid)) == {"same": 3} and register.counts() == before
    told = back(register, edit(edit(grid, 1, 备注="新备注"), 2, 镇区="新城街道"))
    assert outcomes(told) == {"change": 1, "same": 2}, "who writes the new name himself edits nothing either"
    assert exported(register)[1][TITLES["镇区"]] == "新城街道"
    whole(register)


def test_a_project_that_is_given_to_another_town_still_is(register: Register) -> None:
    load(register, book(register.folder, cells(1), cells(2)))
    grid = exported(register)
    rename(register, "T01", "新城街道")
    told = back(register, edit(edit(grid, 1, 镇区="示例2镇"), 2, 镇区="没有的镇"))
    assert outcomes(told) == {"change": 1, "rejected": 1} and codes_of(told)[0][2] == ["town_unknown"]
    assert exported(register)[1][TITLES["镇区"]] == "示例2镇"


def test_another_office_of_that_name_makes_no_edit(register: Register) -> None:
    """From then on exports call the two by their codes."""
    load(register, book(register.folder, cells(1)))
    grid = exported(register)
    with register.house.database.write() as connection:
        add_office(connection, code="T09", name="示例 1 镇", kind="town", parent="C")
    assert outcomes(back(register, grid)) == {"same": 1}
    assert exported(register)[1][TITLES["镇区"]] == "T01"
    assert outcomes(back(register, exported(register))) == {"same": 1}


def test_an_owner_who_took_another_name_stays_the_owner(register: Register) -> None:
    with register.house.database.write() as connection:
        add_person(connection, office="T01", name="王一", email="w@example.org", role="clerk")
    load(register, book(register.folder, cells(1, 责任人="王一")))
    amended = New(kinds.AMENDED, register.house.clock.today(), {"changes": {"owner": register.now("SL-001").owner_id}, "reason": "确认"})
    record(register, "SL-001", amended)
    grid = exported(register)
    with register.house.database.write() as connection:
        connection.execute(sa.update(Person).values(name="王逸"))
    assert exported(register)[1][TITLES["责任人"]] == "王逸"
    before = register.counts()
    assert outcomes(back(register, grid)) == {"same": 1} and register.counts() == before


def test_a_project_in_no_stage_says_so_and_comes_back_as_it_was(register: Register) -> None:
    load(register, book(register.folder, cells(1), cells(2)))
    for fact in register.head("SL-001").facts[1:]:
        if fact.kind == kinds.MOVED:
            record(register, "SL-001", New(kinds.VOIDED, register.house.clock.today(), {"reason": "误报"}, fact.seq))
    assert register.now("SL-001").stage is None
    grid = exported(register)
    assert [grid[row][TITLES["当前阶段"]] for row in (1, 2)] == [NO_STAGE, "签约"]
    before = register.counts()
    for name in ("back.xlsx", "back.csv"):
        assert outcomes(back(register, grid, name=name)) == {"same": 2} and register.counts() == before
    told = back(register, edit(grid, 1, 目前进展="主体施工，已完成60%", 备注="新备注"))
    assert outcomes(told) == {"change": 1, "same": 1} and register.now("SL-001").stage is None, "only its column claims a stage"
    bare = [line[: TITLES["版本"]] for line in exported(register)]
    assert outcomes(back(register, bare)) == {"same": 2}, "nor does it without the marks"
    told = back(register, edit(exported(register), 1, 当前阶段="意向"))
    assert codes_of(told) == [(2, "same", ["stage_not_taken"])] and register.now("SL-001").stage is None
    assert outcomes(back(register, edit(exported(register), 1, 当前阶段="签约", 签约时间="2026-04-02"))) == {"change": 1, "same": 1}
    assert register.now("SL-001").stage == "signed"
    whole(register)
