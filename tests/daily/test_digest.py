"""What readers get to read."""

from datetime import date, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

from app.alerts import compose, digest
from app.alerts.hearing import Change, Project, Reader, Standing
from app.projects.derived import New
from tests.daily.county import MONDAY, County, at, days

DAY = date(2026, 3, 31)
TOWN = Reader("王五", "东山镇", False, False)
BUREAU = Reader("赵六", "县招商局", True, False)
LEADER = Reader("钱七", "县", True, True)


def flag(level: str = "red", rule: str = "signed_no_progress", label: str = "签约后无进展") -> Standing:
    return Standing(
        rule, label, level, date(2026, 3, 1), date(2026, 3, 31), ("公司注册",), "请推进公司注册", "exit_review", date(2026, 8, 28)
    )


def project(ref: str, before: str | None, after: str | None, *, stock: bool = False, name: str = "锂电材料项目") -> Project:
    change = Change("signed_no_progress", "签约后无进展", before, after, stock)
    opened = (flag(after),) if after else ()
    return Project(
        ref, name, "东山镇", "张三", "签约", date(2026, 3, 1), "12,000万元", f"http://localhost/projects/{ref}", (change,), opened
    )


def test_golden_text() -> None:
    told = digest.build(TOWN, DAY, [project("B", None, "yellow"), project("A", "yellow", "red"), project("C", "red", None)])
    assert told is not None
    assert told.subject == "【落地】东山镇：新增 1，升级 1，恢复 1（2026-03-31）"
    assert compose.as_text(told).splitlines() == [
        "东山镇 2026年3月31日",
        "按项目计：新增 1，升级 1，恢复 1",
        "",
        "升级（1 个项目）",
        "1. 锂电材料项目（A，东山镇）：签约，2026年3月1日起已 30 天；协议投资 12,000万元；责任人 张三",
        "   签约后无进展：黄灯→红灯，自2026年3月1日起已 30 天；缺：公司注册；请推进公司注册；须在2026年8月28日前办理，逾期转退出评估",
        "   http://localhost/projects/A",
        "",
        "新增（1 个项目）",
        "1. 锂电材料项目（B，东山镇）：签约，2026年3月1日起已 30 天；协议投资 12,000万元；责任人 张三",
        "   签约后无进展：黄灯，自2026年3月1日起已 30 天；缺：公司注册；请推进公司注册；须在2026年8月28日前办理，逾期转退出评估",
        "   http://localhost/projects/B",
        "",
        "恢复（1 个项目）",
        "1. 锂电材料项目（C，东山镇）：签约，2026年3月1日起已 30 天；协议投资 12,000万元；责任人 张三",
        "   签约后无进展：红灯→恢复",
        "   http://localhost/projects/C",
        "",
        "本邮件由系统自动发送，请勿回复。",
    ]
    html = compose.as_html(told)
    for line in told.sections[0][2]:
        assert line.head in html and all(fact in html for fact in line.facts)
    assert "<style" not in html and 'style="' in html


def test_stock_eased_and_due_soon_are_counted_apart() -> None:
    found = [project("A", None, "red", stock=True), project("B", "red", "yellow"), project("C", None, "blue")]
    told = digest.build(TOWN, DAY, found)
    assert told is not None and told.headline == "按项目计：新增 0，升级 0，恢复 0；另有存量 1，缓解 1，即将到期 1"
    assert [name for name, _, _ in told.sections] == ["存量", "即将到期", "缓解"]
    above = digest.build(BUREAU, DAY, found)
    assert above is not None and [name for name, _, _ in above.sections] == ["存量", "缓解"]
    assert digest.build(BUREAU, DAY, [project("C", None, "blue")]) is None


def test_leaders_hear_of_red_only() -> None:
    assert digest.build(LEADER, DAY, [project("A", None, "yellow")]) is None
    told = digest.build(LEADER, DAY, [project("A", "yellow", "red"), project("B", None, "yellow")])
    assert told is not None and told.subject.startswith("【落地】县：新增 0，升级 1，恢复 0")


def test_a_project_is_counted_once_whatever_its_rules() -> None:
    both = project("A", "yellow", "red")._replace(
        changes=(
            Change("signed_no_progress", "签约后无进展", "yellow", "red", False),
            Change("signed_to_registered", "签约后未注册公司", None, "red", False),
        ),
        open=(flag(), flag(rule="signed_to_registered", label="签约后未注册公司")),
    )
    told = digest.build(TOWN, DAY, [both])
    assert told is not None and told.subject.startswith("【落地】东山镇：新增 0，升级 1，恢复 0")
    assert len(told.sections[0][2][0].facts) == 2


def test_what_finds_no_place_is_attached_and_never_a_formula() -> None:
    found = [project(f"P{number:03d}", None, "red", name="=cmd|' /C calc'!A0") for number in range(digest.MAX_LINES + 3)]
    told = digest.build(TOWN, DAY, found)
    assert told is not None and told.rest == 3
    raw = compose.as_message(
        told, sender="luodi@example.org", name="王\r\nBcc: evil@example.org", recipient="wang@example.org",
        message_id=compose.message_id(DAY, 7, "http://luodi.example.org:8000/"), written_at=at(DAY),
    )  # fmt: skip
    message = message_from_bytes(raw, policy=default)
    assert isinstance(message, EmailMessage)
    assert message["Bcc"] is None and message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"] == "<digest.2026-03-31.7@luodi.example.org>"
    (attached,) = message.iter_attachments()
    content = attached.get_content()
    text = content if isinstance(content, str) else content.decode("utf-8-sig")
    assert text.count("'=cmd|") == 3 and "\n=cmd" not in text and ",=cmd" not in text
    page = message.get_body(("html",))
    assert page is not None and "http://localhost/projects/P000" in page.get_content()


