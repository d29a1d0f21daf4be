"""A house without a server, a county with two towns, and words for writing and reading events files."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app.clock import FixedClock
from app.db import Database
from app.heart.standing import Standing
from app.ledgers.events import import_events
from app.ledgers.events_export import export_events
from app.ledgers.events_summary import Summary
from app.main import build_house
from app.offices.desk import House
from app.offices.queries import OfficeRow, find_office
from app.projects import derived, store
from app.projects.models import FactRow, Project, StandingRow
from tests.cast import NOW, found_county, make_settings

HEADER = "project_ref,project_name,office,investor,amount,currency,event,date"


def row(
    ref: str,
    event: str,
    date: str,
    *,
    name: str = "锂电材料",
    office: str = "T01",
    investor: str = "示例公司",
    amount: str = "100.50",
    currency: str = "CNY",
) -> list[str]:
    return [ref, name, office, investor, amount, currency, event, date]


def write(path: Path, rows: Sequence[Sequence[str]], header: str = HEADER) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(header.split(","))
        out.writerows(rows)
    return path


class Register:
    """A register to import into and to look at."""

    def __init__(self, house: House, folder: Path) -> None:
        self.house, self.folder = house, folder
        self._files = 0

    def office(self, code: str) -> OfficeRow:
        with self.house.database.snapshot() as connection:
            found = find_office(connection, code)
        assert found is not None
        return found

    def take(self, rows: Sequence[Sequence[str]], *, office: str | None = None, header: str = HEADER, **more: Any) -> Summary:
        self._files += 1
        path = write(self.folder / f"in-{self._files}.csv", rows, header)
        return self.take_file(path, office=office, **more)

    def take_file(self, path: Path, *, office: str | None = None, **more: Any) -> Summary:
        return import_events(self.house, path, office=self.office(office) if office else None, **more)

    def give(self, name: str = "out.csv", *, office: str | None = None, **more: Any) -> Path:
        out = self.folder / name
        export_events(self.house, out, office=self.office(office) if office else None, **more)
        return out

    def counts(self) -> dict[str, int]:
        with self.house.database.snapshot() as connection:
            return {
                model.__tablename__: connection.scalar(sa.select(sa.func.count()).select_from(model)) or 0
                for model in (Project, FactRow, StandingRow)
            }

    def facts(self, ref: str) -> list[tuple[str, str, str]]:
        """(kind, action, date) of a project's facts, in the order recorded."""
        with self.house.database.snapshot() as connection:
            heads = store.load_many(connection, [ref], lock=False)
        return [(fact.kind, fact.data.get("action", ""), fact.effective_on.isoformat()) for fact in heads[ref].facts]

    def head(self, ref: str) -> store.Head:
        with self.house.database.snapshot() as connection:
            return store.load_many(connection, [ref], lock=False)[ref]

    def standings(self) -> dict[str, list[tuple[Any, ...]]]:
        """ref → segments as known now, without the office's number."""
        found: dict[str, list[tuple[Any, ...]]] = {}
        query = sa.select(Project.ref, StandingRow.__table__).join(StandingRow, StandingRow.project_id == Project.id)
        with self.house.database.snapshot() as connection:
            for one in connection.execute(
                query.where(StandingRow.known_to.is_(None)).order_by(Project.ref, StandingRow.valid_from)
            ).mappings():
                standing = derived.standing_from(one)._replace(office_id=0)
                found.setdefault(one["ref"], []).append((one["valid_from"], one["valid_to"], standing))
        return found

    def now(self, ref: str) -> Standing:
        return self.head(ref).fold()[-1].standing


@pytest.fixture
def register(database_url: str, tmp_path: Path) -> Iterator[Register]:
    yield from _register(database_url, tmp_path / "first")


@pytest.fixture
def other(database_kind: str, make_database: Any, tmp_path: Path) -> Iterator[Register]:
    """An empty register of the same kind, with the same offices."""
    yield from _register(make_database(database_kind), tmp_path / "second")


def _register(url: str, folder: Path) -> Iterator[Register]:
    folder.mkdir()
    settings = make_settings(url, folder)
    house = build_house(settings, FixedClock(settings.zone, NOW), Database(url))
    found_county(house)
    yield Register(house, folder)
    house.database.dispose()
