"""Lives that are closed when their story ends."""

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest

from tests.rehearsals.life import Life


@pytest.fixture
def live_from(database_url: str, tmp_path: Path) -> Iterator[Callable[[int, date], Life]]:
    """`live_from(seed, day)`: a county whose days begin then."""
    made: list[Life] = []

    def make(seed: int, begin: date) -> Life:
        made.append(Life(database_url, tmp_path, seed, begin))
        return made[-1]

    yield make
    for life in made:
        life.county.close()
