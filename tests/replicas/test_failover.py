"""The database goes away while towns report: killed and replaced by its standby, started anew, its connections ended, a reply lost."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest

from app.db import migrate
from app.settings import Settings, database_address
from tests.cast import make_settings, running
from tests.postgres import SETTINGS, Cluster
from tests.replicas.waiting import until
from tests.replicas.writers import writing

KEPT = {**SETTINGS, "synchronous_commit": "on"}
"""A killed server loses nothing of what the system holds; what a standby has to confirm, it confirms."""


@pytest.fixture
def primary() -> Iterator[Cluster]:
    cluster = Cluster.start_new(settings=KEPT)
    try:
        yield cluster
    finally:
        cluster.remove()


def ask(url: str, query: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(query).fetchone()
    return row[0] if row else None


@pytest.mark.timeout(240)
def test_a_killed_primary_is_replaced_and_nothing_acknowledged_is_lost(primary: Cluster, tmp_path: Path) -> None:
    url = primary.new_database()
    migrate(url)
    standby = Cluster.start_new(settings=KEPT, copy_of=primary)
    try:
        for statement in ("ALTER SYSTEM SET synchronous_standby_names = 'standby'", "SELECT pg_reload_conf()"):
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(statement)
        until(lambda: ask(url, "SELECT sync_state FROM pg_stat_replication") == "sync", "the standby does not follow")
        name = url.rsplit("/", 1)[1]
        both = f"postgresql://luodi@127.0.0.1:{standby.port},127.0.0.1:{primary.port}/{name}"  # the standby first: it is passed over
        with running(make_settings(both, tmp_path)) as county, writing(county) as writers:
            writers.go_on_for(30)
            primary.kill()
            until(lambda: bool(writers.refusals), "nobody noticed")
            standby.promote()
            writers.go_on_for(30)
            print(len(writers.acknowledged), "acknowledged;", dict(writers.refusals))
            assert set(writers.refusals) <= {"database_unavailable", "commit_unknown"}
    finally:
        standby.remove()


@pytest.mark.timeout(240)
@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_server_is_started_anew_while_towns_report(primary: Cluster, tmp_path: Path, mode: str) -> None:
    url = primary.new_database()
    migrate(url)
    with running(make_settings(url, tmp_path)) as county, writing(county) as writers:
        writers.go_on_for(20)
        primary.stop(mode)
        until(lambda: bool(writers.refusals), "nobody noticed")
        primary.start()
        writers.go_on_for(20)


@pytest.mark.timeout(240)
def test_connections_are_ended_again_and_again(postgresql_url: str, tmp_path: Path) -> None:
    with running(make_settings(postgresql_url, tmp_path)) as county, writing(county) as writers:
        for _ in range(10):
            writers.go_on_for(10)
            ours = "application_name = 'luodi' AND datname = current_database()"  # the server has other tests' databases too
            ask(postgresql_url, f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {ours}")


class Cutting:
    """A wire to the server. Once `armed`, it is cut at the next COMMIT: before it is passed on, or after, without the reply."""

    def __init__(self, port: int, *, passed_on: bool) -> None:
        self.to, self.passed_on, self.armed, self.cuts = port, passed_on, False, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                far = socket.create_connection(("127.0.0.1", self.to))
                cut, happened = threading.Event(), threading.Event()
                for way in (self._ask, self._reply):
                    threading.Thread(target=way, args=(near, far, cut, happened), daemon=True).start()

    def _ask(self, near: socket.socket, far: socket.socket, cut: threading.Event, happened: threading.Event) -> None:
        with suppress(OSError):
            while piece := near.recv(65536):
                if self.armed and b"COMMIT\0" in piece:
                    self.armed, self.cuts = False, self.cuts + 1
                    cut.set()
                    if self.passed_on:
                        far.sendall(piece)
                        assert happened.wait(20)
                    break
                far.sendall(piece)
        self._close(near, far)

    def _reply(self, near: socket.socket, far: socket.socket, cut: threading.Event, happened: threading.Event) -> None:
        with suppress(OSError):
            while (piece := far.recv(65536)) and not cut.is_set():
                near.sendall(piece)
        happened.set()
        if not cut.is_set():
            self._close(near, far)

    @staticmethod
    def _close(*both: socket.socket) -> None:
        for one in both:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


@contextmanager
def cutting(port: int, *, passed_on: bool) -> Iterator[Cutting]:
    wire = Cutting(port, passed_on=passed_on)
    try:
        yield wire
    finally:
        wire.listener.close()


@pytest.mark.parametrize("passed_on", [True, False], ids=["reply lost", "commit lost"])
def test_a_wire_cut_at_the_commit(cluster: Cluster, postgresql_url: str, tmp_path: Path, passed_on: bool) -> None:
    """Nobody knows whether it happened; the same key finds out, and it happened once."""
    with cutting(cluster.port, passed_on=passed_on) as wire:
        through = postgresql_url.replace(f":{cluster.port}/", f":{wire.port}/")
        with running(make_settings(through, tmp_path)) as county:
            body = {"name": "once", "office": "T01", "route": "leased", "effective_on": "2026-02-01"}
            county.get("clerk", "/projects")
            wire.armed = True
            refused = county.as_("clerk").post("/projects", json=body, headers={"Idempotency-Key": "k"})
            assert (refused.status_code, refused.json()["code"], refused.headers["retry-after"]) == (503, "commit_unknown", "2")
            again = county.as_("clerk").post("/projects", json=body, headers={"Idempotency-Key": "k"})
            assert again.status_code == 201 and ("idempotent-replayed" in again.headers) is passed_on
            assert [one["name"] for one in county.get("clerk", "/projects")["items"]] == ["once"] and wire.cuts == 1


@pytest.mark.parametrize(
    ("text", "host", "port", "user"),
    [
        ("postgresql://luodi:p%40ss@db1:5433,db2/luodi?target_session_attrs=any", "db1,db2", "5433,5432", "luodi"),
        ("postgres://db1,db2:6432/luodi", "db1,db2", "5432,6432", None),
        ("postgresql://u@[::1]:5433,[fe80::2]/luodi", "::1,fe80::2", "5433,5432", "u"),
    ],
)
def test_several_hosts_as_postgresql_writes_them(text: str, host: str, port: str, user: str | None) -> None:
    url = database_address(text)
    assert (url.query["host"], url.query["port"], url.username, url.database) == (host, port, user, "luodi")
    assert url.drivername == "postgresql+psycopg" and Settings(database_url=text).database_url == text
    assert url.password == ("p@ss" if "p%40ss" in text else None)


@pytest.mark.parametrize("text", ["postgresql://db1,,db2/luodi", "postgresql://db1:x,db2/luodi"])
def test_hosts_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="PostgreSQL"):
        Settings(database_url=text)
