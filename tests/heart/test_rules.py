"""The rules by hand: a history, a rule, and what it must say on which day. Counted with a calendar on the wall.

"03-24 yellow 03-21; 03-25 off" reads: on 24 March the level is yellow, reached on 21 March; on 25 March no clock runs.
A dash is a running clock without a level. All days are of 2026: 1 March is a Sunday; offices close from 15 to 23
February, 4 to 6 April and 1 to 5 May, and work on the Saturdays 14 and 28 February and 9 May. The limits are those of
policy version 1 unless the row brings its own.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

import pytest

from app.heart import lifecycle, rules
from app.heart.clocks import Clock, clocks, fingerprint
from app.heart.facts import Fact
from app.heart.limits import Limits, due, limits_of
from app.heart.live import reports_of
from app.heart.standing import fold
from tests.heart.story import (
    CONTRACT,
    amended,
    contacted,
    day,
    evidence,
    funded,
    history,
    intended,
    landed,
    milestone,
    noted,
    operated,
    proof,
    recognised,
    registered,
    reopened,
    reported,
    resumed,
    returned,
    reverted,
    signed,
    standing,
    started,
    suspended,
    terminated,
    voided,
)

INTENT, PROGRESS, COMPANY, FILING, WAITING = (rule.name for rule in rules.RULES[:5])


class Case(NamedTuple):
    """A history, a rule, and what the rule says on some days."""

    why: str
    facts: list[Fact]
    rule: str
    says: str
    policy: Mapping[str, str] | None = None


def clock_on(facts: list[Fact], rule: str, on: date) -> Clock | None:
    running = [clock for clock in clocks(fold(facts), reports_of(facts)) if clock.rule == rule and clock.valid_from <= on < clock.valid_to]
    assert len(running) <= 1
    return running[0] if running else None


def limits_for(rule: str, policy: Mapping[str, str] | None, clock: Clock) -> Limits:
    if policy is not None:
        return limits_of(policy)
    return rules.default_limits(rules.BY_NAME[rule], clock.route, agreed=clock.agreed_on is not None)


def says(case: Case, on: date) -> str:
    clock = clock_on(case.facts, case.rule, on)
    if clock is None:
        return "off"
    limits = limits_for(case.rule, case.policy, clock)
    reached = limits.reached(clock.solid_on, clock.soft_on, on, agreed_on=clock.agreed_on, part=clock.part)
    return "-" if reached is None else f"{reached[0]} {reached[2]:%m-%d}"


def each_day(cases: Sequence[Any]) -> list[Any]:
    """One test for each day a row names."""
    return [
        pytest.param(case, day(f"2026-{said[:5]}"), said[6:], id=f"{case.why}, {said[:5]}")
        for case in cases
        for said in case.says.split("; ")
    ]


REGISTERED = registered("2026-01-05")
SIGNED = (REGISTERED, signed("2026-03-01"))
EARLY_LAND = (REGISTERED, landed("2026-02-10"), signed("2026-03-01"))
CODE = "91350100M000100Y43"

CASES = [
    # Intent without progress: 30, 60, 180 days -----------------------------------------------------------------
    Case("an intent counts from its registration", history(REGISTERED), INTENT,
         "01-05 -; 01-27 -; 01-28 blue 01-28; 02-03 blue 01-28; 02-04 yellow 02-04; 03-05 yellow 02-04; "
         "03-06 red 03-06; 07-03 red 03-06; 07-04 exit_review 07-04"),
    Case("no clock before the project", history(REGISTERED), INTENT, "01-04 off"),
    Case("a signing ends it", history(*SIGNED), INTENT, "02-28 yellow 02-04; 03-01 off"),
    Case("land without a contract ends it too", history(REGISTERED, landed("2026-02-10")), INTENT, "02-10 off"),
    Case("a changed text moves yellow, not red",
         history(REGISTERED, reported("2026-02-01", "看厂房"), reported("2026-03-01", "谈租金")), INTENT,
         "02-23 -; 02-24 blue 02-24; 03-01 -; 03-05 -; 03-06 red 03-06"),
    Case("the same text again, otherwise punctuated, moves nothing",
         history(REGISTERED, reported("2026-01-20", "看厂房。"), reported("2026-02-10", " 看 厂房！")), INTENT,
         "02-18 blue 02-12; 02-19 yellow 02-19"),
    Case("a report without a text says no change", history(REGISTERED, reported("2026-01-20", None)), INTENT,
         "02-04 yellow 02-04"),
    Case("a contact and a note move nothing", history(REGISTERED, contacted("2026-01-20"), noted("2026-01-25")),
         INTENT, "02-04 yellow 02-04"),
    Case("a repeated intent moves nothing", history(REGISTERED, intended("2026-01-20")), INTENT,
         "02-04 yellow 02-04"),
    Case("dated evidence moves red as well",
         history(REGISTERED, evidence("2026-02-02", proof("letter_of_intent", "2026-02-01"))), INTENT,
         "03-02 blue 02-24; 03-03 yellow 03-03; 04-02 red 04-02"),
    Case("undated evidence moves nothing", history(REGISTERED, evidence("2026-02-02", proof("letter_of_intent"))),
         INTENT, "02-04 yellow 02-04"),
    Case("evidence that the clerk sends late counts from its own date",
         history(REGISTERED, evidence("2026-03-20", proof("letter_of_intent", "2026-02-01"))), INTENT,
         "02-20 -; 03-20 yellow 03-03"),
    Case("a visit record is a contact, not progress",
         history(REGISTERED, evidence("2026-01-20", proof("meeting_record", "2026-01-20"))), INTENT,
         "02-04 yellow 02-04"),
    Case("money in place is progress; as much again is not",
         history(REGISTERED, funded("2026-01-20", 100), funded("2026-02-10", 100)), INTENT, "02-19 yellow 02-19"),
    Case("more money is progress again", history(REGISTERED, funded("2026-01-20", 100), funded("2026-02-10", 101)),
         INTENT, "02-19 -; 03-12 yellow 03-12"),
    Case("a plan is no progress", history(REGISTERED, milestone("real_start", "2026-01-20", planned=True)), INTENT,
         "02-04 yellow 02-04"),
    Case("a project registered without a claim has no intent to go cold",
         history(registered("2026-01-05", claims=False)), INTENT, "04-01 off"),
    # Signed and no progress since: 20, 30, 180 days ------------------------------------------------------------
    Case("a signing counts from its date", history(*SIGNED), PROGRESS,
         "02-28 off; 03-01 -; 03-13 -; 03-14 blue 03-14; 03-21 yellow 03-21; 03-30 yellow 03-21; "
         "03-31 red 03-31; 08-27 red 03-31; 08-28 exit_review 08-28"),
    Case("land ends it", history(*SIGNED, landed("2026-04-01")), PROGRESS, "03-31 red 03-31; 04-01 off"),
    Case("land before the contract does not", history(*EARLY_LAND), PROGRESS, "03-21 yellow 03-21; 03-31 red 03-31"),
    Case("land and contract on one day do", history(REGISTERED, landed("2026-03-01"), signed("2026-03-01")), PROGRESS,
         "03-31 off"),
    Case("construction of any date ends it", history(REGISTERED, started("2026-02-10"), signed("2026-03-01")),
         PROGRESS, "03-31 off"),
    Case("so does a plant already running", history(REGISTERED, operated("2026-02-10"), signed("2026-03-01")),
         PROGRESS, "03-31 off"),
    Case("a milestone begins it anew", history(*SIGNED, milestone("eia_approved", "2026-03-25")), PROGRESS,
         "03-24 yellow 03-21; 03-25 -; 04-14 yellow 04-14; 04-24 red 04-24"),
    Case("progress before the signing does not delay it",
         history(REGISTERED, milestone("project_filed", "2026-02-20"), signed("2026-03-01")), PROGRESS,
         "03-31 red 03-31"),
    Case("the contract's own milestone and paper move nothing",
         history(*SIGNED, milestone("contract_signed", "2026-03-20"),
             evidence("2026-03-20", CONTRACT | {"dated_on": "2026-03-20"})),
         PROGRESS, "03-21 yellow 03-21"),
    Case("a text moves yellow and leaves red where it was", history(*SIGNED, reported("2026-03-19", "设计厂房布局")),
         PROGRESS, "03-21 -; 03-30 -; 03-31 red 03-31"),
    Case("a text every week never keeps red away",
         history(*SIGNED, *(reported(f"2026-03-{at:02}", f"第{at}日进展") for at in (8, 15, 22, 29))), PROGRESS,
         "03-30 -; 03-31 red 03-31; 08-28 exit_review 08-28"),
    Case("a repeated signing keeps the earliest date", history(*SIGNED, signed("2026-03-20")), PROGRESS,
         "03-31 red 03-31"),
    Case("an earlier signing told later moves it back", history(*SIGNED, signed("2026-02-20", told="2026-03-02")),
         PROGRESS, "03-01 -; 03-22 red 03-22"),
    Case("an intent dated after the signing moves nothing", history(*SIGNED, intended("2026-03-20")), PROGRESS,
         "03-31 red 03-31"),
    Case("a returned land claim never stopped it",
         history(*SIGNED, landed("2026-03-20", by="town"), returned(3, "2026-03-24")), PROGRESS,
         "03-21 yellow 03-21; 03-31 red 03-31"),
    Case("a land claim still under review does stop it", history(*SIGNED, landed("2026-03-20", by="town")), PROGRESS,
         "03-31 off"),
    Case("a returned signing never began it",
         history(REGISTERED, signed("2026-03-01", by="town"), returned(2, "2026-03-04")), PROGRESS, "03-31 off"),
    Case("a voided milestone never was",
         history(*SIGNED, milestone("eia_approved", "2026-03-25"), voided(3, "2026-03-26")), PROGRESS,
         "03-31 red 03-31"),
    Case("a void taken back lets it be",
         history(*SIGNED, milestone("eia_approved", "2026-03-25"), voided(3, "2026-03-26"), voided(4, "2026-03-27")),
         PROGRESS, "03-31 -; 04-24 red 04-24"),
    Case("a start reverted lets the old clock run on",
         history(*SIGNED, started("2026-03-10"), reverted("2026-04-05", "signed")), PROGRESS,
         "03-10 off; 04-04 off; 04-05 red 03-31"),
    Case("a pause silences it and moves no basis", history(*SIGNED, suspended("2026-03-10", "2026-04-10")), PROGRESS,
         "03-09 -; 03-10 off; 04-09 off; 04-10 red 03-31"),
    Case("a resume ends the pause early",
         history(*SIGNED, suspended("2026-03-10", "2026-04-10"), resumed("2026-03-22")), PROGRESS,
         "03-21 off; 03-22 yellow 03-21"),
    Case("a pause without an end lasts", history(*SIGNED, suspended("2026-03-10")), PROGRESS, "12-31 off"),
    Case("a visit through the interface ends no pause",
         history(*SIGNED, suspended("2026-03-10"), contacted("2026-03-20")), PROGRESS, "03-31 off"),
    Case("an imported contact of a later day ends an imported pause",
         history(*SIGNED, suspended("2026-03-10", by="import"), contacted("2026-03-22", by="import")), PROGRESS,
         "03-21 off; 03-22 yellow 03-21"),
    Case("one of the same day does not",
         history(*SIGNED, suspended("2026-03-10", by="import"), contacted("2026-03-10", by="import")), PROGRESS,
         "03-22 off"),
    Case("a terminated project is silent until reopened",
         history(*SIGNED, terminated("2026-03-25"), reopened("2026-04-02")), PROGRESS,
         "03-24 yellow 03-21; 03-25 off; 04-01 off; 04-02 red 03-31"),
    Case("limits in months count to the same day or the month's end", history(REGISTERED, signed("2026-01-31")),
         PROGRESS, "02-27 blue 02-21; 02-28 yellow 02-28; 04-29 yellow 02-28; 04-30 red 04-30",
         {"yellow": "1m", "red": "3m"}),
    Case("limits in workdays skip the spring festival", history(REGISTERED, signed("2026-02-12")), PROGRESS,
         "02-23 blue 02-17; 02-24 yellow 02-24; 02-26 yellow 02-24; 02-27 red 02-27",
         {"yellow": "3wd", "red": "6wd"}),
    # Signed and no company: 24, 30, 60 days --------------------------------------------------------------------
    Case("without a company it counts from the signing", history(*SIGNED), COMPANY,
         "03-24 blue 03-18; 03-25 yellow 03-25; 03-31 red 03-31; 04-29 red 03-31; 04-30 exit_review 04-30"),
    Case("progress of other kinds does not delay it", history(*SIGNED, milestone("eia_approved", "2026-03-25")),
         COMPANY, "03-31 red 03-31"),
    Case("a milestone ends it", history(*SIGNED, milestone("company_registered", "2026-03-28")), COMPANY,
         "03-27 yellow 03-25; 03-28 off"),
    Case("a registration paper ends it from its own date",
         history(*SIGNED, evidence("2026-04-02", proof("company_registration", "2026-03-28"))), COMPANY,
         "03-27 yellow 03-25; 03-28 off"),
    Case("a company older than the contract ends it before it begins",
         history(REGISTERED, milestone("company_registered", "2026-02-20"), signed("2026-03-01")), COMPANY,
         "03-31 off"),
    Case("a planned registration does not",
         history(*SIGNED, milestone("company_registered", "2026-03-10", planned=True)), COMPANY, "03-31 red 03-31"),
    Case("land without a registration does not", history(*SIGNED, landed("2026-03-10")), COMPANY, "03-31 red 03-31"),
    Case("an existing site has its company",
         history(registered("2026-01-05", route="existing_site"), signed("2026-03-01")), COMPANY, "03-31 off"),
    Case("a credit code shows a company", history(registered("2026-01-05", credit_code=CODE), signed("2026-03-01")),
         COMPANY, "03-31 off"),
    Case("a credit code told later shows it from then on", history(*SIGNED, amended("2026-03-27", credit_code=CODE)),
         COMPANY, "03-26 yellow 03-25; 03-27 off"),
    Case("an existing site may still found a company",
         history(registered("2026-01-05", route="existing_site", needs_registration=True), signed("2026-03-01")),
         COMPANY, "03-31 red 03-31"),
    Case("a route not known yet is not an existing site",
         history(registered("2026-01-05", route=None), signed("2026-03-01")), COMPANY, "03-31 red 03-31"),
    Case("a signing reverted ends it", history(*SIGNED, reverted("2026-03-26", "intent")), COMPANY,
         "03-25 yellow 03-25; 03-26 off"),
    # Signed and not filed: 45, 60, 120 days --------------------------------------------------------------------
    Case("without a filing it counts from the signing", history(*SIGNED), FILING,
         "04-14 blue 04-08; 04-15 yellow 04-15; 04-30 red 04-30; 06-29 exit_review 06-29"),
    Case("a service without a site files nothing",
         history(registered("2026-01-05", route="no_site"), signed("2026-03-01")), FILING, "04-30 off"),
    Case("a filing of any date ends it",
         history(REGISTERED, milestone("project_filed", "2026-02-01"), signed("2026-03-01")), FILING, "04-30 off"),
    Case("a route not known yet has to file", history(registered("2026-01-05", route=None), signed("2026-03-01")),
         FILING, "04-30 red 04-30"),
    Case("a route changed to no site ends it", history(*SIGNED, amended("2026-04-20", route="no_site")), FILING,
         "04-19 yellow 04-15; 04-20 off"),
    Case("it runs on through later stages", history(*SIGNED, landed("2026-03-10"), started("2026-03-20")), FILING,
         "04-30 red 04-30"),
    # A claim waits: 5 and 10 workdays --------------------------------------------------------------------------
    Case("a claim waits from the day it was told",
         history(REGISTERED, signed("2026-02-20", by="town", told="2026-03-02")), WAITING,
         "03-01 off; 03-02 -; 03-03 blue 03-03; 03-08 blue 03-03; 03-09 yellow 03-09; 03-13 yellow 03-09; "
         "03-16 red 03-16; 12-31 red 03-16"),
    Case("workdays skip a festival and count working Saturdays", history(REGISTERED, signed("2026-02-13", by="town")),
         WAITING, "02-26 blue 02-20; 02-27 yellow 02-27; 03-04 yellow 02-27; 03-05 red 03-05"),
    Case("a claim told on May Day waits from the holiday on", history(REGISTERED, signed("2026-05-01", by="town")),
         WAITING, "05-10 blue 05-04; 05-11 yellow 05-11; 05-18 red 05-18"),
    Case("a recognition ends the waiting",
         history(REGISTERED, signed("2026-03-02", by="town"), recognised(2, "2026-03-10")), WAITING,
         "03-09 yellow 03-09; 03-10 off"),
    Case("a returned claim never waited",
         history(REGISTERED, signed("2026-03-02", by="town"), returned(2, "2026-03-10")), WAITING, "03-09 off"),
    Case("the oldest claim counts",
         history(REGISTERED, signed("2026-03-02", by="town"), landed("2026-03-05", by="town"),
             recognised(2, "2026-03-11")),
         WAITING, "03-10 yellow 03-09; 03-11 blue 03-06; 03-12 yellow 03-12"),
    Case("what the bureau itself tells does not wait", history(*SIGNED), WAITING, "03-31 off"),
    Case("a town's registration waits too", history(registered("2026-01-05", by="town")), WAITING,
         "01-12 yellow 01-12; 01-19 red 01-19"),
    Case("a pause silences the waiting too",
         history(REGISTERED, signed("2026-03-02", by="town"), suspended("2026-03-04", "2026-03-17")), WAITING,
         "03-16 off; 03-17 red 03-16"),
]  # fmt: skip


@pytest.mark.parametrize(("case", "on", "expected"), each_day(CASES))
def test_a_rule_by_hand(case: Case, on: date, expected: str) -> None:
    assert says(case, on) == expected


# Signed, then stopped ----------------------------------------------------------------------------------------------


class Stop(NamedTuple):
    """A history, and on some days since when the project has stopped; a dash when it has not."""

    why: str
    facts: list[Fact]
    says: str


def stopped_on(facts: list[Fact], on: date) -> date | None:
    """Since when a project has been signed and stopped, seen on a day: the earliest red reached by a halted clock."""
    reds = []
    for name in rules.STOPPED_BY:
        clock = clock_on(facts, name, on)
        red = limits_for(name, None, clock).red if clock is not None else None
        if clock is not None and clock.halted and red is not None and due(red, clock.solid_on) <= on:
            reds.append(due(red, clock.solid_on))
    return min(reds, default=None)


STOPS = [
    Stop("30 days after the signing", history(*SIGNED), "02-28 -; 03-30 -; 03-31 03-31; 12-31 03-31"),
    Stop("money moves one clock, the missing company stops it all the same",
         history(*SIGNED, funded("2026-03-20", 100)), "03-31 03-31"),
    Stop("with a company at hand only progress counts",
         history(registered("2026-01-05", credit_code=CODE), signed("2026-03-01"), funded("2026-03-20", 100)),
         "03-31 -; 04-18 -; 04-19 04-19"),
    Stop("any milestone since the signing is no stop, however old",
         history(*SIGNED, milestone("eia_approved", "2026-03-02")), "03-31 -; 12-31 -"),
    Stop("a milestone of the signing day itself counts", history(*SIGNED, milestone("project_filed", "2026-03-01")),
         "03-31 -"),
    Stop("a milestone of the day before does not",
         history(REGISTERED, milestone("project_filed", "2026-02-28"), signed("2026-03-01")), "03-31 03-31"),
    Stop("the contract's own milestone does not", history(*SIGNED, milestone("contract_signed", "2026-03-05")),
         "03-31 03-31"),
    Stop("land after the signing ends it", history(*SIGNED, landed("2026-04-10")), "04-09 03-31; 04-10 -"),
    Stop("land before the contract does not", history(*EARLY_LAND), "03-31 03-31"),
    Stop("land and contract on one day are no stop", history(REGISTERED, landed("2026-03-01"), signed("2026-03-01")),
         "03-31 -"),
    Stop("construction before the contract is no stop",
         history(REGISTERED, started("2026-02-01"), signed("2026-03-01")), "03-31 -"),
    Stop("nor is a plant already running", history(REGISTERED, operated("2026-02-01"), signed("2026-03-01")),
         "03-31 -"),
    Stop("a company older than the contract leaves the other clock",
         history(REGISTERED, milestone("company_registered", "2026-02-20"), signed("2026-03-01")), "03-31 03-31"),
    Stop("a report every week does not help",
         history(*SIGNED, reported("2026-03-15", "甲"), reported("2026-03-29", "乙")), "03-31 03-31"),
    Stop("a pause is no stop until its end date", history(*SIGNED, suspended("2026-03-10", "2026-05-10")),
         "03-31 -; 05-09 -; 05-10 03-31"),
    Stop("a terminated project has not stopped, it has ended", history(*SIGNED, terminated("2026-04-10")),
         "04-09 03-31; 04-10 -"),
    Stop("a returned land claim never ended it",
         history(*SIGNED, landed("2026-03-20", by="town"), returned(3, "2026-04-10")), "03-31 03-31; 04-10 03-31"),
    Stop("a start reverted, and the stop is back",
         history(*SIGNED, started("2026-03-20", proof("start_report", "2026-03-20")),
             reverted("2026-04-20", "signed")),
         "03-31 -; 04-19 -; 04-20 03-31"),
    Stop("reverted to intent there is no signing to stop after", history(*SIGNED, reverted("2026-04-20", "intent")),
         "04-19 03-31; 04-20 -"),
    Stop("signed anew after a revert it counts anew",
         history(*SIGNED, reverted("2026-04-20", "intent"), signed("2026-05-01")), "04-30 -; 05-30 -; 05-31 05-31"),
    Stop("the exit review is still a stop", history(*SIGNED), "08-28 03-31"),
    Stop("never signed, never stopped", history(REGISTERED), "12-31 -"),
]  # fmt: skip


@pytest.mark.parametrize(("stop", "on", "expected"), each_day(STOPS))
def test_signed_then_stopped_by_hand(stop: Stop, on: date, expected: str) -> None:
    since = stopped_on(stop.facts, on)
    assert (f"{since:%m-%d}" if since else "-") == expected


def awaits_recognition(facts: list[Fact], on: str) -> bool:
    return clock_on(facts, rules.AWAITING, day(on)) is not None


def test_a_stop_ended_by_an_unreviewed_claim_stays_with_the_bureau_until_recognised() -> None:
    claimed = (*SIGNED, landed("2026-03-20", by="town"))
    assert not awaits_recognition(history(*claimed), "2026-03-19")
    assert awaits_recognition(history(*claimed), "2026-03-20")
    assert not awaits_recognition(history(*claimed, recognised(3, "2026-03-25")), "2026-03-25")
    assert not awaits_recognition(history(*claimed, returned(3, "2026-03-25")), "2026-03-25")  # it is stopped outright
    assert not awaits_recognition(history(*claimed, suspended("2026-03-22")), "2026-03-22")


# What to do next, and the rows themselves --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "step"),
    [
        (SIGNED, "company_registered"),
        ((*SIGNED, milestone("company_registered", "2026-03-05")), "project_filed"),
        (
            (*SIGNED, milestone("company_registered", "2026-03-05"), milestone("project_filed", "2026-03-06")),
            "land_secured",
        ),
        ((registered("2026-01-05", route="no_site", credit_code=CODE), signed("2026-03-01")), "land_secured"),
        ((registered("2026-01-05", route="existing_site"), signed("2026-03-01")), "project_filed"),
    ],
)
def test_the_list_names_the_next_milestone(facts: tuple[Fact, ...], step: str) -> None:
    assert rules.BY_NAME[PROGRESS].missing(standing(history(*facts), "2026-03-10")) == (step,)


def test_the_basis_says_by_its_name_where_the_clock_started() -> None:
    told = history(*SIGNED, milestone("eia_approved", "2026-03-25"))
    names = [clock.basis for clock in clocks(fold(told), []) if clock.rule == PROGRESS]
    assert names == ["signed_on", "last_progress_on"]


def test_a_clock_runs_where_the_project_belongs_at_the_time() -> None:
    moved_on = history(*SIGNED, amended("2026-03-10", office=12, route="purchased"))
    running = [clock for clock in clocks(fold(moved_on), []) if clock.rule == COMPANY]
    assert [(clock.office_id, clock.route) for clock in running] == [(11, "leased"), (12, "purchased")]
    assert running[0].valid_to == running[1].valid_from == day("2026-03-10")


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.name)
def test_every_rule_has_readable_limits_in_rising_order(rule: rules.Rule) -> None:
    basis = day("2026-03-02")
    found = 0
    for route in lifecycle.ROUTES:
        for agreed in (False, True):
            yellow, red, exit_review, share = rules.default_limits(rule, route, agreed=agreed)
            days = [due(limit, basis, day("2027-03-02")) for limit in (yellow, red, exit_review) if limit is not None]
            assert days == sorted(set(days))
            assert share is None or rule.share
            found += len(days)
    assert found
    assert rule.label and rule.english and rule.advice


@pytest.mark.parametrize("module", ["standing", "live", "sweep", "rules", "clocks", "lifecycle"])
def test_the_fingerprint_changes_with_whatever_a_clock_is_made_from(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before, read = fingerprint(), inspect.getsource
    edited = f"app.heart.{module}"
    monkeypatch.setattr(inspect, "getsource", lambda one: read(one) + ("# edited" if one.__name__ == edited else ""))
    assert fingerprint() != before
