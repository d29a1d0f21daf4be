"""What one reader is told: from changes to a message, in words. Pure; nothing here reads a database or a clock.

Counts are projects, each counted once, by the most urgent thing that happened to it (alerts/hearing.py).
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import islice
from typing import Any, NamedTuple

from app.alerts.blocks import Block
from app.alerts.hearing import DUE_SOON, EASED, ESCALATED, NEW, RECOVERED, SECTIONS, STOCK, Project, Reader, relevant, urgency
from app.heart.calendar import Calendar, chinese_date
from app.heart.limits import LEVEL_LABELS, RANK

MAX_LINES = 200
NOTICE_MONTH = 11
"""From this month on the notice of the next year is expected."""
ATTACHED = 2_000
"""Lines of the attachment, some 1 MB: mail servers take little more, and nobody reads more."""
CURRENCIES = {"CNY": "元", "USD": "美元", "EUR": "欧元", "JPY": "日元", "HKD": "港元", "GBP": "英镑", "KRW": "韩元"}


class Awaiting(NamedTuple):
    """A stop that only an unreviewed claim took off the list."""

    ref: str
    name: str
    office: str
    stopped_on: date
    url: str


class Undelivered(NamedTuple):
    """A message that did not reach its reader."""

    run_date: date
    recipient: str
    state: str
    reason: str


class TownCount(NamedTuple):
    """How many projects of an office stand at which level, each at its worst."""

    office: str
    yellow: int
    red: int
    exit_review: int
    office_id: int = 0


class Line(NamedTuple):
    """One printed project."""

    section: str
    project: Project
    head: str
    facts: tuple[str, ...]
    level: str


class Digest(NamedTuple):
    """A message before it is laid out."""

    subject: str
    day: str
    office: str
    reader: str
    headline: str
    notes: tuple[str, ...]
    sections: tuple[tuple[str, int, tuple[Line, ...]], ...]
    awaiting: tuple[Awaiting, ...]
    undelivered: tuple[Undelivered, ...]
    towns: tuple[TownCount, ...]
    rest: int
    csv: bytes | None
    blocks: tuple[Block, ...] = ()
    """Sections that are not about the day's changes (alerts/blocks.py), in the order they are printed."""


def chinese_money(minor: int | None, currency: str | None, digits: int = 2) -> str | None:
    """12,000万元: in ten thousands, without superfluous zeros; None when there is no amount."""
    if minor is None or currency is None:
        return None
    amount = (Decimal(minor).scaleb(-digits) / 10000).normalize()
    return f"{amount:,f}万{CURRENCIES.get(currency, currency)}"


def _level(level: str | None) -> str:
    return LEVEL_LABELS[level][0] if level else "无"


def _line(project: Project, day: date) -> Line:
    section = SECTIONS[_urgency(project)[0]]
    told = {change.rule: change for change in project.changes}
    facts = []
    for flag in sorted(project.open, key=lambda one: (-RANK[one.level], one.due_on, one.rule)):
        change = told.get(flag.rule)
        moved = f"{_level(change.before)}→{_level(flag.level)}" if change and change.before else _level(flag.level)
        words = [f"{flag.label}：{moved}，自{chinese_date(flag.basis_on)}起已 {(day - flag.basis_on).days} 天"]
        if flag.missing:
            words.append("缺：" + "、".join(flag.missing))
        words.append(flag.advice)
        if flag.next_level and flag.next_on:
            words.append(f"须在{chinese_date(flag.next_on)}前办理，逾期转{_level(flag.next_level)}")
        facts.append("；".join(words))
    shown = {flag.rule for flag in project.open}
    facts += [
        f"{change.label}：{_level(change.before)}→恢复" for change in project.changes if change.after is None and change.rule not in shown
    ]
    since = f"{project.stage}，{chinese_date(project.since)}起已 {(day - project.since).days} 天" if project.since else project.stage
    parts = (
        since,
        f"协议投资 {project.amount}" if project.amount else "",
        f"责任人 {project.owner}" if project.owner else "无责任人",
    )
    worst = max((flag.level for flag in project.open), key=RANK.__getitem__, default="")
    head = f"{project.name}（{project.ref}，{project.office}）：" + "；".join(part for part in parts if part)
    return Line(section, project, head, tuple(facts), worst)


def _urgency(project: Project) -> tuple[int, int, str, str]:
    return urgency(project.changes, (one.level for one in project.open), (one.due_on for one in project.open), project.ref)


class Body(NamedTuple):
    """What changed, for one reader or for several who hear the same."""

    counts: Mapping[str, int]
    lines: tuple[Line, ...]
    rest: int
    csv: bytes | None
    provisional: frozenset[int] = frozenset()
    """Years without a published calendar that printed days lean on."""


