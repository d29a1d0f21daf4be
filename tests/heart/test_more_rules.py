"""The rules on land, start, money, reports, returns, owners and pauses by hand; the first five are in test_rules.py.

"03-24 yellow 03-21" reads: on 24 March the level is yellow, reached on 21 March. A day may name its year: "27-01-05". All days
without one are of 2026; offices close from 15 to 23 February, 4 to 6 April, 1 to 5 May, 19 to 21 June, 25 to 27 September
and 1 to 7 October, and work on 28 February, 9 May, 20 September and 10 October. Limits are those of policy version 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest

from app.heart import machine
from app.policies.policy import Policy, Running, changed_body
from tests.heart.story import (
    amended,
    contacted,
    day,
    evidence,
    funded,
    history,
    landed,
    milestone,
    operated,
    proof,
    registered,
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
from tests.heart.test_rules import Case, clock_on

V1 = Policy(1, date.min, None, {})  # type: ignore[arg-type]
QUOTA, NEW_QUOTA = "new_land_existing_quota", "new_land_new_quota"


def under(**limits: Any) -> Policy:
    """Version 1 with some limits changed, as a policy file would."""
    return Policy(2, date.min, None, changed_body({}, {"limits": limits}))  # type: ignore[arg-type]


def says(case: Case, on: date, policy: Policy = V1) -> str:
    clock = clock_on(case.facts, case.rule, on)
    if clock is None:
        return "off"
    running = Running(*(getattr(clock, name) for name in Running._fields))
    if policy.limits(clock.rule, clock.route, clock.agreed_on is not None) is None:
        return "off"
    (reason,) = policy.reasons([running], on) or (None,)
    if reason is None:
        return "-"
    due_on = f"{reason.due_on:%m-%d}" if reason.due_on.year == on.year else f"{reason.due_on:%y-%m-%d}"
    return f"{reason.level} {due_on}"


def each_day(cases: Sequence[Case]) -> list[Any]:
    found = []
    for case in cases:
        for said in case.says.split("; "):
            on, expected = said.split(" ", 1)
            full = f"20{on}" if len(on) == 8 else f"2026-{on}"
            found.append(pytest.param(case, day(full), expected, id=f"{case.rule}: {case.why}, {on}"))
    return found


def at(route: str | None, **more: Any) -> Any:
    return registered("2026-01-05", route=route, **more)


BUILDING = (at("leased"), signed("2026-02-01"), started("2026-03-01"))
AMOUNT = {"amount": 1_000_000, "currency": "CNY"}
WORTH = (at("leased"), signed("2026-02-01", contract_amount=AMOUNT), started("2026-03-01"))
LANDED = (at(QUOTA, planned_start_on="2026-05-01"), signed("2026-02-01"), landed("2026-03-01"))

CASES = [
    # Signed and no site: 72/90/180 with quota, 45/180/365 without ------------------------------------------------------
    Case("land with quota", history(at(QUOTA), signed("2026-03-01")), "signed_to_land",
         "02-28 off; 03-01 -; 05-04 -; 05-05 blue 05-05; 05-12 yellow 05-12; 05-29 yellow 05-12; 05-30 red 05-30; 08-28 exit_review 08-28"),
    Case("land that needs new quota", history(at(NEW_QUOTA), signed("2026-03-01")), "signed_to_land",
         "04-15 yellow 04-15; 08-27 yellow 04-15; 08-28 red 08-28; 27-02-28 red 26-08-28; 27-03-01 exit_review 03-01"),
    Case("a leased plant needs no land", history(at("leased"), signed("2026-03-01")), "signed_to_land", "05-30 off"),
    Case("nor is it known what a project without a route needs", history(at(None), signed("2026-03-01")), "signed_to_land", "05-30 off"),
    Case("a route told later counts from the signing all the same",
         history(at(None), signed("2026-03-01"), amended("2026-06-10", route=QUOTA)), "signed_to_land", "06-09 off; 06-10 red 05-30"),
    Case("the land stage ends it", history(at(QUOTA), signed("2026-03-01"), landed("2026-04-01")), "signed_to_land",
         "03-31 -; 04-01 off"),
    Case("so does the grant contract alone", history(at(QUOTA), signed("2026-03-01"),
         evidence("2026-04-02", proof("land_grant_contract", "2026-04-01"))), "signed_to_land", "03-31 -; 04-01 off"),
    Case("land of before the contract serves", history(at(QUOTA), landed("2026-02-01"), signed("2026-03-01")), "signed_to_land",
         "05-30 off"),
    Case("a returned land claim never ended it",
         history(at(QUOTA), signed("2026-03-01"), landed("2026-04-01", by="town"), returned(3, "2026-04-10")), "signed_to_land",
         "05-30 red 05-30"),
    Case("a revert starts it again", history(at(QUOTA), signed("2026-03-01"), landed("2026-04-01"), reverted("2026-06-01", "signed")),
         "signed_to_land", "05-31 off; 06-01 red 05-30"),
    # Signed and not started: 48/60/180 in a plant, 90/180/365 on new land ----------------------------------------------
    Case("a leased plant", history(at("leased"), signed("2026-03-01")), "signed_to_start",
         "04-10 -; 04-11 blue 04-11; 04-18 yellow 04-18; 04-30 red 04-30; 08-28 exit_review 08-28"),
    Case("an existing site", history(at("existing_site"), signed("2026-03-01")), "signed_to_start", "04-18 yellow 04-18; 04-30 red 04-30"),
    Case("new land", history(at(NEW_QUOTA), signed("2026-03-01")), "signed_to_start",
         "05-29 blue 05-23; 05-30 yellow 05-30; 08-28 red 08-28; 27-03-01 exit_review 03-01"),
    Case("a service has no start to wait for", history(at("no_site"), signed("2026-03-01")), "signed_to_start", "12-31 off"),
    Case("land does not end it", history(at("leased"), signed("2026-03-01"), landed("2026-03-20")), "signed_to_start", "04-30 red 04-30"),
    Case("construction does", history(at("leased"), signed("2026-03-01"), started("2026-04-20")), "signed_to_start",
         "04-19 yellow 04-18; 04-20 off"),
    Case("so does a plant that runs", history(at("leased"), signed("2026-03-01"), operated("2026-04-20")), "signed_to_start", "04-30 off"),
    Case("so does the start as a milestone", history(at("leased"), signed("2026-03-01"), milestone("real_start", "2026-04-20")),
         "signed_to_start", "04-19 yellow 04-18; 04-20 off"),
    Case("a planned start does not", history(at("leased"), signed("2026-03-01"), milestone("real_start", "2026-03-02", planned=True)),
         "signed_to_start", "04-30 red 04-30"),
    # Land and the agreed start passed: 1/90/180 ------------------------------------------------------------------------
    Case("the day after the agreed start", history(*LANDED), "land_to_start",
         "03-01 -; 05-01 -; 05-02 yellow 05-02; 07-29 yellow 05-02; 07-30 red 07-30; 10-28 exit_review 10-28"),
    Case("without land it does not count", history(at(QUOTA, planned_start_on="2026-05-01"), signed("2026-02-01")), "land_to_start",
         "07-30 off"),
    Case("without an agreed date it is off", history(at(QUOTA), signed("2026-02-01"), landed("2026-03-01")), "land_to_start", "12-31 off"),
    Case("a new date counts from its amendment on; before, the old one",
         history(*LANDED, amended("2026-06-01", planned_start_on="2026-09-01")), "land_to_start",
         "05-31 yellow 05-02; 06-01 -; 09-01 -; 09-02 yellow 09-02; 11-30 red 11-30"),
    Case("a date taken away switches it off", history(*LANDED, amended("2026-06-01", planned_start_on=None)), "land_to_start",
         "05-31 yellow 05-02; 06-01 off"),
    Case("the agreed date may be told as a planned milestone",
         history(at("leased"), signed("2026-02-01"), landed("2026-03-01"),
                 milestone("real_start", "2026-03-10", planned=True, planned_on="2026-04-10")),
         "land_to_start", "03-09 off; 03-10 -; 04-11 yellow 04-11"),
    Case("the start ends it", history(*LANDED, started("2026-06-01")), "land_to_start", "05-31 yellow 05-02; 06-01 off"),
    # Started and no money since: 60/90 ---------------------------------------------------------------------------------
    Case("no money at all", history(*BUILDING), "funds_none_after_start",
         "02-28 off; 03-01 -; 04-29 blue 04-23; 04-30 yellow 04-30; 05-30 red 05-30; 12-31 red 05-30"),
    Case("money of before the start does not help", history(at("leased"), signed("2026-02-01"), funded("2026-02-20", 100),
         started("2026-03-01")), "funds_none_after_start", "05-30 red 05-30"),
    Case("money on the day of the start does", history(*BUILDING, funded("2026-03-01", 100)), "funds_none_after_start",
         "03-01 off; 05-30 off"),
    Case("money later ends it", history(*BUILDING, funded("2026-05-10", 100)), "funds_none_after_start", "05-09 yellow 04-30; 05-10 off"),
    Case("the same total again is no money", history(at("leased"), signed("2026-02-01"), funded("2026-02-20", 100),
         started("2026-03-01"), funded("2026-04-01", 100)), "funds_none_after_start", "05-30 red 05-30"),
    Case("once it runs nobody asks", history(*BUILDING, operated("2026-05-01")), "funds_none_after_start", "04-30 yellow 04-30; 05-01 off"),
    # Started and too small a part of the contract: 150/180 below 15 % --------------------------------------------------
    Case("nothing in place is less than 15 %", history(*WORTH), "funds_low_after_start",
         "07-28 blue 07-22; 07-29 yellow 07-29; 08-28 red 08-28"),
    Case("14.99 % is less", history(*WORTH, funded("2026-04-01", 149_999)), "funds_low_after_start", "08-28 red 08-28"),
    Case("15 % is not", history(*WORTH, funded("2026-08-10", 150_000)), "funds_low_after_start", "08-09 yellow 07-29; 08-10 -; 12-31 -"),
    Case("all of it ends the clock", history(*WORTH, funded("2026-08-10", 1_000_000)), "funds_low_after_start", "08-10 off"),
    Case("a larger contract makes the part smaller again",
         history(*WORTH, funded("2026-04-01", 200_000), amended("2026-09-01", amount=2_000_000)), "funds_low_after_start",
         "08-31 -; 09-01 red 08-28"),
    Case("a total corrected downwards counts as it stands",
         history(*WORTH, funded("2026-04-01", 200_000), funded("2026-09-01", 100_000)), "funds_low_after_start",
         "08-31 -; 09-01 red 08-28"),
    Case("other money cannot be compared", history(*WORTH, funded("2026-04-01", 1, "USD")), "funds_low_after_start", "03-31 -; 08-28 off"),
    Case("without an amount it is off", history(*BUILDING), "funds_low_after_start", "08-28 off"),
    # Started and no progress: 60/90/180 --------------------------------------------------------------------------------
    Case("the start counts", history(*BUILDING), "construction_no_progress",
         "04-30 yellow 04-30; 05-30 red 05-30; 08-28 exit_review 08-28"),
    Case("a milestone begins it anew", history(*BUILDING, milestone("main_structure_capped", "2026-05-01")), "construction_no_progress",
         "04-30 yellow 04-30; 05-01 -; 06-30 yellow 06-30; 07-30 red 07-30"),
    Case("a text moves yellow alone", history(*BUILDING, reported("2026-04-20", "主体施工")), "construction_no_progress",
         "05-29 -; 05-30 red 05-30"),
    Case("a photo with a date is progress", history(*BUILDING, evidence("2026-04-20", proof("site_photo", "2026-04-20"))),
         "construction_no_progress", "05-30 -; 06-19 yellow 06-19"),
    Case("a visit is none", history(*BUILDING, contacted("2026-04-20")), "construction_no_progress", "05-30 red 05-30"),
    # Started and not operating: 80 % and all of the agreed time, else 584/730 days -------------------------------------
    Case("nothing agreed: two years", history(*BUILDING), "start_to_operating",
         "27-09-28 -; 27-10-06 yellow 10-06; 28-02-28 yellow 27-10-06; 28-02-29 red 02-29"),
    Case("a hundred days agreed", history(at("leased", planned_operation_on="2026-06-09"), signed("2026-02-01"), started("2026-03-01")),
         "start_to_operating", "05-12 -; 05-13 blue 05-13; 05-19 blue 05-13; 05-20 yellow 05-20; "
         "06-08 yellow 05-20; 06-09 red 06-09"),
    Case("begun days count upwards: 80 % of 101 days are 81",
         history(at("leased", planned_operation_on="2026-06-10"), signed("2026-02-01"), started("2026-03-01")), "start_to_operating",
         "05-20 blue 05-14; 05-21 yellow 05-21; 06-09 yellow 05-21; 06-10 red 06-10"),
    Case("a date agreed anew keeps the old one for the days before",
         history(at("leased", planned_operation_on="2026-06-09"), signed("2026-02-01"), started("2026-03-01"),
                 amended("2026-06-15", planned_operation_on="2026-12-26")),
         "start_to_operating", "06-14 red 06-09; 06-15 -; 10-26 blue 10-20; 10-27 yellow 10-27; 12-26 red 12-26"),
    Case("a date agreed before the start is reached at once",
         history(at("leased", planned_operation_on="2026-02-20"), signed("2026-02-01"), started("2026-03-01")), "start_to_operating",
         "02-28 off; 03-01 red 03-01"),
    Case("operation ends it", history(*BUILDING, operated("2026-05-01")), "start_to_operating", "28-03-05 off"),
    # Monthly reports: three workdays before the 25th, one after ---------------------------------------------------------
    Case("never reported: the first 25th after the beginning", history(registered("2026-03-02")), "report_missing",
         "03-02 -; 03-19 -; 03-20 yellow 03-20; 03-25 yellow 03-20; 03-26 red 03-26; 08-01 red 03-26"),
    Case("registered on the 25th: the next month's", history(registered("2026-03-25")), "report_missing",
         "04-21 -; 04-22 yellow 04-22; 04-27 red 04-27"),
    Case("a report serves its own month", history(registered("2026-03-02"), reported("2026-03-24", None)), "report_missing",
         "03-23 yellow 03-20; 03-24 -; 04-21 -; 04-22 yellow 04-22; 04-26 yellow 04-22; 04-27 red 04-27"),
    Case("a late one too", history(registered("2026-03-02"), reported("2026-03-31", None)), "report_missing",
         "03-30 red 03-26; 03-31 -; 04-27 red 04-27"),
    Case("two in a month are one", history(registered("2026-03-02"), reported("2026-04-02", None), reported("2026-04-20", "开工")),
         "report_missing", "04-30 -; 05-20 yellow 05-20; 05-25 yellow 05-20; 05-26 red 05-26"),
    Case("one in December serves December",
         history(registered("2026-03-02"), reported("2026-12-03", None)), "report_missing", "12-31 -; 27-01-26 red 01-26"),
    Case("a voided report never was", history(registered("2026-03-02"), reported("2026-03-24", None), voided(2, "2026-03-24")),
         "report_missing", "03-26 red 03-26"),
    Case("a visit is no report", history(registered("2026-03-02"), contacted("2026-03-20")), "report_missing", "03-26 red 03-26"),
    Case("a pause silences it and moves nothing", history(registered("2026-03-02"), suspended("2026-03-10", "2026-05-10")),
         "report_missing", "03-26 off; 05-10 red 03-26"),
    Case("an end ends it", history(registered("2026-03-02"), terminated("2026-03-30")), "report_missing", "03-29 red 03-26; 03-30 off"),
    Case("imported history is asked for reports from its import on",
         history(registered("2020-03-02", by="import", told="2026-03-02")), "report_missing", "03-19 -; 03-26 red 03-26"),
    # A claim returned: 5 and 10 workdays -------------------------------------------------------------------------------
    Case("from the day of the return", history(at("leased"), signed("2026-03-02", by="town"), returned(2, "2026-03-09")), "claim_returned",
         "03-08 off; 03-09 -; 03-13 blue 03-10; 03-16 yellow 03-16; 03-22 yellow 03-16; 03-23 red 03-23"),
    Case("told again, from the day that was recorded", history(at("leased"), signed("2026-03-02", by="town"), returned(2, "2026-03-09"),
         signed("2026-03-02", by="town", told="2026-03-18")), "claim_returned", "03-17 yellow 03-16; 03-18 off"),
    Case("a later stage answers it too", history(at("leased"), signed("2026-03-02", by="town"), returned(2, "2026-03-09"),
         landed("2026-03-18", by="town")), "claim_returned", "03-17 yellow 03-16; 03-18 off"),
    Case("an earlier stage does not", history(at("leased"), landed("2026-03-02", by="town"), returned(2, "2026-03-09"),
         signed("2026-03-18", by="town")), "claim_returned", "03-23 red 03-23"),
    Case("returned twice it counts from the second", history(at("leased"), signed("2026-03-02", by="town"), returned(2, "2026-03-09"),
         signed("2026-03-02", by="town", told="2026-03-18"), returned(4, "2026-03-20")), "claim_returned",
         "03-19 off; 03-20 -; 03-26 blue 03-21; 03-27 yellow 03-27"),
    Case("a return taken back never was", history(at("leased"), signed("2026-03-02", by="town"), returned(2, "2026-03-09"),
         voided(3, "2026-03-10")), "claim_returned", "03-23 off"),
    Case("a milestone is answered by the same milestone", history(at("leased"), milestone("project_filed", "2026-03-02"),
         returned(2, "2026-03-09"), milestone("company_registered", "2026-03-10"), milestone("project_filed", "2026-03-18")),
         "claim_returned", "03-17 yellow 03-16; 03-18 off"),
    # Nobody responsible: 3 and 7 workdays ------------------------------------------------------------------------------
    Case("no owner from the beginning", history(registered("2026-03-02", owner=None)), "owner_missing",
         "03-02 -; 03-04 blue 03-03; 03-05 yellow 03-05; 03-10 yellow 03-05; 03-11 red 03-11"),
    Case("an owner ends it", history(registered("2026-03-02", owner=None), amended("2026-03-06", owner=101)), "owner_missing",
         "03-05 yellow 03-05; 03-06 off"),
    Case("an owner who left", history(registered("2026-03-02"), amended("2026-03-16", owner_left=True)), "owner_missing",
         "03-15 off; 03-16 -; 03-19 yellow 03-19; 03-25 red 03-25"),
    Case("somebody else in time",
         history(registered("2026-03-02"), amended("2026-03-16", owner_left=True), amended("2026-03-18", owner=102)),
         "owner_missing", "03-17 blue 03-17; 03-18 off"),
    Case("an owner taken away", history(registered("2026-03-02"), amended("2026-03-16", owner=None)), "owner_missing",
         "03-19 yellow 03-19"),
    Case("left, then nobody: since the leaving", history(registered("2026-03-02"), amended("2026-03-16", owner_left=True),
         amended("2026-03-18", owner=None)), "owner_missing", "03-19 yellow 03-19"),
    Case("of imported history, from its import on", history(registered("2020-03-02", by="import", told="2026-03-02", owner=None)),
         "owner_missing", "03-05 yellow 03-05"),
    # A pause that ends: seven days before, and on the day ----------------------------------------------------------------
    Case("before and after the agreed end", history(at("leased"), suspended("2026-03-10", "2026-05-10")), "suspension_expired",
         "03-09 off; 03-10 -; 05-02 -; 05-03 yellow 05-03; 05-09 yellow 05-03; 05-10 red 05-10; 12-31 red 05-10"),
    Case("resumed", history(at("leased"), suspended("2026-03-10", "2026-05-10"), resumed("2026-05-12")), "suspension_expired",
         "05-11 red 05-10; 05-12 off"),
    Case("terminated", history(at("leased"), suspended("2026-03-10", "2026-05-10"), terminated("2026-05-12")), "suspension_expired",
         "05-11 red 05-10; 05-12 off"),
    Case("paused anew with another end",
         history(at("leased"), suspended("2026-03-10", "2026-05-10"), suspended("2026-05-12", "2026-06-12")),
         "suspension_expired", "05-11 red 05-10; 05-12 -; 06-05 yellow 06-05"),
    Case("a pause without an end never expires", history(at("leased"), suspended("2026-03-10")), "suspension_expired", "12-31 off"),
]  # fmt: skip


@pytest.mark.parametrize(("case", "on", "expected"), each_day(CASES))
def test_the_rule_says_by_hand(case: Case, on: date, expected: str) -> None:
    assert says(case, on) == expected


def test_every_rule_has_cases() -> None:
    from app.heart.rules import RULES
    from tests.heart import test_rules

    assert {case.rule for case in [*CASES, *test_rules.CASES]} == {rule.name for rule in RULES}


# What a policy changes -----------------------------------------------------------------------------------------------


def test_a_share_is_policy() -> None:
    case = Case("", history(*WORTH, funded("2026-04-01", 155_000)), "funds_low_after_start", "")
    assert says(case, day("2026-08-28")) == "-"
    assert says(case, day("2026-08-28"), under(funds_low_after_start={"share": "15.5%"})) == "-"
    assert says(case, day("2026-08-28"), under(funds_low_after_start={"share": "15.51%"})) == "red 08-28"
    assert says(case, day("2026-08-28"), under(funds_low_after_start={"leased": {"share": "20%"}})) == "red 08-28"


@pytest.mark.parametrize("change", [{"yellow": "50%"}, {"agreed": {"yellow": "50%"}}, {"leased": {"yellow": "50%"}}])
def test_a_percentage_belongs_to_the_agreed_time_wherever_it_stands(change: dict[str, Any]) -> None:
    agreed = Case(
        "", history(at("leased", planned_operation_on="2026-06-09"), signed("2026-02-01"), started("2026-03-01")), "start_to_operating", ""
    )
    free = Case("", history(*BUILDING), "start_to_operating", "")
    policy = under(start_to_operating=change | {"red": "90d"})
    assert says(agreed, day("2026-04-20"), policy) == "yellow 04-20"
    assert says(agreed, day("2026-06-08"), policy) == "yellow 04-20"
    assert says(agreed, day("2026-06-09"), policy) == "red 06-09"
    assert says(free, day("2026-05-30"), policy) == "red 05-30"


def test_a_route_that_is_off_is_switched_on_by_naming_it() -> None:
    case = Case("", history(at("no_site"), signed("2026-03-01")), "signed_to_start", "")
    assert says(case, day("2026-12-31"), under(signed_to_start={"red": "10d"})) == "off"
    assert says(case, day("2026-12-31"), under(signed_to_start={"no_site": {"red": "1m"}})) == "red 04-01"


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("signed_to_land", {"red": "80%"}),
        ("signed_to_land", {"share": "15%"}),
        ("funds_low_after_start", {"share": "0%"}),
        ("funds_low_after_start", {"share": "101%"}),
        ("funds_low_after_start", {"share": "15.123%"}),
        ("funds_low_after_start", {"share": 15}),
        ("start_to_operating", {"agreed": {"red": "30d"}}),
        ("start_to_operating", {"agreed": {"blue": "30%"}}),
        ("start_to_operating", {"yellow": "0%"}),
    ],
)
def test_what_makes_no_sense_is_refused(rule: str, change: dict[str, Any]) -> None:
    with pytest.raises(Exception, match="策略文件有误"):
        under(**{rule: change})


# What is printed -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("route", "on", "words"),
    [(QUOTA, "2027-04-30", None), (QUOTA, "2027-05-01", "百分之二十"), (QUOTA, "2028-05-01", "无偿收回"), ("leased", "2028-05-01", None)],
)
def test_land_that_lies_idle_says_so(route: str, on: str, words: str | None) -> None:
    facts = history(at(route, planned_start_on="2026-05-01"), signed("2026-02-01"), landed("2026-03-01"))
    clock = clock_on(facts, "land_to_start", day(on))
    assert clock is not None
    (reason,) = V1.reasons([Running(*(getattr(clock, name) for name in Running._fields))], day(on))
    assert (reason.note is None) if words is None else (words in (reason.note or ""))
    assert (reason.note is None) == (reason.note_english is None)


def test_a_missing_date_is_a_data_check() -> None:
    told = (at(QUOTA), signed("2026-02-01"), landed("2026-03-01"))
    assert machine.start_date_missing(standing(history(*told), "2026-03-01"))
    assert not machine.start_date_missing(standing(history(*told), "2026-02-28"))
    assert not machine.start_date_missing(standing(history(*told, amended("2026-03-02", planned_start_on="2026-06-01")), "2026-03-02"))
    assert not machine.start_date_missing(standing(history(*told, started("2026-03-05")), "2026-03-05"))
