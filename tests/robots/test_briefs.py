"""The short form of a digest: counts, the red ones by name, and where to read on."""

from datetime import UTC, date, datetime
from typing import Any

import orjson
import pytest

from app.alerts import digest
from app.alerts.blocks import Block, Said
from app.alerts.briefs import FEW, LONGEST, MOST, brief
from app.alerts.digest import TownCount
from app.alerts.hearing import Change, Project, Reader, Standing
from app.robots.kinds import KINDS
from app.robots.kinds.base import Message

DAY = date(2026, 6, 10)
NOW = datetime(2026, 6, 10, 0, 0, tzinfo=UTC)
TOWN, BUREAU = Reader("值班群", "东山镇", False, False), Reader("局群", "县招商局", True, False)


def project(number: int, level: str, name: str = "项目") -> Project:
    since, due = date(2026, 5, 1), date(2026, 5, 31)
    flag = Standing("signed_no_progress", "签约后无进展", level, since, due, ("公司注册",), "请办理注册", None, None)
    change = Change("signed_no_progress", "签约后无进展", None, level, False)
    url = f"https://luodi.example/projects/P-{number}"
    return Project(f"P-{number}", f"{name}{number}", "东山镇", "王一", "签约", date(2026, 5, 1), None, url, (change,), (flag,))


def told(projects: list[Project], reader: Reader = TOWN, **more: Any) -> Message:
    made = digest.build(reader, DAY, projects, **more)
    assert made is not None
    return brief(made, "digest.2026-06-10.robot-1", DAY, NOW, "https://luodi.example")


def lines(message: Message) -> list[str]:
    return [row.text for row in message.rows]


def test_counts_of_everything_names_of_the_red_ones() -> None:
    message = told([project(1, "yellow"), project(2, "red"), project(3, "exit_review"), project(4, "blue")])
    assert message.title == "【落地】东山镇：新增 3，升级 0，恢复 0（2026-06-10）"
    assert lines(message)[0] == "按项目计：新增 3，升级 0，恢复 0；另有即将到期 1"
    assert "红灯及以上 2 个：" in lines(message)
    named = [row for row in message.rows if "projects/P-" in row.url]
    assert [row.url[-3:] for row in named] == ["P-3", "P-2"], "the worst first"
    assert named[0].text.startswith("1. [新增] 项目3（东山镇）：签约后无进展：退出评估，自2026年5月1日起已 40 天；缺：公司注册")
    assert message.rows[-1].url == "https://luodi.example"
    assert message.data["red_total"] == 2 and [one["ref"] for one in message.data["red"]] == ["P-3", "P-2"]
    assert message.data["counts"] == {"新增": 3, "即将到期": 1}


def test_nothing_red_names_nobody() -> None:
    message = told([project(1, "yellow")])
    assert not any("红灯" in line for line in lines(message)) and message.data["red"] == []


def test_the_bureau_s_chat_hears_the_totals() -> None:
    towns = [TownCount("东山镇", 3, 2, 1), TownCount("西河镇", 1, 0, 0)]
    message = told([], BUREAU, towns=towns, summary=True, undelivered=[digest.Undelivered(DAY, "x@example.org", "failed", "550")])
    assert "当前亮灯：黄灯 4，红灯 2，退出评估 1（按项目，各计最重一级）" in lines(message)
    assert "未送达的消息 1 条，请在系统中查看" in lines(message) and not any("x@example.org" in line for line in lines(message))


def test_many_and_long_ones_are_cut_and_said_to_be() -> None:
    message = told([project(number, "red", "很长的名字" * 60) for number in range(MOST + 5)])
    named = [row for row in message.rows if "projects/P-" in row.url]
    assert len(named) == MOST and all(len(row.text) == LONGEST and row.text.endswith("…") for row in named)
    assert "另有 5 个红灯项目，请在系统中查看。" in lines(message) and "红灯及以上 25 个：" in lines(message)


def test_sections_are_cut_too() -> None:
    section = Block("数据核查", tuple(Said(f"第 {number} 行") for number in range(FEW + 2)))
    message = told([project(1, "yellow")], BUREAU, blocks=(section,))
    at = lines(message).index("数据核查")
    assert lines(message)[at + 1 : at + FEW + 2] == [*(f"第 {number} 行" for number in range(FEW)), "（共 8 行，其余请在系统中查看）"]


def test_only_a_section_that_wakes_makes_a_message() -> None:
    assert digest.build(BUREAU, DAY, [], blocks=[Block("数据核查", (Said("x"),))]) is None
    made = digest.build(BUREAU, DAY, [], blocks=[Block("月度情况", (Said("x"),), wakes=True)])
    assert made is not None and made.subject == "【落地】县招商局：新增 0，升级 0，恢复 0（2026-06-10）"


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_takes_the_longest_there_can_be_in_a_minute(kind: str) -> None:
    """Not more parts than a robot may be sent in a minute, whatever the names are."""
    sections = [Block("𠀀" * 200, tuple(Said("𠀀" * 400) for _ in range(20))) for _ in range(2)]
    message = told([project(number, "red", '𠀀"\\' * 200) for number in range(MOST + 5)], blocks=sections)
    payloads = KINDS[kind].payloads(message)
    assert 1 <= len(payloads) <= 10
    assert all(orjson.loads(payload) for payload in payloads)
