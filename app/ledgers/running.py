"""An import of a ledger from its bytes to its last row: read, planned, written, a chunk at a time, and taken up again by lease.

Each chunk is one transaction that also says how far the import came, so nothing is done twice and nothing is left out, whoever
is killed in between: the rows of a file come in one order, and a chunk is decided where `rows_done` still is what it was.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import orjson
import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection
from sqlalchemy.exc import InterfaceError, OperationalError

from app.errors import CommitUnknown, DomainError
from app.http import problem_body
from app.ledgers.aliases import unpacked
from app.ledgers.bulk import ANALYSE_AFTER, again, busy
from app.ledgers.events_offices import authority_of
from app.ledgers.models import APPLYING, AT_WORK, COMPLETE, FAILED, PLANNED, LedgerImport, LedgerImportPiece, LedgerImportRow
from app.ledgers.plan import CHANGE, CREATE, SAME, Planned
from app.ledgers.seen import Seen
from app.ledgers.sheets.workbook import Workbook, open_workbook
from app.ledgers.showing import added, counts_of, raw_cells, shown_row, shown_tables
from app.ledgers.taking import Pen, Task, moved, settle, take, towns_of, wait_for_turn
from app.ledgers.understanding.model import Row
from app.ledgers.understanding.reading import Reading
from app.offices.desk import House
from app.offices.queries import office_by_id
from app.projects.at_once import add
from app.projects.derived import Actor
from app.projects.helpers import Helpers, helping

log = structlog.get_logger()
CHUNK = 1_000
"""Rows in one transaction: others wait for a fraction of a second."""
LEASE = timedelta(minutes=4)
"""Longer than reading a file may take (90 s for its cells, 90 s for what they mean); after it somebody else goes on."""
TRIAL_KEPT = timedelta(days=7)
Result = TypeVar("Result")
Progress = Callable[[int, int], None]


class Lost(Exception):
    """Somebody else has taken the import over."""


def claim(house: House, number: int | None = None) -> tuple[int, str] | None:
    """(number, lease) of an import that waits for somebody to do it; `number` asks for that one."""
    with house.database.snapshot() as connection:
        waits = sa.select(LedgerImport.id).where(*_free(house, connection)).order_by(LedgerImport.id).limit(1)
        found = connection.scalar(waits if number is None else waits.where(LedgerImport.id == number))
    if found is None:
        return None
    with house.database.write() as connection:
        lease = lease_from(house, connection)
        taken = sa.update(LedgerImport).where(LedgerImport.id == found, *_free(house, connection))
        done = connection.execute(taken.values(lease)).rowcount
    return (found, lease["lease"]) if done else None


def _free(house: House, connection: Connection) -> tuple[sa.ColumnElement[bool], ...]:
    """Is there something to do, and nobody at it? Leases are counted by the database's clock."""
    free = sa.or_(LedgerImport.lease_until.is_(None), LedgerImport.lease_until <= house.clock.lease_now(connection))
    return LedgerImport.state.in_(AT_WORK), free


def lease_from(house: House, connection: Connection) -> dict[str, Any]:
    """A new lease, for whoever begins an import or goes on with one."""
    return {"lease": secrets.token_hex(16), "lease_until": house.clock.lease_now(connection) + LEASE}


def run_waiting(house: House, stopping: Callable[[], bool] = lambda: False) -> int:
    """Do every import that waits; how many were done."""
    count = 0
    while not stopping() and (taken := claim(house)) is not None:
        run(house, *taken, stopping=stopping)
        count += 1
    return count


def run(
    house: House, number: int, lease: str, *, stopping: Callable[[], bool] = lambda: False, progress: Progress = lambda done, total: None
) -> None:
    """Go on with an import whose lease is ours, to its end or until we are to stop. What is wrong with the file is its end."""
    try:
        with busy():
            _Run(house, number, lease, stopping, progress).all()
    except Lost:
        log.warning("import was taken over", number=number)
    except Exception as error:
        if isinstance(error, CommitUnknown | OperationalError | InterfaceError) or getattr(error, "connection_invalidated", False):
            log.error("import waits for the database", number=number, exc_info=error)
            raise
        if not isinstance(error, DomainError):
            log.error("import failed", number=number, exc_info=error)
        told = problem_body(error) if isinstance(error, DomainError) else {"code": "internal_error", "title": "内部错误"}
        _end(house, number, lease, FAILED, orjson.dumps(told).decode())


def _end(house: House, number: int, lease: str, state: str, error: str | None = None) -> None:
    values: dict[str, Any] = {"state": state, "error": error, "lease": None, "lease_until": None, "finished_at": house.clock.now()}
    with house.database.write() as connection:
        ended = connection.execute(sa.update(LedgerImport).where(LedgerImport.id == number, LedgerImport.lease == lease).values(values))
        if ended.rowcount and state != PLANNED:
            connection.execute(sa.delete(LedgerImportPiece).where(LedgerImportPiece.import_id == number))


