"""The table of moves, tried from every stage and status: what is allowed, what is missing, what is refused."""

from __future__ import annotations

import re
from typing import Any

import pytest

from app.heart import lifecycle as table
from app.heart import machine
from app.heart.facts import Fact
from app.heart.machine import checklist, fires, missing_for, next_missing, refuse
from app.heart.standing import Standing
from tests.heart.story import (
    CONTRACT,
    evidence,
    history,
    landed,
    operated,
    proof,
    registered,
    reopened,
    returned,
    reverted,
    signed,
    standing,
    started,
    suspended,
    terminated,
)

ORDER = ("intent", "signed", "land", "construction", "operating")
STAGE_MOVES = {
    "sign": "signed",
    "secure_land": "land",
    "start_construction": "construction",
    "start_operation": "operating",
}
STATUS_ARROWS = {
    ("suspend", "active"): "suspended",
    ("resume", "suspended"): "active",
    ("terminate", "active"): "terminated",
    ("terminate", "suspended"): "terminated",
    ("reopen", "terminated"): "active",
}
REASONED: dict[str, dict[str, Any]] = {
    "suspend": {"reason": "等待环评", "next_actor": "investor", "until": "2026-06-30"},
    "resume": {},
    "terminate": {"reason": "投资方放弃", "termination": "withdrawn"},
    "reopen": {"reason": "投资方回来"},
}
"""What each status move needs to be told."""


def at(stage: str) -> Standing:
    """An active project that went through every stage up to this one, without any evidence on file."""
    path = (
        registered("2026-01-05"),
        signed("2026-02-02"),
        landed("2026-03-02"),
        started("2026-04-01"),
        operated("2026-05-06"),
    )
    return standing(history(*path[: ORDER.index(stage) + 1]), "2026-05-06")


def with_status(status: str) -> Standing:
    ends: dict[str, tuple[Fact, ...]] = {
        "active": (),
        "suspended": (suspended("2026-02-10"),),
        "terminated": (terminated("2026-02-10"),),
    }
    return standing(history(registered("2026-01-05"), signed("2026-02-02"), *ends[status]), "2026-02-10")


def lacks(action: str, before: Standing, *proofs: str, **given: Any) -> list[str]:
    """What a move lacks, by name: fields and the first kind of every evidence group."""
    return [row.get("kind") or row["field"] for row in missing_for(action, before, given, proofs)]


# Every move from everywhere --------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", ORDER)
@pytest.mark.parametrize("action", STAGE_MOVES)
def test_a_stage_move_leads_up_or_fills_in_below(action: str, stage: str) -> None:
    target = STAGE_MOVES[action]
    difference = ORDER.index(target) - ORDER.index(stage)
    expected = target if difference > 0 else stage if difference < 0 else None
    assert fires(action, stage) == expected


@pytest.mark.parametrize("to", ORDER)
@pytest.mark.parametrize("stage", ORDER)
def test_a_revert_leads_to_every_earlier_stage_and_nowhere_else(stage: str, to: str) -> None:
    assert fires("revert", stage, to) == (to if ORDER.index(to) < ORDER.index(stage) else None)


@pytest.mark.parametrize("status", table.STATUSES)
@pytest.mark.parametrize("action", REASONED)
def test_a_status_move_follows_the_arrows(action: str, status: str) -> None:
    assert fires(action, status) == STATUS_ARROWS.get((action, status))
    refusal = refuse(action, with_status(status), REASONED[action], ())
    assert (refusal is None) == ((action, status) in STATUS_ARROWS)


@pytest.mark.parametrize("action", table.BY_ACTION)
@pytest.mark.parametrize("state", (*ORDER, *table.STATUSES, "nowhere"))
def test_the_machine_has_no_arrow_the_table_does_not_name(action: str, state: str) -> None:
    """No automatic transition may lead past the table."""
    move = table.BY_ACTION[action]
    fills_in = action in STAGE_MOVES and state in ORDER and table.RANK[state] > table.RANK[move.target]
    arrow = any(fires(action, state, to) is not None for to in (None, *ORDER, "elsewhere"))
    assert arrow == (state in move.sources or fills_in)


