"""Amounts of money as ledgers write them (2.7 and rules 2-4): a cell and the unit of its column, to an Amount.

Money is an integer of the smallest unit. What is written in the cell wins over the column's unit; without any unit a bare number is
not interpreted. Nothing is converted, split or repaired.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import NamedTuple

from app.ledgers.understanding.amount_texts import NUMERAL, PART, SHARED, Value, in_parts, pairs_in, read_value, without_label
from app.ledgers.understanding.numerals import number
from app.ledgers.understanding.units import Unit
from app.ledgers.understanding.words import words
from app.projects.money import MAX, digits

Cell = str | int | float | bool

PLACEHOLDERS = frozenset(
    words(
        r"/ // \ - -- --- — —— – _ * ? ？ n/a na null none nil 无 暂无 没有 待定 未定 待确定 暂未确定 未确定 待核 待核实 面议 另议 "
        "保密 不详 未知 待补 待报 无投资 tbd 暂缺 待填 待填报 待明确 未明确 待商定 不明"
    )
)
"""Somebody wrote that there is nothing to write. Not 0, and not empty."""
IMPLAUSIBLE = 100_000_000_000 * 100
"""Fen: 1,000亿元 for one project."""
LONGEST = 120
ERRORS = frozenset(words("#error! #div/0! #ref! #n/a #value! #name? #num! #null!"))
"""What a failed formula leaves, whatever wrote the file."""
FOOTNOTES = re.compile("[\u00b9\u00b2\u00b3\u2070-\u209f\u2460-\u249b\u24ea-\u24ff\u2776-\u2793]")
"""3000①: compatibility forms would make it 30001."""
STARRED = re.compile(r"(?<=[0-9元亿万日月])[*＊★☆※]+$")
"""5000*: what the star stands for is said below the table."""
_W = re.compile(r"(?<=[0-9])w(?![a-z])")
_TOGETHER = re.compile(r"\([^()]*(?:与|和|同)[^()]*(?:合计|合并|共)[^()]*\)")
"""3亿元（与二期合计）: no amount of this project alone."""
_THOUSANDS = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])")


class Amount(NamedTuple):
    """`minor` smallest units of `currency`, or None with the `missing` reason: empty, placeholder, unit_unknown, range, shared_total,
    negative, not_a_number, formula, error. Ends of a range in `low`, `high`; the amount of a group in `shared`, of `shared_by` projects;
    a second amount beside the first in `second`."""

    raw: Cell
    minor: int | None
    currency: str = "CNY"
    missing: str | None = None
    marks: tuple[str, ...] = ()
    low: int | None = None
    high: int | None = None
    shared: int | None = None
    shared_by: int | None = None
    second: int | None = None
    second_currency: str | None = None

    @property
    def yuan(self) -> int | None:
        """Whole yuan, half up; None for foreign money."""
        return None if self.minor is None or self.currency != "CNY" else (self.minor + 50) // 100

    @property
    def foreign(self) -> int | None:
        """Whole units of foreign money, half up."""
        if self.minor is None or self.currency == "CNY":
            return None
        one: int = 10 ** digits(self.currency)
        return (2 * self.minor + one) // (2 * one)


def as_seen(cell: Cell) -> str:
    """A cell as people see it: 5000, where a spreadsheet keeps 5000.0."""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15 else str(cell)


EMPTY = Amount("", None, missing="empty")


def read_amount(cell: Cell, unit: Unit | None) -> Amount:
    """The amount in a cell. `missing == "not_a_number"` means that the row is to be rejected."""
    if isinstance(cell, bool):
        return Amount(cell, None, missing="not_a_number")
    if isinstance(cell, int | float):
        return _number(cell, unit)
    text = unicodedata.normalize("NFKC", FOOTNOTES.sub("", STARRED.sub("", cell[: LONGEST + 1].rstrip())))
    text = "".join(text.split()).casefold().replace("\0", "").lstrip("'’‘`")  # typed before a number to keep it a text
    if not text:
        return EMPTY._replace(raw=cell)
    if text in PLACEHOLDERS:
        return Amount(cell, None, missing="placeholder")
    if text in ERRORS:
        return Amount(cell, None, missing="error", marks=("cell_error",))
    if len(text) > LONGEST or _TOGETHER.search(text):
        return Amount(cell, None, missing="not_a_number")
    with localcontext() as context:
        context.prec = 150
        full = _W.sub("万", text)
        found = _text(cell, _THOUSANDS.sub(lambda found: found[0].replace(",", ""), full), unit)
    return found if full == text or found.missing == "not_a_number" else found._replace(marks=(*found.marks, "amount_letter"))


def _number(cell: int | float, unit: Unit | None) -> Amount:
    if cell != cell or cell in (float("inf"), float("-inf")):
        return Amount(cell, None, missing="not_a_number")
    if cell < 0:
        return Amount(cell, None, missing="negative", marks=("amount_negative",))
    if unit is None:
        return Amount(cell, None, missing="unit_unknown", marks=("unit_missing",))
    if isinstance(cell, int) or cell.is_integer():
        minor = int(cell) * unit.factor * 10 ** digits(unit.currency)
        return _valued(cell, minor, unit.currency, ())
    return _scaled(cell, Decimal(repr(cell)) * unit.factor, unit.currency, ())


def _scaled(cell: Cell, value: Decimal, currency: str, marks: tuple[str, ...]) -> Amount:
    exact = value.scaleb(digits(currency))
    minor = int(exact.to_integral_value(ROUND_HALF_UP))
    return _valued(cell, minor, currency, marks if exact == minor else (*marks, "amount_rounded"))


def _valued(cell: Cell, minor: int, currency: str, marks: tuple[str, ...]) -> Amount:
    if minor > MAX:
        return Amount(cell, None, missing="not_a_number")
    if currency != "CNY":
        return Amount(cell, minor, currency, marks=(*marks, "amount_foreign_currency"))
    if minor >= IMPLAUSIBLE:
        marks = (*marks, "amount_implausible")
    return Amount(cell, minor, marks=marks)


def _text(cell: Cell, text: str, unit: Unit | None) -> Amount:
    wrong = Amount(cell, None, missing="not_a_number")
    if re.match(r"[-−][0-9]", text) or re.fullmatch(r"\([0-9.]+\)", text):
        inner = text.strip("-−()")
        return Amount(cell, None, missing="negative", marks=("amount_negative",)) if read_value(inner, unit or _ONE) else wrong
    if shared := SHARED.fullmatch(text):
        count, rest = number(shared[1]), read_value(without_label(shared[2]), None)
        if count is not None and rest is not None and rest.own_unit and count > 1:
            group = _of(cell, rest)
            return Amount(cell, None, missing="shared_total", currency=group.currency, marks=("amount_shared_total",),
                          shared=group.minor, shared_by=min(int(count), 10**6))  # fmt: skip
    one = read_value(text, unit or _NO_UNIT)
    if one is None:
        return _of_two(cell, text, unit) or wrong
    if not one.own_unit and unit is None:
        return Amount(cell, None, missing="unit_unknown", marks=("unit_missing",))
    return _of(cell, one)


_ONE = Unit(1, "CNY", "元")
_NO_UNIT = Unit(1, "CNY", "")


def _of(cell: Cell, one: Value) -> Amount:
    return _scaled(cell, one.value, one.currency, ("amount_approximate",) if one.approximate else ())


def _of_two(cell: Cell, text: str, unit: Unit | None) -> Amount | None:
    """A/B, A（B）, A-B: two amounts in a cell, or None."""
    for first, second, kind in pairs_in(text):
        if kind == "range":
            return _range(cell, first, second, unit)
        a, b = read_value(without_label(first), unit), read_value(without_label(second, PART), unit)
        if a is None or (kind == "list" and b is not None and not b.own_unit):
            continue
        if not a.own_unit and unit is None:
            return Amount(cell, None, missing="unit_unknown", marks=("unit_missing",))
        if kind == "slash" and b is not None and b.own_unit and not a.own_unit and a.currency == b.currency and a.value < b.value:
            continue  # 3/5亿: who knows what the 3 counts
        if b is None:
            if kind == "bracket" and not re.search(r"[0-9]", second):
                return _of(cell, a)  # 5亿元（含设备）
            continue
        if a.currency != b.currency and "CNY" in (a.currency, b.currency):
            yuan, foreign = (a, b) if a.currency == "CNY" else (b, a)
            other = _of(cell, foreign)
            found = _of(cell, yuan)
            return found._replace(marks=(*found.marks, "amount_two_currencies"), second=other.minor, second_currency=other.currency)
        return _and(cell, a, b)
    if (whole := in_parts(text, unit)) and (whole[0].own_unit or unit is not None):
        return _and(cell, *whole)
    return None


def _and(cell: Cell, a: Value, b: Value) -> Amount:
    found, other = _of(cell, a), _of(cell, b)
    return found._replace(marks=(*found.marks, "amount_two_values"), second=other.minor, second_currency=other.currency)


def _range(cell: Cell, first: str, second: str, unit: Unit | None) -> Amount | None:
    high = read_value(without_label(second), unit)
    if high is None:
        return None
    low = read_value(without_label(first), unit)
    if low is None or (not low.own_unit and high.own_unit):
        # 5000-8000万元: the unit at the end is that of both.
        tail = NUMERAL.search(second)
        ending = re.search(r"(亿|千万|百万|万)?(元|美元|港元|欧元)?$", second)
        if not tail or not ending:
            return None
        low = read_value(without_label(first) + ending[0], unit)
    if low is None or low.currency != high.currency or low.value > high.value:
        return None
    ends = [_of("", one).minor for one in (low, high)]
    if not (low.own_unit or unit):
        return Amount(cell, None, missing="unit_unknown", marks=("unit_missing",))
    return Amount(cell, None, low.currency, missing="range", marks=("amount_range",), low=ends[0], high=ends[1])
