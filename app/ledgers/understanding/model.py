"""What was understood: sheets, tables, rows. Rows and columns of a sheet are named as people see them: row 1, column A."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from app.ledgers.understanding.amounts import Amount, Cell, as_seen
from app.ledgers.understanding.dates import When
from app.ledgers.understanding.marks import Mark
from app.ledgers.understanding.units import unit_of
from app.projects.money import digits

ACCEPTED, REJECTED = "accepted", "rejected"


def letter(column: int) -> str:
    """A for 0."""
    text = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        text = chr(65 + rest) + text
    return text


class Room:
    """How many more things of a kind are kept in mind of a workbook: of what no ledger has in such numbers the first are enough."""

    def __init__(self, left: int) -> None:
        self.left = left

    def take(self) -> bool:
        """Is there room for one more?"""
        self.left -= 1
        return self.left >= 0


IGNORED, TOTALS, EXCLUDED = 20_000, 10_000, 20_000


class Rooms:
    """For rows that are no projects, for totals, and for rows that are in no total."""

    def __init__(self) -> None:
        self.ignored, self.totals, self.excluded = Room(IGNORED), Room(TOTALS), Room(EXCLUDED)


class Ignored(NamedTuple):
    """A row that is no project. `kind`: grand_total, subtotal, nil_report, note, blank, section, caption, header, column_numbers,
    continuation."""

    row: int
    kind: str
    text: str = ""
    town: str | None = None


@dataclass
class Total:
    """A written total beside what its rows add up to, both in smallest units (`field` project_count: in projects).

    `result`: ok, ok_rounded, mismatch, cannot_check. `over` are ranges of rows, ends included; `excluded` (row, reason) are in no sum.
    """

    row: int
    label: str
    kind: str
    field: str
    column: str | None
    raw: Cell
    written: int | None
    computed: int | None
    result: str
    over: list[tuple[int, int]] = dataclasses.field(default_factory=list)
    excluded: list[tuple[int, str]] = dataclasses.field(default_factory=list)

    @property
    def difference(self) -> int | None:
        return None if self.written is None or self.computed is None else self.written - self.computed

    def told(self, unit: str | None) -> str:
        """合计 12，明细为 2: in the unit of its column."""
        if self.computed is None:
            return as_seen(self.raw)
        known = unit_of(unit) if unit else None
        scale = known.factor * 10 ** digits(known.currency) if known else 1 if self.field == "project_count" else 100
        return f"{self.label} {as_seen(self.raw)}，明细为 {(Decimal(self.computed) / scale).normalize():f}"


@dataclass
class Table:
    """One table of a sheet. `fields` in the order of its columns; unknown columns are there as `?F`. Counts and `ignored`, `totals`
    and `last_row` are complete when its rows have been read."""

    number: int
    sheet: str
    header_rows: list[int]
    columns: dict[str, str]
    """field → letter; of a date in three columns the first."""
    labels: dict[str, str]
    """field → header as written."""
    fields: tuple[str, ...]
    unit: str | None = None
    units: dict[str, str | None] = dataclasses.field(default_factory=dict)
    title: str = ""
    report_date: date | None = None
    year: int | None = None
    marks: list[Mark] = dataclasses.field(default_factory=list)
    ignored: list[Ignored] = dataclasses.field(default_factory=list)
    totals: list[Total] = dataclasses.field(default_factory=list)
    first_row: int | None = None
    last_row: int | None = None
    accepted: int = 0
    rejected: int = 0
    places: dict[str, int] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        self.places = {name: place for place, name in enumerate(self.fields)}


class Row(NamedTuple):
    """A project of a table. `raw` and `values` lie in the order of `table.fields`: cells as written (merged ones filled down), and
    what they mean: text or None, Amount, When, Area, or for stage and agreement their text."""

    table: Table
    number: int
    raw: tuple[Cell, ...]
    values: tuple[Any, ...]
    name: str | None
    town: str | None
    stage: str | None
    stage_from: str | None
    """column, text, agreement, date."""
    agreement: str
    side_state: str | None
    counts_as_signed: bool
    marks: tuple[Mark, ...] = ()
    rejected: Mark | None = None

    @property
    def status(self) -> str:
        return REJECTED if self.rejected else ACCEPTED

    def get(self, name: str) -> Any:
        """The value of a field, None when the table has no such column."""
        place = self.table.places.get(name)
        return None if place is None else self.values[place]

    def raw_of(self, name: str) -> Cell | None:
        """The cell as written."""
        place = self.table.places.get(name)
        return None if place is None else self.raw[place]

    @property
    def amount(self) -> Amount | None:
        found: Amount | None = self.get("amount")
        return found

    @property
    def signed(self) -> When | None:
        found: When | None = self.get("signed_date")
        return found

    def all_marks(self) -> Iterator[Mark]:
        """With the reason of its rejection."""
        if self.rejected:
            yield self.rejected
        yield from self.marks


@dataclass
class Sheet:
    """`read` False says `why`: hidden, not_a_worksheet, empty, no_header."""

    name: str
    read: bool
    why: str = ""
    tables: list[Table] = dataclasses.field(default_factory=list)
