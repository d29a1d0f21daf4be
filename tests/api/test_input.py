"""Odd and hostile input: a clear 4xx, nothing lost, the same on both databases."""

import json
from typing import Any

import pytest

from tests.cast import County, signing

GOOD = {"name": "项目", "office": "T01", "effective_on": "2026-02-01"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"extra": 1}, "extra"),
        ({"name": ""}, "name"),
        ({"name": "   "}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "x" * 501}, "name"),
        ({"name": 5}, "name"),
        ({"ref": "a/b"}, "ref"),
        ({"ref": "x" * 65}, "ref"),
        ({"route": "by_air"}, "route"),
        ({"effective_on": "2026-02-30"}, "effective_on"),
        ({"effective_on": "1899-12-31"}, "effective_on"),
        ({"effective_on": 0}, "effective_on"),
        ({"effective_on": "2026-02-01T00:00:00"}, "effective_on"),
        ({"contract_amount": {"amount": "1e999", "currency": "CNY"}}, "contract_amount"),
        ({"contract_amount": {"amount": "-1", "currency": "CNY"}}, "contract_amount"),
        ({"contract_amount": {"amount": "1.001", "currency": "CNY"}}, "contract_amount"),
        ({"contract_amount": {"amount": 1.5, "currency": "CNY"}}, "contract_amount"),
        ({"contract_amount": {"amount": "9" * 18, "currency": "CNY"}}, "contract_amount"),
        ({"contract_amount": {"amount": "1", "currency": "yuan"}}, "contract_amount"),
        ({"owner_id": 10**30}, "owner_id"),
        ({"credit_code": "123"}, "credit_code"),
    ],
)
def test_a_bad_field_is_named(county: County, change: dict[str, Any], field: str) -> None:
    refusal = county.post("clerk", "/projects", GOOD | change, 422)
    assert refusal["code"] == "validation_error"
    assert any(field in row["field"] for row in refusal["errors"])
    assert county.get("clerk", "/projects")["items"] == []


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b'{"name": "x", "office": "T01", "owner_id": Infinity}', 422),
        (b'{"name": "x", "office": "T01", "owner_id": 1e999}', 422),
        (b'{"name": "x", "office": "T01", "owner_id": NaN}', 422),
        (b'{"name": "\\ud800", "office": "T01"}', 422),
        (b"{" * 100_000, 422),
        (b"[" * 100_000 + b"]" * 100_000, 422),
        (b"not json", 422),
        (b"", 422),
        (b"\xff\xfe", 422),
        (b'{"name": "' + b"x" * 1_100_000 + b'"}', 413),
    ],
)
def test_hostile_bodies(county: County, raw: bytes, status: int) -> None:
    answer = county.as_("clerk").post("/projects", content=raw, headers={"Content-Type": "application/json"})
    assert answer.status_code in (status, 400), answer.text[:300]
    assert answer.headers["content-type"] == "application/problem+json" and answer.json()["code"]
    assert county.get("clerk", "/projects")["items"] == []


