"""The main job over HTTP: a project from intent to operating, and what happens when it stops."""

from tests.cast import County, landing, signing


def test_a_project_moves_from_intent_to_operating(county: County) -> None:
    ref = county.register()
    county.sign(ref)
    county.land(ref, "2026-03-20")
    photo = {"kind": "site_photo", "dated_on": "2026-04-20"}
    start = {"action": "start_construction", "effective_on": "2026-04-20", "evidence": [{"kind": "start_report"}, photo]}
    county.post("clerk", f"/projects/{ref}/moves", start)
    done = county.post(
        "clerk",
        f"/projects/{ref}/moves",
        {"action": "start_operation", "effective_on": "2026-06-01", "evidence": [{"kind": "first_invoice"}]},
    )
    assert (done["project"]["stage"], done["project"]["stage_recognised"], done["project"]["version"]) == ("operating", "intent", 5)
    assert done["project"]["missing"] == []
    assert county.get("officer", "/signed-then-stopped")["items"] == []


def test_a_refused_signing_lists_everything_that_is_missing(county: County) -> None:
    ref = county.register()
    refusal = county.post("clerk", f"/projects/{ref}/moves", {"action": "sign", "effective_on": "2026-03-01"}, 409)
    assert refusal["code"] == "evidence_missing"
    assert refusal["missing"] == [{"kind": "formal_contract", "label": "正式合同"}, {"field": "contract_amount", "label": "协议投资额"}]
    assert county.get("clerk", f"/projects/{ref}")["version"] == 1


def test_the_checklist_promises_what_the_move_accepts(county: County) -> None:
    ref = county.register()
    county.sign(ref)
    rows = {row["action"]: row for row in county.get("clerk", f"/projects/{ref}/moves")["items"]}
    assert [one["kind"] for one in rows["secure_land"]["missing"]] == ["company_registration", "project_filing", "lease_contract"]
    assert rows["secure_land"]["allowed"] and not rows["sign"]["allowed"] and not rows["revert"]["allowed"]
    county.land(ref, "2026-04-01")


def test_a_stopped_project_is_named_with_its_reasons(county: County) -> None:
    ref = county.register()
    county.sign(ref)
    page = county.get("clerk", "/signed-then-stopped", office="T01", as_of="2026-05-15", limit=50)
    (row,) = page["items"]
    assert (row["ref"], row["signed_on"], row["stopped_on"]) == (ref, "2026-03-01", "2026-03-31")
    assert (row["days_since_signing"], row["days_stopped"]) == (75, 45)
    assert row["missing"] == [{"kind": "company_registered", "label": "公司注册"}]
    first = row["reasons"][0]
    assert (first["rule"], first["level"], first["basis_on"], first["limit"], first["due_on"], first["days_over"]) == (
        "signed_no_progress", "red", "2026-03-01", "30d", "2026-03-31", 45,
    )  # fmt: skip
    assert page["next_cursor"] is None and page["policy_version"] == 1 and page["as_of"] == "2026-05-15"


def test_known_then_it_was_stopped_known_now_it_was_not(county: County) -> None:
    ref = county.register()
    county.sign(ref)
    before = county.clock.now().isoformat()
    county.at("2026-06-12T09:00:00+08:00")
    county.land(ref, "2026-05-10")
    assert [row["ref"] for row in county.get("officer", "/signed-then-stopped", as_of="2026-05-15", known_at=before)["items"]] == [ref]
    assert county.get("officer", "/signed-then-stopped", as_of="2026-05-15")["items"] == []
    assert county.get("officer", f"/projects/{ref}", as_of="2026-05-15", known_at=before)["stage"] == "signed"
    assert county.get("officer", f"/projects/{ref}", as_of="2026-05-15")["stage"] == "land"


def test_a_returned_claim_never_stopped_a_clock(county: County) -> None:
    ref = county.register()
    county.sign(ref, who="officer")
    claim = county.land(ref, "2026-03-20")["fact"]
    assert county.get("officer", "/signed-then-stopped")["items"] == []
    known_before = county.clock.now().isoformat()
    county.at("2026-07-20T09:00:00+08:00")
    county.post("officer", f"/facts/{claim['id']}/return", {"reason": "租赁合同未盖章"})
    (row,) = county.get("officer", "/signed-then-stopped", as_of="2026-06-10")["items"]
    assert row["stopped_on"] == "2026-03-31"
    assert county.get("officer", "/signed-then-stopped", as_of="2026-06-10", known_at=known_before)["items"] == []


def test_recognition_is_a_second_fact(county: County) -> None:
    ref = county.register()
    claim = county.sign(ref)["fact"]
    assert claim["recognition"] == "claimed"
    done = county.post("officer", f"/facts/{claim['id']}/recognise", {"scored": False, "counted_on": "2026-06-01"})
    assert done["project"]["stage_recognised"] == "signed"
    timeline = county.get("clerk", f"/projects/{ref}/facts")["items"]
    assert [row["recognition"] for row in timeline if row["kind"] == "moved"] == ["recognised_not_scored"]
    assert county.post("officer", f"/facts/{claim['id']}/return", {"reason": "x"}, 409)["code"] == "already_reviewed"


def test_the_bureau_recognises_by_recording(county: County) -> None:
    ref = county.register()
    assert county.sign(ref, who="officer")["project"]["stage_recognised"] == "signed"


