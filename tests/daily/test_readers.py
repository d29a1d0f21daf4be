"""Who hears what, and when: owners anywhere, liaison leaders, the county's leaders, whoever takes over a leaver's mail."""

from __future__ import annotations

from datetime import date, timedelta
from email import message_from_bytes
from email.policy import default
from html.parser import HTMLParser
from typing import Any

import orjson
import pytest
import sqlalchemy as sa

from app.alerts import preferences, rhythms
from app.alerts.daily import run_day
from app.alerts.models import Delivery, Preference
from app.errors import Invalid, NotFound
from app.heart.calendar import SHIPPED
from app.offices.models import Office, Person
from app.offices.service import person_leaves
from app.projects.derived import New
from app.projects.handover import owner_left
from app.robots.models import Robot
from app.stalls.models import Flag
from tests.daily.county import MONDAY, County, days
from tests.heart import story

RED = MONDAY + timedelta(days=30)
"""A project signed on MONDAY (2 March 2026) turns red: Wednesday, 1 April, the first workday of a month and not of a week."""


def body(county: County, name: str, day: date, kind: str = "plain") -> str:
    """What somebody got on a day, by what is stored; an empty text when there is nothing."""
    with county.database.statement() as connection:
        query = sa.select(Delivery.body).where(Delivery.run_date == day, Delivery.person_id == county.people[name])
        raw = connection.scalar(query)
    if raw is None:
        return ""
    part = message_from_bytes(raw, policy=default).get_body((kind,))  # type: ignore[attr-defined]
    assert part is not None
    text: str = part.get_content()
    return text


def department(county: County, *, code: str = "D", parent: str = "county") -> None:
    with county.database.write() as connection:
        above = connection.execute(sa.select(Office.id, Office.path).where(Office.id == county.offices[parent])).one()
        row = {"code": code, "name": "发改局", "kind": "department", "parent_id": above.id, "path": ""}
        number = connection.execute(sa.insert(Office).values(**row).returning(Office.id)).scalar_one()
        connection.execute(sa.update(Office).where(Office.id == number).values(path=f"{above.path}{number}/"))
    county.offices[code] = number


def leaves(county: County, name: str, on: date) -> None:
    """As `luodi person leave` does it."""

    class House:
        clock, audit_key = county.clock, None

    with county.database.write() as connection:
        number = person_leaves(connection, f"{name}@example.org", on, county.clock.now())
        owner_left(connection, House(), number, on)  # type: ignore[arg-type]


def evaluated(county: County, day: date) -> None:
    """The day's run without sending anything."""
    county.now_is(day)
    assert run_day(county.database, county.clock, county.settings, county.book, day, "person") is not None


