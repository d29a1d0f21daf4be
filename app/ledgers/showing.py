"""How plans and tables of a ledger are stored and printed: plain values, with sentences for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.ledgers.columns import BY_FIELD
from app.ledgers.plan import Planned
from app.ledgers.understanding.marks import NOTE, Mark, problem
from app.ledgers.understanding.model import Sheet, Table, Total
from app.ledgers.understanding.reading import table_marks

TITLES = {name: column.title for name, column in BY_FIELD.items()} | {"name": "项目名称", "office": "镇区"}
MOST_MARKS, MOST_OF_ALL = 200, 5_000
"""Remarks of one table, and of all, that are kept; a sheet full of strays says the same thing over and over."""


def shown_mark(sheet: str, row: int, mark: Mark) -> dict[str, Any]:
    """A remark: where, what was written, why, and what to do."""
    told = problem(sheet, row, mark)
    return {
        "code": told.code, "level": told.level, "column": told.column, "field": told.field, "value": told.value, "reason": told.reason,
        "do": told.do, "reason_en": told.reason_en, "do_en": told.do_en,
    }  # fmt: skip


def shown_row(planned: Planned) -> dict[str, Any]:
    """What became of a row."""
    row = planned.row
    marks = [mark for mark in planned.marks if mark.level != NOTE]
    return {
        "name": row.name,
        "town": row.town,
        "changes": [{"field": one.field, "old": one.old, "new": one.new} for one in planned.changes],
        "remarks": [shown_mark(row.table.sheet, row.number, mark) for mark in dict.fromkeys(marks)],
        "conflicts": [{"title": TITLES.get(one.field, one.field), **one._asdict()} for one in planned.conflicts],
        "of": {"sheet": planned.of[0], "row": planned.of[1]} if planned.of else None,
    }


def raw_cells(planned: Planned) -> list[Any]:
    """The cells as written, in the order of the table's columns; the town where it stood only once. Of a row that waits for a person to
    decide, with what the register says by now."""
    if planned.cells is not None:
        return planned.cells
    row = planned.row
    cells = list(row.raw)
    place = row.table.places.get("town")
    if place is not None and row.town and not str(cells[place]).strip():
        cells[place] = row.town
    return cells


_UNREAD = {"hidden": "隐藏的工作表", "no_header": "没有找到台账表头", "not_a_worksheet": "图表，不是数据表"}


def shown_tables(sheets: Sequence[Sheet]) -> list[dict[str, Any]]:
    """Headers as they stood, and what there is to tell of whole tables: marks, and totals that do not agree. The first of them tells of
    the sheets that were not read."""
    unread = [{"sheet": one.name, "why": _UNREAD[one.why]} for one in sheets if one.why in _UNREAD][:MOST_MARKS]
    tables, left = [table for sheet in sheets for table in sheet.tables], [MOST_OF_ALL]
    return [
        {
            "number": table.number, "sheet": table.sheet, "title": table.title, "unit": table.unit,
            "report_date": table.report_date.isoformat() if table.report_date else None,
            "fields": list(table.fields), "labels": [table.labels[name] for name in table.fields],
            "letters": [table.columns[name] for name in table.fields], "units": table.units,
            "accepted": table.accepted, "rejected": table.rejected,
            "remarks": list(_remarks(table, left)), "totals": [_total(one) for one in table.totals],
            "unread": unread if table is tables[0] else [],
        }
        for table in tables
    ]  # fmt: skip


def _remarks(table: Table, left: list[int]) -> Iterator[dict[str, Any]]:
    told = 0
    for mark in table_marks(table):
        if mark.level != NOTE and told < MOST_MARKS and left[0] > 0:
            told += 1
            left[0] -= 1
            row = mark.of[1] if mark.of else table.header_rows[-1]
            yield {"row": row, **shown_mark(table.sheet, row, mark._replace(of=None))}


def _total(one: Total) -> dict[str, Any]:
    return {
        "row": one.row, "label": one.label, "field": one.field, "raw": str(one.raw), "written": one.written, "computed": one.computed,
        "difference": one.difference, "result": one.result,
    }  # fmt: skip


def counts_of(planned: Sequence[Planned]) -> dict[str, int]:
    """Outcome → rows, with `warned` rows and `facts` on top."""
    counts: dict[str, int] = {}
    for one in planned:
        counts[one.outcome] = counts.get(one.outcome, 0) + 1
        counts["warned"] = counts.get("warned", 0) + one.warned
        counts["facts"] = counts.get("facts", 0) + len(one.new)
    return counts


def added(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """Two counts together."""
    return {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}}
