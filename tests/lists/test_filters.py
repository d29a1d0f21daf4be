"""Filters that offices keep: a question under a name, for the whole office, and for nobody else."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from app.lists import service
from tests.cast import County
from tests.lists.conftest import walked


def keep(county: County, who: str, name: str, of: str, query: str, status: int = 201) -> dict[str, Any]:
    return county.post(who, "/filters", {"name": name, "list": of, "query": query}, status)


def test_a_kept_question_is_asked_by_its_address(county: County, register: list[str]) -> None:
    for of, query in (
        ("projects", "stage=signed&sort=-name&limit=2"),
        ("projects", "q=%E9%94%82%E7%94%B5"),
        ("stalls", "level=red&rule=signed_no_progress&sort=due_on"),
        ("signed-then-stopped", "?min_days=30&office=T01"),
        ("signed-then-stopped", ""),
        ("projects", "as_of=2026-04-15"),
    ):
        kept = keep(county, "officer", f"{of} {query}", of, query)
        plain = county.as_("officer").get(f"/{of}?{query.removeprefix('?')}").json()
        asked = county.as_("officer").get(kept["url"].removeprefix("/api/v1")).json()
        hidden = ("known_at", "next_cursor", "settled")
        assert {k: v for k, v in asked.items() if k not in hidden} == {k: v for k, v in plain.items() if k not in hidden}, query
        assert (
            len(walked(county, "officer", f"/{of}", filter=kept["id"], count=True))
            == len(
                walked(
                    county,
                    "officer",
                    f"/{of}",
                    **dict(one.split("=") for one in query.removeprefix("?").split("&") if one and "%" not in one),
                )
            )
            or "%" in query
        )
        assert (
            county.as_("officer").get(f"/{of}.csv?filter={kept['id']}").text
            == county.as_("officer").get(f"/{of}.csv?{query.removeprefix('?')}").text
        )


def test_what_is_asked_explicitly_goes_before(county: County, register: list[str]) -> None:
    kept = keep(county, "officer", "签约", "projects", "stage=signed&sort=name&limit=1")["id"]
    both = county.get("officer", "/projects", filter=kept, stage="land", limit=50)
    assert [row["ref"] for row in both["items"]] == [register[2]]
    names = [row["name"] for row in county.get("officer", "/projects", filter=kept, limit=50)["items"]]
    assert names == [row["name"] for row in county.get("officer", "/projects", stage="signed", sort="name")["items"]] and len(names) == 6
    assert len(county.get("officer", "/projects", filter=kept)["items"]) == 1


def test_a_cursor_goes_with_the_question_however_it_is_asked(county: County, register: list[str]) -> None:
    kept = keep(county, "officer", "签约", "projects", "stage=signed")["id"]
    cursor = county.get("officer", "/projects", filter=kept, limit=2)["next_cursor"]
    rest = county.get("officer", "/projects", filter=kept, cursor=cursor)["items"]
    assert rest == county.get("officer", "/projects", stage="signed", cursor=cursor)["items"] and len(rest) == 4
    county.get("officer", "/projects", 422, filter=kept, stage="land", cursor=cursor)


def test_an_office_shares_its_filters_and_no_other_sees_them(county: County) -> None:
    mine = keep(county, "clerk", "红灯", "stalls", "level=red")
    assert mine["kept_by"] == {"role": "clerk", "person_id": None} and mine["url"] == f"/api/v1/stalls?filter={mine['id']}"
    assert county.get("townleader", "/filters", count=True) == {"items": [mine], "total": 1}
    for who in ("other", "officer", "leader", "department"):
        assert county.get(who, "/filters")["items"] == []
        assert county.get(who, "/stalls", 404, filter=mine["id"])["code"] == "not_found"
        assert county.as_(who).delete(f"/filters/{mine['id']}").status_code == 404
    keep(county, "other", "红灯", "stalls", "level=yellow")  # the name is free elsewhere
    assert county.as_("townleader").delete(f"/filters/{mine['id']}").status_code == 204
    assert county.get("clerk", "/filters")["items"] == []
    assert county.as_("clerk").delete(f"/filters/{mine['id']}").status_code == 404
    county.get("clerk", "/stalls", 404, filter=mine["id"])


def test_an_auditor_asks_with_filters_and_keeps_none(county: County) -> None:
    kept = keep(county, "leader", "红灯", "stalls", "level=red")["id"]
    county.get("auditor", "/stalls", filter=kept)
    assert keep(county, "auditor", "x", "stalls", "level=red", 403)["code"] == "forbidden"
    assert county.as_("auditor").delete(f"/filters/{kept}").status_code == 403
    keep(county, "admin", "x", "projects", "")


REFUSED = [
    ("projects", "level=purple"), ("projects", "sort=level"), ("projects", "nonsense=1"),
    ("projects", "rule=nope"), ("projects", "limit=0"),
    ("stalls", "stage=signed"),
    ("stalls", "rule=signed_then_stopped"), ("signed-then-stopped", "min_days=-1"), ("projects", "stage"),
    ("projects", "cursor=abc"), ("projects", "filter=1"), ("projects", "stage=signed&stage=land"), ("projects", "as_of=2026-13-01"),
    ("projects", "q=%FF"), ("projects", "sort=last_contact_on&as_of=2026-01-01"), ("projects", "&".join(f"a{n}=1" for n in range(99))),
    ("projects", "q=" + "x" * 101), ("projects", "a=" + "x" * 3000), ("runs", ""), ("projects", "q=%00"),
]  # fmt: skip


@pytest.mark.parametrize(("of", "query"), REFUSED)
def test_what_the_list_would_refuse_is_not_kept(county: County, of: str, query: str) -> None:
    refusal = keep(county, "clerk", "x", of, query, 422)
    assert refusal["code"] == "validation_error" and refusal["errors"] and refusal["hint"]
    assert county.get("clerk", "/filters")["items"] == []


def test_offices_outside_are_not_found(county: County) -> None:
    assert keep(county, "clerk", "x", "projects", "office=T02", 404)["code"] == "not_found"
    keep(county, "officer", "x", "projects", "office=T02")


def test_a_filter_of_another_list_says_where_it_belongs(county: County) -> None:
    kept = keep(county, "clerk", "红灯", "stalls", "level=red")["id"]
    refusal = county.get("clerk", "/projects", 422, filter=kept)
    assert refusal["errors"][0]["field"] == "filter" and f"/api/v1/stalls?filter={kept}" in refusal["hint"]


def test_a_filter_that_no_longer_fits_says_so(county: County, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.heart import rules

    kept = keep(county, "clerk", "x", "projects", "rule=signed_to_filed")["id"]
    monkeypatch.delitem(rules.BY_NAME, "signed_to_filed")
    assert county.get("clerk", "/projects", 422, filter=kept)["errors"][0]["field"] == "rule"


def test_names_are_kept_once_and_no_more_than_there_may_be(county: County, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MOST", 3)

    def once(number: int) -> int:
        body = {"name": f"n{number % 6}", "list": "projects", "query": "stage=signed"}
        headers = {"Authorization": f"Bearer {county.tokens['clerk']}"}
        return httpx.post(county.address + "/api/v1/filters", json=body, headers=headers, timeout=60, trust_env=False).status_code

    with ThreadPoolExecutor(12) as pool:
        told = list(pool.map(once, range(12)))
    assert told.count(201) == 3 and told.count(409) == 9
    kept = county.get("clerk", "/filters")["items"]
    assert len({one["name"] for one in kept}) == 3
    assert keep(county, "clerk", "neu", "stalls", "", 409)["code"] == "too_many"
    assert county.as_("clerk").delete(f"/filters/{kept[0]['id']}").status_code == 204
    assert keep(county, "clerk", kept[1]["name"], "projects", "", 409)["code"] == "duplicate"
    keep(county, "clerk", kept[1]["name"], "stalls", "")


def test_a_key_keeps_one_filter(county: County) -> None:
    body = {"name": "x", "list": "projects", "query": ""}
    first, again = (county.as_("clerk").post("/filters", json=body, headers={"Idempotency-Key": "k"}) for _ in range(2))
    assert first.content == again.content and again.headers["idempotent-replayed"] == "true"
