"""A ledger whose import is killed is gone on with where it stood; two at once are as one; whatever comes, twice is the same."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from app.ledgers import running
from app.ledgers.models import LedgerImport, LedgerImportPiece
from app.ledgers.sheets import limits
from app.ledgers.sheets.refusals import FileRefused
from tests.ledgers.conftest import Register
from tests.ledgers.test_import_ledger import book, cells, codes_of, load, outcomes, set_clock, whole


def rows(count: int) -> list[list[Any]]:
    """New projects without numbers of their own, and one that repeats the first."""
    made = [cells(number, 项目编号="", 镇区=f"示例{1 + number % 2}镇", 备注=f"第{number}行") for number in range(1, count + 1)]
    return [*made, cells(1, 项目编号="", 镇区="示例2镇", 投资方="别家")]


@pytest.mark.parametrize("again", ["taken up by lease", "sent anew"])
def test_a_killed_import_goes_on_where_it_stood(register: Register, other: Register, monkeypatch: pytest.MonkeyPatch, again: str) -> None:
    monkeypatch.setattr(running, "CHUNK", 20)
    file = book(register.folder, *rows(90))
    command = [sys.executable, "-m", "tests.ledgers.killed", "ledger", register.house.database.url.render_as_string(hide_password=False)]
    died = subprocess.run([*command, str(file), str(register.folder)], capture_output=True, text=True, timeout=100)
    assert died.returncode == -9, died.stderr
    assert register.counts()["project"] == 40
    if again == "sent anew":
        assert outcomes(load(register, file)) == {"create": 50, "same": 40, "duplicate": 1}
    else:
        assert running.run_waiting(register.house) == 0, "somebody may still be at it"
        set_clock(register, "2026-06-10T10:05:00+08:00")
        assert running.run_waiting(register.house) == 1
        with register.house.database.snapshot() as connection:
            done = connection.execute(sa.select(LedgerImport.state, LedgerImport.rows_done, LedgerImport.counts)).one()
            waiting = connection.scalar(sa.select(sa.func.count()).select_from(LedgerImportPiece))
        assert (done.state, done.rows_done, waiting) == ("complete", 91, 0)
        assert orjson.loads(done.counts) == {"create": 90, "duplicate": 1, "warned": 0, "facts": 270}
    load(other, file)
    assert register.counts() == other.counts() and register.standings() == other.standings()
    whole(register)


def test_a_file_that_takes_too_long_to_understand_writes_nothing(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends as any other file that is refused, before its first row is taken; who applies it must not find it half done."""
    file = book(register.folder, *rows(40))
    monkeypatch.setattr(limits, "CPU_SECONDS", 0)
    before, told = register.counts(), load(register, file)
    assert (told.state, told.rows_done, register.counts()) == ("failed", 0, before)
    assert told.error is not None and (told.error["reason"], "超过上限" in told.error["hint"]) == ("too_slow", True)
    with pytest.raises(FileRefused, match="超过上限"):
        load(register, file, dry_run=True)
    monkeypatch.undo()
    assert outcomes(load(register, file)) == {"create": 40, "duplicate": 1}


def test_two_at_once_are_as_one(register: Register, other: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "CHUNK", 7)
    file = book(register.folder, *rows(40))
    with ThreadPoolExecutor(3) as pool:
        told = [one.result(timeout=100) for one in [pool.submit(load, register, file) for _ in range(3)]]
    assert sum(one.counts.get("create", 0) for one in told) == 40
    assert {one.state for one in told} == {"complete"}
    load(other, file)
    assert register.counts() == other.counts() and sorted(register.standings()) == sorted(other.standings())
    whole(register)


CELL = {
    "项目编号": st.sampled_from(["", "1", "P-1", "P-2"]),
    "镇区": st.sampled_from(["示例1镇", "示例2镇", "", "天上镇"]),
    "项目名称": st.sampled_from(["甲项目", "甲 项目", "乙", "=乙", "丙\n一期", ""]),
    "协议类型": st.sampled_from(["", "正式", "框架协议", "意向书"]),
    "签约时间": st.sampled_from(["", "2026-03-01", "2026年3月", "2026", "待定", "2027-01-01", "三月"]),
    "协议总投资（万元）": st.sampled_from(["", 0, 100, "近2亿元", "1-2亿元", "无", "9000万美元", "2个茶场"]),
    "到位资金（万元）": st.sampled_from(["", 0, 50, "无"]),
    "统一社会信用代码": st.sampled_from(["", "91990000EX00000101", "短码"]),
    "注册时间": st.sampled_from(["", "2026-04-01", "2026年"]),
    "项目代码": st.sampled_from(["", "2510-990000-04-01-100037", "25109900000401100038"]),
    "实质性开工时间": st.sampled_from(["", "2026-02-01", "2026年5月"]),
    "当前阶段": st.sampled_from(["", "意向", "签约", "落地", "开工", "投产", "取消", "暂缓", "不知道"]),
    "目前进展": st.sampled_from(["", "平整土地", "主体施工", "——", "已开工"]),
    "备注": st.sampled_from(["", "无", "0", "<script>"]),
    "最近更新": st.sampled_from(["", "2026-05-31", "2025-01-01", "2026-12-31"]),
}
ROW = st.fixed_dictionaries(CELL)


@pytest.mark.parametrize("office", [None, "T01"])
def test_whatever_a_ledger_says_twice_is_the_same(register: Register, monkeypatch: pytest.MonkeyPatch, office: str | None) -> None:
    """What was planned is what is written, and then nothing is left to do; what is stored is what the facts say."""

    @settings(max_examples=8, database=None)
    @given(st.lists(ROW, min_size=1, max_size=8), st.sampled_from([1, 3, 100]))
    def holds(some: list[dict[str, Any]], size: int) -> None:
        file = book(register.folder, *[cells(number, **one) for number, one in enumerate(some, 1)])
        trial = load(register, file, office, dry_run=True)
        monkeypatch.setattr(running, "CHUNK", size)
        first = load(register, file, office)
        assert outcomes(first) | {"warned": 0} == outcomes(trial) | {"warned": 0}, "how many rows go together makes no difference"
        monkeypatch.setattr(running, "CHUNK", 200)
        # a row of which it was unclear whose it is may be clear once the other rows have given that project another name or code
        for _unclear in [row for row, _outcome, marks in codes_of(first) if {"match_ambiguous", "keys_disagree"} & {*marks}]:
            load(register, file, office)
        before = register.counts()
        told = load(register, file, office, dry_run=True)
        assert set(outcomes(told)) <= {"same", "duplicate", "rejected", "warned"}, (told.mend, first.counts)
        assert outcomes(load(register, file, office)) == outcomes(told) and register.counts() == before

    holds()
    whole(register)
