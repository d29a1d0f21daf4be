"""A row of an export that comes back: what its sender edited, what the register changed since, and where both did. Pure.

Cells are compared as what a reader makes of them, so a spreadsheet that writes 100 as 100.00 or a text as a real date edits nothing.
An unedited cell says nothing, as an empty one does; one that was edited on both sides is a conflict, and its row waits for a person.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from app.heart import lifecycle
from app.ledgers import rendering
from app.ledgers.columns import AREA, BY_FIELD, COLUMNS, DATE, MARKS, MONEY
from app.ledgers.rendering import Cell
from app.ledgers.row_marks import NAMED
from app.ledgers.understanding import amounts, areas, dates, stages
from app.ledgers.understanding.amounts import Amount
from app.ledgers.understanding.areas import Area
from app.ledgers.understanding.dates import DAY, MONTH, When
from app.ledgers.understanding.model import Row

COMPARED = tuple(column.field for column in COLUMNS if column.field not in ("seq", "project_no", "signal"))
"""What an export says of a project; 序号 and 亮灯 count and compute, 项目编号 is not a file's to change."""
EXACT = 15
"""Digits that a spreadsheet's number keeps."""
LATER_WINS = frozenset({"updated"})
"""最近更新 is no value that two people could set against each other."""
STAGE_SAYS = frozenset({"stage", "agreement"})
DATED = frozenset({"progress", "signed_date", "site_date", "start_date", "operating_date"})
"""What a stage is read from when its column says nothing."""
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,14})?", re.ASCII)
"""A number that spreadsheets keep; 007 is a text."""
_SILENT: dict[str, Any] = {MONEY: amounts.EMPTY, DATE: dates.EMPTY, AREA: areas.EMPTY}


class Conflict(NamedTuple):
    """One cell: as it was exported, as the file has it, as the register has it now; texts for people."""

    field: str
    base: str
    theirs: str
    now: str


class Merged(NamedTuple):
    """`row` says only what was edited; `edited` are its fields."""

    row: Row
    edited: frozenset[str]
    conflicts: tuple[Conflict, ...]


def merge(row: Row, base: Mapping[str, Cell], now: Mapping[str, Cell], stage: str | None, wrote: Callable[[str, str], bool]) -> Merged:
    """The row beside its export (`base`) and the register (`now`, whose stage is `stage`). `wrote` knows what the export called
    offices and people, who may have got other names since: `base` calls them what they are called today."""
    edited: set[str] = set()
    conflicts = []
    for name in COMPARED:
        place = row.table.places.get(name)
        if place is None:
            continue
        theirs = key(name, row.values[place])
        was = key(name, rendering.value(name, base[name]))
        if theirs is None or alike(theirs, was) or (name in NAMED and wrote(name, str(row.values[place]))):
            continue
        is_now = key(name, rendering.value(name, now[name]))
        if alike(theirs, is_now):
            continue
        edited.add(name)
        if not alike(was, is_now) and name not in LATER_WINS:
            conflicts.append(Conflict(name, shown(name, base[name]), written(row, name), shown(name, now[name])))
    return Merged(_only(row, edited, stage), frozenset(edited), tuple(conflicts))


def key(name: str, value: Any) -> Any:
    """What a value is compared by; None for an empty cell."""
    if isinstance(value, Amount):
        if value.minor is None:
            return None if value.missing == "empty" else _words(str(value.raw))
        return value.minor, value.currency, "amount_approximate" in value.marks, value.second
    if isinstance(value, When):
        if value.first is None:
            return None if value.missing == "empty" else _words(str(value.raw))
        return value
    if isinstance(value, Area):
        return value.value if value.value is not None else None if value.missing == "empty" else _words(str(value.raw))
    if value is None or not str(value).strip():
        return None
    if name == "stage":
        claim = stages.read_stage(str(value))
        return (claim.stage, claim.side) if claim.stage or claim.side else _words(str(value))
    return _words(str(value))


def _words(text: str) -> Any:
    """Blanks and line breaks aside; a number by its value."""
    text = " ".join(text.split())
    return Decimal(text) if _NUMBER.fullmatch(text) else text


def alike(one: Any, other: Any) -> bool:
    """Do two keys say the same? A month that a spreadsheet made the first of it is still that month."""
    if not isinstance(one, When) or not isinstance(other, When):
        return bool(one == other)
    if (one.first, one.last) == (other.first, other.last):
        return True
    return one.first == other.first and {one.precision, other.precision} == {DAY, MONTH}


def _only(row: Row, edited: set[str], stage: str | None) -> Row:
    """The row with what was not edited left out; its stage is the register's unless the file says another."""
    values = tuple(
        _SILENT.get(BY_FIELD[name].kind) if name in COMPARED and name not in edited else value
        for name, value in zip(row.table.fields, row.values, strict=True)
    )
    told = edited | {name for name in row.table.fields if name not in COMPARED}
    rejected = row.rejected if row.rejected is not None and row.rejected.field in told else None
    marks = tuple(mark for mark in row.marks if mark.code == "hidden_row" or mark.field in told)
    made = row._replace(values=values, rejected=rejected, marks=marks, name=row.name if "project_name" in edited else None)
    if not edited.isdisjoint(STAGE_SAYS) or (row.stage_from != "column" and not edited.isdisjoint(DATED)):
        return made
    signed = lifecycle.RANK[stage] >= lifecycle.RANK[lifecycle.SIGNED] and row.agreement not in stages.NOT_SIGNED
    side = row.side_state if "progress" in edited else None
    return made._replace(stage=stage, side_state=side, counts_as_signed=row.counts_as_signed or signed)


def written(row: Row, name: str) -> str:
    """A cell of the file as people read it."""
    cell = row.raw[row.table.places[name]]
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        return str(cell).strip()
    number = str(int(cell)) if cell == int(cell) else repr(cell)
    return number + ((row.table.units.get(name) or "") if name in row.table.units else BY_FIELD[name].unit)


def shown(name: str, cell: Cell) -> str:
    """A cell of an export as people read it."""
    if isinstance(cell, Decimal):
        return f"{cell:f}{BY_FIELD[name].unit}"
    return str(cell)


def cells_with_news(row: Row, edited: frozenset[str], now: Mapping[str, Cell]) -> list[Any]:
    """The row's cells with what the register says by now wherever nothing was edited: to be looked at, and sent again."""
    cells: list[Any] = list(row.raw)
    for name in (*COMPARED, *(column.field for column in MARKS)):
        if name in row.table.places and name not in edited:
            cells[row.table.places[name]] = _cell(row, name, now[name])
    return cells


def _cell(row: Row, name: str, cell: Cell) -> Any:
    """A cell of the register in the units of the file's own columns."""
    if not isinstance(cell, Decimal):
        return str(cell)
    unit = BY_FIELD[name].unit
    written = row.table.units.get(name) if BY_FIELD[name].kind == MONEY else unit
    if written != unit:
        return f"{cell:f}{unit}"
    return float(cell) if len(cell.as_tuple().digits) <= EXACT else f"{cell:f}"
