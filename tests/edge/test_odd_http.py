"""HTTP that no honest client sends: a clear refusal, the same on every road, and nothing is lost or left half done."""

import json
import socket

import pytest

from tests.cast import County
from tests.edge.raw import Said, answers, bearer, exchange, place, request, rest

GOOD = json.dumps({"name": "项目", "office": "T01", "effective_on": "2026-02-01"}).encode()
CALL = b'{"channel": "call"}'


def refused(said: list[Said], status: int, code: str) -> None:
    assert [one.status for one in said] == [status], said
    assert said[0].headers["content-type"] == "application/problem+json", said
    assert said[0].json["code"] == code and said[0].json["hint"], said
    assert "server" not in said[0].headers and said[0].headers["content-length"] == str(len(said[0].body))


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"[" * 40 + b"]" * 40, "json_too_deep"),
        (b'{"a":' * 33 + b"1" + b"}" * 33, "json_too_deep"),
        (b"[" * 1000 + b"]" * 1000, "json_too_deep"),
        (b"[" * 400_000, "json_invalid"),
        (b'{"a":' * 150_000, "json_invalid"),
        (b"[" + b"0," * 60_000 + b"0]", "json_too_long"),
        (b'{"channel": "call", "channel": "visit"}', "json_duplicate"),
        (b'{"channel": "call", "\\u0063hannel": "visit"}', "json_duplicate"),
        (b'{"channel": "call", "note": {"a": 1, "a": 1}}', "json_duplicate"),
        (b'{"channel": 1e999}', "json_invalid"),
        (b'{"channel": ' + b"1" * 400 + b"}", "json_invalid"),
        (b'{"channel": ' + b"1" * 100_000 + b"}", "json_invalid"),
        (b'{"channel": 1E' + b"9" * 5_000 + b"}", "json_invalid"),
        (b'{"channel": NaN}', "json_invalid"),
        (b'{"channel": -Infinity}', "json_invalid"),
        (b'{"note": "\\ud800"}', "json_invalid"),
        (b'{"note": "\xff"}', "json_invalid"),
        (b'{"note": "\xed\xa0\x80"}', "json_invalid"),
        (b'\xef\xbb\xbf{"channel": "call"}', "json_invalid"),
        (GOOD.decode().encode("utf-16"), "json_invalid"),
    ],
)
def test_json_that_cannot_be_meant(shared: County, raw: bytes, kind: str) -> None:
    before = shared.get("clerk", "/projects", q="锂电", count=True, limit=1)["total"]
    ref = shared.register()
    for path in ("/projects", f"/projects/{ref}/follow-ups", f"/projects/{ref}"):
        method = "PATCH" if path.endswith(ref) else "POST"
        answer = shared.as_("clerk").request(method, path, content=raw, headers={"Content-Type": "application/json", "If-Match": "*"})
        assert (answer.status_code, answer.json()["errors"][0]["type"]) == (422, kind), answer.text[:300]
        assert answer.json()["code"] == "validation_error" and len(answer.content) < 2_000
    assert shared.get("clerk", f"/projects/{ref}")["version"] == 1
    assert shared.get("clerk", "/projects", q="锂电", count=True, limit=1)["total"] == before + 1


def test_what_looks_like_a_name_inside_a_text_is_none(shared: County) -> None:
    ref = shared.register()
    note = '"channel": "call", \\"note\\": {[[[[' + "{" * 100 + "\\"
    told = shared.post("clerk", f"/projects/{ref}/follow-ups", {"channel": "visit", "note": note})
    assert told["fact"]["data"]["note"] == note


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        (b"Content-Type: text/plain\r\n", "unsupported_media_type"),
        (b"Content-Type: application/xml\r\n", "unsupported_media_type"),
        (b"Content-Type: multipart/form-data; boundary=x\r\n", "unsupported_media_type"),
        (b"Content-Type: application/x-www-form-urlencoded\r\n", "unsupported_media_type"),
        (b"Content-Type: application/json; charset=gbk\r\n", "unsupported_media_type"),
        (b"Content-Type: application/json; charset=utf-16\r\n", "unsupported_media_type"),
        (b"", "unsupported_media_type"),
        (b"Content-Type: application/json\r\nContent-Encoding: gzip\r\n", "unsupported_media_type"),
        (b"Content-Type: application/json\r\nContent-Encoding: br\r\n", "unsupported_media_type"),
    ],
)
def test_a_body_that_is_not_plain_json(shared: County, headers: bytes, code: str) -> None:
    ref = shared.register()
    for line in (b"POST /api/v1/projects", f"POST /api/v1/projects/{ref}/follow-ups".encode()):
        more = headers + b"Content-Length: %d\r\n" % len(CALL)
        refused(exchange(shared, request(shared, line, more=more) + CALL), 415, code)
    assert shared.get("clerk", f"/projects/{ref}")["version"] == 1