def forget_trials(house: House) -> int:
    """Let go of the files of trials that nobody applied; how many."""
    now = house.clock.now()
    told = {"code": "trial_expired", "title": "试算已过期", "hint": "试算 7 天内没有写入，文件已删除；请重新上传"}
    old = sa.update(LedgerImport).where(LedgerImport.state == PLANNED, LedgerImport.created_at < now - TRIAL_KEPT)
    ended = sa.select(LedgerImport.id).where(LedgerImport.state == FAILED)
    with house.database.write() as connection:
        count = connection.execute(old.values(state=FAILED, error=orjson.dumps(told).decode(), finished_at=now)).rowcount
        connection.execute(sa.delete(LedgerImportPiece).where(LedgerImportPiece.import_id.in_(ended)))
    return count


_HEAD = sa.select(LedgerImport.__table__).where(LedgerImport.id == sa.bindparam("number"))
_PIECES = sa.select(LedgerImportPiece.number).where(LedgerImportPiece.import_id == sa.bindparam("number"))
_PIECE = sa.select(LedgerImportPiece.content).where(
    LedgerImportPiece.import_id == sa.bindparam("number"), LedgerImportPiece.number == sa.bindparam("piece")
)


Tried = tuple[str, int, int | None]
"""Outcome, version and number of the project."""


def _unmoved(tried: Tried | None, one: Planned) -> Planned:
    """The plan as it was tried; a row that would come out otherwise by now is not taken."""
    now = (one.outcome, one.version, one.head.id if one.head else None)
    return one if tried is None or tried == now or not one.new else moved(one)


