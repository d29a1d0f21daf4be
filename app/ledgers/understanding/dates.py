"""Dates as ledgers write them (2.7 and rule 5): a cell to a When, at the precision it has and never finer.

A When covers the days `first` to `last`. A year that is not written comes from the report; without one there is no date.
"""

from __future__ import annotations

import calendar
import re
import unicodedata
from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from typing import NamedTuple

from app.ledgers.understanding.amounts import ERRORS, FOOTNOTES, PLACEHOLDERS, STARRED, Cell
from app.ledgers.understanding.date_words import as_written, undecided
from app.ledgers.understanding.numerals import plain

DAY, MONTH, QUARTER, HALF, YEAR = "day", "month", "quarter", "half", "year"
YEARS = range(1950, 2101)
SERIALS = range(18_264, 73_415)
"""1950 to 2100, counted from 1900."""
_BASE_1900, _BASE_1904 = date(1899, 12, 30), date(1904, 1, 1)
LONGEST = 60


class When(NamedTuple):
    """`text` is ISO at its precision: 2026-03-15, 2026-03, 2026-Q1, 2026-H1, 2026. None when there is no date: `missing` says why
    (empty, placeholder, unparseable, year_unknown, formula, error)."""

    raw: Cell
    text: str | None
    precision: str | None = None
    first: date | None = None
    last: date | None = None
    marks: tuple[str, ...] = ()
    missing: str | None = None


EMPTY = When("", None, missing="empty")

_DAY = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})[日号]?(?:[t ]?\d{1,2}[:时]\d{1,2}(?:[:分]\d{1,2}(?:\.\d+)?)?[z秒分]?)?")
_MONTH = re.compile(r"(\d{4})[-/.年](\d{1,2})月?(?:份)?")
_YEAR = re.compile(r"(\d{4})年?(?:度)?")
_SHORT_DAY = re.compile(r"(\d{2})[-/.年](\d{1,2})[-/.月](\d{1,2})[日号]?")
_SHORT_MONTH = re.compile(r"(\d{2})年(\d{1,2})月?(?:份)?")
_SHORT_YEAR = re.compile(r"(\d{2})年(?:度)?")
_MONTH_DAY = re.compile(r"(\d{1,2})月(\d{1,2})[日号]?")
_ONLY_MONTH = re.compile(r"(\d{1,2})月(?:份)?")
_DOTTED = re.compile(r"(\d{1,2})[./-](\d{1,2})")
_QUARTER = re.compile(r"(?:(\d{4}|\d{2})年?)?[-./]?(?:第?([1-4])季度?|q([1-4])|([1-4])q)(?:初|中|末|底)?")
_HALF = re.compile(r"(?:(\d{4}|\d{2})年?)?[-./]?(?:(上|下)半年|h([12]))(?:初|末|底)?")
_SHORT_DOTTED = re.compile(r"(\d{2})\.(\d{1,2})")
"""26.3 is no day of any month, so it is March of 2026."""
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})")
_COMPACT_MONTH = re.compile(r"(\d{4})(\d{2})")
_EDGE = re.compile(r"(?:月?(?:月初|月底|月末|初|底|末|中旬|上旬|下旬|中)|年?(?:年初|年底|年末|年中|初|底|末|中|内))$")
_BOUND = re.compile(r"^(?:不晚于|不迟于|最迟)|(?:之前|以前|之后|以后|前|后)$")
_RELATIVE = re.compile(r"(今年|本年|当年|去年|上年|明年|次年)(?=\d|第?[一二三四1-4]季|[上下]半年|[初底末中]$)")
_OTHER_YEAR = {"去年": -1, "上年": -1, "明年": 1, "次年": 1}
_ABOUT = re.compile(r"^(?:约|大约|预计|计划|拟|争取|力争|暂定)(?:于|在)?|(?:左右|前后)$")
_PLANNED = re.compile("预计|预期|计划|拟|争取|力争|暂定|将")
_ABOUT_REMARK = re.compile(r"\((?:[^()]*(?:预计|预估|计划|拟|暂定|大约|估)[^()]*|约)\)")
_BRACKETED = re.compile(r"\([^()]*\)")
_TORN = re.compile(r"\d\s+\d(?!\d?:)")
"""2026.3.1 5: what was torn apart may not have been one number."""


def read_date(cell: Cell, *, year: int | None = None, date1904: bool = False) -> When:
    """The date in a cell. `year` is that of the report, for days without one; `date1904` is how the workbook counts."""
    if isinstance(cell, bool):
        return _wrong(cell)
    if isinstance(cell, int | float):
        return _number(cell, year, date1904)
    text = (
        unicodedata.normalize("NFKC", FOOTNOTES.sub("", STARRED.sub("", cell[: LONGEST + 1].rstrip()))).strip().casefold().replace("\0", "")
    )
    if not text:
        return EMPTY._replace(raw=cell)
    if "".join(text.split()) in PLACEHOLDERS:
        return When(cell, None, missing="placeholder")
    if text in ERRORS:
        return When(cell, None, missing="error", marks=("cell_error",))
    if len(text) > LONGEST:
        return _wrong(cell)
    return _text(cell, as_written(text), year, date1904)


