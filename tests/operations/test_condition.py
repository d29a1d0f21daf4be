"""When the day counts as done, late or failed: one case after the other, and real days on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app.alerts import breaker, daily, holding
from app.alerts.models import ChannelState, Delivery
from app.alerts.sender import Sender
from app.operations import queries
from app.operations.condition import BAD, CODES, GRACE, LONGEST, WARN, Seen, judge, last_due, worst
from app.settings import Settings
from app.stalls.models import DailyRun
from app.stalls.runs import CLAIMED, DONE, ENQUEUED, SKIPPED, Run
from tests.daily.county import MONDAY, County, at
from tests.daily.hostile import hostile
from tests.daily.sending import fill

SETTINGS = Settings()
EIGHT = at(MONDAY, 8)
SUNDAY = MONDAY - timedelta(days=1)


def run(day: date, state: str, *, attempt: int = 1, lease: datetime | None = None, **counts: Any) -> Run:
    return Run(day, state, attempt, lease, None, 1, 1, at(day, 8), None, counts)


def codes(seen: Seen, now: datetime) -> list[str]:
    return [one.code for one in judge(seen._replace(published={now.year, now.year + 1}), now, SETTINGS)]


MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
LATE = EIGHT + GRACE
DAYS: dict[str, tuple[Run | None, datetime, list[str]]] = {
    "a new register before its first hour": (None, EIGHT - MINUTE, []),
    "a new register within the grace": (None, LATE - SECOND, []),
    "a new register whose worker never came": (None, LATE, ["run_late"]),
    "yesterday done, today not yet due": (run(SUNDAY, DONE), EIGHT - SECOND, []),
    "yesterday done, today due": (run(SUNDAY, DONE), EIGHT, []),
    "yesterday done, today late": (run(SUNDAY, DONE), LATE, ["run_late"]),
    "yesterday never came, before today's hour": (run(SUNDAY - timedelta(days=1), DONE), EIGHT - MINUTE, ["run_late"]),
    "today done": (run(MONDAY, DONE), at(MONDAY, 23), []),
    "today done before its hour, by a person": (run(MONDAY, DONE), EIGHT - MINUTE, []),
    "today skipped": (run(MONDAY, SKIPPED), LATE, ["run_late"]),
    "today at work": (run(MONDAY, CLAIMED, lease=LATE), LATE - SECOND, []),
    "today at work for long": (run(MONDAY, ENQUEUED, lease=LATE + MINUTE), LATE, ["run_working"]),
    "today at work for too long": (run(MONDAY, CLAIMED, lease=at(MONDAY, 12)), EIGHT + LONGEST + SECOND, ["run_slow"]),
    "given back once, within the grace": (run(MONDAY, CLAIMED), EIGHT + MINUTE, []),
    "given back twice": (run(MONDAY, CLAIMED, attempt=2), EIGHT + MINUTE, ["run_failed"]),
    "its process died": (run(MONDAY, CLAIMED, lease=EIGHT + MINUTE), LATE, ["run_failed"]),
    "done but for three projects": (run(MONDAY, DONE, failed=3), at(MONDAY, 9), ["projects_failed"]),
}


@pytest.mark.parametrize("case", DAYS)
def test_a_day_is_judged(case: str) -> None:
    seen, now, wanted = DAYS[case]
    assert codes(Seen(seen), now) == wanted


def test_every_finding_has_its_words_and_is_met() -> None:
    now = at(MONDAY, 12)
    lost = {"uncertain": 1, "expired": 2, "failed": 3}
    relays = [("mail", "paused", now), ("mail", "resting", now), ("wecom", "probing", now - timedelta(hours=1))]
    found = judge(Seen(run(MONDAY, DONE), 4, lost, relays, now, ()), now, SETTINGS)
    met = {one.code for one in found} | {code for _, _, wanted in DAYS.values() for code in wanted}
    assert met == set(CODES) and worst(found) == BAD
    assert worst([one for one in found if one.level != BAD]) == WARN and worst([]) == "ok"
    assert all("{" not in one.text and "/" in one.text for one in found)


@pytest.mark.parametrize(("day", "wanted"), [("2026-10-31", []), ("2026-11-01", ["calendar_provisional"])])
def test_next_years_days_off_are_asked_for_from_november(day: str, wanted: list[str]) -> None:
    now = at(date.fromisoformat(day), 12)
    found = judge(Seen(run(date.fromisoformat(day), DONE), published={2026}), now, SETTINGS)
    assert [one.code for one in found] == wanted and all("2027" in one.text for one in found)


def test_the_day_that_is_due_turns_at_the_hour_not_at_midnight() -> None:
    assert last_due(EIGHT - SECOND, SETTINGS) == SUNDAY and last_due(EIGHT, SETTINGS) == MONDAY


@pytest.fixture
def county(database_url: str, tmp_path: Path) -> Iterator[County]:
    made = County(database_url, tmp_path)
    yield made
    made.close()


def told(county: County) -> list[str]:
    now = county.clock.now()
    with county.database.snapshot() as connection:
        return [one.code for one in judge(queries.seen(connection, now, county.settings), now, county.settings)]


def test_a_good_day_turns_green_and_the_next_morning_waits_for_its_hour(county: County) -> None:
    county.now_is(MONDAY, 8, 20)
    assert told(county) == ["run_late"]
    county.signed("A", MONDAY - timedelta(days=40))
    county.daily()
    assert told(county) == []
    county.now_is(MONDAY + timedelta(days=1), 7, 59)
    assert told(county) == []
    county.now_is(MONDAY + timedelta(days=1), 8, 15)
    assert told(county) == ["run_late"]


def test_a_run_that_raises_is_red_until_it_gets_through(county: County, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any) -> None:
        raise RuntimeError("a defect")

    county.now_is(MONDAY, 8)
    with monkeypatch.context() as broke:
        broke.setattr(daily, "_evaluate", broken)
        for _ in range(2):
            with pytest.raises(RuntimeError):
                daily.run_if_due(county.database, county.clock, county.settings, county.book)
    assert told(county) == ["run_failed"]
    daily.run_if_due(county.database, county.clock, county.settings, county.book)
    assert told(county) == []


def test_messages_that_nobody_sends_are_overdue_and_those_in_doubt_are_counted(county: County) -> None:
    county.daily(MONDAY)
    fill(county, 3)
    assert told(county) == []
    county.now_is(MONDAY, 9, 11)
    assert told(county) == ["messages_overdue"]
    with county.database.write() as connection:
        connection.execute(sa.update(Delivery).values(state="sending", lease_until=county.clock.now() - timedelta(minutes=11)))
    assert told(county) == ["messages_overdue"], "its sender is gone"
    for state, code in (
        ("uncertain", "messages_uncertain"),
        ("expired", "messages_expired"),
        ("failed", "messages_failed"),
        ("sent", None),
    ):
        county.came_to(MONDAY, state, "试")
        assert told(county) == ([code] if code else [])
    county.came_to(MONDAY, "uncertain", "试")
    county.daily(MONDAY + timedelta(days=1))
    assert told(county) == [], "the next day's digest tells it again"


def test_a_relay_that_is_paused_is_red_and_one_that_came_back_is_not(county: County) -> None:
    county.daily(MONDAY)
    for needs_person, minutes, wanted in ((True, 0, "channel_paused"), (False, 0, "channel_resting"), (False, 31, "channel_down")):
        with county.database.write() as connection:
            connection.execute(sa.delete(ChannelState))
            for _ in range(breaker.THRESHOLD):
                breaker.failed(connection, "mail", "mx:25", county.clock.now(), "密码错误", needs_person=needs_person)
        county.now_is(MONDAY, 9, minutes)
        assert told(county) == [wanted]
    with county.database.write() as connection:
        breaker.worked(connection, "mail", "mx:25", county.clock.now())
    assert told(county) == []


def test_while_everything_is_held_back_it_is_red(county: County) -> None:
    county.daily(MONDAY)
    with hostile() as (_, port):
        settings = county.settings.model_copy(update={"smtp_url": f"smtp://127.0.0.1:{port}"})
        with county.database.write() as connection:
            holding.hold(connection, "恢复后核对", now=county.clock.now())
        fill(county, 2)
        county.now_is(MONDAY, 9, 20)
        Sender(county.database, county.clock, settings).run()
        assert told(county) == ["hold"]
        with county.database.write() as connection:
            holding.release(connection, now=county.clock.now())
        Sender(county.database, county.clock, settings).run()
    assert told(county) == []


def test_it_reads_by_index_only(county: County) -> None:
    now = county.clock.now()
    with county.database.snapshot() as connection:
        for query, index in ((queries.overdue(now), "ix_delivery_open"), (queries.lost(now, county.settings), "ix_delivery_lost")):
            text = str(query.compile(county.database.engine, compile_kwargs={"literal_binds": True})).replace("%", "%%")
            if county.database.sqlite:
                plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}").all()
            else:
                connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # an empty table is always read whole
                plan = connection.exec_driver_sql(f"EXPLAIN {text}").all()
            assert index in str(plan), plan
        assert connection.scalar(sa.select(sa.func.count()).select_from(DailyRun)) == 0
