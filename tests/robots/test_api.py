"""Managing robots over REST and at the terminal: who may, what is refused, and that no answer holds what is hidden."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from app.cli import app
from app.cli import robots as command_line
from app.errors import DomainError
from app.main import build_house
from app.offices.desk import House
from app.robots import courier, handing, service
from app.robots.models import Robot
from tests.cast import County, found_county, make_settings, running
from tests.robots import peers
from tests.robots.peers import SECRETS, TOKEN, Peer, vendor

LISTED = "127.0.0.1,qyapi.weixin.qq.com,oapi.dingtalk.com"
DING = "https://oapi.dingtalk.com/robot/send?access_token=" + TOKEN


class Client:
    """Requests whose every answer is searched for what must not be in it."""

    def __init__(self, county: County) -> None:
        self.county = county

    def __call__(self, who: str, method: str, path: str, body: Any = None, status: int = 200, **headers: str) -> Any:
        answer = self.county.as_(who).request(method, path, json=body, headers=headers)
        assert answer.status_code == status, answer.text
        hidden = [TOKEN, TOKEN[:16], *(one for one in SECRETS.values() if one)]
        assert not any(one in answer.text or one in str(answer.headers) for one in hidden)
        return answer.json() if answer.content else None


@pytest.fixture
def call(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    monkeypatch.setattr(courier, "DEADLINE", 1.0)
    with running(make_settings(database_url, tmp_path, allowed_webhook_hosts=LISTED)) as county:
        yield Client(county)


def ding(**more: Any) -> dict[str, Any]:
    return {"office": "T01", "kind": "dingtalk", "name": "值班群", "url": DING, "secret": SECRETS["dingtalk"], **more}


def at(peer: Peer, **more: Any) -> dict[str, Any]:
    return {
        "office": "T01",
        "kind": peer.kind,
        "name": "值班群",
        "url": peer.url,
        **({"secret": peer.secret} if peer.secret else {}),
        **more,
    }


def test_a_robot_from_its_registration_to_its_removal(call: Client) -> None:
    made = call("officer", "POST", "/robots", ding(), 201)
    assert {name: made[name] for name in ("kind", "kind_label", "name", "host", "ends_with", "signed", "enabled")} == {
        "kind": "dingtalk", "kind_label": "钉钉", "name": "值班群", "host": "oapi.dingtalk.com", "ends_with": TOKEN[-4:], "signed": True,
        "enabled": True,
    }  # fmt: skip
    assert made["office"] == {"code": "T01", "name": "示例1镇"}
    changed = call("admin", "PATCH", f"/robots/{made['id']}", {"name": "新群", "enabled": False})
    assert (changed["name"], changed["enabled"], changed["ends_with"], changed["signed"]) == ("新群", False, TOKEN[-4:], True)
    moved = call("admin", "PATCH", f"/robots/{made['id']}", {"url": DING.replace("5f0c", "0000")[:-4] + "9999"})
    assert (moved["ends_with"], moved["signed"], moved["name"]) == ("9999", False, "新群")
    for who in ("clerk", "leader", "auditor", "townleader", "officer"):
        assert [one["id"] for one in call(who, "GET", "/robots?count=true")["items"]] == [made["id"]]
    for who in ("other", "department"):
        assert call(who, "GET", "/robots?count=true") == {"items": [], "total": 0}
    assert call("officer", "DELETE", f"/robots/{made['id']}", status=204) is None
    assert call("officer", "GET", "/robots")["items"] == []
    for method, path in (("PATCH", ""), ("DELETE", ""), ("POST", "/test")):
        call("officer", method, f"/robots/{made['id']}{path}", {} if method == "PATCH" else None, 404)
    with call.county.database.statement() as connection:
        assert connection.execute(sa.select(Robot.sealed, Robot.enabled, Robot.tail)).all() == [(None, False, "")]
    call("officer", "POST", "/robots", ding(), 201)  # name and address are free again


@pytest.mark.parametrize("who", ["clerk", "other", "leader", "auditor", "townleader", "department"])
def test_only_the_county_s_officers_and_administrators_manage(call: Client, who: str) -> None:
    made = call("officer", "POST", "/robots", ding(), 201)["id"]
    call(who, "POST", "/robots", ding(name="x"), 403)
    for method, path, body in (("PATCH", "", {"enabled": False}), ("DELETE", "", None), ("POST", "/test", None)):
        call(who, method, f"/robots/{made}{path}", body, 403)
    assert call("officer", "GET", "/robots")["items"][0]["enabled"]


REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({"url": "http://oapi.dingtalk.com/robot/send?access_token=" + TOKEN}, 422, "url"),
    ({"url": "https://evil.example/robot/send?access_token=" + TOKEN}, 422, "url"),
    ({"url": "https://oapi.dingtalk.com@evil.example/robot/send?access_token=" + TOKEN}, 422, "url"),
    ({"url": "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=" + TOKEN}, 422, "url"),
    ({"url": "x" * 1001}, 422, "url"),
    ({"url": None}, 422, "url"),
    ({"secret": "geheim"}, 422, "secret"),
    ({"kind": "wecom", "url": "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=" + TOKEN}, 422, "secret"),
    ({"kind": "telegram"}, 422, "kind"),
    ({"name": " "}, 422, "name"),
    ({"name": "a\nb"}, 422, "name"),
    ({"name": "值班群"}, 409, ""),
    ({"name": "别的群"}, 409, ""),
    ({"office": "X99"}, 404, ""),
    ({"office": "D"}, 422, "office"),
    ({"more": 1}, 422, "more"),
    ({"enabled": "yes"}, 422, "enabled"),
]


@pytest.mark.parametrize(("change", "status", "field"), REFUSED, ids=range(len(REFUSED)))
def test_refusals_say_what_to_do(call: Client, change: dict[str, Any], status: int, field: str) -> None:
    call("officer", "POST", "/robots", ding(), 201)
    # but for the last rows everything else is good: another name and another address
    other = {"name": "另一群", "url": DING[:-4] + "0000"} if change.get("name") != "别的群" else {}
    refusal = call("officer", "POST", "/robots", {**ding(), **other, **change}, status)
    assert refusal["hint"] and (not field or any(field in one["field"] for one in refusal["errors"]))
    assert len(call("officer", "GET", "/robots")["items"]) == 1


def test_an_address_and_its_secret_change_together(call: Client) -> None:
    made = call("officer", "POST", "/robots", ding(), 201)["id"]
    call("officer", "PATCH", f"/robots/{made}", {"secret": SECRETS["dingtalk"]}, 422)
    call("officer", "PATCH", f"/robots/{made}", {"url": DING, "secret": SECRETS["dingtalk"]})  # its own address is no other robot's
    call("officer", "POST", "/robots", ding(name="二", url=DING[:-4] + "0000"), 201)
    assert call("officer", "PATCH", f"/robots/{made}", {"url": DING[:-4] + "0000"}, 409)["field"] == "url"
    assert call("officer", "PATCH", f"/robots/{made}", {"name": "二"}, 409)["field"] == "name"


def test_an_address_is_registered_once_and_no_more_than_there_may_be(call: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MOST", 2)

    def once(number: int) -> int:
        body = ding(name=f"n{number}", url=DING[:-4] + f"000{number % 3}")
        headers = {"Authorization": f"Bearer {call.county.tokens['officer']}"}
        return httpx.post(call.county.address + "/api/v1/robots", json=body, headers=headers, timeout=60, trust_env=False).status_code

    with ThreadPoolExecutor(6) as pool:
        told = list(pool.map(once, range(6)))
    assert told.count(201) == 2 and told.count(409) == 4
    call("officer", "POST", "/robots", ding(name="x", office="T02", url=DING[:-4] + "9999"), 201)


def test_a_key_registers_one_robot(call: Client) -> None:
    first = call("officer", "POST", "/robots", ding(), 201, **{"Idempotency-Key": "k"})
    assert call("officer", "POST", "/robots", ding(), 201, **{"Idempotency-Key": "k"}) == first
    call("officer", "POST", "/robots", ding(url=DING[:-4] + "0000"), 422, **{"Idempotency-Key": "k"})


@pytest.mark.parametrize("kind", sorted(SECRETS))
def test_a_trial_really_sends(call: Client, kind: str) -> None:
    with vendor(kind) as peer:
        made = call("officer", "POST", "/robots", at(peer), 201)
        assert call("officer", "POST", f"/robots/{made['id']}/test")["outcome"] == "taken"
        assert len(peer.taken) == 1 and "示例1镇" in peer.taken[0] and "值班群" in peer.taken[0]


@pytest.mark.parametrize(
    ("act", "outcome", "words"),
    [
        (peers.answer(200, {"errcode": 300005, "errmsg": f"token {TOKEN} is not exist"}), "no", "300005"),
        (peers.answer(200, {"errcode": 130101, "errmsg": "send too fast"}), "later", "130101"),
        (peers.answer(200, b"<html>"), "unknown", "JSON"),
        (peers.answer(302, b"", Location="http://127.0.0.1:1/"), "no", "不跟随"),
        (peers.silent, "unknown", "1 秒"),
    ],
)
def test_a_trial_says_what_came_back(call: Client, act: peers.Act, outcome: str, words: str) -> None:
    with vendor("dingtalk", act) as peer:
        made = call("officer", "POST", "/robots", at(peer), 201)
        said = call("officer", "POST", f"/robots/{made['id']}/test")
        assert said["outcome"] == outcome and words in said["reason"] and len(peer.requests) == 1


def test_trials_have_their_pace(call: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handing, "A_MINUTE", 2)
    with vendor("wecom") as peer:
        made = call("officer", "POST", "/robots", at(peer), 201)["id"]
        for status in (200, 200, 429):
            call("officer", "POST", f"/robots/{made}/test", status=status)
        assert len(peer.requests) == 2


def test_a_slow_trial_keeps_nobody_from_writing(call: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even on SQLite, which has one writer."""
    monkeypatch.setattr(courier, "DEADLINE", 20.0)  # a busy machine takes its time to write
    with vendor("wecom", peers.silent) as peer, ThreadPoolExecutor(1) as pool:
        made = call("officer", "POST", "/robots", at(peer), 201)["id"]
        trial = pool.submit(call, "officer", "POST", f"/robots/{made}/test")
        assert peer.arrived.wait(10)
        call.county.register()
        assert not trial.done()
        peer.stopped.set()
        assert trial.result()["outcome"] == "unknown"


