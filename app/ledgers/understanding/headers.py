"""Finding the header of a table: one to three rows, with or without merged cells, tables side by side.

A header is known by its words: a project's name and at least one other column of app/ledgers/columns.py.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from app.ledgers.columns import AREA, BY_FIELD, DATE, DATE_PARTS, MONEY, Names, fold
from app.ledgers.understanding.amounts import Cell
from app.ledgers.understanding.marks import Mark
from app.ledgers.understanding.words import words

DEPTH = 3
DITTO = "〃"
"""Columns under a wide header cell that has nothing below it: the first is meant, the others keep their text."""
NAME = "project_name"
_LONGEST_LABEL = 60
_GENERIC = frozenset(
    words(
        "人民币 内资 金额 时间 日期 名称 面积 数量 单位 领导 内容 情况 年 月 日 年份 月份 计划 实际 电话 姓名 职务 合计 小计 累计 本年 当年"
    )
)
_WHOLE = frozenset(words("合计 小计 总计 累计 金额 总额 数额 面积 内资"))
"""Under a header of money or area: this is the whole of it, and not a part as 本年 or 其中 would be."""
_OF_MONTH = re.compile(
    r"(?:(20\d\d)年)?(?:\d{1,2}[-—~至到])?(\d{1,2})月(?:份|底|末)?(?:的)?(?:工作|项目|推进|形象|建设|最新)*(?:进展|进度|动态)(?:情况)?"
)
_ONLY_MONTH = re.compile(r"\d{1,2}月份?")
_ONLY_UNIT = re.compile(r"[(（]?(?:[亿万千百]*(?:美|欧|港|日)?元|亩|㎡|平方米|公顷|%)[)）]?")
"""A line of months under 形象进度, or of units under amounts, belongs to the header."""
_DAY_OF = re.compile(r"(?:日期?|号)$")
_PART_OF_NAME = re.compile(r"(.+?)[\s(（]*(年份?|月份?|日期?|号)[)）]?")


@dataclass
class Header:
    """Columns count from 0. `parts` are dates in three columns; `unknown` columns keep their label."""

    row: int
    depth: int
    left: int
    right: int
    places: dict[str, int] = field(default_factory=dict)
    labels: dict[int, str] = field(default_factory=dict)
    """column → all its labels, top first."""
    parts: dict[str, list[int | None]] = field(default_factory=dict)
    unknown: list[int] = field(default_factory=list)
    repeated: list[int] = field(default_factory=list)
    assumed_parts: bool = False
    paths: dict[int, tuple[str, ...]] = field(default_factory=dict)
    told: list[Mark] = field(default_factory=list)
    """What was taken from elsewhere (borrowing.py)."""

    @property
    def own(self) -> dict[str, int]:
        """Places without what was taken from elsewhere."""
        elsewhere = {mark.field for mark in self.told}
        return {name: column for name, column in self.places.items() if name not in elsewhere}

    @property
    def known(self) -> int:
        return len(self.places)


class Merges:
    """Merged ranges of a sheet by row, to see what a header cell covers."""

    def __init__(self, ranges: Sequence[Sequence[int]]) -> None:
        self.ranges: list[tuple[int, int, int, int]] = []
        last = (-1, 0, 0, 0)
        for one in sorted((a, b, c, d) for a, b, c, d in ranges):
            if one[0] != last[0] or one[1] > last[3]:  # ranges over each other stand only in damaged files
                self.ranges.append(one)
                last = one

    def starting(self, row: int) -> list[tuple[int, int, int, int]]:
        """Ranges (top, left, bottom, right) whose first row this is."""
        return self.ranges[bisect_left(self.ranges, (row,)) : bisect_left(self.ranges, (row + 1,))] if self.ranges else []

    def banner(self, row: int, column: int) -> int:
        """Over how many columns the cell reaches."""
        return next((right - left + 1 for _, left, _, right in self.starting(row) if left == column), 1)


def find_headers(rows: Sequence[Sequence[Cell]], base: int, at: int, floor: int, merges: Merges, names: Names) -> list[Header]:
    """The headers (several when tables lie side by side) that begin at or next to row `at` of `rows`, whose first row is `base`;
    no row before `floor` belongs to one."""
    best: list[Header] = []
    for start in range(max(floor, at - DEPTH + 1), at + 1):
        found = _header_at(rows, base, start, merges, names)
        # Later rows win a tie: what a row above adds is then only a caption.
        if found and sum(one.known + len(one.parts) for one in found) >= sum(one.known + len(one.parts) for one in best):
            best = found
    return best


def _header_at(rows: Sequence[Sequence[Cell]], base: int, start: int, merges: Merges, names: Names) -> list[Header]:
    top = [_label(cell) for cell in rows[start]]
    if len({label for label in top if label}) < 2:
        return []
    depth = _depth(rows, base, start, merges, names)
    grid = _grid(rows, base, start, depth, merges)
    width = max(map(len, grid))
    paths = [_path(grid, column) for column in range(width)]
    filled = [column for column in range(width) if paths[column]]
    if not filled:
        return []
    headers = [_match(base + start, depth, span, paths, names) for span in _spans(paths, names)]
    below = rows[start + depth] if start + depth < len(rows) else []
    headers = [one for one in headers if not _is_form(one, below, names)]
    return [one for one in headers if NAME in one.places and (one.known >= 3 or (one.known >= 2 and _says_project(one)))]


def _says_project(header: Header) -> bool:
    """Is a short header one of projects? 名称 | 单位 heads any dictionary."""
    return len(header.labels) <= 5 and fold(header.labels[header.places[NAME]]) != "名称"


def _is_form(header: Header, below: Sequence[Cell], names: Names) -> bool:
    """A form of one project has its labels one below the other: what stands under 项目名称 is another label."""
    place = header.places.get(NAME, len(below))
    found = names.field_of(_label(below[place])) if place < len(below) else None
    return found is not None and found != NAME and header.known <= 3


def _label(cell: Cell) -> str:
    if isinstance(cell, bool) or not isinstance(cell, str):
        return ""
    text = cell.strip()
    return text if len(text) <= _LONGEST_LABEL else ""


def _depth(rows: Sequence[Sequence[Cell]], base: int, start: int, merges: Merges, names: Names) -> int:
    depth = 1
    while depth < DEPTH and start + depth < len(rows):
        above = base + start + depth - 1
        down = any(bottom > above for row in range(base + start, above + 1) for _, _, bottom, _ in merges.starting(row))
        across = [(left, right) for _, left, bottom, right in merges.starting(above) if right > left and bottom == above]
        below = rows[start + depth]
        empty = down and all(cell == "" for cell in below)
        if not empty and not _heads(below, rows[start : start + depth], across, names, sure=down or bool(across)):
            break
        depth += 1
    return depth


def _heads(cells: Sequence[Cell], above: Sequence[Sequence[Cell]], across: list[tuple[int, int]], names: Names, *, sure: bool) -> bool:
    """Whether a row still belongs to the header: words that head a column and no data."""
    words = others = months = 0
    fields: set[str | None] = set()
    for column, cell in enumerate(cells):
        if cell == "":
            continue
        label = _label(cell)
        if not label:
            return False
        over = [_label(row[column]) for row in above if column < len(row)]
        known = names.field_of(label)
        folded = fold(label)
        if any(over) and names.field_of(next(one for one in reversed(over) if one)) == NAME and not known:
            return False  # a name under 项目名称 is data
        if known == NAME and folded in map(fold, over):
            return False  # the header of the next table, or this one printed again
        if known or folded in DATE_PARTS or folded in _GENERIC or not folded or _ONLY_UNIT.fullmatch(label):
            words += 1
            fields.add(known)
        elif _ONLY_MONTH.fullmatch(folded) and any(left <= column <= right for left, right in across):
            months += 1
        elif not sure and not any(left <= column <= right for left, right in across):
            others += 1
    words += months if months > 1 else 0
    # A line that names three columns and more heads them, whatever else stands in it; data does not.
    return words > 0 and (sure or (words >= 2 and (not others or (len(fields - {None}) >= 3 and words > others))))


def _grid(rows: Sequence[Sequence[Cell]], base: int, start: int, depth: int, merges: Merges) -> list[list[str]]:
    """The labels of the header rows, merged cells filled; without merges a parent reaches right as long as nothing stands beside it."""
    grid = [[_label(cell) for cell in rows[start + down]] for down in range(depth)]
    width = max(map(len, grid))
    for line in grid:
        line += [""] * (width - len(line))
    covered: set[tuple[int, int]] = set()
    for down in range(depth):
        for top, left, bottom, right in merges.starting(base + start + down):
            for row in range(top, min(bottom, base + start + depth - 1) + 1):
                for column in range(left, min(right, width - 1) + 1):
                    under_parent = column == left or bottom < base + start + depth - 1
                    grid[row - base - start][column] = (
                        (grid[down][left] if under_parent else DITTO) if left < width and grid[down][left] else ""
                    )
                    covered.add((row - base - start, column))
    for down in range(depth - 1):
        for column in range(1, width):
            under = any(grid[deeper][column] for deeper in range(down + 1, depth))
            if not grid[down][column] and under and (down, column) not in covered and (down, column - 1) not in covered:
                reaches = any(grid[deeper][column - 1] for deeper in range(down + 1, depth))
                same = down == 0 or grid[down - 1][column] == grid[down - 1][column - 1]  # and not beyond what stands over it
                if grid[down][column - 1] and reaches and same:
                    grid[down][column] = grid[down][column - 1]
    return grid


def _path(grid: list[list[str]], column: int) -> tuple[str, ...]:
    path: list[str] = []
    for line in grid:
        if line[column] and (not path or path[-1] != line[column]):
            path.append(line[column])
    return tuple(path)


def _spans(paths: list[tuple[str, ...]], names: Names) -> list[list[int]]:
    """The columns of each table: cut at empty columns where both sides name projects, else where the first column comes again."""
    pieces: list[list[int]] = [[]]
    for column, path in enumerate(paths):
        if path:
            pieces[-1].append(column)
        elif pieces[-1]:
            pieces.append([])
    pieces = [piece for piece in pieces if piece]
    spans: list[list[int]] = []
    for piece in pieces:
        own = _names_projects(piece, paths, names)
        if spans and not (own and _names_projects(spans[-1], paths, names)):
            spans[-1] += piece
        else:
            spans.append(list(piece))
    cut: list[list[int]] = []
    for span in spans:
        cut += _repeats(span, paths, names)
    return cut


def _names_projects(columns: list[int], paths: list[tuple[str, ...]], names: Names) -> bool:
    return any(_field(paths[column], names) == NAME for column in columns)


def _repeats(span: list[int], paths: list[tuple[str, ...]], names: Names) -> list[list[int]]:
    fields = [_field(paths[column], names) for column in span]
    if fields.count(NAME) < 2:
        return [span]
    first = next(one for one in fields if one)
    begins = [place for place, one in enumerate(fields) if one == first]
    if len(begins) < 2:
        begins = [0, *[place for place, one in enumerate(fields) if one == NAME][1:]]
    begins[0] = 0
    pieces = [span[begin:end] for begin, end in zip(begins, [*begins[1:], len(span)], strict=True)]
    return pieces if all(_names_projects(piece, paths, names) for piece in pieces) else [span]


def _candidates(path: tuple[str, ...]) -> Iterator[str]:
    """From the whole path to the lowest label, which mostly says it."""
    if len(path) > 1:
        yield "".join(path)
        yield path[-2] + path[-1]
        yield path[-1] + path[-2]  # 总投资 / 计划 is 计划总投资
        yield path[-1] + path[-2] + "时间"
    if fold(path[-1]) not in _GENERIC or len(path) == 1:
        yield path[-1]
    if len(path) > 1 and not re.search(r"\w", re.sub(r"[(（].*?[)）]|[亿万千百]*(?:美|欧|港|日)?元|单位|[:：亩㎡%]", "", path[-1])):
        yield path[-2]  # the lowest row holds only the unit


def _field(path: tuple[str, ...], names: Names) -> str | None:
    if found := next((found for label in _candidates(path) if (found := names.field_of(label))), None):
        return found
    above = names.field_of(path[-2]) if len(path) > 1 else None
    if above is None:  # 基本情况 / 单位: under what is only a heading the word stands for itself
        return names.field_of(path[-1])
    return above if fold(path[-1]) in _WHOLE and BY_FIELD[above].kind in (MONEY, AREA) else None


def _part(path: tuple[str, ...], names: Names) -> tuple[str, int] | None:
    """(field, 0 year, 1 month or 2 day) of a column that holds a part of a date."""
    leaf = fold(path[-1])
    if leaf in DATE_PARTS and len(path) > 1:
        for parent in ("".join(path[:-1]), path[-2]):
            for label in (parent, parent + "时间"):
                if (found := names.field_of(label)) and BY_FIELD[found].kind == DATE:
                    return found, DATE_PARTS[leaf]
    if (split := _PART_OF_NAME.fullmatch(path[-1].strip())) and fold(split[2]) in DATE_PARTS and split[2] != "日期":
        for label in (split[1], split[1] + "时间"):
            if (found := names.field_of(label)) and BY_FIELD[found].kind == DATE and not names.field_of(path[-1]):
                return found, DATE_PARTS[fold(split[2])]
    return None


def _match(row: int, depth: int, span: list[int], paths: list[tuple[str, ...]], names: Names) -> Header:
    header = Header(row, depth, span[0], span[-1])
    bare: dict[int, int] = {}
    for column in span:
        path = paths[column]
        header.labels[column] = " ".join(path)
        header.paths[column] = path
        if part := _part(path, names):
            places = header.parts.setdefault(part[0], [None, None, None])
            if places[part[1]] is None:
                places[part[1]] = column
                continue
        elif fold(path[-1]) in ("年", "月", "日") and len(path) == 1:
            bare.setdefault(DATE_PARTS[fold(path[-1])], column)
        found = _field(path, names)
        open_part = header.parts.get(found or "", [0, 0, 0])
        if None not in open_part[:2] and open_part[2] is None and _DAY_OF.search(fold(path[-1])):
            open_part[2] = column  # 签约年份 签约月份 签约日期
        elif found is None:
            header.unknown.append(column)
        elif found in header.places:
            header.repeated.append(column)
        else:
            header.places[found] = column
    for name, parts in list(header.parts.items()):
        if parts[0] is None and parts[1] is None:  # 日期 alone is no part
            del header.parts[name]
            only = next(column for column in parts if column is not None)
            if name not in header.places:
                header.places[name] = only
        else:
            header.places[name] = next(column for column in parts if column is not None)
    if "progress" not in header.places and (latest := _latest_month(header)) is not None:
        header.places["progress"] = latest
        header.unknown.remove(latest)
    if len(bare) >= 2 and 0 in bare and "signed_date" not in header.places:
        header.parts["signed_date"] = [bare.get(0), bare.get(1), bare.get(2)]
        header.places["signed_date"] = bare[0]
        header.assumed_parts = True
        header.unknown = [column for column in header.unknown if column not in bare.values()]
    return header


def _latest_month(header: Header) -> int | None:
    """7月进展 | 8月进展: the column of the last month is where things stand; the earlier ones keep their text."""
    months = []
    for column in header.unknown:
        path = header.paths[column]
        found = next((one for label in ("".join(path), path[-1], path[-1] + path[0]) if (one := _OF_MONTH.fullmatch(fold(label)))), None)
        if found and 1 <= int(found[2]) <= 12:
            months.append((int(found[1] or 0), int(found[2]), column))
    return max(months)[2] if months else None