class Shown(HTMLParser):
    """The text of a page, piece by piece."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.pieces.append(" ".join(data.split()))


# rhythms --------------------------------------------------------------------------------------------


def test_a_week_and_a_month_begin_with_their_first_workday() -> None:
    def weekly(day: str) -> str:
        return str(rhythms.last_begun(date.fromisoformat(day), rhythms.WEEKLY, SHIPPED))

    def monthly(day: str) -> str:
        return str(rhythms.last_begun(date.fromisoformat(day), rhythms.MONTHLY, SHIPPED))

    assert weekly("2026-03-02") == weekly("2026-03-08") == "2026-03-02"
    assert weekly("2026-02-13") == weekly("2026-02-23") == "2026-02-09", "the week of the Spring Festival has no workday at all"
    assert weekly("2026-02-24") == "2026-02-24", "its Monday is a holiday still"
    assert weekly("2026-04-06") == "2026-03-30" and weekly("2026-04-07") == "2026-04-07"
    assert monthly("2026-10-07") == "2026-09-01" and monthly("2026-10-08") == monthly("2026-10-31") == "2026-10-08"
    assert monthly("2026-03-01") == "2026-02-02" and monthly("2026-03-02") == "2026-03-02"
    assert monthly("2026-05-05") == "2026-04-01" and monthly("2026-05-06") == "2026-05-06"


@pytest.mark.parametrize("period", [rhythms.WEEKLY, rhythms.MONTHLY])
@pytest.mark.parametrize("every", [1, 2, 5, 11, 40])
def test_each_section_is_told_once_by_the_first_digest_since_its_day(period: Any, every: int) -> None:
    """Whatever days digests arrive on: between two of them a period began, or no section is due."""
    arriving = days(date(2026, 1, 5), 300)[::every]
    last = None
    for day in arriving:
        began = [
            one
            for one in days(date(2025, 12, 1), 400)
            if (last is None or one > last) and one <= day and rhythms.last_begun(one, period, SHIPPED) == one
        ]
        assert rhythms.due(day, last, period, SHIPPED) == bool(began), (last, day)
        last = day


# owners and liaison leaders ---------------------------------------------------------------------------


def test_an_owner_hears_of_his_projects_wherever_he_sits(county: County) -> None:
    department(county)
    county.person("he", "D", "clerk")
    county.person("shi", "D", "auditor")
    county.person("chu", "D", "leader")
    county.signed("A", MONDAY, owner="he")
    county.signed("B", MONDAY, owner="shi")
    county.signed("C", MONDAY, owner="wang")
    county.daily(RED)
    assert "项目A" in body(county, "he", RED) and "项目B" not in body(county, "he", RED) and "项目C" not in body(county, "he", RED)
    assert "项目B" in body(county, "shi", RED) and county.subjects("he")[RED].startswith("【落地】发改局：新增 1")
    assert body(county, "chu", RED) == "", "nothing names him, and nobody left him anything"
    assert all(f"项目{ref}" in body(county, "wang", RED) for ref in "ABC")


def test_a_liaison_leader_hears_of_red_that_day_and_gets_a_page_every_week(county: County) -> None:
    department(county)
    county.person("tan", "D", "leader")
    for ref in "AB":
        county.signed(ref, MONDAY, liaison=county.people["tan"])
        county.record(ref, New("reported", MONDAY, {"no_change": True}))
    county.signed("C", MONDAY, office="T02")
    county.daily(MONDAY + timedelta(days=1))
    first = body(county, "tan", MONDAY + timedelta(days=1))
    assert "包联项目周报" in first and "包联项目 2 个：退出评估 0，红灯 0，黄灯 0，正常 2；近七日转红 0，恢复 0" in first
    yellow = MONDAY + timedelta(days=22)
    for day in days(MONDAY + timedelta(days=2), 28):
        county.daily(day)
        told = body(county, "tan", day)
        assert ("包联项目周报" in told) == (day.weekday() == 0), day
        assert "新增（" not in told and "项目C" not in told, "yellow is not his"
    assert "黄灯 2，正常 0；近七日转红 0，恢复 0" in body(county, "tan", yellow + timedelta(days=6))
    county.daily(RED)
    told = body(county, "tan", RED)
    assert "升级（2 个项目）" in told and "红灯" in told and "包联项目周报" not in told and "项目C" not in told
    county.progress("A", RED + timedelta(days=1), "company_registered")
    county.daily(RED + timedelta(days=2))
    assert "恢复（1 个项目）" in body(county, "tan", RED + timedelta(days=2))
    tuesday = RED + timedelta(days=6)  # Monday is Qingming, a holiday
    county.daily(tuesday)
    page = body(county, "tan", tuesday)
    assert "包联项目 2 个：退出评估 0，红灯 1，黄灯 0，正常 1；近七日转红 2，恢复 1" in page
    listed = page[page.index("包联项目周报") :].splitlines()
    assert listed[2].startswith("  项目B（B，东山镇）：签约，2026年3月2日起已 36 天；") and "签约后无进展（红灯）" in listed[2]
    assert listed[3].strip() == "http://127.0.0.1:8000/projects/B"
    assert listed[4].startswith("  项目A（A，东山镇）：签约") and "；最近进展 2026年4月2日；责任人 wang" in listed[4]


def test_the_end_of_a_project_is_told_to_its_owner_elsewhere_and_leaves_nothing_behind(county: County) -> None:
    department(county)
    county.person("he", "D", "clerk")
    county.person("chu", "D", "leader")
    county.signed("A", MONDAY, owner="he")
    county.daily(RED)
    county.record("A", New("moved", RED, {"action": "terminate", "reason": "x", "termination": "withdrawn"}))
    county.daily(RED + timedelta(days=1))
    assert "恢复（1 个项目）" in body(county, "he", RED + timedelta(days=1)), "his only one has ended, and he hears of it"
    leaves(county, "he", RED + timedelta(days=1))
    county.daily(RED + timedelta(days=2))
    assert body(county, "chu", RED + timedelta(days=2)) == "", "there is nothing to take over"


def test_a_lost_page_comes_with_the_next_digest(county: County) -> None:
    department(county)
    county.person("tan", "D", "clerk")
    county.signed("A", MONDAY, liaison=county.people["tan"])
    county.daily(MONDAY)
    county.daily(MONDAY + timedelta(days=7))
    county.came_to(MONDAY + timedelta(days=7), "failed", "?")
    assert "包联项目周报" in body(county, "tan", MONDAY + timedelta(days=7))
    county.daily(MONDAY + timedelta(days=8))
    assert "包联项目周报" in body(county, "tan", MONDAY + timedelta(days=8)), "nobody knows that the first one arrived"
    county.daily(MONDAY + timedelta(days=9))
    assert body(county, "tan", MONDAY + timedelta(days=9)) == ""


# the county's leader ------------------------------------------------------------------------------------


def test_a_monthly_section_by_hand(county: County) -> None:
    """Seven contracts of 2026 by the end of March, four in the first town. Counted by hand in the comments."""
    county.now_is(date(2026, 3, 31))
    for ref, day in (("A", "2026-01-05"), ("B", "2026-02-02"), ("C", "2026-03-31"), ("D", "2026-03-10")):
        county.signed(ref, date.fromisoformat(day))
    for ref, day in (("E", "2026-01-07"), ("F", "2026-02-09"), ("G", "2026-03-03")):
        county.signed(ref, date.fromisoformat(day), office="T02")
    county.signed("H", date(2025, 12, 31))  # of last year
    county.now_is(date(2026, 4, 1), 7)
    county.signed("I", date(2026, 4, 1))  # of the month that is still running
    move = {"recognition": "recognised", "evidence": []}
    county.record("A", New("moved", date(2026, 3, 1), {"action": "secure_land", **move}))  # landed
    county.record("B", New("moved", date(2026, 3, 1), {"action": "start_construction", **move}))  # started, so also landed
    county.record("E", New("moved", date(2026, 3, 31), {"action": "secure_land", **move}))  # on the last day: landed
    county.record("F", New("moved", date(2026, 4, 1), {"action": "secure_land", **move}))  # a day too late for the rate
    day = date(2026, 4, 1)
    county.daily(day)
    text = body(county, "qian", day)
    section = text[text.index("月度情况") : text.index("红灯项目（")].splitlines()
    assert section == [
        "月度情况（2026年1月1日至2026年3月31日）",
        # 7 signed: A B C D, E F G; landed A B E; started B; stopped: H (since December) and no other: D is 22 days old, G 29
        "  签约 7 个；落地率 3/7 = 42.9 %；开工率 1/7 = 14.3 %；签约即止 1 个",
        "  口径：签约＝正式合同日期在2026年1月1日至2026年3月31日的项目（含其后终止的）；"
        "落地率＝其中截至2026年3月31日已到落地或更后阶段的／签约；"
        "开工率＝其中已到开工或更后阶段的／签约；均按上报计（含待认定）。签约即止＝截至2026年4月1日全部项目中符合签约即止口径的。"
        "亮灯按项目计最重一级，按时限策略第 1 版。",
        "",
        "各镇区",
        f"  东山镇：签约 4 个；落地率 2/4 = 50.0 %；开工率 1/4 = 25.0 %；签约即止 1 个；{lights(county, 'T01')}",
        f"  西河镇：签约 3 个；落地率 1/3 = 33.3 %；开工率 0/3 = 0.0 %；签约即止 0 个；{lights(county, 'T02')}",
        "",
    ]
    red = text[text.index("红灯项目（") :]
    assert (
        "项目H（H，东山镇）：" in red
        and "签约后无进展（" in red
        and "http://127.0.0.1:8000/projects/H" in red
        and "项目C" not in red.split("\n\n")[0]
    )
    shown = Shown()
    shown.feed(body(county, "qian", day, "html"))
    lines = [line.strip() for line in section if line.strip()]
    assert [piece for piece in shown.pieces if piece in lines] == lines, "text and HTML say the same"
    county.daily(date(2026, 4, 2))
    assert "月度情况" not in body(county, "qian", date(2026, 4, 2)), "once a month"
    assert "月度情况" not in body(county, "zhao", day), "the bureau's officer is no leader"


def lights(county: County, office: str) -> str:
    """Each project of a town at its worst open flag, counted here from the stored flags."""
    rank = {"yellow": 1, "red": 2, "exit_review": 3}
    worst: dict[int, int] = {}
    with county.database.statement() as connection:
        query = sa.select(Flag.project_id, Flag.level).where(Flag.closed_on.is_(None), Flag.office_id == county.offices[office])
        for number, level in connection.execute(query):
            worst[number] = max(worst.get(number, 0), rank.get(level, 0))
    counts = [sum(one == wanted for one in worst.values()) for wanted in (1, 2, 3)]
    return "黄灯 {}，红灯 {}，退出评估 {}".format(*counts)


def test_a_county_leader_reads_a_month_and_what_is_his_and_a_bureau_leader_every_red(county: County) -> None:
    """Three projects turn red on 8, 9 and 10 April: one that a town's leader has, one that the county's leader looks after, and one
    whose town has no leader. Two of them are his five workdays later, for nobody touched them."""
    county.policy(date(2020, 1, 1), report_missing={"enabled": False})
    county.person("sun", "T01", "leader")
    county.person("wu", "bureau", "leader")
    county.now_is(date(2026, 3, 12))
    county.signed("A", date(2026, 3, 9))
    county.signed("B", date(2026, 3, 10), liaison=county.people["qian"])
    county.signed("C", date(2026, 3, 11), office="T02")
    told: dict[str, dict[int, str]] = {"qian": {}, "wu": {}}
    for day in days(date(2026, 4, 1), 17):
        county.daily(day) if SHIPPED.is_workday(day) else None
        for name, found in told.items():
            if text := body(county, name, day):
                found[day.day] = text
    assert {day: [ref for ref in "ABC" if f"{ref}（{ref}，" in text] for day, text in told["wu"].items() if "升级（1" in text} == {
        8: ["A"], 9: ["B"], 10: ["C"],
    }  # fmt: skip
    mine = told["qian"]
    assert list(mine) == [1, 7, 9, 13, 15, 17], "a month, a page each week, and what is his"
    assert "月度情况" in mine[1] and all("包联项目周报" in mine[day] for day in (1, 7, 13))
    assert [day for day, text in mine.items() if "升级（" in text] == [9] and "项目B（B，东山镇）" in mine[9] and "项目A" not in mine[9]
    assert "项目A（A，东山镇）：红灯后连续无人跟进，自2026年4月15日起逐级上报至您" in mine[15] and "项目C" not in mine[15]
    assert "项目C（C，西河镇）：红灯后连续无人跟进，自2026年4月17日起逐级上报至您" in mine[17]


def test_a_county_without_contracts_of_the_year_prints_a_dash(county: County) -> None:
    county.signed("A", MONDAY)
    county.daily(MONDAY)  # the first workday of March: January and February had none
    assert "签约 0 个；落地率 —；开工率 —；签约即止 0 个" in body(county, "qian", MONDAY)


def test_a_month_of_mornings(county: County) -> None:
    """From the National Day on, a holiday of a week: every reader's mails, day by day, and one message each."""
    begin = date(2026, 9, 28)
    department(county)
    county.person("tan", "D", "leader")
    county.now_is(begin)
    county.signed("A", date(2026, 9, 8), liaison=county.people["tan"])
    got: dict[str, list[str]] = {name: [] for name in county.people}
    for day in days(begin, 36):
        county.now_is(day)
        if run_day(county.database, county.clock, county.settings, county.book, day) is not None:
            county.came_to(day, "sent", "?")
        for name, number in county.people.items():
            rows = [row for row in county.rows(Delivery, "run_date", "person_id") if row == (day, number)]
            assert len(rows) <= 1
            if rows:
                got[name].append(f"{day:%m-%d}")
    # his first ever; the month of October; five workdays after it turned red nobody had touched it, and it came to him; November's
    assert got["qian"] == ["09-28", "10-08", "10-14", "11-02"]
    # a page every week: on 8 October for the one that began in the holiday, and Monday the 12th
    assert got["tan"] == ["09-28", "10-08", "10-12", "10-19", "10-26", "11-02"]
    assert not any(one in ("10-01", "10-02", "10-05", "10-07") for mails in got.values() for one in mails)
    assert len(got["zhao"]) >= 18, "the bureau's summary on every workday with yellow or red"
    october = body(county, "qian", date(2026, 10, 8))
    assert "月度情况（2026年1月1日至2026年9月30日）" in october and "签约 1 个；落地率 0/1 = 0.0 %" in october


