"""A county's robots, from the morning's run to what the group reads: every state, every fault, nothing twice."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa

from app.alerts import service as messages
from app.alerts.models import Delivery
from app.alerts.sender import Sender
from app.offices.access import Caller
from app.robots import courier, handing, service
from app.robots.models import Robot
from tests.conftest import MakeDatabase
from tests.daily.county import MONDAY, County
from tests.invariants import check_invariants
from tests.robots import peers
from tests.robots.child import send_and_die
from tests.robots.peers import Peer, vendor

RED = MONDAY + timedelta(days=31)
LOOPBACK = {"dev": True, "allowed_webhook_hosts": "127.0.0.1"}
EVERYTHING = Caller(None, 0, "", "", "county", "admin", None, "/")
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.robots.child"])


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier, "DEADLINE", 1.0)


class Fate(NamedTuple):
    state: str
    reason: str
    parts: int | None
    waits: timedelta
    number: int


class Groups:
    """A county with flags, and robots in its groups."""

    def __init__(self, url: str, folder: Path) -> None:
        self.county = County(url, folder, **LOOPBACK)
        self.robots: dict[str, int] = {}

    def stops(self, number: int = 1, office: str = "T01", length: int = 1) -> None:
        """So many projects that turned red."""
        for at in range(number):
            self.county.signed(f"{office}-{at:02d}", MONDAY, office=office, name=f"{office}项目{at:02d}" + "超长名称" * (length - 1))

    def group(self, peer: Peer, office: str = "T01", name: str = "值班群", **given: Any) -> int:
        with self.county.database.write() as connection:
            number = service.add(
                connection, self.county.settings, office=office, kind=peer.kind, name=name, url=peer.url, secret=peer.secret,
                now=self.county.clock.now(), **given,
            )  # fmt: skip
        self.robots[office] = number
        return number

    def send(self, minutes: int = 0) -> None:
        """The next round of the scheduler's sender."""
        self.county.clock.instant += timedelta(minutes=minutes)
        Sender(self.county.database, self.county.clock, self.county.settings).run()

    def fate(self, whose: str | int = "T01", day: date = RED) -> Fate:
        """Of the robot with a number, or of the last one that an office was given."""
        number = whose if isinstance(whose, int) else self.robots[whose]
        columns = (Delivery.state, Delivery.reason, Delivery.parts_taken, Delivery.next_try_at, Delivery.id)
        with self.county.database.statement() as connection:
            query = sa.select(*columns).where(Delivery.robot_id == number, Delivery.run_date == day)
            row = connection.execute(query).one()
        return Fate(row[0], row[1] or "", row[2], row[3] - self.county.clock.instant, row[4])

    def resend(self, whose: str | int = "T01") -> None:
        number = self.fate(whose).number
        with self.county.database.write() as connection:
            messages.resend(connection, number, EVERYTHING, now=self.county.clock.now())


@pytest.fixture
def groups(database_url: str, tmp_path: Path) -> Iterator[Groups]:
    made = Groups(database_url, tmp_path)
    yield made
    with made.county.database.statement() as connection:
        check_invariants(connection)
    made.county.close()


def test_every_kind_of_robot_carries_its_office_s_news(groups: Groups) -> None:
    places = {"T01": "dingtalk", "T02": "feishu", "bureau": "wecom", "county": "webhook"}
    groups.stops(2, "T01")
    groups.stops(1, "T02")
    with ExitStack() as stack:
        vendors = {office: stack.enter_context(vendor(kind)) for office, kind in places.items()}
        for office, peer in vendors.items():
            groups.group(peer, office)
        told = groups.county.daily(RED)
        assert told["robots"] == 4 and told["deliveries"] == {"sent": 8}
        for office, peer in vendors.items():
            assert groups.fate(office).state == "sent" and len(peer.taken) == len(peer.requests) == 1, office
        town, other, bureau, county = (vendors[office].taken[0] for office in places)
        assert "【落地】东山镇" in town and "T01项目00" in town and "T01项目01" in town and "T02" not in town
        assert "【落地】西河镇" in other and "T02项目00" in other and "T01" not in other
        for text in (bureau, county):
            assert "T01项目00" in text and "T02项目00" in text and "红灯及以上 3 个" in text and "当前亮灯" in text
        assert vendors["county"].ids == [f"digest.{RED}.robot-{groups.robots['county']}"]
        assert set(groups.county.states().values()) == {"sent"}
        again = groups.county.daily()
        assert again == told and all(len(peer.requests) == 1 for peer in vendors.values())


