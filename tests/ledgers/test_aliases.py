"""Headers that the bureau adds: used by the next file, refused where they would harm, remembered with whoever added them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.cli import app as command_line
from app.ledgers import aliases, running
from app.ledgers.exporting import export_ledger
from tests.cast import County
from tests.ledgers.conftest import Register
from tests.ledgers.test_conflict_story import counts, send
from tests.ledgers.test_import_ledger import HEAD, book, cells, load, outcomes
from tests.ledgers.workbooks import Page, xlsx

OWN = ["意向盘子（万元）" if title == "协议总投资（万元）" else title for title in HEAD]
BY = aliases.By(None, "admin")


def unread(told: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["column"], one["label"]) for one in told["tables"][0]["columns"] if one["field"] is None]


def add(register: Register, field: str = "amount", header: str = "意向盘子") -> int:
    with register.house.database.write() as connection:
        return aliases.add(connection, field=field, header=header, by=BY, now=register.house.clock.now())


def test_the_bureau_adds_a_header_and_the_next_file_is_read_by_it(county: County) -> None:
    told = send(county, "officer", [OWN, cells(1)])
    assert counts(told) == {"create": 1} and county.get("officer", "/projects/SL-001")["contract_amount"] is None
    assert unread(told) == [("H", "意向盘子（万元）")]
    made = county.post("officer", "/ledger-columns/aliases", {"field": "amount", "header": " 意向盘子\u3000(亿元) "})
    assert (made["title"], made["header"], made["by"]) == ("协议总投资", "意向盘子 (亿元)", {"office": "B", "role": "officer"})
    assert counts(send(county, "officer", [OWN, cells(1)])) == {"change": 1}
    assert county.get("officer", "/projects/SL-001")["contract_amount"] == {"amount": "120000000.00", "currency": "CNY"}
    assert counts(send(county, "clerk", [OWN, cells(2)])) == {"create": 1}, "a town's ledger is read by it, too"
    shown = county.get("clerk", "/ledger-columns")
    assert [one["own"] for one in shown["items"] if one["own"]] == [["意向盘子 (亿元)"]]
    assert county.as_("admin").delete(f"/ledger-columns/aliases/{made['id']}").status_code == 204
    assert county.as_("admin").delete(f"/ledger-columns/aliases/{made['id']}").status_code == 404
    (kept,) = county.get("clerk", "/ledger-columns")["aliases"]
    assert kept["removed_at"] and kept["removed_by"]["role"] == "admin" and kept["by"]["role"] == "officer"
    assert unread(send(county, "officer", [OWN, cells(3)])) == [("H", "意向盘子（万元）")]


def test_a_file_is_applied_as_it_was_tried(county: County) -> None:
    """The alias that was in force when it was sent counts, whatever becomes of it."""
    made = county.post("officer", "/ledger-columns/aliases", {"field": "amount", "header": "意向盘子"})
    trial = send(county, "officer", [OWN, cells(1)], dry_run=True)
    county.as_("officer").delete(f"/ledger-columns/aliases/{made['id']}")
    county.post("officer", f"/imports/{trial['id']}/apply", {}, 202)
    running.run_waiting(county.house)
    assert counts(county.get("officer", f"/imports/{trial['id']}")) == {"create": 1}
    assert county.get("officer", "/projects/SL-001")["contract_amount"] is not None


@pytest.mark.parametrize("who", ["clerk", "nobody"])
def test_a_town_adds_none(county: County, who: str) -> None:
    answer = county.as_(who).post("/ledger-columns/aliases", json={"field": "amount", "header": "意向盘子"})
    assert answer.status_code == (403 if who == "clerk" else 401)
    assert who == "nobody" or county.get(who, "/ledger-columns")["aliases"] == []


REFUSED = [
    ("nothing", "意向盘子", 422),  # no such field
    ("row_mark", "标识", 422),  # not an office's
    ("amount", "（万元）", 422),  # nothing left of it
    ("amount", "年", 422),  # a part of a date
    ("problem", "备注", 422),  # an export could not come back
    ("amount", "求和项：投资", 422),  # a pivot table's
    ("amount", "总 投 资", 409),  # known already
    ("investor", "意向盘子", 409),  # means another column by now
]


@pytest.mark.parametrize(("field", "header", "status"), REFUSED)
def test_a_header_that_would_harm_is_refused(county: County, field: str, header: str, status: int) -> None:
    county.post("officer", "/ledger-columns/aliases", {"field": "amount", "header": "意向盘子"})
    told = county.post("officer", "/ledger-columns/aliases", {"field": field, "header": header}, status)
    assert told["code"] in ("validation_error", "duplicate") and len(county.get("officer", "/ledger-columns")["aliases"]) == 1


def test_a_bureau_may_mean_another_column_by_a_known_header(register: Register) -> None:
    head = ["企业" if title == "投资方" else title for title in HEAD]
    add(register, "company", "企业")
    load(register, book(register.folder, cells(1), head=head))
    (told,) = (fact.data for fact in register.head("SL-001").facts if fact.kind == "registered")
    assert "investor" not in told and told["details"]["company"] == "示例公司"


def test_an_export_comes_back_under_any_alias(register: Register) -> None:
    for field, header in (("problem", "困难和诉求"), ("progress", "一句话进展"), ("amount", "盘子")):
        add(register, field, header)
    load(register, book(register.folder, cells(1), cells(2)))
    out = register.folder / "out.xlsx"
    export_ledger(register.house, out)
    assert outcomes(load(register, out)) == {"same": 2}


def test_the_command_line_adds_lists_and_removes(register: Register, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("app.cli.columns.open_house", lambda: register.house)
    run = CliRunner().invoke
    assert "第 1 号：“意向盘子”从下一份台账起按协议总投资读取" in run(command_line, ["column", "add", "amount", "意向盘子"]).output
    assert "意向盘子 → 协议总投资" in run(command_line, ["column", "list"]).output
    trial = load(register, book(register.folder, cells(1), head=OWN), dry_run=True)
    assert "认不出" not in trial.text()
    assert run(command_line, ["column", "remove", "1"]).exit_code == 0
    again = load(register, book(register.folder, cells(1), head=OWN), dry_run=True)
    assert "认不出、只留原文的列：H 列“意向盘子（万元）”" in again.text()
    assert "→" not in run(command_line, ["column", "list"]).output


def test_the_alias_of_the_column_of_names_finds_the_table(register: Register) -> None:
    head = ["招引标的" if title == "项目名称" else title for title in HEAD]
    data = xlsx(Page([["某县招商台账"], head, cells(1)]))
    path = register.folder / "标的.xlsx"
    path.write_bytes(data)
    assert load(register, path).error is not None
    add(register, "project_name", "招引标的")
    assert outcomes(load(register, path)) == {"create": 1}
