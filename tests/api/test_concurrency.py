"""Two at once: one wins, the others are told, and nothing happens twice."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.cast import County, signing


def thirty(county: County, path: str, body: object, **headers: str) -> list[httpx.Response]:
    """The same request thirty times at once, each on a connection of its own."""

    def once(_: int) -> httpx.Response:
        auth = {"Authorization": f"Bearer {county.tokens['clerk']}"}
        return httpx.post(county.address + "/api/v1" + path, json=body, headers=auth | headers, timeout=60, trust_env=False)

    with ThreadPoolExecutor(30) as pool:
        return list(pool.map(once, range(30)))


def test_thirty_moves_one_fact(county: County) -> None:
    ref = county.register()
    answers = thirty(county, f"/projects/{ref}/moves", signing("2026-03-01"))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 29}
    assert county.get("clerk", f"/projects/{ref}")["version"] == 2


def test_thirty_moves_with_one_version(county: County) -> None:
    ref = county.register()
    answers = thirty(county, f"/projects/{ref}/moves", signing("2026-03-01"), **{"If-Match": '"1"'})
    assert Counter(answer.status_code for answer in answers) == {201: 1, 412: 29}
    assert county.get("clerk", f"/projects/{ref}")["version"] == 2


def test_one_key_thirty_times_one_effect(county: County) -> None:
    ref = county.register()
    answers = thirty(county, f"/projects/{ref}/follow-ups", {"channel": "call"}, **{"Idempotency-Key": "k-1"})
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert sum("idempotent-replayed" in answer.headers for answer in answers) == 29
    assert county.get("clerk", f"/projects/{ref}")["version"] == 2


def test_one_key_two_bodies(county: County) -> None:
    ref = county.register()
    county.post("clerk", f"/projects/{ref}/follow-ups", {"channel": "call"}, **{"Idempotency-Key": "k"})
    refusal = county.post("clerk", f"/projects/{ref}/follow-ups", {"channel": "visit"}, 422, **{"Idempotency-Key": "k"})
    assert refusal["code"] == "idempotency_mismatch"


def test_a_refusal_does_not_burn_the_key(county: County) -> None:
    ref = county.register()
    county.post("clerk", f"/projects/{ref}/moves", {"action": "sign"}, 409, **{"Idempotency-Key": "k"})
    county.post("clerk", f"/projects/{ref}/moves", signing("2026-03-01"), 201, **{"Idempotency-Key": "k"})


def test_registering_at_once_gives_each_its_number(county: County) -> None:
    answers = thirty(county, "/projects", {"name": "项目", "office": "T01", "effective_on": "2026-02-01"})
    assert len({answer.json()["ref"] for answer in answers}) == 30
    taken = thirty(county, "/projects", {"name": "项目", "office": "T01", "ref": "SAME"})
    assert Counter(answer.status_code for answer in taken) == {201: 1, 409: 29}


def test_patch_needs_the_version_that_was_read(county: County) -> None:
    ref = county.register()
    client = county.as_("clerk")
    assert client.patch(f"/projects/{ref}", json={"name": "新名"}).json()["code"] == "precondition_required"
    assert client.patch(f"/projects/{ref}", json={"name": "新名"}, headers={"If-Match": '"7"'}).json()["code"] == "stale_version"
    etag = client.get(f"/projects/{ref}").headers["etag"]
    done = client.patch(f"/projects/{ref}", json={"name": "新名"}, headers={"If-Match": etag})
    assert (done.status_code, done.json()["project"]["name"], done.headers["etag"]) == (200, "新名", '"2"')
    late = client.patch(f"/projects/{ref}", json={"route": "no_site"}, headers={"If-Match": '"2"'})
    assert (late.status_code, late.json()["errors"][0]["field"]) == (422, "reason")


def test_answers_are_let_go_after_a_week(county: County) -> None:
    from app.operations.retention import prune

    def let_go() -> int:
        return prune(county.database, county.house.settings, county.clock.now())["idempotency_answers"]

    ref = county.register()
    county.post("clerk", f"/projects/{ref}/follow-ups", {"channel": "call"}, **{"Idempotency-Key": "k"})
    county.at("2026-06-16T10:00:00+08:00")
    assert let_go() == 0
    county.at("2026-06-18T10:00:00+08:00")
    assert let_go() == 1