def test_a_town_may_void_its_own_typo_today_and_no_later(county: County) -> None:
    ref = county.register()
    claim = county.sign(ref, "2026-03-02")["fact"]
    assert county.post("clerk", f"/facts/{claim['id']}/void", {"reason": "日期写错"})["project"]["stage"] == "intent"
    again = county.sign(ref, "2026-03-01")["fact"]
    county.at("2026-06-11T09:00:00+08:00")
    assert county.post("clerk", f"/facts/{again['id']}/void", {"reason": "想想不对"}, 403)["code"] == "forbidden"
    voided = county.post("officer", f"/facts/{again['id']}/void", {"reason": "重复"})
    assert voided["project"]["stage"] == "intent"
    marks = [(row["seq"], row["voided"]) for row in county.get("clerk", f"/projects/{ref}/facts")["items"] if row["kind"] == "moved"]
    assert marks == [(4, True), (2, True)]


def test_a_pause_has_an_end_and_hides_no_age(county: County) -> None:
    ref = county.register()
    county.sign(ref)
    pause = {
        "action": "suspend",
        "effective_on": "2026-03-10",
        "reason": "土地指标未到位",
        "next_actor": "government",
        "until": "2026-05-01",
    }
    county.post("clerk", f"/projects/{ref}/moves", pause)
    assert county.get("officer", "/signed-then-stopped", as_of="2026-04-20")["items"] == []
    (row,) = county.get("officer", "/signed-then-stopped", as_of="2026-05-01")["items"]
    assert (row["stopped_on"], row["status"]) == ("2026-03-31", "suspended")


def test_what_land_before_the_contract_does(county: County) -> None:
    ref = county.register()
    early = landing("2026-02-10") | {"gap_reason": "先租厂房后签约"}
    county.post("clerk", f"/projects/{ref}/moves", early)
    county.sign(ref)
    (row,) = county.get("officer", "/signed-then-stopped", as_of="2026-05-15")["items"]
    assert (row["stage"], [reason["rule"] for reason in row["reasons"]]) == ("land", ["signed_no_progress"])


def test_skipping_stages_needs_a_reason_and_filling_in_does_not_move_the_stage(county: County) -> None:
    ref = county.register()
    refusal = county.post("clerk", f"/projects/{ref}/moves", landing("2026-03-01"), 409)
    assert {"field": "gap_reason", "label": "跳过阶段（签约）的原因", "skipped": ["signed"]} in refusal["missing"]
    county.post("clerk", f"/projects/{ref}/moves", landing("2026-03-01") | {"gap_reason": "合同在走流程"})
    assert county.post("clerk", f"/projects/{ref}/moves", signing("2026-03-15"))["project"]["stage"] == "land"


def test_reverting_lists_the_project_again(county: County) -> None:
    ref = county.register()
    county.sign(ref)
    county.land(ref, "2026-03-05")
    assert county.post("clerk", f"/projects/{ref}/moves", {"action": "revert", "to": "signed", "reason": "x"}, 403)["code"] == "forbidden"
    done = county.post(
        "officer", f"/projects/{ref}/moves", {"action": "revert", "to": "signed", "reason": "厂房未落实", "effective_on": "2026-06-01"}
    )
    assert done["project"]["stage"] == "signed"
    assert county.get("officer", f"/projects/{ref}", as_of="2026-05-31")["stage"] == "land"


def test_other_facts_move_their_own_clocks(county: County) -> None:
    ref = county.register()
    county.sign(ref)
    county.post("clerk", f"/projects/{ref}/follow-ups", {"channel": "visit", "effective_on": "2026-05-01"})
    county.post("clerk", f"/projects/{ref}/reports", {"no_change": True, "effective_on": "2026-05-02"})
    state = county.get("clerk", f"/projects/{ref}")
    assert (state["last_contact_on"], state["last_report_on"], state["last_progress_on"]) == ("2026-05-01", "2026-05-02", "2026-03-01")
    county.post("clerk", f"/projects/{ref}/funds", {"total": {"amount": "100.50", "currency": "CNY"}, "effective_on": "2026-05-03"})
    county.post("clerk", f"/projects/{ref}/evidence", {"evidence": [{"kind": "eia_approval", "dated_on": "2026-05-04"}]})
    county.post("clerk", f"/projects/{ref}/milestones", {"milestone": "company_registered", "effective_on": "2026-05-05"})
    again = county.post("clerk", f"/projects/{ref}/milestones", {"milestone": "company_registered", "effective_on": "2026-05-05"}, 409)
    assert again["code"] == "already_reported"
    state = county.get("clerk", f"/projects/{ref}")
    assert (state["last_progress_on"], state["funds_in_place"]) == ("2026-05-05", {"amount": "100.50", "currency": "CNY"})
    assert county.get("clerk", f"/projects/{ref}", as_of="2026-05-01")["last_report_on"] is None
    assert county.get("clerk", f"/projects/{ref}", as_of="2026-05-01")["last_contact_on"] == "2026-05-01"


def test_a_voided_visit_was_known_before(county: County) -> None:
    ref = county.register()
    visit = county.post("clerk", f"/projects/{ref}/follow-ups", {"channel": "visit", "effective_on": "2026-05-01"})["fact"]
    before = county.clock.now().isoformat()
    county.post("clerk", f"/facts/{visit['id']}/void", {"reason": "记错项目"})
    assert county.get("clerk", f"/projects/{ref}")["last_contact_on"] is None
    assert county.get("clerk", f"/projects/{ref}", known_at=before)["last_contact_on"] == "2026-05-01"
    assert county.get("clerk", "/projects", known_at=before)["items"][0]["last_contact_on"] == "2026-05-01"
