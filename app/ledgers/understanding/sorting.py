"""Sorting the rows of a portion: projects, totals, and everything that is neither."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from app.ledgers.columns import AREA, BY_FIELD, MONEY
from app.ledgers.understanding import kinds
from app.ledgers.understanding.amounts import Cell
from app.ledgers.understanding.headers import NAME, Header, Merges
from app.ledgers.understanding.kinds import TotalLabel

NO_NAME = frozenset((kinds.NOTHING, "/", "//", "—", "——", "-", "--", "暂无", "没有"))
_NOTHINGS = NO_NAME | {"0"}
_SAYS_PROJECT = ("investor", "signed_date", "agreement", "progress", "company", "credit_code", "project_no")
"""Who has one of these is no total, whatever the name is."""


@dataclass
class Sorted:
    """Places (from 0 in the portion) of rows that are no projects: totals (label, count beside it) and others (kind, text)."""

    base: int
    totals: dict[int, tuple[TotalLabel, int | None]] = field(default_factory=dict)
    others: dict[int, tuple[str, str]] = field(default_factory=dict)
    sections: dict[int, str] = field(default_factory=dict)
    """place → the town of a section that begins there."""
    years: dict[int, int] = field(default_factory=dict)
    """place → its year."""


class Sorter:
    def __init__(self, columns: dict[str, int], header: Header, merges: Merges) -> None:
        self._columns, self._left, self._right, self._merges = columns, header.left, header.right, merges
        numeric = [columns[name] for name in columns if name in BY_FIELD and BY_FIELD[name].kind in (MONEY, AREA)]
        self._numeric = set(numeric)
        self._labels = sorted({columns[name] for name in ("seq", "town", NAME) if name in columns} | {header.left})
        self._says = [columns[name] for name in _SAYS_PROJECT if name in columns and columns[name] != header.left]
        self._seq = columns.get("seq")
        self._quiet = {columns[name] for name in ("seq", "town") if name in columns}
        self._unknown = {column for name, column in columns.items() if name.startswith("?")}
        self._deep = [
            (top, bottom)
            for top, left, bottom, _ in merges.ranges
            if left == columns[NAME] and bottom > top and top > header.row + header.depth - 1
        ]

    def sort(self, rows: Sequence[Sequence[Cell]], sheet_columns: Sequence[Sequence[Cell]], base: int) -> Sorted:
        found = Sorted(base)
        names = sheet_columns[self._columns[NAME]]
        suspects = {place for place, name in enumerate(names) if not isinstance(name, str) or not name or name.isspace() or name in NO_NAME}
        for column in self._labels:
            cells = sheet_columns[column]
            worth = {cell for cell in set(cells) if isinstance(cell, str) and kinds.HINT.search(cell) and self._worth(cell)}
            if worth:
                suspects |= {place for place, cell in enumerate(cells) if cell in worth}
        if self._seq is not None and self._says:
            seq = sheet_columns[self._seq]
            suspects |= {place for place, cell in enumerate(seq) if kinds.is_ordinal(cell)}
        for row in range(base, base + len(rows)):
            if any(self._left <= left <= self._right and right - left >= 2 for _, left, _, right in self._merges.starting(row)):
                suspects.add(row - base)
        continued = {row for top, bottom in self._deep for row in range(top + 1, bottom + 1)}
        for place in sorted(suspects):
            self._one(place, rows[place], base + place, found, base + place in continued)
        for place, text in self._sections(found):
            if year := kinds.section_year(text):
                found.years[place] = year
        return found

    @staticmethod
    def _sections(found: Sorted) -> Iterator[tuple[int, str]]:
        """Headings of sections, those that carry their sum among them."""
        yield from ((place, text) for place, (kind, text) in found.others.items() if kind == kinds.SECTION)
        yield from ((place, label.text) for place, (label, _) in found.totals.items() if label.word == "小计" and "小计" not in label.text)

    @staticmethod
    def _worth(cell: str) -> bool:
        return kinds.total_label(cell) is not None or kinds.is_nil(cell) or kinds.is_note(cell) or kinds.is_heading(cell)

    def _one(self, place: int, cells: Sequence[Cell], row: int, found: Sorted, continued: bool) -> None:
        name = cells[self._columns[NAME]]
        filled = [column for column in range(self._left, self._right + 1) if cells[column] != "" and not _blank(cells[column])]
        texts = [column for column in filled if isinstance(cells[column], str)]
        if continued and _blank(name):
            found.others[place] = (kinds.CONTINUED, " ".join(str(cells[column]) for column in filled)) if filled else (kinds.BLANK, "")
            return
        if filled and self._signed_off(cells, filled, texts):
            found.others[place] = (kinds.NOTE, " ".join(str(cells[column]) for column in filled))
            return
        if not [column for column in filled if column not in self._quiet]:
            self._almost_blank(place, cells, filled, found)
            return
        if (label := self._total(cells)) is not None:
            found.totals[place] = label
            return
        if (heading := self._heading(cells, row)) is not None and self._section(place, cells, heading, filled, found):
            return
        if self._nil(cells, texts, filled):
            told = [str(cells[column]) for column in texts if column not in self._quiet and column not in self._unknown]
            found.others[place] = (kinds.NIL, next((text for text in told if kinds.is_nil(text)), told[0]))
            return
        banner = len(filled) == 1 and (
            _blank(name)
            or self._merges.banner(row, filled[0]) > 2
            or any(alone(str(name)) for alone in (kinds.is_note, kinds.is_heading, kinds.is_day))
        )
        if banner and filled[0] in texts and filled[0] not in self._numeric:
            text = str(cells[filled[0]])
            heads, town = kinds.section(text)
            if text.strip() == kinds.NOTHING:
                found.others[place] = (kinds.NIL, text)
            elif heads and not kinds.is_note(text) and not kinds.is_day(text):
                found.others[place] = (kinds.SECTION, text)
                if town:
                    found.sections[place] = town
            else:
                found.others[place] = (kinds.NOTE, text)
        elif _blank(name) and texts and all(kinds.is_note(str(cells[column])) for column in texts[:1]) and len(filled) <= 4:
            found.others[place] = (kinds.NOTE, " ".join(str(cells[column]) for column in filled))

    def _signed_off(self, cells: Sequence[Cell], filled: list[int], texts: list[int]) -> bool:
        """填表人：王某 | 审核人：李某, 注：…: a note where a number or a town would be, or nothing but notes."""
        notes = [column for column in texts if kinds.is_note(str(cells[column]))]
        if filled[0] not in notes or len(notes) == len(filled):
            return len(filled) > 1 and filled[0] in notes
        name = self._columns[NAME]
        if filled[0] == name or name in notes:
            return filled[0] != name
        numbers = any(not isinstance(cells[column], str) for column in filled if column in self._numeric)
        return not numbers and all(_blank(cells[column]) or column in notes for column in self._says)  # ※2 numbers a project

    def _heading(self, cells: Sequence[Cell], row: int) -> str | None:
        """What a row says that may head a section: 一 | 工业项目, or 一、工业项目 before or in the column of names."""
        name = cells[self._columns[NAME]]
        seq = cells[self._seq] if self._seq is not None else ""
        if isinstance(name, str) and not _blank(name):
            town = self._columns.get("town")
            bare = self._seq is not None and _blank(seq) and (town is None or _blank(cells[town]))
            heads = kinds.is_ordinal(seq) or (kinds.is_heading(name) and bare)
            return name if heads else None
        if not _blank(name):
            return None
        for column in {self._left, self._left if self._seq is None else self._seq}:
            cell = cells[column]
            if isinstance(cell, str) and (kinds.is_heading(cell) or column + self._merges.banner(row, column) > self._columns[NAME]):
                return cell or None
        return None

    def _section(self, place: int, cells: Sequence[Cell], heading: str, filled: list[int], found: Sorted) -> bool:
        """一 | 工业项目（2个） | … | 30000: numbered in Chinese, and nothing of a project but perhaps a sum. Is it one?"""
        loud = [column for column in filled if column not in self._quiet and cells[column] != heading]
        if any(not _blank(cells[column]) and cells[column] != heading for column in self._says):
            return False
        if any(column not in self._numeric for column in loud):
            return False
        if loud:
            found.totals[place] = (kinds.of_section(heading), None)
        else:
            found.others[place] = (kinds.SECTION, heading)
        if town := kinds.section(heading)[1]:
            found.sections[place] = town
        return True

    def _almost_blank(self, place: int, cells: Sequence[Cell], filled: list[int], found: Sorted) -> None:
        """Nothing but a number or a town: a prepared line, a section, or a label."""
        text = next((str(cells[column]) for column in filled if isinstance(cells[column], str)), "")
        label = kinds.total_label(text) if text else None
        if label is not None:
            found.totals[place] = (label, None)
        elif text and (kinds.is_note(text) or kinds.is_day(text)):
            found.others[place] = (kinds.NOTE, text)
        elif text and (kinds.is_nil(text) or text.strip() == kinds.NOTHING):
            found.others[place] = (kinds.NIL, text)
        elif text and kinds.section(text)[0] and len(filled) == 1 and not text.strip().isdecimal():
            found.others[place] = (kinds.SECTION, text)
            if town := kinds.section(text)[1]:
                found.sections[place] = town
        elif text and len(filled) == 1 and filled[0] != self._columns.get("town") and not text.strip().isdecimal():
            found.others[place] = (kinds.NOTE, text)
        else:
            found.others[place] = (kinds.BLANK, "")

    def _total(self, cells: Sequence[Cell]) -> tuple[TotalLabel, int | None] | None:
        if any(not _blank(cells[column]) and kinds.total_label(cells[column]) is None for column in self._says):
            return None
        name = cells[self._columns[NAME]]
        for column in self._labels:
            label = kinds.total_label(cells[column])
            if label is None:
                continue
            count = _count(name) if isinstance(name, str) else int(name) if isinstance(name, int | float) and name == name else None
            if column != self._columns[NAME] and not _blank(name) and count is None and kinds.total_label(name) is None:
                return None  # 合计 in another column beside a real name
            return label, count
        if isinstance(name, str) and kinds.count_only(name) is not None and any(not _blank(cells[column]) for column in self._numeric):
            town = next((str(cells[column]) for column in self._labels if isinstance(cells[column], str) and column != self._columns[NAME]
                         and cells[column]), "")  # fmt: skip
            if town:
                return TotalLabel("小计", town, kinds.count_only(name), f"{town} {name}"), None
        return None

    def _nothing_else(self, cells: Sequence[Cell], loud: list[int]) -> bool:
        """无 where the project's name would be, and nothing that a project has; tasks and rates of a town beside it are not its own."""
        return str(cells[self._columns[NAME]]).strip() in NO_NAME and all(str(cells[column]).strip() in _NOTHINGS for column in loud)

    def _nil(self, cells: Sequence[Cell], texts: list[int], filled: list[int]) -> bool:
        if any(isinstance(cells[column], int | float) and cells[column] for column in filled if column in self._numeric):
            return False
        loud = [column for column in texts if column not in self._quiet and column not in self._unknown]
        return (
            bool(loud)
            and (any(kinds.is_nil(str(cells[column])) for column in loud) or self._nothing_else(cells, loud))
            and all(kinds.is_nil(str(cells[column])) or str(cells[column]).strip() in _NOTHINGS for column in loud)
        )


def _count(text: str) -> int | None:
    """36 of 36个, or of 36 typed as a text."""
    bare = text.strip()
    return int(bare) if bare.isdecimal() and len(bare) < 7 else kinds.count_only(text)


def _blank(cell: Cell) -> bool:
    return isinstance(cell, str) and not cell.strip()
