"""The verbs of ledger imports: send a file, apply what was tried. Rows are taken by running.py, in the background or by a command."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.errors import ImportMoved, ImportNotPlanned, Invalid, NotFound
from app.ledgers import aliases, running
from app.ledgers.errors_book import ErrorBook
from app.ledgers.events_offices import Authority, authority_of
from app.ledgers.models import APPLYING, PLANNED, PLANNING, LedgerImport, LedgerImportPiece, LedgerImportRow
from app.ledgers.plan import WAITING, Planned
from app.ledgers.queries import Import, import_of, own, rows_to_mend, tables_of
from app.ledgers.running import chunks, lease_from, run
from app.ledgers.schemas import SendIn
from app.ledgers.seen import Seen
from app.ledgers.sheets.limits import FILE_BYTES, MIB
from app.ledgers.sheets.refusals import FileRefused
from app.ledgers.sheets.workbook import Workbook, digest, open_workbook
from app.ledgers.showing import added, counts_of, raw_cells, shown_row, shown_tables
from app.ledgers.taking import Task, take
from app.ledgers.understanding.reading import Reading
from app.offices.desk import House, Work
from app.offices.queries import OfficeRow, office_by_id
from app.projects.models import Project
from app.projects.service import actor_of

PIECE = 1 << 19
"""Bytes of a file that go to the database at once."""


def send(
    connection: Connection, *, file: BinaryIO, name: str, authority: Authority, now: datetime, apply: bool, create_offices: bool,
    lease: dict[str, Any] | None = None,
) -> int:  # fmt: skip
    """Take a file in, to be tried or applied; the number of the import. Nothing of the register changes yet."""
    if not (size := file.seek(0, 2)):
        raise FileRefused("empty_file")
    if size > FILE_BYTES:
        raise FileRefused("too_large", limit=FILE_BYTES // MIB)
    values = {
        "sha256": digest(file), "name": name[:200], "size": size, **authority.actor._asdict(),
        "create_offices": create_offices, "state": APPLYING if apply else PLANNING, "rows_done": 0, "counts": "{}",
        "aliases": aliases.packed(aliases.in_force(connection)), "created_at": now, **(lease or {}),
    }  # fmt: skip
    number = int(connection.execute(sa.insert(LedgerImport).values(values).returning(LedgerImport.id)).scalar_one())
    file.seek(0)
    for at, piece in enumerate(iter(lambda: file.read(PIECE), b"")):
        # beside the statement, not in it: one that is compiled is kept, with its values
        connection.execute(sa.insert(LedgerImportPiece), {"import_id": number, "number": at, "content": piece})
    return number


def receive(work: Work, data: bytes, given: SendIn) -> int:
    """A file from the API, with the caller's authority."""
    office = office_by_id(work.connection, work.caller.office_id)
    authority = authority_of(work.connection, office, given.create_offices)._replace(actor=actor_of(work.caller))
    now = work.now()
    return send(
        work.connection, file=io.BytesIO(data), name=given.name, authority=authority, now=now, apply=not given.dry_run,
        create_offices=given.create_offices,
    )  # fmt: skip


def apply(work: Work, number: int) -> None:
    """Let what was tried be written, with the authority it was tried with; refused when a project of it changed since."""
    head = own(work, number)
    if head.state != PLANNED:
        raise ImportNotPlanned(f"只有试算完成的导入可以写入；现在是 {head.state}")
    if work.connection.scalar(sa.select(LedgerImport.office_id).where(LedgerImport.id == number)) != work.caller.office_id:
        raise NotFound("没有这次导入，或不在您的管辖范围内")
    moved = sa.select(LedgerImportRow.ref).join(Project, Project.id == LedgerImportRow.project_id)
    moved = moved.where(LedgerImportRow.import_id == number, Project.version != LedgerImportRow.version)
    refs = work.connection.scalars(moved.order_by(LedgerImportRow.place).limit(20)).all()
    if refs:
        raise ImportMoved(f"试算之后这些项目有变化：{'、'.join(map(str, refs))}；请重新上传试算", refs=refs)
    values: dict[str, Any] = {"state": APPLYING, "rows_done": 0, "counts": "{}", "finished_at": None, **actor_of(work.caller)._asdict()}
    changed = work.connection.execute(
        sa.update(LedgerImport).where(LedgerImport.id == number, LedgerImport.state == PLANNED).values(values)
    )
    if not changed.rowcount:
        raise ImportNotPlanned("这次导入已经在写入")


