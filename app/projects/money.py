"""Money as decimal text outside and integers of the smallest unit inside; never a float.

Digits after the point by ISO 4217; whatever is not listed has two.
"""

from __future__ import annotations

import re
from decimal import Decimal

DIGITS = dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"), 0)
DIGITS |= dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3)
MAX = 10**18
"""Smallest units; ten thousand times the largest project, and inside a 64-bit integer."""
_AMOUNT = re.compile(r"[0-9]{1,18}(\.[0-9]{1,8})?")
_CURRENCY = re.compile(r"[A-Z]{3}")


def digits(currency: str) -> int:
    """Digits after the point of a currency."""
    return DIGITS.get(currency, 2)


def to_minor(amount: str, currency: str) -> int:
    """Smallest units of a decimal text; ValueError says what is wrong."""
    if not _CURRENCY.fullmatch(currency):
        raise ValueError("币种为三个大写字母（ISO 4217），例如 CNY")
    if not _AMOUNT.fullmatch(amount):
        raise ValueError("金额为不带符号的十进制数，例如 120000000.00")
    scaled = Decimal(amount).scaleb(digits(currency))
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{currency} 的金额最多 {digits(currency)} 位小数")
    if scaled > MAX:
        raise ValueError("金额过大")
    return int(scaled)


def to_text(minor: int, currency: str) -> str:
    """The decimal text of an amount, with all digits of its currency."""
    places = digits(currency)
    if places == 0:
        return str(minor)
    whole, part = divmod(minor, 10**places)
    return f"{whole}.{part:0{places}d}"


def shown(minor: int | None, currency: str | None) -> dict[str, str] | None:
    """An amount as the API prints it."""
    if minor is None or currency is None:
        return None
    return {"amount": to_text(minor, currency), "currency": currency}
