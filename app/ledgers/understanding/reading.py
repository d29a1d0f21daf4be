"""The way in: cells of a workbook to the rows of its tables, in one pass and in little memory.

    with open_workbook(path) as book:
        reading = Reading(book)
        for row in reading.rows(): ...
        reading.sheets      # with tables, totals, ignored rows; complete now
        reading.problems    # counted by code

or `read_ledger(path)` for everything at once.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from app.ledgers.columns import NAMES
from app.ledgers.columns import Names as ColumnNames
from app.ledgers.sheets import limits
from app.ledgers.sheets.refusals import FileRefused
from app.ledgers.sheets.workbook import SheetHead, Workbook, open_workbook
from app.ledgers.understanding import kinds
from app.ledgers.understanding.above import captions as are_captions
from app.ledgers.understanding.above import inside, printed_again
from app.ledgers.understanding.above import texts as texts_of
from app.ledgers.understanding.amounts import Cell
from app.ledgers.understanding.borrowing import SEEN, find_towns
from app.ledgers.understanding.captions import read_caption
from app.ledgers.understanding.duplicates import Names
from app.ledgers.understanding.filling import SheetFacts
from app.ledgers.understanding.headers import DEPTH, NAME, Header, Merges, find_headers
from app.ledgers.understanding.marks import Mark, Problem, problem
from app.ledgers.understanding.model import Ignored, Rooms, Row, Sheet, Table, letter
from app.ledgers.understanding.table import TableReader
from app.ledgers.understanding.towns import town_of
from app.ledgers.understanding.units import Unit, unit_of

SEARCHED = 300
"""So many first rows are each tried as a header, in any spelling; later ones are found by the usual spellings."""
CAPTION_ROWS = 6
TABLES = 1_000
"""In one workbook: every second row a new header is no ledger, and each table is kept in mind."""
STRAYS = 5
"""Told cells of a column beside the tables."""
_LOOK = CAPTION_ROWS + DEPTH
"""So far beyond the rows to be used headers are looked for: each row is looked at once, with all that may stand above it at hand."""
_KEEP = _LOOK + DEPTH + 1 + SEEN
"""Rows kept back, so that a header at the end of a portion is seen whole, and some rows under it."""


class Reading:
    """One pass over a workbook. `aliases` are a bureau's own headers by field; `unit` is for tables that name none (it is marked).

    It has as much time as the child had for the cells; a file that was read to its end once is read again without a limit
    (`patient`), for by then rows of it may be written."""

    def __init__(
        self, book: Workbook, *, aliases: Mapping[str, Iterable[str]] | None = None, unit: str | None = None, patient: bool = False
    ) -> None:
        self._book = book
        self._names: ColumnNames = NAMES.extended(aliases) if aliases else NAMES
        self._spellings = self._names.spellings(NAME)
        self._given = unit_of(unit) if unit else None
        if unit and self._given is None:
            raise ValueError(f"认不出的金额单位：{unit}；例如 万元、亿元")
        self._left: list[float] = [math.inf, math.inf] if patient else [limits.CPU_SECONDS, limits.WALL_SECONDS]
        self._duplicates, self._rooms = Names(), Rooms()
        self._many = 0
        self.sheets = [Sheet(head.name, head.read, head.why) for head in book.heads]
        self.counts: Counter[str] = Counter()

    @property
    def tables(self) -> list[Table]:
        return [table for sheet in self.sheets for table in sheet.tables]

    @contextmanager
    def working(self) -> Iterator[None]:
        """Count the time of a block that is part of reading. FileRefused (too_slow) when there is none left."""
        used, began = time.thread_time(), time.perf_counter()
        yield
        self._left[0] -= time.thread_time() - used
        self._left[1] -= time.perf_counter() - began
        if min(self._left) < 0:
            raise FileRefused("too_slow")

    def _counted(self, rows: Iterator[Row]) -> Iterator[Row]:
        for row in rows:
            self._many += 1
            if self._many > limits.ROWS:
                raise FileRefused("too_many_rows", limit=limits.ROWS)
            yield row

    def rows(self) -> Iterator[Row]:
        """Every project row of every table, in the order of the sheets. FileRefused (no_table, no_cells) when there is no ledger."""
        for head, portions in self._book.sheets():
            sheet = self.sheets[head.number]
            reader = _SheetReader(self, head, sheet)
            for portion in portions:
                yield from self._counted(reader.take(portion))
            yield from self._counted(reader.end())
            if not sheet.tables:
                sheet.read, sheet.why = False, "no_header" if reader.filled else "empty"
        if not self.tables:
            raise FileRefused("no_cells" if all(sheet.why == "empty" for sheet in self.sheets) else "no_table")


class _SheetReader:
    """The tables of one sheet while its rows come in."""

    def __init__(self, reading: Reading, head: SheetHead, sheet: Sheet) -> None:
        self._reading, self._head, self._sheet = reading, head, sheet
        self._merges = Merges(head.merges)
        self._facts = SheetFacts(
            head.name, self._merges, head.formulas, head.hidden_rows, head.hidden_columns,
            date1904=reading._book.date1904, rooms=reading._rooms,
        )  # fmt: skip
        head.merges, head.formulas, head.hidden_rows = [], [], []  # held once is enough: a sheet may have 200,000
        self._rows: list[list[Cell]] = []
        self._base = self._looked = self._floor = 0
        self._active: list[TableReader] = []
        self._strays: Counter[int] = Counter()
        self.filled = False

    def take(self, portion: list[list[Cell]]) -> Iterator[Row]:
        self._rows += portion
        if not self.filled:
            self.filled = any(cell != "" for row in portion for cell in row)
        if len(self._rows) > _KEEP:
            yield from self._work(len(self._rows) - _KEEP)

    def end(self) -> Iterator[Row]:
        yield from self._work(len(self._rows))
        for table in self._active:
            self._close(table)

    def _close(self, table: TableReader) -> None:
        with self._reading.working():
            table.close()

    def _work(self, upto: int) -> Iterator[Row]:
        """Use the first `upto` of the waiting rows, or a few more when a header begins among them."""
        done = 0
        for start, headers in self._headers(upto):
            if start < done:
                continue
            captions = self._caption(start, done)
            yield from self._feed(done, captions)
            done = self._begin(headers, captions, start)
        upto = max(upto, done)
        if not self._active and upto - done > CAPTION_ROWS:
            done = upto - CAPTION_ROWS  # what stands above the first table is kept for it
            upto = done
        if self._active:
            yield from self._feed(done, upto)
            done = upto
        del self._rows[:done]
        self._base += done

    def _headers(self, upto: int) -> Iterator[tuple[int, list[Header]]]:
        """Where headers begin, with the headers; places in the waiting rows."""
        end = min(len(self._rows), upto + _LOOK)
        with self._reading.working():
            likely = self._likely(max(0, self._looked - self._base), end)
        for at in likely:
            floor = max(0, self._floor - self._base)
            with self._reading.working():
                found = find_headers(self._rows, self._base, at, floor, self._merges, self._reading._names) if at >= floor else []
            if found:
                yield found[0].row - self._base, found
        self._looked = max(self._looked, self._base + end)

    def _likely(self, begin: int, end: int) -> list[int]:
        """Places of rows that name the column of projects."""
        rows = self._rows[begin:end]
        if not rows:
            return []
        places = set()
        for column in zip(*rows, strict=True):
            if not self._reading._spellings.isdisjoint(column):
                places |= {place for place, cell in enumerate(column, begin) if cell in self._reading._spellings}
        names = self._reading._names
        for place in range(begin, min(end, max(0, SEARCHED - self._base))):
            if place not in places and any(
                isinstance(cell, str) and 1 < len(cell) <= 60 and names.field_of(cell) == NAME for cell in self._rows[place]
            ):
                places.add(place)
        return sorted(places)

    def _caption(self, start: int, done: int) -> int:
        """Where the rows begin that stand above a header and belong to it."""
        place = start
        seen = False
        while place > done and start - place < CAPTION_ROWS:
            cells = [cell for cell in self._rows[place - 1] if cell != ""]
            if not cells:
                if seen and self._active:
                    break
                place -= 1
                continue
            if self._active and not are_captions(cells):
                break
            if len({str(cell) for cell in cells}) > CAPTION_ROWS:
                break
            seen = True
            place -= 1
        return place

    def _feed(self, begin: int, end: int) -> Iterator[Row]:
        if end > begin and self._active:
            rows = self._rows[begin:end]
            with self._reading.working():
                self._outside(rows, begin)
            for table in self._active:
                with self._reading.working():
                    read = table.feed(rows, self._base + begin)
                    self._reading.counts.update(mark.code for row in read if row.marks or row.rejected for mark in row.all_marks())
                yield from read

    def _outside(self, rows: Sequence[Sequence[Cell]], begin: int) -> None:
        """Tell of cells beside the tables: they are read by nobody. The first few of each column are enough."""
        inside = {column for table in self._active for column in range(table.header.left, table.header.right + 1)}
        for column in range(len(rows[0])):
            if column in inside:
                continue
            for place, row in enumerate(rows, begin):
                if (cell := row[column]) != "" and str(cell).strip() and self._strays[column] < STRAYS:
                    self._strays[column] += 1
                    where = (self._head.name, self._base + place + 1)
                    self._active[0].table.marks.append(Mark("cell_outside", None, letter(column), str(cell)[:200], where))

    def _begin(self, headers: list[Header], captions: int, start: int) -> int:
        """Open the tables of new headers; those whose columns they take are over. Where their rows begin."""
        row = self._base + start
        after = start + max(header.depth for header in headers)
        above = [(self._base + place, cells) for place, cells in enumerate(self._rows[captions:start], captions)]
        if self._repeated(headers, above):
            told = [(number + 1, " ".join(texts_of(cells))) for number, cells in above if texts_of(cells)]
            for table in self._active:
                table.repeated_header(row + 1, after - start, told)
            self._floor = self._base + after
            return after
        titles = [text for _, cells in above for text in texts_of(cells)]
        if town_of(self._head.name, "".join(titles[:1]), titles) is None:  # whose file it is says more than a guess
            find_towns(headers, self._rows[after : after + SEEN])
        left, right = min(header.left for header in headers), max(header.right for header in headers)
        staying = [table for table in self._active if table.header.right < left or table.header.left > right]
        for table in self._active:
            if table not in staying:
                self._close(table)
        for header in headers:
            own = [inside(cells, header, len(headers)) for _, cells in above]
            texts = [text for cells in own for text in texts_of(cells)]
            caption = read_caption(texts, [self._head.name, *(text for text in self._head.below if kinds.is_note(text))])
            if caption.year is None and self._sheet.tables:  # the date at the top of a sheet holds for all its tables
                first = self._sheet.tables[0]
                caption.report, caption.year = first.report_date, first.year
            if len(self._reading.tables) >= TABLES:
                raise FileRefused("too_many_tables", limit=TABLES)
            table = TableReader(
                len(self._reading.tables) + 1, self._facts, header, caption, self._reading._duplicates, self._reading._given, texts
            )
            table.table.ignored += [
                Ignored(number + 1, kinds.CAPTION, " ".join(texts_of(cells))[:200])
                for (number, _), cells in zip(above, own, strict=True) if texts_of(cells)
            ]  # fmt: skip
            self._sheet.tables.append(table.table)
            staying.append(table)
        self._active = staying
        after = self._numbers(after)
        self._floor = self._base + after
        return after

    def _repeated(self, headers: Sequence[Header], above: Sequence[tuple[int, Sequence[Cell]]]) -> bool:
        """The header of the tables we are in, printed again; what stands above it stood above the first, too."""
        return len(headers) == len(self._active) and all(
            header.places == table.header.own and not table.ended and all(printed_again(table.above, cells) for _, cells in above)
            for header, table in zip(headers, self._active, strict=True)
        )

    def _numbers(self, after: int) -> int:
        """A row of column numbers under the header (1 2 3 …, 甲 乙 1 2) is no data."""
        if after >= len(self._rows):
            return after
        cells = [cell for cell in self._rows[after] if cell != ""]
        numbers = [int(cell) for cell in cells if isinstance(cell, int | float) and cell == int(cell)]
        numbers = numbers or [int(cell) for cell in cells if isinstance(cell, str) and cell.strip().isdecimal() and len(cell) < 4]
        words = [cell for cell in cells if isinstance(cell, str) and not cell.strip().isdecimal()]
        rising = len(numbers) >= 4 and all(b - a == 1 for a, b in pairwise(numbers)) and numbers[0] in (0, 1)
        if rising and all(word.strip() in "甲乙丙丁戊己庚辛" for word in words):
            for table in self._active:
                if table.table.header_rows[-1] == self._base + after:
                    table.table.ignored.append(Ignored(self._base + after + 1, kinds.NUMBERS))
            return after + 1
        return after


@dataclass
class Ledger:
    """A whole file understood: for files small enough to hold."""

    sha256: str
    format: str
    encoding: str | None
    sheets: list[Sheet]
    rows: list[Row] = field(default_factory=list)

    @property
    def tables(self) -> list[Table]:
        return [table for sheet in self.sheets for table in sheet.tables]

    def problems(self, *, notes: bool = False) -> Iterator[Problem]:
        """What people have to look at, in the order of the rows; tables first. `notes` adds how things were read."""
        for table in self.tables:
            for mark in table_marks(table):
                if notes or mark.level != "note":
                    yield problem(table.sheet, table.header_rows[-1], mark)
        for row in self.rows:
            for mark in row.all_marks():
                if notes or mark.level != "note":
                    yield problem(row.table.sheet, row.number, mark)


def table_marks(table: Table) -> Iterator[Mark]:
    """Marks of the table itself, its totals that do not agree among them."""
    yield from table.marks
    for total in table.totals:
        if total.result == "mismatch":
            yield Mark("total_mismatch", total.field, total.column, total.told(table.units.get(total.field)), (table.sheet, total.row))


def read_ledger(source: bytes | Path, *, aliases: Mapping[str, Iterable[str]] | None = None, unit: str | None = None) -> Ledger:
    """Everything in a file, at once. FileRefused says why not."""
    with open_workbook(source) as book:
        reading = Reading(book, aliases=aliases, unit=unit)
        rows = list(reading.rows())
        return Ledger(book.sha256, book.format, book.encoding, reading.sheets, rows)


__all__ = ["Ledger", "Reading", "Unit", "read_ledger", "table_marks"]
