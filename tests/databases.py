"""Fresh databases for tests: one migrated template per run and kind, copied for every test that asks."""

import fcntl
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.postgres import Cluster

Migrate = Callable[[str], None]
TEMPLATE = "migrated"


class Databases:
    """What all processes of one pytest run share, by way of one folder: a cluster and the migrated templates.

    Everything is made by whoever needs it first, under a file lock, so a run that touches no database starts none.
    """

    def __init__(self, folder: Path, controller_pid: int, migrate: Migrate) -> None:
        self.folder = folder
        self._controller_pid = controller_pid
        self._migrate = migrate
        self._cluster: Cluster | None = None
        self._drops: dict[str, Cluster] = {}

    def new(self, kind: str, into: Path, *, migrated: bool = True) -> str:
        """Make a database of a kind ("sqlite" or "postgresql") and return its SQLAlchemy URL.

        An SQLite file is laid in the folder `into`.
        """
        if kind == "sqlite":
            path = into / f"luodi-{sum(1 for _ in into.glob('luodi-*.db'))}.db"
            if migrated:
                shutil.copyfile(self._sqlite_template(), path)
            return f"sqlite:///{path}"
        cluster = self.cluster()
        if migrated:
            self._postgres_template(cluster)
        url = cluster.new_database(TEMPLATE if migrated else "template0")
        self._drops[url] = cluster
        return url

    def drop(self, url: str) -> None:
        """Drop a PostgreSQL database made by `new`; SQLite files go with the test's folder."""
        if cluster := self._drops.pop(url, None):
            cluster.drop_database(url)

    def cluster(self) -> Cluster:
        """Return the run's PostgreSQL cluster, started when nobody needed it before."""
        if self._cluster is None:
            address = self.folder / "cluster"
            with self._lock():
                if not address.exists():
                    made = Cluster.start_new(watched_pid=self._controller_pid)
                    address.write_text(f"{made.port} {made.root}")
            port, root = address.read_text().split(" ", 1)
            self._cluster = Cluster(Path(root), int(port))
        return self._cluster

    def close(self) -> None:
        """Stop what was started; called once, by the process that began the run."""
        if (self.folder / "cluster").exists():
            self.cluster().remove()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _sqlite_template(self) -> Path:
        template = self.folder / "template.db"
        with self._lock():
            if not template.exists():
                draft = self.folder / "draft.db"
                self._migrate(f"sqlite:///{draft}")
                with closing(sqlite3.connect(draft)) as connection:
                    # A copy takes only the file itself: what is still in the log has to be in it.
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                draft.rename(template)
        return template

    def _postgres_template(self, cluster: Cluster) -> None:
        ready = self.folder / "postgres-template"
        with self._lock():
            if not ready.exists():
                cluster.drop_database(cluster.url(TEMPLATE))
                self._migrate(cluster.new_database(name=TEMPLATE))
                cluster.seal(TEMPLATE)
                ready.touch()

    @contextmanager
    def _lock(self) -> Iterator[None]:
        handle = os.open(self.folder / "lock", os.O_CREAT | os.O_RDWR)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)