def is_planned(when: When) -> bool:
    """Is the day one that somebody hopes for? 2025年12月（预计） in a column of what happened."""
    return isinstance(when.raw, str) and _PLANNED.search(when.raw) is not None


def _wrong(cell: Cell) -> When:
    return When(cell, None, missing="unparseable", marks=("date_unparseable",))


def _number(cell: int | float, year: int | None, date1904: bool) -> When:
    """A plain number: a serial date, a year, 202603, 20260315, or 2024.3 with the zero of October lost."""
    if cell != cell or not 0 < cell < 30_000_000:
        return _wrong(cell)
    whole = int(cell)
    if whole in YEARS:
        if cell == whole:
            return _year(cell, whole)
        shown = repr(float(cell)).partition(".")[2]
        if len(shown) > 2:
            return _wrong(cell)
        # .1 is January, or October without its zero; .2 to .9 and two digits are themselves.
        return _month(cell, whole, int(shown), ("date_ambiguous",) if shown == "1" else ())
    if whole in SERIALS:
        return serial(cell, date1904)
    if cell == whole and (compact := _compact(cell, str(whole), ())):
        return compact
    if cell < 13 and cell != whole and (found := _DOTTED.fullmatch(repr(cell))):
        month, day = int(found[1]), int(found[2])
        return _with_year(cell, year, lambda of, more: _day(cell, of, month, day, ("date_ambiguous", *more)))
    return _wrong(cell)


def serial(cell: int | float, date1904: bool) -> When:
    """A day counted by a spreadsheet program."""
    day = (_BASE_1904 if date1904 else _BASE_1900) + timedelta(days=int(cell))
    return When(cell, day.isoformat(), DAY, day, day, ("date_from_serial",))


Build = Callable[[int, tuple[str, ...]], When]
"""A When of a year, with the marks that the year brings."""


def _compact(cell: Cell, text: str, marks: tuple[str, ...]) -> When | None:
    if (found := _COMPACT.fullmatch(text)) and int(found[1]) in YEARS:
        return _day(cell, int(found[1]), int(found[2]), int(found[3]), marks)
    if (found := _COMPACT_MONTH.fullmatch(text)) and int(found[1]) in YEARS:
        return _month(cell, int(found[1]), int(found[2]), marks)
    return None


def _text(cell: Cell, text: str, year: int | None, date1904: bool) -> When:
    if undecided(text):
        return _wrong(cell)
    if found := _DAY.fullmatch(text):
        return _day(cell, int(found[1]), int(found[2]), int(found[3]), ())
    marks: tuple[str, ...] = ("date_ambiguous",) if _TORN.search(text) else ()
    if _ABOUT_REMARK.search(text):
        marks = (*marks, "date_approximate")
    text = "".join(_BRACKETED.sub("", text).split())
    text = plain(text).rstrip(".,;")
    text = text.removesuffix("日") if text.endswith("月日") else text  # 2026年3月  日: a form whose day was left open
    text = text.removesuffix("月") if text.endswith("年月") else text
    if text == "年":  # and one that nobody filled in
        return When(cell, None, missing="placeholder")
    if _ABOUT.search(text):
        text, marks = _ABOUT.sub("", text), _also(marks, "date_approximate")
    if _BOUND.search(text):
        text, marks = _BOUND.sub("", text), (*marks, "date_bound")
    for full, small in ((_DAY, _SHORT_DAY), (_MONTH, _SHORT_MONTH), (_YEAR, _SHORT_YEAR)):
        # 9月底 is September, 09年初 is 2009: what says when within the period is let go.
        for candidate in (
            text,
            _EDGE.sub(lambda found: "月" if found[0].startswith("月") else "年" if found[0].startswith("年") else "", text),
        ):
            if found := full.fullmatch(candidate):
                return _precise(cell, [int(one) for one in found.groups()], marks)
            if found := small.fullmatch(candidate):
                parts = [int(one) for one in found.groups()]
                return _precise(cell, [_century(parts[0]), *parts[1:]], (*marks, "date_two_digit_year"))
    if compact := _compact(cell, text, marks):
        return compact
    if text.isdecimal() and int(text) in SERIALS:
        return serial(int(text), date1904)._replace(raw=cell)
    return _part(cell, text, year, marks)


