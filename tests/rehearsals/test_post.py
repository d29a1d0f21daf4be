"""Whose digest goes out: masks without a memory give what reader after reader, told day after day, gets."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from app.alerts import hearing
from app.alerts.readers import successions
from app.heart.limits import LEVELS, RANK
from app.rehearsals.audience import BUREAU, ELSEWHERE, LEADER, READERS, TOWN, Audience, Lead, Reader
from app.rehearsals.flags import Place, Step
from app.rehearsals.post import Mailbag, posted

NAMES = (None, *LEVELS)
DAYS = 30
WORKDAYS = [day for day in range(1, DAYS + 1) if day % 7 not in (0, 6)]
WEEKS = [1, 8, 15, 22, 29]
PATHS = [(1, "/1/"), (2, "/1/2/"), (3, "/1/3/"), (4, "/1/3/4/"), (5, "/1/5/"), (6, "/1/6/")]
OFFICES = (2, 3, 4)
PEOPLE = [
    Reader(11, "clerk", "town", "/1/2/"),
    Reader(12, "clerk", "town", "/1/2/", 16),
    Reader(13, "clerk", "town", "/1/3/", 23),
    Reader(14, "officer", "bureau", "/1/5/"),
    Reader(15, "leader", "bureau", "/1/5/"),
    Reader(16, "leader", "county", "/1/"),
    Reader(17, "leader", "department", "/1/6/", 26),
    Reader(18, "clerk", "department", "/1/6/", 12),
    Reader(19, "clerk", "town", "/1/2/", mailed=False),
]
"""12's projects and 13's whole town go to the county's leader, for these towns have none; 18's to 17 and then to 16."""


class Told(NamedTuple):
    """A flag's level on each day, and where its project was on each."""

    levels: list[int]
    offices: list[int]
    owners: list[int | None]
    liaisons: list[int | None]


def stretched(values: st.SearchStrategy[object]) -> st.SearchStrategy[list[object]]:
    """A value for every day, changing a few times."""
    return st.lists(st.tuples(st.integers(1, 12), values), min_size=1, max_size=6).map(
        lambda runs: [value for length, value in [*runs, (DAYS, runs[-1][1])] for _ in range(length)][:DAYS]
    )


flags = st.builds(
    Told,
    stretched(st.sampled_from((0, 0, 1, 1, 2, 3, 4))),  # type: ignore[arg-type]
    stretched(st.sampled_from(OFFICES)),  # type: ignore[arg-type]
    stretched(st.sampled_from((None, None, 11, 12, 13, 18))),  # type: ignore[arg-type]
    stretched(st.sampled_from((None, None, 11, 14, 15, 16, 17, 18))),  # type: ignore[arg-type]
)


def places(flag: Told) -> list[Place]:
    days = zip(flag.offices, flag.owners, flag.liaisons, strict=True)
    return [Place(day, day + 1, office, owner, None, liaison) for day, (office, owner, liaison) in enumerate(days, 1)]


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
    for reader in PEOPLE:
        last: int | None = None
        for at, day in enumerate(WORKDAYS):
            if day < reader.until and reader.mailed and _news(reader, told, day, last):
                counts[reader.counted][at] += 1
                last = day
    return counts


OWN, LED = hearing.Reader("", "", whole=False, leader=False), hearing.Reader("", "", whole=True, leader=True)


def _news(reader: Reader, told: list[Told], day: int, last: int | None) -> bool:
    """Is there anything for him on a day, when he was last told on another?"""
    heirs = successions([one for one in PEOPLE if one.until > day], [one for one in PEOPLE if one.until <= day], PATHS)
    named = {who for flag in told for who in (flag.owners[day - 1], flag.liaisons[day - 1])}
    left = {number: one for number, one in heirs.items() if reader.id in one.heirs and (one.offices or number in named)}
    him = {reader.id, *left}
    if any(last is None or one.until > last for one in PEOPLE if one.id in left):
        return True
    begun = max(week for week in WEEKS if week <= day)
    if (last is None or last < begun) and any(flag.liaisons[day - 1] in him for flag in told):
        return True
    if (
        reader.listed
        and reader.kind == "bureau"
        and reader.role != "leader"
        and any(flag.levels[day - 1] >= RANK["yellow"] for flag in told)
    ):
        return True
    for flag in told:
        office = flag.offices[day - 1]
        heard: list[hearing.Reader] = []
        if reader.listed and reader.kind == "bureau":
            heard.append(hearing.Reader("", "", whole=True, leader=reader.role == "leader"))
        if reader.listed and reader.kind == "town" and dict(PATHS)[office].startswith(reader.path):
            heard.append(OWN)
        if flag.owners[day - 1] in him or any(office in one.offices for one in left.values()):
            heard.append(OWN)
        if flag.liaisons[day - 1] in him:
            heard.append(LED)
        before, after = NAMES[flag.levels[last - 1] if last else 0], NAMES[flag.levels[day - 1]]
        if any(hearing.relevant([hearing.Change("", "", before, after, False)], who) for who in heard):
            return True
    return False


