"""What was in the register is in it again, on both databases, also when it was copied while six people wrote."""

from __future__ import annotations

import stat
import threading
import zipfile
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.backups.manifest import contents, sealed
from app.db import Base, Database
from app.errors import DomainError
from tests.backup.conftest import KEY, MakePlace, Place, backup
from tests.cast import County, running
from tests.conftest import MakeDatabase

OURS = ("meta", "sending_hold", "delivery", "delivery_event")


def everything(database: Database) -> dict[str, list[tuple[object, ...]]]:
    with database.snapshot() as connection:
        tables = [one for one in Base.metadata.sorted_tables if one.name not in OURS]
        return {one.name: sorted((tuple(row) for row in connection.execute(sa.select(one))), key=repr) for one in tables}


def test_everything_comes_back(county: County, place: Place, tmp_path: Path) -> None:
    ref = county.register()
    county.sign(ref)
    county.register("other", office="T02", name="二号项目")
    restored = place.restore(backup(county, tmp_path / "a.backup"))
    assert everything(place.database) == everything(county.database)
    assert restored.broken == [] and restored.manifest.heads == 2 and restored.kept_aside is None
    place.is_whole()


def test_the_restored_register_goes_on_where_it_was(county: County, place: Place, tmp_path: Path) -> None:
    """Tokens are good, and no number is given twice: counters and sequences came along."""
    first = county.register()
    place.restore(backup(county, tmp_path / "a.backup"))
    with running(place.settings, tokens=county.tokens) as again:
        second = again.register()
        assert first != second
        assert {again.get("clerk", f"/projects/{ref}")["stage"] for ref in (first, second)} == {"intent"}
        again.sign(first)
    place.is_whole()


def test_a_backup_while_six_people_write(county: County, place: Place, tmp_path: Path) -> None:
    acknowledged: list[str] = []
    enough, done = threading.Event(), threading.Event()

    def write(number: int) -> None:
        while not done.is_set():
            acknowledged.append(county.register(name=f"项目{number}"))
            if len(acknowledged) > 30:
                enough.set()

    for name in ("clerk",):
        county.as_(name)  # one client, made before several threads ask for it
    writers = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for one in writers:
        one.start()
    try:
        assert enough.wait(60)
        before = list(acknowledged)
        file = backup(county, tmp_path / "a.backup")
        after = len(acknowledged)
    finally:
        done.set()
        for one in writers:
            one.join(60)
    restored = place.restore(file)
    with place.database.snapshot() as connection:
        found = set(connection.scalars(sa.text("SELECT ref FROM project")))
    assert set(before) <= found <= set(acknowledged)
    assert restored.manifest.heads == len(found) <= after + 6
    place.is_whole()


def test_the_manifest_says_what_is_in_it_and_no_key(county: County, tmp_path: Path) -> None:
    county.register()
    file = backup(county, tmp_path / "a.backup")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with zipfile.ZipFile(file) as archive:
        assert archive.namelist() == ["dump", "manifest.json"]
        text = archive.read("manifest.json")
    for hidden in (county.house.settings.audit_key, county.house.settings.secret_key):
        assert hidden.encode() not in text and hidden.encode() not in file.read_bytes()
    with county.database.snapshot() as connection:
        now = contents(connection, KEY)
    assert (now.rows["project"], now.rows["fact"], now.rows["office"]) == (1, 1, 5)
    assert f'"seal": "{now.seal}"'.encode() in text


def test_the_seal_stands_for_every_fact(county: County) -> None:
    ref = county.register()
    seals = set()
    for _ in range(2):
        with county.database.snapshot() as connection:
            seals |= {contents(connection, KEY).seal, contents(connection, b"another key").seal}
    assert len(seals) == 2
    county.sign(ref)
    with county.database.snapshot() as connection:
        assert contents(connection, KEY).seal not in seals


def test_a_seal_is_of_each_ref_its_number_of_facts_and_its_last_mac() -> None:
    heads = [("A-1", 3, "ab"), ("A-2", 1, "cd")]
    number, seal = sealed(KEY, heads)
    assert number == 2 and sealed(KEY, heads) == (2, seal)
    others: list[list[tuple[str, int, str]]] = [
        [("A-1", 2, "ab"), ("A-2", 1, "cd")],  # as many facts less as were cut off, with the mac that somebody put back
        [("A-1", 3, "ab"), ("A-2", 1, "ce")], [("A-1", 3, "ab"), ("A-3", 1, "cd")], heads[:1], heads[::-1], [*heads, heads[0]],
        [("A-13", 3, "ab"), ("A-2", 1, "cd")], [("A-1", 31, "ab"), ("A-2", 1, "cd")],
    ]  # fmt: skip
    assert len({seal, *(sealed(KEY, one)[1] for one in others)}) == 1 + len(others)


def test_nothing_is_overwritten_and_nothing_else_is_left(county: County, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    file = backup(county, folder)
    assert file.name == "luodi-20260610T020000Z.backup"
    was = file.read_bytes()
    with pytest.raises(DomainError, match="已经存在"):
        backup(county, file)
    assert file.read_bytes() == was and list(folder.iterdir()) == [file]
    with pytest.raises(DomainError, match="没有文件夹"):
        backup(county, folder / "no" / "a.backup")


def test_only_into_an_empty_database(county: County, make_place: MakePlace, tmp_path: Path) -> None:
    county.register()
    file = backup(county, tmp_path / "a.backup")
    place = make_place()
    place.restore(file)
    was = everything(place.database)
    with pytest.raises(DomainError, match="不是空"):
        place.restore(file)
    assert everything(place.database) == was


def test_the_other_kind_of_database_is_refused(county: County, database_kind: str, make_database: MakeDatabase, tmp_path: Path) -> None:
    file = backup(county, tmp_path / "a.backup")
    other = make_database("postgresql" if database_kind == "sqlite" else "sqlite", migrated=False)
    place = Place(other, tmp_path)
    with pytest.raises(DomainError, match="luodi export"):
        place.restore(file)
    place.close()


def test_sqlite_moves_the_old_one_aside_when_nobody_uses_it(sqlite_url: str, tmp_path: Path) -> None:
    from tests.cast import make_settings

    with running(make_settings(sqlite_url, tmp_path)) as county:
        ref = county.register()
        file = backup(county, tmp_path / "a.backup")
        place = Place(sqlite_url, tmp_path)
        county.sign(ref)
        with pytest.raises(DomainError, match="正被使用"):
            place.restore(file, replace=True)
        assert county.get("clerk", f"/projects/{ref}")["stage"] == "signed", "refused, and nothing has changed"
    restored = place.restore(file, replace=True)
    assert restored.kept_aside is not None
    place.is_whole()
    with place.database.snapshot() as connection:
        assert connection.scalar(sa.text("SELECT stage FROM standing")) == "intent"
    old = Database(f"sqlite:///{restored.kept_aside}")
    with old.snapshot() as connection:
        assert "signed" in set(connection.scalars(sa.text("SELECT stage FROM standing")))
    old.dispose()
    place.close()
