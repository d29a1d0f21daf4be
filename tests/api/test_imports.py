"""Ledgers over HTTP: sent, tried, applied in the background, looked at page by page, and seen by nobody else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from app import worker
from app.ledgers import running
from app.ledgers.understanding.reading import read_ledger
from tests.api.test_responses import Documented
from tests.cast import County, signing
from tests.ledgers.test_import_ledger import HEAD, cells
from tests.ledgers.test_ledger_files import SHARED
from tests.ledgers.workbooks import Page, xlsx

NUMBER = "/imports/{number}"


def ledger(*rows: list[Any]) -> bytes:
    return xlsx(Page([HEAD, *rows]))


def send(county: County, who: str, data: bytes, status: int = 202, headers: dict[str, str] | None = None, **params: Any) -> httpx.Response:
    answer = county.as_(who).post("/imports", content=data, params=params, headers=headers)
    assert answer.status_code == status, answer.text
    return answer


def done(county: County, answer: httpx.Response) -> int:
    """Let the background finish; the number of the import."""
    running.run_waiting(county.house)
    number: int = answer.json()["id"]
    assert answer.headers["location"] == f"/api/v1/imports/{number}"
    return number


def test_a_trial_is_looked_at_and_then_applied(county: County, tmp_path: Path) -> None:
    said = Documented(county)
    data = ledger(cells(1), cells(2, 镇区="天上镇"), *[cells(number) for number in range(3, 8)])
    sent = send(county, "officer", data, name="五月.xlsx", dry_run=True)
    assert (sent.json()["state"], sent.json()["office"]["code"]) == ("planning", "B")
    number = done(county, sent)
    page = said.call("officer", "GET", f"/imports/{number}?limit=4", template=NUMBER)
    assert (page["state"], page["rows"], page["counts"]["create"]) == ("planned", {"total": 7, "done": 7}, 6)
    rest = said.call("officer", "GET", f"/imports/{number}?limit=4&cursor={page['next_cursor']}", template=NUMBER)
    assert [row["row"] for row in page["items"] + rest["items"]] == list(range(2, 9)) and rest["next_cursor"] is None
    wrong = said.call("officer", "GET", f"/imports/{number}?outcome=rejected", template=NUMBER)["items"]
    assert [row["remarks"][0]["code"] for row in wrong] == ["town_unknown"]
    assert county.get("officer", "/projects")["items"] == []
    said.call("officer", "POST", f"/imports/{number}/apply", {}, 202, NUMBER + "/apply")
    said.call("officer", "POST", f"/imports/{number}/apply", {}, 409, NUMBER + "/apply")
    running.run_waiting(county.house)
    applied = said.call("officer", "GET", f"/imports/{number}", template=NUMBER)
    assert (applied["state"], applied["counts"]["create"], applied["counts"]["rejected"]) == ("complete", 6, 1)
    assert {one["stage"] for one in county.get("officer", "/projects")["items"]} == {"signed"}
    said.call("officer", "GET", "/projects/SL-001/facts", template="/projects/{ref}/facts")
    listed = said.call("officer", "GET", "/imports?limit=1")
    assert [one["id"] for one in listed["items"]] == [number]
    file = county.as_("officer").get(f"/imports/{number}/errors.xlsx")
    assert file.headers["content-disposition"].startswith("attachment")
    (tmp_path / "e.xlsx").write_bytes(file.content)
    assert [row.town for row in read_ledger(tmp_path / "e.xlsx").rows] == ["天上镇"]


def test_what_moved_since_the_trial_is_not_overwritten(county: County) -> None:
    done(county, send(county, "officer", ledger(cells(1), cells(2))))
    edited = ledger(cells(1, 投资方="新投资方"), cells(2, 投资方="新投资方"), cells(3))
    number = done(county, send(county, "officer", edited, dry_run=True))
    county.post("clerk", "/projects/SL-001/reports", {"text": "主体封顶"})
    refused = county.post("officer", f"/imports/{number}/apply", {}, 409)
    assert (refused["code"], refused["refs"]) == ("import_moved", ["SL-001"])
    again = done(county, send(county, "officer", edited, dry_run=True))
    county.post("officer", f"/imports/{again}/apply", {}, 202)
    county.post("clerk", "/projects/SL-001/reports", {"text": "又有进展"})  # between the asking and the doing
    county.post("clerk", "/projects", {"name": "新来的", "office": "T01", "ref": "SL-003", "effective_on": "2026-06-01"})
    running.run_waiting(county.house)
    page = county.get("officer", f"/imports/{again}")
    assert [(row["ref"], row["outcome"]) for row in page["items"]] == [("SL-001", "rejected"), ("SL-002", "change"), ("SL-003", "rejected")]
    assert {mark["code"] for row in page["items"] if row["outcome"] == "rejected" for mark in row["remarks"]} == {"moved_since"}
    assert county.get("officer", "/projects/SL-001")["investor"] == "示例公司"


def test_an_import_is_seen_by_its_own_offices_only(county: County) -> None:
    number = done(county, send(county, "clerk", ledger(cells(1), cells(2, 镇区="示例2镇"))))
    for who in ("clerk", "townleader", "officer", "leader", "auditor"):
        assert county.get(who, f"/imports/{number}")["counts"]["create"] == 1
    for who in ("other", "department"):
        county.get(who, f"/imports/{number}", 404)
        assert county.as_(who).get(f"/imports/{number}/errors.xlsx").status_code == 404
        assert county.get(who, "/imports")["items"] == []
    assert county.get("clerk", "/projects/SL-001")["stage_recognised"] != "signed"
    for who in ("leader", "auditor", "admin"):
        send(county, who, ledger(cells(1)), 403)
    send(county, "department", ledger(cells(1)), 403)
    send(county, "clerk", ledger(cells(1)), 403, create_offices=True)


def test_the_same_key_sends_a_file_once(county: County) -> None:
    data, key = ledger(cells(1)), {"Idempotency-Key": "k1"}
    first, again = send(county, "officer", data, headers=key), send(county, "officer", data, headers=key)
    assert first.json()["id"] == again.json()["id"] and again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["location"] == first.headers["location"]
    send(county, "officer", ledger(cells(2)), 422, headers=key)


def test_the_worker_takes_what_waits(county: County) -> None:
    number = send(county, "officer", ledger(cells(1))).json()["id"]
    assert worker.take_ledgers in [job for _, job in worker.JOBS]
    ticker = worker.Worker(county.house)
    ticker.stopping.set()
    worker.take_ledgers(ticker)
    assert county.get("officer", f"/imports/{number}")["state"] == "applying", "at the end nothing more is begun"
    ticker.stopping.clear()
    worker.take_ledgers(ticker)
    assert county.get("officer", f"/imports/{number}")["state"] == "complete"


def test_a_trial_that_nobody_applies_is_let_go_of(county: County) -> None:
    number = done(county, send(county, "officer", ledger(cells(1)), dry_run=True))
    assert running.forget_trials(county.house) == 0
    county.at("2026-06-18T10:00:00+08:00")
    assert running.forget_trials(county.house) == 1
    assert county.get("officer", f"/imports/{number}")["error"]["code"] == "trial_expired"
    assert county.post("officer", f"/imports/{number}/apply", {}, 409)["code"] == "import_not_planned"


@pytest.mark.parametrize("data", [b"\x00\x01\x02", b"%PDF-1.7", b"PK\x03\x04junk", "名称,数\n甲,1\n".encode()])
def test_what_is_no_ledger_fails_with_a_sentence(county: County, data: bytes) -> None:
    number = done(county, send(county, "officer", data))
    failed = county.get("officer", f"/imports/{number}")
    assert failed["state"] == "failed" and failed["error"]["code"] == "file_refused" and failed["error"]["hint"]


def test_a_file_is_neither_empty_nor_too_large(county: County) -> None:
    send(county, "officer", b"", 422)
    send(county, "officer", b"x" * (10 * 1024 * 1024 + 1), 413)


def test_an_import_that_was_left_is_taken_up_after_its_lease(county: County, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "CHUNK", 3)
    data = ledger(*[cells(number) for number in range(1, 12)], cells(2, 投资方="别家"))
    number = send(county, "officer", data).json()["id"]
    taken = running.claim(county.house)
    assert taken is not None and taken[0] == number
    steps = iter([False, False, True])
    running.run(county.house, *taken, stopping=lambda: next(steps))
    assert county.get("officer", f"/imports/{number}")["rows"] == {"total": 12, "done": 6}
    dead = running.claim(county.house)
    assert dead is not None and running.claim(county.house) is None, "somebody is at it"
    county.at("2026-06-10T10:05:00+08:00")
    running.run_waiting(county.house)
    page = county.get("officer", f"/imports/{number}")
    assert (page["state"], page["counts"]["create"], page["counts"]["duplicate"]) == ("complete", 11, 1)
    county.post("clerk", "/projects/SL-001/moves", signing("2026-03-01"), 409)


def test_who_was_thought_dead_writes_nothing_more(county: County, monkeypatch: pytest.MonkeyPatch) -> None:
    """Frozen in the middle for longer than its lease, it finds the import elsewhere."""
    monkeypatch.setattr(running, "CHUNK", 3)
    number = send(county, "officer", ledger(*[cells(number) for number in range(1, 12)])).json()["id"]
    asked = 0

    def frozen() -> bool:
        nonlocal asked
        asked += 1
        if asked == 2:
            county.at("2026-06-10T10:05:00+08:00")
            assert running.run_waiting(county.house) == 1
        return False

    taken = running.claim(county.house)
    assert taken is not None
    running.run(county.house, *taken, stopping=frozen)
    page = county.get("officer", f"/imports/{number}")
    assert (asked, page["state"], page["counts"]["create"], page["counts"]["same"]) == (2, "complete", 11, 0)
    assert [row["outcome"] for row in page["items"]] == ["create"] * 11


@pytest.mark.skipif(not (SHARED / "data/ledgers").is_dir(), reason="the workbooks lie beside the repository")
def test_the_clean_workbook_brings_its_stopped_projects(county: County) -> None:
    county.at("2026-11-23T10:00:00+08:00")
    file = SHARED / "data/ledgers/01_county_clean.xlsx"
    expected = orjson.loads(file.with_suffix(".expected.json").read_bytes())
    done(county, send(county, "officer", file.read_bytes(), create_offices=True))
    listed = county.get("officer", "/signed-then-stopped", limit=200)["items"]
    wanted = {row["project_name"] for table in expected["tables"] for row in table["rows"] if row["signed_then_stopped"]}
    assert len(wanted) == 16 and {one["name"] for one in listed} == wanted
