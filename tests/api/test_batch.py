"""Many moves in one request: each as if it had been sent alone, all of them or each by itself, and never twice."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from app.projects import batch_in, rebuild
from tests.cast import County, landing, signing

Batch = list[dict[str, Any]]


def items(*moves: tuple[str, dict[str, Any]]) -> Batch:
    return [{"ref": ref, **move} for ref, move in moves]


def send(county: County, moves: Batch, who: str = "clerk", status: int = 200, atomic: bool = False, **headers: str) -> dict[str, Any]:
    return county.post(who, "/moves:batch", {"atomic": atomic, "items": moves}, status, **headers)


def version(county: County, ref: str) -> int:
    return int(county.get("officer", f"/projects/{ref}")["version"])


def whole(county: County) -> None:
    """Whatever happened: stored is folded, and every chain holds."""
    assert rebuild.check(county.database) == []
    assert rebuild.verify_chains(county.database, county.house.audit_key) == []


def test_each_move_stands_alone_and_the_results_are_in_order(county: County) -> None:
    signed, bare, foreign = county.register(), county.register(), county.register("other", office="T02")
    told = send(
        county,
        items(
            (signed, signing("2026-03-01")),
            (bare, {"action": "sign", "effective_on": "2026-03-01"}),
            (foreign, signing("2026-03-01")),
            ("NO-SUCH", signing("2026-03-01")),
            (bare, {"action": "fly"}),
            (bare, {"action": "terminate", "reason": "放弃", "termination": "withdrawn"}),
            (signed, signing("2026-03-01")),
            (signed, landing("2026-03-05")),
        ),
    )
    results = told["results"]
    assert [one["status"] for one in results] == [201, 409, 404, 404, 422, 403, 409, 201]
    assert [one["ref"] for one in results] == [signed, bare, foreign, "NO-SUCH", bare, bare, signed, signed]
    assert (told["accepted"], told["refused"]) == (2, 6)
    assert results[1]["problem"]["code"] == "evidence_missing" and len(results[1]["problem"]["missing"]) == 2
    assert results[4]["problem"]["errors"][0]["field"] == "action"
    assert [one.get("version") for one in (results[0], results[7])] == [2, 3]
    shown = county.get("clerk", f"/projects/{signed}/facts")["items"]
    assert [results[7]["fact"], results[0]["fact"]] == shown[:2]
    project = county.get("clerk", f"/projects/{signed}")
    assert (project["stage"], project["version"], version(county, bare), version(county, foreign)) == ("land", 3, 1, 1)
    whole(county)


def test_all_or_nothing_lists_every_problem_and_records_none(county: County) -> None:
    good, bad, worse = county.register(), county.register(), county.register()
    moves = items((good, signing("2026-03-01")), (bad, {"action": "sign"}), (worse, {"action": "resume"}), (good, {"action": "?"}))
    refusal = send(county, moves, status=409, atomic=True)
    assert refusal["code"] == "batch_refused" and "整批" in refusal["hint"]
    assert [(one["index"], one["ref"], one["status"]) for one in refusal["problems"]] == [(1, bad, 409), (2, worse, 409), (3, good, 422)]
    assert {one["problem"]["code"] for one in refusal["problems"]} == {"evidence_missing", "move_not_allowed", "validation_error"}
    assert [version(county, ref) for ref in (good, bad, worse)] == [1, 1, 1]
    told = send(county, items((good, signing("2026-03-01")), (bad, signing("2026-03-02")), (good, landing("2026-03-03"))), atomic=True)
    assert [one["status"] for one in told["results"]] == [201, 201, 201]
    assert [version(county, ref) for ref in (good, bad)] == [3, 2]
    whole(county)


def test_a_batch_says_what_single_moves_say(county: County) -> None:
    """The same moves, one project by single requests and its twin by one batch: the same answers and the same project."""
    moves = [
        {"action": "sign"},
        landing("2026-03-02"),
        landing("2026-03-02") | {"gap_reason": "先落地"},
        signing("2026-03-01"),
        signing("2026-03-01"),
        signing("2027-03-01"),
        {"action": "suspend", "reason": "等指标", "next_actor": "government", "until": "2026-04-01", "effective_on": "2026-04-02"},
        {"action": "suspend", "reason": "等指标", "next_actor": "government", "until": "2026-05-01", "effective_on": "2026-04-02"},
        {"action": "suspend", "reason": "再等", "next_actor": "government", "until": "2026-06-01", "effective_on": "2026-04-03"},
        {"action": "resume", "effective_on": "2026-04-02"},
        {"action": "resume", "effective_on": "2026-04-10"},
        {"action": "resume", "effective_on": "2026-04-10"},
        {"action": "terminate", "reason": "退出", "termination": "withdrawn", "effective_on": "2026-05-01"},
        {"action": "reopen", "reason": "重启", "effective_on": "2026-05-01"},
        {"action": "reopen", "reason": "重启", "effective_on": "2026-05-02"},
        {"action": "revert", "to": "signed", "reason": "有误", "effective_on": "2026-05-03"},
    ]
    one, twin = county.register("officer"), county.register("officer")
    singly = [county.as_("officer").post(f"/projects/{one}/moves", json=move) for move in moves]
    results = send(county, items(*((twin, move) for move in moves)), "officer")["results"]
    assert [result["status"] for result in results] == [answer.status_code for answer in singly]
    assert len({answer.status_code for answer in singly}) == 3
    for result, answer in zip(results, singly, strict=True):
        if result["status"] != 201 and result["status"] != 422:
            told = answer.json()
            assert told.pop("request_id") == answer.headers["x-request-id"]  # one request has one id, in its header
            assert result["problem"] == told
    projects = [county.get("officer", f"/projects/{ref}") for ref in (one, twin)]
    kept = {name: value for name, value in projects[0].items() if name not in ("ref", "known_at")}
    assert kept == {name: value for name, value in projects[1].items() if name not in ("ref", "known_at")}
    whole(county)


def test_a_version_stands_for_if_match(county: County) -> None:
    ref = county.register()
    moves = items((ref, signing("2026-03-01") | {"version": 1}), (ref, landing("2026-03-02") | {"version": 1}))
    results = send(county, moves)["results"]
    assert [one["status"] for one in results] == [201, 412]
    assert (results[1]["problem"]["code"], results[1]["problem"]["version"]) == ("stale_version", 2)
    assert send(county, items((ref, landing("2026-03-02") | {"version": 2})))["results"][0]["status"] == 201


def test_claims_of_a_town_wait_and_those_of_the_bureau_are_recognised(county: County) -> None:
    mine, theirs = county.register(), county.register()
    assert send(county, items((mine, signing("2026-03-01"))))["results"][0]["fact"]["recognition"] == "claimed"
    assert send(county, items((theirs, signing("2026-03-01"))), "officer")["results"][0]["fact"]["recognition"] == "recognised"


@pytest.mark.parametrize("who", ["leader", "auditor", "admin"])
def test_whoever_may_not_report_may_not_in_batches(county: County, who: str) -> None:
    assert send(county, items((county.register(), signing("2026-03-01"))), who, 403)["code"] == "forbidden"


def test_a_key_gets_the_first_answer_again(county: County) -> None:
    ref = county.register()
    raw = httpx.Request("POST", "http://x", json={"items": items((ref, signing("2026-03-01")), (ref, {"action": "?"}))}).content
    ask = lambda content: county.as_("clerk").post(  # noqa: E731
        "/moves:batch", content=content, headers={"Content-Type": "application/json", "Idempotency-Key": "b-1"}
    )
    first, again = ask(raw), ask(raw)
    assert first.status_code == 200 and [one["status"] for one in first.json()["results"]] == [201, 422]
    assert again.content == first.content and again.headers["idempotent-replayed"] == "true"
    assert ask(raw.replace(b'"?"', b'"!"')).json()["code"] == "idempotency_mismatch"
    assert version(county, ref) == 2


def test_a_refused_batch_does_not_burn_its_key(county: County) -> None:
    ref = county.register()
    send(county, items((ref, {"action": "sign"})), status=409, atomic=True, **{"Idempotency-Key": "k"})
    send(county, items((ref, signing("2026-03-01"))), atomic=True, **{"Idempotency-Key": "k"})


@pytest.mark.parametrize("number", [0, batch_in.MOST + 1])
def test_no_more_than_a_batch_holds(county: County, number: int) -> None:
    refusal = send(county, items(*[("X", {"action": "resume"})] * number), status=422)
    assert refusal["code"] == "validation_error" and str(batch_in.MOST) in refusal["hint"]


ODD = [
    None, 7, "sign", [], {}, {"ref": "R"}, {"ref": 7, "action": "resume"}, {"ref": "", "action": "resume"},
    {"ref": "R", "action": "resume", "extra": 1}, {"ref": "a\x00b", "action": "resume"}, {"ref": "x" * 999, "action": "resume"},
]  # fmt: skip


def test_an_odd_item_stops_only_itself(county: County) -> None:
    ref = county.register()
    results = send(county, [*ODD, *items((ref, signing("2026-03-01")))])["results"]
    assert [one["status"] for one in results] == [422] * 9 + [404, 422, 201]
    assert all(one["problem"]["code"] in ("validation_error", "not_found") for one in results[:-1])
    told = county.as_("clerk").post(
        "/moves:batch", content=b'{"items": [{"ref": "\\ud800", "action": NaN}]}', headers={"Content-Type": "application/json"}
    )
    assert told.status_code in (200, 422), told.text


def statements(county: County, moves: Batch) -> list[str]:
    """What a batch sends to the database."""
    seen: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        seen.append(statement)

    sa.event.listen(county.database.engine, "before_cursor_execute", note)
    try:
        assert all(one["status"] == 201 for one in send(county, moves)["results"])
    finally:
        sa.event.remove(county.database.engine, "before_cursor_execute", note)
    return seen


def test_a_large_batch_takes_no_more_statements_than_a_small_one(county: County) -> None:
    refs = [county.register() for _ in range(122)]
    few = statements(county, items(*((ref, signing("2026-03-01")) for ref in refs[:2])))
    many = statements(county, items(*((ref, signing("2026-03-01")) for ref in refs[2:])))
    assert len(many) <= max(len(few), 16), (few, many)
    facts = county.get("clerk", f"/projects/{refs[-1]}/facts")["items"]
    assert facts[0]["action"] == "sign" and facts[0]["id"] > 0
    whole(county)


def test_two_batches_in_opposite_order_do_not_lock_each_other_out(county: County) -> None:
    refs = [county.register() for _ in range(40)]
    start = threading.Barrier(4)

    def run(number: int) -> list[int]:
        order = refs if number % 2 else refs[::-1]
        body = {"items": items(*((ref, signing("2026-03-01")) for ref in order))}
        start.wait()
        headers = {"Authorization": f"Bearer {county.tokens['clerk']}"}
        answer = httpx.post(county.address + "/api/v1/moves:batch", json=body, headers=headers, timeout=60, trust_env=False)
        return [one["status"] for one in answer.json()["results"]]

    with ThreadPoolExecutor(4) as pool:
        told = [status for statuses in pool.map(run, range(4)) for status in statuses]
    assert (told.count(201), told.count(409)) == (40, 120)
    assert {version(county, ref) for ref in refs} == {2}
    whole(county)


def poisoned(county: County, ref: str) -> None:
    """A database that refuses every further fact of one project."""
    with county.database.write() as connection:
        number = connection.exec_driver_sql(f"SELECT id FROM project WHERE ref = '{ref}'").scalar_one()
        if county.database.sqlite:
            connection.exec_driver_sql(
                f"CREATE TRIGGER poison BEFORE INSERT ON fact WHEN NEW.project_id = {number} BEGIN SELECT RAISE(ABORT, 'no'); END"
            )
            return
        connection.exec_driver_sql("CREATE FUNCTION poison() RETURNS trigger AS $$ BEGIN RAISE 'no'; END $$ LANGUAGE plpgsql")
        connection.exec_driver_sql(
            f"CREATE TRIGGER poison BEFORE INSERT ON fact FOR EACH ROW WHEN (NEW.project_id = {number}) EXECUTE FUNCTION poison()"
        )


def test_what_the_database_refuses_stops_only_its_project(county: County) -> None:
    refs = [county.register() for _ in range(3)]
    poisoned(county, refs[1])
    results = send(county, items(*((ref, signing("2026-03-01")) for ref in refs)))["results"]
    assert [one["status"] for one in results] == [201, 500, 201]
    assert all(one["fact"]["id"] for one in results if one["status"] == 201)
    assert [version(county, ref) for ref in refs] == [2, 1, 2]
    answer = county.as_("clerk").post(
        "/moves:batch", json={"atomic": True, "items": items(*((ref, landing("2026-03-02")) for ref in refs))}
    )
    assert answer.status_code == 409  # refs[1] was never signed
    whole(county)
