"""Reading imports: how far they came, what became of their rows, which rows have to be mended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.errors import NotFound
from app.ledgers.columns import BY_FIELD
from app.ledgers.models import LedgerImport, LedgerImportRow
from app.ledgers.plan import CONFLICT, DUPLICATE, OUTCOMES, REJECTED, WAITING
from app.ledgers.schemas import RowsIn
from app.offices.desk import Work
from app.offices.models import Office

SHOWN = 20
_HEAD = (
    LedgerImport.id, LedgerImport.sha256, LedgerImport.name, LedgerImport.size, LedgerImport.state, LedgerImport.rows_total,
    LedgerImport.rows_done, LedgerImport.counts, LedgerImport.error,
)  # fmt: skip
"""Without its tables, of which a file may have a thousand."""
_WORDS = {"create": "新增", "change": "更新", "same": "未变", "conflict": "冲突", "duplicate": "重复", "rejected": "拒绝"}


class Import(NamedTuple):
    """One import. `mend` holds the first rows that somebody should look at."""

    id: int
    sha256: str
    name: str
    size: int
    state: str
    rows_total: int | None
    rows_done: int
    counts: dict[str, int]
    tables: list[dict[str, Any]]
    error: dict[str, Any] | None
    mend: list[dict[str, Any]]

    @property
    def refused(self) -> bool:
        """Was the file, or one of its rows, not taken?"""
        return self.error is not None or any(self.counts.get(name, 0) for name in (REJECTED, CONFLICT))

    def text(self) -> str:
        """As a person reads it."""
        if self.error is not None:
            return f"未导入：{self.error.get('hint') or self.error.get('title')}"
        told = "，".join(f"{word} {self.counts.get(name, 0)}" for name, word in _WORDS.items())
        lines = [
            ("试算，未写入 / dry run, nothing written\n" if self.state == "planned" else "")
            + f"共 {self.rows_total or 0} 行：{told}；提示 {self.counts.get('warned', 0)} 行；事实 {self.counts.get('facts', 0)} 条"
        ]
        for table in self.tables:
            if unread := [f"{one['column']} 列“{one['label']}”" for one in columns_of(table) if one["field"] is None]:
                lines.append(f"表格 {table['sheet']} 认不出、只留原文的列：{'、'.join(unread[:SHOWN])}（可用 luodi column add 添加别名）")
            lines += [f"表格 {table['sheet']} 第 {one['row']} 行 {one['value'] or ''}：{one['reason']}" for one in table["remarks"][:SHOWN]]
        unread = [f"“{one['sheet']}”（{one['why']}）" for table in self.tables for one in table.get("unread", ())]
        if unread:
            lines.append(f"没有读取的工作表：{'、'.join(unread[:SHOWN])}")
        sheets = {table["number"]: table["sheet"] for table in self.tables}
        for row in self.mend[:SHOWN]:
            lines.append(f"{sheets.get(row['table'], '')} 第 {row['row']} 行 {row['name'] or ''}：{reason_of(row)}")
        if (rest := self.to_mend - len(self.mend[:SHOWN])) > 0:
            lines.append(f"…… 另有 {rest} 行；用 --errors OUT.xlsx 全部写出 / more, see --errors")
        return "\n".join(lines)

    @property
    def to_mend(self) -> int:
        """Rows that somebody should look at."""
        return sum(self.counts.get(name, 0) for name in (*WAITING, "warned"))

    def shown(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            "id": self.id or None, "state": self.state, "file": {"name": self.name, "sha256": self.sha256, "size": self.size},
            "rows": {"total": self.rows_total, "done": self.rows_done},
            "counts": {name: self.counts.get(name, 0) for name in (*OUTCOMES, "warned", "facts")},
            "tables": self.tables, "error": self.error, "rows_to_mend": [{k: v for k, v in one.items() if k != "raw"} for one in self.mend],
        }  # fmt: skip


def reason_of(row: dict[str, Any]) -> str:
    """Why a row has to be looked at, and what to do, in one line."""
    head = {REJECTED: "【未导入】", DUPLICATE: "【重复】", CONFLICT: "【冲突，未导入】"}.get(row["outcome"], "【提醒】")
    told = [
        f"{_where(one)}{one['reason']}。{one['do']}" for one in row["remarks"] if row["outcome"] != REJECTED or one["level"] == "reject"
    ]
    if row["outcome"] == DUPLICATE and row["of"]:
        told.insert(0, f"与第 {row['of']['row']} 行是同一项目，未重复导入。请删去多余的一行，或填写不同的项目编号。")
    for one in row.get("conflicts", ()):
        told.append(f"{one['title']}：导出时为{_said(one['base'])}，文件改为{_said(one['theirs'])}，系统内现为{_said(one['now'])}。")
    if row["outcome"] == CONFLICT:
        told.append("要采用文件的，原样再上传本行；要采用系统内的，清空该格再上传。")
    return head + " ".join(told)


def _said(text: str) -> str:
    return f"“{text[:60]}”" if text else "空"


def _where(one: dict[str, Any]) -> str:
    value = f"“{one['value'][:60]}”" if one["value"] else ""
    return f"{one['column']} 列{value}：" if one["column"] else value and f"{value}："


def import_of(connection: Connection, number: int) -> Import:
    """One import with the first rows to mend."""
    row = connection.execute(sa.select(*_HEAD, LedgerImport.tables).where(LedgerImport.id == number)).one_or_none()
    if row is None:
        raise NotFound("没有这次导入")
    tables = orjson.loads(row.tables or "[]")
    mend = [one for _, rows in rows_to_mend(connection, number, tables, SHOWN) for one in rows]
    told = (row.rows_total, row.rows_done, orjson.loads(row.counts), tables, orjson.loads(row.error) if row.error else None)
    return Import(row.id, row.sha256, row.name, row.size, row.state, *told, mend)


def tables_of(connection: Connection, number: int) -> list[dict[str, Any]]:
    """The tables of an import as showing.py stored them."""
    found = connection.scalar(sa.select(LedgerImport.tables).where(LedgerImport.id == number))
    tables: list[dict[str, Any]] = orjson.loads(found or "[]")
    return tables


TO_MEND = sa.or_(LedgerImportRow.warned, LedgerImportRow.outcome.in_(WAITING))


def rows_to_mend(
    connection: Connection, number: int, tables: Sequence[dict[str, Any]], limit: int | None = None
) -> Iterator[tuple[dict[str, Any], Iterator[dict[str, Any]]]]:
    """Each table that has some, with its rows that somebody should look at; so many of all together. Tables may lie side by side."""
    query = sa.select(LedgerImportRow).where(LedgerImportRow.import_id == number, TO_MEND).limit(limit)
    if len(tables) > 1:  # of one table the rows come in order without being sorted
        query = query.order_by(LedgerImportRow.table_number)
    query = query.order_by(LedgerImportRow.place)
    by_number = {table["number"]: table for table in tables}
    found = connection.execute(query.execution_options(yield_per=500)).mappings()
    for at, rows in groupby(found, lambda one: one["table_number"]):
        yield by_number[at], (row_shown(one) | {"raw": orjson.loads(one["raw"])} for one in rows)


def row_shown(one: Any) -> dict[str, Any]:
    """A stored row as it is printed."""
    return {
        "table": one["table_number"], "row": one["row"], "outcome": one["outcome"], "ref": one["ref"], **orjson.loads(one["told"]),
    }  # fmt: skip


# for the API -------------------------------------------------------------------------------------

_LISTED = (*_HEAD, LedgerImport.created_at, LedgerImport.finished_at, Office.code, Office.name.label("office_name"), Office.path)
_ANY = sa.select(*_LISTED).join(Office, Office.id == LedgerImport.office_id)


def own(work: Work, number: int) -> Any:
    """The row of an import of the caller's offices; NotFound for any other."""
    row = work.connection.execute(_ANY.where(LedgerImport.id == number)).one_or_none()
    if row is None or not work.caller.covers(row.path):
        raise NotFound("没有这次导入，或不在您的管辖范围内")
    return row


