"""Title, unit and date above a table, and the date of the report wherever it stands (rules 2 and 5)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from app.ledgers.understanding.areas import area_unit
from app.ledgers.understanding.dates import DAY, MONTH, YEARS, read_date
from app.ledgers.understanding.numerals import plain
from app.ledgers.understanding.units import Unit, unit_of

_WORD = r"(?:人民币)?(?:亿|千万|百万|万|千)?(?:美元|美金|港元|港币|欧元|日元|英镑|新台币|台币|新加坡元|韩元|澳元|元)(?:人民币)?"
_BARE = r"亿|万"
_IN_BRACKETS = re.compile(rf"[(\[【〔{{]\s*(?:单位\s*[:：]?)?\s*({_WORD}|{_BARE})\s*[)\]】〕}}]")
_AFTER = re.compile(rf"(?:单位\s*[:：]?\s*|[:：/、,，]\s*|\s)({_WORD})\s*$")
_AT_END = re.compile(rf"({_WORD})$")
_COUNTED = r"(?:个|家|项|宗|人|户|亩|公顷|㎡|m2|平方米|万平方米|吨|%)\s*[、,，;；/和]\s*"
_CAPTION = re.compile(rf"单位\s*(?:[:：]|为|是)?\s*(?:{_COUNTED})*({_WORD}(?:\s*[、,，;；/和]\s*[^\s、,，;；/和]{{1,5}})*)")
_CAPTION_BRACKET = re.compile(rf"[(\[【]\s*({_WORD})\s*[)\]】]")
_AREA = re.compile(r"[(\[【:：]?\s*(万?(?:平方公里|平方米|平米|公顷|㎡|m2|m²|亩))\s*[)\]】]?\s*$")
_AREA_CAPTION = re.compile(r"单位(.*)")
_AREAS = re.compile(r"万?(?:平方公里|平方米|平米|公顷|㎡|亩)")
_FULL_DATE = re.compile(r"(\d{4})\s*[年./-]\s*(\d{1,2})\s*[月./-]\s*(\d{1,2})(?!\d|\s*[月季个])\s*[日号]?")
_MONTH_DATE = re.compile(r"(\d{4})\s*(?:年\s*(\d{1,2})\s*月|[./-]\s*(\d{1,2})\s*月?(?![\d.]))")
_PART_DATE = re.compile(r"(\d{4})\s*年(?:度)?\s*(?:第|前|1\s*[-~至到—–]+\s*)?\s*(?:([1-4])\s*(?:个)?季度?|([上下])半年)")
"""2026年三季度, 2026年上半年: the report is of its end."""
_MONTHS_DATE = re.compile(r"(\d{4})\s*年\s*\d{1,2}\s*月?\s*(?:[-~至到]|[—–－]+)\s*(\d{1,2})\s*月")
"""2026年1-8月: the report is of its end."""
_UNTIL = re.compile(r"(?:截至|截止)\D{0,4}?(\d{1,2})\s*月\s*(\d{1,2})\s*[日号]")
"""截至9月25日: of the year that stands beside it."""
_UNIT_LABEL = re.compile(r"(?:金额|计量|货币)?单位[:：]?")
_YEAR_DATE = re.compile(r"(\d{4})\s*年")
_SAYS_WHEN = re.compile(r"日期|截至|截止|时间|填报|制表|更新|统计")


def unit_in_header(label: str) -> Unit | None:
    """The unit of money a header names: 总投资（万元）, 投资额:亿元, 总投资万元."""
    text = unicodedata.normalize("NFKC", label)
    text = re.sub(r"\s*\n\s*", "", text)
    for pattern in (_IN_BRACKETS, _AFTER, _AT_END):
        if (found := pattern.search(text)) and (unit := unit_of(found[1])):
            return unit
    close = "".join(text.split())  # （万 元）
    found = _IN_BRACKETS.search(close) if close != text else None
    return unit_of(found[1]) if found else None


def area_in_header(label: str) -> tuple[str, int] | None:
    """The unit of area a header names."""
    found = _AREA.search(unicodedata.normalize("NFKC", label).casefold().replace("m²", "m2"))
    return area_unit(found[1]) if found else None


@dataclass
class Caption:
    """What stands above a table: the first unit of money and the first foreign one, the units of area, a date and how exact it is."""

    title: str = ""
    unit: Unit | None = None
    foreign: Unit | None = None
    areas: tuple[tuple[str, int], ...] = ()
    report: date | None = None
    year: int | None = None


def area_of(caption: Caption, usual: str) -> tuple[str, int] | None:
    """The unit of area that the caption gives a column usually in 亩 or in ㎡: its own one, else the only one. Nobody rents 亩."""
    own = next((area for area in caption.areas if area[0] == usual), None)
    return own or (caption.areas[0] if len(caption.areas) == 1 and usual == "亩" else None)


def read_caption(texts: list[str], elsewhere: Iterable[str] = ()) -> Caption:
    """From the cells above a table, top first; `elsewhere` (sheet name, rows below) only helps to find the date."""
    texts = [f"单位：{text}" if _UNIT_LABEL.fullmatch("".join(before.split())) else text for before, text in pairwise(["", *texts])]
    caption = Caption(title=next((text.strip() for text in texts if text.strip()), ""))
    for text in texts:
        folded = unicodedata.normalize("NFKC", text)
        if caption.unit is None:
            found = _CAPTION.search(folded) or _CAPTION_BRACKET.search(folded)
            if found:
                units = [unit_of(word) for word in re.split(r"\s*[、,，;；/和]\s*", found[1])]
                caption.unit = units[0]
                caption.foreign = next((unit for unit in units if unit and unit.currency != "CNY"), None)
        if not caption.areas and (said := _AREA_CAPTION.search(folded.casefold())):
            caption.areas = tuple(unit for word in _AREAS.findall(said[1]) if (unit := area_unit(word)))
    for group in (texts, list(elsewhere)):
        if found_date := _date(group):
            caption.report, caption.year = found_date
            break
    return caption


def _date(texts: list[str]) -> tuple[date | None, int] | None:
    """The day of the report and its year: a labelled day, any day, 截至9月25日 of the one year told, a month (its end), a year alone."""
    folded = [plain(unicodedata.normalize("NFKC", text[:500])) for text in texts]
    for chosen in ([text for text in folded if _SAYS_WHEN.search(text)], folded):
        for text in chosen:
            for found in _FULL_DATE.finditer(text):
                when = read_date(f"{found[1]}-{found[2]}-{found[3]}")
                if when.precision == DAY and when.first:
                    return when.first, when.first.year
    years = [int(found[1]) for text in folded for found in _YEAR_DATE.finditer(text) if int(found[1]) in YEARS]
    for found in (found for text in folded for found in _UNTIL.finditer(text)):
        if len(set(years)) == 1 and (day := read_date(f"{years[0]}-{found[1]}-{found[2]}").first):
            return day, day.year
    for text in folded:
        for pattern in (_MONTHS_DATE, _MONTH_DATE):
            for found in pattern.finditer(text):
                when = read_date(f"{found[1]}-{found[2] or found[3]}")
                if when.precision == MONTH and when.last:
                    return when.last, when.last.year
        for found in _PART_DATE.finditer(text):
            when = read_date(f"{found[1]}年{found[2]}季度" if found[2] else f"{found[1]}年{found[3]}半年")
            if when.last:
                return when.last, when.last.year
    return (None, years[0]) if years else None
