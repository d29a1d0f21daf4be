"""Flags follow the clocks, whatever order days, facts and policies come in."""

from datetime import date, timedelta

from app.projects.derived import New
from tests.daily.county import MONDAY, County


def test_a_signed_project_goes_from_blue_to_exit_review(county: County) -> None:
    signed = MONDAY
    county.signed("A", signed)
    reached = {}
    for after in (12, 13, 20, 30, 180):
        county.daily(signed + timedelta(days=after))
        reached[after] = county.open_flags().get(("A", "signed_no_progress"))
    assert reached == {12: None, 13: "blue", 20: "yellow", 30: "red", 180: "exit_review"}


def test_progress_closes_the_flag_and_says_what_it_was(county: County) -> None:
    county.signed("A", MONDAY)
    county.daily(MONDAY + timedelta(days=31))
    county.progress("A", MONDAY + timedelta(days=30), "company_registered")
    done = county.daily(MONDAY + timedelta(days=32))
    assert done["recovered"] == 2
    assert county.changes()[-2][3:5] == ("red", None)
    assert ("A", "signed_no_progress") not in county.open_flags()


def test_what_was_late_before_anybody_looked_is_stock(county: County) -> None:
    county.signed("old", MONDAY - timedelta(days=100))
    county.signed("fresh", MONDAY - timedelta(days=30))
    county.daily(MONDAY)
    stock = {(ref, rule): stock for _, ref, rule, _, _, stock in county.changes()}
    assert stock["old", "signed_no_progress"] is True
    assert stock["fresh", "signed_no_progress"] is False  # red since today


def test_a_text_moves_yellow_and_never_red(county: County) -> None:
    county.signed("A", MONDAY)
    county.daily(MONDAY + timedelta(days=19))
    county.record("A", New("reported", MONDAY + timedelta(days=19), {"text": "正在洽谈厂房"}), source="api")
    county.daily(MONDAY + timedelta(days=21))
    assert ("A", "signed_no_progress") not in county.open_flags()
    county.daily(MONDAY + timedelta(days=30))
    assert county.open_flags()["A", "signed_no_progress"] == "red"


def test_a_text_moved_clock_is_found_when_its_own_day_comes(county: County) -> None:
    county.policy(date(1900, 1, 1), signed_no_progress={"yellow": "20d", "red": "90d"})
    county.signed("A", MONDAY)
    county.record("A", New("reported", MONDAY + timedelta(days=10), {"text": "厂房已看"}), source="api")
    county.daily(MONDAY + timedelta(days=22))
    assert ("A", "signed_no_progress") not in county.open_flags()
    county.daily(MONDAY + timedelta(days=23))
    assert county.open_flags()["A", "signed_no_progress"] == "blue"
    county.daily(MONDAY + timedelta(days=30))
    assert county.open_flags()["A", "signed_no_progress"] == "yellow"


def test_a_pause_silences_until_its_own_end(county: County) -> None:
    county.signed("A", MONDAY)
    county.daily(MONDAY + timedelta(days=31))
    assert county.open_flags()
    until = MONDAY + timedelta(days=60)
    pause = New("moved", MONDAY + timedelta(days=32), {"action": "suspend", "until": until.isoformat()})
    county.now_is(MONDAY + timedelta(days=32))
    county.record("A", pause, source="api")
    county.daily(MONDAY + timedelta(days=33))
    assert county.open_flags() == {}
    county.daily(until - timedelta(days=1))
    assert county.open_flags() == {("A", "suspension_expired"): "yellow"}
    county.daily(until)
    assert county.open_flags()["A", "signed_no_progress"] == "red"


def test_a_policy_may_move_back_and_be_switched_off(county: County) -> None:
    county.signed("A", MONDAY)
    county.daily(MONDAY + timedelta(days=31))
    assert county.open_flags()["A", "signed_no_progress"] == "red"
    county.policy(date(1900, 1, 1), signed_no_progress={"yellow": "40d", "red": "60d"})
    county.daily(MONDAY + timedelta(days=32))
    assert ("A", "signed_no_progress") not in county.open_flags()
    county.policy(date(1900, 1, 1), signed_no_progress={"enabled": False}, signed_to_registered={"red": "5d", "yellow": "2d"})
    county.daily(MONDAY + timedelta(days=70))
    assert county.open_flags()["A", "signed_to_registered"] == "exit_review"
    county.policy(date(1900, 1, 1), signed_no_progress={"enabled": True}, signed_to_registered={"enabled": False})
    county.daily(MONDAY + timedelta(days=71))
    assert county.open_flags().keys() == {
        ("A", rule) for rule in ("signed_no_progress", "signed_to_filed", "signed_to_start", "report_missing")
    }


def test_a_backdated_fact_counts_on_the_next_day(county: County) -> None:
    county.daily(MONDAY)
    county.now_is(MONDAY, 15)
    county.signed("late", MONDAY - timedelta(days=40))
    county.daily(MONDAY + timedelta(days=1))
    assert county.open_flags()["late", "signed_no_progress"] == "red"
    assert {change[2]: change[5] for change in county.changes()}["signed_no_progress"] is True
