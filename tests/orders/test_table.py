"""The table of an order's steps: every state and every step, what is refused and with which code. Pure."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.orders import lifecycle as table
from app.orders.wording import as_number, number_of

TODAY, DUE = date(2026, 6, 10), date(2026, 6, 12)
GOOD: dict[str, dict[str, Any]] = {
    "receive": {},
    "reply": {"text": "已办理"},
    "extend": {"reason": "等环评", "until": date(2026, 6, 20)},
    "decide_extension": {"granted": False},
    "close": {"reason": "情况已变"},
    "send_back": {"reason": "无证明"},
}
ALLOWED = {
    "issued": {"receive", "extend", "close"},
    "received": {"reply", "extend", "close"},
    "replied": {"close", "send_back"},
    "sent_back": {"reply", "extend", "close"},
    "closed": set(),
}
"""Written by hand from 2-domain 2.5, without looking at the table."""


@pytest.mark.parametrize("state", table.STATES)
@pytest.mark.parametrize("action", GOOD)
def test_each_step_from_each_state(state: str, action: str) -> None:
    refusal = table.refuse(action, table.Held(state, DUE), GOOD[action], TODAY)
    if action in ALLOWED[state]:
        assert refusal is None
    else:
        assert refusal is not None and refusal.hint
        assert refusal.code == (
            "extension_not_asked" if action == "decide_extension" and "extend" in ALLOWED[state] else "order_not_allowed"
        )


@pytest.mark.parametrize("state", ["issued", "received", "sent_back"])
def test_an_extension_waits_for_one_answer(state: str) -> None:
    asked = table.Held(state, DUE, date(2026, 6, 20))
    assert table.refuse("decide_extension", asked, {"granted": True}, TODAY) is None
    again = table.refuse("extend", asked, GOOD["extend"], TODAY)
    assert again is not None and again.code == "extension_pending"


def test_more_time_is_asked_for_until_the_day_it_is_due() -> None:
    held = table.Held("received", DUE)
    assert table.refuse("extend", held, GOOD["extend"], DUE) is None
    late = table.refuse("extend", held, GOOD["extend"], DUE + timedelta(days=1))
    assert late is not None and late.code == "extension_too_late"
    no_later = table.refuse("extend", held, {"reason": "x", "until": DUE}, TODAY)
    assert no_later is not None and no_later.missing == ("until",)


@pytest.mark.parametrize(
    ("action", "state", "given", "missing"),
    [
        ("reply", "received", {"text": "  "}, ("text",)),
        ("close", "issued", {}, ("reason",)),
        ("send_back", "replied", {"reason": None}, ("reason",)),
        ("extend", "received", {}, ("reason", "until")),
    ],
)
def test_what_a_step_lacks_is_said_at_once(action: str, state: str, given: dict[str, Any], missing: tuple[str, ...]) -> None:
    refusal = table.refuse(action, table.Held(state, DUE), given, TODAY)
    assert refusal is not None and refusal.code == "order_incomplete" and refusal.missing == missing


@given(st.sampled_from(list(table.STATES)), st.one_of(st.none(), st.just(date(2026, 7, 1))), st.integers(-5, 5))
def test_what_is_offered_is_accepted(state: str, asked: date | None, late: int) -> None:
    held, today = table.Held(state, DUE, asked), DUE + timedelta(days=late)
    offered = {*table.possible(held, table.UNIT, today), *table.possible(held, table.BUREAU, today)}
    accepted = {action for action, fields in GOOD.items() if table.refuse(action, held, fields, today) is None}
    assert offered == accepted


def test_every_open_order_can_come_to_its_end() -> None:
    reached, grown = {"issued"}, True
    while grown:
        more = {step.target for step in table.STEPS if step.target and reached & set(step.sources)}
        grown, reached = not more <= reached, reached | more
    assert reached == set(table.STATES) == {*table.OPEN, table.CLOSED}
    assert all(any(state in step.sources for step in table.STEPS) for state in table.OPEN)


def test_only_the_unit_s_silence_is_overdue() -> None:
    after = DUE + timedelta(days=1)
    assert {state for state in table.STATES if table.is_overdue(state, DUE, after)} == {"issued", "received", "sent_back"}
    assert not any(table.is_overdue(state, DUE, DUE) for state in table.STATES)


@pytest.mark.parametrize("typed", ["督办〔2026〕12号", "督办[2026]12号", " 督办(2026)12 ", "督办（2026）12号"])
def test_a_number_is_found_however_it_is_typed(typed: str) -> None:
    assert as_number(typed) == number_of(2026, 12) == "督办〔2026〕12号"


@pytest.mark.parametrize("typed", ["", "12", "督办〔２０２６〕12号", "督办〔2026〕号", "督办〔2026〕12号\x00", "x督办〔2026〕12号"])
def test_what_is_no_number_is_none(typed: str) -> None:
    assert as_number(typed) is None
