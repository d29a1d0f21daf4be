"""The fold against the slow second reading, over histories that nobody would make up."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from app.heart import rules
from app.heart.clocks import clocks
from app.heart.facts import ON_OTHERS, Fact
from app.heart.limits import FOREVER
from app.heart.live import reports_of
from app.heart.standing import fold, standing_on
from tests.heart.histories import days_around, fact_histories
from tests.heart.naive import compared, naive_bases, naive_standing


@given(fact_histories(takes_back_registration=True))
def test_the_fold_agrees_with_the_slow_reading_on_every_day_around_a_change(facts: list[Fact]) -> None:
    segments = fold(facts)
    for day in days_around(facts):
        expected = naive_standing(facts, day)
        found = standing_on(segments, day)
        assert (found is None) == (expected is None), day
        if found is not None and expected is not None:
            assert compared(found, expected) == expected, day


@given(fact_histories(takes_back_registration=True), st.data())
def test_what_was_known_is_the_fold_of_what_was_recorded(facts: list[Fact], data: st.DataObject) -> None:
    known = facts[: data.draw(st.integers(1, len(facts)))]
    day = data.draw(st.sampled_from(days_around(facts)))
    expected = naive_standing(known, day)
    found = standing_on(fold(known), day)
    assert expected == (found and compared(found, expected or {}))


@given(fact_histories(takes_back_registration=True))
def test_segments_are_gapless_ascending_and_as_long_as_can_be(facts: list[Fact]) -> None:
    segments = fold(facts)
    if not segments:
        assert all(naive_standing(facts, day) is None for day in days_around(facts))
        return
    assert segments[-1].valid_to == FOREVER
    for segment, following in pairwise(segments):
        assert segment.valid_from < segment.valid_to == following.valid_from
        assert segment.standing != following.standing


ORDER_MATTERS = ("amended", "funded")
"""Of two amendments, or two totals, of one day the one told last holds; so does the later of two suspensions."""


def order_matters(fact: Fact) -> bool:
    return fact.kind in ORDER_MATTERS or fact.data.get("planned") or fact.data.get("action") in ("sign", "suspend")


def told_in_order(facts: Sequence[Fact], order: Sequence[int]) -> list[Fact]:
    """The same facts recorded in another order (of their old numbers), reviews still pointing at what they reviewed."""
    renumbered = {old: new for new, old in enumerate(order, 1)}
    by_old = {fact.seq: fact for fact in facts}
    return [by_old[old]._replace(seq=new, target=renumbered.get(by_old[old].target or 0)) for old, new in renumbered.items()]


@given(fact_histories(), st.randoms(use_true_random=False))
def test_the_order_of_recording_changes_nothing(facts: list[Fact], random: Random) -> None:
    first = [fact.seq for fact in facts if fact.kind not in ON_OTHERS]
    kept_in_order = [fact.seq for fact in facts if fact.seq in first and order_matters(fact)]
    random.shuffle(first)
    places = iter(kept_in_order)
    order = [next(places) if seq in kept_in_order else seq for seq in first]
    order += [fact.seq for fact in facts if fact.kind in ON_OTHERS]
    shuffled = told_in_order(facts, order)
    random.shuffle(shuffled)  # nor does the order in which a database hands them over
    assert fold(shuffled) == fold(facts)


@given(fact_histories())
def test_the_clocks_of_all_segments_say_what_the_rules_say_each_day(facts: list[Fact]) -> None:
    segments = fold(facts)
    reports = reports_of(facts)
    running_ones = clocks(segments, reports)
    for day in days_around(facts):
        now = standing_on(segments, day)
        running = {clock.rule: clock for clock in running_ones if clock.valid_from <= day < clock.valid_to}
        running.pop(rules.AWAITING, None)
        expected = {}
        if now is not None and now.status != "terminated":
            reported_on = max((one for one in reports if one <= day), default=None)
            for rule in rules.RULES:
                basis = rule.reported(now, reported_on) if rule.reported else rule.basis(now)
                if basis is not None and (rule.during_pause or not now.silent):
                    expected[rule.name] = basis
        assert {name: (*clock[3:6], clock.part, clock.agreed_on) for name, clock in running.items()} == expected
        for clock in running.values():
            assert now is not None
            assert clock.halted == (now.halted and clock.rule in rules.STOPPED_BY)
            assert (clock.office_id, clock.route) == (now.office_id, now.route)


@given(fact_histories())
def test_the_clocks_count_from_the_bases_the_slow_reading_finds(facts: list[Fact]) -> None:
    running_ones = clocks(fold(facts), reports_of(facts))
    for day in days_around(facts):
        now = naive_standing(facts, day)
        running = [clock for clock in running_ones if clock.valid_from <= day < clock.valid_to]
        running = [clock for clock in running if clock.rule != rules.AWAITING]
        assert {clock.rule: (clock.solid_on, clock.soft_on) for clock in running} == (naive_bases(now) if now else {})
        assert len(running) == len({clock.rule for clock in running})


@given(fact_histories())
def test_neighbouring_clocks_differ(facts: list[Fact]) -> None:
    running_ones = clocks(fold(facts), reports_of(facts))
    by_start = {(clock.rule, clock.valid_from): clock for clock in running_ones}
    for clock in running_ones:
        assert clock.valid_from < clock.valid_to
        following = by_start.get((clock.rule, clock.valid_to))
        assert following is None or following[3:] != clock[3:]


@given(fact_histories())
def test_the_soft_basis_is_never_before_the_solid_one(facts: list[Fact]) -> None:
    """The lists rely on it, and on this: only a date agreed on beforehand lies in the future."""
    for clock in clocks(fold(facts), reports_of(facts)):
        assert clock.solid_on <= clock.soft_on
        if clock.basis not in ("planned_start_on", "suspended_until", "report_due_on", "ownerless_on"):
            assert clock.soft_on <= clock.valid_from
