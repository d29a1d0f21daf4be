"""Limits nobody would choose answer all the same."""

from datetime import date
from itertools import count, product
from typing import Any

from app.heart import lifecycle, rules
from app.policies.queries import book_of
from app.policies.service import set_policy
from tests.api.test_lists import walk
from tests.cast import County


def set_limits(county: County, limits: dict[str, Any]) -> None:
    with county.database.write() as connection:
        set_policy(connection, book_of(county.database), {"limits": limits}, effective_from=date(1900, 1, 1), now=county.clock.now())


def register_many(county: County) -> list[str]:
    refs = []
    for number, route in enumerate((*lifecycle.ROUTES, None)):
        refs.append(county.register("officer", route=route, name=f"项目{number}", effective_on="2026-01-01"))
        county.sign(refs[-1], f"2026-02-{number + 1:02d}", "officer")
    return refs


def test_without_a_red_nothing_is_stopped(county: County) -> None:
    refs = register_many(county)
    set_limits(county, {name: {"red": "none"} for name in rules.STOPPED_BY})
    assert walk(county, "officer", "/signed-then-stopped", limit=2) == []
    assert county.get("officer", "/signed-then-stopped", count=True)["total"] == 0
    assert county.get("officer", "/projects", rule="signed_then_stopped")["items"] == []
    assert county.as_("officer").get("/signed-then-stopped.csv").text.count("\n") == 1
    assert {row["ref"] for row in walk(county, "officer", "/stalls", level="exit_review", rule="signed_to_registered")} <= set(refs)
    set_limits(county, {"signed_no_progress": {"red": "30d"}})
    assert {row["ref"] for row in walk(county, "officer", "/signed-then-stopped", limit=2)} == set(refs)


def test_limits_that_differ_on_every_route(county: County) -> None:
    """SQLite refuses a statement of more than 500 parts."""
    refs = register_many(county)
    days = count(20)
    set_limits(county, {rule.name: {route: {"red": f"{next(days)}d"} for route in lifecycle.ROUTES} for rule in rules.RULES})
    known = county.clock.now().isoformat()
    county.at("2026-06-12T10:00:00+08:00")
    for params in ({}, {"known_at": known, "as_of": "2026-05-15"}):
        rows = walk(county, "officer", "/stalls", limit=30, **params)
        assert {row["ref"] for row in rows} == set(refs)
        assert len(rows) == len({row["id"] for row in rows}) == county.get("officer", "/stalls", count=True, **params)["total"]
        assert {row["ref"] for row in walk(county, "officer", "/signed-then-stopped", limit=2, **params)} == set(refs)


ODD = (
    {"yellow": "0d", "red": "0d", "exit_review": "0d"},
    {"yellow": "60d", "red": "30d", "exit_review": "10d"},
    {"yellow": "-3wd", "red": "-5d", "exit_review": "none"},
    {"yellow": "none", "red": "none", "exit_review": "5d"},
    {"yellow": "99999d", "red": "99999m", "exit_review": "99999wd"},
    {"yellow": "none", "red": "none", "exit_review": "none"},
    {"enabled": False},
)


def test_lists_and_projects_agree_under_odd_limits(county: County) -> None:
    register_many(county)
    for limits, params in product(ODD, ({}, {"as_of": "2026-02-03"})):
        set_limits(county, {rule.name: limits for rule in rules.RULES})
        told = {f"{row['ref']}:{flag['rule']}": flag for row in walk(county, "officer", "/projects", **params) for flag in row["flags"]}
        rows = walk(county, "officer", "/stalls", limit=3, **params)
        assert {row["id"]: (row["level"], row["due_on"], row["limit"]) for row in rows} == {
            name: (flag["level"], flag["due_on"], flag["limit"]) for name, flag in told.items()
        }
        for level in ("yellow", "red", "exit_review"):
            worse = {row["id"] for row in walk(county, "officer", "/stalls", limit=50, level=level, **params)}
            ranks = ("blue", "yellow", "red", "exit_review")
            assert worse == {name for name, flag in told.items() if ranks.index(flag["level"]) >= ranks.index(level)}
        stopped = walk(county, "officer", "/signed-then-stopped", limit=2, **params)
        listed = walk(county, "officer", "/projects", rule="signed_then_stopped", **params)
        assert {row["ref"] for row in stopped} == {row["ref"] for row in listed}
