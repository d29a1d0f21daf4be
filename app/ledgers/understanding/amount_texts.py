"""The words of an amount: one number with what belongs to it, and how two of them stand in one cell."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import NamedTuple

from app.ledgers.understanding.numerals import HAS_CHINESE, LETTERS, number
from app.ledgers.understanding.units import CURRENCY, ISO, OF_WORD, Unit

_APPROXIMATE = re.compile(
    r"大约|大概|约计|约为|约|近|超过|超|逾|不低于|不少于|不低|不超过|不足|至少|最少|最多|最高|左右|上下|以上|以下|以内|预计|预估|暂估|估算|概算|将近|余|多|≥|≤|>=|<=|>|<|≈|\+$|^~|^～"
)
_LABEL = re.compile(r"(?:计划|项目|协议|合同|总计|共计|合计|总|拟|共|约定|投资总额|投资额|投资|金额|资金|为|:)+")
PART = re.compile(
    r"(?:包括|含|设备|土建|厂房|建设|流动资金|折合人民币|约合人民币|人民币|一期|首期|二期|三期|年度|本年度|本年|当年|今年|全年|其中|累计|固定资产|固投|外资|折合|计划|投资总额|投资额|投资|金额|资金|为|:)+"
)
"""What stands before a second amount, which is only a part of the first or another thing."""
SHARED = re.compile(
    rf"(?:等)?([0-9{LETTERS}]+)(?:个|家)(?:子?项目|企业|合同|协议)?(?:共计|合计|总计|总共|总投资|共投资|共|总|计)?(?=[0-9{LETTERS}])(.+)"
)
_RANGE = re.compile(r"(.+?)(?:[-~－—–]+|至|到)(.+)")
NUMERAL = re.compile(rf"(?:[0-9.{LETTERS}]|个(?=[亿万])|(?<=[亿万])个)+")
_PLAIN = re.compile(r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+")
_BRACKETED = re.compile(r"\(([^()]*)\)")
_MILLIONS = re.compile(r"([0-9.]+)(million|billion|mn|bn|m|k)(?![a-z])")
_EQUALS = re.compile(r"(.+?[^,;、。]),?((?:折合|约合|折)人民币.+|(?:折合|约合).+)")
_UNSAID = re.compile(r"亿[^万萬零〇]*[千仟百佰]|亿[0-9]+")
"""3亿2千, 3亿5000: everybody means 万, and nobody wrote it."""
_SIGNS = frozenset(("人民币", "rmb", "cny", "￥", "¥"))
"""They name the currency and not what a number counts: ￥3000 in a column of 万元 is 3000万元."""
_LETTERS = re.compile(r"([0-9]+(?:\.[0-9]+)?)([a-z]{3})")
_ENGLISH = {"million": 10**6, "mn": 10**6, "m": 10**6, "billion": 10**9, "bn": 10**9, "k": 10**3}


class Value(NamedTuple):
    """`value` in whole units of `currency`, or in nothing yet when it has no unit of its own and none was given."""

    value: Decimal
    currency: str
    approximate: bool
    own_unit: bool


def pairs_in(text: str) -> list[tuple[str, str, str]]:
    """Ways to see two amounts in a text: (first, second, slash | bracket | list | range)."""
    pairs: list[tuple[str, str, str]] = []
    if text.count("/") == 1:
        first, second = text.split("/")
        pairs.append((first, second, "slash"))
    if (inside := _BRACKETED.search(text)) and _BRACKETED.sub("", text):
        pairs.append((_BRACKETED.sub("", text), inside[1], "bracket"))
    for sign in (",", ";", "、", "。"):
        if text.count(sign) == 1:
            first, second = text.split(sign)
            pairs.append((first, second, "list"))
    if found := _EQUALS.fullmatch(text):
        pairs.append((found[1], found[2], "slash"))
    if found := _RANGE.fullmatch(text):
        pairs.append((found[1], found[2], "range"))
    return pairs


def in_parts(text: str, unit: Unit | None) -> tuple[Value, Value] | None:
    """总投资5亿元，一期3亿元，二期2亿元: the whole and its first part. The parts have names and are no more than the whole."""
    head, *rest = [one for one in re.split(r"[(),;、。]", text) if one] or [""]
    whole = read_value(without_label(head), unit) if len(rest) > 1 else None
    if whole is None or not all(PART.match(one) for one in rest):
        return None
    parts = [one for text in rest if (one := read_value(without_label(text, PART), unit))]
    if len(parts) != len(rest) or {one.currency for one in parts} != {whole.currency} or sum(one.value for one in parts) > whole.value:
        return None
    return whole, parts[0]


def without_label(text: str, label: re.Pattern[str] = _LABEL) -> str:
    found = label.match(text)
    return text[found.end() :] if found and found.end() < len(text) else text


def read_value(text: str, unit: Unit | None) -> Value | None:
    """One amount and nothing else, or None. A bare number takes the unit; without one its value means nothing yet."""
    text = _BRACKETED.sub(_unbracketed, text)
    plain, approximate = _APPROXIMATE.subn("", text)
    plain = plain.removesuffix("整")
    if plain and plain[:1] not in "0123456789." and (unlabelled := without_label(plain)) != plain:
        plain = unlabelled
    if (letters := _LETTERS.fullmatch(plain)) and (code := letters[2].upper()) in ISO:
        return Value(Decimal(letters[1]), code, approximate > 0, True)
    currencies = {OF_WORD[word] for word in CURRENCY.findall(plain)}
    foreign = currencies - {"CNY"}
    if len(foreign) > 1 or (foreign and ("人民币" in plain or "rmb" in plain)):
        return None
    had_money = bool(set(CURRENCY.findall(plain)) - _SIGNS)
    bare = CURRENCY.sub("", plain)
    if (english := _MILLIONS.fullmatch(bare)) and (currencies or len(english[2]) > 1):
        try:
            return Value(Decimal(english[1]) * _ENGLISH[english[2]], next(iter(foreign), "CNY"), approximate > 0, True)
        except ArithmeticError:
            return None
    if not bare or not NUMERAL.fullmatch(bare):
        return None
    if not had_money and _UNSAID.fullmatch(bare.lstrip("0123456789.个" + LETTERS.replace("亿", ""))):
        return None
    # A currency word inside the number (3元5) is no amount; in front or behind is.
    if currencies and len([part for part in CURRENCY.split(plain) if part]) != 1:
        return None
    bare = bare.replace("个", "")
    big = re.search("[亿万億萬]", bare) is not None
    value = Decimal(bare) if _PLAIN.fullmatch(bare) and not HAS_CHINESE.search(bare) else number(bare)
    if value is None:
        return None
    if big or had_money:
        return Value(value, next(iter(foreign), unit.currency if unit and not had_money else "CNY"), approximate > 0, True)
    if unit is None:
        return Value(value, "CNY", approximate > 0, False)
    return Value(value * unit.factor, unit.currency, approximate > 0, False)


def _unbracketed(found: re.Match[str]) -> str:
    """10亿（人民币） keeps its currency, 5亿元（含设备） loses the remark, and a bracket with a number stays: it is another amount."""
    inside = found[1]
    if CURRENCY.fullmatch(inside):
        return inside
    return found[0] if re.search("[0-9]", inside) or HAS_CHINESE.search(inside) else ""
