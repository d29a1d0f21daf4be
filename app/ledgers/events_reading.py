"""The events CSV (contract 4.3): its columns, its events, and reading a file row by row. Pure but for the file itself.

A bad row never stops good rows: it comes out as a Rejected with its line, column and reason. Cells are text and stay as they
are, also when they begin with = + - @; only blanks at their ends are dropped.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from datetime import date
from functools import lru_cache
from io import TextIOWrapper
from pathlib import Path
from typing import NamedTuple, TextIO

from app.errors import Invalid
from app.heart import facts as kinds
from app.heart import lifecycle
from app.heart.facts import Fact
from app.heart.live import claims_stage
from app.projects.money import to_minor
from app.projects.schemas import EARLIEST

COLUMNS = ("project_ref", "project_name", "office", "investor", "amount", "currency", "event", "date")
SIGNING_EVENT = "signing_event"
LONGEST = {"project_ref": 64, "project_name": 500, "office": 200, "investor": 500, SIGNING_EVENT: 200}
SHORT = 100
"""Characters of every other cell."""
LINE_LIMIT = 20_000
"""Characters of one physical line; a row of legal cells has a tenth of it."""
TELL_EVERY = 20_000
"""Records between two words of progress."""
LINES_IN_A_ROW = 50
"""So many physical lines are looked at for the end of a quoted cell before the first of them is called broken."""

EVENTS: dict[str, tuple[str, str | None]] = {
    **{stage: (kinds.MOVED, lifecycle.ACTION_OF.get(stage, "register")) for stage in lifecycle.STAGE_NAMES},
    "suspended": (kinds.MOVED, "suspend"),
    "resumed": (kinds.MOVED, "resume"),
    "terminated": (kinds.MOVED, "terminate"),
    "contact": (kinds.FOLLOWED_UP, None),
    "funds": (kinds.FUNDED, None),
    "note": (kinds.NOTED, None),
}
"""event → (kind of fact, action of a move). The order is the order of rows on one date."""
ORDER = {event: place for place, event in enumerate(EVENTS)}
UNDATED = ("suspended", "terminated")
"""Events whose date may be unknown."""
FUNDS = "funds"
REQUIRED = ("project_ref", "project_name", "office", "event")
_OF_ACTION = {action: event for event, (_, action) in EVENTS.items() if action} | {"reopen": "resumed"}
_OF_KIND = {kind: event for event, (kind, action) in EVENTS.items() if action is None}

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_CONTROL = re.compile("[\x00-\x1f\x7f\u2028\u2029]")
_NOT_UTF8 = re.compile("[\ud800-\udfff]")


class Row(NamedTuple):
    """One good row. `amount` counts smallest units; `day` is an ISO date, empty for an end of unknown date; `cells` are as
    found. Plain values only: rows wait on disk (events_shelves.py)."""

    line: int
    ref: str
    name: str
    office: str
    investor: str | None
    amount: int | None
    currency: str | None
    event: str
    day: str
    signing_event: str | None
    cells: tuple[str, ...]

    @property
    def identity(self) -> tuple[str, str]:
        """Within its project: the event and its date as the file has it."""
        return self.event, self.day


class Rejected(NamedTuple):
    """A row that was not taken: where (physical line of its start), which column, its value, and why."""

    line: int
    column: str
    value: str
    reason: str
    cells: tuple[str, ...] = ()


@lru_cache(maxsize=50_000)
def day_of(text: str) -> date:
    """The date an ISO text means; ValueError when it is none. A file has few different days."""
    if not _DAY.fullmatch(text):
        raise ValueError(text)
    return date.fromisoformat(text)


_minor = lru_cache(maxsize=10_000)(to_minor)


class Wrong(Exception):
    """What is wrong with a row."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(reason)
        self.column, self.reason = column, reason


def event_of(fact: Fact) -> str | None:
    """The event that a fact is in this format; None for what the format cannot say (reports, reviews, reverts, ...)."""
    return claims_stage(fact) or _OF_ACTION.get(fact.data.get("action", "")) or _OF_KIND.get(fact.kind)


def identities_of(fact: Fact) -> list[tuple[str, str]]:
    """Every (event, date) under which a row would repeat this fact, whoever recorded it; voided and returned facts keep
    theirs, so that importing a file again does not bring back what the county took out."""
    event = event_of(fact)
    if event is None:
        return []
    told = fact.data.get("event")
    return [(event, fact.effective_on.isoformat()), *([(told[0], told[1])] if told else [])]


def read(path: Path, today: date, progress: Callable[[int, float], None] = lambda rows, share: None) -> Iterator[Row | Rejected]:
    """Every row of a file, good or not; `progress` is told now and then (records read, share of the file). Invalid when the
    file cannot be such a file at all."""
    try:
        # what is no UTF-8 stays in its row as lone surrogates, is refused there, and goes to the error file byte for byte
        with path.open("rb") as raw, TextIOWrapper(raw, "utf-8-sig", "surrogateescape", newline="") as file:
            size = path.stat().st_size or 1
            records = _records(file)
            header = _header(next(records, (0, [""], None)))
            for number, (line, cells, broken) in enumerate(records, 1):
                if not number % TELL_EVERY:
                    progress(number, min(raw.tell() / size, 1.0))
                if broken is None and not any(cells):
                    continue  # an empty line
                try:
                    if broken is not None:
                        raise Wrong("", broken)
                    yield _row(line, header, cells, today)
                except Wrong as wrong:
                    place = header.index(wrong.column) if wrong.column in header else -1
                    value = cells[place] if 0 <= place < len(cells) else ""
                    yield Rejected(line, wrong.column, value, wrong.reason, tuple(cells))
    except OSError as error:
        raise Invalid(f"读不到文件 {path}：{error.strerror} / cannot read it") from error


