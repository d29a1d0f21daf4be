"""A forwarded link was answered by somebody else: the addressee hears of it the next workday, and takes it back; nobody else can."""

from __future__ import annotations

import html
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from email import message_from_bytes
from email.policy import default

import pytest
import sqlalchemy as sa

from app.alerts import by_link, history
from app.alerts.daily import daily
from app.alerts.models import Delivery
from app.alerts.readers import Recipient
from app.offices.models import Person
from app.policies.queries import book_of
from app.replies import rules
from app.replies.links import Link, Undo, signer
from app.replies.models import ReplyUse
from tests.replies.conftest import BLOCKER, DATE, FOLLOW_UP, NO_CHANGE, Desk

TOLD = re.compile(r"通过您的链接登记（\d+）\n((?:  .*\n)+)")


def digest(desk: Desk, who: str = "wang") -> str:
    """What somebody's digest of today says (it is written, and arrives); "" without one."""
    county = desk.county
    daily(county.database, county.house.settings, county.clock, book_of(county.database))
    with county.database.statement() as connection:
        mine = (Delivery.run_date == county.clock.today(), Delivery.person_id == desk.people[who][0])
        found = connection.execute(sa.select(Delivery.body, Delivery.state).where(*mine)).one_or_none()
    if found is None:
        return ""
    assert found.state == "sent"
    part = message_from_bytes(found.body, policy=default).get_body(("plain",))  # type: ignore[attr-defined]
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def told(desk: Desk, who: str = "wang") -> list[str]:
    """The lines of its section about links."""
    found = TOLD.search(digest(desk, who))
    return [line.strip() for line in found[1].splitlines()] if found else []


def undo_of(desk: Desk, who: str = "wang", use: int | None = None, day: date | None = None) -> str:
    """The token of an undo, of the last answer unless told otherwise."""
    with desk.county.database.statement() as connection:
        last = connection.scalar(sa.select(sa.func.max(ReplyUse.id)).where(ReplyUse.what == "answered", ReplyUse.kind != rules.UNDO))
    return signer(desk.county.house.settings).pack(Undo(*desk.people[who], use or last or 0, day or desk.county.clock.today()))


def take_back(desk: Desk, token: str, status: int = 200) -> str:
    """Press the page's button (or what would be it, where there is none)."""
    form = signer(desk.county.house.settings).form(token, desk.county.clock.now())
    answer = desk.client.post(f"/r/{token}", data={"form": form})
    assert answer.status_code == status, answer.text
    return answer.text


def states(desk: Desk) -> list[tuple[str, bool]]:
    """(kind, voided) of what came through links, oldest first."""
    return [(one["kind"], one["voided"]) for one in reversed(desk.facts())]


def test_the_addressee_hears_of_every_answer_and_takes_back_what_was_not_his(desk: Desk) -> None:
    desk.send(desk.token(), FOLLOW_UP)
    desk.at("2026-06-11T09:00:00+08:00")
    line, url, note = told(desk)
    assert line == f"年产5万吨锂电材料项目（{desk.ref}）：跟踪服务，2026-06-10 10:00，网络 127.0.0.0/24"
    assert "10 日内" in note and "不是您本人登记的" in note
    token = url.rpartition("/r/")[2]
    page = desk.open(token)
    assert "不是我登记的，撤回" in page and "跟踪服务" in page and "走访企业" not in page and "<script" not in page
    assert states(desk) == [("followed_up", False)], "opening takes nothing back"
    found = re.search(r'name="form" value="([^"]+)"', page)
    assert found is not None
    assert "已撤回" in desk.send(token, {}, form=html.unescape(found[1]))
    assert states(desk) == [("followed_up", True), ("voided", False)]
    void = desk.facts()[0]
    assert void["data"]["reason"] == rules.DISOWNED and void["actor"]["person_id"] == desk.people["wang"][0]
    assert desk.county.get("clerk", f"/projects/{desk.ref}")["last_contact_on"] is None
    assert "这条登记已经作废" in take_back(desk, token) and len(desk.facts()) == 2, "twice is once"
    desk.at("2026-06-12T09:00:00+08:00")
    (line, note) = told(desk)
    assert "撤回登记，2026-06-11" in line, "whoever took it back, the addressee hears of that too"
    desk.at("2026-06-15T09:00:00+08:00")
    assert told(desk) == []


