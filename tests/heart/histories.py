"""Histories nobody would make up: `fact_histories()` draws everything that can be told of one project, in any order.

Days lie close together, so that many things fall on one day, on the eve of another, or on the day a pause runs out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta

from hypothesis import strategies as st

from app.heart.facts import ON_OTHERS, Fact
from app.heart.lifecycle import MILESTONES, ROUTES
from tests.heart import story

FIRST_DAY = date(2026, 1, 5)
DAYS = 24
"""Facts happen within so many days; evidence may be older or younger by a few."""

EVIDENCE_DRAWN = (
    "letter_of_intent",
    "meeting_record",
    "formal_contract",
    "company_registration",
    "project_filing",
    "lease_contract",
    "start_report",
    "site_photo",
    "first_invoice",
    "tax_proof",
)
CLAIMS = ("register", "sign", "secure_land", "start_construction", "start_operation")
WHO = ("town", "bureau", "import")
TEXTS = (None, "", "厂房装修", "厂房装修。", "厂房 装修", "设备招标", "Ｓｔｅｅｌ", "steel")

days = st.integers(0, DAYS - 1).map(lambda count: FIRST_DAY + timedelta(days=count))
delays = st.sampled_from((0, 0, 0, 1, 3))
"""How many days later a fact is recorded than it happened."""


@st.composite
def proofs(draw: st.DrawFn) -> dict[str, str | None]:
    """One piece of evidence, dated or not, complete or not."""
    dated = draw(st.none() | st.integers(-3, DAYS + 2).map(lambda count: FIRST_DAY + timedelta(days=count)))
    number = draw(st.sampled_from(("HT-1", None)))
    return story.proof(draw(st.sampled_from(EVIDENCE_DRAWN)), dated.isoformat() if dated else None, number=number)


evidence_lists = st.lists(proofs(), max_size=2)


@st.composite
def registrations(draw: st.DrawFn) -> Fact:
    on = draw(st.integers(0, 4).map(lambda count: FIRST_DAY + timedelta(days=count)))
    return story.registered(
        on,
        by=draw(st.sampled_from(WHO)),
        told=on + timedelta(days=draw(delays)),
        claims=draw(st.sampled_from((True, True, False))),
        route=draw(st.sampled_from((None, "leased", "existing_site", "no_site"))),
        credit_code=draw(st.sampled_from((None, None, "91350100M000100Y43"))),
        evidence=draw(evidence_lists),
    )


@st.composite
def claims(draw: st.DrawFn) -> Fact:
    """A stage claimed by anybody, told on the day or later."""
    on, action = draw(days), draw(st.sampled_from(CLAIMS))
    amount = {"contract_amount": {"amount": draw(st.integers(1, 3)), "currency": "CNY"}} if action == "sign" else {}
    by, told = draw(st.sampled_from(WHO)), on + timedelta(days=draw(delays))
    return story.moved(action, on, *draw(evidence_lists), by=by, told=told, **amount)


@st.composite
def status_moves(draw: st.DrawFn) -> Fact:
    on, by = draw(days), draw(st.sampled_from(WHO))
    kind = draw(st.sampled_from(("suspend", "suspend", "resume", "terminate", "reopen", "revert")))
    if kind == "suspend":
        until = draw(st.none() | st.integers(-1, 8).map(lambda count: (on + timedelta(days=count)).isoformat()))
        return story.suspended(on, until, by=by)
    if kind == "revert":
        return story.reverted(on, draw(st.sampled_from(("intent", "signed", "land", "construction"))), by=by)
    return story.moved(kind, on, by=by)


amendments = st.fixed_dictionaries(
    {},
    optional={
        "route": st.sampled_from(tuple(ROUTES)),
        "office": st.sampled_from((story.TOWN, story.OTHER_TOWN)),
        "owner": st.sampled_from((story.CLERK, story.OTHER_CLERK, None)),
        "needs_registration": st.sampled_from((True, False, None)),
        "credit_code": st.sampled_from(("91350100M000100Y43", None)),
        "owner_left": st.just(True),
        "planned_start_on": st.sampled_from(("2026-01-20", "2026-03-01", None)),
        "planned_operation_on": st.sampled_from(("2026-01-08", "2026-01-25", "2026-03-01", None)),
    },
)
other_facts = st.one_of(
    st.builds(story.milestone, st.sampled_from(tuple(MILESTONES)), days, planned=st.booleans()),
    st.builds(story.milestone, st.sampled_from(tuple(MILESTONES)), days, proofs()),
    st.builds(lambda on, items: story.evidence(on, *items), days, evidence_lists),
    st.builds(story.funded, days, st.integers(0, 3), st.sampled_from(("CNY", "USD"))),
    st.builds(story.reported, days, st.sampled_from(TEXTS)),
    st.builds(lambda on, changes: story.amended(on, **changes), days, amendments),
    st.builds(story.contacted, days, st.sampled_from(("town", "import"))),
    st.builds(story.noted, days),
)
reviews = st.tuples(st.sampled_from((*ON_OTHERS, "recognised")), st.integers(0, 30), days)
"""(kind, which of the facts told before, day of the review)"""


@st.composite
def fact_histories(draw: st.DrawFn, *, min_size: int = 0, max_size: int = 12, takes_back_registration: bool = False) -> list[Fact]:
    """All facts of one project, numbered in the order told; the first is its registration.

    Reviews act on any older fact: recognitions and returns on claims, voids on anything, reviews among them.
    `takes_back_registration` lets returns and voids hit the registration too.
    """
    told: list[Fact] = [draw(registrations())]
    anything = st.one_of(claims(), claims(), status_moves(), other_facts, reviews)
    for one in draw(st.lists(anything, min_size=min_size, max_size=max_size)):
        if isinstance(one, Fact):
            told.append(one)
        elif (review := _review(told, *one, takes_back_registration=takes_back_registration)) is not None:
            told.append(review)
    return story.history(*told)


def _review(told: Sequence[Fact], kind: str, which: int, on: date, *, takes_back_registration: bool) -> Fact | None:
    """A review of one of the facts told so far, or None where there is nothing to review."""
    if kind == "voided":
        targets = [seq for seq, one in enumerate(told, 1) if one.kind != "registered" or takes_back_registration]
    else:
        targets = [
            seq
            for seq, one in enumerate(told, 1)
            if (one.kind == "registered" and (kind == "recognised" or takes_back_registration))
            or (one.kind == "moved" and one.data["action"] in CLAIMS)
        ]
    if not targets:
        return None
    target = targets[which % len(targets)]
    on = max(on, told[target - 1].recorded_on)
    return story.fact(kind, on, of=target)


def days_around(facts: Iterable[Fact], margin: int = 1) -> list[date]:
    """Every day on which something could change, with its neighbours."""
    dates = set()
    for fact in facts:
        dates |= {fact.effective_on, fact.recorded_on}
        until = fact.data.get("until")
        dates |= {date.fromisoformat(until)} if until else set()
        dates |= {date.fromisoformat(item["dated_on"]) for item in fact.data.get("evidence", []) if item["dated_on"]}
    return sorted({day + timedelta(days=shift) for day in dates for shift in range(-margin, margin + 1)})
