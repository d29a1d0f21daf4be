"""The lists: complete, in order, page by page, and the same for whoever asks again."""

from datetime import date, timedelta
from typing import Any

import pytest

from tests.cast import County


def stopped(county: County, count: int) -> list[str]:
    """Some stopped projects, signed on different days and in two towns, every third registered the day it signed."""
    refs = []
    for number in range(count):
        office = f"T0{number % 2 + 1}"
        ref = county.register("officer", office=office, name=f"项目{number}", effective_on="2026-01-01")
        on = (date(2026, 2, 1) + timedelta(days=number % 7 * 3)).isoformat()
        county.sign(ref, on, "officer")
        refs.append(ref)
    return refs


def walk(county: County, who: str, path: str, **params: Any) -> list[dict[str, Any]]:
    """All pages of a list."""
    rows, cursor = [], None
    for _ in range(100):
        page = county.get(who, path, **params, **({"cursor": cursor} if cursor else {}))
        rows += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return rows
    raise AssertionError("the list does not end")


@pytest.mark.parametrize("limit", [1, 3, 50])
def test_pages_hold_every_row_once_and_in_order(county: County, limit: int) -> None:
    refs = stopped(county, 8)
    rows = walk(county, "officer", "/signed-then-stopped", limit=limit)
    assert sorted(row["ref"] for row in rows) == sorted(refs)
    assert [row["stopped_on"] for row in rows] == sorted(row["stopped_on"] for row in rows)
    down = walk(county, "officer", "/signed-then-stopped", limit=limit, sort="-stopped_on")
    assert [row["ref"] for row in down] == [row["ref"] for row in reversed(rows)]
    mine = walk(county, "clerk", "/signed-then-stopped", limit=limit)
    assert {row["office"]["code"] for row in mine} == {"T01"} and len(mine) == 4
    past = walk(county, "officer", "/signed-then-stopped", limit=limit, as_of="2026-03-10")
    assert sorted(row["ref"] for row in past) == sorted(row["ref"] for row in rows if row["stopped_on"] <= "2026-03-10")


def test_a_cursor_pins_day_knowledge_and_policy(county: County) -> None:
    stopped(county, 6)
    first = county.get("officer", "/signed-then-stopped", limit=2)
    everything = walk(county, "officer", "/signed-then-stopped", limit=200)
    county.at("2026-06-10T10:30:00+08:00")
    gone = everything[3]["ref"]
    county.land(gone, "2026-02-20", "officer")
    second = county.get("officer", "/signed-then-stopped", limit=200, cursor=first["next_cursor"])
    assert [row["ref"] for row in first["items"] + second["items"]] == [row["ref"] for row in everything]
    assert second["known_at"] == first["known_at"]
    assert gone not in [row["ref"] for row in walk(county, "officer", "/signed-then-stopped", limit=2)]


def test_min_days_and_total(county: County) -> None:
    stopped(county, 6)
    page = county.get("officer", "/signed-then-stopped", min_days=90, count=True)
    assert page["items"] and all(row["days_stopped"] >= 90 for row in page["items"])
    assert page["total"] == len(page["items"]) < county.get("officer", "/signed-then-stopped", count=True)["total"] == 6


def test_csv_is_the_same_list(county: County) -> None:
    stopped(county, 5)
    rows = walk(county, "officer", "/signed-then-stopped")
    text = county.as_("officer").get("/signed-then-stopped.csv").content.decode("utf-8-sig").splitlines()
    assert [line.split(",")[0] for line in text[1:]] == [row["ref"] for row in rows]
    accepted = county.as_("officer").get("/signed-then-stopped", headers={"Accept": "text/csv"})
    assert accepted.headers["content-type"].startswith("text/csv") and len(accepted.text.splitlines()) == 6


def test_stalls_give_a_row_per_rule_and_filter(county: County) -> None:
    ref = county.register("officer", effective_on="2026-01-01")
    county.sign(ref, "2026-04-20", "officer")
    rows = walk(county, "officer", "/stalls", limit=1)
    assert {row["rule"]: row["level"] for row in rows} == {
        "signed_no_progress": "red",
        "signed_to_registered": "red",
        "signed_to_filed": "yellow",
        "signed_to_start": "yellow",  # leased: 48 days after the signing
        "report_missing": "red",  # never reported, nobody responsible
        "owner_missing": "red",
    }
    assert all(row["id"] == f"{ref}:{row['rule']}" for row in rows)
    assert len(walk(county, "officer", "/stalls", level="red")) == 4
    assert len(walk(county, "officer", "/stalls", rule="signed_to_filed")) == 1
    assert walk(county, "officer", "/stalls", level="exit_review") == []
    assert county.get("officer", "/stalls", 422, rule="nope")["errors"][0]["field"] == "rule"
    assert county.get("officer", "/stalls", count=True)["total"] == 6


def test_projects_filter_and_sort(county: County) -> None:
    refs = stopped(county, 4)
    quiet = county.register("officer", name="新登记", effective_on="2026-06-09")
    get = lambda **params: [row["ref"] for row in walk(county, "officer", "/projects", **params)]  # noqa: E731
    assert get() == [*refs, quiet]
    assert get(stage="intent") == [quiet] and get(stage="signed") == refs
    assert get(office="T02") == refs[1::2]
    assert (
        get(level="red") == refs
        and get(rule="signed_then_stopped") == refs
        and get(rule="signed_to_filed", level="exit_review") == refs[:0] + get(rule="signed_to_filed", level="exit_review")
    )
    assert get(q="新登") == [quiet]
    assert get(signed_from="2026-02-02") == refs[1:] and get(signed_to="2026-02-01") == refs[:1]
    assert get(sort="signed_on", limit=2)[-1] == quiet and get(sort="-signed_on", limit=2)[0] == refs[3]
    assert get(sort="-ref", limit=2) == sorted([*refs, quiet], reverse=True)
    assert get(as_of="2026-01-15") == refs
    assert county.get("officer", "/projects", count=True)["total"] == 5


def test_a_policy_changed_twice_keeps_old_answers(county: County) -> None:
    from app.policies.queries import book_of
    from app.policies.service import set_policy

    ref = county.register("officer", effective_on="2026-01-01")
    county.sign(ref, "2026-05-01", "officer")
    book = book_of(county.database)

    def set_red(days: int, effective: date) -> str:
        with county.database.write() as connection:
            table = {"limits": {"signed_no_progress": {"red": f"{days}d"}, "signed_to_registered": {"enabled": False}}}
            set_policy(connection, book, table, effective_from=effective, now=county.clock.now())
        return county.clock.now().isoformat()

    start = county.clock.now().isoformat()
    first = set_red(60, date(2026, 6, 10))
    second = set_red(20, date(1900, 1, 1))
    ask = lambda **params: [(row["stopped_on"]) for row in county.get("officer", "/signed-then-stopped", **params)["items"]]  # noqa: E731
    assert ask(known_at=start) == ["2026-05-31"]
    assert ask(known_at=first) == []
    assert ask(known_at=first, as_of="2026-06-09") == ["2026-05-31"]
    assert ask(known_at=second) == ask() == []  # the later effective_from still governs today
    assert ask(as_of="2026-06-09") == ["2026-05-21"]
    assert county.get("officer", "/policy")["version"] == 2
    assert [one["version"] for one in county.get("officer", "/policy")["versions"]] == [1, 2, 3]
