"""Lives that are closed when their story ends."""

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest

from app.orders import telling
from tests.rehearsals.life import Life


@pytest.fixture(autouse=True)
def no_ladder(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rehearsal counts no mail that only the ladder woke (README): it follows from follow-ups, not from limits alone. The lives
    it is compared with have none either; tests/orders tells of the ladder."""
    monkeypatch.setattr(telling, "climbed", lambda *given, **more: [])


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
