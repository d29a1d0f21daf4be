"""Written totals against their rows (rule 9): reported, never repaired. Sums only; the rows themselves are not kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from app.ledgers.understanding import kinds
from app.ledgers.understanding.amounts import Cell, read_amount
from app.ledgers.understanding.areas import Area, read_area
from app.ledgers.understanding.kinds import TotalLabel
from app.ledgers.understanding.model import Room, Total
from app.ledgers.understanding.units import Unit
from app.projects.money import digits

AREA_SCALE = 100
"""Areas are summed in hundredths."""
COMPARED = 1_000
"""Totals of one table that are compared, the last one among them; more are no ledger's, and each is kept and shown."""
_EVERYTHING = ("全", "总")
_A_PAGE = ("本页", "该页", "此页", "本表本页")
OK, ROUNDED, MISMATCH, CANNOT = "ok", "ok_rounded", "mismatch", "cannot_check"


@dataclass(slots=True)
class Part:
    """Rows between two totals."""

    ranges: list[tuple[int, int]] = field(default_factory=list)
    sums: dict[str, int] = field(default_factory=dict)
    valued: dict[str, int] = field(default_factory=dict)
    excluded: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    count: int = 0

    def add(self, first: int, last: int) -> None:
        if self.ranges and self.ranges[-1][1] + 1 == first:
            self.ranges[-1] = (self.ranges[-1][0], last)
        else:
            self.ranges.append((first, last))

    def take_in(self, other: Part) -> None:
        """Add up what is in another part."""
        self.count += other.count
        self.ranges += other.ranges
        for mine, more in ((self.sums, other.sums), (self.valued, other.valued)):
            for name, number in more.items():
                mine[name] = mine.get(name, 0) + number
        for name, some in other.excluded.items():
            self.excluded.setdefault(name, []).extend(some)


@dataclass(slots=True)
class Written:
    """A total as it stands in the sheet, before anybody knows what it covers."""

    row: int
    label: TotalLabel
    cells: dict[str, Cell]
    after: int
    """How many parts lie before it; the last of them ends here."""
    count: int | None = None


