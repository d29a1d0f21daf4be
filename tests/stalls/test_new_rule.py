"""A new stall rule is one row in app/heart/rules.py: everything else follows by itself."""

import pytest

from app.heart import rules
from app.projects import rebuild
from app.projects.rebuild import check, refresh_if_rules_changed
from tests.cast import County

ROW = rules.Rule(
    "signed_no_money",
    "签约后资金未到位",
    "signed, and no money in place",
    {"yellow": "10d", "red": "3m"},
    lambda now: None if now.signed_on is None or now.funds else rules.Basis("signed_on", now.signed_on, now.signed_on),
    lambda now: ("first_invoice",),
    "请督促资金到位",
)


def test_one_row_reaches_policy_lists_and_projects(county: County, monkeypatch: pytest.MonkeyPatch) -> None:
    ref = county.register("officer")
    county.sign(ref, "2026-03-01", "officer")
    monkeypatch.setattr(rules, "RULES", (*rules.RULES, ROW))
    monkeypatch.setitem(rules.BY_NAME, ROW.name, ROW)
    monkeypatch.setattr(rebuild, "fingerprint", lambda: "another")

    refresh_if_rules_changed(county.database)

    assert check(county.database) == []
    county.house.database.dispose()
    from app.policies import queries

    queries._BOOKS.pop(county.database, None)
    (row,) = county.get("officer", "/stalls", rule="signed_no_money")["items"]
    assert (row["level"], row["due_on"], row["label"]) == ("red", "2026-06-01", "签约后资金未到位")
    assert county.get("officer", "/stalls", rule="signed_no_money", as_of="2026-03-11")["items"][0]["level"] == "yellow"
    assert "signed_no_money" in county.get("officer", "/policy")["limits"]
    assert "signed_no_money" in [flag["rule"] for flag in county.get("clerk", f"/projects/{ref}")["flags"]]
