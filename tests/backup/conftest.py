"""A register to lose, and the way it comes back."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from app.backups import restoring, taking
from app.clock import FixedClock
from app.db import Database
from tests.cast import NOW, County, make_settings
from tests.conftest import MakeDatabase
from tests.invariants import check_invariants
from tests.postgres import binaries

KEY = b"a" * 32
TODAY = date(2026, 6, 10)


def silent(phase: str, size: int, share: float | None) -> None:
    """Nobody watches."""


@pytest.fixture(autouse=True)
def programs_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{binaries()}:{os.environ['PATH']}")


def backup(county: County, to: Path) -> Path:
    return taking.backup(county.database, to, KEY, county.clock.now(), silent)[0]


class Place:
    """An empty database, for a backup to come back into."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder
        self.settings = make_settings(url, folder)
        self.database = Database(url)
        self.clock = FixedClock(self.settings.zone, NOW)

    def restore(self, file: Path, key: bytes | None = KEY, **more: Any) -> restoring.Restored:
        with restoring.read(file, key, silent, unproven=key is None) as archive:
            return restoring.restore(self.database, archive, key, self.clock, more.pop("until", TODAY), silent, **more)

    def is_whole(self) -> None:
        with self.database.snapshot() as connection:
            check_invariants(connection, key=KEY)

    def close(self) -> None:
        self.database.dispose()


MakePlace = Callable[[], Place]


@pytest.fixture
def make_place(database_kind: str, make_database: MakeDatabase, tmp_path: Path) -> Iterator[MakePlace]:
    made: list[Place] = []

    def make() -> Place:
        folder = tmp_path / f"place-{len(made)}"
        folder.mkdir()
        url = f"sqlite:///{folder}/luodi.db" if database_kind == "sqlite" else make_database(database_kind, migrated=False)
        made.append(Place(url, folder))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def place(make_place: MakePlace) -> Place:
    return make_place()
