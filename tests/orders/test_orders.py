"""Supervision orders over REST: from issuing to closing, who may, what is seen, and two at once."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import sqlalchemy as sa

from app.offices import service as offices
from app.orders.models import Order, OrderEvent
from tests.cast import County

OWN = {"office": "T01", "matter": "企业反映供电迟迟未接通", "requirement": "限期接通并回复"}


def issue(county: County, **more: Any) -> dict[str, Any]:
    return county.post("officer", "/orders", OWN | more)


def step(
    county: County, who: str, order: dict[str, Any], path: str, body: dict[str, Any] | None = None, status: int = 201
) -> dict[str, Any]:
    return county.post(who, f"/orders/{order['id']}/{path}", body or {}, status)


def test_an_order_goes_its_way(county: County) -> None:
    made = issue(county)
    assert made["number"] == "督办〔2026〕1号" and made["state"] == "issued" and made["version"] == 1
    assert made["issued_on"] == "2026-06-10" and made["due_on"] == "2026-06-17"  # the fifth workday
    assert made["may"] == ["receive", "extend", "close"] and made["source"] == {
        "rule": None,
        "label": None,
        "level": None,
        "automatic": False,
    }
    assert county.get("clerk", f"/orders/{made['number']}")["may"] == ["receive", "extend"]
    assert step(county, "clerk", made, "reply", {"text": "快了"}, 409)["code"] == "order_not_allowed"
    assert step(county, "clerk", made, "receive")["received_on"] == "2026-06-10"
    assert step(county, "clerk", made, "extend", {"reason": "等批复", "until": "2026-06-24"})["asked_until"] == "2026-06-24"
    assert step(county, "clerk", made, "extend", {"reason": "再等", "until": "2026-06-25"}, 409)["code"] == "extension_pending"
    granted = step(county, "officer", made, "decide-extension", {"granted": True})
    assert granted["due_on"] == "2026-06-24" and granted["asked_until"] is None
    county.at("2026-06-23T09:00:00+08:00")
    assert step(county, "clerk", made, "reply", {"text": "已接通"})["replied_on"] == "2026-06-23"
    back = step(county, "officer", made, "send-back", {"reason": "未附证明"})
    assert back["state"] == "sent_back" and back["due_on"] == "2026-06-30"
    county.at("2026-07-01T09:00:00+08:00")
    late = county.get("clerk", f"/orders/{made['id']}")
    assert late["overdue"] and late["days_over"] == 1 and "extend" not in late["may"]
    assert step(county, "clerk", made, "extend", {"reason": "再等", "until": "2026-08-01"}, 409)["code"] == "extension_too_late"
    step(county, "townleader", made, "reply", {"text": "附证明"})
    done = step(county, "officer", made, "close")
    assert done["state"] == "closed" and done["closed_on"] == "2026-07-01" and done["may"] == []
    assert [one["action"] for one in done["events"]] == [
        "issue", "receive", "extend", "decide_extension", "reply", "send_back", "reply", "close",
    ]  # fmt: skip
    assert [one["seq"] for one in done["events"]] == list(range(1, done["version"] + 1))
    first, second = done["events"][0]["actor"], done["events"][1]["actor"]
    assert (first["office"]["code"], first["role"], first["on_behalf"]) == ("B", "officer", False)
    assert (second["office"]["code"], second["role"], second["on_behalf"]) == ("T01", "clerk", False)
    assert step(county, "officer", made, "close", status=409)["code"] == "order_not_allowed"


def test_the_bureau_withdraws_and_writes_down_for_a_unit(county: County) -> None:
    made = issue(county)
    assert step(county, "officer", made, "receive")["events"][-1]["actor"]["on_behalf"]
    refused = step(county, "officer", made, "close", status=409)
    assert refused["code"] == "order_incomplete" and refused["missing"] == [{"field": "reason", "label": "原因"}]
    assert step(county, "officer", made, "close", {"reason": "重复"})["state"] == "closed"


def test_a_refused_extension_leaves_the_date(county: County) -> None:
    made = issue(county, due_on="2026-06-20")
    assert step(county, "officer", made, "decide-extension", {"granted": True}, 409)["code"] == "extension_not_asked"
    step(county, "clerk", made, "extend", {"reason": "等批复", "until": "2026-06-24"})
    refused = step(county, "officer", made, "decide-extension", {"granted": False, "reason": "已宽限一次"})
    assert refused["due_on"] == "2026-06-20" and refused["asked_until"] is None and refused["events"][-1]["granted"] is False
    step(county, "clerk", made, "receive")
    step(county, "clerk", made, "extend", {"reason": "等批复", "until": "2026-06-24"})
    assert step(county, "clerk", made, "reply", {"text": "办了"})["asked_until"] is None  # nobody has to answer it any more


def test_an_order_for_a_late_rule_writes_itself(county: County) -> None:
    with county.database.write() as connection:
        person = offices.add_person(connection, office="T01", name="王一", email="t01@example.org", role="clerk")
    ref = county.register("officer", owner_id=person)
    county.sign(ref, "2026-03-01", "officer")
    made = county.post("officer", "/orders", {"ref": ref, "rule": "signed_no_progress"})
    assert made["office"]["code"] == "T01" and made["person"]["name"] == "王一" and made["project"]["ref"] == ref
    assert made["source"]["level"] == "red" and made["source"]["label"] == "签约后无进展"
    assert "签约后无进展（红灯，自2026年3月1日起已 101 天）" in made["matter"] and "公司注册" in made["requirement"]
    again = county.post("officer", "/orders", {"ref": ref, "rule": "signed_to_registered"}, 409)
    assert again["code"] == "order_open" and again["number"] == made["number"]
    county.post("officer", "/orders", OWN | {"ref": ref})  # another matter of the same project
    step(county, "officer", made, "close", {"reason": "改由专班督办"})
    assert county.post("officer", "/orders", {"ref": ref, "rule": "signed_to_registered"})["number"] == "督办〔2026〕3号"
    assert county.post("officer", "/orders", {"ref": ref, "rule": "funds_low_after_start"}, 404)["code"] == "not_found"


def test_numbers_have_no_gaps_and_begin_anew_each_year(county: County) -> None:
    issue(county)
    for bad in ({"office": "T09"}, {"person_id": 99}, {"due_on": "2026-06-09"}, {"ref": "nowhere"}):
        assert county.as_("officer").post("/orders", json=OWN | bad).status_code in (404, 422)
    assert issue(county)["number"] == "督办〔2026〕2号"
    county.at("2027-01-04T09:00:00+08:00")
    assert issue(county)["number"] == "督办〔2027〕1号"


def test_who_sees_what(county: County) -> None:
    mine, theirs = issue(county), issue(county, office="T02")
    addressed = issue(county, office="D")
    seen = {
        who: {one["id"] for one in county.get(who, "/orders")["items"]} for who in ("officer", "clerk", "other", "auditor", "department")
    }
    assert seen["officer"] == seen["auditor"] == {mine["id"], theirs["id"], addressed["id"]}
    assert (seen["clerk"], seen["other"], seen["department"]) == ({mine["id"]}, {theirs["id"]}, {addressed["id"]})
    for who in ("clerk", "department"):
        elsewhere = county.as_(who).get(f"/orders/{theirs['id']}")
        nowhere = county.as_(who).get("/orders/99999")
        assert elsewhere.status_code == nowhere.status_code == 404
        assert {**elsewhere.json(), "request_id": None} == {**nowhere.json(), "request_id": None}
        assert county.as_(who).get(f"/orders/{theirs['number']}").status_code == 404
        assert county.post(who, f"/orders/{theirs['id']}/receive", {}, 404)["code"] == "not_found"
    for who in ("auditor", "admin"):
        assert county.post(who, f"/orders/{mine['id']}/receive", {}, 403)["code"] == "forbidden"
        assert county.post(who, "/orders", OWN, 403)["code"] == "forbidden"
    for who in ("clerk", "townleader", "leader"):
        assert county.post(who, "/orders", OWN, 403)["code"] == "forbidden"
        assert county.post(who, f"/orders/{mine['id']}/close", {"reason": "x"}, 403)["code"] == "forbidden"
    assert county.post("department", f"/orders/{addressed['id']}/receive", {})["state"] == "received"
    county.get("clerk", "/orders", 404, office="T02")


def test_the_list_in_pages_and_by_filters(county: County) -> None:
    made = [issue(county, office="T01" if number % 2 else "T02") for number in range(7)]
    step(county, "clerk", made[1], "receive")
    step(county, "officer", made[0], "close", {"reason": "x"})
    found, cursor = [], None
    while True:
        page = county.get("officer", "/orders", limit=3, count=True, **({"cursor": cursor} if cursor else {}))
        found += [one["id"] for one in page["items"]]
        assert page["total"] == 7
        if (cursor := page["next_cursor"]) is None:
            break
    assert found == [one["id"] for one in reversed(made)]
    assert county.get("officer", "/orders", 422, cursor="x")["code"] == "validation_error"

    def ids(**filters: Any) -> set[int]:
        return {one["id"] for one in county.get("officer", "/orders", **filters)["items"]}

    assert ids(office="T01") == {one["id"] for one in made[1::2]}
    assert ids(state="received") == {made[1]["id"]} and ids(open=False) == {made[0]["id"]}
    assert ids(overdue=True) == set()
    county.at("2026-06-18T09:00:00+08:00")
    assert ids(overdue=True) == {one["id"] for one in made[1:]} and ids(overdue=False) == {made[0]["id"]}


def test_a_key_and_a_version_guard_a_step(county: County) -> None:
    made = issue(county)
    again = [county.as_("officer").post("/orders", json=OWN, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert again[0].json() == again[1].json() and again[1].headers["Idempotent-Replayed"] == "true"
    assert again[0].headers["etag"] == '"1"'
    path = f"/orders/{made['id']}/receive"
    assert county.as_("clerk").post(path, json={}, headers={"If-Match": '"2"'}).status_code == 412
    assert county.as_("clerk").post(path, headers={"If-Match": '"1"'}).status_code == 201
    assert county.as_("clerk").get(f"/orders/{made['id']}").headers["etag"] == '"2"'


@pytest.mark.parametrize("steps", [("receive", "receive"), ("receive", "close")])
def test_two_at_once_on_one_order(county: County, steps: tuple[str, str]) -> None:
    """One after the other, whoever comes first: what the second may depends on what the first did."""
    county.as_("clerk")
    for _ in range(4):
        made = issue(county)
        answers: dict[int, int] = {}
        start = threading.Barrier(2)

        def take(
            number: int, path: str, order: int = made["id"], start: threading.Barrier = start, answers: dict[int, int] = answers
        ) -> None:
            client = county.as_("clerk" if path == "receive" else "officer")
            start.wait()
            answers[number] = client.post(f"/orders/{order}/{path}", json={"reason": "x"} if path == "close" else {}).status_code

        threads = [threading.Thread(target=take, args=(number, path)) for number, path in enumerate(steps)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        after = county.get("officer", f"/orders/{made['id']}")
        assert sorted(answers.values()) in ([201, 409], [201, 201])
        assert steps != ("receive", "receive") or sorted(answers.values()) == [201, 409]
        assert [one["seq"] for one in after["events"]] == list(range(1, after["version"] + 1))
        assert after["version"] == 1 + list(answers.values()).count(201)


def test_many_officers_at_once_leave_no_gap(county: County) -> None:
    county.as_("officer")  # one client for all of them
    threads = [threading.Thread(target=lambda: [issue(county) for _ in range(4)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    with county.database.snapshot() as connection:
        assert sorted(connection.scalars(sa.select(Order.seq))) == list(range(1, 17))
        assert connection.scalar(sa.select(sa.func.count()).select_from(OrderEvent)) == 16