@pytest.mark.parametrize("stage", ORDER)
@pytest.mark.parametrize("action", STAGE_MOVES)
def test_with_everything_at_hand_a_stage_move_is_refused_only_where_it_is_in_force(action: str, stage: str) -> None:
    before = at(stage)
    refusal = refuse(action, before, {"contract_amount": 1, "gap_reason": "补录"}, tuple(table.EVIDENCE))
    if STAGE_MOVES[action] in before.in_force:
        assert refusal is not None and (refusal.code, refusal.missing) == ("move_not_allowed", [])
    else:
        assert refusal is None


def test_every_move_names_who_may_call_it_and_the_stages_who_recognises() -> None:
    assert {move.action for move in table.MOVES if "clerk" in move.may} == {*STAGE_MOVES, "suspend", "resume"}
    assert all("officer" in move.may for move in table.MOVES)
    assert {stage.name: stage.recogniser for stage in table.STAGES} == {
        "intent": "town", "signed": "bureau", "land": "bureau", "construction": "bureau", "operating": "bureau",
    }  # fmt: skip


# What each move asks for -----------------------------------------------------------------------------------------

LAND_ASKS = {
    "new_land_existing_quota": ["company_registration", "project_filing", "land_grant_contract"],
    "new_land_new_quota": ["company_registration", "project_filing", "land_grant_contract"],
    "leased": ["company_registration", "project_filing", "lease_contract"],
    "purchased": ["company_registration", "project_filing", "purchase_contract"],
    "existing_site": ["project_filing", "site_statement"],
    "no_site": ["company_registration"],
}


@pytest.mark.parametrize("route", table.ROUTES)
def test_evidence_by_route(route: str) -> None:
    before = standing(history(registered("2026-01-05", route=route), signed("2026-02-02")), "2026-02-02")
    built = ["completion_acceptance"] if route.startswith("new_land") else []
    assert lacks("sign", before) == ["formal_contract", "contract_amount"]
    assert lacks("secure_land", before) == LAND_ASKS[route]
    assert lacks("start_construction", before, gap_reason="补录") == ["construction_permit", "site_photo"]
    assert lacks("start_operation", before, gap_reason="补录") == ["first_invoice", *built]


@pytest.mark.parametrize(
    ("action", "route", "proofs"),
    [
        ("secure_land", "new_land_existing_quota", ("company_registration", "project_filing", "property_certificate")),
        ("secure_land", "purchased", ("company_registration", "project_filing", "property_certificate")),
        ("start_construction", "leased", ("start_report", "site_photo")),
        ("start_operation", "leased", ("tax_proof",)),
        ("start_operation", "new_land_new_quota", ("tax_proof", "completion_acceptance")),
    ],
)
def test_one_proof_of_each_group_is_enough(action: str, route: str, proofs: tuple[str, ...]) -> None:
    before = standing(history(registered("2026-01-05", route=route), signed("2026-02-02")), "2026-02-02")
    assert lacks(action, before, *proofs, gap_reason="补录") == []


def test_a_missing_proof_names_what_would_do_as_well() -> None:
    row = missing_for("start_construction", at("land"), {}, ("site_photo",))[0]
    assert row == {"kind": "construction_permit", "label": "施工许可证或开工报告", "or": ["start_report"]}


def test_a_credit_code_makes_a_new_registration_needless() -> None:
    before = standing(history(registered("2026-01-05", credit_code="91350100M000100Y43"), signed("2026-02-02")), "2026-02-02")
    assert lacks("secure_land", before) == ["project_filing", "lease_contract"]


def test_a_framework_agreement_stays_in_intent() -> None:
    refusal = refuse("sign", at("intent"), {"contract_amount": 1, "gap_reason": "先意向"}, ("framework_agreement",))
    assert refusal is not None and refusal.code == "evidence_missing"
    assert [row["kind"] for row in refusal.missing] == ["formal_contract"]
    assert "框架协议" in refusal.hint


