"""The town of every row (rule 12): its own cell, the merged cell above, the section it stands in, or the row above, marked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from app.ledgers.understanding.amounts import Cell
from app.ledgers.understanding.kinds import section
from app.ledgers.understanding.sorting import Sorted

_TOWN_WORDS = r"(?:镇|乡|街道(?:办事处)?|园区|工业园|产业园|开发区|林场|农场)"
_SHEET = re.compile(rf".{{1,10}}{_TOWN_WORDS}")
_TITLE = re.compile(rf"(?:.*[县市])?(.{{1,10}}?{_TOWN_WORDS})(?=\d|二〇|第|招商|签约|项目|重点|在谈|在建|新|[一二三四五六七八九十]+月)")


_SENDER = re.compile(
    rf"(?:(?:填报|报送|上报|申报|填表)?(?:单位|镇区|乡镇)[:：])(?:.*[县市])?(.{{1,10}}?{_TOWN_WORDS})(?:人民政府|党委|管委会|[(（]盖?章[)）])*"
    rf"|(?:.*[县市])?(.{{1,10}}?{_TOWN_WORDS})(?:人民政府|党委政府|管委会|管理委员会)"
)
"""填报单位：河东镇, 河东镇人民政府: who sends the file, in a cell of its own above the table."""


def town_of(sheet: str, title: str, above: Sequence[str] = ()) -> str | None:
    """The town whose file it is, by the name of the sheet, the title (河东镇2026年招商项目台账) or whoever sends it."""
    name = "".join(sheet.split())
    if _SHEET.fullmatch(name):
        return name
    if found := _TITLE.match("".join(title.split())):
        return found[1]
    alone = section(title)[1]
    if alone and is_town(alone):  # 甲河镇, 一、甲河镇（2个）: each town has its own table
        return alone
    return next((sent[1] or sent[2] for text in above if (sent := _SENDER.fullmatch("".join(text.split())))), None)


_TOWN_CELL = re.compile(
    r"[^\s\d,，。、;；:：(（]{1,8}(?:镇|乡|街道|街道办|办事处|园区|工业园|产业园|开发区|高新区|经开区|新区|林场|农场)(?:人民政府|管委会|管理委员会)?"
)


def is_town(cell: str) -> bool:
    """Is it the name of a town or a park, and nothing else?"""
    return _TOWN_CELL.fullmatch("".join(cell.split())) is not None


class Towns:
    """`whole` is the town of a table that has no column of towns."""

    def __init__(self, column: int | None, whole: str | None = None) -> None:
        self._column = column
        self.current = whole
        self._section = whole is not None

    def enter(self, town: str) -> None:
        """A section of a town begins."""
        self.current, self._section = town, True

    def forget(self) -> None:
        """A subtotal ends the block of a town: what follows has to name its own."""
        if self._column is not None:
            self.current = None

    def walk(self, places: Iterable[int], sheet_columns: Sequence[Sequence[Cell]], found: Sorted, fills: Mapping[int, Cell]
             ) -> dict[int, tuple[str | None, str | None]]:  # fmt: skip
        """place → (town, code of a mark), and move on to the end of the places."""
        towns: dict[int, tuple[str | None, str | None]] = {}
        before: Cell | None = None
        known: tuple[str | None, str | None] = (None, None)
        cells = sheet_columns[self._column] if self._column is not None else None
        for place in places:
            cell = cells[place] if cells is not None else ""
            if cell == before:  # the commonest case: a town in every row
                towns[place] = known
                continue
            text = cell.strip() if isinstance(cell, str) else f"{cell:.15g}" if isinstance(cell, float) else str(cell)
            before = None
            if place in found.sections:
                self.enter(found.sections[place])
            elif text and place not in found.others:
                self.current, self._section = " ".join(text.split()), False
                towns[place] = known = self.current, None
                before = cell if not found.others and not found.sections else None
                continue
            elif text and found.others[place][0] == "nil_report":
                self.current, self._section = text, False
            if place in fills and (merged := str(fills[place]).strip()):
                self.current, self._section = " ".join(merged.split()), False
                towns[place] = self.current, None
            elif self.current is None:
                towns[place] = None, "town_missing" if cells is not None else None
            else:
                towns[place] = self.current, "town_from_section" if self._section else "town_filled_down"
        return towns
