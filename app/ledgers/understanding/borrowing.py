"""What a column has from another one: a town's column without a name or in the table beside, the unit of the whole or
of the row, foreign money.

Each of them is what a careful reader would take, and each is told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from app.ledgers.understanding.amounts import PLACEHOLDERS, Amount, Cell, as_seen, read_amount
from app.ledgers.understanding.headers import Header
from app.ledgers.understanding.marks import Mark
from app.ledgers.understanding.model import letter
from app.ledgers.understanding.towns import is_town
from app.ledgers.understanding.units import Unit, unit_beside

SEEN = 6
"""Rows under a header that say whether a column holds towns."""
_LANDED = re.compile("落地|落户|园区")
"""Of a column of sites: where a project belongs, and not only where it is built."""
_PART_OF = re.compile(r"(?:^|[\s(（])其中")


def find_towns(headers: Sequence[Header], below: Sequence[Sequence[Cell]]) -> None:
    """Give a table without a column of towns the one that holds nothing else, or that of the table at its left."""
    for place, header in enumerate(headers):
        if "town" in header.places:
            continue
        beside = headers[place - 1] if place else None
        if beside and beside.right + 1 == header.left and "town" in beside.places:
            column, code = beside.places["town"], "town_beside"
        else:
            found = _of_towns(header, below, beside)
            if found is None:
                continue
            column, code = found, "town_column_guessed"
            header.left = min(header.left, column)
        header.places["town"] = column
        header.labels.setdefault(column, "")
        header.unknown = [other for other in header.unknown if other != column]
        header.told.append(Mark(code, "town", letter(column), header.labels[column] or None))


def _of_towns(header: Header, below: Sequence[Sequence[Cell]], beside: Header | None) -> int | None:
    """An unknown column, one without a name just before the table, or 落地园区, with nothing but towns in it."""
    nameless = header.left - 1
    site = header.places.get("site")
    landed = [site] if site is not None and _LANDED.search(header.labels[site]) else []
    free = [nameless] if nameless >= 0 and (beside is None or beside.right < nameless) else []
    for column in (*free, *header.unknown, *landed):
        cells = [row[column] for row in below if column < len(row) and row[column] != ""]
        towns = [cell for cell in cells if isinstance(cell, str) and is_town(cell)]
        if towns and all(cell in towns or str(cell).strip() in PLACEHOLDERS for cell in cells):
            return column
    return None


def unit_of_whole(columns: Mapping[str, int], labels: Mapping[int, str], name: str, units: Mapping[str, Unit | None]) -> Unit | None:
    """其中：固投 without a unit counts in that of the amount before it: a part cannot count otherwise than its whole."""
    if not _PART_OF.search(labels[columns[name]]):
        return None
    before = [one for one in units if columns[one] < columns[name] and not _PART_OF.search(labels[columns[one]])]
    return units[max(before, key=lambda one: columns[one])] if before else None


def in_units_beside(values: Mapping[str, list[Any]], marks: dict[int, list[Mark]], unit: Unit | None, column: str) -> None:
    """Amounts whose unit or currency stands in a column of its own. A word that names none leaves a bare number without a meaning."""
    for place, told in enumerate(values["amount_unit"]):
        one: Amount = values["amount"][place]
        if not told or one.missing in ("empty", "placeholder", "error", "formula"):
            continue
        found = read_amount(one.raw, unit_beside(told, unit))
        if found == one:
            continue
        values["amount"][place] = found
        own = [mark for mark in marks.get(place, ()) if mark.field != "amount"]
        marks[place] = [*own, *(Mark(code, "amount", column, as_seen(one.raw)[:200]) for code in found.marks)]


def under_one_head(header: Header) -> bool:
    """总投资 over 人民币 and 外币: the same amount in two columns."""
    yuan, foreign = (header.paths.get(header.places.get(name, -1), ()) for name in ("amount", "foreign_amount"))
    return len(yuan) > 1 and yuan[:-1] == foreign[:-1]


def join_foreign(values: Mapping[str, list[Any]], marks: dict[int, list[Mark]], column: str) -> None:
    """One amount of the two: yuan counts and the other is kept beside it; foreign money alone is the amount."""
    one: Amount
    other: Amount
    for place, (one, other) in enumerate(zip(values["amount"], values["foreign_amount"], strict=True)):
        if other.minor is None or one.missing not in (None, "empty", "placeholder"):
            continue
        if one.minor is None:
            values["amount"][place] = other
        else:
            values["amount"][place] = one._replace(second=other.minor, second_currency=other.currency)
            marks.setdefault(place, []).append(Mark("amount_two_currencies", "amount", column, as_seen(one.raw)))