# the bureau ---------------------------------------------------------------------------------------------


def test_the_bureau_reads_who_has_not_reported_and_what_to_check(county: County) -> None:
    county.now_is(date(2026, 3, 1))
    for ref, office in (("A", "T01"), ("B", "T01"), ("C", "T02")):
        county.signed(ref, date(2026, 2, 2), office=office)
    county.signed("D", date(2026, 2, 2), route=None)
    county.record("A", New("moved", date(2026, 2, 20), {"action": "start_construction", "recognition": "recognised", "evidence": []}))
    county.record("A", New("reported", date(2026, 2, 27), {"text": "举行奠基仪式，平整场地"}))
    day = date(2026, 3, 27)
    county.daily(day)
    told = body(county, "zhao", day)
    assert "月度进展未报（逾期未报 4 个，即将到期 0 个）" in told
    assert "  东山镇：逾期未报 3 个，即将到期 0 个\n  西河镇：逾期未报 1 个，即将到期 0 个\n" in told
    checks = told[told.index("数据核查") :]
    assert "未登记用地方式 1 个（东山镇 1）：" in checks and "合同信息不全 4 个（东山镇 3，西河镇 1）：" in checks
    assert "所述进展不属实质性开工 1 个（东山镇 1）：" in checks
    assert "数据核查" not in body(county, "wang", day) and "逾期未报" not in body(county, "qian", day)


