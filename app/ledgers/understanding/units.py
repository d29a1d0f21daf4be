"""Units of money: currencies by their words, and what a bare number in a column counts."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from app.ledgers.understanding.words import words

CURRENCIES = (
    ("USD", ("美元", "美金", "usd", "us$", "$")),
    ("HKD", ("港元", "港币", "港幣", "hkd", "hk$")),
    ("EUR", ("欧元", "eur", "€")),
    ("JPY", ("日元", "日圆", "jpy")),
    ("GBP", ("英镑", "gbp", "£")),
    ("TWD", ("新台币", "台币", "twd", "nt$")),
    ("SGD", ("新加坡元", "新元", "坡币", "sgd")),
    ("KRW", ("韩元", "韩币", "krw")),
    ("AUD", ("澳元", "澳大利亚元", "aud")),
    ("CAD", ("加元", "加拿大元", "cad")),
    ("MOP", ("澳门元", "澳门币", "mop")),
    ("CNY", ("人民币", "rmb", "cny", "￥", "¥", "元")),
)
ISO = frozenset(words(
    "AED ARS BGN BHD BRL CHF CLP COP CZK DKK EGP HUF IDR ILS INR IQD IRR ISK JOD KES KHR KWD KZT LAK LKR MAD MMK MNT MXN MYR NGN NOK NPR "
    "NZD OMR PEN PHP PKR PLN QAR RON RSD RUB SAR SEK THB TND TRY TZS UAH UGX UYU UZS VND XAF XOF ZAR ZMW"
))  # fmt: skip
"""Currencies that are read by their letters only: 123.45CHF."""
OF_WORD = {word: code for code, every in CURRENCIES for word in every}
CURRENCY = re.compile("|".join(sorted(map(re.escape, OF_WORD), key=len, reverse=True)))


class Unit(NamedTuple):
    """What a bare number in a column counts: 万元 is (10000, "CNY")."""

    factor: int
    currency: str
    text: str


_FACTORS = {"": 1, "千": 10**3, "万": 10**4, "百万": 10**6, "千万": 10**7, "亿": 10**8}
_UNIT = re.compile(r"(亿|千万|百万|万|千)?(?:元)?(人民币|美元|美金|港元|港币|欧元|日元|英镑|新台币|台币|新加坡元|韩元|澳元|元)?")


def unit_beside(text: str, column: Unit | None) -> Unit | None:
    """What a cell of a column of units says of the amount in its row: 万美元, or only 美元 where the column counts in 万."""
    word = unicodedata.normalize("NFKC", text).strip().casefold()
    code = OF_WORD.get(word) or (word.upper() if word.upper() in ISO else None)
    if word != "元" and code:
        return Unit(column.factor, code, text.strip()) if column else None
    return unit_of(word)


def unit_of(text: str) -> Unit | None:
    """The Unit a word names: 万元, 亿元人民币, 万美元."""
    text = unicodedata.normalize("NFKC", text).strip()
    found = _UNIT.fullmatch(text.removeprefix("人民币"))
    if not text or not found or not (found[1] or found[2] or "元" in text):
        return None
    factor = _FACTORS[found[1] or ""]
    if factor == 10**3 and "元" not in text:
        return None
    return Unit(factor, OF_WORD.get(found[2] or "元", "CNY"), text)
