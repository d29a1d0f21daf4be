"""The database against a slow second reading: random facts, recorded at growing moments, read back at every day and moment."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.heart.facts import Fact
from app.heart.rules import AWAITING
from app.offices.desk import Moment
from app.projects import derived, rebuild
from app.projects.models import ClockRow, Project, StandingRow
from app.projects.queries import known, true_on
from tests.heart.histories import days_around, fact_histories
from tests.heart.naive import compared, naive_bases, naive_standing
from tests.projects.conftest import KEY, Book

EXAMPLES = 60


def acts(facts: Sequence[Fact], alone: Sequence[bool]) -> list[list[Fact]]:
    """The facts in acts of one or several; all facts of one act share moment, business date and source."""
    found: list[list[Fact]] = []
    for fact, own in zip(facts, alone, strict=False):
        if found and not own:
            found[-1].append(fact)
        else:
            found.append([fact])
    return [
        [one._replace(recorded_at=act[-1].recorded_at, recorded_on=act[-1].recorded_on, source=act[-1].source) for one in act]
        for act in found
    ]


def stored_at(book: Book, table: Any, ref: str, moment: datetime | None) -> list[dict[str, Any]]:
    """A project's rows as known at a moment (None: now)."""
    at = Moment(date.max, moment or datetime.max, moment, False)
    return book.all(sa.select(table.__table__).join(Project, Project.id == table.project_id).where(Project.ref == ref, known(table, at)))


def judged(book: Book, ref: str, facts: Sequence[Fact], moment: datetime | None, days: Sequence[date]) -> None:
    """Everything stored of a project as known at a moment says what the facts recorded by then say."""
    standings, clocks = stored_at(book, StandingRow, ref, moment), stored_at(book, ClockRow, ref, moment)
    for day in days:
        expected = naive_standing(facts, day) if facts else None
        true = [row for row in standings if row["valid_from"] <= day < row["valid_to"]]
        assert len(true) == (expected is not None), (day, moment)
        running = {row["rule"]: (row["solid_on"], row["soft_on"]) for row in clocks if row["valid_from"] <= day < row["valid_to"]}
        running.pop(AWAITING, None)
        assert running == (naive_bases(expected) if expected else {}), (day, moment)
        if expected is not None:
            standing = derived.standing_from(true[0])
            assert compared(standing, expected) == expected, (day, moment)


def test_stored_rows_say_what_the_facts_recorded_by_then_say(book: Book) -> None:
    told = 0

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(fact_histories(min_size=4), st.lists(st.booleans(), min_size=13, max_size=13), st.data())
    def story(facts: list[Fact], alone: list[bool], data: st.DataObject) -> None:
        nonlocal told
        ref = f"P-{told}"
        recorded: list[Fact] = []
        moments: list[datetime] = []
        for act in acts(facts, [True, *alone]):
            book.record(ref, act)
            recorded += act
            moments.append(act[-1].recorded_at)
        told += len(recorded)
        days = days_around(recorded)
        judged(book, ref, recorded, None, days)
        judged(book, ref, [], moments[0] - timedelta(microseconds=1), days)
        for moment in data.draw(st.lists(st.sampled_from(moments), max_size=4, unique=True)):
            by_then = [fact for fact in recorded if fact.recorded_at <= moment]
            judged(book, ref, by_then, moment, days)
            judged(book, ref, by_then, moment + timedelta(microseconds=1), data.draw(st.lists(st.sampled_from(days), max_size=3)))
            asked = Moment(data.draw(st.sampled_from(days)), moment, moment, False)
            query = sa.select(StandingRow.stage).join(Project).where(Project.ref == ref, true_on(StandingRow, asked))
            expected = naive_standing(by_then, asked.as_of)
            assert [row["stage"] for row in book.all(query)] == ([expected["stage"]] if expected else [])

    story()
    assert told > 300
    assert rebuild.check(book.database) == []
    assert rebuild.verify_chains(book.database, KEY) == []