# leavers ------------------------------------------------------------------------------------------------


def test_the_leader_of_the_unit_takes_over_and_is_told_why(county: County) -> None:
    department(county)
    county.person("he", "D", "clerk")
    county.person("chu", "D", "leader")
    county.signed("A", MONDAY, owner="he")
    county.signed("B", MONDAY)
    county.daily(MONDAY)
    leaves(county, "he", MONDAY)
    county.daily(MONDAY + timedelta(days=1))
    told = body(county, "chu", MONDAY + timedelta(days=1))
    assert "he（发改局）已于2026年3月2日离岗，其邮件由您代收。" in told
    assert "he（发改局）已于2026年3月2日离岗，名下 1 个项目责任人已离岗，请指定责任人" in told
    assert "项目A（A，东山镇）：责任人已离岗" in told and "项目B" not in told
    county.daily(MONDAY + timedelta(days=2))
    assert body(county, "chu", MONDAY + timedelta(days=2)) == "", "told once"
    day = MONDAY + timedelta(days=3)
    county.daily(day)  # three workdays without an owner
    told = body(county, "chu", day)
    assert "无责任人" in told and "责任人 he（已离岗）" in told and "其邮件由您代收" in told and "名下 1 个" not in told
    assert body(county, "he", day) == ""
    county.record("A", New("amended", day, {"changes": {"owner": county.people["wang"]}, "reason": "交接"}), source="api")
    county.daily(day + timedelta(days=1))
    assert body(county, "chu", day + timedelta(days=1)) == "", "handed over: nothing is left to hear"


