"""Fixtures of the daily run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.alerts import daily
from tests.daily.county import County
from tests.invariants import check_invariants


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else is at work in these tests."""
    monkeypatch.setattr(daily, "WAIT_FOR_OTHERS", 0.0)


@pytest.fixture
def county(database_url: str, tmp_path: Path) -> Iterator[County]:
    """A fresh county on SQLite and on PostgreSQL; at the end of every story its invariants hold."""
    made = County(database_url, tmp_path)
    yield made
    with made.database.statement() as connection:
        check_invariants(connection, folded=not made.spoilt)
    made.close()