def test_whoever_was_forwarded_the_link_can_take_nothing_back(desk: Desk) -> None:
    """A link and an undo are two keys: neither opens the other's door, and nobody writes one himself."""
    link = desk.token()
    desk.send(link, NO_CHANGE)
    undo, ours = undo_of(desk), signer(desk.county.house.settings)
    assert ours.undo(link) is None and ours.unpack(undo) is None and ours.undo(undo) is not None
    assert isinstance(ours.unpack(link), Link) and len(undo) == len(link)
    assert "撤回" not in desk.open(link)
    forged = undo[:-1] + ("A" if undo[-1] != "A" else "B")
    assert desk.client.post(f"/r/{forged}", data={"form": desk.form(undo)}).status_code == 404
    assert desk.client.post(f"/r/{undo}", data={**FOLLOW_UP, "form": desk.form(undo)}).status_code == 200, "an undo answers nothing"
    assert states(desk) == [("reported", True), ("voided", False)]


def test_an_undo_is_for_one_answer_of_one_person(desk: Desk) -> None:
    desk.send(desk.token(), BLOCKER)
    desk.send(desk.token("zhao"), NO_CHANGE)
    with desk.county.database.statement() as connection:
        mine = connection.scalar(sa.select(ReplyUse.id).where(ReplyUse.what == "answered", ReplyUse.person_id == desk.people["wang"][0]))
        opened = connection.scalar(sa.select(sa.func.min(ReplyUse.id)).where(ReplyUse.what == "opened"))
    for token in (undo_of(desk, "li", mine), undo_of(desk, "wang", opened), undo_of(desk, "wang", 10**9)):
        assert "链接已失效" in take_back(desk, token, 410) and "堵点" not in desk.open(token, 410)
    assert not any(voided for _, voided in states(desk))
    take_back(desk, undo_of(desk, "wang", mine))
    assert states(desk) == [("noted", True), ("reported", False), ("voided", False)], "the other reader's stays"


def test_it_is_good_for_ten_days_and_while_he_is_there(desk: Desk) -> None:
    desk.send(desk.token(), DATE)
    token = undo_of(desk)
    desk.at("2026-06-21T00:00:00+08:00")
    assert "链接已过期" in take_back(desk, token, 410)
    desk.at("2026-06-20T23:00:00+08:00")
    with desk.county.database.write() as connection:
        gone = sa.update(Person).where(Person.id == desk.people["wang"][0])
        connection.execute(gone.values(left_on=date(2026, 6, 20)))
    assert "链接已失效" in take_back(desk, token, 410)
    with desk.county.database.write() as connection:
        connection.execute(gone.values(left_on=None, role="auditor"))
    assert not any(voided for _, voided in states(desk))
    assert "已撤回" in take_back(desk, token), "who may not report any more can still say that it was not him"
    assert desk.county.get("officer", f"/projects/{desk.ref}")["planned_start_on"] is None


def test_other_sites_and_old_pages_take_nothing_back(desk: Desk) -> None:
    desk.send(desk.token(), NO_CHANGE)
    token = undo_of(desk)
    form = desk.form(token)
    assert "没有登记" in desk.send(token, {}, 403, form=form, **{"Sec-Fetch-Site": "cross-site"})
    desk.at("2026-06-10T23:00:00+08:00")
    assert "页面打开太久了" in desk.send(token, {}, 403, form=form)
    assert states(desk) == [("reported", False)] and [use[1] for use in desk.uses() if use[0] == "refused"] == ["elsewhere", "old_page"]


def test_many_at_once_are_one(desk: Desk) -> None:
    desk.send(desk.token(), NO_CHANGE)
    token = undo_of(desk)
    form = desk.form(token)
    with ThreadPoolExecutor(6) as many:
        answers = list(many.map(lambda _: desk.client.post(f"/r/{token}", data={"form": form}), range(6)))
    assert [one.status_code for one in answers] == [200] * 6 and states(desk) == [("reported", True), ("voided", False)]
    assert sum("已撤回" in one.text for one in answers) == 1