class _Run:
    def __init__(self, house: House, number: int, lease: str, stopping: Callable[[], bool], progress: Progress) -> None:
        self.house, self.number, self.lease = house, number, lease
        self.stopping, self.progress = stopping, progress
        self.seen = Seen()
        with house.database.snapshot() as connection:
            row = connection.execute(_HEAD, {"number": number}).mappings().one()
            office = office_by_id(connection, row["office_id"])
            authority = authority_of(connection, office, row["create_offices"])
        actor = Actor(row["office_id"], row["role"], row["person_id"], row["token_id"])
        self.task = Task(row["sha256"], authority._replace(actor=actor), office, row["create_offices"])
        self.aliases = unpacked(row["aliases"])
        self.applying = row["state"] == APPLYING
        self.done, self.total, self.has_tables = row["rows_done"], row["rows_total"] or 0, row["tables"] is not None
        self.created = 0
        self.helpers: Helpers | None = None

    def all(self) -> None:
        """Every row that is not done yet."""
        with self._book() as book, helping(book.height() - self.done if self.applying else 0) as self.helpers:
            if not self.has_tables:
                self._look(book)  # while the helpers start
            self._remember()
            if not self._rows(book):
                return
        if self.created >= ANALYSE_AFTER:
            self.house.database.analyse()
        _end(self.house, self.number, self.lease, COMPLETE if self.applying else PLANNED)

    def _rows(self, book: Workbook) -> bool:
        """Take the rows; False when we are to stop before their end."""
        place = 0
        for rows in chunks(Reading(book, aliases=self.aliases, patient=True).rows(), CHUNK):
            if place < self.done:
                self._skip(rows)
            elif self.stopping():
                self._give_back()
                return False
            else:
                again(lambda place=place, rows=rows: self._chunk(place, rows))  # type: ignore[misc]
            place += len(rows)
            self.progress(place, self.total)
        return True

    def _book(self) -> Workbook:
        """The file's cells, which wait on disk; nobody holds the file itself while its rows are taken."""
        with tempfile.TemporaryFile() as file:
            with self.house.database.snapshot() as connection:
                for piece in sorted(connection.scalars(_PIECES, {"number": self.number})):
                    file.write(connection.execute(_PIECE, {"number": self.number, "piece": piece}).scalar_one())
            return open_workbook(file)

    def _look(self, book: Workbook) -> None:
        """Read the file once to know how much there is, and what there is to tell of whole tables."""
        reading = Reading(book, aliases=self.aliases)
        self.total = sum(1 for _ in reading.rows())
        tables = orjson.dumps(shown_tables(reading.sheets)).decode()
        with self.house.database.write() as connection:
            self._held(connection, rows_total=self.total, tables=tables)

    def _held(self, connection: Connection, **values: Any) -> None:
        """Renew the lease along with some values; Lost when it is not ours any more, or the import is elsewhere."""
        mine = (LedgerImport.id == self.number, LedgerImport.lease == self.lease, LedgerImport.rows_done == self.done)
        values |= {"lease_until": self.house.clock.lease_now(connection) + LEASE}
        if not connection.execute(sa.update(LedgerImport).where(*mine).values(values)).rowcount:
            raise Lost

    def _give_back(self) -> None:
        with self.house.database.write() as connection:
            mine = sa.update(LedgerImport).where(LedgerImport.id == self.number, LedgerImport.lease == self.lease)
            connection.execute(mine.values(lease=None, lease_until=None))

    def _remember(self) -> None:
        """The projects that rows told of before somebody stopped."""
        query = sa.select(LedgerImportRow.project_id, LedgerImportRow.row, LedgerImportRow.table_number).where(
            LedgerImportRow.import_id == self.number, LedgerImportRow.place < self.done, LedgerImportRow.project_id.is_not(None),
            LedgerImportRow.outcome.in_((CREATE, CHANGE, SAME)),
        )  # fmt: skip
        if self.done:
            with self.house.database.snapshot() as connection:
                tables = connection.scalar(sa.select(LedgerImport.tables).where(LedgerImport.id == self.number))
                sheets = {one["number"]: one["sheet"] for one in orjson.loads(tables or "[]")}
                for row in connection.execute(query):
                    self.seen.meet(row.project_id, (sheets[row.table_number], row.row))

    def _skip(self, rows: Sequence[Row]) -> None:
        with self.house.database.snapshot() as connection:
            settle(rows, towns_of(connection, self.task, dry_run=not self.applying), self.seen)

    def _chunk(self, place: int, rows: Sequence[Row]) -> None:
        self.seen.begin()
        try:
            with self.house.database.write() as connection:
                planned = self._taken(connection, place, rows)
        except BaseException:
            self.seen.undo()
            raise
        self.done = place + len(rows)
        self.created += sum(one.outcome == CREATE for one in planned)

    def _taken(self, connection: Connection, place: int, rows: Sequence[Row]) -> list[Planned]:
        if self.applying:
            wait_for_turn(connection)
            planned = self._written(connection, place, rows)
        else:
            planned = [one for some in take(connection, self.house, self.task, rows, self.seen, dry_run=True) for one in some]
            self._keep(connection, place, planned, {one.ref: one.head.id for one in planned if one.ref and one.head})
        counts = orjson.loads(connection.scalar(sa.select(LedgerImport.counts).where(LedgerImport.id == self.number)) or "{}")
        self._held(connection, rows_done=place + len(rows), counts=orjson.dumps(added(counts, counts_of(planned))).decode())
        return planned

    def _written(self, connection: Connection, place: int, rows: Sequence[Row]) -> list[Planned]:
        tried, planned = self._tried(connection, place, len(rows)), list[Planned]()
        with Pen(connection, self.house, self.task, self.helpers) as pen:
            for some in take(connection, self.house, self.task, rows, self.seen, dry_run=False):
                taken = [_unmoved(tried.get(at), one) for at, one in enumerate(some, place + len(planned))]
                pen.write(taken)
                planned += taken
            with pen.turn:
                self._keep(connection, place, planned, pen.numbers(self.seen))
            pen.finish()
        return planned

    def _tried(self, connection: Connection, place: int, count: int) -> dict[int, Tried]:
        """What came of rows when they were tried, by place."""
        query = sa.select(LedgerImportRow.place, LedgerImportRow.outcome, LedgerImportRow.version, LedgerImportRow.project_id).where(
            LedgerImportRow.import_id == self.number, LedgerImportRow.place >= place, LedgerImportRow.place < place + count
        )
        return {row.place: (row.outcome, row.version, row.project_id) for row in connection.execute(query)}

    def _keep(self, connection: Connection, place: int, planned: Sequence[Planned], numbers: dict[str, int]) -> None:
        mine = (LedgerImportRow.import_id == self.number, LedgerImportRow.place >= place, LedgerImportRow.place < place + len(planned))
        connection.execute(sa.delete(LedgerImportRow).where(*mine))
        add(
            connection,
            LedgerImportRow.__tablename__,
            _ROW,
            [
                (
                    self.number, at, one.row.table.number, one.row.number, one.outcome, one.warned,
                    numbers.get(one.ref or "") if one.head or one.outcome == CREATE else None, one.ref, one.version,
                    orjson.dumps(shown_row(one)).decode(), orjson.dumps(raw_cells(one)).decode(),
                )
                for at, one in enumerate(planned, place)
            ],
        )  # fmt: skip


_ROW = ("import_id", "place", "table_number", "row", "outcome", "warned", "project_id", "ref", "version", "told", "raw")


def chunks(rows: Iterator[Row], size: int) -> Iterator[list[Row]]:
    """Rows, so many at a time."""
    some: list[Row] = []
    for row in rows:
        some.append(row)
        if len(some) == size:
            yield some
            some = []
    if some:
        yield some