def _head_shown(row: Any) -> dict[str, Any]:
    counts = orjson.loads(row.counts)
    return {
        "id": row.id, "state": row.state, "office": {"code": row.code, "name": row.office_name},
        "file": {"name": row.name, "sha256": row.sha256, "size": row.size},
        "rows": {"total": row.rows_total, "done": row.rows_done},
        "counts": {name: counts.get(name, 0) for name in (*OUTCOMES, "warned", "facts")},
        "created_at": row.created_at, "finished_at": row.finished_at, "error": orjson.loads(row.error) if row.error else None,
    }  # fmt: skip


def shown(work: Work, number: int) -> dict[str, Any]:
    """One import without its rows."""
    return _head_shown(own(work, number))


def page(work: Work, limit: int, cursor: str | None) -> dict[str, Any]:
    """Imports of the caller's offices, newest first."""
    query = _ANY.where(Office.path.startswith(work.caller.scope, autoescape=True)).order_by(LedgerImport.id.desc()).limit(limit + 1)
    if cursor:
        query = query.where(LedgerImport.id < work.house.cursors.unpack(cursor, "imports"))
    rows = work.connection.execute(query).all()
    more = len(rows) > limit
    next_cursor = work.house.cursors.pack(rows[limit - 1].id, "imports") if more else None
    return {"items": [_head_shown(row) for row in rows[:limit]], "next_cursor": next_cursor}


def columns_of(table: dict[str, Any]) -> list[dict[str, Any]]:
    """How each column was understood, in the order of the sheet; without a `field` its texts stay beside the rows, and no more."""
    told = zip(table["letters"], table["labels"], table["fields"], strict=True)
    return [
        {
            "column": letter, "label": label, "field": name if name in BY_FIELD else None,
            "title": BY_FIELD[name].title if name in BY_FIELD else None, "unit": table["units"].get(name),
        }
        for letter, label, name in told
    ]  # fmt: skip


_TABLE = ("number", "sheet", "title", "unit", "report_date", "accepted", "rejected", "remarks", "totals")


def rows_page(work: Work, number: int, given: RowsIn) -> dict[str, Any]:
    """One import with a page of its rows, in the order of the file."""
    head = own(work, number)
    name = f"import {number} {given.outcome} {given.warned}"
    query = sa.select(LedgerImportRow).where(LedgerImportRow.import_id == number)
    if given.outcome is not None:
        query = query.where(LedgerImportRow.outcome == given.outcome)
    if given.warned is not None:
        query = query.where(LedgerImportRow.warned.is_(given.warned))
    if given.cursor:
        query = query.where(LedgerImportRow.place > work.house.cursors.unpack(given.cursor, name))
    found = work.connection.execute(query.order_by(LedgerImportRow.place).limit(given.limit + 1)).mappings().all()
    more = len(found) > given.limit
    kept = found[: given.limit]
    return {
        **_head_shown(head),
        "tables": [
            {name: table[name] for name in _TABLE} | {"columns": columns_of(table), "unread": table.get("unread", [])}
            for table in tables_of(work.connection, number)
        ],
        "items": [row_shown(one) for one in kept],
        "next_cursor": work.house.cursors.pack(kept[-1]["place"], name) if more else None,
    }
