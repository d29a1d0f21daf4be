"""Each vendor's form: limits in bytes as the vendor counts them, signatures read by somebody else, and what answers mean."""

import base64
import subprocess
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from app.robots.kinds import KINDS, webhook
from app.robots.kinds.base import LATER, NO, TAKEN, UNKNOWN, Message, Reply
from app.robots.sealed import Secrets
from app.robots.splitting import Row

NOW = datetime(2026, 6, 10, 0, 0, 0, 123456, tzinfo=UTC)
VENDORS = ("wecom", "dingtalk", "feishu")
HOSTILE = '<font color=\'red\'>x</font>[点这里](http://evil.example)*粗* `码` # @所有人 <at user_id="all"></at> "引" \\ \n新行'


def message(rows: list[Row], title: str = "【落地】东山镇：新增 1，升级 2，恢复 0（2026-06-10）") -> Message:
    return Message("digest.2026-06-10.robot-7", "digest.daily", NOW, title, tuple(rows), {"date": "2026-06-10"})


def said(kind: str, payload: bytes) -> str:
    """What people would read of a payload."""
    told = orjson.loads(payload)
    if kind == "wecom":
        return str(told["markdown"]["content"])
    if kind == "dingtalk":
        return str(told["markdown"]["text"])
    post = told["content"]["post"]["zh_cn"]
    return "\n".join([post["title"], *("".join(one["text"] for one in line) for line in post["content"])])


def weight(kind: str, payload: bytes) -> int:
    """Bytes as the vendor counts them: WeCom those of the text, the others those of the whole request."""
    if kind == "wecom":
        return len(said(kind, payload).encode())
    return len(KINDS[kind].signed(Secrets("https://x", "s" * 32), payload, "1", NOW).body)


@pytest.mark.parametrize("kind", VENDORS)
@given(
    rows=st.lists(st.builds(Row, st.text(max_size=200), st.sampled_from(["", "https://luodi.example/projects/T01-2026-0001"])), max_size=60)
)
def test_no_part_is_longer_than_the_vendor_takes(kind: str, rows: list[Row]) -> None:
    rows = [row._replace(text=row.text.encode("utf-8", "replace").decode() * 3) for row in rows]
    for payload in KINDS[kind].payloads(message(rows)):
        assert weight(kind, payload) <= KINDS[kind].limit


@pytest.mark.parametrize("kind", VENDORS)
def test_a_long_message_comes_in_numbered_parts_with_every_line(kind: str) -> None:
    rows = [Row(f"项目{number:03d}" + "签约后无进展" * 20, "https://luodi.example/projects/1") for number in range(200)]
    payloads = KINDS[kind].payloads(message(rows))
    texts = [said(kind, payload) for payload in payloads]
    assert len(texts) > 2
    for at, text in enumerate(texts, 1):
        assert f"（{at}/{len(texts)}）" in text.splitlines()[0]
    whole = "\n".join(texts)
    assert all(whole.count(f"项目{number:03d}签") == 1 for number in range(200))


@pytest.mark.parametrize("kind", VENDORS)
def test_names_format_nothing_and_call_nobody(kind: str) -> None:
    (payload,) = KINDS[kind].payloads(message([Row(HOSTILE), Row(HOSTILE, "https://luodi.example/a(b) c")]))
    text = said(kind, payload)
    for mark in ("<", "@", "`", "](http://evil", 'user_id="all">'):
        assert mark not in text
    if kind == "feishu":
        assert {one["tag"] for line in orjson.loads(payload)["content"]["post"]["zh_cn"]["content"] for one in line} == {"text", "a"}
    else:
        assert "](https://luodi.example/a%28b%29%20c)" in text


def openssl(key: bytes, text: bytes) -> str:
    """The HMAC by another hand than ours."""
    made = subprocess.run(
        ["openssl", "dgst", "-sha256", "-mac", "HMAC", "-macopt", f"hexkey:{key.hex()}", "-binary"],
        input=text,
        capture_output=True,
        check=True,
    )
    return base64.b64encode(made.stdout).decode()


