"""The letters of a date before it is read: signs made alike, what says nothing left out, English and American writings as ours.

What a writing leaves open is not decided here: 03/04/2026 is March or April, 2026.3-5 a day or two months, so neither is a date.
"""

from __future__ import annotations

import re

from app.ledgers.understanding.words import words

_SIGNS = str.maketrans(
    {letter: "-" for letter in "‐‑‒–—―−－"} | {letter: "." for letter in "。．、,·•・"} | {"／": "/", "'": "", "’": "", "‘": "", "`": ""}
)
_HOUR = re.compile(r"(?<=[日号\d])\s*(?:\(?(?:星期|周)[一二三四五六日天]\)?|上午|下午|早上|晚上|中午)$")
_WRAPPED = re.compile(r"\(([^()]*\d[^()]*)\)")
_MONTHS = {name: at for at, name in enumerate(words("jan feb mar apr may jun jul aug sep oct nov dec"), 1)}
_NAME = (
    r"(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)"
)
_DAY_NAME_YEAR = re.compile(rf"(\d{{1,2}})(?:st|nd|rd|th)?[-/. ]*{_NAME}[-/., ]*(\d{{4}}|\d{{2}})")
_NAME_DAY_YEAR = re.compile(rf"{_NAME}[-/. ]*(\d{{1,2}})(?:st|nd|rd|th)?[-/., ]+(\d{{4}})")
_NAME_YEAR = re.compile(rf"{_NAME}[-/., ]*(\d{{4}}|\d{{2}})")
_YEAR_LAST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})(?:\s+\d{1,2}:\d{2}(?::\d{2})?)?")
_QUARTER_YEAR = re.compile(r"(q[1-4]|[1-4]q|h[12])[-/ ]?(\d{4})")
_BLANKS = re.compile(r"(\d{4}) +(\d{1,2}) +(\d{1,2})")
_OPEN = re.compile(r"\d{4}[./年](\d{1,2})-(\d{1,2})")


def as_written(text: str) -> str:
    """A date's text (half-width, small letters) in the writings that are read."""
    text = text.translate(_SIGNS).strip()
    if wrapped := _WRAPPED.fullmatch(text):
        text = wrapped[1].strip()
    text = _HOUR.sub("", text)
    if found := _BLANKS.fullmatch(text):
        return f"{found[1]}-{found[2]}-{found[3]}"
    if found := _QUARTER_YEAR.fullmatch(text):
        return found[2] + found[1]
    if found := _YEAR_LAST.fullmatch(text):
        first, second = int(found[1]), int(found[3])
        if (first > 12) != (second > 12):  # one of them is no month
            month, day = (second, first) if first > 12 else (first, second)
            return f"{found[4]}-{month}-{day}"
        return text
    return _english(text)


def _english(text: str) -> str:
    """15-Mar-26, Mar 15, 2026 and Mar-26 (what English spreadsheets make of a month)."""
    if found := _DAY_NAME_YEAR.fullmatch(text):
        return f"{found[3]}-{_MONTHS[found[2][:3]]}-{found[1]}"
    if found := _NAME_DAY_YEAR.fullmatch(text):
        return f"{found[3]}-{_MONTHS[found[1][:3]]}-{found[2]}"
    if found := _NAME_YEAR.fullmatch(text):
        return f"{found[2]}年{_MONTHS[found[1][:3]]}月"
    return text


def undecided(text: str) -> bool:
    """Whether 2026.3-5 or 2026年3-5 stands there: a day of March, or March to May."""
    found = _OPEN.fullmatch(text)
    return found is not None and int(found[1]) < int(found[2]) <= 12
