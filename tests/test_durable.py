"""A database that would lose or misread what it confirmed is refused in one sentence, by every command, and by every new connection."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from app import durable
from app.db import Database, migrate
from app.errors import UnsafeDatabase
from app.settings import Settings
from tests.cast import make_settings, running
from tests.postgres import SETTINGS, Cluster

SAFE = {**SETTINGS, "fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}


@pytest.fixture(scope="module")
def safe() -> Iterator[Cluster]:
    """A server as one should be set up; the tests' own is not."""
    cluster = Cluster.start_new(settings=SAFE)
    try:
        yield cluster
    finally:
        cluster.remove()


@pytest.fixture(scope="module")
def register(safe: Cluster) -> str:
    url = safe.new_database()
    migrate(url)
    return url


def luodi(url: str, folder: Path, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LUODI_")}
    given = {"LUODI_DATABASE_URL": url, "LUODI_VAR_DIR": str(folder), "LUODI_WORKER": "false", "LUODI_SMTP_URL": f"file:{folder}", **more}
    program = str(Path(sys.executable).parent / "luodi")
    return subprocess.run([program, *command], env=kept | given, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def with_options(url: str, options: str) -> str:
    return f"{url}?options={options.replace(' ', '%20').replace('=', '%3D')}"


@pytest.mark.parametrize("command", [("serve", "--port", "1"), ("worker",), ("daily",), ("migrate",), ("office", "list")])
def test_every_command_refuses_a_server_that_forgets(register: str, tmp_path: Path, command: tuple[str, ...]) -> None:
    done = luodi(with_options(register, "-c synchronous_commit=off"), tmp_path, *command)
    assert done.returncode == 1, done.stderr
    assert "synchronous_commit=on" in done.stderr and "数据库设置不安全" in done.stderr and "set synchronous_commit=on" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1 and "Traceback" not in done.stderr


def test_a_safe_one_is_taken_and_dev_takes_any(register: str, tmp_path: Path, postgresql_url: str) -> None:
    assert luodi(register, tmp_path, "daily").returncode == 0
    refused = luodi(postgresql_url, tmp_path, "daily")
    assert refused.returncode == 1
    for name in ("fsync=on", "synchronous_commit=on", "full_page_writes=on"):  # everything at once
        assert f"set {name}" in refused.stderr
    assert luodi(postgresql_url, tmp_path, "daily", LUODI_DEV="true").returncode == 0


@pytest.mark.parametrize("statement", ["ALTER DATABASE {database} SET", "ALTER ROLE {owner} IN DATABASE {database} SET"])
def test_what_a_database_or_a_role_says_counts_too(safe: Cluster, statement: str) -> None:
    url = safe.new_database()
    name = url.rsplit("/", 1)[1]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.format(database=name, owner="luodi") + " synchronous_commit = off")
    with pytest.raises(UnsafeDatabase, match="synchronous_commit"):
        durable.must_be_safe(Settings(database_url=url))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.format(database=name, owner="luodi") + " synchronous_commit = local")
        connection.execute(statement.format(database=name, owner="luodi") + " default_transaction_read_only = on")
    with pytest.raises(UnsafeDatabase, match="default_transaction_read_only"):
        durable.must_be_safe(Settings(database_url=url))


def test_another_encoding_is_refused(safe: Cluster) -> None:
    with psycopg.connect(safe.url("postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE latin ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    with pytest.raises(UnsafeDatabase, match="UTF8"):
        durable.must_be_safe(Settings(database_url=safe.url("latin")))


def test_an_old_server_and_a_standby_are_refused(register: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable, "OLDEST", 990_000)
    with pytest.raises(UnsafeDatabase, match="太旧"):
        durable.must_be_safe(Settings(database_url=register))
    monkeypatch.undo()
    monkeypatch.setattr(durable, "_ASKED", durable._ASKED.replace("pg_is_in_recovery()", "true"))
    with pytest.raises(UnsafeDatabase, match="standby"):
        durable.must_be_safe(Settings(database_url=register))


def test_a_collation_that_changes_with_the_system_is_told(
    register: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    durable.must_be_safe(Settings(database_url=register))
    assert caplog.text == ""
    monkeypatch.setattr(durable, "_ASKED", durable._ASKED.replace("SELECT datcollate", "SELECT 'zh_CN.UTF-8'"))
    durable.must_be_safe(Settings(database_url=with_options(register, "-c default_transaction_isolation=serializable")))
    assert "zh_CN.UTF-8" in caplog.text and "serializable" in caplog.text


def test_a_running_service_refuses_new_connections_when_it_turns_unsafe(safe: Cluster, tmp_path: Path) -> None:
    url = safe.new_database()
    migrate(url)
    with running(make_settings(url, tmp_path, dev=False)) as county:
        county.get("clerk", "/me")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {url.rsplit('/', 1)[1]} SET synchronous_commit = off")
        county.database.engine.dispose()
        answer = county.as_("clerk").get("/me")
        assert (answer.status_code, answer.json()["code"]) == (503, "database_unsafe")


def test_a_service_starts_before_its_database(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    away = Settings(database_url="postgresql://luodi@127.0.0.1:1/nothing")
    durable.must_be_safe(away, may_be_away=True)
    assert "unavailable" in caplog.text
    with pytest.raises(sa.exc.OperationalError):
        durable.must_be_safe(away)


def test_sqlite_has_to_keep_its_log_and_wait_for_the_disk(tmp_path: Path) -> None:
    durable.must_be_safe(Settings(database_url=f"sqlite:///{tmp_path}/good.db"))
    with pytest.raises(UnsafeDatabase, match="WAL"):  # as on a network file system
        durable.inspect(sqlite3.connect(":memory:"))
    lax = sqlite3.connect(tmp_path / "good.db")
    lax.execute("PRAGMA synchronous=NORMAL")
    with pytest.raises(UnsafeDatabase, match="FULL"):
        durable.inspect(lax)


def test_isolation_is_ours_whatever_the_server_prefers(safe: Cluster) -> None:
    url = safe.new_database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {url.rsplit('/', 1)[1]} SET default_transaction_isolation = 'serializable'")
    database = Database(url, 1, durable.inspect)
    with database.write() as connection:
        assert connection.exec_driver_sql("SELECT current_setting('transaction_isolation')").scalar() == "read committed"
        assert connection.exec_driver_sql("SELECT current_setting('synchronous_commit')").scalar() == "on"
    with database.snapshot() as connection:
        assert connection.exec_driver_sql("SELECT current_setting('transaction_isolation')").scalar() == "repeatable read"
    database.dispose()
