"""The shapes of imports that go out: documentation for OpenAPI, compared with real answers by the tests."""

from __future__ import annotations

import datetime
from typing import Any

from pydantic import BaseModel

from app.projects.answers import OfficeOut


class FileOut(BaseModel):
    name: str
    sha256: str
    size: int


class ProgressOut(BaseModel):
    total: int | None
    done: int


class CountsOut(BaseModel):
    """Rows by outcome; `warned` of those that were taken, and the facts they brought."""

    create: int
    change: int
    same: int
    conflict: int
    duplicate: int
    rejected: int
    warned: int
    facts: int


class ImportOut(BaseModel):
    """`state`: planning, planned (a trial: nothing is written), applying, complete, failed (`error` says why)."""

    id: int
    state: str
    office: OfficeOut
    file: FileOut
    rows: ProgressOut
    counts: CountsOut
    created_at: datetime.datetime
    finished_at: datetime.datetime | None
    error: dict[str, Any] | None


class RemarkOut(BaseModel):
    """What there is to tell of a cell: `column` is its letter, `value` what was written, `do` what to do."""

    code: str
    level: str
    column: str | None
    field: str | None
    value: str | None
    reason: str
    do: str
    reason_en: str
    do_en: str


class TableRemarkOut(RemarkOut):
    row: int


class TotalOut(BaseModel):
    """A written total beside what its rows add up to, in smallest units."""

    row: int
    label: str
    field: str
    raw: str
    written: int | None
    computed: int | None
    difference: int | None
    result: str


class UnderstoodOut(BaseModel):
    """A column of the file: its letter, its header, and what it is read as; `field` is null when only its text is kept."""

    column: str
    label: str
    field: str | None
    title: str | None
    unit: str | None


class UnreadOut(BaseModel):
    """A sheet of the file that was not read."""

    sheet: str
    why: str


class TableOut(BaseModel):
    """A table of the file; the first one also tells of the sheets that were not read."""

    number: int
    sheet: str
    title: str
    unit: str | None
    report_date: datetime.date | None
    accepted: int
    rejected: int
    columns: list[UnderstoodOut]
    remarks: list[TableRemarkOut]
    totals: list[TotalOut]
    unread: list[UnreadOut]


class ChangeOut(BaseModel):
    field: str
    old: str | None
    new: str | None


class PlaceOut(BaseModel):
    sheet: str
    row: int


class ConflictOut(BaseModel):
    """A cell edited on both sides: as it was exported, as the file has it, as the register has it now."""

    field: str
    title: str
    base: str
    theirs: str
    now: str


class RowOut(BaseModel):
    """`outcome`: create, change, same, conflict (of which cells), duplicate (`of` which row), rejected."""

    table: int
    row: int
    outcome: str
    ref: str | None
    name: str | None
    town: str | None
    changes: list[ChangeOut]
    remarks: list[RemarkOut]
    conflicts: list[ConflictOut] = []
    of: PlaceOut | None


class ImportRowsOut(ImportOut):
    tables: list[TableOut]
    items: list[RowOut]
    next_cursor: str | None


class ImportPageOut(BaseModel):
    items: list[ImportOut]
    next_cursor: str | None


class AliasActorOut(BaseModel):
    """`office` is null for the command line."""

    office: str | None
    role: str


class AliasOut(BaseModel):
    """A header the bureau added; `removed_at` when it counts no more."""

    id: int
    field: str
    title: str
    header: str
    recorded_at: datetime.datetime
    by: AliasActorOut
    removed_at: datetime.datetime | None
    removed_by: AliasActorOut | None


class ColumnOut(BaseModel):
    """`headers` come with the software, `own` are the bureau's; `exported` columns are the 35 of an export."""

    field: str
    title: str
    kind: str
    unit: str | None
    exported: bool
    headers: list[str]
    own: list[str]


class ColumnsOut(BaseModel):
    items: list[ColumnOut]
    aliases: list[AliasOut]
