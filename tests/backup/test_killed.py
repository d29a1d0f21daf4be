"""A process that dies half-way leaves nothing, or something that nobody can take for finished; and the next one succeeds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.alerts import holding
from app.backups import finalizing, postgres, sqlite
from app.db import Database
from app.main import build_house
from tests.backup.conftest import MakePlace, Place, backup
from tests.cast import County
from tests.conftest import MakeDatabase


def killed(verb: str, point: str, url: str, file: Path, folder: Path) -> None:
    words = [sys.executable, "-m", "tests.backup.child", verb, point, url, str(file), str(folder)]
    died = subprocess.run(words, capture_output=True, text=True, timeout=90, check=False)
    assert died.returncode == -9, died.stderr


@pytest.mark.parametrize("point", ["in the dump", "before the name"])
def test_a_killed_backup_leaves_no_file_of_that_name(county: County, place: Place, tmp_path: Path, point: str) -> None:
    county.register()
    folder = tmp_path / "backups"
    folder.mkdir()
    file = folder / "a.backup"
    killed("backup", point, county.house.settings.database_url, file, tmp_path)
    left = list(folder.iterdir())
    assert not file.exists() and [one.suffix for one in left] == [".unfinished"]
    backup(county, file)
    assert list(folder.iterdir()) == [file], "the next one sweeps away what was left"
    place.restore(file)
    place.is_whole()


def is_empty(place: Place) -> bool:
    database = Database(place.url)
    try:
        if database.sqlite:
            return sqlite.is_empty(Path(str(database.url.database)))
        return postgres.is_empty(database)
    finally:
        database.dispose()


POINTS = {"sqlite": ("after the copy", "before it is put"), "postgresql": ("after the copy", "before the commit")}


@pytest.mark.parametrize("number", [0, 1])
def test_a_killed_restore_leaves_the_database_empty(county: County, database_kind: str, place: Place, tmp_path: Path, number: int) -> None:
    county.register()
    file = backup(county, tmp_path / "a.backup")
    killed("restore", POINTS[database_kind][number], place.url, file, place.folder)
    assert is_empty(place)
    place.restore(file)
    place.is_whole()
    assert not list(place.folder.glob(".*.unfinished"))


def test_a_restore_that_dies_after_its_commit_is_held_all_the_same(
    county: County, make_database: MakeDatabase, make_place: MakePlace, tmp_path: Path
) -> None:
    if county.database.sqlite:
        return  # there the name comes last of all
    county.register()
    file, place = backup(county, tmp_path / "a.backup"), make_place()
    killed("restore", "after the commit", place.url, file, place.folder)
    with place.database.snapshot() as connection:
        assert holding.current(connection) is not None
        assert connection.scalar(sa.text("SELECT count(*) FROM project")) == 1
    house = build_house(place.settings, place.clock, place.database)
    assert finalizing.finalize(house) == {"uncertain": 0, "pending": 0}
    place.is_whole()


def test_a_backup_in_the_making_is_not_swept_away(county: County, tmp_path: Path) -> None:
    from app.backups.archive import workshop

    file = tmp_path / "a.backup"
    with workshop(file) as folder:
        backup(county, file)
        assert folder.is_dir()
    assert not folder.exists()