def test_up_the_tree_until_there_is_somebody(county: County) -> None:
    """The only reader of a town leaves, and it has no leader: the county's leader hears of the town, yellow included."""
    county.signed("A", MONDAY, owner="li", office="T02")
    county.daily(MONDAY)
    leaves(county, "li", MONDAY + timedelta(days=1))
    yellow = MONDAY + timedelta(days=20)
    for day in days(MONDAY + timedelta(days=1), 20):
        county.daily(day)
    told = body(county, "qian", yellow)
    assert "项目A" in told and "黄灯" in told and "li（西河镇）已于2026年3月3日离岗，其邮件由您代收。" in told
    assert "另有 1 个镇区已无其他收件人" in body(county, "qian", MONDAY + timedelta(days=1))
    assert "离岗" not in body(county, "zhao", MONDAY + timedelta(days=1)), "there is a leader above; nobody else is asked"


def test_without_any_leader_the_bureau_hears_it(county: County) -> None:
    county.signed("A", MONDAY, owner="li", office="T02")
    leaves(county, "li", MONDAY)
    leaves(county, "qian", MONDAY)
    county.daily(MONDAY + timedelta(days=1))
    assert "li（西河镇）已于2026年3月2日离岗，其邮件由您代收。" in body(county, "zhao", MONDAY + timedelta(days=1))


