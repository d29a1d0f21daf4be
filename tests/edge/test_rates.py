"""Who asks too often waits, and is told how long; nobody else notices, and nobody can make the tables grow."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from app.errors import RateLimited
from app.gate import Limits, address_of
from app.http import problem
from app.rate import Rate
from tests.cast import County, make_settings, running


@pytest.fixture(autouse=True)
def no_time_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Limits, "stopwatch", staticmethod(lambda: 50.0))


def test_a_minutes_worth_at_once_then_one_at_a_time() -> None:
    rate = Rate(60)
    assert [rate.take("a", 100.0) for _ in range(60)] == [0.0] * 60
    assert rate.take("a", 100.0) == pytest.approx(1.0)
    assert rate.take("b", 100.0) == 0.0
    assert rate.take("a", 100.9) == pytest.approx(0.1)
    assert rate.take("a", 101.0) == 0.0
    assert rate.take("a", 101.0) == pytest.approx(1.0)
    assert sum(rate.take("a", 101.0 + number / 100) == 0.0 for number in range(6000)) == 59


def test_no_limit_is_no_limit() -> None:
    rate = Rate(0)
    assert not any(rate.take("a", 1.0) for _ in range(10_000))


def test_the_table_of_callers_has_an_end() -> None:
    rate = Rate(60, most=100)
    for number in range(10_000):
        rate.take(f"stranger {number}", number / 1_000)
    assert len(rate) <= 100
    rate = Rate(60, most=100)
    for _ in range(60):
        rate.take("busy", 0.0)
    for number in range(99):
        rate.take(f"stranger {number}", 0.0)
    rate.take("one more", 30.0)  # the strangers have earned theirs back, the busy one has not
    assert "busy" in rate and len(rate) == 2


@pytest.mark.parametrize(
    ("client", "address"),
    [
        (("10.1.2.3", 5), "10.1.2.3"),
        (("2001:db8:1:2:3:4:5:6", 5), "2001:db8:1:2::"),
        (("2001:db8:1:2:ffff::1", 5), "2001:db8:1:2::"),
        (("::ffff:10.1.2.3", 5), "10.1.2.3"),
        (("fe80::1%eth0", 5), "fe80::"),
        (("x" * 500, 5), "x" * 64),
        (("a:b:c", 5), "a:b:c"),
        (None, ""),
    ],
)
def test_whom_an_address_stands_for(client: tuple[str, int] | None, address: str) -> None:
    assert address_of(client) == address


def test_a_token_is_known_only_once_it_proved_good() -> None:
    limits = Limits(6000, 3)
    client = ("10.0.0.1", 1)
    for status in (404, 422, 405, 500, 503, 429):  # what a wrong token meets too
        limits.judge(status, "a.b", client, limits.admit("a.b", client))
        assert "a.b" not in limits.tokens
    for status in (200, 201, 403, 409):
        token = f"good.{status}"
        limits.judge(status, token, client, limits.admit(token, client))
        assert token in limits.tokens and limits.admit(token, client) is None
    for number in range(3):
        limits.judge(401, f"bad.{number}", client, limits.admit(f"bad.{number}", client))
    with pytest.raises(RateLimited):
        limits.admit("bad.9", client)
    assert limits.admit("good.200", client) is None
    limits.judge(401, "good.200", client, None)  # revoked
    with pytest.raises(RateLimited):
        limits.admit("good.200", client)


def limited(answer: httpx.Response) -> int:
    assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited"), answer.text
    assert answer.headers["content-type"] == "application/problem+json" and "重试" in answer.json()["hint"]
    seconds = int(answer.headers["retry-after"])
    assert seconds >= 1 and answer.json()["retry_after"] == seconds
    return seconds


def test_a_token_that_asks_too_often_waits(database_url: str, tmp_path: Path) -> None:
    with running(make_settings(database_url, tmp_path, rate_per_minute=40, refusals_per_minute=60)) as county:
        ref = county.register()
        answers = [county.as_("clerk").get(f"/projects/{ref}") for _ in range(60)]  # the short way
        assert [one.status_code for one in answers] == [200] * 39 + [429] * 21
        assert limited(answers[-1]) <= 2
        for path in ("/projects", "/me"):
            limited(county.as_("clerk").get(path))
        limited(county.as_("clerk").post(f"/projects/{ref}/follow-ups", json={"channel": "call"}))
        limited(county.as_("clerk").post("/projects", json={"name": "x", "office": "T01"}))
        limited(county.as_("clerk").get("/me", headers={"Authorization": f"Bearer   {county.tokens['clerk']}"}))
        assert county.get("officer", f"/projects/{ref}")["version"] == 1  # others are served, and nothing was written
        assert httpx.get(county.address + "/livez", trust_env=False).status_code == 200


def test_guessing_tokens_is_slowed_and_good_ones_pass(database_url: str, tmp_path: Path) -> None:
    with running(make_settings(database_url, tmp_path, rate_per_minute=6000, refusals_per_minute=10)) as county:
        county.get("clerk", "/me")
        number = county.tokens["clerk"].partition(".")[0]
        guesses = [{"Authorization": f"Bearer {number}.guess{turn}"} if turn % 3 else {} for turn in range(30)]
        answers = [county.as_("nobody").get("/me", headers=guess) for guess in guesses]
        assert [one.status_code for one in answers[:10]] == [401] * 10
        assert all(limited(one) for one in answers[12:])
        limited(county.as_("nobody").post("/projects", json={}))
        assert county.get("clerk", "/me")["role"] == "clerk"  # known here: a neighbour's guesses are not held against it
        limited(county.as_("officer").get("/me"))  # not known yet, and from the same address
        assert httpx.get(county.address + "/readyz", trust_env=False).status_code == 200


def test_an_address_without_a_token_is_limited_too(database_url: str, tmp_path: Path) -> None:
    open_to_all = ("/readyz", "/openapi.json", "/docs", "/static/project.js", "/nothing")
    with running(make_settings(database_url, tmp_path, rate_per_minute=20)) as county, httpx.Client(trust_env=False) as client:
        answers = [client.get(county.address + path) for path in open_to_all * 6]
        assert [one.status_code for one in answers[:4]] == [200] * 4 and limited(answers[-1])
        assert {client.get(county.address + "/livez").status_code for _ in range(50)} == {200}


def test_an_address_is_believed_only_from_a_named_proxy(database_url: str, tmp_path: Path) -> None:
    def statuses(county: County) -> list[int]:
        return [
            county.as_("nobody").get("/me", headers={"Authorization": "Bearer a.b", "X-Forwarded-For": f"10.0.0.{turn}"}).status_code
            for turn in range(10)
        ]

    with running(make_settings(database_url, tmp_path, refusals_per_minute=5)) as county:
        assert statuses(county)[-1] == 429


def test_a_named_proxy_is_believed(database_url: str, tmp_path: Path) -> None:
    with running(make_settings(database_url, tmp_path, refusals_per_minute=5, trusted_proxies="127.0.0.1, ::1")) as county:
        for turn in range(20):
            headers = {"Authorization": "Bearer a.b", "X-Forwarded-For": f"10.9.9.9, 10.0.0.{turn}"}
            assert county.as_("nobody").get("/me", headers=headers).status_code == 401
        same = {"Authorization": "Bearer a.b", "X-Forwarded-For": "10.9.9.9, 10.0.1.1"}
        assert [county.as_("nobody").get("/me", headers=same).status_code for _ in range(7)][-1] == 429


def test_waiting_is_always_a_whole_second_or_more() -> None:
    limits = Limits(6000, 0)
    with pytest.raises(RateLimited) as refused:
        for _ in range(6001):
            limits.admit(None, ("10.0.0.1", 1))
    assert problem(refused.value).headers["retry-after"] == "1"
