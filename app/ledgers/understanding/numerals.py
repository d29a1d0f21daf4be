"""Chinese and mixed numerals: 一亿二千万, 1亿8千万, 3.1, 壹仟, 二〇二六."""

from __future__ import annotations

import re
from decimal import Decimal

DIGITS = {
    **dict(zip("〇零一二三四五六七八九", (0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9), strict=True)),
    **dict(zip("壹贰叁肆伍陆柒捌玖两○", (1, 2, 3, 4, 5, 6, 7, 8, 9, 2, 0), strict=True)),
}
SMALL = {"十": 10, "百": 100, "千": 1000, "拾": 10, "佰": 100, "仟": 1000}
BIG = {"万": 10**4, "亿": 10**8, "萬": 10**4, "億": 10**8}
_TOKEN = re.compile(r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+|.", re.DOTALL)
LETTERS = "".join(DIGITS) + "".join(SMALL) + "".join(BIG)
HAS_CHINESE = re.compile(f"[{LETTERS}]")


def number(text: str) -> Decimal | None:
    """The value of a numeral without blanks or signs; None when it is none, or is colloquial (1亿2)."""
    total = section = Decimal(0)
    current: Decimal | None = None
    last_big: int | None = None
    last_small = 0
    digits = ""
    zero = seen = last_digit_chinese = False
    for token in _TOKEN.findall(text):
        if token[0] in "0123456789.":
            if current is not None or digits or token == ".":
                return None
            current, seen = Decimal(token), True
            last_digit_chinese = False
        elif token in DIGITS:
            if current is not None and not digits:
                return None
            digits += str(DIGITS[token])
            zero = zero or digits == "0"
            current, seen, last_digit_chinese = Decimal(digits), True, True
        elif token in SMALL:
            unit = SMALL[token]
            if last_small and unit >= last_small:
                return None
            if current is None:
                if unit != 10:
                    return None
                current = Decimal(1)
            section += current * unit
            current, last_small, digits, zero, seen = None, unit, "", False, True
        elif token in BIG:
            unit = BIG[token]
            if current is None and not section:
                return None
            if last_big is not None and unit >= last_big:
                return None
            total += (section + (current or 0)) * unit
            section, current, last_big, last_small, digits, zero = Decimal(0), None, unit, 0, "", False
        else:
            return None
    if not seen:
        return None
    if current is not None:
        below = last_small or last_big or 0
        if below and current != 0:
            whole = (last_digit_chinese and zero) or (not last_digit_chinese and current >= 10 and current < below)
            if not (whole or (below == 10 and current < 10)):
                return None  # 一亿二, 1万2: the unit of the last digit is left to guess
        section += current
    return total + section


_YEAR = re.compile(f"([{''.join(DIGITS)}]{{2,4}})(?=年)")
_SMALL_NUMBER = re.compile(f"[{''.join(DIGITS)}十廿卅]+")


def plain(text: str) -> str:
    """A date's text with Chinese numerals as digits: 二〇二六年三月十五日 → 2026年3月15日."""
    text = _YEAR.sub(lambda found: "".join(str(DIGITS[letter]) for letter in found[1]), text)
    return _SMALL_NUMBER.sub(lambda found: _upto_99(found[0]), text)


def _upto_99(text: str) -> str:
    text = text.replace("廿", "二十").replace("卅", "三十")
    if "十" not in text:
        return "".join(str(DIGITS[letter]) for letter in text)
    tens, _, ones = text.partition("十")
    if len(tens) > 1 or len(ones) > 1 or "十" in ones:
        return text
    return str((DIGITS[tens] if tens else 1) * 10 + (DIGITS[ones] if ones else 0))