def test_only_some_trials_at_once(call: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "_AT_ONCE", threading.BoundedSemaphore(1))
    with vendor("wecom", peers.silent) as slow, vendor("wecom") as other, ThreadPoolExecutor(1) as pool:
        first = call("officer", "POST", "/robots", at(slow), 201)["id"]
        second = call("officer", "POST", "/robots", at(other, office="T02"), 201)["id"]
        trial = pool.submit(call, "officer", "POST", f"/robots/{first}/test")
        assert slow.arrived.wait(10)
        assert call("officer", "POST", f"/robots/{second}/test", status=503)["code"] == "busy"
        trial.result()
        call("officer", "POST", f"/robots/{second}/test")


# at the terminal ------------------------------------------------------------------------------------------


class Terminal:
    """`luodi …`, each time with a house of its own."""

    def __init__(self, url: str, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.url, self.folder, self.patch = url, folder, patch

    def house(self, **more: str) -> House:
        return build_house(make_settings(self.url, self.folder, allowed_webhook_hosts=LISTED, **more))

    def __call__(self, *words: str, typed: str = "", code: int = 0, **more: str) -> str:
        house = self.house(**more)
        self.patch.setattr(command_line, "open_house", lambda: house)
        done = CliRunner().invoke(app, words, input=typed)
        house.database.dispose()
        refusal = done.exception
        assert refusal is None or isinstance(refusal, SystemExit | DomainError), refusal
        said = done.output + (refusal.hint if isinstance(refusal, DomainError) else "")  # as main() prints it
        assert done.exit_code == code, said
        assert TOKEN not in said and str(SECRETS["dingtalk"]) not in said
        return done.stdout if "--json" in words else said


def test_at_the_terminal(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    luodi = Terminal(database_url, tmp_path, monkeypatch)
    founded = luodi.house()
    found_county(founded)
    founded.database.dispose()
    named = ("robot", "add", "--office", "T01", "--kind", "dingtalk", "--name", "值班群")
    with vendor("dingtalk", peers.works, peers.answer(200, {"errcode": 310000, "errmsg": "sign not match"})) as peer:
        typed = f"{peer.url}\n{peer.secret}\n"
        made = orjson.loads(luodi(*named, "--json", typed=typed).splitlines()[0])
        assert made["ends_with"] == TOKEN[-4:] and made["signed"]
        assert "已登记为另一个" in luodi(*named[:-1], "别的群", typed=typed, code=1)
        assert "完整复制" in luodi(*named[:-1], "别的群", typed=f"{DING}x y\n\n", code=1)
        luodi(*named[:-1], "别的群", typed="\n", code=1)
        assert "值班群" in luodi("robot", "list") and orjson.loads(luodi("robot", "list", "--json"))[0]["id"] == made["id"]
        assert "已送达" in luodi("robot", "test", str(made["id"]))
        assert "SEC" in luodi("robot", "test", str(made["id"]), code=1) and len(peer.taken) == 1
        # the key changes: the new one in front, then everything is sealed by it, then SECRET_KEY may go
        assert " 1 " in luodi("robot", "rekey", robot_key="the new key")
        changed = {"robot_key": "the new key", "secret_key": "t" * 32}
        luodi("robot", "test", str(made["id"]), **changed)
        assert len(peer.taken) == 2
        assert "ROBOT_KEY" in luodi("robot", "test", str(made["id"]), code=1) and "重新登记" in luodi("robot", "rekey", code=1)
    luodi("robot", "remove", str(made["id"]))
    luodi("robot", "test", str(made["id"]), code=1)
    assert luodi("robot", "list").strip() == ""