def test_dingtalk_signs_timestamp_and_secret_in_the_query() -> None:
    secret = "SEC" + "0123456789abcdef" * 4
    ready = KINDS["dingtalk"].signed(Secrets("https://x", secret), b"{}", "1", NOW)
    query = {name: values[0] for name, values in parse_qs(ready.query, strict_parsing=True).items()}
    assert query["timestamp"] == "1781049600123"
    assert query["sign"] == openssl(secret.encode(), f"{query['timestamp']}\n{secret}".encode())
    assert KINDS["dingtalk"].signed(Secrets("https://x"), b"{}", "1", NOW).query == ""


def test_feishu_signs_nothing_with_timestamp_and_secret_in_the_body() -> None:
    secret = "Abc0123456789xyz"
    ready = KINDS["feishu"].signed(Secrets("https://x", secret), orjson.dumps({"msg_type": "post"}), "1", NOW)
    told = orjson.loads(ready.body)
    assert told["timestamp"] == "1781049600" and told["msg_type"] == "post"
    assert told["sign"] == openssl(f"{told['timestamp']}\n{secret}".encode(), b"")
    assert orjson.loads(KINDS["feishu"].signed(Secrets("https://x"), b'{"msg_type": "post"}', "1", NOW).body) == {"msg_type": "post"}


def test_a_webhook_is_read_by_the_library_of_its_standard() -> None:
    secret = "whsec_" + base64.b64encode(bytes(range(32))).decode()
    now = datetime.now(UTC)
    (payload,) = KINDS["webhook"].payloads(message([Row("项目一", "https://luodi.example/1"), Row("“引号”\n换行")]))
    ready = KINDS["webhook"].signed(Secrets("https://x", secret), payload, "digest.2026-06-10.robot-7", now)
    told = Webhook(secret).verify(ready.body, dict(ready.headers))
    assert told["type"] == "digest.daily" and told["timestamp"] == "2026-06-10T00:00:00.123456Z" and told["data"]["date"] == "2026-06-10"
    assert webhook.key_of(secret) == bytes(range(32)) == webhook.key_of(secret.rstrip("="))


def reply(body: Any, status: int = 200, **headers: str) -> Reply:
    return Reply(status, headers, body if isinstance(body, bytes) or body is None else orjson.dumps(body))


ANSWERS: list[tuple[str, Any, int, str]] = [
    ("wecom", {"errcode": 0, "errmsg": "ok"}, 200, TAKEN),
    ("wecom", {"errcode": 93000, "errmsg": "invalid webhook url, hint: [1]"}, 200, NO),
    ("wecom", {"errcode": 40058, "errmsg": "markdown.content exceed max length 4096"}, 200, NO),
    ("wecom", {"errcode": 45009, "errmsg": "api freq out of limit"}, 200, LATER),
    ("wecom", {"errcode": -1, "errmsg": "system error"}, 200, LATER),
    ("wecom", {"errcode": 99999999}, 200, NO),
    ("wecom", {"errcode": "0"}, 200, UNKNOWN),
    ("wecom", {"errcode": False}, 200, UNKNOWN),
    ("wecom", {"errcode": None}, 200, UNKNOWN),
    ("wecom", {}, 200, UNKNOWN),
    ("wecom", [], 200, UNKNOWN),
    ("wecom", b"ok", 200, UNKNOWN),
    ("wecom", b"<html>login</html>", 200, UNKNOWN),
    ("wecom", b'{"errcode": 0, "errm', 200, UNKNOWN),
    ("wecom", b'{"errcode": NaN}', 200, UNKNOWN),
    ("wecom", None, 200, UNKNOWN),
    ("wecom", b"", 200, UNKNOWN),
    ("wecom", b"", 204, UNKNOWN),
    ("wecom", {"errcode": 0}, 503, LATER),
    ("wecom", b"", 302, NO),
    ("wecom", b"", 404, NO),
    ("wecom", b"", 429, LATER),
    ("wecom", b"", 500, LATER),
    ("wecom", b"", 503, LATER),
    ("wecom", b"<html>bad gateway</html>", 502, UNKNOWN),
    ("wecom", b"", 504, UNKNOWN),
    ("dingtalk", {"errcode": 0, "errmsg": "ok"}, 200, TAKEN),
    ("dingtalk", {"errcode": 310000, "errmsg": "sign not match, more: [https://ding-doc]"}, 200, NO),
    ("dingtalk", {"errcode": 310000, "errmsg": "keywords not in content"}, 200, NO),
    ("dingtalk", {"errcode": 310000, "errmsg": "invalid timestamp"}, 200, NO),
    ("dingtalk", {"errcode": 310000, "errmsg": "ip 1.2.3.4 not in whitelist"}, 200, NO),
    ("dingtalk", {"errcode": 300001, "errmsg": "token is not exist"}, 200, NO),
    ("dingtalk", {"errcode": 460101, "errmsg": "message too long, exceed 20000 bytes"}, 200, NO),
    ("dingtalk", {"errcode": 130101, "errmsg": "send too fast, exceed 20 times per minute"}, 200, LATER),
    ("dingtalk", {"status": 1111, "wait": 5, "source": "x5", "punish": "deny", "uuid": "9"}, 200, LATER),
    ("dingtalk", {"errcode": -1}, 200, LATER),
    ("feishu", {"code": 0, "msg": "success", "StatusCode": 0, "StatusMessage": "success"}, 200, TAKEN),
    ("feishu", {"StatusCode": 0, "StatusMessage": "success"}, 200, TAKEN),
    ("feishu", {"code": 19021, "msg": "sign match fail or timestamp is not within one hour from current time"}, 200, NO),
    ("feishu", {"code": 19021, "StatusCode": 0}, 200, NO),
    ("feishu", {"code": 0, "StatusCode": 19021}, 200, NO),
    ("feishu", {"code": 19022, "msg": "Ip Not Allowed"}, 200, NO),
    ("feishu", {"code": 19024, "msg": "Key Words Not Found"}, 200, NO),
    ("feishu", {"code": 11232, "msg": "frequency limited psm"}, 200, LATER),
    ("feishu", {"code": 9499, "msg": "too many request"}, 200, LATER),
    ("feishu", {"code": 9499, "msg": "Bad Request"}, 400, NO),
    ("feishu", {"code": 99991400, "msg": "request trigger frequency limit"}, 400, LATER),
    ("webhook", b"", 200, TAKEN),
    ("webhook", b"whatever", 204, TAKEN),
    ("webhook", None, 202, TAKEN),
    ("webhook", b"", 301, NO),
    ("webhook", b"", 410, NO),
    ("webhook", b"", 400, NO),
    ("webhook", b"", 429, LATER),
    ("webhook", b"", 500, LATER),
    ("webhook", b"", 504, UNKNOWN),
]


