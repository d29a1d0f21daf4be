"""Areas: 约70亩, 1.6万平方米, 公顷. Decimal, in the unit of the column (亩 or ㎡)."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal, localcontext
from typing import NamedTuple

from app.ledgers.understanding.amounts import ERRORS, PLACEHOLDERS, Cell
from app.ledgers.understanding.numerals import LETTERS, number

SQUARE_METRES = {"亩": Decimal(2000) / 3, "公顷": Decimal(10_000), "㎡": Decimal(1), "平方公里": Decimal(1_000_000)}
_WORDS = {
    "平方米": "㎡",
    "平米": "㎡",
    "m2": "㎡",
    "m²": "㎡",
    "平方": "㎡",
    "㎡": "㎡",
    "亩": "亩",
    "公顷": "公顷",
    "hm2": "公顷",
    "平方公里": "平方公里",
    "km2": "平方公里",
}
_AREA = re.compile(rf"([0-9.{LETTERS}]+?)(万)?(平方公里|平方米|平米|平方|公顷|km2|hm2|m2|㎡|亩)?")
_APPROXIMATE = re.compile(r"大约|约|近|超过|超|余|多|左右|以上|不低于|占地|用地|面积|租赁|厂房|建筑|总|:")
_UNIT = re.compile(r"万?(平方公里|平方米|平米|平方|公顷|km2|hm2|m2|㎡|亩)")
_CIRCLED = re.compile("[\u2460-\u249b\u24ea-\u24ff\u2776-\u2793]")
"""Footnotes; a raised 2 belongs to the unit."""
LONGEST = 60


class Area(NamedTuple):
    """`value` in the unit asked for, or None with the reason `missing`."""

    raw: Cell
    value: Decimal | None
    marks: tuple[str, ...] = ()
    missing: str | None = None


EMPTY = Area("", None, missing="empty")


def area_unit(text: str) -> tuple[str, int] | None:
    """(亩, 1), (㎡, 10000) for 万平方米; None when the text names no unit of area."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("m²", "m2").strip()
    found = _UNIT.fullmatch(folded)
    return (_WORDS[found[1]], 10_000 if folded.startswith("万") else 1) if found else None


def read_area(cell: Cell, unit: str, own: tuple[str, int] | None) -> Area:
    """The area in a cell; `unit` is that of the result, `own` that of the header."""
    if isinstance(cell, bool):
        return Area(cell, None, ("area_unparseable",), "unparseable")
    if isinstance(cell, int | float):
        if cell != cell or not 0 <= cell < 1e12:
            return Area(cell, None, ("area_unparseable",), "unparseable")
        exact = Decimal(int(cell)) if cell == int(cell) else Decimal(repr(cell))
        return _converted(cell, exact, own or (unit, 1), unit, ())
    text = unicodedata.normalize("NFKC", _CIRCLED.sub("", cell[: LONGEST + 1]))
    text = "".join(text.split()).casefold().replace("m²", "m2").replace(",", "")
    if not text:
        return EMPTY._replace(raw=cell)
    if text in PLACEHOLDERS:
        return Area(cell, None, (), "placeholder")
    if text in ERRORS:
        return Area(cell, None, ("cell_error",), "error")
    plain, times = _APPROXIMATE.subn("", text)
    found = _AREA.fullmatch(plain) if len(text) <= LONGEST else None
    read = number(found[1]) if found else None
    if found is None or read is None:
        return Area(cell, None, ("area_unparseable",), "unparseable")
    value = read * 10_000 if found[2] else read
    marks = ("area_approximate",) if times else ()
    return _converted(cell, value, (_WORDS[found[3]], 1) if found[3] else own or (unit, 1), unit, marks)


def _converted(cell: Cell, value: Decimal, own: tuple[str, int], unit: str, marks: tuple[str, ...]) -> Area:
    value *= own[1]
    if own[0] == unit:
        return Area(cell, value, marks)
    with localcontext() as context:
        context.prec = 40
        value = (value * SQUARE_METRES[own[0]] / SQUARE_METRES[unit]).quantize(Decimal("0.01"))
    return Area(cell, value, (*marks, "area_converted"))
