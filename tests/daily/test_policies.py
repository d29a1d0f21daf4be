"""After a change of limits every open flag says the day that the new limits say, also where its level stays."""

from datetime import date, timedelta
from typing import Any

import pytest

from tests.daily.county import County, days
from tests.daily.test_calendar import flags, register, whole

CHANGES: list[dict[str, Any]] = [
    {"signed_no_progress": {"red": "5wd"}},
    {"signed_no_progress": {"yellow": "1d", "red": "4d", "exit_review": "15wd"}},
    {"signed_to_filed": {"red": "29d"}, "signed_no_progress": {"yellow": "2wd"}},
    {"signed_no_progress": {"exit_review": "11wd"}, "intent_no_progress": {"enabled": False}},
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_limit_moves_the_day_of_flags_that_keep_their_level(county: County, change: dict[str, Any]) -> None:
    register(county)
    for day in days(date(2027, 1, 6), 3):
        county.daily(day)
    before = flags(county)
    day = date(2027, 1, 9)
    county.now_is(day, 8)
    county.policy(date(1900, 1, 1), **change)
    county.daily(day)
    after = flags(county)
    assert after == whole(county, day)
    kept = {key for key in before.keys() & after.keys() if before[key][0] == after[key][0] and before[key] != after[key]}
    assert kept, "some flag keeps its level and has another day"
    county.daily(day + timedelta(days=1))
    assert flags(county) == whole(county, day + timedelta(days=1))
