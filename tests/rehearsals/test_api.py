"""Rehearsals over REST and on the command line: the same verb, nothing written, nobody else's projects."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app.db import Base
from app.rehearsals import api
from app.rehearsals.table import wide
from app.settings import Settings
from tests.cast import County, make_settings

LAX = {
    "signed_no_progress": {"yellow": "40d", "red": "60d", "leased": {"exit_review": None}},
    "start_to_operating": {"leased": {"agreed": {"red": "90%"}}},
}
LAX_TOML = (
    '[limits.signed_no_progress]\nyellow = "40d"\nred = "60d"\n[limits.signed_no_progress.leased]\nexit_review = "none"\n'
    '[limits.start_to_operating.leased]\nred = "90%"\n'
)
OFF = {"signed_to_filed": {"enabled": False}}


def told(county: County) -> None:
    """Signed in March in the first town (it went on in April), in the second town in April; today is 10 June."""
    county.at("2026-03-01T10:00:00+08:00")
    first = county.register()
    county.sign(first, "2026-03-01")
    county.at("2026-04-10T10:00:00+08:00")
    county.post("clerk", f"/projects/{first}/milestones", {"milestone": "company_registered"})
    second = county.register("other", office="T02", effective_on="2026-04-01")
    county.sign(second, "2026-04-05", "other")
    county.at("2026-06-10T10:00:00+08:00")


def rehearse(county: County, who: str = "officer", **more: Any) -> dict[str, Any]:
    body = {"variants": [{"name": "lax", "limits": LAX}, {"name": "off", "limits": OFF}], "from": "2026-01-01"}
    return county.post(who, "/policy/rehearse", body | more, 200)


def table(said: dict[str, Any]) -> list[dict[str, Any]]:
    return [dict(zip(said["table"]["columns"], row, strict=True)) for row in said["table"]["rows"]]


def test_variants_stand_beside_the_policy_in_force(county: County) -> None:
    told(county)
    said = rehearse(county)
    assert [one["name"] for one in said["variants"]] == ["current", "lax", "off"]
    current, lax, off = said["variants"]
    assert (current["rules"]["signed_no_progress"]["red"], lax["rules"]["signed_no_progress"]["red"]) == (3, 2)
    assert current["rules"]["signed_to_filed"]["yellow"] == 2 and not any(
        value for key, value in off["rules"]["signed_to_filed"].items() if isinstance(value, int)
    )
    for one in said["variants"]:
        rows = [row for row in table(said) if row["variant"] == one["name"]]
        for column in ("yellow", "red", "recovered", "opened", "closed"):
            assert one[column] == sum(row[column] for row in rows) == sum(rule[column] for rule in one["rules"].values())
        for level in ("yellow", "red", "exit_review"):
            series = [row["values"] for row in said["series"] if (row["variant"], row["level"]) == (one["name"], level)]
            assert sum(map(sum, series)) == one[level]
            assert all(len(values) == len(said["months"]) == 6 for values in series)
    assert {row["office"] for row in table(said)} == {"T01", "T02"}
    assert said["stopped"][0]["values"] == [0, 0, 1, 0, 1, 1], "the first stopped until it registered its company; then the second"


def test_json_and_toml_say_the_same(county: County) -> None:
    told(county)
    as_json, as_toml = (
        rehearse(county, variants=[one])["variants"][1] for one in ({"name": "x", "limits": LAX}, {"name": "x", "toml": LAX_TOML})
    )
    assert as_json == as_toml


def test_a_town_rehearses_over_its_own_projects(county: County) -> None:
    told(county)
    mine = rehearse(county, "clerk")
    assert {row["office"] for row in table(mine)} == {"T01"} and mine["projects"] == 1
    assert mine == rehearse(county, "officer", office="T01") | {"known_at": mine["known_at"], "office": None}
    assert county.post("clerk", "/policy/rehearse", {"variants": [], "office": "T02"}, 404)["code"] == "not_found"
    assert rehearse(county, "department")["projects"] == 0


def test_nothing_is_written(county: County) -> None:
    told(county)

    def everything() -> list[Any]:
        with county.database.statement() as connection:
            return [connection.execute(sa.select(one)).all() for one in Base.metadata.sorted_tables]

    before = everything()
    body = {"variants": [{"name": "lax", "limits": LAX}]}
    answers = [county.as_("officer").post("/policy/rehearse", json=body, headers={"Idempotency-Key": "once"}) for _ in range(2)]
    assert [one.status_code for one in answers] == [200, 200]
    assert everything() == before


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"variants": [{"name": "a", "limits": {"nope": {"red": "1d"}}}]}, "方案 a"),
        ({"variants": [{"name": "a", "limits": {"signed_no_progress": {"red": "soon"}}}]}, "signed_no_progress.red"),
        ({"variants": [{"name": "a", "toml": "limits ="}]}, "TOML"),
        ({"variants": [{"name": "a", "toml": "x = " + "[" * 20_000}]}, "TOML"),
        ({"variants": [{"name": "a", "limits": {}, "toml": ""}]}, "variants"),
        ({"variants": [{"name": "a"}]}, "variants"),
        ({"variants": [{"name": "a", "limits": {}}, {"name": "a", "limits": {}}]}, "a"),
        ({"variants": [{"name": "current", "limits": {}}]}, "current"),
        ({"variants": [{"name": f"v{one}", "limits": {}} for one in range(21)]}, "variants"),
        ({"variants": [{"name": "a", "limits": {"\ud800": {}}}]}, "surrogate"),
        ({"variants": [], "from": "2026-06-10", "to": "2026-06-09"}, "from"),
        ({"variants": [], "to": "2026-06-11"}, "to"),
        ({"variants": [], "from": "2021-01-01"}, "五年"),
        ({"variants": [], "knowledge": "maybe"}, "knowledge"),
        ({"variants": [], "months": 3}, "months"),
    ],
)
def test_a_wrong_question_is_told_what_is_wrong(county: County, body: dict[str, Any], said: str) -> None:
    answer = county.as_("officer").post("/policy/rehearse", content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] == "validation_error" and said in answer.text


def test_one_at_a_time_and_not_for_ever(county: County, monkeypatch: pytest.MonkeyPatch) -> None:
    told(county)
    monkeypatch.setattr(api, "PATIENCE", 0.0)
    assert "luodi policy rehearse" in county.post("officer", "/policy/rehearse", {"variants": []}, 422)["hint"]
    with api._one_at_a_time:
        answer = county.as_("officer").post("/policy/rehearse", json={"variants": []})
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "busy", "30")


def luodi(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "LUODI_DATABASE_URL": settings.database_url, "LUODI_VAR_DIR": str(settings.var_dir), "LUODI_DEV": "true",
        "LUODI_CLOCK": "2026-06-10T10:00:00+08:00",
    }  # fmt: skip
    called = [str(Path(sys.executable).with_name("luodi")), *arguments]
    return subprocess.run(called, env=environment, capture_output=True, text=True, timeout=100, check=False)


def test_the_command_says_what_rest_says(county: County, tmp_path: Path) -> None:
    told(county)
    files = [tmp_path / "lax.toml", tmp_path / "again" / "lax.toml", tmp_path / "current.toml"]
    for file, text in zip(files, (LAX_TOML, "", ""), strict=True):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, "utf-8")
    given = [*map(str, files), "--from", "2026-01-01"]
    done = luodi(county.house.settings, "policy", "rehearse", *given, "--json")
    assert done.returncode == 0, done.stderr
    assert "2/2" in done.stderr
    said, over_rest = json.loads(done.stdout), rehearse(county)
    assert [one["name"] for one in said["variants"]] == ["current", "lax", "lax-2", "current-2"]
    assert said["variants"][:2] == over_rest["variants"][:2]
    assert said["variants"][2] == said["variants"][0] | {"name": "lax-2"}

    lines = luodi(county.house.settings, "policy", "rehearse", *given, "--office", "示例1镇", "--knowledge", "then").stdout.splitlines()
    block = lines[lines.index("") + 1 :]
    block = block[: block.index("")]
    assert len({wide(line) for line in block}) == 1, "the last column ends at one place"
    assert any("示例1镇 T01" in line for line in lines) and not any("T02" in line for line in lines)


def test_the_command_refuses_and_is_misused(sqlite_url: str, tmp_path: Path) -> None:
    bad, good = tmp_path / "bad.toml", tmp_path / "good.toml"
    bad.write_text('[limits.nope]\nred = "1d"\n')
    good.write_text("")
    settings = make_settings(sqlite_url, tmp_path)
    assert "nope" in (refused := luodi(settings, "policy", "rehearse", str(bad))).stderr and refused.returncode == 1
    for wrong in ([str(tmp_path / "none.toml")], [str(good), "--from", "yesterday"]):
        assert luodi(settings, "policy", "rehearse", *wrong).returncode == 2
