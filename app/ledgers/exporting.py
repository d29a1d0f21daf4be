"""A register as a ledger: every project of some offices on a day, a chunk at a time, from one snapshot.

Three statements a chunk, whatever it holds, and nothing kept of the chunk before: memory does not grow with the register. The cells
are rendering.py's, from the facts; standing, light and version are those of any answer about the day.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import date, datetime
from pathlib import Path
from typing import IO, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.errors import Invalid
from app.ledgers import ledger_book
from app.ledgers.events_export import covered
from app.ledgers.ledger_book import Line
from app.ledgers.ledger_notes import About
from app.ledgers.rendering import Cell, Names, cells, light
from app.ledgers.row_marks import mark_of
from app.lists.files import CSV, XLSX
from app.offices.desk import House, Moment, moment
from app.offices.models import Person
from app.offices.queries import OfficeRow, Scope, all_offices
from app.policies.policy import Policy
from app.policies.queries import book_of
from app.projects import derived
from app.projects.listing import within
from app.projects.models import Project, StandingRow
from app.projects.queries import STANDING, clocks_of, facts_of
from app.projects.search import alike

CHUNK = 500
Progress = Callable[[int, int], None]
"""(rows done, rows in all)"""


class Asked(NamedTuple):
    """What an export is about."""

    connection: Connection
    at: Moment
    policy: Policy
    scope: Scope
    names: Names


def asked(house: House, connection: Connection, scope: Scope, as_of: date | None) -> Asked:
    """The question, by what is known now; Invalid for a day after today."""
    at = moment(house, as_of, None)
    policy = book_of(house.database).governing(connection, at.as_of, at.pinned)
    return Asked(connection, at, policy, scope, names_of(connection))


def names_of(connection: Connection) -> Names:
    """Offices by the name an import finds them by (by their code where two names are alike), and people."""
    offices = all_offices(connection)
    alikes = Counter(alike(one.name) for one in offices)
    people = connection.execute(sa.select(Person.id, Person.name))
    return Names({one.id: one.name if alikes[alike(one.name)] == 1 else one.code for one in offices}, {row.id: row.name for row in people})


def towns_of(connection: Connection, scope: Scope) -> list[str]:
    """What 镇区 may say."""
    called = names_of(connection).offices
    return [called[one.id] for one in scope.offices.values() if one.kind == "town"]


def total(question: Asked) -> int:
    """How many projects there are to write."""
    query = sa.select(sa.func.count()).select_from(StandingRow).where(*within(question.at, question.scope))
    return question.connection.scalar(query) or 0


def lines(question: Asked) -> Iterator[list[Line]]:
    """The rows of the ledger in the order of the projects' numbers, each with its marks."""
    connection, at, policy, scope, names = question
    query = sa.select(Project.id, Project.ref, Project.version, *STANDING).join(StandingRow, StandingRow.project_id == Project.id)
    query = query.where(*within(at, scope), Project.id > sa.bindparam("after")).order_by(Project.id).limit(CHUNK)
    seq = after = 0
    while rows := connection.execute(query, {"after": after}).mappings().all():
        ids = [row["id"] for row in rows]
        facts, clocks = facts_of(connection, ids, None), clocks_of(connection, ids, at)
        chunk: list[Line] = []
        for row in rows:
            number, seq = row["id"], seq + 1
            standing = derived.standing_from(row)
            line: dict[str, Cell] = cells(facts[number], standing, at.as_of, names)
            reasons = policy.reasons(clocks[number], at.as_of)
            line["seq"], line["project_no"] = seq, row["ref"]
            line["signal"] = light(reasons[0].level if reasons else None, standing.status)
            line["version"], line["row_mark"] = row["version"], mark_of(row["ref"], row["version"], at.as_of, line)
            chunk.append(line)
        yield chunk
        after = ids[-1]


def write(house: House, question: Asked, file: IO[bytes], kind: str, asker: str, progress: Progress = lambda done, total: None) -> int:
    """The whole ledger into a file; how many rows."""
    count, every = 0, total(question)

    def counted() -> Iterator[list[Line]]:
        nonlocal count
        for chunk in lines(question):
            yield chunk
            count += len(chunk)
            progress(count, max(count, every))

    if kind == CSV:
        ledger_book.write_csv(file, counted())
    else:
        now = house.clock.now()
        about = About(question.at.as_of, now.astimezone(house.clock.zone), asker, lambda: count)
        ledger_book.write_xlsx(file, counted(), about, towns_of(question.connection, question.scope))
    return count


def written(house: House, question: Asked, kind: str, asker: str) -> IO[bytes]:
    """An open temporary file, at its beginning, with the whole ledger in it; it is gone when it is closed."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - whoever sends it closes it
    try:
        write(house, question, file, kind, asker)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def export_ledger(
    house: House, out: Path, *, office: OfficeRow | None = None, as_of: date | None = None,
    progress: Progress = lambda done, total: None,
) -> int:  # fmt: skip
    """`luodi export --format ledger`: the projects of an office (None: of all) as .xlsx or .csv; how many. The file appears when it
    is whole."""
    kind = kind_of(out)
    with house.database.snapshot() as connection, draft(out) as file:
        question = asked(house, connection, everywhere(connection, office), as_of)
        return write(house, question, file, kind, office.name if office else "全部单位", progress)


def everywhere(connection: Connection, office: OfficeRow | None) -> Scope:
    """What the command line sees: every office, or those that one covers."""
    every = {one.id: one for one in all_offices(connection)}
    mine = covered(every, office)
    return Scope({number: every[number] for number in mine}, None if len(mine) == len(every) else tuple(mine))


def template(towns: Sequence[str], now: datetime) -> IO[bytes]:
    """An open temporary file with a blank ledger, at its beginning."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - whoever sends it closes it
    ledger_book.write_template(file, towns, now)
    file.seek(0)
    return file


def export_template(house: House, out: Path) -> None:
    """`luodi export --template`: an empty ledger with its lists, and examples beside it."""
    if kind_of(out) != XLSX:
        raise Invalid("空白模板请用 .xlsx 扩展名 / the template is written as .xlsx")
    with house.database.snapshot() as connection:
        towns = towns_of(connection, everywhere(connection, None))
    with draft(out) as file:
        ledger_book.write_template(file, towns, house.clock.now())


def kind_of(out: Path) -> str:
    """The kind of a file by its name."""
    kind = out.suffix.lower().removeprefix(".")
    if kind not in (CSV, XLSX):
        raise Invalid("台账导出为 .xlsx 或 .csv，请用其中一种扩展名 / a ledger is written as .xlsx or .csv")
    return kind


@contextmanager
def draft(out: Path) -> Iterator[IO[bytes]]:
    """A file beside the one that is wanted, which takes its place when it is whole."""
    path = out.with_name(f".{out.name}.part")
    try:
        with path.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        path.replace(out)
    except OSError as error:
        raise Invalid(f"写不了文件 {out}：{error.strerror} / cannot write it") from error
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)