def test_a_quiet_day_says_nothing_and_a_new_one_only_what_is_new(groups: Groups) -> None:
    groups.stops(1)
    with vendor("dingtalk") as peer:
        groups.group(peer)
        groups.county.daily(RED)
        groups.county.daily(RED + timedelta(days=1))
        assert len(peer.taken) == 1
        groups.county.signed("late", RED + timedelta(days=4) - timedelta(days=30), name="后来的项目")
        groups.county.daily(RED + timedelta(days=4))
        assert len(peer.taken) == 2 and "后来的项目" in peer.taken[1] and "T01项目00" not in peer.taken[1]


def test_what_did_not_arrive_is_told_again_on_the_next_day(groups: Groups) -> None:
    groups.stops(1)
    with vendor("dingtalk", peers.answer(200, {"errcode": 310000, "errmsg": "sign not match"})) as peer:
        groups.group(peer)
        groups.county.daily(RED)
        assert groups.fate().state == "failed"
        groups.county.daily(RED + timedelta(days=1))
        assert len(peer.taken) == 1 and "T01项目00" in peer.taken[0]


FINAL = [
    (peers.answer(200, {"errcode": 300005, "errmsg": "token is not exist"}), "failed", "access_token 无效"),
    (peers.answer(200, {"errcode": 310000, "errmsg": "sign not match"}), "failed", "SEC"),
    (peers.answer(200, {"errcode": 310000, "errmsg": "keywords not in content"}), "failed", "关键词"),
    (peers.answer(200, {"errcode": 310000, "errmsg": "ip 1.1.1.1 not in whitelist"}), "failed", "IP"),
    (peers.answer(200, {"errcode": 460101, "errmsg": "message too long"}), "failed", "460101"),
    (peers.answer(302, b"", Location="http://127.0.0.1:1/"), "failed", "不跟随"),
    (peers.answer(404, b"nothing here"), "failed", "HTTP 404"),
    (peers.answer(200, b"<html>please log in</html>"), "uncertain", "JSON"),
    (peers.answer(200, b'{"errcode": 0, "er'), "uncertain", "JSON"),
    (peers.answer(200, b"ok"), "uncertain", "JSON"),
    (peers.answer(502, b"<html>bad gateway</html>"), "uncertain", "502"),
    (peers.answer(504, b""), "uncertain", "504"),
    (peers.reset, "uncertain", "未收到完整答复"),
    (peers.hang_up, "uncertain", "未收到完整答复"),
    (peers.truncated, "uncertain", "未收到完整答复"),
    (peers.silent, "uncertain", "1 秒"),
    (peers.taken_in_silence, "uncertain", "1 秒"),
    (peers.drip, "uncertain", "1 秒"),
    (peers.drip_body, "uncertain", "1 秒"),
    (peers.huge, "uncertain", "过长"),
]


def test_ends_that_are_never_repeated(groups: Groups) -> None:
    """Every one of them in a group of its own, so that each also stops only itself."""
    groups.stops(1, "T01")
    groups.stops(1, "T02")
    with ExitStack() as stack:
        vendors = {at: stack.enter_context(vendor("dingtalk", act)) for at, (act, _, _) in enumerate(FINAL)}
        numbers = {at: groups.group(peer, "T01" if at % 2 else "T02", f"群{at}") for at, peer in vendors.items()}
        groups.county.daily(RED)
        fates = {at: groups.fate(number) for at, number in numbers.items()}
        assert {at: fate.state for at, fate in fates.items()} == {at: state for at, (_, state, _) in enumerate(FINAL)}
        assert {at: fate.reason for at, fate in fates.items() if FINAL[at][2] not in fate.reason} == {}
        for _ in range(3):
            groups.send(60)
        assert {at: len(peer.requests) for at, peer in vendors.items() if len(peer.requests) != 1} == {}
        for number in numbers.values():  # unless a person says so
            groups.resend(number)
        groups.send()
        assert {groups.fate(number).state for number in numbers.values()} == {"sent"}
        assert {len(peer.requests) for peer in vendors.values()} == {2}