def test_a_body_without_length_is_limited_too(county: County) -> None:
    answer = county.as_("clerk").post("/projects", content=(b"x" * 65536 for _ in range(40)), headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_the_future_is_refused(county: County) -> None:
    ref = county.register()
    assert county.post("clerk", f"/projects/{ref}/moves", signing("2026-06-11"), 422)["code"] == "effective_in_future"
    late = signing("2026-03-01")
    late["evidence"][0]["dated_on"] = "2027-01-01"
    assert county.post("clerk", f"/projects/{ref}/moves", late, 422)["code"] == "effective_in_future"
    assert county.post("clerk", "/projects", GOOD | {"effective_on": "2027-01-01"}, 422)["code"] == "effective_in_future"
    assert county.get("clerk", "/projects", 422, as_of="2026-06-11")["code"] == "validation_error"
    assert county.get("clerk", "/projects", 422, known_at="2026-06-11T00:00:00Z")["code"] == "known_at_in_future"
    assert county.get("clerk", f"/projects/{ref}")["version"] == 1


@pytest.mark.parametrize("path", ["/projects", "/signed-then-stopped", "/stalls"])
@pytest.mark.parametrize(
    "params",
    [
        {"limit": 0}, {"limit": 201}, {"limit": "x"}, {"cursor": "abc"}, {"cursor": "!!!!"}, {"as_of": "yesterday"},
        {"known_at": "2026-01-01T00:00:00"}, {"nonsense": 1}, {"office": "a\x00b"},
    ],
)  # fmt: skip
def test_bad_questions(county: County, path: str, params: dict[str, Any]) -> None:
    assert county.get("officer", path, 422, **params)["code"] == "validation_error"


@pytest.mark.parametrize("ref", ["nope", "%00", "x" * 300, "..%2f..", "%F0%9F%98%80", "%E2%80%AE"])
def test_refs_that_cannot_be(county: County, ref: str) -> None:
    for path in (f"/projects/{ref}", f"/projects/{ref}?as_of=2026-01-01", f"/projects/{ref}/moves", f"/projects/{ref}/facts"):
        assert county.as_("clerk").get(path).status_code == 404
    assert county.as_("clerk").post(f"/projects/{ref}/moves", json=signing("2026-03-01")).status_code == 404


@pytest.mark.parametrize("number", [0, -1, 10**18, 10**30, "x"])
def test_facts_that_cannot_be(county: County, number: Any) -> None:
    assert county.as_("officer").post(f"/facts/{number}/recognise", json={}).status_code in (404, 422)


def test_what_is_stored_is_what_was_said(county: County) -> None:
    name = "“=HYPERLINK(1)”\u3000<script>alert(1)</script> 𠮷 é'--"
    ref = county.register(name=name)
    assert county.get("clerk", f"/projects/{ref}")["name"] == name
    assert county.get("clerk", "/projects", q="<script>")["items"][0]["ref"] == ref
    assert county.get("clerk", "/projects", q="%")["items"] == []


def test_methods_and_addresses_that_do_not_exist(county: County) -> None:
    answer = county.as_("clerk").delete("/projects")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert county.get("clerk", "/nothing-here", 404)["code"] == "not_found"


def test_openapi_names_every_route_and_has_examples(county: County) -> None:
    import httpx

    api = httpx.get(county.address + "/openapi.json", trust_env=False).json()
    assert "/api/v1/signed-then-stopped" in api["paths"] and "/api/v1/projects/{ref}/moves" in api["paths"]
    assert "examples" in json.dumps(api["components"]["schemas"]["MoveIn"])
    assert all(operation.get("summary") for path in api["paths"].values() for operation in path.values())
    page = httpx.get(county.address + "/docs", trust_env=False).text
    assert "http://" not in page and "https://" not in page


def test_field_names_that_the_caller_made_up(county: County) -> None:
    many = b"{" + b",".join(b'"%d": 1' % number for number in range(50_000)) + b"}"
    for raw in (b'{"\\ud800": 1}', b'{"' + b"x" * 500_000 + b'": 1}', many):
        answer = county.as_("clerk").post("/projects", content=raw, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (422, "validation_error")
        assert len(answer.content) < 20_000


def test_a_ref_can_be_written_in_an_address(county: County) -> None:
    for ref in (".", "..", "a\u200bb", "\u202e", "a\u00a0b"):
        assert "ref" in county.post("clerk", "/projects", GOOD | {"ref": ref}, 422)["errors"][0]["field"]


def test_moments_at_the_ends_of_time(county: County) -> None:
    ref = county.register()
    odd = ("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00Z", "9999-12-31", "9999-12-31T23:59:59-14:00", "1e400", "-1e20", "inf")
    for path in ("/projects", "/signed-then-stopped", "/signed-then-stopped.csv", "/stalls", f"/projects/{ref}", f"/projects/{ref}/facts"):
        for known_at in odd:
            assert county.as_("clerk").get(path, params={"known_at": known_at}).status_code == 422, (path, known_at)


def test_the_first_moment_of_all_knows_nothing(county: County) -> None:
    county.sign(county.register())
    for path in ("/projects", "/signed-then-stopped", "/stalls"):
        assert county.get("clerk", path, known_at="1900-01-01T00:00:00Z", as_of="1900-01-01")["items"] == []


def test_nothing_that_was_said_is_dropped(county: County) -> None:
    ref = county.register()
    plan = {"milestone": "eia_approved", "planned": True, "effective_on": "2027-01-01", "evidence": [{"kind": "other"}]}
    assert county.post("clerk", f"/projects/{ref}/milestones", plan, 422)["errors"][0]["field"] == "evidence"
    nowhere = county.as_("officer").patch(f"/projects/{ref}", json={"office": None, "reason": "x"}, headers={"If-Match": "*"})
    assert (nowhere.status_code, nowhere.json()["errors"][0]["field"]) == (422, "office")
    assert county.get("clerk", f"/projects/{ref}")["version"] == 1
