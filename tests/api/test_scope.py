"""Who sees and does what: outside the offices everything is 404, inside a role may be forbidden."""

import pytest

from app.heart.lifecycle import BY_ACTION
from tests.cast import County, signing


@pytest.mark.parametrize("who", ["other", "department"])
def test_another_town_finds_nothing(county: County, who: str) -> None:
    ref = county.register()
    fact = county.sign(ref)["fact"]["id"]
    assert county.get(who, "/projects", count=True)["total"] == 0
    assert county.get(who, "/signed-then-stopped", count=True)["total"] == 0
    assert county.get(who, "/stalls", count=True)["total"] == 0
    for path in (f"/projects/{ref}", f"/projects/{ref}/moves", f"/projects/{ref}/facts", f"/projects/{ref}?as_of=2026-03-05"):
        assert county.get(who, path, 404)["code"] == "not_found"
    for path in ("moves", "milestones", "follow-ups", "funds", "reports", "evidence"):
        bodies = {
            "moves": signing("2026-03-03"), "milestones": {"milestone": "eia_approved"}, "follow-ups": {}, "reports": {"no_change": True},
            "funds": {"total": {"amount": "1", "currency": "CNY"}}, "evidence": {"evidence": [{"kind": "other"}]},
        }  # fmt: skip
        county.post(who, f"/projects/{ref}/{path}", bodies[path], 404)
    for verb, body in (("recognise", {}), ("return", {"reason": "x"}), ("void", {"reason": "x"})):
        county.post(who, f"/facts/{fact}/{verb}", body, 404)
    assert county.as_(who).patch(f"/projects/{ref}", json={"name": "x"}, headers={"If-Match": '"2"'}).status_code == 404
    assert county.get(who, "/projects", 404, office="T01")["code"] == "not_found"
    assert county.get(who, "/signed-then-stopped", 404, office="T01")["code"] == "not_found"
    assert ref not in county.as_(who).get("/signed-then-stopped.csv").text


@pytest.mark.parametrize("who", ["leader", "auditor", "admin", "townleader"])
def test_readers_read_and_write_nothing(county: County, who: str) -> None:
    ref = county.register()
    fact = county.sign(ref)["fact"]["id"]
    assert county.get(who, f"/projects/{ref}")["ref"] == ref
    county.post(who, f"/projects/{ref}/moves", signing("2026-03-03"), 403)
    county.post(who, f"/facts/{fact}/recognise", {}, 403)
    county.post(who, "/projects", {"name": "x", "office": "T01"}, 403)
    assert county.get(who, f"/projects/{ref}")["version"] == 2


def test_a_town_cannot_review_even_its_own(county: County) -> None:
    ref = county.register()
    fact = county.sign(ref)["fact"]["id"]
    assert county.post("clerk", f"/facts/{fact}/recognise", {}, 403)["code"] == "forbidden"
    for action in ("revert", "terminate", "reopen"):
        assert "clerk" not in BY_ACTION[action].may
        assert county.post("clerk", f"/projects/{ref}/moves", {"action": action}, 403)["code"] == "forbidden"


def test_a_town_registers_only_in_its_own_subtree(county: County) -> None:
    county.post("clerk", "/projects", {"name": "x", "office": "T02"}, 404)
    assert county.register("officer", office="T02").startswith("T02-")


def test_tokens_are_checked_at_once(county: County) -> None:
    from app.offices.service import issue_token, revoke_token

    client = county.as_("nobody")
    for header in ("", "Bearer", "Bearer x", "Bearer a.b", "Basic abc", f"Bearer {county.tokens['clerk']}x", "Bearer é.é"):
        answer = client.get("/me", headers={"Authorization": header.encode("latin-1")})
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized"), header
    assert client.get("/me", params={"token": county.tokens["clerk"]}).status_code == 401
    assert county.get("clerk", "/me")["office"]["code"] == "T01"
    with county.database.write() as connection:
        revoke_token(connection, county.tokens["clerk"], county.clock.now())
        short = issue_token(connection, office="T01", role="clerk", now=county.clock.now(), days=1)
    assert county.get("clerk", "/me", 401)["code"] == "unauthorized"
    assert client.get("/me", headers={"Authorization": f"Bearer {short}"}).status_code == 200
    county.at("2026-06-12T10:00:00+08:00")
    assert client.get("/me", headers={"Authorization": f"Bearer {short}"}).status_code == 401


def test_two_live_tokens_per_office_and_role(county: County) -> None:
    from app.errors import Duplicate
    from app.offices.service import issue_token

    with county.database.write() as connection:
        issue_token(connection, office="T01", role="clerk", now=county.clock.now())
        issue_token(connection, office="T01", role="officer", now=county.clock.now())
        with pytest.raises(Duplicate):
            issue_token(connection, office="T01", role="clerk", now=county.clock.now())


def test_only_hashes_are_stored(county: County) -> None:
    secret = county.tokens["clerk"].partition(".")[2]
    with county.database.snapshot() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM token").all()
    assert len(rows) == len(county.tokens) and secret not in repr(rows)