AGAIN = [
    (peers.answer(200, {"errcode": 130101, "errmsg": "send too fast, exceed 20 times per minute"}), "130101", 600),
    (peers.answer(200, {"status": 1111, "wait": 5, "punish": "deny"}), "限流", 600),
    (peers.answer(200, {"errcode": -1, "errmsg": "busy"}), "-1", 60),
    (peers.answer(429, b"", Retry_After="300"), "429", 300),
    (peers.answer(429, b""), "429", 60),
    (peers.answer(500, b"oops"), "500", 60),
    (peers.answer(503, b"", Retry_After="1800"), "503", 1800),
]


def test_what_passes_by_itself_is_tried_again_and_not_before(groups: Groups) -> None:
    groups.stops(1)
    with ExitStack() as stack:
        vendors = {at: stack.enter_context(vendor("dingtalk", act)) for at, (act, _, _) in enumerate(AGAIN)}
        numbers = {at: groups.group(peer, name=f"群{at}") for at, peer in vendors.items()}
        groups.county.daily(RED)
        for at, (_, words, wait) in enumerate(AGAIN):
            fate = groups.fate(numbers[at])
            assert fate.state == "pending" and words in fate.reason and 0 <= wait - fate.waits.total_seconds() < 30, (at, fate)
        groups.send()
        assert {len(peer.requests) for peer in vendors.values()} == {1}
        groups.send(6)
        sent = {at for at, number in numbers.items() if groups.fate(number).state == "sent"}
        assert sent == {at for at, (_, _, wait) in enumerate(AGAIN) if wait <= 300}
        groups.send(30)
        assert {groups.fate(number).state for number in numbers.values()} == {"sent"}
        assert {(len(peer.requests), len(peer.taken)) for peer in vendors.values()} == {(2, 1)}


def test_nobody_there_is_tried_again_until_the_day_ends(groups: Groups) -> None:
    groups.stops(1)
    with vendor("wecom") as peer:
        groups.group(peer)
    groups.county.daily(RED)
    assert groups.fate().state == "pending" and "无法连接" in groups.fate().reason
    groups.county.now_is(RED, 20, 1)
    groups.send()
    assert groups.fate().state == "expired" and "无法连接" in groups.fate().reason


def test_a_bad_robot_stops_only_itself(groups: Groups) -> None:
    groups.stops(1, "T01")
    groups.stops(1, "T02")
    with vendor("wecom", peers.silent) as bad, vendor("wecom") as good:
        groups.group(bad, "T01")
        groups.group(good, "T02")
        told = groups.county.daily(RED)
        assert told["deliveries"] == {"sent": 5, "uncertain": 1}
        assert groups.fate("T02").state == "sent" and groups.fate("T01").state == "uncertain"


def many(groups: Groups) -> None:
    """News that take three parts in WeCom's form."""
    groups.stops(20, length=28)


def parts_of(peer: Peer) -> list[str]:
    """The number each part carries that was taken."""
    return [text.splitlines()[0].partition("（2026")[2].partition("（")[2].partition("）")[0] for text in peer.taken]


def test_a_long_message_arrives_in_parts_each_once(groups: Groups) -> None:
    many(groups)
    with vendor("wecom") as peer:
        groups.group(peer)
        groups.county.daily(RED)
        assert groups.fate()[:3] == ("sent", "errcode 0（共 3 部分）", 3)
        assert parts_of(peer) == ["1/3", "2/3", "3/3"]
        whole = "\n".join(peer.taken)
        assert all(whole.count(f"T01项目{number:02d}") == 1 for number in range(20))


def test_a_later_part_goes_on_where_it_stopped(groups: Groups) -> None:
    many(groups)
    with vendor("wecom", peers.works, peers.answer(200, {"errcode": 45009, "errmsg": "api freq out of limit"})) as peer:
        groups.group(peer)
        groups.county.daily(RED)
        fate = groups.fate()
        assert fate.state == "pending" and fate.parts == 1 and "第 2/3 部分" in fate.reason and "前 1 部分已送达" in fate.reason
        groups.send(2)
        assert groups.fate().state == "sent" and parts_of(peer) == ["1/3", "2/3", "3/3"]


@pytest.mark.parametrize(
    "act", [peers.silent, peers.answer(200, {"errcode": 93000, "errmsg": "invalid webhook url"})], ids=["unknown", "no"]
)
def test_a_person_s_resend_repeats_no_part_that_was_taken(groups: Groups, act: peers.Act) -> None:
    many(groups)
    with vendor("wecom", peers.works, act) as peer:
        groups.group(peer)
        groups.county.daily(RED)
        fate = groups.fate()
        assert fate.state in ("uncertain", "failed") and fate.parts == 1 and "第 2/3 部分" in fate.reason
        groups.send(60)
        assert parts_of(peer) == ["1/3"]
        groups.resend()
        groups.send()
        assert groups.fate().state == "sent" and parts_of(peer) == ["1/3", "2/3", "3/3"]


