"""The calendar of a year as CSV: `date,kind,name`, kind holiday (放假) or workday (上班). Pure. What is written is read again."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from datetime import date

from app.calendars.notice import Understood, day_fault, missing_of, refusal
from app.errors import Invalid
from app.heart.calendar import Year

HEAD = ("date", "kind", "name")
MOST_ROWS = 400
HOLIDAY, WORKDAY = "holiday", "workday"
_COLUMNS = {"date": "date", "日期": "date", "kind": "kind", "类型": "kind", "name": "name", "名称": "name", "节日": "name"}
_KINDS = {"holiday": HOLIDAY, "放假": HOLIDAY, "休": HOLIDAY, "workday": WORKDAY, "上班": WORKDAY, "班": WORKDAY}
_DAY = re.compile(r"([0-9]{4})[-/年]([0-9]{1,2})[-/月]([0-9]{1,2})日?")


def decoded(raw: bytes) -> str:
    """A file as text: UTF-8 with or without its mark, or GB18030 as Excel writes it."""
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Invalid("文件既不是 UTF-8，也不是 GB18030 编码；请另存为 CSV UTF-8 后重试")


def is_sheet(text: str) -> bool:
    """Is this the CSV rather than the wording of a notice?"""
    first = next((line for line in text.lstrip("\ufeff").splitlines() if line.strip()), "")
    return {_COLUMNS.get(cell.strip().casefold()) for cell in first.split(",")} >= {"date", "kind"}


def read_sheet(text: str, year: int) -> Understood:
    """A year from its CSV. Invalid lists every fault with its line; statutory holidays it does not name are a warning."""
    faults: list[str] = []
    off: dict[date, str] = {}
    on: dict[date, str] = {}
    try:
        rows = list(csv.reader(io.StringIO(text.lstrip("\ufeff")), strict=True))
    except csv.Error as error:
        raise refusal("csv", [f"不是有效的 CSV：{error}"]) from error
    lines = [(number, [cell.strip() for cell in row]) for number, row in enumerate(rows, 1) if any(cell.strip() for cell in row)]
    if not lines:
        raise refusal("csv", ["没有内容"])
    head = [_COLUMNS.get(cell.casefold()) for cell in lines[0][1]]
    if not {"date", "kind"} <= set(head) or len(set(head)) != len(head) or None in head:
        raise refusal("csv", [f"表头应为 {','.join(HEAD)}（日期,类型,名称）"])
    if len(lines) - 1 > MOST_ROWS:
        raise refusal("csv", [f"超过 {MOST_ROWS} 行，不像一年的放假安排"])
    for number, cells in lines[1:]:
        told = dict(zip(head, cells, strict=False))
        fault = _take(told.get("date", ""), told.get("kind", ""), told.get("name", ""), year, off, on)
        if len(cells) > len(head):
            fault = f"多于 {len(head)} 列"
        if fault:
            faults.append(f"第 {number} 行：{fault}")
    if not faults and not off:
        faults.append("没有一天放假")
    if faults:
        raise refusal("csv", faults)
    missing = missing_of(" ".join(off.values()), year)
    warnings = (f"没有列出{'、'.join(missing)}",) if missing else ()
    return Understood(Year(year, off, on), (), warnings)


def _take(day_text: str, kind_text: str, name: str, year: int, off: dict[date, str], on: dict[date, str]) -> str | None:
    """Take one row, or say what is wrong with it."""
    found = _DAY.fullmatch(day_text)
    if not found:
        return f"日期“{day_text[:30]}”应写作 {year}-01-01"
    try:
        day = date(*(int(part) for part in found.groups()))
    except ValueError:
        return f"没有 {day_text} 这一天"
    kind = _KINDS.get(kind_text.casefold())
    if kind is None:
        return f"类型“{kind_text[:30]}”应为 holiday（放假）或 workday（上班）"
    if len(name) > 50 or name[:1] in tuple("=+-@") or any(unicodedata.category(mark)[0] == "C" for mark in name):
        return "名称应为不超过 50 字的一行文字"
    if kind == HOLIDAY and not name:
        return "放假日要写节日名称"
    if day in off or day in on:
        return f"{day} 写了两次"
    if fault := day_fault(day, year, kind == WORKDAY):
        return fault
    (off if kind == HOLIDAY else on)[day] = name
    return None


def as_sheet(year: Year) -> str:
    """A year as CSV, which `read_sheet` reads."""
    rows = [(day, HOLIDAY, name) for day, name in year.holidays.items()] + [(day, WORKDAY, name) for day, name in year.workdays.items()]
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([HEAD, *sorted(rows)])
    return out.getvalue()