@given(st.lists(flags, max_size=4))
def test_digests_are_those_of_readers_told_day_after_day(told: list[Told]) -> None:
    audience, lead = Audience(PEOPLE, WORKDAYS, (), WEEKS, PATHS), Lead({}, {})
    bags = [Mailbag(audience), Mailbag(audience)]
    for number, flag in enumerate(told):
        for place in places(flag):
            audience.live(place, lead)
        bags[number % 2].add(steps(flag), audience.groups(places(flag)))
    assert posted(audience, bags, 0, None, lead) == walked(told)


def test_a_leaver_is_told_of_once_and_what_he_looked_after_every_week() -> None:
    """18 looks after a project and leaves on Friday the 12th: his leader is told then, and reads the page from Monday on; that one
    leaves too, on the 26th, and the next week's page is the county's leader's, who had been told something on the 23rd."""
    audience, lead = Audience(PEOPLE, WORKDAYS, (), WEEKS, PATHS), Lead({}, {})
    audience.live(Place(3, 31, 9, None, None, 18), lead)
    sent = posted(audience, [], 0, None, lead)
    assert {WORKDAYS[at]: number for at, number in enumerate(sent[ELSEWHERE]) if number} == {3: 1, 8: 1, 12: 1, 15: 1, 22: 1}
    assert {WORKDAYS[at] for at, number in enumerate(sent[LEADER]) if number} == {23, 29}, "a town without a reader; the page"
    assert not any(sent[TOWN]) and not any(sent[BUREAU])


def test_an_early_word_that_came_to_nothing_is_not_said_twice() -> None:
    audience = Audience(PEOPLE[:3], WORKDAYS, offices=PATHS)
    bag = Mailbag(audience)
    bag.add([Step(1, 1, 1), Step(8, 0, 8), Step(15, 1, 15), Step(22, 2, 22)], audience.groups([Place(1, 31, 2, None, None)]))
    sent = posted(audience, [bag], 0)[TOWN]
    assert {WORKDAYS[at]: number for at, number in enumerate(sent) if number} == {1: 2, 22: 1}


def test_the_countys_leaders_get_their_month_with_its_first_workday_and_with_the_first_digest_ever() -> None:
    """The period begins on a Thursday; months begin on days 8 and 22, and nothing is known before day 3."""
    audience = Audience([PEOPLE[4], PEOPLE[5]], WORKDAYS, [8, 22], offices=PATHS)
    bag = Mailbag(audience)
    bag.add([Step(10, 3, 10)], audience.groups([Place(1, 31, 2, None, None)]))
    sent = {WORKDAYS[at]: number for at, number in enumerate(posted(audience, [bag], 0, 3)[LEADER]) if number}
    assert sent == {3: 2, 8: 2, 10: 1, 22: 2}, "the first, two months, and a red flag in between for the bureau's, not the county's"
    late = posted(audience, [Mailbag(audience)], 0, 11)[LEADER]
    assert {WORKDAYS[at] for at, number in enumerate(late) if number} == {11, 22}, "nothing to tell of on day 8"
    assert sum(posted(audience, [Mailbag(audience)], 0, None)[LEADER]) == 0


def test_the_bureau_is_told_every_workday_while_a_stop_waits_for_a_review() -> None:
    audience = Audience(PEOPLE[3:5], WORKDAYS)
    assert posted(audience, [], 0b1110)[BUREAU][:4] == [1, 1, 1, 0]
