"""The fixtures themselves: what they hand out is real, fresh and private."""

import pytest
import sqlalchemy as sa

from tests.postgres import Cluster, binaries


def test_a_test_gets_an_empty_database_of_its_kind(database_kind: str, empty_database_url: str) -> None:
    engine = sa.create_engine(empty_database_url)
    assert engine.dialect.name == database_kind
    assert sa.inspect(engine).get_table_names() == []
    engine.dispose()


def test_a_migrated_database_is_private_to_its_test(database_kind, database_url, make_database) -> None:
    mine, other = sa.create_engine(database_url), sa.create_engine(make_database(database_kind))
    assert "alembic_version" in sa.inspect(mine).get_table_names()
    with mine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE mine (n INTEGER)"))
    assert "mine" not in sa.inspect(other).get_table_names()
    mine.dispose()
    other.dispose()


def test_postgresql_sorts_and_stores_as_in_production(postgresql_url: str) -> None:
    engine = sa.create_engine(postgresql_url)
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SHOW server_encoding")) == "UTF8"
        assert connection.scalar(sa.text("SELECT datcollate FROM pg_database WHERE datname = current_database()")) in (
            "C.UTF-8",
            "C.utf8",
        )
    engine.dispose()


def test_a_database_is_dropped_even_with_connections_open(cluster: Cluster) -> None:
    url = cluster.new_database()
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        connection.execute(sa.text("SELECT 1"))
        cluster.drop_database(url)
        connection.invalidate()
    engine.dispose()


def test_no_server_is_one_clear_line(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("LUODI_TEST_PG_BIN", str(tmp_path))
    with pytest.raises(pytest.fail.Exception, match="apt-get install postgresql"):
        binaries()