def body(counts: Mapping[str, int], projects: Iterable[Project], day: date) -> Body:
    """The lines of a message from its projects, most urgent first. Whatever the number of projects, only so many are taken from
    `projects` as are printed: MAX_LINES in the message, ATTACHED more in the attachment; `counts` knows them all."""
    years: set[int] = set()

    def printed() -> Iterator[Line]:
        for project in projects:
            years.update(year for flag in project.open for year in flag.provisional)
            yield _line(project, day)

    lines = printed()
    shown = tuple(islice(lines, MAX_LINES))
    rest = sum(counts.values()) - len(shown)
    attached = as_csv(islice(lines, ATTACHED)) if rest else None
    return Body(counts, shown, rest, attached, frozenset(years))


def build(reader: Reader, day: date, projects: Sequence[Project], **more: Any) -> Digest | None:
    """The digest for one reader from all projects that changed."""
    kept = [project._replace(changes=changes) for project in projects if (changes := relevant(project.changes, reader))]
    kept.sort(key=_urgency)
    counts = Counter(SECTIONS[_urgency(project)[0]] for project in kept)
    return told(reader, day, body(counts, kept, day), **more)


def told(
    reader: Reader,
    day: date,
    news: Body,
    *,
    awaiting: Sequence[Awaiting] = (),
    undelivered: Sequence[Undelivered] = (),
    towns: Sequence[TownCount] = (),
    notes: Sequence[str] = (),
    blocks: Sequence[Block] = (),
    summary: bool = False,
) -> Digest | None:
    """The digest for one reader, or None when there is nothing to say. `summary` says that standing counts alone are news."""
    counts = Counter(news.counts)
    if not counts.total() and not undelivered and not any(block.wakes for block in blocks) and not (summary and (towns or awaiting)):
        return None
    sections = tuple((name, counts[name], tuple(line for line in news.lines if line.section == name)) for name in SECTIONS if counts[name])
    tally = f"新增 {counts[NEW]}，升级 {counts[ESCALATED]}，恢复 {counts[RECOVERED]}"
    apart = "，".join(f"{name} {counts[name]}" for name in (STOCK, EASED, DUE_SOON) if counts[name])
    notes = list(notes)
    if news.rest > ATTACHED:
        notes.append(f"变化较多：附件只列其中最紧急的 {ATTACHED} 个项目，全部请在系统中查询。")
    if len(awaiting) > MAX_LINES:
        notes.append(f"待认定较多：本邮件只列停滞最久的 {MAX_LINES} 个。")
    return Digest(
        subject=f"【落地】{reader.office}：{tally}（{day.isoformat()}）",
        day=chinese_date(day),
        office=reader.office,
        reader=reader.name,
        headline=f"按项目计：{tally}" + (f"；另有{apart}" if apart else ""),
        notes=tuple(notes),
        sections=sections,
        awaiting=tuple(awaiting[:MAX_LINES]),
        undelivered=tuple(undelivered),
        towns=tuple(towns),
        rest=news.rest,
        csv=news.csv,
        blocks=tuple(blocks),
    )


def calendar_notes(reader: Reader, day: date, news: Body, calendar: Calendar) -> list[str]:
    """What a reader has to know of the calendar: years counted Monday to Friday, and to the bureau that next year's notice is due."""
    years = {*news.provisional, *([day.year] if calendar.is_provisional(day) else ())}
    which = "、".join(str(year) for year in sorted(years))
    notes = [f"{which} 年放假安排尚未公布（或尚未导入），工作日按周一至周五暂计，导入通知后重算。"] if years else []
    if reader.whole and not reader.leader and day.month >= NOTICE_MONTH and calendar.is_provisional(date(day.year + 1, 1, 1)):
        notes.append(f"{day.year + 1} 年放假安排尚未导入；国务院办公厅一般在 11 月公布，请县管理员导入通知（luodi calendar import）。")
    return notes


def _safe(text: str) -> str:
    """A spreadsheet must not take a name for a formula."""
    return "'" + text if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def as_csv(lines: Iterable[Line]) -> bytes:
    """The lines that found no place in the message, as Excel opens them."""
    whole = io.BytesIO()
    out = io.TextIOWrapper(whole, "utf-8-sig", newline="")
    writer = csv.writer(out)
    writer.writerow(("变化", "项目编号", "项目名称", "镇区", "责任人", "当前阶段", "亮灯", "情况", "链接"))
    for line in lines:
        project = line.project
        level = LEVEL_LABELS[line.level][0] if line.level else ""
        cells = (
            line.section,
            project.ref,
            project.name,
            project.office,
            project.owner or "",
            project.stage,
            level,
            "\n".join(line.facts),
            project.url,
        )
        writer.writerow([_safe(cell) for cell in cells])
    out.flush()
    return whole.getvalue()
