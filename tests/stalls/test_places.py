"""Where a list goes on after its last row."""

import pytest

from app.errors import Invalid
from app.stalls.queries import _after_row


def test_a_place_of_an_earlier_version_is_refused_and_says_what_to_do() -> None:
    with pytest.raises(Invalid, match="第一页"):
        _after_row([], [[0, "2026-01-01", 7]], False)