def test_a_contract_without_a_number_proves_nothing() -> None:
    nameless = CONTRACT | {"number": None}
    assert standing(history(registered("2026-01-05"), evidence("2026-03-01", nameless)), "2026-03-01").proofs == ()
    assert standing(history(registered("2026-01-05"), evidence("2026-03-01", CONTRACT)), "2026-03-01").proofs == ("formal_contract",)


def test_evidence_on_file_need_not_be_handed_in_again() -> None:
    facts = history(registered("2026-01-05", amount=12_000_000, currency="CNY"), evidence("2026-03-01", CONTRACT))
    before = standing(facts, "2026-03-01")
    assert refuse("sign", before, {}, before.proofs) is None


def test_a_refusal_says_everything_that_is_missing_at_once() -> None:
    before = standing(history(registered("2026-01-05", route=None)), "2026-01-05")
    refusal = refuse("secure_land", before, {}, ())
    assert refusal is not None and refusal.code == "evidence_missing"
    named = [row.get("kind") or row["field"] for row in refusal.missing]
    assert named == ["company_registration", "project_filing", "route", "gap_reason"]
    assert all(row["label"] in refusal.hint for row in refusal.missing)


def test_a_route_told_with_the_move_decides_what_the_move_asks_for() -> None:
    before = standing(history(registered("2026-01-05", route=None), signed("2026-02-02")), "2026-02-02")
    assert lacks("secure_land", before, route="leased") == ["company_registration", "project_filing", "lease_contract"]
    assert lacks("secure_land", before, route="existing_site") == ["project_filing", "site_statement"]


@pytest.mark.parametrize("blank", [None, "", "  ", "　"])
def test_a_blank_reason_is_no_reason(blank: str | None) -> None:
    assert lacks("terminate", at("signed"), reason=blank, termination="withdrawn") == ["reason"]
    assert lacks("start_construction", at("signed"), "start_report", "site_photo", gap_reason=blank) == ["gap_reason"]


def test_an_amount_of_zero_is_an_amount() -> None:
    assert lacks("sign", at("intent"), "formal_contract", contract_amount=0) == []


@pytest.mark.parametrize("action", ["suspend", "terminate", "reopen", "revert"])
def test_status_moves_and_corrections_ask_for_their_reason(action: str) -> None:
    assert lacks(action, at("land"))[0] == "reason"


# Skipped stages and stages never reported ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "stage", "skipped"),
    [
        ("sign", "intent", []),
        ("secure_land", "intent", ["signed"]),
        ("secure_land", "signed", []),
        ("start_construction", "intent", ["signed", "land"]),
        ("start_construction", "signed", ["land"]),
        ("start_operation", "intent", ["signed", "land", "construction"]),
        ("start_operation", "land", ["construction"]),
        ("start_operation", "construction", []),
    ],
)
def test_skipped_stages_need_a_reason(action: str, stage: str, skipped: list[str]) -> None:
    rows = [row for row in missing_for(action, at(stage), {}, tuple(table.EVIDENCE)) if row.get("field") == "gap_reason"]
    assert [row["skipped"] for row in rows] == ([skipped] if skipped else [])
    assert lacks(action, at(stage), *table.EVIDENCE, gap_reason="厂房早已租下", contract_amount=1) == []


def test_a_lower_stage_never_reported_is_filled_in_without_a_reason() -> None:
    before = standing(history(registered("2026-01-05"), started("2026-04-01")), "2026-04-01")
    assert refuse("sign", before, {"contract_amount": 1}, ("formal_contract",)) is None
    assert lacks("secure_land", before, "company_registration", "project_filing", "lease_contract") == ["gap_reason"]


def test_an_intent_never_told_is_no_skipped_stage() -> None:
    before = standing(history(registered("2026-01-05", claims=False)), "2026-01-05")
    assert lacks("sign", before, "formal_contract", contract_amount=1) == []


