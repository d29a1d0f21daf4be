"""Reading the rows of one table, portion by portion and column by column; rows come out in order, and nothing of them is kept."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Sequence
from itertools import repeat
from typing import Any

from app.ledgers.columns import AREA, BY_FIELD, DATE, MONEY
from app.ledgers.understanding import cells as columns
from app.ledgers.understanding import kinds
from app.ledgers.understanding.amounts import Cell, as_seen
from app.ledgers.understanding.borrowing import in_units_beside, join_foreign, under_one_head, unit_of_whole
from app.ledgers.understanding.captions import Caption, area_in_header, area_of, unit_in_header
from app.ledgers.understanding.dates import When, join_parts
from app.ledgers.understanding.duplicates import Names
from app.ledgers.understanding.filling import Columns, SheetFacts, touching
from app.ledgers.understanding.headers import NAME, Header
from app.ledgers.understanding.judgement import Judge
from app.ledgers.understanding.marks import Mark
from app.ledgers.understanding.model import Ignored, Row, Table, letter
from app.ledgers.understanding.sorting import NO_NAME, Sorted, Sorter
from app.ledgers.understanding.stages import heading_stage
from app.ledgers.understanding.sums import Marks, Sums
from app.ledgers.understanding.totals import Totals
from app.ledgers.understanding.towns import Towns, town_of
from app.ledgers.understanding.units import Unit

AREAS = {"land_mu": "亩", "leased_sqm": "㎡"}
"""field → the unit in which its areas are told."""
_BLANKS = 20
_CONTINUED = 1_000
"""Marks of a table after which rows that go on with the one above are not told any more."""
Picked = dict[str, tuple[Cell, ...]]


class TableReader:
    """A table while it is read. `header` and `caption` say where and what, `above` are the texts above it; `names` finds duplicates in
    the whole workbook."""

    def __init__(self, number: int, sheet: SheetFacts, header: Header, caption: Caption, names: Names, given: Unit | None,
                 above: Sequence[str] = ()) -> None:  # fmt: skip
        self.header, self._sheet, self._names, self.above = header, sheet, names, frozenset(above)
        self._columns: dict[str, int] = dict(header.places)
        for column in (*header.unknown, *header.repeated):
            self._columns[f"?{letter(column)}"] = column
        self._columns = dict(sorted(self._columns.items(), key=lambda item: item[1]))
        self.table = Table(
            number, sheet.name, [header.row + 1 + down for down in range(header.depth)],
            {name: letter(column) for name, column in self._columns.items()},
            {name: header.labels[column] for name, column in self._columns.items()},
            tuple(self._columns), title=caption.title, report_date=caption.report, year=caption.year,
        )  # fmt: skip
        self._kinds = {name: BY_FIELD[name].kind if name in BY_FIELD else "text" for name in self._columns}
        self._units: dict[str, Unit | None] = {}
        self._areas: dict[str, tuple[str, int] | None] = {}
        self._readers: dict[str, Any] = {}
        self._shared: dict[Any, columns.TypedColumn] = {}
        for name, column in self._columns.items():
            self._readers[name] = self._reader(name, header.labels[column], caption, given)
        main = self._units.get("amount") or caption.unit
        self.table.unit = main.text if main else None
        self.table.units = {name: unit.text if unit else None for name, unit in self._units.items()}
        self._totals = Totals(sheet.rooms.totals)
        self._whole = None if "town" in self._columns else town_of(sheet.name, caption.title, above)
        self._stage = heading_stage(caption.title) or heading_stage(sheet.name)
        self._towns = Towns(self._columns.get("town"), self._whole)
        self._judge = Judge(self.table)
        self._sorter = Sorter(self._columns, header, sheet.merges)
        self._blank: deque[int] = deque(maxlen=_BLANKS)
        self._last_nil = 0
        self._letters = self.table.columns
        self._two_currencies = under_one_head(header)
        self._sums = Sums(sheet, self._totals, self._units, tuple(self._areas), self._columns, self._letters)
        self._table_marks()

    def _reader(self, name: str, label: str, caption: Caption, given: Unit | None) -> Any:
        kind = self._kinds[name]
        if kind == MONEY:
            foreign = caption.foreign if name == "foreign_amount" else None
            unit = unit_in_header(label) or foreign or caption.unit
            if unit is None and (unit := unit_of_whole(self._columns, self.header.labels, name, self._units)):
                self.table.marks.append(Mark("unit_of_whole", name, self.table.columns[name], label))
            unit = unit or given
            if unit is not None and unit is given and caption.unit is not given:
                self.table.marks.append(Mark("unit_given", name, self.table.columns[name], unit.text))
            self._units[name] = unit
            return self._shared.setdefault(unit, columns.money(unit))
        if kind == DATE:
            return self._moments(self.table.year)
        if kind == AREA:
            self._areas[name] = area_in_header(label) or area_of(caption, AREAS[name])
            return columns.area(AREAS[name], self._areas[name])
        return columns.TextColumn(name)

    def _moments(self, year: int | None) -> columns.TypedColumn:
        return self._shared.setdefault((DATE, year), columns.moments(year, self._sheet.date1904))

    def _year(self, year: int) -> None:
        """A section of a year begins: a day without one is of that year."""
        for name, kind in self._kinds.items():
            if kind == DATE:
                self._readers[name] = self._moments(year)

    def _table_marks(self) -> None:
        header, marks = self.header, self.table.marks
        marks.extend(header.told)
        for column in header.unknown:
            marks.append(Mark("column_unmatched", None, letter(column), header.labels[column]))
        for column in header.repeated:
            marks.append(Mark("column_repeated", None, letter(column), header.labels[column]))
        if self._whole:
            marks.append(Mark("town_from_title", None, None, self._whole))
        elif "town" not in self._columns:
            marks.append(Mark("town_column_missing"))
        for name, area in self._areas.items():
            if area is None:
                marks.append(Mark("area_unit_missing", name, self._letters[name], header.labels[self._columns[name]]))
        for name, unit in self._units.items():
            if unit is None and not (name == "amount" and "amount_unit" in self._columns):
                marks.append(Mark("unit_missing", name, self._letters[name], header.labels[self._columns[name]]))
        if header.assumed_parts:
            marks.append(Mark("date_columns_assumed", "signed_date", self._letters["signed_date"]))
        for first, last in self._sheet.hidden_columns:
            for column in range(max(first, header.left), min(last, header.right) + 1):
                marks.append(Mark("hidden_column", None, letter(column), header.labels.get(column)))

    # --- rows ------------------------------------------------------------------------------------------------------

    def feed(self, rows: Sequence[Sequence[Cell]], base: int) -> list[Row]:
        """Rows of the sheet, the first of which is `base` (from 0)."""
        if not rows:
            return []
        turned: Columns = list(zip(*rows, strict=True))
        found = self._sorter.sort(rows, turned, base)
        read: list[Row] = []
        begin = 0
        for place in sorted((*found.totals, *found.years)):
            read += self._block(rows, turned, base, begin, place, found)
            begin = place
            if place in found.years:
                self._year(found.years[place])
            if place in found.totals:
                self._total(rows[place], base + place, found)
                begin = place + 1
        read += self._block(rows, turned, base, begin, len(rows), found)
        self._sheet.hold(turned, base)
        return read

    def _block(self, rows: Sequence[Sequence[Cell]], turned: Columns, base: int, begin: int, end: int, found: Sorted) -> list[Row]:
        """Rows without a total among them."""
        others = [place for place in range(begin, end) if place in found.others]
        good = [place for place in range(begin, end) if place not in found.others]
        town = self._columns.get("town")
        merged = self._sheet.fills(town, turned, base, begin, end) if town is not None and end > begin else {}
        towns = self._towns.walk(range(begin, end), turned, found, merged)
        for place in others:
            self._other(base + place, found, towns[place][0])
            told = len(self.table.marks) < _CONTINUED
            if told and found.others[place][0] == kinds.CONTINUED and any(rows[place][self._columns[name]] != "" for name in self._units):
                where = (self._sheet.name, base + place + 1)
                self.table.marks.append(Mark("row_continued", None, None, found.others[place][1][:200], where))
        if not good:
            self._headed(begin, end, found)
            return []
        whole = len(good) == len(rows)
        picked: Picked = {}
        for name, column in self._columns.items():
            picked[name] = self._pick(column, turned, base, begin, end, good, whole)
        for name, parts in self.header.parts.items():
            three = [repeat("") if part is None else self._pick(part, turned, base, begin, end, good, whole) for part in parts]
            picked[name] = tuple(join_parts(each) for each in zip(*three, strict=False))
        stages = self._headed(begin, end, found)
        return self._rows(
            [base + place + 1 for place in good], picked, [towns[place] for place in good], [stages[place - begin] for place in good]
        )

    def _headed(self, begin: int, end: int, found: Sorted) -> Sequence[str | None]:
        """The stage that the heading over each row names."""
        stages: list[str | None] = []
        for place in range(begin, end):
            kind, text = found.others.get(place, ("", ""))
            if kind == kinds.SECTION and place not in found.sections:
                self._stage = heading_stage(text)
            stages.append(self._stage)
        return stages

    def _pick(self, column: int, turned: Columns, base: int, begin: int, end: int, good: list[int], whole: bool) -> tuple[Cell, ...]:
        """The cells of the project rows, merged ones filled down."""
        cells = turned[column]
        fills = self._sheet.fills(column, turned, base, begin, end)
        if whole and not fills and isinstance(cells, tuple):
            return cells
        return tuple(fills.get(place, cells[place]) for place in good)

    def _rows(
        self, numbers: list[int], picked: Picked, towns: list[tuple[str | None, str | None]], headed: Sequence[str | None]
    ) -> list[Row]:
        marks: Marks = {}
        values: dict[str, Any] = {}
        for name, cells in picked.items():
            values[name], remarks = self._readers[name].values(cells)
            for place, codes in remarks.items():
                raw = as_seen(cells[place])[:200]
                marks.setdefault(place, []).extend(Mark(code, name, self._letters[name], raw) for code in codes)
        if "amount_unit" in values and "amount" in values:
            in_units_beside(values, marks, self._units["amount"], self._letters["amount"])
        if self._two_currencies:
            join_foreign(values, marks, self._letters["amount"])
        if self._sheet.formulas:
            self._formulas(numbers, picked, values, marks)
        self._sums.share(numbers, values, marks)
        names = values[NAME]
        rejected = self._rejections(names, values, picked)
        verdicts = self._judge.all(values, names, marks, headed)
        self._names.look(self.table, numbers, names, picked, marks)
        self._more(numbers, values, towns, marks)
        self._sums.add(numbers, values, rejected)
        self.table.first_row = self.table.first_row or numbers[0]
        self.table.last_row = numbers[-1]
        self.table.rejected += len(rejected)
        self.table.accepted += len(numbers) - len(rejected)
        remarked: list[tuple[Mark, ...]] = [()] * len(numbers)
        for place, own in marks.items():
            remarked[place] = tuple(own)
        raws, parsed = zip(*picked.values(), strict=True), zip(*values.values(), strict=True)
        refused = map(rejected.get, range(len(numbers)))
        own_towns = [town for town, _ in towns]
        whole = zip(
            repeat(self.table), numbers, raws, parsed, names, own_towns, *zip(*verdicts, strict=True), remarked, refused, strict=False
        )
        return list(map(Row._make, whole))

    def _formulas(self, numbers: list[int], picked: Picked, values: dict[str, Any], marks: Marks) -> None:
        """A formula is text in a text column; elsewhere its stored result counts, and without one there is no value."""
        of_column = {column: name for name, column in self._columns.items()}
        for place, number in enumerate(numbers):
            for column, text in self._sheet.formulas.get(number - 1, ()):
                name = of_column.get(column)
                if name is None or name == "seq":
                    continue
                kind, stored = self._kinds[name], picked[name][place]
                if kind in (MONEY, DATE, AREA):
                    code = "formula_cached_value"
                    if stored == "":
                        code = "formula_without_value"
                        values[name][place] = values[name][place]._replace(raw=text, missing="formula")
                else:
                    code = "formula_as_text"
                    if stored == "":
                        values[name][place] = text or None
                marks.setdefault(place, []).append(Mark(code, name, self._letters[name], (text or str(stored))[:200]))

    def _rejections(self, names: list[str | None], values: dict[str, Any], picked: Picked) -> dict[int, Mark]:
        """Place → why the row is not taken: no name, or text where an amount belongs."""
        rejected: dict[int, Mark] = {}
        nameless = NO_NAME | {None}
        for name in self._units:
            if "not_a_number" not in {one.missing for one in values[name]}:
                continue
            for place, one in enumerate(values[name]):
                if one.missing == "not_a_number":
                    rejected.setdefault(place, Mark("not_a_number", name, self._letters[name], as_seen(picked[name][place])[:200]))
        if not nameless.isdisjoint(names):
            for place, text in enumerate(names):
                if text is None or text in NO_NAME:
                    rejected[place] = Mark("project_name_missing", NAME, self._letters[NAME])
        return rejected

    def _more(self, numbers: list[int], values: dict[str, Any], towns: list[tuple[str | None, str | None]], marks: Marks) -> None:
        """Marks that look at several cells of a row, or at its place in the sheet."""
        for place, (_, code) in enumerate(towns):
            if code:
                marks.setdefault(place, []).append(Mark(code, "town", self._letters.get("town")))
        for first, last in touching(self._sheet.hidden_rows, numbers[0] - 1, numbers[-1] - 1):
            for place in range(bisect_left(numbers, first + 1), bisect_right(numbers, last + 1)):
                marks.setdefault(place, []).append(Mark("hidden_row"))
        report, signed, started = self.table.report_date, values.get("signed_date"), values.get("start_date")
        if signed is None:
            return
        one: When
        if report:
            for place, one in enumerate(signed):
                if one.first and one.first > report:
                    marks.setdefault(place, []).append(Mark("date_after_report", "signed_date", self._letters["signed_date"], one.text))
        if started is not None:
            for place, (one, other) in enumerate(zip(signed, started, strict=True)):
                if one.first and other.last and other.last < one.first:
                    marks.setdefault(place, []).append(Mark("date_order", "start_date", self._letters["start_date"], other.text))

    # --- rows that are no projects ---------------------------------------------------------------------------------

    def _total(self, cells: Sequence[Cell], row: int, found: Sorted) -> None:
        label, count = found.totals[row - found.base]
        written = {name: cells[self._columns[name]] for name in (*self._units, *self._areas) if cells[self._columns[name]] != ""}
        self._totals.total(row + 1, label, written, count)
        self._ignore(row + 1, kinds.SUB, label.text, label.of or self._towns.current)
        if label.word == "小计" or label.of:
            self._towns.forget()
        if label.of and (headed := heading_stage(label.text)):  # 二、已开工项目（3个）, with its sum
            self._stage = headed
        if town := found.sections.get(row - found.base):
            self._towns.enter(town)

    def _other(self, row: int, found: Sorted, town: str | None) -> None:
        kind, text = found.others[row - found.base]
        if kind == kinds.BLANK:
            self._blank.append(row + 1)
        else:
            self._ignore(row + 1, kind, text, town if kind == kinds.NIL else None)

    def _ignore(self, row: int, kind: str, text: str, town: str | None = None) -> None:
        """Blank rows are told only between others, and no more than a few: sheets end with thousands of them."""
        if self._blank:
            self.table.ignored += [Ignored(blank, kinds.BLANK) for blank in self._blank if self._sheet.rooms.ignored.take()]
        self._blank.clear()
        if kind == kinds.NIL:
            self._last_nil = row
        if self._sheet.rooms.ignored.take():
            self.table.ignored.append(Ignored(row, kind, text[:200], town))

    @property
    def ended(self) -> bool:
        """A total of the whole was the last thing seen: what follows is another table. After that of a page the table goes on."""
        return self._totals.ended

    def repeated_header(self, row: int, depth: int, above: Sequence[tuple[int, str]]) -> None:
        """The header printed again, as on every page, with the captions above it."""
        for number, text in above:
            self._ignore(number, kinds.CAPTION, text)
        for down in range(depth):
            self._ignore(row + down, kinds.HEADER, "")

    def close(self) -> None:
        """No more rows: totals are compared, kinds of totals decided."""
        kind = self._totals.kinds()
        whole = {row for row, of in kind.items() if of == kinds.GRAND}
        self.table.ignored = [one._replace(kind=kinds.GRAND, town=None) if one.row in whole else one for one in self.table.ignored]
        self.table.ignored.sort(key=lambda one: one.row)
        if self.table.last_row:
            self.table.last_row = max(self.table.last_row, self._last_nil, *(row for row, of in kind.items() if of == kinds.SUB))
        self.table.totals = self._totals.results(self._units, self._areas, self._letters)
        if self._totals.left_out:
            self.table.marks.append(Mark("totals_not_compared", None, None, str(self._totals.left_out)))
