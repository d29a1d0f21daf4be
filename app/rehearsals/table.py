"""A rehearsal as text: variants side by side, aligned also where Chinese characters are two columns wide."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from app.heart import rules
from app.rehearsals.tally import AT

_TOTALS: tuple[tuple[str, str], ...] = (
    ("新增黄灯 new yellow", "yellow"),
    ("新增红灯 new red", "red"),
    ("新增退出评估 new exit review", "exit_review"),
    ("存量黄灯及以上 stock", "stock_yellow"),
    ("自行恢复 recovered", "recovered_share"),
    ("未到红灯即恢复 recovered before red", "recovered_before_red_share"),
    ("恢复天数中位数 median days to recover", "median_days_to_recover"),
    ("因暂停关闭 closed by a pause", "paused"),
    ("因终止关闭 closed by the end", "ended"),
    ("期末黄灯 yellow on the last day", "open_yellow"),
    ("期末红灯 red on the last day", "open_red"),
    ("期末退出评估 exit review on the last day", "open_exit_review"),
    ("期末签约即止 signed-then-stopped", "stopped_at_end"),
)
_MAILS = (("邮件/工作日 mails per workday", "mean"), ("最多一天 fullest day", "max"), ("邮件合计 mails", "total"))


def wide(text: str) -> int:
    """How many columns a text takes in a terminal."""
    return sum(2 if unicodedata.east_asian_width(mark) in "WF" else 0 if unicodedata.combining(mark) else 1 for mark in text)


def aligned(rows: Sequence[Sequence[Any]]) -> list[str]:
    """Lines of a table: the first column to the left, the others to the right."""
    cells = [["—" if cell is None else str(cell) for cell in row] for row in rows]
    widths = [max(wide(row[at]) for row in cells) for at in range(len(cells[0]))]
    return [
        "  ".join(
            cell + " " * (width - wide(cell)) if at == 0 else " " * (width - wide(cell)) + cell
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]


def as_text(said: Mapping[str, Any], offices: Mapping[str, str]) -> str:
    """What `luodi policy rehearse` prints; `offices` are names by code."""
    variants = said["variants"]
    head = ["", *(one["name"] for one in variants)]
    lines = [
        f"时限演练 {said['from']} 至 {said['to']}：{said['projects']} 个项目，现行策略第 {said['policy_version']} 版（current）",
        *(f"· {note}" for note in said["notes"]),
    ]
    if said["provisional_years"]:
        lines.append(f"· {'、'.join(map(str, said['provisional_years']))} 年放假安排尚未公布，工作日按周一至周五暂计")
    totals = [head] + [[label, *(one[key] for one in variants)] for label, key in _TOTALS]
    totals += [[label, *(one["mails"][key] for one in variants)] for label, key in _MAILS]
    lines += ["", *aligned(totals)]
    lines += ["", "新增 黄灯/红灯/退出评估 new yellow/red/exit review", ""]
    lines += aligned([["按月 by month", *head[1:]], *_cells(said, 1, {})])
    lines += ["", *aligned([["按规则 by rule", *head[1:]], *_cells(said, 2, {name: one.label for name, one in rules.BY_NAME.items()})])]
    lines += ["", *aligned([["按镇区 by town", *head[1:]], *_cells(said, 3, offices)])]
    return "\n".join(lines)


def _cells(said: Mapping[str, Any], by: int, labels: Mapping[str, str]) -> Iterable[list[str]]:
    """Rows of one breakdown: column `by` of the table, and for every variant what newly reached yellow, red and exit review."""
    first = len(said["table"]["columns"]) - len(AT)
    at = [first + AT[level] for level in ("yellow", "red", "exit_review")]
    sums: dict[str, dict[str, list[int]]] = {month: {} for month in said["months"]} if by == 1 else {}
    for row in said["table"]["rows"]:
        counted = sums.setdefault(row[by], {}).setdefault(row[0], [0, 0, 0])
        for place, column in enumerate(at):
            counted[place] += row[column]
    names = [one["name"] for one in said["variants"]]
    for key, found in sorted(sums.items()):
        label = f"{labels[key]} {key}" if key in labels else key
        yield [label, *("/".join(map(str, found.get(name, [0, 0, 0]))) for name in names)]