def test_a_returned_claim_may_be_handed_in_again() -> None:
    facts = history(registered("2026-01-05"), signed("2026-03-01", CONTRACT, by="town"), returned(2, "2026-03-04"))
    assert refuse("sign", standing(facts, "2026-03-05"), {"contract_amount": 1}, ("formal_contract",)) is None


def test_after_a_revert_the_stage_is_to_be_proved_again() -> None:
    proofs = proof("start_report", "2026-04-01"), proof("site_photo", "2026-04-01")
    facts = history(
        registered("2026-01-05"), signed("2026-02-02"), landed("2026-03-02"), started("2026-04-01", *proofs),
        reverted("2026-04-10", "land"),
    )  # fmt: skip
    before = standing(facts, "2026-04-10")
    assert lacks("start_construction", before, *before.proofs) == ["construction_permit", "site_photo"]
    assert refuse("start_construction", before, {}, ("start_report", "site_photo")) is None


# Refusals --------------------------------------------------------------------------------------------------------


def test_a_target_in_force_is_refused_even_below_the_furthest_stage() -> None:
    refusal = refuse("sign", at("operating"), {"contract_amount": 1}, ("formal_contract",))
    assert refusal is not None and refusal.code == "move_not_allowed"


@pytest.mark.parametrize("action", [*STAGE_MOVES, "revert", "suspend", "resume", "terminate"])
def test_a_terminated_project_moves_only_by_reopening(action: str) -> None:
    given = {"contract_amount": 1, "gap_reason": "-", "reason": "-", "to": "intent", "termination": "removed"}
    refusal = refuse(action, with_status("terminated"), given, tuple(table.EVIDENCE))
    assert refusal is not None and (refusal.code, refusal.missing) == ("move_not_allowed", [])
    assert "reopen" in refusal.hint


def test_a_move_dated_before_the_termination_is_judged_by_its_own_date() -> None:
    facts = history(registered("2026-01-05"), terminated("2026-03-10"))
    given = {"contract_amount": 1}
    assert refuse("sign", standing(facts, "2026-03-09"), given, ("formal_contract",)) is None
    assert refuse("sign", standing(facts, "2026-03-10"), given, ("formal_contract",)) is not None


def test_a_paused_project_may_move_on() -> None:
    assert refuse("secure_land", with_status("suspended"), {}, tuple(table.EVIDENCE)) is None


def test_a_resume_after_a_termination_is_no_reopening_here() -> None:
    facts = history(registered("2026-01-05"), suspended("2026-02-01"), terminated("2026-03-01"), reopened("2026-04-01"))
    assert standing(facts, "2026-04-01").status == "active"
    assert refuse("resume", standing(facts, "2026-03-01"), {}, ()) is not None
    assert refuse("resume", standing(facts, "2026-04-01"), {}, ()) is not None


def test_a_move_dated_before_the_project_is_refused() -> None:
    refusal = refuse("sign", None, {"contract_amount": 1}, ("formal_contract",))
    assert refusal is not None and refusal.code == "move_not_allowed"


@pytest.mark.parametrize("to", ["construction", "operating", "nowhere"])
def test_a_revert_goes_only_to_an_earlier_stage(to: str) -> None:
    refusal = refuse("revert", at("construction"), {"reason": "未开工", "to": to}, ())
    assert refusal is not None and refusal.code == "move_not_allowed"
    assert refuse("revert", at("construction"), {"reason": "未开工", "to": "land"}, ()) is None


# The checklist promises what the move accepts --------------------------------------------------------------------

SITUATIONS = [*(at(stage) for stage in ORDER), *(with_status(status) for status in table.STATUSES)]
SITUATIONS += [
    standing(history(registered("2026-01-05", route=None, claims=False)), "2026-01-05"),
    standing(history(registered("2026-01-05"), started("2026-04-01")), "2026-04-01"),
    standing(
        history(registered("2026-01-05"), signed("2026-02-02", CONTRACT), suspended("2026-03-02", "2026-03-09")),
        "2026-03-10",
    ),
]


