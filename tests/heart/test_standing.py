"""Small stories about one project: what is true on a day."""

from __future__ import annotations

from app.heart.clocks import clocks
from app.heart.standing import fold
from tests.heart.story import (
    day,
    evidence,
    history,
    milestone,
    proof,
    registered,
    returned,
    reverted,
    signed,
    standing,
    started,
    voided,
)


def test_a_project_stays_registered_when_its_intent_is_returned() -> None:
    facts = history(registered("2026-01-05", by="town"), returned(1, "2026-01-07"))
    now = standing(facts, "2026-01-07")
    assert (now.stage, now.waiting_since, now.office_id, now.status) == (None, None, 11, "active")


def test_a_return_taken_back_restores_the_claim() -> None:
    facts = history(registered("2026-01-05", by="town"), returned(1, "2026-01-07"), voided(2, "2026-01-08"))
    assert standing(facts, "2026-01-05").stage == "intent"


def test_a_voided_registration_leaves_no_project() -> None:
    facts = history(registered("2026-01-05"), signed("2026-03-01"), voided(1, "2026-03-02"))
    assert fold(facts) == []
    assert clocks(fold(facts), []) == []


def test_a_registration_returned_and_then_voided_leaves_no_project() -> None:
    assert fold(history(registered("2026-01-05"), returned(1, "2026-01-06"), voided(1, "2026-01-07"))) == []


def test_evidence_handed_in_with_a_milestone_is_on_file() -> None:
    certificate = proof("company_registration", "2026-03-08", code="91350100M000100Y43")
    facts = history(registered("2026-01-05"), milestone("company_registered", "2026-03-10", certificate))
    now = standing(facts, "2026-03-10")
    assert now.proofs == ("company_registration",)
    assert now.registered_on == day("2026-03-08")


def test_a_dated_photo_does_not_complete_an_undated_one() -> None:
    photos = proof("site_photo"), proof("site_photo", "2026-03-20")
    facts = history(registered("2026-01-05"), evidence("2026-03-10", *photos))
    assert standing(facts, "2026-03-19").proofs == ()
    assert standing(facts, "2026-03-20").proofs == ("site_photo",)


def test_a_revert_takes_the_evidence_of_its_own_day_along_with_the_claim() -> None:
    """Else the start report of a start that was none would keep the project off the list of the stopped."""
    report = proof("start_report", "2026-03-10")
    facts = history(registered("2026-01-05"), signed("2026-03-01"), started("2026-03-10", report), reverted("2026-03-10", "signed"))
    now = standing(facts, "2026-03-10")
    assert (now.stage, now.last_milestone_on, now.proofs) == ("signed", None, ())
    assert now.halted
