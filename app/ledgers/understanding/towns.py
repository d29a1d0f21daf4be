"""The town of every row (rule 12): its own cell, the merged cell above, the section it stands in, or the row above, marked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from app.ledgers.understanding.amounts import Cell
from app.ledgers.understanding.sorting import Sorted


class Towns:
    def __init__(self, column: int | None, *, is_csv: bool) -> None:
        self._column = column
        self.current: str | None = None
        self._section = False

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
            text = cell.strip() if isinstance(cell, str) else str(cell)
            before = None
            if place in found.sections:
                self.current, self._section = found.sections[place], True
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
