"""`count=true` tells on every list how many rows all its pages hold."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.heart import rules
from app.worker import daily
from tests.cast import County
from tests.lists.conftest import walked

COMMON = {
    "office": st.sampled_from(["T01", "T02", "B"]),
    "q": st.sampled_from(["gs", "锂", "a", "5", "zz", ""]),
    "as_of": st.dates(date(2026, 1, 1), date(2026, 6, 10)).map(str),
    "limit": st.integers(1, 7),
}
LISTS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "/projects": COMMON
    | {
        "stage": st.sampled_from(["intent", "signed", "land"]),
        "status": st.sampled_from(["active", "suspended"]),
        "level": st.sampled_from(["blue", "yellow", "red", "exit_review"]),
        "rule": st.sampled_from([*rules.BY_NAME, rules.STOPPED]),
        "signed_from": st.sampled_from(["2026-02-05", "2026-03-01"]),
        "sort": st.sampled_from(["-name", "investor", "-contract_amount", "stage", "funds_in_place", "owner", "-suspended_until"]),
    },
    "/stalls": COMMON
    | {
        "level": st.sampled_from(["blue", "yellow", "red", "exit_review"]),
        "rule": st.sampled_from(list(rules.BY_NAME)),
        "sort": st.sampled_from(["-basis_on", "due_on", "-days_over", "level", "office", "name"]),
    },
    "/signed-then-stopped": COMMON
    | {"min_days": st.integers(0, 120), "sort": st.sampled_from(["-stopped_on", "days_stopped", "-days_since_signing", "name", "-office"])},
}


@pytest.mark.parametrize("path", LISTS)
def test_the_total_is_what_all_pages_hold(county: County, register: list[str], path: str) -> None:
    met = set()

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.fixed_dictionaries({}, optional=LISTS[path]), st.sampled_from(["officer", "clerk", "department"]))
    def ask(params: dict[str, Any], who: str) -> None:
        if params.get("office", "T01") != "T01" and who != "officer":
            del params["office"]
        if who == "department":
            params.pop("office", None)
        rows = walked(county, who, path, **{"limit": 3, **params}, count=True)  # which compares the total with the rows
        assert len({row.get("id", row["ref"]) for row in rows}) == len(rows)
        met.add(len(rows))

    ask()
    assert len(met) > 2


def test_the_other_lists_count_too(county: County, register: list[str]) -> None:
    for day in (10, 11, 12):
        county.at(f"2026-06-{day}T10:00:00+08:00")
        daily(county.house)
    for path, params in (("/runs", {}), ("/deliveries", {}), ("/deliveries", {"state": "sent"}), ("/deliveries", {"date": "2026-06-10"})):
        for who in ("officer", "clerk", "other"):
            walked(county, who, path, limit=1, count=True, **params)
    assert county.get("officer", "/runs", count=True)["total"] == 3
    assert county.get("officer", "/deliveries", count=True)["total"] > 1
    assert county.get("other", "/deliveries", count=True)["total"] == 0
    for who, path in (
        ("officer", "/offices"),
        ("clerk", "/offices"),
        ("clerk", "/people"),
        ("other", "/people"),
        ("clerk", f"/projects/{register[0]}/facts"),
    ):
        page = county.get(who, path, count="true")
        assert page["total"] == len(page["items"])
        assert "total" not in county.get(who, path)