def _header(found: tuple[int, list[str], str | None]) -> tuple[str, ...]:
    header = tuple(cell.strip() for cell in found[1])
    if header not in (COLUMNS, (*COLUMNS, SIGNING_EVENT)):
        raise Invalid(
            f"首行应为 {','.join(COLUMNS)}（可加 {SIGNING_EVENT}），文件编码应为 UTF-8；读到的是 {','.join(header)[:200]!r} / wrong header"
        )
    return header


def _lines(file: TextIO) -> Iterator[str]:
    """Physical lines, none longer than the limit (the rest of such a line is skipped)."""
    while line := file.readline(LINE_LIMIT):
        if len(line) == LINE_LIMIT and line[-1] not in "\r\n":
            while (rest := file.readline(LINE_LIMIT)) and rest[-1] not in "\r\n":
                pass
        yield line


def _split(line: str) -> list[str]:
    """The cells of a line without quotes: what the csv module finds, at a sixth of the price."""
    text = line.rstrip("\r\n")
    return text.split(",") if text else []


def _parsed(lines: list[str]) -> list[str] | None:
    """The cells of one record; None when a quoted cell does not end or goes on after its closing quote."""
    try:
        return next(csv.reader(lines, strict=True), [])
    except csv.Error:
        return None


def _records(file: TextIO) -> Iterator[tuple[int, list[str], str | None]]:
    """(line of its start, cells, what is broken) of every record. A quote that never closes costs its own line only."""
    source = enumerate(_lines(file), 1)
    waiting: list[tuple[int, str]] = []
    width = 0
    while (following := waiting.pop(0) if waiting else next(source, None)) is not None:
        number, line = following
        if len(line) == LINE_LIMIT:
            yield number, _parsed([line]) or [], f"一行超过 {LINE_LIMIT} 个字符 / line too long"
            continue
        cells = _parsed([line]) if '"' in line else _split(line)
        if cells is None:
            cells = _over_lines(line, waiting, source, width)
        if cells is None:
            yield number, line.rstrip("\r\n").split(","), "引号没有成对，或引号后还有文字 / unbalanced quotes"
            continue
        width = width or len(cells)
        yield number, cells, None


def _over_lines(line: str, waiting: list[tuple[int, str]], source: Iterator[tuple[int, str]], width: int) -> list[str] | None:
    """A row whose quoted cell holds line breaks; None (and every later line left waiting) when there is no such row."""
    taken = [line]
    for count in range(LINES_IN_A_ROW):
        if count == len(waiting):
            following = next(source, None)
            if following is None:
                return None
            waiting.append(following)
        taken.append(waiting[count][1])
        cells = _parsed(taken)
        if cells is not None:
            if len(cells) != width:
                return None
            del waiting[: count + 1]
            return cells
    return None


def _row(line: int, header: tuple[str, ...], found: list[str], today: date) -> Row:
    if len(found) != len(header):
        raise Wrong("", f"应有 {len(header)} 列，实有 {len(found)} 列 / wrong number of columns")
    told = [cell.strip() for cell in found]
    whole = "".join(told)
    if len(whole) > SHORT or not whole.isprintable():  # most rows need no closer look
        for column, text in zip(header, told, strict=True):
            _check_text(column, text)
    ref, name, office, investor, amount, currency, event, day = told[:8]
    if not (ref and name and office and event):
        raise Wrong(next(column for column in REQUIRED if not told[COLUMNS.index(column)]), "必填 / required")
    if "/" in ref or not ref.isprintable() or len(ref) > LONGEST["project_ref"]:
        raise Wrong("project_ref", "项目编号为 1-64 个可见字符，不含 / / printable characters without a slash")
    if event not in EVENTS:
        raise Wrong("event", f"未知的事件；只能是 {', '.join(EVENTS)} / unknown event")
    _check_day(day, event, today)
    minor, unit = _money(amount, currency, event)
    return Row(
        line, ref, name, office, investor or None, minor, unit, event, day, (told[8] or None) if len(told) > 8 else None, tuple(found)
    )


def _check_text(column: str, text: str) -> None:
    if _NOT_UTF8.search(text):
        raise Wrong(column, "不是 UTF-8 编码 / not UTF-8")
    if _CONTROL.search(text):
        raise Wrong(column, "含有换行或控制字符 / contains line breaks or control characters")
    if len(text) > LONGEST.get(column, SHORT):
        raise Wrong(column, f"超过 {LONGEST.get(column, SHORT)} 个字符 / too long")


def _check_day(text: str, event: str, today: date) -> None:
    if not text:
        if event in UNDATED:
            return
        raise Wrong("date", f"必填；只有 {'、'.join(UNDATED)} 的日期可以为空 / required")
    try:
        on = day_of(text)
    except ValueError:
        raise Wrong("date", "日期应写作 YYYY-MM-DD，且有这一天 / no ISO 8601 date") from None
    if on < EARLIEST:
        raise Wrong("date", f"日期不能早于 {EARLIEST} / too early")
    if on > today:
        raise Wrong("date", f"日期晚于今天 {today} / in the future")


def _money(amount: str, currency: str, event: str) -> tuple[int | None, str | None]:
    """The amount in smallest units; a currency without an amount says nothing."""
    if not amount:
        if event == FUNDS:
            raise Wrong("amount", "funds 须写明当日到位资金总额 / required for funds")
        return None, None
    if not currency:
        raise Wrong("currency", "有金额须写明币种 / required with an amount")
    try:
        _minor("0", currency)
    except ValueError as error:
        raise Wrong("currency", str(error)) from None
    try:
        return _minor(amount, currency), currency
    except ValueError as error:
        raise Wrong("amount", str(error)) from None