def import_ledger(
    house: House,
    path: Path,
    *,
    office: OfficeRow | None = None,
    create_offices: bool = False,
    dry_run: bool = False,
    errors_path: Path | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Import:
    """`luodi import --format ledger`: try a file, which writes nothing, or apply it. What has to be mended goes to `errors_path`."""
    with house.database.snapshot() as connection:
        authority = authority_of(connection, office, create_offices)
        assert authority.actor.office_id is not None
        own = office_by_id(connection, authority.actor.office_id)
    if errors_path is not None and errors_path.suffix.lower() != ".xlsx":
        raise Invalid("错误文件请用 .xlsx 扩展名 / the error file is written as .xlsx")
    with _opened(path) as file:
        if dry_run:
            with open_workbook(file) as book:
                told = _trial(house, book, Task(book.sha256, authority, own, create_offices), errors_path, progress)
            return told._replace(name=path.name, size=file.seek(0, 2))
        with house.database.write() as connection:
            lease = lease_from(house, connection)
            number = send(
                connection, file=file, name=path.name, authority=authority, now=house.clock.now(), apply=True,
                create_offices=create_offices, lease=lease,
            )  # fmt: skip
    run(house, number, lease["lease"], progress=progress)
    with house.database.snapshot() as connection:
        if errors_path is not None:
            write_errors(connection, number, errors_path)
        return import_of(connection, number)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """A file that can be read again and again; of a pipe, a copy."""
    with path.open("rb") as file, tempfile.TemporaryFile() as copy:
        if not file.seekable():
            copy.write(file.read(FILE_BYTES + 1))
        yield file if file.seekable() else copy


def write_errors(connection: Connection, number: int, path: Path) -> int:
    """The rows of an import that have to be looked at, as a workbook; how many."""
    with ErrorBook(path) as book:
        for table, rows in rows_to_mend(connection, number, tables_of(connection, number)):
            for row in rows:
                book.add(table, row)
        return book.count


def _trial(house: House, book: Workbook, task: Task, errors_path: Path | None, progress: Callable[[int, int], None]) -> Import:
    """What applying a file would do; nothing is written, not even that somebody asked."""
    counts: dict[str, int] = {}
    kept: list[dict[str, Any]] = []
    seen = Seen()
    with house.database.snapshot() as connection:
        own = aliases.in_force(connection)
    looking = Reading(book, aliases=own)
    total = sum(1 for _ in looking.rows())
    tables = {one["number"]: one for one in shown_tables(looking.sheets)}
    done = 0
    with ErrorBook(errors_path) as errors:
        for rows in chunks(Reading(book, aliases=own, patient=True).rows(), running.CHUNK):
            seen.begin()
            with house.database.snapshot() as connection:
                planned = [one for some in take(connection, house, task, rows, seen, dry_run=True) for one in some]
            counts = added(counts, counts_of(planned))
            for one in _told(planned):
                errors.add(tables[one["table"]], one)
                if len(kept) < KEPT:
                    kept.append(one)
            done += len(rows)
            progress(done, total)
    return Import(0, task.sha256, "", 0, "planned", total, done, counts, list(tables.values()), None, kept)


KEPT = 1_000
"""Rows to mend that a command prints at most; the error file has all of them."""


def _told(planned: list[Planned]) -> Iterator[dict[str, Any]]:
    for one in planned:
        if one.warned or one.outcome in WAITING:
            yield {
                "table": one.row.table.number, "row": one.row.number, "outcome": one.outcome, "ref": one.ref, "raw": raw_cells(one),
                **shown_row(one),
            }  # fmt: skip