@pytest.mark.parametrize(("kind", "body", "status", "outcome"), ANSWERS)
def test_what_an_answer_means(kind: str, body: Any, status: int, outcome: str) -> None:
    verdict = KINDS[kind].verdict(reply(body, status))
    assert verdict.outcome == outcome and verdict.reason and "\n" not in verdict.reason


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("sign not match", "SEC"),
        ("keywords not in content", "关键词"),
        ("invalid timestamp", "校时"),
        ("ip 1.2.3.4 not in whitelist", "IP"),
    ],
)
def test_one_code_of_dingtalk_is_told_apart_by_its_words(words: str, hint: str) -> None:
    assert hint in KINDS["dingtalk"].verdict(reply({"errcode": 310000, "errmsg": words})).reason.partition("；")[2]


def test_how_long_to_wait() -> None:
    assert KINDS["wecom"].verdict(reply({"errcode": 45009}, **{"Retry-After": "300"})).wait == 300
    assert KINDS["wecom"].verdict(reply({"errcode": 45009})).wait == 60
    assert KINDS["dingtalk"].verdict(reply({"errcode": 130101})).wait == 600
    assert KINDS["webhook"].verdict(reply(b"", 429, **{"retry-after": "7"})).wait == 7
    assert KINDS["webhook"].verdict(reply(b"", 429, **{"retry-after": "99999999"})).wait == 3600
    for odd in ("", "soon", "-1", "1e9", "９", "9" * 5000, "Wed, 21 Oct 2026 07:28:00 GMT"):
        assert KINDS["webhook"].verdict(reply(b"", 429, **{"retry-after": odd})).wait is None


@given(st.sampled_from(sorted(KINDS)), st.integers(100, 599), st.binary(max_size=80) | st.none())
def test_nothing_that_comes_back_is_taken_for_a_yes_by_mistake(kind: str, status: int, body: bytes | None) -> None:
    verdict = KINDS[kind].verdict(Reply(status, {}, body))
    assert verdict.outcome in (TAKEN, LATER, NO, UNKNOWN)
    if verdict.outcome == TAKEN:
        assert 200 <= status < 300 and (kind == "webhook" or b"0" in (body or b""))
