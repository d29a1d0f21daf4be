"""Four ledgers as counties keep them, against what a correct reader finds (absent from a bare checkout)."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from app.ledgers.understanding.model import Row, Table
from app.ledgers.understanding.reading import read_ledger

SHARED = Path(os.environ.get("LUODI_SHARED", Path(__file__).parents[3] / "shared"))
LEDGERS = SHARED / "data" / "ledgers"
NAMES = ("01_county_clean", "02_monthly_messy", "03_legacy_other_county", "04_dispatch_gb18030")


def expected(name: str) -> dict[str, Any]:
    path = LEDGERS / f"{name}.expected.json"
    if not path.exists():
        pytest.skip(f"no {path}")
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def told(row: Row) -> dict[str, Any]:
    """A row in the words of the expected results."""
    amount, signed, funds = row.amount, row.signed, row.get("funds_in_place")
    assert amount is not None and signed is not None
    missing = "foreign_currency" if amount.foreign is not None else amount.missing
    return {
        "row": row.number,
        "status": row.status,
        "project_name": row.name,
        "town": row.town,
        "investor": row.get("investor"),
        "amount_yuan": amount.yuan,
        "amount_null_reason": "rejected" if missing == "not_a_number" else missing,
        "currency": amount.currency,
        "amount_foreign": amount.foreign,
        "amount_raw": amount.raw,
        "signed_date": signed.text,
        "signed_precision": signed.precision,
        "signed_from": signed.first.isoformat() if signed.first else None,
        "signed_to": signed.last.isoformat() if signed.last else None,
        "agreement": row.agreement,
        "stage": row.stage,
        "side_state": row.side_state,
        "counts_as_signed": row.counts_as_signed,
        "funds_yuan": funds.yuan,
    }


def totals(table: Table) -> list[dict[str, Any]]:
    found = []
    for one in table.totals:
        small = 1 if one.field == "project_count" else 100
        assert one.written is not None and one.computed is not None and one.difference is not None
        found.append(
            {
                "row": one.row,
                "label": one.label,
                "kind": one.kind,
                "field": one.field,
                "column": one.column,
                "written": one.written // small,
                "computed": one.computed // small,
                "difference": abs(one.difference) // small,
                "result": one.result,
                "over_rows": [row for first, last in one.over for row in range(first, last + 1)],
                "excluded": one.excluded,
            }
        )
    return found


def expected_totals(table: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            **{key: one[key] for key in ("row", "label", "kind", "field", "column", "result", "over_rows")},
            "written": one.get("written_yuan", one.get("written_count")),
            "computed": one.get("computed_yuan", one.get("computed_count")),
            "difference": abs(one.get("difference_yuan", one.get("difference_count"))),
            "excluded": [(each["row"], each["reason"]) for each in one.get("excluded", [])],
        }
        for one in table["totals"]
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_real_ledger_is_understood(name: str) -> None:
    wanted = expected(name)
    ledger = read_ledger(LEDGERS / wanted["file"])
    assert (ledger.format, ledger.encoding) == (wanted["file_type"], wanted["encoding"])
    if wanted["sheets"]:
        assert [(sheet.name, sheet.read) for sheet in ledger.sheets] == [(one["name"], one["read"]) for one in wanted["sheets"]]
    for table, should in zip(ledger.tables, wanted["tables"], strict=True):
        assert table.header_rows == should["header_rows"]
        assert (table.first_row, table.last_row, table.unit) == (should["first_row"], should["last_row"], should["unit"])
        assert (table.report_date.isoformat() if table.report_date else None) == should["report_date"]
        assert table.columns == should["columns"]
        assert {key: table.units[key] for key in should.get("field_units", {})} == should.get("field_units", {})
        assert [(one.row, one.kind) for one in table.ignored if one.kind != "caption"] == [
            (one["row"], one["kind"]) for one in should["ignored_rows"]
        ]
        assert {one.row: one.town for one in table.ignored if one.town} == {
            one["row"]: one["town"] for one in should["ignored_rows"] if "town" in one
        }
        assert totals(table) == expected_totals(should)
        rows = [row for row in ledger.rows if row.table is table]
        for row, one in zip(rows, should["rows"], strict=True):
            assert told(row) == {key: one[key] for key in told(row)}
            given = sorted((m.code, m.field, m.of[1] if m.of else None) for m in row.marks if m.level == "warning")
            asked = sorted((m["code"], m.get("field"), m.get("of_row")) for m in one["warnings"])
            assert given == asked, row.number
            if one["rejected"]:
                assert row.rejected is not None
                assert (row.rejected.code, row.rejected.field, row.rejected.column, row.rejected.value) == tuple(
                    one["rejected"][key] for key in ("reason", "field", "column", "value")
                )
            if "shared_total_yuan" in one:
                assert row.amount is not None and row.amount.shared == one["shared_total_yuan"] * 100
            if "amount_min_yuan" in one:
                assert row.amount is not None
                assert (row.amount.low, row.amount.high) == (one["amount_min_yuan"] * 100, one["amount_max_yuan"] * 100)
            for field, day in one.get("milestones", {}).items():
                assert row.get(field).text == day
            if row.stage is not None and "stage_from" in one and one["stage_from"] == "column":
                assert row.stage_from == "column"
    counts = wanted["counts"]
    assert len(ledger.rows) == counts["project_rows"]
    assert sum(row.rejected is not None for row in ledger.rows) == counts["rejected"]
    assert sum(any(m.level == "warning" for m in row.marks) for row in ledger.rows) == counts["with_warnings"]
    assert sum(row.rejected is None and row.counts_as_signed for row in ledger.rows) == counts["counts_as_signed"]
    checked = [one for table in ledger.tables for one in table.totals]
    assert len([one for one in checked if one.field != "project_count"]) + ("02" in name) == counts["totals_checked"]
    assert sum(one.result == "mismatch" for one in checked) == counts["totals_mismatch"]


def test_a_clean_ledger_gives_nothing_to_look_at() -> None:
    expected(NAMES[0])
    ledger = read_ledger(LEDGERS / f"{NAMES[0]}.xlsx")
    assert list(ledger.problems()) == []
    assert {row.table.unit for row in ledger.rows} == {"万元"}
