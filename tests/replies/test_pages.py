"""One line, one page, one answer: what is recorded, and everything that must not be."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.errors import CommitUnknown
from app.offices.models import Office, Person
from app.projects.models import FactRow
from app.replies import queries, service
from app.replies.links import signer
from app.replies.models import ReplyUse
from tests.replies.conftest import ANSWERS, BLOCKER, DATE, FOLLOW_UP, NO_CHANGE, Desk

TOLD = {
    "follow_up": ("followed_up", {"channel": "visit", "note": "走访企业，设备已订购"}),
    "date": ("milestone", {"milestone": "real_start", "planned": True, "planned_on": "2026-09-01", "note": "征地推迟"}),
    "blocker": ("noted", {"note": "堵点：用地指标未落实，请自然资源局解决", "about": "blocker"}),
    "no_change": ("reported", {"no_change": True}),
}


@pytest.mark.parametrize("given", ANSWERS, ids=lambda given: given["kind"])
def test_an_answer_is_a_fact_of_its_addressee(desk: Desk, given: dict[str, str]) -> None:
    page = desk.send(desk.token(), given)
    assert "已登记" in page and "<form" not in page
    (fact,) = desk.facts()
    kind, data = TOLD[given["kind"]]
    assert (fact["kind"], fact["data"]) == (kind, data)
    number, office = desk.people["wang"]
    assert fact["actor"] == {"office_id": office, "role": "clerk", "person_id": number}
    project = desk.county.get("clerk", f"/projects/{desk.ref}")
    today = desk.county.clock.today().isoformat()
    assert project["version"] == 2
    assert (project["last_contact_on"] == today) == (kind == "followed_up") and (project["last_report_on"] == today) == (kind == "reported")
    assert (project["planned_start_on"] == "2026-09-01") == (kind == "milestone")


def test_the_page_says_for_whom_it_is_and_little_else(desk: Desk) -> None:
    desk.county.sign(desk.ref)
    page = desk.open(desk.token())
    assert "您是 <strong>王一</strong>（示例1镇）吗？" in page and "年产5万吨锂电材料项目" in page and "签约" in page
    assert not any(hidden in page for hidden in ("120000000", "12,000", "HT-2026-001", desk.ref, "示例新材料"))
    assert "<script" not in page and " style=" not in page


def test_a_page_is_kept_by_nobody_and_tells_nobody_its_address(desk: Desk) -> None:
    for answer in (desk.client.get(f"/r/{desk.token()}"), desk.client.get("/r/nothing"), desk.client.post(f"/r/{desk.token()}")):
        assert answer.headers["cache-control"] == "no-store" and answer.headers["referrer-policy"] == "no-referrer"
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "script" not in policy and "unsafe" not in policy and "form-action 'self'" in policy
        assert answer.headers["x-frame-options"] == "DENY" and "set-cookie" not in answer.headers


def test_opening_writes_that_it_was_opened_and_nothing_else(desk: Desk) -> None:
    """Mail scanners and previews open links too, some with HEAD, some several times."""
    token = desk.token()
    version = desk.county.get("clerk", f"/projects/{desk.ref}")
    for _ in range(3):
        desk.open(token)
    assert desk.client.head(f"/r/{token}").status_code == 200
    assert desk.client.get(f"/r/{token}", params=FOLLOW_UP | {"form": desk.form(token)}).status_code == 200, "a query is no answer"
    again = desk.county.get("clerk", f"/projects/{desk.ref}")
    assert again["version"] == version["version"] and desk.facts() == [] and desk.uses() == [("opened", "", 6)]
    desk.send(token, NO_CHANGE)
    assert len(desk.facts()) == 1, "and the addressee can still answer"


def test_twice_is_once_and_another_answer_is_refused(desk: Desk) -> None:
    token, form = desk.token(), desk.form(desk.token())
    desk.send(token, FOLLOW_UP, form=form)
    said = desk.send(token, FOLLOW_UP, form=form)
    assert "已经登记过" in said and "跟踪服务" in said and "没有重复记录" in said
    for other in (FOLLOW_UP | {"note": "另一件事"}, NO_CHANGE):
        refused = desk.send(token, other, 409, form=form)
        assert "一个链接只能登记一次" in refused and "更正" in refused
    page = desk.open(token)
    assert "已经登记过" in page and "<form" not in page and "走访企业" not in page, "nor is told what was written"
    assert [fact["kind"] for fact in desk.facts()] == ["followed_up"]
    assert [use for use in desk.uses() if use[0] != "opened"] == [
        ("answered", "", 1),
        ("repeated", "", 1),
        ("refused", "answered_before", 2),
    ]
    desk.at("2026-06-11T10:00:00+08:00")
    desk.send(desk.token(), NO_CHANGE)
    assert len(desk.facts()) == 2, "the next morning's link is another one"


@pytest.mark.parametrize("same", [True, False])
def test_many_at_once_are_one(desk: Desk, same: bool) -> None:
    token, form = desk.token(), desk.form(desk.token())
    given = [{**FOLLOW_UP, "note": "走访" if same else f"走访{number}"} for number in range(8)]
    with ThreadPoolExecutor(8) as many:
        answers = list(many.map(lambda one: desk.client.post(f"/r/{token}", data={**one, "form": form}), given))
    codes = sorted(answer.status_code for answer in answers)
    assert codes == ([200] * 8 if same else [200] + [409] * 7)
    assert sum("<h1>已登记</h1>" in answer.text for answer in answers) == 1 and len(desk.facts()) == 1


def test_links_of_two_readers_are_two_answers(desk: Desk) -> None:
    """Town and bureau both hear of the project; each answers for himself."""
    desk.send(desk.token("wang"), NO_CHANGE)
    desk.send(desk.token("zhao"), FOLLOW_UP)
    assert [fact["actor"]["person_id"] for fact in desk.facts()] == [desk.people["zhao"][0], desk.people["wang"][0]]


def refused(desk: Desk, token: str, status: int, reason: str) -> str:
    """Neither opened nor answered, and both are recorded as refused; the page tells nothing of the project."""
    page = desk.open(token, status)
    answer = desk.client.post(f"/r/{token}", data={**NO_CHANGE, "form": form_of(desk, token)})
    assert answer.status_code == status and answer.text == page and "<form" not in page
    assert "锂电" not in page and "王一" not in page and "值班员" in page
    assert desk.facts() == [] and desk.uses()[-1] == ("refused", reason, 2)
    return page


def form_of(desk: Desk, token: str) -> str:
    """The form of a page that was opened while it could be."""
    return signer(desk.county.house.settings).form(token, desk.county.clock.now())


def test_it_expires(desk: Desk) -> None:
    token, old = desk.token(), desk.token(day=desk.county.clock.today() - timedelta(days=11))
    assert "链接已过期" in refused(desk, old, 410, "expired")
    desk.at("2026-06-20T23:59:59+08:00")
    desk.open(token)
    desk.at("2026-06-21T00:00:00+08:00")
    assert "链接已过期" in desk.open(token, 410)
    desk.at("2026-06-20T12:00:00+08:00")
    desk.send(token, NO_CHANGE)


def test_whoever_left_cannot_answer(desk: Desk) -> None:
    token = desk.token()
    with desk.county.database.write() as connection:
        connection.execute(sa.update(Person).where(Person.id == desk.people["wang"][0]).values(left_on=date(2026, 6, 11)))
    desk.open(token)  # his last day
    desk.at("2026-06-11T08:00:00+08:00")
    refused(desk, token, 410, "left")


def test_whoever_moved_cannot_answer(desk: Desk) -> None:
    token = desk.token()
    with desk.county.database.write() as connection:
        other = sa.select(Office.id).where(Office.code == "T02").scalar_subquery()
        connection.execute(sa.update(Person).where(Person.id == desk.people["wang"][0]).values(office_id=other))
    refused(desk, token, 410, "moved")


def test_whoever_became_an_auditor_cannot_answer(desk: Desk) -> None:
    token = desk.token()
    with desk.county.database.write() as connection:
        connection.execute(sa.update(Person).where(Person.id == desk.people["wang"][0]).values(role="auditor"))
    refused(desk, token, 403, "role")


def test_a_project_that_left_the_office_is_out_of_reach(desk: Desk) -> None:
    token = desk.token()
    body = {"office": "T02", "owner_id": desk.people["li"][0], "reason": "移交"}
    answer = desk.county.as_("officer").patch(f"/projects/{desk.ref}", json=body, headers={"If-Match": "*"})
    assert answer.status_code == 200, answer.text
    refused(desk, token, 410, "outside")
    desk.send(desk.token("li"), NO_CHANGE)


def test_of_another_town_nothing_is_told(desk: Desk) -> None:
    refused(desk, desk.token("li"), 410, "outside")


@pytest.mark.parametrize("named", ["owner_id", "liaison_id"])
def test_whose_it_is_answers_for_what_lies_in_another_town(desk: Desk, named: str) -> None:
    body = {named: desk.people["li"][0], "reason": "由西镇干部包抓"}
    answer = desk.county.as_("officer").patch(f"/projects/{desk.ref}", json=body, headers={"If-Match": "*"})
    assert answer.status_code == 200, answer.text
    desk.send(desk.token("li"), NO_CHANGE)
    assert desk.facts()[0]["actor"]["person_id"] == desk.people["li"][0]


def test_a_link_to_nothing_is_refused_and_breaks_nothing(desk: Desk) -> None:
    desk.people["nobody"] = (10**6, 1)
    assert desk.client.get(f"/r/{desk.token('nobody')}").status_code == 410
    real, desk.number = desk.number, lambda ref: 10**12  # type: ignore[method-assign]
    token = desk.token()
    desk.number = real  # type: ignore[method-assign]
    assert desk.client.get(f"/r/{token}").status_code == 410 and desk.uses() == []


@pytest.mark.parametrize(
    "edit", [lambda one: one[:-1], lambda one: one + "A", lambda one: one.swapcase(), lambda one: "%00" * 16, lambda one: "😀"]
)
def test_an_edited_link_is_nothing(desk: Desk, edit: Any) -> None:
    token = desk.token()
    for answer in (
        desk.client.get(f"/r/{edit(token)}"),
        desk.client.post(f"/r/{edit(token)}", data={**NO_CHANGE, "form": desk.form(token)}),
    ):
        assert answer.status_code == 404 and "链接不完整或有误" in answer.text
    assert desk.facts() == [] and {use[0] for use in desk.uses()} == {"opened"}


def test_a_link_opens_nothing_else(desk: Desk) -> None:
    for path in (f"/api/v1/projects/{desk.ref}", "/api/v1/me", "/api/v1/reply-uses"):
        assert desk.client.get(path, headers={"Authorization": f"Bearer {desk.token()}"}).status_code == 401


def test_other_sites_cannot_send_the_form(desk: Desk) -> None:
    token = desk.token()
    form = desk.form(token)
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}):
        assert "没有登记" in desk.send(token, NO_CHANGE, 403, form=form, **headers)
    other = desk.token("zhao")
    for bad in ("", "x", form + "0", desk.form(other)):
        assert "请重新打开" in desk.client.post(f"/r/{token}", data={**NO_CHANGE, "form": bad}).text
    assert desk.client.post(f"/r/{token}").status_code == 403
    assert desk.facts() == []
    assert {use[1] for use in desk.uses()} == {"", "elsewhere", "old_page"}
    desk.send(token, NO_CHANGE, form=form, Origin="null", **{"Sec-Fetch-Site": "same-origin"})


def test_a_page_of_yesterday_is_not_sent(desk: Desk) -> None:
    token, form = desk.token(), desk.form(desk.token())
    desk.at("2026-06-10T23:00:00+08:00")
    assert "页面打开太久了" in desk.send(token, NO_CHANGE, 403, form=form)
    desk.send(token, NO_CHANGE)


MARKUP = "\"><script>alert(1)</script><img src=x onerror=alert(1)>{{7*7}}${7*7}'&amp;"


def test_markup_stays_text_everywhere(desk: Desk) -> None:
    county = desk.county
    with county.database.write() as connection:
        connection.execute(sa.update(Person).where(Person.id == desk.people["wang"][0]).values(name=MARKUP[:100]))
        connection.execute(sa.update(Office).where(Office.code == "T01").values(name=MARKUP))
    ref = county.register(name=MARKUP)
    token = desk.token(ref=ref)
    bad = [{**given, name: MARKUP} for given in ANSWERS for name in given]
    form, pages = desk.form(token), [desk.open(token)]
    pages += [desk.client.post(f"/r/{token}", data={**one, "form": form}).text for one in bad]
    pages.append(desk.send(token, {**FOLLOW_UP, "channel": MARKUP, "note": MARKUP}, 422, form=form))
    for page in pages:
        assert "<script" not in page and "<img" not in page and MARKUP in html.unescape(page)
    assert {use[1] for use in desk.uses()} >= {"invalid"}


ODD = [
    {"kind": "move"}, {"kind": ""}, {}, {**NO_CHANGE, "action": "sign"}, {**NO_CHANGE, "reason": "x"},
    {**FOLLOW_UP, "note": ""}, {**FOLLOW_UP, "note": "  \r\n "}, {**FOLLOW_UP, "note": "字" * 501}, {**FOLLOW_UP, "note": "a\x00b"},
    {**FOLLOW_UP, "channel": "pigeon"}, {**FOLLOW_UP, "effective_on": "2020-01-01"},
    {**DATE, "on": ""}, {**DATE, "on": "2026-02-30"}, {**DATE, "on": "2026-06-09"}, {**DATE, "on": "2036-06-11"}, {**DATE, "on": "1"},
    {**DATE, "milestone": "contract_signed"}, {**DATE, "reason": ""}, {**BLOCKER, "text": ""}, {**BLOCKER, "text": "\u2028"},
]  # fmt: skip


def test_what_cannot_be_is_refused_and_what_was_typed_stays(desk: Desk) -> None:
    token = desk.token()
    form = desk.form(token)
    for given in ODD:
        page = desk.send(token, given, 422, form=form)
        assert "没有登记，请修改后再提交" in page and re.search("请(用|选择|写明|重新打开)|新的日期应在", page), given
        for name in ("note", "reason", "text", "on"):
            value = given.get(name, "")
            assert not value.isprintable() or value in page, "what was typed is not lost"
    assert desk.facts() == [] and [use for use in desk.uses() if use[0] == "refused"] == [("refused", "invalid", len(ODD))]


def test_the_longest_text_is_taken_and_more_than_a_form_is_not(desk: Desk) -> None:
    token, form = desk.token(), desk.form(desk.token())
    big = desk.client.post(f"/r/{token}", data={"kind": "blocker", "text": "字" * 6000, "form": form})
    assert big.status_code == 413
    many = desk.client.post(
        f"/r/{token}", content=urlencode([("x", "1")] * 30), headers={"Content-Type": "application/x-www-form-urlencoded"}
    )
    twice = desk.client.post(
        f"/r/{token}", content="kind=no_change&kind=blocker", headers={"Content-Type": "application/x-www-form-urlencoded"}
    )
    raw = desk.client.post(f"/r/{token}", content=b"kind=%ff&form=\xff", headers={"Content-Type": "application/x-www-form-urlencoded"})
    typed = desk.client.post(f"/r/{token}", json=NO_CHANGE)
    assert [one.status_code for one in (many, twice, raw, typed)] == [422, 422, 422, 415] and desk.facts() == []
    text = "字\r\n" + "𠮷" * 498
    desk.send(token, {"kind": "blocker", "text": text}, form=form)
    assert desk.facts()[0]["data"]["note"] == "堵点：" + text.replace("\r\n", "\n")


def test_a_form_is_taken_nowhere_else(desk: Desk) -> None:
    answer = desk.county.as_("clerk").post(f"/projects/{desk.ref}/follow-ups", data={"channel": "call"})
    assert answer.status_code == 415


def test_the_projects_own_rules_hold(desk: Desk) -> None:
    desk.send(desk.token(), DATE)
    desk.at("2026-06-11T10:00:00+08:00")
    page = desk.send(desk.token(), DATE | {"reason": "再报一次"}, 409)
    assert "该节点的计划日期没有变化" in page and "再报一次" in page
    assert [use for use in desk.uses() if use[0] == "refused"] == [("refused", "ruled_out", 1)] and len(desk.facts()) == 1


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (lambda: CommitUnknown("?"), "不能确定是否已登记"),
        (lambda: PoolTimeout(), "系统暂时繁忙，没有登记"),
        (lambda: OperationalError("BEGIN", None, Exception("database is locked")), "系统暂时繁忙，没有登记"),
    ],
)
def test_a_database_that_is_away_is_told_in_words(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, fault: Callable[[], Exception], said: str
) -> None:
    token, form = desk.token(), desk.form(desk.token())

    def broken(*_: Any, **__: Any) -> None:
        raise fault()

    with monkeypatch.context() as patched:
        patched.setattr(service, "_answered", broken)
        page = desk.send(token, NO_CHANGE, 503, form=form)
    assert said in page and "请过一分钟" in page and "锂电" not in page
    desk.send(token, NO_CHANGE, form=form)


def test_a_token_is_in_no_log_and_in_no_table(desk: Desk, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    token = desk.token()
    desk.send(token, BLOCKER)

    def broken(*_: Any) -> None:
        raise RuntimeError(f"GET /r/{token} HTTP/1.1")

    monkeypatch.setattr(queries, "shown", broken)
    assert desk.client.get(f"/r/{token}").status_code == 500
    said = capfd.readouterr()
    assert "unexpected error on /r/***" in said.err and token not in said.err + said.out
    with desk.county.database.statement() as connection:
        rows = [str(row) for table in (ReplyUse, FactRow) for row in connection.execute(sa.select(table.__table__))]
    assert rows and not any(token in row for row in rows)


def test_uses_are_listed_for_those_whose_people_they_are(desk: Desk) -> None:
    county = desk.county
    desk.send(desk.token(), BLOCKER)
    desk.open(desk.token("li"), 410)
    found = county.get("auditor", "/reply-uses", count=True)
    assert [(one["what"], one["reason"], one["person"]["name"], one["network"]) for one in found["items"]] == [
        ("refused", "outside", "李二", "127.0.0.0/24"),
        ("answered", None, "王一", "127.0.0.0/24"),
        ("opened", None, "王一", "127.0.0.0/24"),
    ] and found["total"] == 3  # fmt: skip
    answered = found["items"][1]
    assert answered["fact_id"] == desk.facts()[0]["id"] and answered["kind"] == "blocker" and answered["project"]["ref"] == desk.ref
    for who, names in (("clerk", {"王一"}), ("other", {"李二"}), ("officer", {"王一", "李二"}), ("department", set())):
        assert {one["person"]["name"] for one in county.get(who, "/reply-uses")["items"]} == names
    number = desk.people["wang"][0]
    for asked, many in (({"what": "opened"}, 1), ({"person": number}, 2), ({"project": desk.ref}, 3), ({"date": "2026-06-09"}, 0)):
        assert len(county.get("officer", "/reply-uses", **asked)["items"]) == many
    walked, cursor = [], None
    while True:
        page = county.get("officer", "/reply-uses", limit=1, **({"cursor": cursor} if cursor else {}))
        walked += page["items"]
        if (cursor := page["next_cursor"]) is None:
            break
    assert walked == found["items"]
    county.get("officer", "/reply-uses", 422, cursor=county.get("officer", "/reply-uses", limit=1)["next_cursor"], what="opened")
