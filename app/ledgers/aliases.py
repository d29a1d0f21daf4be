"""Headers that a bureau adds to those every ledger is read by: who added one and who took it away stays known.

An alias counts from the next file on; an import keeps those it was sent under, so going on with one reads what it read before.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection

from app.errors import Duplicate, Invalid, NotFound, TooMany
from app.ledgers.columns import BY_FIELD, COLUMNS, DATE_PARTS, FIELDS, MARKS, NAMES, OTHERS, Column, Names, fold
from app.ledgers.models import LedgerAlias
from app.offices.models import Office

log = structlog.get_logger()
MOST = 500
LONGEST = 100
LIVE = LedgerAlias.removed_at.is_(None)
_TITLES = {fold(column.title): column for column in (*COLUMNS, *MARKS)}


class By(NamedTuple):
    """Who does it: an office in a role, and a person where the token names one; the command line is no office."""

    office_id: int | None
    role: str
    person_id: int | None = None


def add(connection: Connection, *, field: str, header: str, by: By, now: datetime) -> int:
    """Read a header as this field from now on; the alias's number."""
    header = " ".join(header.split())
    folded = fold(header)
    if field not in FIELDS:
        raise _invalid("field", f"没有字段 {field}；可用的字段：{'、'.join(FIELDS)}")
    if not folded or not header.isprintable() or len(header) > LONGEST:
        raise _invalid("header", f"表头须为 1-{LONGEST} 个字符，不能只有标点或单位")
    if folded in DATE_PARTS or Names({folded: field}).field_of(header) is None:
        raise _invalid("header", f"“{header}”不能作别名：年、月、日各列和透视表的表头另有含义")
    if (titled := _TITLES.get(folded)) is not None and titled.field != field:
        raise _invalid("header", f"“{header}”是导出台账的列名（{titled.field}），改作他用后导出的台账将无法导回")
    _one_at_a_time(connection)
    if (known := NAMES.field_of(header)) == field:
        raise Duplicate(f"“{header}”本来就按{BY_FIELD[field].title}读取，无需添加", field="header")
    live = connection.execute(sa.select(LedgerAlias.id, LedgerAlias.field).where(LIVE, LedgerAlias.folded == folded)).one_or_none()
    if live is not None:
        raise Duplicate(f"“{header}”已是{BY_FIELD[live.field].title}的别名（第 {live.id} 号）；如需更改请先删除", field="header")
    if (connection.scalar(sa.select(sa.func.count()).where(LIVE)) or 0) >= MOST:
        raise TooMany(f"别名最多 {MOST} 个；请先删除不用的")
    row = {"field": field, "header": header, "folded": folded, "recorded_at": now, **by._asdict()}
    number = int(connection.execute(sa.insert(LedgerAlias).values(**row).returning(LedgerAlias.id)).scalar_one())
    log.info("ledger alias added", alias=number, field=field, instead_of=known)
    return number


def remove(connection: Connection, number: int, *, by: By, now: datetime) -> None:
    """From now on the header is read as before; who did it is kept."""
    gone = {"removed_at": now, "removed_office_id": by.office_id, "removed_role": by.role, "removed_person_id": by.person_id}
    if connection.execute(sa.update(LedgerAlias).where(LedgerAlias.id == number, LIVE).values(**gone)).rowcount != 1:
        raise NotFound(f"没有编号为 {number} 的别名")
    log.info("ledger alias removed", alias=number)


def in_force(connection: Connection) -> dict[str, list[str]]:
    """Field → headers, as a Reading takes them."""
    found: dict[str, list[str]] = {}
    for row in connection.execute(sa.select(LedgerAlias.field, LedgerAlias.header).where(LIVE).order_by(LedgerAlias.id)):
        found.setdefault(row.field, []).append(row.header)
    return found


def packed(aliases: Mapping[str, list[str]]) -> str | None:
    """As an import keeps them."""
    return orjson.dumps(aliases).decode() if aliases else None


def unpacked(text: str | None) -> dict[str, list[str]]:
    """Those an import was sent under."""
    found: dict[str, list[str]] = orjson.loads(text) if text else {}
    return found


_REMOVER = sa.orm.aliased(Office, name="remover")
_SHOWN = (
    LedgerAlias.id, LedgerAlias.field, LedgerAlias.header, LedgerAlias.recorded_at, LedgerAlias.role, LedgerAlias.removed_at,
    LedgerAlias.removed_role, Office.code.label("office"), _REMOVER.code.label("removed_office"),
)  # fmt: skip


def shown(connection: Connection, number: int | None = None) -> list[dict[str, Any]]:
    """Every alias there is or was (or one), newest first: who added it, and who took it away."""
    query = sa.select(*_SHOWN).outerjoin(Office, Office.id == LedgerAlias.office_id)
    query = query.outerjoin(_REMOVER, _REMOVER.id == LedgerAlias.removed_office_id).order_by(LedgerAlias.id.desc()).limit(2 * MOST)
    if number is not None:
        query = query.where(LedgerAlias.id == number)
    return [
        {
            "id": row.id, "field": row.field, "title": BY_FIELD[row.field].title, "header": row.header, "recorded_at": row.recorded_at,
            "by": {"office": row.office, "role": row.role}, "removed_at": row.removed_at,
            "removed_by": {"office": row.removed_office, "role": row.removed_role} if row.removed_at else None,
        }
        for row in connection.execute(query)
    ]  # fmt: skip


def columns(connection: Connection) -> dict[str, Any]:
    """The table of columns, each with the headers it is read by, and the history of the bureau's own."""
    every = shown(connection)
    live: dict[str, list[str]] = {}
    for one in reversed(every):
        if one["removed_at"] is None:
            live.setdefault(one["field"], []).append(one["header"])
    taken = {fold(header): field for field, headers in live.items() for header in headers}
    return {"items": [_column(column, live, taken) for column in (*COLUMNS, *OTHERS)], "aliases": every}


def _column(column: Column, live: Mapping[str, list[str]], taken: Mapping[str, str]) -> dict[str, Any]:
    headers = [alias for alias in column.aliases if taken.get(fold(alias), column.field) == column.field]
    return {
        "field": column.field, "title": column.title, "kind": column.kind, "unit": column.unit or None, "exported": column in COLUMNS,
        "headers": headers, "own": live.get(column.field, []),
    }  # fmt: skip


def _one_at_a_time(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":  # SQLite has one writer
        connection.exec_driver_sql("LOCK TABLE ledger_alias IN SHARE ROW EXCLUSIVE MODE")


def _invalid(field: str, hint: str) -> Invalid:
    return Invalid(hint, errors=[{"field": field, "message": hint}])
