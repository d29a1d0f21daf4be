"""What people say about a stall, and exit reviews: facts, visible, ending by their dates."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from app.offices.models import Office
from app.projects.rebuild import check, verify_chains
from tests.cast import County

RULE = "signed_no_progress"


@pytest.fixture
def late(county: County) -> str:
    """A project that is red on 2026-06-10: signed on 1 May, told on 9 June."""
    county.at("2026-06-09T02:00:00+00:00")
    ref = county.register("officer", effective_on="2026-04-20")
    county.sign(ref, "2026-05-01", "officer")
    county.at("2026-06-10T02:00:00+00:00")
    return ref


def flag(county: County, ref: str, who: str = "clerk", **when: Any) -> dict[str, Any]:
    """The stall as the project shows it; GET /stalls must say the same."""
    (one,) = [one for one in county.get(who, f"/projects/{ref}", **when)["flags"] if one["rule"] == RULE]
    (row,) = [row for row in county.get(who, "/stalls", rule=RULE, **when)["items"] if row["ref"] == ref]
    assert {name: row[name] for name in one} == one
    stopped = [row for row in county.get(who, "/signed-then-stopped", **when)["items"] if row["ref"] == ref]
    assert all(one in row["flags"] and one in row["reasons"] for row in stopped)
    return one


def voice(county: County, office: str, role: str) -> dict[str, Any]:
    """An office's token in a role, as what was said names it."""
    with county.database.statement() as connection:
        number, name = connection.execute(sa.select(Office.id, Office.name).where(Office.code == office)).one()
    return {"office_id": number, "role": role, "person_id": None, "office": name, "person": None}


def test_a_plan_is_shown_until_the_clock_starts_anew(county: County, late: str) -> None:
    assert flag(county, late)["acknowledged"] is None
    said = county.post("clerk", f"/stalls/{late}:{RULE}/acknowledge", {"plan": "6 月底前供地", "until": "2026-06-30"})
    assert said["fact"]["label"] == "承诺办理"
    held = next(one for one in said["project"]["flags"] if one["rule"] == RULE)
    shown = {"on": "2026-06-10", "until": "2026-06-30", "plan": "6 月底前供地", "by": voice(county, "T01", "clerk")}
    assert held["acknowledged"] == flag(county, late)["acknowledged"] == shown and held["level"] == "red"
    assert flag(county, late, as_of="2026-06-09")["acknowledged"] is None  # nobody had said it on that day
    assert flag(county, late, known_at="2026-06-10T01:59:59Z")["acknowledged"] is None
    county.post("clerk", f"/projects/{late}/milestones", {"milestone": "company_registered", "effective_on": "2026-06-10"})
    county.at("2026-08-01T09:00:00+08:00")
    assert flag(county, late)["acknowledged"] == shown  # said on the very day: it may be about the new wait
    county.post("clerk", f"/projects/{late}/milestones", {"milestone": "project_filed", "effective_on": "2026-06-20"})
    assert flag(county, late)["acknowledged"] is None


def test_a_stall_that_was_put_off_stays_in_the_lists(county: County, late: str) -> None:
    before = flag(county, late)
    county.post("officer", f"/stalls/{late}:{RULE}/snooze", {"reason": "等指标", "until": "2026-06-20"})
    after = flag(county, late)
    assert after["snoozed"] == {
        "on": "2026-06-10", "until": "2026-06-20", "reason": "等指标", "due_on": before["due_on"],
        "approver": voice(county, "B", "officer"),
    }  # fmt: skip
    assert {name: after[name] for name in ("level", "due_on", "days_over")} == {
        name: before[name] for name in ("level", "due_on", "days_over")
    }
    county.at("2026-06-19T09:00:00+08:00")
    assert flag(county, late)["snoozed"]
    county.at("2026-06-20T09:00:00+08:00")
    assert flag(county, late)["snoozed"] is None
    assert flag(county, late, as_of="2026-06-19")["snoozed"]  # as it was seen on that day


def test_what_was_said_can_be_taken_back(county: County, late: str) -> None:
    fact = county.post("clerk", f"/stalls/{late}:{RULE}/acknowledge", {"plan": "写错", "until": "2026-06-30"})["fact"]["id"]
    county.post("clerk", f"/facts/{fact}/void", {"reason": "写错"})
    assert flag(county, late)["acknowledged"] is None
    assert check(county.database) == [] and verify_chains(county.database, county.house.audit_key) == []


def test_who_may_say_what(county: County, late: str) -> None:
    path, plan, reason = f"/stalls/{late}:{RULE}", {"plan": "x", "until": "2026-07-01"}, {"reason": "x", "until": "2026-07-01"}
    for who in ("clerk", "leader", "auditor", "admin"):
        county.post(who, f"{path}/snooze", reason, 403)
    for who in ("other", "department"):
        county.post(who, f"{path}/acknowledge", plan, 404)
        county.post(who, f"{path}/snooze", reason, 404)
    county.post("auditor", f"{path}/acknowledge", plan, 403)
    for bad in ("nowhere:signed_no_progress", f"{late}:nonsense", f"{late}", ":", f"{late}:"):
        county.post("clerk", f"/stalls/{bad}/acknowledge", plan, 404)
    county.post("clerk", f"{path}/acknowledge", plan | {"until": "2026-06-10"}, 422)


def test_the_same_key_says_it_once(county: County, late: str) -> None:
    body = {"plan": "x", "until": "2026-07-01"}
    first, second = (county.post("clerk", f"/stalls/{late}:{RULE}/acknowledge", body, **{"Idempotency-Key": "k"}) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("decision", "termination"),
    [("rescind", "rescinded"), ("remove", "removed"), ("take_land_back", None), ("push_on", None), ("new_date", None)],
)
def test_an_exit_review_is_decided(county: County, decision: str, termination: str | None) -> None:
    ref = county.register("officer", effective_on="2025-01-01")
    county.sign(ref, "2025-02-01", "officer")
    path = f"/projects/{ref}/exit-review"
    given = {"decision": decision, "reason": "专题会议决定", "until": "2026-09-01"}
    made = county.post("officer", path, given)
    assert made["fact"]["kind"] == "exit_reviewed" and made["fact"]["data"]["decision"] == decision
    assert made["project"]["status"] == ("terminated" if termination else "active")
    facts = county.get("clerk", f"/projects/{ref}/facts")["items"]
    ends = [one["data"]["termination"] for one in facts if one["action"] == "terminate"]
    assert ends == ([termination] if termination else [])
    if termination:
        assert county.post("officer", path, given, 409)["code"] == "not_in_exit_review"
    assert check(county.database) == [] and verify_chains(county.database, county.house.audit_key) == []


def test_only_what_is_in_exit_review_is_decided_and_by_the_bureau(county: County, late: str) -> None:
    path, body = f"/projects/{late}/exit-review", {"decision": "remove", "reason": "x"}
    assert county.post("officer", path, body, 409)["code"] == "not_in_exit_review"
    county.post("clerk", path, body, 403)
    county.post("other", path, body, 404)
    county.at("2027-01-05T09:00:00+08:00")
    assert county.post("officer", path, {"decision": "push_on", "reason": "x"}, 422)["errors"][0]["field"] == "until"
    assert county.as_("officer").post(path, json=body, headers={"If-Match": '"1"'}).status_code == 412
    county.post("officer", path, body)