def test_utf8_by_any_of_its_names(shared: County) -> None:
    ref = shared.register()
    for kind in (
        "application/json",
        "Application/JSON; charset=UTF-8",
        'application/json;charset="utf-8"',
        "application/json; charset=utf8",
    ):
        answer = shared.as_("clerk").post(f"/projects/{ref}/follow-ups", content=CALL, headers={"Content-Type": kind})
        assert answer.status_code == 201, kind


@pytest.mark.parametrize(
    ("target", "status", "code"),
    [
        (b"/api/v1/projects?q=%FF%FE", 400, "bad_request"),
        (b"/api/v1/projects?q=%C0%80", 400, "bad_request"),
        (b"/api/v1/projects?q=%ED%A0%80", 400, "bad_request"),
        (b"/api/v1/projects?q=\xff\xfe", 400, "bad_request"),
        (b"/api/v1/projects?q=a%00b", 422, "validation_error"),
        (b"/api/v1/projects?q=a%0d%0aX-Evil:1", 422, "validation_error"),
        (b"/api/v1/projects?q=" + b"x" * 9_000, 414, "uri_too_long"),
        (b"/api/v1/projects?" + b"&".join(b"a%d=1" % n for n in range(2_000)), 414, "uri_too_long"),
        (b"/api/v1/projects?" + b"&" * 8_000, 200, ""),
        (b"/api/v1/projects/" + b"x" * 9_000, 414, "uri_too_long"),
        (b"/api/v1/projects/" + b"x" * 5_000, 404, "not_found"),
        (b"/api/v1/projects/%00", 404, "not_found"),
        (b"/api/v1/projects/a%00b/facts", 404, "not_found"),
        (b"/api/v1/projects/%FF", 404, "not_found"),
        (b"/api/v1/projects/%ED%A0%80", 404, "not_found"),
        (b"/api/v1/projects/%0d%0aSet-Cookie:x", 404, "not_found"),
        (b"/api/v1/../../etc/passwd", 401, "unauthorized"),
        (b"/static/..%2f..%2fpyproject.toml", 404, "not_found"),
        (b"/static/%2e%2e/%2e%2e/pyproject.toml", 404, "not_found"),
        (b"/static/%00", 404, "not_found"),
        (b"/api/v1/runs/2026-13-45", 422, "validation_error"),
        (b"/api/v1/projects?limit=" + b"9" * 5_000, 422, "validation_error"),
        (b"/api/v1/projects?limit=1e9", 422, "validation_error"),
        (b"/api/v1/projects?owner=%D9%A1", 422, "validation_error"),
        (b"*", 404, "not_found"),
        (b"nonsense", 400, "bad_request"),
    ],
)
def test_addresses_nobody_should_send(shared: County, target: bytes, status: int, code: str) -> None:
    who = None if b".." in target or code == "unauthorized" else "clerk"
    said = exchange(shared, request(shared, b"GET " + target, who=who))
    if status == 200:
        assert [one.status for one in said] == [200]
    else:
        refused(said, status, code)


def test_chinese_in_an_address_is_percent_encoded(shared: County) -> None:
    """What `curl "…?q=锂电"` sends is no HTTP; the refusal says what would be."""
    said = exchange(shared, request(shared, "GET /api/v1/projects?q=锂电".encode()))
    refused(said, 400, "bad_request")
    assert "--data-urlencode" in said[0].json["hint"]


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        (b"".join(b"X-%d: 1\r\n" % n for n in range(120)), 431, "headers_too_large"),
        (b"X-Long: " + b"x" * 40_000 + b"\r\n", 431, "headers_too_large"),
        (b"X-Long: " + b"x" * 200_000 + b"\r\n", 431, "headers_too_large"),
        (b"X-Odd: a\x00b\r\n", 400, "bad_request"),
        (b"X-Odd: a\x01b\r\n", 400, "bad_request"),
        (b"X Odd: a\r\n", 400, "bad_request"),
        (b": a\r\n", 400, "bad_request"),
        (b"no colon at all\r\n", 400, "bad_request"),
        (b"Content-Length: 5\r\nContent-Length: 6\r\n", 400, "bad_request"),
        (b"Content-Length: -1\r\n", 400, "bad_request"),
        (b"Content-Length: 1e3\r\n", 400, "bad_request"),
        (b"Content-Length: 99999999999999999999999\r\n", 400, "bad_request"),
        (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400, "bad_request"),
        (b"Authorization: Bearer a.b\r\n", 400, "bad_request"),
        (b"Idempotency-Key: a\r\nIdempotency-Key: b\r\n", 400, "bad_request"),
        (b"Idempotency-Key: \r\n", 422, "validation_error"),
        (b"Idempotency-Key: " + b"x" * 256 + b"\r\n", 422, "validation_error"),
        (b"Idempotency-Key: \xe9\r\n", 422, "validation_error"),
        (b"If-Match: " + b'"9",' * 2_000 + b"\r\n", 412, "stale_version"),
        (b"If-Match: \xff\r\n", 412, "stale_version"),
    ],
)
def test_headers_nobody_should_send(shared: County, more: bytes, status: int, code: str) -> None:
    ref = shared.register()
    line = f"POST /api/v1/projects/{ref}/follow-ups".encode()
    body = b"" if b"Content-Length" in more else CALL
    refused(exchange(shared, request(shared, line, body, more=more)), status, code)
    assert shared.get("clerk", f"/projects/{ref}")["version"] == 1


