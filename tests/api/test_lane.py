"""The short way and the ordinary road give the same answers; what a report answers from memory is what is read back."""

from typing import Any

import httpx
import pytest

from tests.api.test_concurrency import thirty
from tests.cast import County, landing, signing

REPORTS: list[tuple[str, str, dict[str, Any]]] = [
    ("clerk", "moves", signing("2026-03-01")),
    ("clerk", "milestones", {"milestone": "eia_approved", "effective_on": "2026-03-05"}),
    ("clerk", "milestones", {"milestone": "real_start", "planned": True, "effective_on": "2026-12-01"}),
    ("clerk", "follow-ups", {"channel": "visit", "effective_on": "2026-03-06", "note": "上门"}),
    ("officer", "funds", {"total": {"amount": "1000000.50", "currency": "CNY"}, "effective_on": "2026-03-07"}),
    ("clerk", "reports", {"text": "设备已订购", "effective_on": "2026-03-08"}),
    ("clerk", "reports", {"no_change": True}),
    ("clerk", "evidence", {"evidence": [{"kind": "site_photo", "dated_on": "2026-03-09"}]}),
    ("officer", "moves", landing("2026-03-20")),
    ("clerk", "moves", {"action": "suspend", "reason": "等待指标", "next_actor": "government", "until": "2026-09-01"}),
    ("officer", "moves", {"action": "resume"}),
    ("officer", "moves", {"action": "terminate", "reason": "投资方退出", "termination": "withdrawn"}),
]


def settled(project: dict[str, Any]) -> dict[str, Any]:
    """A project without what tells when it was asked."""
    return {name: value for name, value in project.items() if name != "known_at"}


def test_what_a_report_answers_is_what_is_read_back(county: County) -> None:
    ref = county.register()
    for who, path, body in REPORTS:
        told = county.post(who, f"/projects/{ref}/{path}", body)
        assert settled(told["project"]) == settled(county.get(who, f"/projects/{ref}"))
        facts = county.get(who, f"/projects/{ref}/facts")["items"]
        assert told["fact"] == next(one for one in facts if one["id"] == told["fact"]["id"])


def test_a_change_of_office_is_answered_with_the_new_one(county: County) -> None:
    ref = county.register()
    body = {"office": "T02", "reason": "划转"}
    told = county.as_("officer").patch(f"/projects/{ref}", json=body, headers={"If-Match": '"1"'}).json()
    assert told["project"]["office"]["code"] == "T02"
    assert settled(told["project"]) == settled(county.get("officer", f"/projects/{ref}"))


def test_whoever_waited_for_the_lock_knows_what_was_told_meanwhile(county: County) -> None:
    ref = county.register()
    answers = thirty(county, f"/projects/{ref}/follow-ups", {"channel": "call"})
    assert {answer.status_code for answer in answers} == {201}
    assert sorted(answer.json()["fact"]["seq"] for answer in answers) == list(range(2, 32))
    assert sorted(answer.json()["project"]["version"] for answer in answers) == list(range(2, 32))


def test_a_read_with_a_query_takes_the_other_road_to_the_same_answer(county: County) -> None:
    ref = county.register()
    county.sign(ref)
    assert settled(county.get("clerk", f"/projects/{ref}", as_of="2026-06-10")) == settled(county.get("clerk", f"/projects/{ref}"))


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b'{"channel": "call"', "application/json"),
        (b'{"channel": "shout"}', "application/json"),
        (b'{"channel": "call", "extra": 1}', "application/json"),
        (b"", "application/json"),
        (b"[]", "application/json"),
        (b'{"channel": NaN}', "application/json"),
        (b'{"note": "\\ud800"}', "application/json"),
    ],
)
def test_an_odd_body_is_refused_as_everywhere(county: County, content: bytes, kind: str) -> None:
    ref = county.register()
    answer = county.as_("clerk").post(f"/projects/{ref}/follow-ups", content=content, headers={"Content-Type": kind})
    assert answer.status_code == 422
    assert answer.json()["code"] == "validation_error"
    assert answer.json()["errors"][0]["field"].startswith("body")
    assert county.get("clerk", f"/projects/{ref}")["version"] == 1


def test_a_body_in_pieces_is_read_whole(county: County) -> None:
    ref = county.register()
    pieces = iter([b'{"chan', b'nel": "ca', b'll"}'])
    answer = county.as_("clerk").post(
        f"/projects/{ref}/follow-ups", content=pieces, headers={"Content-Type": "application/json; charset=utf-8"}
    )
    assert answer.status_code == 201, answer.text


def test_nobody_opens_a_project_with_a_wrong_secret(county: County) -> None:
    ref = county.register()
    number = county.tokens["clerk"].partition(".")[0]
    answer = httpx.post(
        f"{county.address}/api/v1/projects/{ref}/follow-ups",
        json={"channel": "call"},
        headers={"Authorization": f"Bearer {number}.wrong"},
        trust_env=False,
    )
    assert answer.status_code == 401
    assert county.get("clerk", f"/projects/{ref}")["version"] == 1
