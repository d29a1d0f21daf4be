"""A rehearsal is what the days would have brought: compared with a county that really had the policy, day by day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import orjson
import pytest
import sqlalchemy as sa

from app.alerts.daily import run_day
from app.cli.rehearsing import EVERYBODY
from app.offices.desk import Moment, Work
from app.policies.policy import Policy
from app.policies.queries import book_of
from app.rehearsals import queries, service
from app.rehearsals.audience import READERS, Audience
from app.rehearsals.flags import changes, steps
from app.rehearsals.tally import Period
from app.rehearsals.variants import Contest, Variant
from app.stalls.models import DailyRun
from app.stalls.queries import stopped_total
from tests.daily.county import MONDAY, days
from tests.rehearsals.life import Life

LiveFrom = Callable[[int, date], Life]
NOBODY = Audience([], [])
BACK = {"signed_no_progress": {"yellow": "1d", "red": "200d"}}
STRICT: dict[str, Any] = {
    "intent_no_progress": {"yellow": "15d", "red": "40d", "exit_review": "60d"},
    "signed_no_progress": {"yellow": "6wd", "red": "1m", "leased": {"yellow": "3d", "red": "9d"}, "no_site": {"exit_review": "none"}},
    "signed_to_registered": {"yellow": "none", "red": "20d"},
    "claim_waiting": {"yellow": "1wd", "red": "3wd", "exit_review": "10wd"},
    "funds_low_after_start": {"yellow": "5d", "red": "20d", "share": "60%"},
    "start_to_operating": {"yellow": "20d", "red": "60d", "agreed": {"yellow": "40%", "red": "70%", "exit_review": "90%"}},
    "report_missing": {"yellow": "1d", "red": "9d"},
}
ODD: dict[str, Any] = {
    "intent_no_progress": {"red": "none", "exit_review": "45d"},
    "signed_no_progress": {"yellow": "45d", "red": "12d", "exit_review": "5d"},
    "signed_to_registered": {"enabled": False},
    "signed_to_filed": {"yellow": "2d", "red": "3d", "exit_review": "4d", "purchased": {"yellow": "none", "red": "none"}},
    "funds_low_after_start": {"yellow": "9d", "red": "none", "exit_review": "30d", "leased": {"share": "90%"}},
    "start_to_operating": {"yellow": "90%", "leased": {"red": "30%"}},
    "suspension_expired": {"yellow": "-9d", "red": "3d"},
    "land_to_start": {"yellow": "3d", "red": "11d"},
    "owner_missing": {"enabled": False},
}


@pytest.mark.parametrize(("seed", "table"), [(1, STRICT), (2, ODD)])
def test_a_rehearsal_equals_really_having_had_the_policy(live_from: LiveFrom, seed: int, table: dict[str, Any]) -> None:
    life = live_from(seed, date(2026, 2, 5))
    life.policy(table)
    life.live(80, 24)
    county, digests = life.county, life.digests()
    print(f"seed {seed}: {len(life.changes())} changes of flags, {sum(digests.values())} digests")
    having_had = life.governing()
    assert rehearsed(life, having_had, queries.THEN) == life.changes()

    life.policy(BACK)  # from now on the county has other limits; what it had is only a candidate
    said = service.rehearse(life.house, service.Asked([("had", {"limits": table})], life.begin, life.end, queries.THEN), life.everybody())
    posted = {row["reader"]: row["values"] for row in said["mails"] if row["variant"] == "had"}
    found = {(day, reader): posted[reader][at] for reader in READERS for at, day in enumerate(said["workdays"])}
    assert digests == Counter({key: number for key, number in found.items() if number})
    assert {reader for _, reader in digests} == set(READERS)

    with county.database.statement() as connection:
        counts = [orjson.loads(row) for row in connection.scalars(sa.select(DailyRun.counts))]
    had = next(one for one in said["variants"] if one["name"] == "had")
    for mine, theirs in (("opened", "opened"), ("escalated", "escalated"), ("eased", "eased"), ("closed", "recovered")):
        assert had[mine] == sum(one[theirs] for one in counts), mine
    stopped = next(one["values"] for one in said["stopped"] if one["variant"] == "had")
    assert stopped == [_stopped(life, having_had, end) for end in Period(life.begin, life.end).month_ends]
    for level in ("yellow", "red", "exit_review"):
        assert had[f"open_{level}"] == sum(one == level for one in county.open_flags().values())


def test_by_what_is_known_now_it_equals_days_that_are_run_afterwards(live_from: LiveFrom) -> None:
    """As after an import: everything is known, and then every day is judged. (Flags carry the office a project has when they are
    written, a rehearsal the one it had on the day.)"""
    life = live_from(3, date(2026, 2, 5))
    life.live(40, 20, runs=False)
    for day in days(life.begin, 40):
        run_day(life.county.database, life.county.clock, life.county.settings, book_of(life.county.database), day)
    assert life.changes()
    assert {(*one[:3], *one[4:]) for one in rehearsed(life, life.governing(), queries.NOW)} == {
        (*one[:3], *one[4:]) for one in life.changes()
    }


def test_a_late_report_excuses_by_what_is_known_now_and_not_by_what_the_morning_knew(live_from: LiveFrom) -> None:
    life = live_from(4, MONDAY)
    county = life.county
    county.now_is(MONDAY, 15)
    county.signed("A", MONDAY)
    county.now_is(MONDAY + timedelta(days=40), 15)
    county.progress("A", MONDAY + timedelta(days=18), "company_registered")
    county.now_is(MONDAY + timedelta(days=50), 15)
    asked = service.Asked([], MONDAY, MONDAY + timedelta(days=50))
    now, then = (service.rehearse(life.house, asked._replace(knowledge=one), life.everybody()) for one in (queries.NOW, queries.THEN))
    reached = [
        {row[1] for row in said["table"]["rows"] if row[2] == "signed_no_progress" and row[said["table"]["columns"].index("yellow")]}
        for said in (now, then)
    ]
    assert reached == [{"2026-04"}, {"2026-03"}], "yellow twenty days after the progress; after the signing, for whoever did not know"
    assert [said["variants"][0]["rules"]["signed_no_progress"]["eased"] for said in (now, then)] == [0, 1]


def rehearsed(life: Life, policy: Policy, knowledge: str) -> set[tuple[Any, ...]]:
    """What a rehearsal says of every flag, as `Life.changes` tells it."""
    question = life.question(knowledge)
    profiles = Contest(question.period, NOBODY, [Variant("had", policy)]).of["had"]
    return {
        (date.fromordinal(one.day), told.number, rule, told.seen.place(one.day).office_id, one.before, one.after, one.stock)
        for batch in queries.register(life.county.database, question, NOBODY, None)
        for told in batch
        for rule, clocks in told.clocks.items()
        if rule in profiles
        for one in changes(steps(clocks, profiles[rule].judge, question.period.end), told.seen.first_look)
    }


def _stopped(life: Life, policy: Policy, end: int) -> int:
    """Signed-then-stopped as the list answers it for a day, by what its morning knew."""
    day = date.fromordinal(end)
    known = datetime.combine(day, life.house.settings.daily_at, life.house.settings.zone)
    with life.county.database.snapshot() as connection:
        return stopped_total(Work(connection, EVERYBODY, life.house), Moment(day, known, known, False), policy, life.everybody())
