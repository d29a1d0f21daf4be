"""Importing the events CSV (contract 4.3): plan what each project's rows add to its facts, then write it in chunks.

History is taken as it is: no move is refused, missing evidence stays missing. Every chunk of projects is one transaction
and a row that repeats what is known changes nothing, so an import that was interrupted is completed by running it again.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError, OperationalError

from app.errors import Duplicate, Invalid
from app.ledgers.events_offices import Authority, Offices, authority_of
from app.ledgers.events_plan import Plan, plan
from app.ledgers.events_reading import COLUMNS, SIGNING_EVENT, Rejected, Row, read
from app.offices.desk import House
from app.offices.queries import OfficeRow
from app.projects import store
from app.projects.store import Change, Head

CHUNK = 500
"""Projects in one transaction: long enough to write in bulk, short enough that others wait for a fraction of a second."""
TRIES = 3
SHOWN = 20
"""Faults that a person is shown; `--json` and the error file have all of them."""


@dataclass
class Summary:
    """What an import did, or (dry run) would do. `inferred` counts dates that no row told: intents and undated ends."""

    dry_run: bool
    projects_created: int = 0
    projects_changed: int = 0
    projects_unchanged: int = 0
    events_added: int = 0
    events_unchanged: int = 0
    inferred: int = 0
    offices_created: list[str] = field(default_factory=list)
    warnings: list[Rejected] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)

    @property
    def events_rejected(self) -> int:
        """Rows that were not taken."""
        return len(self.rejected)

    def text(self) -> str:
        """As a person reads it; the first faults by line, the rest counted."""
        lines = [
            ("试算，未写入 / dry run, nothing written\n" if self.dry_run else "")
            + f"项目：新增 {self.projects_created}，更新 {self.projects_changed}，未变 {self.projects_unchanged}；"
            + f"事件：新增 {self.events_added}，已有 {self.events_unchanged}，拒绝 {self.events_rejected}；"
            + f"推断日期 {self.inferred}；新增单位 {len(self.offices_created)}；提示 {len(self.warnings)}"
        ]
        for title, rows in (("拒绝 rejected", self.rejected), ("提示 warning", self.warnings)):
            lines += [f"{title} 第 {one.line} 行 {one.column} {one.value!r}：{one.reason}" for one in rows[:SHOWN]]
            if len(rows) > SHOWN:
                lines.append(f"{title} …… 另有 {len(rows) - SHOWN} 条 / more")
        return "\n".join(lines)

    def shown(self) -> dict[str, Any]:
        """As `--json` prints it."""
        places = {
            name: [{"line": one.line, "column": one.column, "value": one.value, "reason": one.reason} for one in rows]
            for name, rows in (("warnings", self.warnings), ("rejected", self.rejected))
        }
        return {
            "dry_run": self.dry_run,
            "projects": {"created": self.projects_created, "changed": self.projects_changed, "unchanged": self.projects_unchanged},
            "events": {"added": self.events_added, "unchanged": self.events_unchanged, "rejected": self.events_rejected},
            "inferred": self.inferred,
            "offices_created": self.offices_created,
            **places,
        }


def import_events(
    house: House,
    path: Path,
    *,
    office: OfficeRow | None = None,
    create_offices: bool = False,
    dry_run: bool = False,
    errors_path: Path | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Summary:
    """Import a file with the authority and inside the scope of `office` (None: the only county). `progress` is told
    (projects done, projects in all) after each transaction. Rejected rows also land in `errors_path`, a CSV."""
    if errors_path is not None and errors_path.suffix.lower() != ".csv":
        raise Invalid("错误文件请用 .csv 扩展名 / the error file is written as .csv")
    if errors_path is not None:
        write_errors(errors_path, [])  # a place that cannot be written to is found out before anything is imported
    with house.database.snapshot() as connection:
        authority = authority_of(connection, office, create_offices)
    summary = Summary(dry_run)
    projects: dict[str, list[Row]] = {}
    for row in read(path, house.clock.today()):
        if isinstance(row, Rejected):
            summary.rejected.append(row)
        else:
            projects.setdefault(row.ref, []).append(row)
    waiting, done = iter(projects.items()), 0
    missing: set[str] = set()  # a dry run makes no office, so each is counted once
    while chunk := dict(islice(waiting, CHUNK)):
        plans, made = _chunk(house, authority, chunk, create_offices, dry_run)
        for name in made:
            if name not in missing:
                missing.add(name)
                summary.offices_created.append(name)
        for one in plans:
            _count(summary, one)
        done += len(chunk)
        progress(done, len(projects))
    summary.rejected.sort(key=lambda one: one.line)
    summary.warnings.sort(key=lambda one: one.line)
    if errors_path is not None:
        write_errors(errors_path, summary.rejected)
    return summary


def _chunk(
    house: House, authority: Authority, chunk: dict[str, list[Row]], create_offices: bool, dry_run: bool
) -> tuple[list[Plan], list[str]]:
    """Plan and write some projects in one transaction; once more when somebody else made the same project or office meanwhile."""
    for tries_left in reversed(range(TRIES)):
        try:
            with _connection(house, dry_run) as connection:
                return _written(connection, house, authority, chunk, create_offices, dry_run)
        except (IntegrityError, OperationalError, Duplicate):  # taken meanwhile, or a deadlock that the database ended
            if not tries_left:
                raise
    raise AssertionError


@contextmanager
def _connection(house: House, dry_run: bool) -> Iterator[Connection]:
    with house.database.snapshot() if dry_run else house.database.write() as connection:
        yield connection


def _written(
    connection: Connection, house: House, authority: Authority, chunk: dict[str, list[Row]], create_offices: bool, dry_run: bool
) -> tuple[list[Plan], list[str]]:
    heads = store.load_many(connection, list(chunk), lock=not dry_run)
    offices = Offices(connection, authority, create=create_offices, dry_run=dry_run)
    now = house.clock.now()  # after the locks: no project can have learnt anything later
    today = house.clock.business_date(now)
    plans: list[Plan] = []
    changes: list[tuple[Head, Change]] = []
    for ref, rows in sorted(chunk.items()):  # so that two imports at once wait for each other in one order
        head = heads.get(ref) or Head(0, ref)
        made = plan(head, rows, offices, authority, today)
        plans.append(made)
        if not made.new or dry_run:
            continue
        moment = store.moment_after(head, now)
        recorded_on = house.clock.business_date(moment)
        change = store.prepare(
            head, made.new, actor=authority.actor, source="import", moment=moment, recorded_on=recorded_on, key=house.audit_key
        )
        changes.append((head, change))
    if changes:
        store.write(connection, changes)
    return plans, offices.created


def _count(summary: Summary, one: Plan) -> None:
    summary.rejected += one.rejected
    summary.warnings += one.warnings
    summary.events_added += one.added
    summary.events_unchanged += one.unchanged
    summary.inferred += one.inferred
    if one.creates:
        summary.projects_created += 1
    elif one.new:
        summary.projects_changed += 1
    elif one.added + one.unchanged:
        summary.projects_unchanged += 1


def write_errors(path: Path, rejected: Sequence[Rejected]) -> None:
    """The rows that were not taken, as they were found, with line, column and reason; a spreadsheet opens it as UTF-8."""
    header = (*COLUMNS, SIGNING_EVENT) if any(len(one.cells) > len(COLUMNS) for one in rejected) else COLUMNS
    try:
        with path.open("w", encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            out = csv.writer(file, lineterminator="\n")
            out.writerow([*header, "line", "column", "reason"])
            for one in rejected:
                cells = [*one.cells[: len(header)], *[""] * (len(header) - len(one.cells))]
                out.writerow([*cells, one.line, one.column, one.reason])
    except OSError as error:
        raise Invalid(f"写不了错误文件 {path}：{error.strerror} / cannot write it") from error
