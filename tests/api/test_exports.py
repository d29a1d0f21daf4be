"""The ledger over HTTP: one's own offices and nobody else's, and on any day what the lists say of that day."""

from __future__ import annotations

import csv
import io
from typing import Any
from urllib.parse import unquote

import openpyxl
import pytest

from app.heart.limits import LEVEL_LABELS
from app.ledgers import running
from app.ledgers.rendering import NO_LIGHT
from app.lists import api
from tests.api.test_responses import Documented
from tests.cast import County
from tests.lists.conftest import register as register
from tests.lists.conftest import walked


def told(county: County, who: str, **params: Any) -> dict[str, dict[str, str]]:
    """ref → the row of the ledger, header → cell."""
    answer = county.as_(who).get("/exports/ledger.csv", params=params)
    assert answer.status_code == 200, answer.text
    rows = csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""))
    return {row["项目编号"]: row for row in rows}


@pytest.mark.parametrize("as_of", [None, "2026-05-15", "2026-03-05", "2026-01-02"])
def test_a_ledger_says_of_a_day_what_the_lists_say_of_it(county: County, register: list[str], as_of: str | None) -> None:
    params = {"as_of": as_of} if as_of else {}
    rows, listed = told(county, "officer", **params), walked(county, "officer", "/projects", **params)
    assert list(rows) == [one["ref"] for one in listed] and listed
    for one in listed:
        row = rows[one["ref"]]
        stage, _, side = row["当前阶段"].partition("，")
        assert (stage, side) == (one["stage_label"] or "", {"active": "", "suspended": "暂停", "terminated": "终止"}[one["status"]])
        level = LEVEL_LABELS[one["level"]][0] if one["level"] else NO_LIGHT if one["status"] == "active" else ""
        assert row["亮灯"] == level
        for name, field in (("签约时间", "signed_on"), ("最近更新", "last_report_on"), ("投资方", "investor"), ("产业类别", "industry")):
            assert row[name] == (one[field] or ""), (name, one["ref"])
        assert (row["项目名称"], row["镇区"], row["责任人"]) == (one["name"], one["office"]["name"], (one["owner"] or {"name": ""})["name"])
        amount = one["contract_amount"]
        assert (row["协议总投资（万元）"] != "") == (amount is not None)
        if amount and amount["currency"] == "CNY":
            assert float(row["协议总投资（万元）"]) * 10_000 == float(amount["amount"])
        assert row["版本（请勿修改）"] == str(one["version"])


def test_everybody_gets_his_own_rows(county: County, register: list[str]) -> None:
    whole, town = told(county, "officer"), told(county, "clerk")
    assert set(whole) == set(register) and set(town) == {ref for ref in register if ref.startswith("T01")}
    assert told(county, "officer", office="T01").keys() == town.keys() and told(county, "department") == {}
    assert county.as_("clerk").get("/exports/ledger.csv", params={"office": "T02"}).status_code == 404
    assert county.as_("clerk").get("/exports/ledger.xlsx", params={"as_of": "2026-06-11"}).json()["code"] == "validation_error"
    assert county.as_("clerk").get("/exports/ledger.xlsx", params={"asof": "2026-06-01"}).status_code == 422


def test_a_town_sends_its_own_export_back_and_nothing_changes(county: County, register: list[str]) -> None:
    for kind in ("xlsx", "csv"):
        answer = county.as_("clerk").get(f"/exports/ledger.{kind}")
        named = answer.headers["content-disposition"]
        assert f'filename="ledger-2026-06-10.{kind}"' in named and unquote(named).endswith(f"台账_2026-06-10.{kind}")
        before = walked(county, "officer", "/projects")
        number = county.as_("clerk").post("/imports", content=answer.content).json()["id"]
        running.run_waiting(county.house)
        done = county.get("clerk", f"/imports/{number}")
        assert (done["state"], done["counts"]["same"], done["counts"]["facts"]) == ("complete", 5, 0), done
        assert walked(county, "officer", "/projects") == before


def test_a_template_has_the_towns_of_whoever_asks(county: County) -> None:
    for who, towns in (("officer", '"示例1镇,示例2镇"'), ("clerk", '"示例1镇"'), ("auditor", '"示例1镇,示例2镇"')):
        answer = county.as_(who).get("/exports/ledger-template.xlsx")
        assert answer.status_code == 200 and unquote(answer.headers["content-disposition"]).endswith("台账模板_2026-06-10.xlsx")
        sheet = openpyxl.load_workbook(io.BytesIO(answer.content)).worksheets[0]
        assert [rule.formula1 for rule in sheet.data_validations.dataValidation if str(rule.sqref).startswith("C2")] == [towns]
        assert sheet["A1"].value == "序号"


def test_files_are_written_a_few_at_a_time(county: County, monkeypatch: pytest.MonkeyPatch) -> None:
    said = Documented(county)
    taken = [api.AT_ONCE.acquire(blocking=False) for _ in range(4)]
    try:
        said.call("clerk", "GET", "/exports/ledger.csv", status=503)
    finally:
        for _ in filter(None, taken):
            api.AT_ONCE.release()
    assert county.as_("clerk").get("/exports/ledger.csv").status_code == 200
