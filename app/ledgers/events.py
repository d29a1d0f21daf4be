"""Importing the events CSV (contract 4.3): plan what each project's rows add to its facts, then write it in chunks.

History is taken as it is: no move is refused, missing evidence stays missing. Every chunk of projects is one transaction
and a row that repeats what is known changes nothing, so an import that was interrupted is completed by running it again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.db import among
from app.errors import Invalid
from app.heart.limits import FOREVER
from app.ledgers.bulk import ANALYSE_AFTER, again, busy
from app.ledgers.events_faults import write_errors
from app.ledgers.events_offices import Authority, Offices, authority_of
from app.ledgers.events_plan import Plan, Stored, plan
from app.ledgers.events_reading import Rejected, Row, read
from app.ledgers.events_shelves import ProjectShelves
from app.ledgers.events_summary import Summary
from app.offices.desk import House
from app.offices.queries import OfficeRow
from app.projects import store
from app.projects.derived import New
from app.projects.founders import Foundation
from app.projects.founding import Act
from app.projects.helpers import Helpers, helping
from app.projects.models import Project, StandingRow
from app.projects.store import Change, Head

CHUNK = 500
"""Projects in one transaction: long enough to write in bulk, short enough that others wait for a fraction of a second."""
THREADS = 2
"""Transactions at once on PostgreSQL: while the database writes one chunk, the next is folded. SQLite has one writer."""
ROWS_EACH = 5
"""Rows a project has, about."""


def import_events(
    house: House,
    path: Path,
    *,
    office: OfficeRow | None = None,
    create_offices: bool = False,
    dry_run: bool = False,
    errors_path: Path | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    reading: Callable[[int, float], None] = lambda rows, share: None,
) -> Summary:
    """Import a file with the authority and inside the scope of `office` (None: the only county). `reading` is told (rows
    read, share of the file), then `progress` (rows done, rows in all) after each transaction. Rejected rows also land in
    `errors_path`, a CSV. Memory does not grow with the file; whatever waits, waits in a temporary file in VAR_DIR."""
    if errors_path is not None and errors_path.suffix.lower() != ".csv":
        raise Invalid("错误文件请用 .csv 扩展名 / the error file is written as .csv")
    if errors_path is not None:
        write_errors(errors_path, None)  # a place that cannot be written to is found out before anything is imported
    with house.database.snapshot() as connection:
        authority = authority_of(connection, office, create_offices)
    folder = house.settings.var_dir
    size = path.stat().st_size if path.exists() else 0
    with busy(), Summary.opened(dry_run, folder) as summary, ProjectShelves(folder, size) as shelves:
        named: dict[str, None] = {}
        for row in read(path, house.clock.today(), reading):
            if isinstance(row, Rejected):
                summary.rejections.add([row])
            else:
                shelves.add(row)
                if create_offices:
                    named[row.office] = None
        # apart from the chunks, so that no two of them make the same office at once
        summary.offices_created = again(lambda: _make_offices(house, authority, list(named), dry_run))
        done, told = 0, ANALYSE_AFTER
        with helping(0 if dry_run else shelves.rows // ROWS_EACH) as helpers:
            work = partial(_chunk, house, authority, create_offices=create_offices, dry_run=dry_run, helpers=helpers)
            for rows, plans in _in_turn(work, shelves.chunks(CHUNK), threads=1 if house.database.sqlite else THREADS):
                for one in plans:
                    summary.count(one)
                done += rows
                if not dry_run and summary.projects_created >= told:
                    house.database.analyse()
                    told *= 10
                progress(done, shelves.rows)
        if told > ANALYSE_AFTER:
            house.database.analyse()
        summary.sort()
        if errors_path is not None:
            write_errors(errors_path, summary.rejections)
        return summary


Chunk = dict[str, list[Row]]
Result = TypeVar("Result")


def _in_turn(work: Callable[[Chunk], list[Plan]], chunks: Iterator[Chunk], threads: int) -> Iterator[tuple[int, list[Plan]]]:
    """(rows, what became of them) of each chunk, in order, some of them worked on at once."""
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[tuple[int, Future[list[Plan]]]] = deque()
        for chunk in chunks:
            waiting.append((sum(map(len, chunk.values())), pool.submit(work, chunk)))
            if len(waiting) > threads:
                rows, future = waiting.popleft()
                yield rows, future.result()
        for rows, future in waiting:
            yield rows, future.result()


def _make_offices(house: House, authority: Authority, names: Sequence[str], dry_run: bool) -> list[str]:
    """Make the offices that are missing (a dry run: say which); their names."""
    if not names:
        return []
    with _connection(house, dry_run) as connection:
        offices = Offices(connection, authority, create=True, dry_run=dry_run)
        for name in names:
            offices.find(name)
        return offices.created


def _chunk(house: House, authority: Authority, chunk: Chunk, *, create_offices: bool, dry_run: bool, helpers: Helpers | None) -> list[Plan]:
    """Plan and write some projects in one transaction."""

    def work() -> list[Plan]:
        with _connection(house, dry_run) as connection:
            # a dry run has made no offices
            offices = Offices(connection, authority, create=create_offices and dry_run, dry_run=dry_run)
            return _written(connection, house, authority, chunk, offices, dry_run, helpers)

    return again(work)


@contextmanager
def _connection(house: House, dry_run: bool) -> Iterator[Connection]:
    with house.database.snapshot() if dry_run else house.database.write() as connection:
        yield connection


def _written(
    connection: Connection, house: House, authority: Authority, chunk: Chunk, offices: Offices, dry_run: bool, helpers: Helpers | None
) -> list[Plan]:
    heads = store.load_many(connection, list(chunk), lock=not dry_run)
    stored = _stored(connection, [head.id for head in heads.values()])
    now = house.clock.now()  # after the locks: no project can have learnt anything later
    today = house.clock.business_date(now)
    act: dict[str, Any] = {"actor": authority.actor, "source": "import", "key": house.audit_key}
    plans: list[Plan] = []
    founded: list[tuple[str, list[New]]] = []
    changes: list[tuple[Head, Change]] = []
    for ref, rows in sorted(chunk.items()):  # so that two imports at once wait for each other in one order
        head = heads.get(ref)
        made = plan(head or Head(0, ref), stored[head.id] if head else None, rows, offices, authority, today)
        plans.append(made)
        if not made.new or dry_run:
            continue
        if head is None:
            founded.append((ref, made.new))
        else:
            moment = store.moment_after(head, now)
            recorded_on = house.clock.business_date(moment)
            changes.append((head, store.prepare(head, made.new, **act, moment=moment, recorded_on=recorded_on)))
    if founded:
        act_of_all = Act(**act, moment=now, recorded_on=today, sqlite=house.database.sqlite)
        with Foundation(connection, act_of_all, helpers) as foundation:
            foundation.add(founded)
            foundation.finish()
    if changes:
        store.write(connection, changes)
    return plans


_STORED = (
    sa.select(
        Project.id, Project.name, Project.office_id, Project.investor, Project.signing_event, StandingRow.amount, StandingRow.currency
    )
    .join(StandingRow, StandingRow.project_id == Project.id)
    .where(among(Project.id), StandingRow.known_to.is_(None), StandingRow.valid_to == FOREVER)
)


def _stored(connection: Connection, ids: Sequence[int]) -> dict[int, Stored]:
    return {row[0]: Stored(*row[1:]) for row in connection.execute(_STORED, {"ids": ids})} if ids else {}
