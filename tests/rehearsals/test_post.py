"""Whose digest goes out: masks without a memory give what reader after reader, told day after day, gets."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from app.alerts import digest
from app.heart.limits import LEVELS, NEVER, RANK
from app.rehearsals.flags import Place, Step
from app.rehearsals.post import BUREAU, LEADER, READERS, TOWN, Audience, Mailbag, Reader, posted

NAMES = (None, *LEVELS)
DAYS = 30
WORKDAYS = [day for day in range(1, DAYS + 1) if day % 7 not in (0, 6)]
OFFICES = (1, 2, 3)
AUDIENCE = [
    Reader(11, TOWN, NEVER, frozenset({1})),
    Reader(12, TOWN, 16, frozenset({1})),
    Reader(13, TOWN, NEVER, frozenset({2, 3})),
    Reader(14, BUREAU, NEVER, frozenset()),
    Reader(15, LEADER, NEVER, frozenset()),
    Reader(16, LEADER, NEVER, frozenset(), listed=False),
]


class Told(NamedTuple):
    """A flag's level on each day, and where its project was on each."""

    levels: list[int]
    offices: list[int]
    owners: list[int | None]


def stretched(values: st.SearchStrategy[object]) -> st.SearchStrategy[list[object]]:
    """A value for every day, changing a few times."""
    return st.lists(st.tuples(st.integers(1, 12), values), min_size=1, max_size=6).map(
        lambda runs: [value for length, value in [*runs, (DAYS, runs[-1][1])] for _ in range(length)][:DAYS]
    )


flags = st.builds(
    Told,
    stretched(st.sampled_from((0, 0, 1, 1, 2, 3, 4))),  # type: ignore[arg-type]
    stretched(st.sampled_from(OFFICES)),  # type: ignore[arg-type]
    stretched(st.sampled_from((None, None, 11, 13))),  # type: ignore[arg-type]
)


def places(flag: Told) -> list[Place]:
    return [Place(day, day + 1, office, owner, None) for day, (office, owner) in enumerate(zip(flag.offices, flag.owners, strict=True), 1)]


def steps(flag: Told) -> list[Step]:
    before, found = 0, []
    for day, level in enumerate(flag.levels, 1):
        if level != before:
            found.append(Step(day, level, day))
        before = level
    return found


def walked(told: list[Told]) -> dict[str, list[int]]:
    """Reader after reader, workday after workday, each told what changed since his last digest."""
    counts = {kind: [0] * len(WORKDAYS) for kind in READERS}
    for reader in AUDIENCE:
        last: int | None = None
        who = digest.Reader("", "", reader.kind != TOWN, reader.kind == LEADER)
        for at, day in enumerate(WORKDAYS):
            if day >= reader.until:
                break
            news = False
            for flag in told:
                mine = reader.kind != TOWN or flag.offices[day - 1] in reader.offices or flag.owners[day - 1] == reader.id
                before, after = NAMES[flag.levels[last - 1] if last else 0], NAMES[flag.levels[day - 1]]
                news |= reader.listed and mine and bool(digest.relevant([digest.Change("", "", before, after, False)], who))
            if reader.kind == BUREAU:
                news |= any(flag.levels[day - 1] >= RANK["yellow"] for flag in told)
            if news:
                counts[reader.kind][at] += 1
                last = day
    return counts


@given(st.lists(flags, max_size=4))
def test_digests_are_those_of_readers_told_day_after_day(told: list[Told]) -> None:
    audience = Audience(AUDIENCE, WORKDAYS)
    bags = [Mailbag(audience), Mailbag(audience)]
    for number, flag in enumerate(told):
        bags[number % 2].add(steps(flag), audience.groups(places(flag)))
    assert posted(audience, bags, 0) == walked(told)


def test_an_early_word_that_came_to_nothing_is_not_said_twice() -> None:
    audience = Audience(AUDIENCE, WORKDAYS)
    bag = Mailbag(audience)
    bag.add([Step(1, 1, 1), Step(8, 0, 8), Step(15, 1, 15), Step(22, 2, 22)], audience.groups([Place(1, 31, 1, None, None)]))
    sent = posted(audience, [bag], 0)[TOWN]
    assert {WORKDAYS[at]: number for at, number in enumerate(sent) if number} == {1: 2, 22: 1}


def test_the_countys_leaders_get_their_month_with_its_first_workday_and_with_the_first_digest_ever() -> None:
    """The period begins on a Thursday; months begin on days 8 and 22, and nothing is known before day 3."""
    audience = Audience(AUDIENCE, WORKDAYS, [8, 22])
    bag = Mailbag(audience)
    bag.add([Step(10, 3, 10)], audience.groups([Place(1, 31, 1, None, None)]))
    sent = {WORKDAYS[at]: number for at, number in enumerate(posted(audience, [bag], 0, 3)[LEADER]) if number}
    assert sent == {3: 2, 8: 2, 10: 1, 22: 2}, "the first, two months, and a red flag in between for the bureau's, not the county's"
    late = posted(audience, [Mailbag(audience)], 0, 11)[LEADER]
    assert {WORKDAYS[at] for at, number in enumerate(late) if number} == {11, 22}, "nothing to tell of on day 8"
    assert sum(posted(audience, [Mailbag(audience)], 0, None)[LEADER]) == 0


def test_the_bureau_is_told_every_workday_while_a_stop_waits_for_a_review() -> None:
    audience = Audience(AUDIENCE, WORKDAYS)
    assert posted(audience, [], 0b1110)[BUREAU][:4] == [1, 1, 1, 0]
