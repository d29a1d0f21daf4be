"""The databases of a run: one PostgreSQL with its default durability, SQLite files, and a filled register of each size once."""

from __future__ import annotations

import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from app.db import migrate
from tests.bench.seed import Seeded, fill
from tests.postgres import Cluster

KINDS = ("postgresql", "sqlite")
DURABLE = {"listen_addresses": "127.0.0.1", "max_connections": 200, "shared_buffers": "256MB", "max_wal_size": "4GB"}
"""fsync, synchronous_commit, full_page_writes and autovacuum stay on: a commit is on the disk before its answer leaves."""


class Registers:
    """Makes registers when they are first asked for and hands out copies. `close` removes everything."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="luodi-bench-"))
        self._cluster: Cluster | None = None
        self._made: dict[tuple[str, int, int], Seeded] = {}
        self._copies = 0

    @property
    def cluster(self) -> Cluster:
        if self._cluster is None:
            self._cluster = Cluster.start_new(settings=DURABLE)
        return self._cluster

    def copy(self, kind: str, projects: int, fresh: int = 0) -> Seeded:
        """A register of its own: whoever gets it may change it."""
        if (kind, projects, fresh) not in self._made:
            began = time.monotonic()
            url = self.cluster.new_database() if kind == "postgresql" else f"sqlite:///{self.folder / f'{projects}-{fresh}.db'}"
            migrate(url)
            self._made[kind, projects, fresh] = fill(url, projects, fresh)
            print(
                f"    a register of {projects:,} projects and {fresh:,} young ones on {kind}: {time.monotonic() - began:.0f} s", flush=True
            )
        return self.again(self._made[kind, projects, fresh])

    def take(self, kind: str, projects: int, fresh: int) -> Seeded:
        """A register without a copy of it: for sizes of which the disk holds one."""
        url = self.empty(kind)
        began = time.monotonic()
        seeded = fill(url, projects, fresh)
        print(f"    a register of {projects:,} projects on {kind}: {time.monotonic() - began:.0f} s", flush=True)
        return seeded

    def empty(self, kind: str) -> str:
        """The address of a migrated database without any row."""
        self._copies += 1
        url = self.cluster.new_database() if kind == "postgresql" else f"sqlite:///{self.folder / f'empty-{self._copies}.db'}"
        migrate(url)
        return url

    def again(self, seeded: Seeded) -> Seeded:
        """A copy of a register as it is now."""
        self._copies += 1
        if seeded.url.startswith("sqlite"):
            path = self.folder / f"copy-{self._copies}.db"
            shutil.copyfile(seeded.url.removeprefix("sqlite:///"), path)
            return replace(seeded, url=f"sqlite:///{path}")
        return replace(seeded, url=self.cluster.new_database(template=seeded.url.rsplit("/", 1)[1]))

    def drop(self, seeded: Seeded) -> None:
        """A copy is no longer needed."""
        self.forget(seeded.url)

    def forget(self, url: str) -> None:
        """A database is no longer needed."""
        if url.startswith("sqlite"):
            for end in ("", "-wal", "-shm"):
                with suppress(FileNotFoundError):
                    Path(url.removeprefix("sqlite:///") + end).unlink()
        else:
            self.cluster.drop_database(url)

    def close(self) -> None:
        """Stop what was started, and leave nothing behind."""
        if self._cluster is not None:
            self._cluster.remove()
        shutil.rmtree(self.folder, ignore_errors=True)