def test_a_lost_word_of_a_departure_is_said_again(county: County) -> None:
    county.person("sun", "T01", "leader")
    county.signed("A", MONDAY)
    county.daily(MONDAY)
    leaves(county, "wang", MONDAY)
    for day, state in ((MONDAY + timedelta(days=1), "failed"), (MONDAY + timedelta(days=2), "sent")):
        county.daily(day)
        assert "名下 1 个项目责任人已离岗" in body(county, "sun", day)
        county.came_to(day, state, "?")
    county.daily(MONDAY + timedelta(days=4))
    assert "名下 1 个" not in body(county, "sun", MONDAY + timedelta(days=4))


def test_a_departure_that_is_recorded_late_is_news_all_the_same(county: County) -> None:
    county.person("sun", "T01", "leader")
    county.signed("A", MONDAY - timedelta(days=40))
    county.daily(MONDAY)
    assert "存量" in body(county, "sun", MONDAY) and county.states()[MONDAY, "sun"] == "sent"
    county.now_is(MONDAY + timedelta(days=1), 8)
    leaves(county, "wang", MONDAY - timedelta(days=5))
    county.daily(MONDAY + timedelta(days=1))
    assert "wang（东山镇）已于2026年2月25日离岗，名下 1 个项目责任人已离岗" in body(county, "sun", MONDAY + timedelta(days=1))


# preferences --------------------------------------------------------------------------------------------