def test_what_somebody_else_voided_is_told_without_a_link(desk: Desk) -> None:
    desk.send(desk.token(), NO_CHANGE)
    fact = desk.facts()[0]["id"]
    desk.county.post("officer", f"/facts/{fact}/void", {"reason": "重复"})
    desk.at("2026-06-11T09:00:00+08:00")
    line, note = told(desk)
    assert line.endswith("；已作废") and "不是您本人登记的" in note


@pytest.mark.parametrize("elsewhere", [True, False])
def test_the_bureau_sees_answers_from_a_network_that_never_spoke_for_him(desk: Desk, elsewhere: bool) -> None:
    desk.send(desk.token(), FOLLOW_UP)
    first = "10.9.8.0/24" if elsewhere else "127.0.0.0/24"
    with desk.county.database.write() as connection:
        connection.execute(sa.update(ReplyUse).where(ReplyUse.what == "answered").values(network=first))
    desk.at("2026-06-11T10:00:00+08:00")
    desk.send(desk.token(), NO_CHANGE)
    desk.at("2026-06-12T09:00:00+08:00")
    said = digest(desk, "zhao")
    assert said, "the bureau reads every workday with yellow or red"
    odd = "链接登记的网络与以往不同（近 7 日 1 条）"
    assert (odd in said) == elsewhere and ("示例1镇王一：" in said) == elsewhere
    assert ("以前没有从该网络登记过" in "".join(told(desk))) == elsewhere
    desk.at("2026-06-22T09:00:00+08:00")
    assert odd not in digest(desk, "zhao") and digest(desk, "zhao")


def test_a_lost_digest_tells_it_again_with_a_link_that_is_good(desk: Desk) -> None:
    desk.send(desk.token(), NO_CHANGE)
    for day in (11, 12):
        desk.at(f"2026-06-{day}T09:00:00+08:00")
        line, url, _ = told(desk)
        assert "没有变化，2026-06-10" in line and "网络 127.0.0.0/24" in line
        with desk.county.database.write() as connection:
            history.move_all(connection, (Delivery.run_date == desk.county.clock.today(),), "failed", "?", desk.county.clock.now())
        undo = signer(desk.county.house.settings).undo(url.rpartition("/r/")[2])
        assert undo is not None and undo.run_date == desk.county.clock.today() and undo.last_day == undo.run_date + timedelta(days=10)


def test_an_undo_cannot_be_taken_back_itself(desk: Desk) -> None:
    """Only answers can: whoever takes back the taking back would speak for a stranger again."""
    desk.send(desk.token(), NO_CHANGE)
    take_back(desk, undo_of(desk))
    with desk.county.database.statement() as connection:
        undo = connection.scalar(sa.select(ReplyUse.id).where(ReplyUse.what == "answered", ReplyUse.kind == rules.UNDO))
    assert undo is not None
    token = undo_of(desk, use=undo)
    assert "链接已失效" in desk.open(token, 410) and "链接已失效" in take_back(desk, token, 410)
    assert states(desk) == [("reported", True), ("voided", False)]


def test_each_hears_what_came_after_his_own_last_digest(desk: Desk) -> None:
    """Two were last told on the same day, one before the answers of ten o'clock and one after them: each hears of his once."""
    readers = ("wang", "zhao")
    for who in readers:
        desk.send(desk.token(who), NO_CHANGE)
    day, before, after = date(2026, 6, 10), *(desk.county.clock.now() + timedelta(hours=hours) for hours in (-1, 1))
    for knows in (*readers, None):
        group = [
            Recipient(desk.people[who][0], who, "", "clerk", desk.people[who][1], "", "town", "", day, after if who == knows else before)
            for who in readers
        ]
        with desk.county.database.statement() as connection:
            found = by_link.blocks(connection, group, date(2026, 6, 11), desk.county.house.settings)
        assert set(found) == {desk.people[who][0] for who in readers if who != knows}
