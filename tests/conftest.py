"""Fixtures that every test may use. A database in a test is always a real one, fresh, and migrated."""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.databases import Databases
from tests.postgres import Cluster

if TYPE_CHECKING:
    from tests.cast import County

RUN_FOLDER = "LUODI_TEST_RUN_FOLDER"
CONTROLLER = "LUODI_TEST_CONTROLLER_PID"
DATABASES = pytest.StashKey[Databases]()
KINDS = ("sqlite", "postgresql")

# Properties are judged by what holds, never by how long a busy machine took over one example.
settings.register_profile("luodi", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("luodi")


def migrate(url: str) -> None:
    # Imported late: a test of the pure heart shall not load the whole application.
    from app.db import migrate

    migrate(url)


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        # Workers inherit the environment, and find here what the others have already made.
        os.environ[RUN_FOLDER] = tempfile.mkdtemp(prefix="luodi-tests-", dir="/tmp")
        os.environ[CONTROLLER] = str(os.getpid())
    config.stash[DATABASES] = Databases(Path(os.environ[RUN_FOLDER]), int(os.environ[CONTROLLER]), migrate)


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput") and (databases := config.stash.get(DATABASES, None)):
        databases.close()


MakeDatabase = Callable[..., str]


@pytest.fixture(scope="session")
def databases(pytestconfig: pytest.Config) -> Databases:
    return pytestconfig.stash[DATABASES]


@pytest.fixture(scope="session")
def cluster(databases: Databases) -> Cluster:
    """The PostgreSQL cluster of this run. A test that stops or kills one starts its own: `Cluster.start_new()`."""
    return databases.cluster()


@pytest.fixture
def make_database(databases: Databases, tmp_path: Path) -> Iterator[MakeDatabase]:
    """Make as many databases as a test needs: `make_database("sqlite")`, `make_database(kind, migrated=False)`."""
    made: list[str] = []

    def make(kind: str, *, migrated: bool = True) -> str:
        made.append(databases.new(kind, tmp_path, migrated=migrated))
        return made[-1]

    yield make
    for url in made:
        databases.drop(url)


@pytest.fixture(params=KINDS)
def database_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def database_url(database_kind: str, make_database: MakeDatabase) -> str:
    """The URL of a fresh, migrated database; the test runs once on SQLite and once on PostgreSQL."""
    return make_database(database_kind)


@pytest.fixture
def empty_database_url(database_kind: str, make_database: MakeDatabase) -> str:
    """The URL of a database without any table, on SQLite and on PostgreSQL: for tests of the migrations."""
    return make_database(database_kind, migrated=False)


@pytest.fixture
def sqlite_url(make_database: MakeDatabase) -> str:
    return make_database("sqlite")


@pytest.fixture
def postgresql_url(make_database: MakeDatabase) -> str:
    return make_database("postgresql")


@pytest.fixture
def county(database_url: str, tmp_path: Path) -> Iterator["County"]:
    """A running service with two towns and a cast (tests/cast.py), on SQLite and on PostgreSQL."""
    from tests.cast import make_settings, running

    with running(make_settings(database_url, tmp_path)) as county:
        yield county