def robot(county: County, office: str, name: str = "值班群") -> int:
    row: dict[str, Any] = {
        "office_id": county.offices[office], "kind": "wecom", "name": name, "host": "qyapi.weixin.qq.com", "tail": "6789", "signed": False,
        "sealed": "x", "enabled": True, "recent": "[]", "created_at": county.clock.now(), "changed_at": county.clock.now(),
    }  # fmt: skip
    with county.database.write() as connection:
        return connection.execute(sa.insert(Robot).values(**row).returning(Robot.id)).scalar_one()


def test_a_preference_chooses_the_way_and_never_whether(county: County) -> None:
    mine, theirs = robot(county, "T01"), robot(county, "T02")
    county.signed("A", MONDAY)
    with county.database.write() as connection:
        now = county.clock.now()
        assert preferences.of_person(connection, county.people["wang"])["channel"] == "mail"
        with pytest.raises(Invalid):
            preferences.prefer(connection, county.people["wang"], theirs, now)
        with pytest.raises(NotFound):
            preferences.prefer(connection, None, None, now)
        assert preferences.prefer(connection, county.people["wang"], mine, now)["goes_by"] == "wecom"
        assert preferences.prefer(connection, county.people["wang"], mine, now)["robot"]["id"] == mine
        assert connection.scalar(sa.select(sa.func.count()).select_from(Preference)) == 1
    evaluated(county, RED)
    columns = ("run_date", "person_id", "channel", "recipient", "robot_id", "body")
    (row,) = [one for one in county.rows(Delivery, *columns) if one[1] == county.people["wang"]]
    assert row[:5] == (RED, county.people["wang"], "wecom", str(mine), mine)
    assert "项目A" in "".join(orjson.loads(row[5])) and "新增 1" in "".join(orjson.loads(row[5]))
    county.came_to(RED, "sent", "?")
    county.progress("A", RED, "company_registered")
    with county.database.write() as connection:
        connection.execute(sa.update(Robot).where(Robot.id == mine).values(enabled=False))
        assert preferences.of_person(connection, county.people["wang"])["goes_by"] == "mail"
    evaluated(county, RED + timedelta(days=1))
    assert "恢复（1 个项目）" in body(county, "wang", RED + timedelta(days=1)), "switched off: mail, counted from the robot's last"


def test_hostile_names_do_no_harm_in_any_section(county: County) -> None:
    evil = "<img src=x onerror=alert(1)>\r\nBcc: evil@example.org\x00{{ 7*7 }}"
    safe = evil.replace("\x00", "")
    department(county)
    county.person("tan", "D", "leader")
    county.signed("A", date(2025, 12, 1), liaison=county.people["tan"], name=safe, owner="tan")
    with county.database.write() as connection:
        connection.execute(sa.update(Person).where(Person.id == county.people["tan"]).values(name=safe[:90]))
    county.daily(MONDAY)
    for name in ("tan", "qian", "zhao"):
        page, text = body(county, name, MONDAY, "html"), body(county, name, MONDAY)
        assert "<img" not in page and "&lt;img" in page and "{{ 7*7 }}" in page and "{{ 7*7 }}" in text
        block = text[text.index({"tan": "包联项目周报", "qian": "月度情况", "zhao": "当前亮灯"}[name]) :]
        assert "\nBcc:" not in block.partition("存量（")[0].replace("\r", ""), "a section's line is one line"
        with county.database.statement() as connection:
            raw = connection.scalar(sa.select(Delivery.body).where(Delivery.person_id == county.people[name]))
        assert raw is not None and message_from_bytes(raw, policy=default)["Bcc"] is None


def test_a_story_of_a_liaison_leader_over_time() -> None:
    """The smallest assignable person is part of the standing like the owner (the fold itself is in tests/heart)."""
    facts = story.history(story.registered("2026-01-05"), story.amended("2026-02-01", liaison=7))
    assert story.standing(facts, "2026-01-31").liaison_id is None and story.standing(facts, "2026-02-01").liaison_id == 7