def test_a_robot_speaks_no_oftener_than_it_may(groups: Groups, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handing, "A_MINUTE", 2)
    many(groups)
    with vendor("wecom") as peer:
        groups.group(peer)
        groups.county.daily(RED)
        fate = groups.fate()
        assert fate.state == "pending" and fate.parts == 2 and "频率" in fate.reason and fate.waits <= timedelta(seconds=61)
        groups.send(2)
        assert len(peer.requests) == 2, "the minute is a real one"
        monkeypatch.setattr(handing, "A_MINUTE", 10)
        groups.send(2)
        assert groups.fate().state == "sent" and parts_of(peer) == ["1/3", "2/3", "3/3"]


def test_switched_off_removed_or_no_longer_allowed(groups: Groups) -> None:
    groups.stops(1, "T01")
    groups.stops(1, "T02")
    later = peers.answer(503, b"")
    with vendor("wecom", later) as one, vendor("wecom", later) as two, vendor("wecom", later) as three:
        for peer, office in ((one, "T01"), (two, "T02"), (three, "bureau")):
            groups.group(peer, office)
        groups.county.daily(RED)
        with groups.county.database.write() as connection:
            now = groups.county.clock.now()
            service.change(connection, groups.county.settings, groups.robots["T01"], enabled=False, now=now)
            service.remove(connection, groups.robots["T02"], now=now)
        groups.county.settings = groups.county.settings.model_copy(update={"allowed_webhook_hosts": "qyapi.weixin.qq.com"})
        groups.send(5)
        assert groups.fate("T01").state == groups.fate("T02").state == "suppressed" and "停用" in groups.fate("T01").reason
        assert groups.fate("bureau").state == "failed" and "ALLOWED_WEBHOOK_HOSTS" in groups.fate("bureau").reason
        assert [len(peer.requests) for peer in (one, two, three)] == [1, 1, 1]
        groups.county.signed("next", RED + timedelta(days=1) - timedelta(days=30))
        assert groups.county.daily(RED + timedelta(days=1)).get("robots", 0) == 1  # the bureau's only


def test_a_lost_key_is_told_and_sends_nothing(groups: Groups) -> None:
    groups.stops(1)
    with vendor("wecom") as peer:
        groups.group(peer)
        groups.county.settings = groups.county.settings.model_copy(update={"secret_key": "another one"})
        groups.county.daily(RED)
        assert groups.fate().state == "failed" and "密钥" in groups.fate().reason and peer.requests == []


def test_the_bureau_hears_of_a_robot_that_could_not_be_reached(groups: Groups) -> None:
    groups.stops(1)
    with vendor("wecom", peers.answer(200, {"errcode": 93000, "errmsg": "invalid webhook url"})) as peer:
        groups.group(peer, name="东山值班群")
        groups.county.daily(RED)
        groups.county.daily(RED + timedelta(days=1))
        (mail,) = groups.county.mail.glob(f"{RED + timedelta(days=1)}-*zhao*")
        text = message_from_bytes(mail.read_bytes(), policy=default).get_body(("plain",))
        assert text is not None and "东山镇群机器人“东山值班群”" in text.get_content() and "93000" in text.get_content()


# killed ---------------------------------------------------------------------------------------------------


def child(groups: Groups, number: int = 0) -> multiprocessing.process.BaseProcess:
    settings = groups.county.settings
    told = (settings.database_url, str(settings.var_dir), groups.county.clock.now(), number)
    process = PROCESSES.Process(target=send_and_die, args=told)
    process.start()
    return process


