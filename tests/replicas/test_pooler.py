"""Through a pgbouncer in transaction mode: a session belongs to nobody for longer than a transaction."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from app.db import Database, migrate
from app.durable import inspect
from app.errors import UnsafeDatabase
from app.offices import service as offices
from app.worker import daily
from tests.cast import make_settings, running
from tests.invariants import check_invariants
from tests.postgres import Cluster, unprivileged_user
from tests.replicas.waiting import until
from tests.replicas.writers import writing
from tests.test_durable import SAFE, luodi


@contextmanager
def pgbouncer(cluster: Cluster, ignore: str = "") -> Iterator[int]:
    """A pooler with two sessions for everybody; its port."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.fail("pgbouncer is not installed: apt-get install pgbouncer", pytrace=False)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config, users = cluster.root / f"pgbouncer-{port}.ini", cluster.root / f"users-{port}.txt"
    users.write_text('"luodi" ""\n')
    config.write_text(
        f"[databases]\n* = host=127.0.0.1 port={cluster.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n"
        f"auth_type = trust\nauth_file = {users}\npool_mode = transaction\ndefault_pool_size = 2\nmax_client_conn = 200\n"
        f"unix_socket_dir =\nignore_startup_parameters = {ignore}\n"
    )
    for path in (config, users):
        path.chmod(0o644)  # it refuses to run as root
    with (cluster.root / f"pgbouncer-{port}.log").open("w") as log:
        process = subprocess.Popen([program, str(config)], stdout=log, stderr=log, user=unprivileged_user(), cwd="/")
    try:
        until(lambda: process.poll() is None and _answers(port), "pgbouncer does not start")
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def through(url: str, cluster: Cluster, port: int) -> str:
    return url.replace(f":{cluster.port}/", f":{port}/") + "?pooling=transaction"


def test_a_register_lives_behind_a_pooler(cluster: Cluster, tmp_path: Path) -> None:
    direct = cluster.new_database()
    name = direct.rsplit("/", 1)[1]
    with psycopg.connect(direct, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'")
        connection.execute(f"ALTER DATABASE {name} SET timezone = 'Asia/Shanghai'")
    with pgbouncer(cluster) as port:
        url = through(direct, cluster, port)
        with ThreadPoolExecutor(2) as both:
            list(both.map(migrate, [url, url]))  # two replicas at once: the lock is the transaction's
        with running(make_settings(url, tmp_path)) as county:
            with writing(county, url=direct) as writers:
                writers.go_on_for(60)
            signed = county.register(effective_on="2026-01-05")
            county.sign(signed, on="2026-01-10")
            for _ in range(8):  # statements would be prepared by the sixth time
                assert county.get("officer", "/projects", count=True)["total"] == len(writers.acknowledged) + 1
                assert [one["ref"] for one in county.get("officer", "/signed-then-stopped")["items"]] == [signed]
                assert county.get("clerk", f"/projects/{signed}")["ref"] == signed
            with county.database.write() as connection:
                offices.add_person(connection, office="T01", name="王", email="wang@example.org", role="clerk")
            told = daily(county.house)
            assert told["state"] == "done" and told["opened"] > 0 and told["deliveries"] == {"sent": 1}
            settled(county.database)
            nothing_stayed(direct)
    whole = Database(direct)
    with whole.snapshot() as connection:
        check_invariants(connection, key=b"a" * 32)
    whole.dispose()


def settled(database: Database) -> None:
    """Every way in has our settings while it lasts, whatever the server prefers."""
    asked = ("statement_timeout", "lock_timeout", "timezone", "transaction_isolation", "transaction_read_only")
    query = "SELECT " + ", ".join(f"current_setting('{one}')" for one in asked)
    for way, isolation, read_only in (
        (database.write, "read committed", "off"),
        (database.snapshot, "repeatable read", "on"),
        (database.statement, "read committed", "on"),
    ):
        with way() as connection:
            assert tuple(connection.exec_driver_sql(query).one()) == ("1min", "15s", "UTC", isolation, read_only)


def nothing_stayed(direct: str) -> None:
    """The sessions that the pooler keeps are as they were: no lock is held, and none of them is in a transaction."""
    with psycopg.connect(direct, autocommit=True) as connection:
        assert connection.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone() == (0,)
        states = connection.execute(
            "SELECT state, count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() GROUP BY state"
        ).fetchall()
    assert [state for state, _ in states] == ["idle"] and states[0][1] <= 2


def test_a_session_of_the_pooler_keeps_nothing_of_ours(cluster: Cluster, postgresql_url: str) -> None:
    with pgbouncer(cluster) as port:
        database = Database(through(postgresql_url, cluster, port), 2)
        for way in (database.write, database.snapshot, database.statement):
            with way() as connection:
                for _ in range(8):
                    connection.execute(sa.text("SELECT :n"), {"n": 1})
        database.dispose()
        with psycopg.connect(f"postgresql://luodi@127.0.0.1:{port}/{postgresql_url.rsplit('/', 1)[1]}", prepare_threshold=None) as other:
            assert other.execute("SELECT count(*) FROM pg_prepared_statements").fetchone() == (0,)
            assert other.execute("SELECT current_setting('statement_timeout'), current_setting('jit')").fetchone() == ("0", "on")


def test_a_pooler_that_nobody_mentioned_is_noticed(tmp_path: Path) -> None:
    safe = Cluster.start_new(settings=SAFE)
    try:
        url = safe.new_database()
        with pgbouncer(safe) as port, pytest.raises(sa.exc.OperationalError, match="options"):
            Database(through(url, safe, port).partition("?")[0], 1, inspect).engine.connect()
        with pgbouncer(safe, ignore="options") as port:
            with pytest.raises(UnsafeDatabase, match="pooling=transaction"):
                Database(through(url, safe, port).partition("?")[0], 1, inspect).engine.connect()
            done = luodi(through(url, safe, port), tmp_path, "migrate")
            assert done.returncode == 0, done.stderr
            assert luodi(through(url, safe, port), tmp_path, "rebuild", "--check").returncode == 0
    finally:
        safe.remove()
