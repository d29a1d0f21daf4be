"""The migrations make exactly the tables the models describe, and go down and up again, on both databases."""

import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from app import demo
from app.alerts import models as _alerts  # noqa: F401 - Base.metadata is whole only when every table is imported
from app.db import Base, Database, alembic_config, current_revision, head, migrate
from app.ledgers import models as _ledgers  # noqa: F401
from app.lists import models as _lists  # noqa: F401
from app.main import build_house
from app.policies.models import PolicyVersion
from app.projects.models import FactRow
from app.settings import Settings


def difference(database: Database) -> list[object]:
    with database.engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True, "render_as_batch": database.sqlite}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata))


def checks(connection: sa.Connection) -> set[str | None]:
    inspector = sa.inspect(connection)
    return {check["name"] for table in Base.metadata.tables for check in inspector.get_check_constraints(table)}


def test_the_schema_is_what_the_models_say(database_url: str) -> None:
    database = Database(database_url)
    assert difference(database) == []
    with database.snapshot() as connection:
        wanted = {
            check.name for table in Base.metadata.tables.values() for check in table.constraints if isinstance(check, sa.CheckConstraint)
        }
        assert checks(connection) == wanted  # which the comparison does not look at
    database.dispose()


def test_partial_indexes_stay_partial(database_url: str) -> None:
    database = Database(database_url)
    with database.snapshot() as connection:
        dialect = connection.dialect.name
        inspector = sa.inspect(connection)
        for table in Base.metadata.tables.values():
            wanted = {index.name for index in table.indexes if index.dialect_options[dialect]["where"] is not None}
            found = {
                index["name"] for index in inspector.get_indexes(table.name) if index["dialect_options"].get(f"{dialect}_where") is not None
            }
            assert found == wanted
    database.dispose()


def move(url: str, revision: str) -> None:
    database = Database(url)
    config = alembic_config(url)
    with database.engine.connect() as connection:
        config.attributes["connection"] = connection
        (command.downgrade if revision == "base" else command.upgrade)(config, revision)
        connection.commit()
    database.dispose()


def test_down_and_up_again_with_data(database_url: str, tmp_path: Path) -> None:
    house = build_house(Settings(database_url=database_url, var_dir=tmp_path, audit_key="test", secret_key="test", dev=True))
    demo.fill(house)
    with house.database.snapshot() as connection:
        facts = connection.scalar(sa.select(sa.func.count()).select_from(FactRow))
    house.database.dispose()
    migrate(database_url)  # already there: nothing is lost
    with house.database.snapshot() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(FactRow)) == facts
    house.database.dispose()
    move(database_url, "base")
    with house.database.snapshot() as connection:
        assert sa.inspect(connection).get_table_names() in ([], ["alembic_version"])
        assert current_revision(connection) is None
    house.database.dispose()
    move(database_url, "head")
    assert difference(house.database) == []
    with house.database.snapshot() as connection:
        assert current_revision(connection) == head()
        assert connection.scalar(sa.select(PolicyVersion.id)) == 1
    house.database.dispose()
    demo.fill(house)
    house.database.dispose()


def test_two_migrations_at_once_agree(empty_database_url: str) -> None:
    """Two replicas that start together: one migrates, the other waits."""
    code = f"from app.db import migrate; migrate({empty_database_url!r})"
    started = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True) for _ in range(2)]
    errors = [process.communicate(timeout=90)[1] for process in started]
    assert [process.returncode for process in started] == [0, 0], errors
    database = Database(empty_database_url)
    assert difference(database) == []
    database.dispose()


@pytest.mark.parametrize("statements", [10, 40])
def test_a_migration_that_is_killed_leaves_nothing_half(empty_database_url: str, statements: int) -> None:
    code = f"""
import os
import sqlalchemy as sa
from sqlalchemy.engine import Engine
from app.db import migrate
left = {statements}
@sa.event.listens_for(Engine, "after_cursor_execute")
def count(connection, cursor, statement, *more):
    global left
    left -= statement.lstrip().startswith(("CREATE", "ALTER", "INSERT"))
    if not left:
        os._exit(9)
migrate({empty_database_url!r})
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=90, check=False).returncode == 9
    database = Database(empty_database_url)
    with database.statement() as connection:
        assert sa.inspect(connection).get_table_names() == []
    migrate(empty_database_url)
    assert difference(database) == []
    database.dispose()