def waiting(groups: Groups, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message that waits to be sent."""
    with monkeypatch.context() as patch:
        patch.setattr(Sender, "run", lambda self: {})
        groups.county.daily(RED)
    assert groups.fate().state == "pending"


@pytest.mark.parametrize("taken", [0, 1])
def test_killed_between_the_marker_and_the_answer(groups: Groups, taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    many(groups)
    with vendor("wecom", *[peers.works] * taken, peers.taken_in_silence) as peer:
        groups.group(peer)
        waiting(groups, monkeypatch)
        process = child(groups)
        while len(peer.requests) <= taken:
            assert peer.arrived.wait(30) and process.is_alive()
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join(30)
        groups.send()
        assert groups.fate().state == "uncertain" and (groups.fate().parts or 0) == taken
        groups.send(60)
        assert len(peer.requests) == taken + 1, "it was sent again without a person's decision"
        groups.resend()
        groups.send()
        assert groups.fate().state == "sent"
        assert parts_of(peer) == [*["1/3"][:taken], f"{taken + 1}/3", *[f"{at}/3" for at in range(taken + 1, 4)]]


@pytest.mark.timeout(300)
def test_killed_in_any_transaction_no_part_is_taken_twice(
    database_kind: str, make_database: MakeDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, states = 1, set()
    while True:
        folder = tmp_path / str(number)
        folder.mkdir()
        groups = Groups(make_database(database_kind), folder)
        many(groups)
        with vendor("wecom") as peer:
            groups.group(peer)
            waiting(groups, monkeypatch)
            process = child(groups, number)
            process.join(60)
            assert process.exitcode in (0, -signal.SIGKILL)
            groups.send()
            groups.send(12)
            fate, taken = groups.fate(), parts_of(peer)
            assert taken == [f"{at}/3" for at in range(1, len(taken) + 1)], f"killed in transaction {number}: {taken}"
            assert fate.state == ("sent" if len(taken) == 3 and fate.parts == 3 else "uncertain"), (number, fate, taken)
            states.add(fate.state)
        with groups.county.database.statement() as connection:
            check_invariants(connection)
        groups.county.close()
        if process.exitcode == 0:
            break
        number += 1
    assert number > 9 and states == {"sent", "uncertain"}


def test_a_message_fixed_once_stays_as_it_was(groups: Groups) -> None:
    """Bytes of a day never change, whatever happens between attempts; only signatures do."""
    groups.stops(1)
    with vendor("webhook", peers.answer(503, b"")) as peer:
        groups.group(peer)
        groups.county.daily(RED)
        groups.county.signed("more", RED - timedelta(days=1), name="后来登记的")
        groups.send(5)
        first, second = peer.requests
        assert first.body == second.body and first.headers["webhook-id"] == second.headers["webhook-id"]


def test_nothing_of_the_secrets_is_written_anywhere(
    groups: Groups, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level("DEBUG")
    groups.stops(1)
    echo = peers.answer(200, {"errcode": 300005, "errmsg": f"token {peers.TOKEN} is not exist, {peers.SECRETS['dingtalk']}"})
    acts = [echo, peers.silent, peers.answer(500, b""), peers.works]
    with vendor("dingtalk", *acts) as peer:
        groups.group(peer)
        for days in range(4):
            groups.county.signed(f"new{days}", RED + timedelta(days=days) - timedelta(days=30))
            groups.county.daily(RED + timedelta(days=days))
        groups.send(5)
        assert len(peer.requests) >= 4
    with groups.county.database.statement() as connection:
        tables = ("robot", "delivery", "delivery_event", "channel_state")
        rows = [tuple(row) for table in tables for row in connection.exec_driver_sql(f"SELECT * FROM {table}")]
    told = capfd.readouterr()
    seen = [told.out, told.err, caplog.text, str(rows), *(str(record.args) for record in caplog.records)]
    seen += [path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*") if path.is_file()]
    for secret in (peers.TOKEN, peers.SECRETS["dingtalk"], peers.TOKEN[:20]):
        assert secret is not None and not any(secret in text for text in seen)
    assert sum("robot" in text for text in seen) > 0


def test_times_of_a_robot(groups: Groups) -> None:
    """Ten in any sixty seconds; the eleventh learns how long to wait; others have turns of their own."""
    with vendor("wecom") as one:
        number = groups.group(one)
        with vendor("wecom") as two:
            other = groups.group(two, "T02")
    start = datetime.fromisoformat("2026-06-10T08:00:00+00:00")

    def turn(robot: int, seconds: float) -> int:
        with groups.county.database.write() as connection:
            return handing.take_turn(connection, robot, start + timedelta(seconds=seconds))

    assert [turn(number, at) for at in range(10)] == [0] * 10
    assert turn(number, 10) == 51 and turn(number, 59.5) == 1 and turn(other, 10) == 0
    assert turn(number, 60) == 0 and turn(number, 60.5) == 1 and turn(number, 61) == 0
    with groups.county.database.statement() as connection:
        assert len(str(connection.scalar(sa.select(Robot.recent).where(Robot.id == number)))) < 500
