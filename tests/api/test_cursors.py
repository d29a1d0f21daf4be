"""A cursor is good for the list it came from, with the same filters, and for nothing else."""

from itertools import permutations
from typing import Any

import pytest

from tests.cast import County

LISTS: dict[str, tuple[str, dict[str, Any]]] = {
    "projects": ("/projects", {}),
    "projects by date": ("/projects", {"sort": "signed_on"}),
    "projects by ref": ("/projects", {"sort": "-ref"}),
    "one town's": ("/projects", {"office": "T01"}),
    "stopped": ("/signed-then-stopped", {}),
    "stopped, latest first": ("/signed-then-stopped", {"sort": "-stopped_on"}),
    "stalls": ("/stalls", {}),
    "red stalls": ("/stalls", {"level": "red"}),
}


@pytest.fixture
def cursors(county: County) -> dict[str, str]:
    for number in range(3):
        ref = county.register("officer", name=f"项目{number}", effective_on="2026-01-01")
        county.sign(ref, f"2026-02-0{number + 1}", "officer")
    return {name: county.get("officer", path, limit=1, **given)["next_cursor"] for name, (path, given) in LISTS.items()}


def test_a_cursor_of_another_list_is_refused(county: County, cursors: dict[str, str]) -> None:
    for mine, other in permutations(LISTS, 2):
        path, given = LISTS[mine]
        assert county.get("officer", path, 422, cursor=cursors[other], **given)["errors"][0]["field"] == "cursor", (mine, other)
    for path in ("/runs", "/deliveries"):
        for cursor in cursors.values():
            county.get("officer", path, 422, cursor=cursor)


def test_a_cursor_does_not_move_to_another_moment(county: County, cursors: dict[str, str]) -> None:
    for name, (path, given) in LISTS.items():
        county.get("officer", path, 422, cursor=cursors[name], as_of="2026-05-01", **given)
        county.get("officer", path, 422, cursor=cursors[name], known_at="2026-06-10T00:00:00Z", **given)
        again = county.get("officer", path, cursor=cursors[name], as_of="2026-06-10", known_at="2026-06-10", **given)
        assert again["items"] and again == county.get("officer", path, cursor=cursors[name], **given)


def test_a_cursor_in_other_hands_shows_their_own_rows(county: County, cursors: dict[str, str]) -> None:
    mine = county.register("other", office="T02", effective_on="2026-02-01")
    for name in ("projects", "stopped", "stalls"):
        path, given = LISTS[name]
        rows = county.get("other", path, cursor=cursors[name], **given)["items"]
        assert {row["ref"] for row in rows} <= {mine}