def test_names_are_text_in_html() -> None:
    told = digest.build(TOWN, DAY, [project("A", None, "red", name="<script>alert(1)</script>")])
    assert told is not None and "<script>alert" not in compose.as_html(told)


def test_money_and_dates_as_offices_write_them() -> None:
    assert digest.chinese_date(date(2026, 3, 1)) == "2026年3月1日"
    assert digest.chinese_money(12_000_000_000, "CNY") == "12,000万元"
    assert digest.chinese_money(123_456_700, "CNY") == "123.4567万元"
    assert digest.chinese_money(9_000_000_000, "USD") == "9,000万美元"
    assert digest.chinese_money(None, None) is None


def test_each_hears_his_own(county: County) -> None:
    county.person("wu", "bureau", "leader")
    county.signed("A", MONDAY, office="T01")
    county.signed("B", MONDAY, office="T02", owner="wang")
    county.signed("C", MONDAY, office="T02")
    county.daily(MONDAY + timedelta(days=30))
    day = MONDAY + timedelta(days=30)
    assert county.subjects("wang")[day] == f"【落地】东山镇：新增 2，升级 0，恢复 0（{day}）"
    assert county.subjects("li")[day].startswith("【落地】西河镇：新增 2，")
    assert county.subjects("zhao")[day].startswith("【落地】县招商局：新增 3，")
    assert county.subjects("wu")[day].startswith("【落地】县招商局：新增 3，")
    assert county.subjects("qian")[day].startswith("【落地】县：新增 0，"), "the first of the month: his page, and none of theirs"
    assert len(list(county.mail.glob("*.eml"))) == 5


def test_nothing_new_says_nothing_but_the_bureau_keeps_its_summary(county: County) -> None:
    county.signed("A", MONDAY)
    red, saturday = MONDAY + timedelta(days=31), MONDAY + timedelta(days=33)
    assert county.daily(red)["deliveries"] == {"sent": 3}
    assert county.daily(red + timedelta(days=1))["deliveries"] == {"sent": 1}
    assert county.subjects("zhao")[red + timedelta(days=1)].startswith("【落地】县招商局：新增 0，升级 0，恢复 0")
    assert saturday.weekday() == 5 or county.daily(saturday)["deliveries"] == {}


def test_new_is_counted_from_the_last_digest_that_arrived(county: County) -> None:
    """A lost digest heals: its news is in the next one, as the net change."""
    county.signed("A", MONDAY)
    yellow, red = MONDAY + timedelta(days=22), MONDAY + timedelta(days=30)
    county.signed("B", MONDAY - timedelta(days=60))
    county.daily(MONDAY + timedelta(days=1))
    county.daily(yellow)
    county.came_to(yellow, "uncertain", "?")
    county.daily(red)
    # A since the lost digest, and B for its monthly report
    assert county.subjects("wang")[red].startswith("【落地】东山镇：新增 2，升级 0，")
    text = message_from_bytes(next(county.mail.glob(f"{red}-{county.people['zhao']}-*")).read_bytes(), policy=default)
    body = text.get_body(("plain",))
    assert body is not None and "未送达" in body.get_content() and "结果不明" in body.get_content()


def test_a_stop_that_only_a_claim_ended_waits_for_the_bureau(county: County) -> None:
    county.signed("A", MONDAY)
    day = MONDAY + timedelta(days=31)
    county.now_is(day)
    county.record("A", New("moved", MONDAY + timedelta(days=29), {"action": "secure_land", "evidence": []}), source="api")
    county.daily(day)
    path = next(county.mail.glob(f"{day}-{county.people['zhao']}-*"))
    body = message_from_bytes(path.read_bytes(), policy=default).get_body(("plain",))
    assert body is not None and "待认定" in body.get_content()


def test_a_poison_project_stops_only_itself(county: County) -> None:
    for ref in ("A", "B", "C"):
        county.signed(ref, MONDAY)
    with county.database.write() as connection:
        bad = "UPDATE standing SET detail = '{' WHERE project_id = (SELECT id FROM project WHERE ref = 'B')"
        connection.exec_driver_sql(bad)
    county.spoilt = True
    done = county.daily(MONDAY + timedelta(days=31))
    assert done["failed"] == 0 and done["deliveries"] == {"sent": 3}
    body = message_from_bytes(next(county.mail.glob(f"*-{county.people['wang']}-*")).read_bytes(), policy=default).get_body(("plain",))
    assert body is not None and "数据异常" in body.get_content() and "项目C" in body.get_content()


def test_a_clock_nobody_can_read_stops_only_its_project(sqlite_url: str, tmp_path: object) -> None:
    county = County(sqlite_url, tmp_path)  # type: ignore[arg-type]
    for ref in ("A", "B", "C"):
        county.signed(ref, MONDAY)
    with county.database.write() as connection:
        connection.exec_driver_sql("UPDATE clock SET soft_on = 'nonsense' WHERE project_id = 2")
    done = county.daily(MONDAY + timedelta(days=31))
    assert (done["failed"], done["failed_projects"]) == (1, ["B"])
    assert {ref for ref, _ in county.open_flags()} == {"A", "C"}
    county.close()


def test_a_bad_address_stops_only_its_reader(county: County) -> None:
    county.person("bad", "T01", "clerk", email="no address\r\nBcc: x@example.org")
    county.signed("A", MONDAY)
    day = MONDAY + timedelta(days=31)
    county.daily(day)
    states = county.states()
    assert states[day, "bad"] == "suppressed" and states[day, "wang"] == "sent"


def test_days_without_news_leave_no_trace(county: County) -> None:
    for day in days(MONDAY, 3):
        county.daily(day)
    assert county.states() == {}