@pytest.mark.parametrize("method", [b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE", b"PROPFIND", b"PATCH"])
def test_methods_that_a_route_does_not_have(shared: County, method: bytes) -> None:
    (said,) = exchange(shared, request(shared, method + b" /api/v1/projects"))
    assert said.status == 405 and "GET" in said.headers["allow"]
    if method != b"HEAD":
        assert said.json["code"] == "method_not_allowed"


@pytest.mark.parametrize(
    "raw",
    [
        b"CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\r\n\r\nhello\r\n\r\n",
    ],
)
def test_what_is_not_http_as_we_speak_it(shared: County, raw: bytes) -> None:
    refused(exchange(shared, raw), 400, "bad_request")


def test_another_method_in_a_header_is_not_that_method(shared: County) -> None:
    ref = shared.register()
    for name in (b"X-HTTP-Method-Override", b"X-HTTP-Method", b"X-Method-Override"):
        (said,) = exchange(shared, request(shared, f"GET /api/v1/projects/{ref}".encode(), more=name + b": PATCH\r\nIf-Match: *\r\n"))
        assert said.status == 200 and said.json["version"] == 1


def test_requests_in_one_piece_are_answered_one_after_the_other(shared: County) -> None:
    ref = shared.register()
    one = f"POST /api/v1/projects/{ref}/follow-ups HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 19\r\n".encode()
    read = f"GET /api/v1/projects/{ref} HTTP/1.1\r\nHost: x\r\n".encode() + bearer(shared) + b"\r\n"
    raw = (one + bearer(shared) + b"\r\n" + CALL + read) * 5 + request(shared, f"GET /api/v1/projects/{ref}/facts".encode())
    said = exchange(shared, raw)
    assert [one.status for one in said] == [201, 200] * 5 + [200]
    assert [one.json["version"] for one in said[1:10:2]] == [2, 3, 4, 5, 6]
    assert len(said[-1].json["items"]) == 6


def test_a_body_in_chunks_is_whole_or_nothing(shared: County) -> None:
    ref = shared.register()
    head = f"POST /api/v1/projects/{ref}/follow-ups HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n".encode()
    head += b"Transfer-Encoding: chunked\r\n" + bearer(shared) + b"\r\n"
    good = b"".join(b"1\r\n" + CALL[n : n + 1] + b"\r\n" for n in range(len(CALL))) + b"0\r\n\r\n"
    assert [one.status for one in exchange(shared, head + good)] == [201]
    refused(exchange(shared, head + b"zz\r\n{}\r\n0\r\n\r\n"), 400, "bad_request")
    with socket.create_connection(place(shared), 10) as there:  # ends in the middle
        there.sendall(head + b"5\r\n" + CALL[:5])
        there.shutdown(socket.SHUT_WR)
        there.close()
    huge = head + (b"10000\r\n" + b"x" * 65536 + b"\r\n") * 20
    with socket.create_connection(place(shared), 10) as there:
        there.sendall(huge)
        got = b""
        while b"too_large" not in got and (piece := there.recv(65536)):
            got += piece
        (said,) = answers(got)
    assert (said.status, said.json["code"]) == (413, "too_large")
    assert shared.get("clerk", f"/projects/{ref}")["version"] == 2


def test_more_or_less_than_was_announced_does_nothing_twice(shared: County) -> None:
    ref = shared.register()
    line = f"POST /api/v1/projects/{ref}/follow-ups HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n".encode() + bearer(shared)
    with socket.create_connection(place(shared), 10) as there:
        there.sendall(line + b"Content-Length: 19\r\n\r\n" + CALL + b"and then some\r\n\r\n")
        got = answers(rest(there))
    assert got[0].status == 201
    assert shared.get("clerk", f"/projects/{ref}")["version"] == 2
    with socket.create_connection(place(shared), 10) as there:
        there.sendall(line + b"Content-Length: 100\r\n\r\n" + CALL)
    assert shared.get("clerk", f"/projects/{ref}")["version"] == 2


def test_every_list_and_text_that_comes_in_has_an_end(shared: County) -> None:
    schemas = shared.as_("nobody").get(shared.address + "/openapi.json").json()["components"]["schemas"]
    endless = []
    for name, schema in schemas.items():
        if not name.endswith(("In", "Patch")):
            continue
        for field, one in schema.get("properties", {}).items():
            for kind in one.get("anyOf", [one]):
                bounded = {"maxLength", "pattern", "enum", "const", "format", "$ref"} & set(kind)
                if (kind.get("type") == "string" and not bounded) or (kind.get("type") == "array" and "maxItems" not in kind):
                    endless.append(f"{name}.{field}")
                if kind.get("type") == "integer" and "maximum" not in kind:
                    endless.append(f"{name}.{field}")
    assert endless == []