@pytest.mark.parametrize("before", SITUATIONS, ids=lambda now: f"{now.stage}-{now.status}-{len(now.in_force)}")
def test_checklist_and_refusal_agree(before: Standing) -> None:
    rows = {row["action"]: row for row in checklist(before)}
    assert list(rows) == list(table.BY_ACTION)
    for action, row in rows.items():
        refusal = refuse(action, before, {}, before.proofs)
        if not row["allowed"]:
            assert row["missing"] == []
            assert refusal is not None
        else:
            assert (refusal.missing if refusal else []) == row["missing"]
        if refusal is not None and refusal.code == "move_not_allowed":
            assert not row["allowed"]


@pytest.mark.parametrize("before", SITUATIONS, ids=lambda now: f"{now.stage}-{now.status}-{len(now.in_force)}")
def test_what_the_checklist_allows_is_accepted_once_the_missing_is_handed_in(before: Standing) -> None:
    words = {"to": "intent", "until": "2026-06-30", "route": "leased", "contract_amount": 1}
    for row in checklist(before):
        handed_in = [lacking["kind"] for lacking in row["missing"] if "kind" in lacking]
        given = {lacking["field"]: words.get(lacking["field"], "-") for lacking in row["missing"] if "field" in lacking}
        if "route" in given:  # the proof of the site is asked for as soon as the route is known
            handed_in.append("lease_contract")
        if row["allowed"]:
            assert refuse(row["action"], before, given, (*before.proofs, *handed_in)) is None


def test_the_checklist_knows_who_asks() -> None:
    allowed = {role: {row["action"] for row in checklist(at("land"), role) if row["allowed"]} for role in ("clerk", "officer", "auditor")}
    assert allowed["clerk"] == {"start_construction", "start_operation", "suspend"}
    assert allowed["officer"] == allowed["clerk"] | {"terminate", "revert"}
    assert allowed["auditor"] == set()


def test_next_missing_looks_at_the_next_stage_only() -> None:
    assert [row["kind"] for row in next_missing(at("signed"))] == [
        "company_registration",
        "project_filing",
        "lease_contract",
    ]
    assert next_missing(at("operating")) == []
    assert next_missing(with_status("terminated")) == []


# The faces of the table ------------------------------------------------------------------------------------------


def test_the_diagram_has_ascii_names_and_every_arrow() -> None:
    lines = [line.strip() for line in machine.mermaid().splitlines()]
    arrows = {match.groups() for line in lines if (match := re.fullmatch(r"(\w+) --> (\w+) : (\w+)( \(gap_reason\))?", line))}
    expected = {
        (source, target, action, " (gap_reason)" if ORDER.index(target) - ORDER.index(source) > 1 else None)
        for action, target in STAGE_MOVES.items()
        for source in ORDER[: ORDER.index(target)]
    }
    assert arrows == expected
    assert lines[:2] == ["stateDiagram-v2", "direction LR"]
    assert any(line.startswith("operating --> intent : revert") for line in lines)
    for line in lines:
        assert line.split(" : ")[0].isascii()


def test_workflow_asks_by_route_as_the_moves_do() -> None:
    move = next(move for move in machine.workflow()["moves"] if move["action"] == "secure_land")
    assert {route: [group[0] for group in groups] for route, groups in move["evidence"].items()} == LAND_ASKS


def test_every_name_in_the_table_is_known_to_the_table() -> None:
    for move in table.MOVES:
        assert set(move.fields) <= set(table.FIELD_LABELS)
        assert {kind for group in move.evidence for kind in group} <= {*table.EVIDENCE, "site_proof"}
    assert set(table.SITE_PROOF) == set(table.ROUTES)
    assert {row.proves for row in table.EVIDENCE.values()} <= {*table.MILESTONES, None}
    assert table.STAGE_OF_MILESTONE == {
        "land_secured": "land",
        "real_start": "construction",
        "first_invoice": "operating",
    }
    assert table.check_sql("stage") == "stage IN ('intent', 'signed', 'land', 'construction', 'operating')"