def _part(cell: Cell, text: str, year: int | None, marks: tuple[str, ...]) -> When:
    """Quarters and halves, and what has no year of its own."""
    if relative := _RELATIVE.match(text):
        year = year + _OTHER_YEAR.get(relative[1], 0) if year is not None else None
        text = text[relative.end() :]
        text = f"年{text}" if len(text) == 1 and text in "初底末中" else text
    for pattern, build in ((_QUARTER, _quarter), (_HALF, _half)):
        if found := pattern.fullmatch(text):
            which = next(one for one in found.groups()[1:] if one)
            if not found[1]:
                return _with_year(cell, year, partial(_late, build, cell, which, marks))
            own = int(found[1])
            more = ("date_two_digit_year",) if own < 100 else ()
            return build(cell, _century(own) if own < 100 else own, which, (*marks, *more))
    edge = _EDGE.sub(lambda found: "月" if "月" in found[0] else "", text)
    if found := _MONTH_DAY.fullmatch(text):
        month, day = int(found[1]), int(found[2])
        return _with_year(cell, year, lambda of, more: _day(cell, of, month, day, (*marks, *more)))
    if found := _ONLY_MONTH.fullmatch(text) or _ONLY_MONTH.fullmatch(edge):
        month = int(found[1])
        return _with_year(cell, year, lambda of, more: _month(cell, of, month, (*marks, *more)))
    if (found := _DOTTED.fullmatch(text)) and int(found[1]) <= 12:
        month, day = int(found[1]), int(found[2])
        return _with_year(cell, year, lambda of, more: _day(cell, of, month, day, (*marks, "date_ambiguous", *more)))
    if (found := _SHORT_DOTTED.fullmatch(text)) and int(found[1]) > 12:
        return _month(cell, _century(int(found[1])), int(found[2]), (*marks, "date_two_digit_year", "date_ambiguous"))
    if edge in ("今", "本", "当"):
        return _with_year(cell, year, lambda of, more: _year(cell, of, (*marks, *more)))
    if text in ("今年", "本年", "当年", "年内", "年底", "年初", "年末", "年中"):
        return _with_year(cell, year, lambda of, more: _year(cell, of, (*marks, *more)))
    if text in ("去年", "上年"):
        return _with_year(cell, year, lambda of, more: _year(cell, of - 1, (*marks, *more)))
    return _wrong(cell)


def _also(marks: tuple[str, ...], code: str) -> tuple[str, ...]:
    return marks if code in marks else (*marks, code)


def _late(build: Callable[[Cell, int, str, tuple[str, ...]], When], cell: Cell, which: str, marks: tuple[str, ...], year: int,
          more: tuple[str, ...]) -> When:  # fmt: skip
    return build(cell, year, which, (*marks, *more))


def _with_year(cell: Cell, year: int | None, build: Build) -> When:
    if year is None:
        return When(cell, None, missing="year_unknown", marks=("date_year_unknown",))
    return build(year, ("date_year_inferred",))


def _century(year: int) -> int:
    return 2000 + year if year < 70 else 1900 + year


def _precise(cell: Cell, parts: list[int], marks: tuple[str, ...]) -> When:
    if len(parts) == 1:
        return _year(cell, parts[0], marks)
    return _month(cell, parts[0], parts[1], marks) if len(parts) == 2 else _day(cell, parts[0], parts[1], parts[2], marks)


def _day(cell: Cell, year: int, month: int, day: int, marks: tuple[str, ...]) -> When:
    if year not in YEARS:
        return _wrong(cell)
    try:
        found = date(year, month, day)
    except ValueError:
        return _wrong(cell)
    return When(cell, found.isoformat(), DAY, found, found, marks)


def _span(cell: Cell, text: str, precision: str, year: int, first: int, last: int, marks: tuple[str, ...]) -> When:
    end = date(year, last, calendar.monthrange(year, last)[1])
    return When(cell, text, precision, date(year, first, 1), end, marks)


def _month(cell: Cell, year: int, month: int, marks: tuple[str, ...] = ()) -> When:
    if year not in YEARS or not 1 <= month <= 12:
        return _wrong(cell)
    return _span(cell, f"{year}-{month:02d}", MONTH, year, month, month, marks)


def _year(cell: Cell, year: int, marks: tuple[str, ...] = ()) -> When:
    if year not in YEARS:
        return _wrong(cell)
    return _span(cell, f"{year}", YEAR, year, 1, 12, marks)


def _quarter(cell: Cell, year: int, which: str, marks: tuple[str, ...]) -> When:
    if year not in YEARS:
        return _wrong(cell)
    number = int(which)
    return _span(cell, f"{year}-Q{number}", QUARTER, year, number * 3 - 2, number * 3, marks)


def _half(cell: Cell, year: int, which: str, marks: tuple[str, ...]) -> When:
    if year not in YEARS:
        return _wrong(cell)
    number = {"上": 1, "下": 2, "1": 1, "2": 2}[which]
    return _span(cell, f"{year}-H{number}", HALF, year, number * 6 - 5, number * 6, marks)


_PARTS = ("年", "月", "日")
_WITHIN = frozenset(("初", "中", "底", "末", "上旬", "中旬", "下旬"))


def join_parts(cells: tuple[Cell, Cell, Cell]) -> Cell:
    """A date in three columns as one text, which is also its raw text: 2026, 3, 15 → 2026年3月15日. A whole date in one of them stays."""
    texts = [str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell).strip() for cell in cells]
    filled = [text for text in texts if text]
    if len(filled) == 1 and texts[0] and not re.fullmatch(r"\d{1,4}", texts[0]):
        return texts[0]
    if len(texts[2]) > 4:  # the column of days holds whole dates
        return texts[2]
    marks = [part if text and not text.endswith(part) and text not in _WITHIN else "" for text, part in zip(texts, _PARTS, strict=True)]
    return "".join(text + mark for text, mark in zip(texts, marks, strict=True))