class Totals:
    """Collects parts and totals of one table, and compares at its end. Without room only the last total is remembered beside the first
    ones; the rows of those that were dropped are in its part."""

    def __init__(self, room: Room) -> None:
        self.parts = [Part()]
        self.written: list[Written] = []
        self.dropped = self.left_out = 0
        self._room = room

    @property
    def part(self) -> Part:
        return self.parts[-1]

    def total(self, row: int, label: TotalLabel, cells: dict[str, Cell], count: int | None) -> None:
        """A total row: what comes after it is another part."""
        if len(self.written) > 1 and not self._room.take():
            self.dropped += 1
            self.written.pop()
            rest = self.parts.pop()
            self.parts[-1].take_in(rest)
        self.written.append(Written(row, label, cells, len(self.parts), label.told if label.told is not None else count))
        self.parts.append(Part())

    @property
    def ended(self) -> bool:
        """Was a total of the whole the last thing seen?"""
        if not self.written or self.part.count:
            return False
        last = self.written[-1].label
        return last.word != "小计" and (not last.of or last.of.startswith(_EVERYTHING))

    def kinds(self) -> dict[int, str]:
        """row → grand_total or subtotal."""
        plain = [one for one in self.written if not one.label.of and one.label.word != "小计"]
        filled = [one for one in plain if self.parts[one.after - 1].count]
        # Several 合计, each after rows of its own and none of them above everything: one for each block.
        blocks = len(filled) >= 2 and not any(one.label.word in ("总计", "总和", "汇总") for one in filled) and filled == plain
        found = {}
        for one in self.written:
            part = (
                one.label.word == "小计"
                or one.label.of in _A_PAGE
                or (kinds.section(one.label.of)[1] is not None and not one.label.of.startswith(_EVERYTHING))
            )
            found[one.row] = kinds.SUB if part or (blocks and one in plain) else kinds.GRAND
        return found

    def results(self, units: dict[str, Unit | None], areas: dict[str, tuple[str, int] | None], columns: dict[str, str]) -> list[Total]:
        """Every comparison of these totals, in the order of the rows."""
        kind = self.kinds()
        subs = [one for one in self.written if kind[one.row] == kinds.SUB]
        place_of = {one.row: place for place, one in enumerate(subs)}
        all_of_it = [_together(self.parts)]
        leading = bool(subs) and not any(part.count for part in self.parts[: subs[0].after]) and any(part.count for part in self.parts)
        found: list[Total] = []
        for one in self._compared(kind, leading):
            over = all_of_it if kind[one.row] == kinds.GRAND else self._over(one, place_of[one.row], subs, leading)
            for name, cell in one.cells.items():
                found.append(_compare(one, kind[one.row], name, cell, over, units, areas, columns))
            if one.count is not None:
                count = sum(part.count for part in over)
                result = OK if count == one.count else MISMATCH
                ranges = over[0].ranges if len(over) == 1 else [each for part in over for each in part.ranges]
                found.append(
                    Total(one.row, one.label.text, kind[one.row], "project_count", None, str(one.count), one.count, count, result, ranges)
                )
        return found

    def _compared(self, kind: dict[int, str], leading: bool) -> list[Written]:
        """The first, and the last one. What a part reaches over is not known where totals were dropped."""
        some = self.written
        if self.dropped:
            unsure = 2 if leading else 1
            some = some[:-unsure] + [one for one in some[-unsure:] if kind[one.row] == kinds.GRAND]
        some = some if len(some) <= COMPARED else [*some[: COMPARED - 1], some[-1]]
        self.left_out = self.dropped + len(self.written) - len(some)
        return some

    def _over(self, one: Written, place: int, subs: list[Written], leading: bool) -> list[Part]:
        if leading:
            end = subs[place + 1].after if place + 1 < len(subs) else len(self.parts)
            return self.parts[one.after : end]
        return self.parts[subs[place - 1].after if place else 0 : one.after]


def _together(parts: list[Part]) -> Part:
    """All of them as one: added up once, however many totals of the whole a sheet has."""
    whole = Part()
    for part in parts:
        whole.take_in(part)
    return whole


def _compare(one: Written, kind: str, name: str, cell: Cell, over: list[Part], units: dict[str, Unit | None],
             areas: dict[str, tuple[str, int] | None], columns: dict[str, str]) -> Total:  # fmt: skip
    computed: int | None = sum(part.sums.get(name, 0) for part in over)
    excluded = [each for part in over for each in part.excluded.get(name, ())]
    ranges = over[0].ranges if len(over) == 1 else [each for part in over for each in part.ranges]
    if name in areas:
        area: Area = read_area(cell, (areas[name] or ("亩", 1))[0], areas[name])
        written = None if area.value is None else int(area.value * AREA_SCALE)
        step = Decimal(AREA_SCALE)
    else:
        unit = units.get(name)
        amount = read_amount(cell, unit)
        written = amount.minor
        step = Decimal((unit.factor if unit else 1) * 10 ** digits(unit.currency if unit else "CNY"))
    if written is None or not any(part.count for part in over) or not any(part.valued.get(name) for part in over):
        result = CANNOT
        computed = computed if written is not None else None
        if written == 0 == computed:
            result = OK
    elif written == computed:
        result = OK
    else:
        difference = abs(written - (computed or 0))
        result = ROUNDED if 2 * difference <= step * _last_digit(cell) else MISMATCH
    return Total(one.row, one.label.text, kind, name, columns.get(name), cell, written, computed, result, ranges, excluded)


def _last_digit(cell: Cell) -> Decimal:
    """The place of the last printed digit: 1 for 35841, 0.1 for 35841.2."""
    text = f"{cell:.15g}" if isinstance(cell, float) else str(cell)
    after = text.partition(".")[2]
    digits_after = len([letter for letter in after if letter.isdigit()])
    return Decimal(1).scaleb(-digits_after)
