"""Believable histories for a bench register: some six facts each, recorded one by one, over eight years.

A story is told once and used for several projects; only the ref, the name, the office and the owner differ. Facts carry
no real mac ("unsealed"): what a register weighs and how it is read does not depend on it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any

from app.heart import facts as kinds
from app.heart import lifecycle
from app.heart.clocks import Clock
from app.heart.standing import Segment
from app.policies.policy import Policy, Running
from app.projects import derived, store
from app.projects.derived import Actor, New
from app.projects.store import Head

TODAY = date(2026, 6, 30)
"""The bench's business day, a Tuesday; the quiet day. The first day of a daily run is the Monday before it."""
FIRST_DAY = TODAY - timedelta(days=1)
ADOPTED = TODAY - timedelta(days=700)
"""When the county took to this register."""
NEWLY_DUE = 100
OFFICE, OWNER, NAME = 700_000_001, 700_000_002, "@@name@@"
"""Stand-ins that the seed replaces for each project."""
YEARS = 8
POLICY = Policy(1, date.min, datetime.min.replace(tzinfo=UTC), {})
Row = dict[str, Any]


@dataclass
class Told:
    """One fact of a story before it is recorded."""

    kind: str
    on: date
    data: Row
    lag: int = 0
    review: int | None = None  # days after recording on which the county recognises it


@dataclass
class Story:
    """All rows of one project, as recording its facts one after the other leaves them."""

    project: Row = field(default_factory=dict)
    facts: list[Row] = field(default_factory=list)
    standings: list[Row] = field(default_factory=list)
    clocks: list[Row] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    ticking: list[Clock] = field(default_factory=list)


def _proof(kind: str, on: date) -> Row:
    return {"kind": kind, "number": f"{kind[:4].upper()}-{on:%Y%m%d}", "dated_on": on.isoformat()}


def _registered(on: date, route: str, chance: random.Random, **more: Any) -> Told:
    data = {
        "name": NAME, "office": OFFICE, "owner": OWNER, "route": route, "claims": True, "recognition": "recognised",
        "investor": "示例投资有限公司", "industry": chance.choice(["新材料", "装备制造", "食品", "电子信息"]),
    }  # fmt: skip
    return Told(kinds.REGISTERED, on, data | more, chance.choice([0, 0, 1, 3]))


def _move(action: str, on: date, proofs: list[Row], chance: random.Random, **more: Any) -> Told:
    claimed = chance.random() < 0.3
    data = {"action": action, "evidence": proofs, "recognition": "claimed" if claimed else "recognised", **more}
    late = chance.randrange(10, 40) if chance.random() < 0.15 else chance.choice([0, 0, 1, 2])
    return Told(kinds.MOVED, on, data, late, chance.randrange(1, 9) if claimed else None)


def _sign(on: date, chance: random.Random) -> Told:
    amount = {"amount": chance.randrange(10, 5000) * 10_000_000, "currency": "CNY"}
    return _move("sign", on, [_proof("formal_contract", on)], chance, contract_amount=amount)


def _call(on: date) -> Told:
    return Told(kinds.FOLLOWED_UP, on, {"channel": "call", "note": "电话跟踪"})


def _days_ago(days: int) -> date:
    return TODAY - timedelta(days=days)


def intent(chance: random.Random) -> list[Told]:
    """Never signed."""
    ago = chance.randrange(3, 500)
    told = [_registered(_days_ago(ago), chance.choice(list(lifecycle.ROUTES)), chance)]
    return told + [_call(_days_ago(chance.randrange(1, ago + 1))) for _ in range(4)]


def fresh(chance: random.Random) -> list[Told]:
    """A young intent with all it needs for its signing: what a stage report of the bench signs."""
    ago = chance.randrange(8, 21)
    return [_registered(_days_ago(ago), "leased", chance, amount=50_000_000_00, currency="CNY"), _call(_days_ago(ago - 4))]


def stopped(chance: random.Random) -> list[Told]:
    """Signed, then nothing that counts."""
    ago = chance.randrange(45, 1600)
    signed = _days_ago(ago)
    told = [
        _registered(signed - timedelta(days=chance.randrange(20, 200)), chance.choice(["leased", "purchased", "no_site"]), chance),
        _sign(signed, chance),
    ]
    told += [_call(_days_ago(chance.randrange(0, ago))) for _ in range(3)]
    return [*told, Told(kinds.REPORTED, _days_ago(ago - 20), {"text": f"正在洽谈厂房 {ago}"})]


def moved(chance: random.Random) -> list[Told]:
    """Signed and moved on, as far as its age allows."""
    ago = chance.randrange(60, YEARS * 365)
    started = _days_ago(ago)
    at = started + timedelta(days=chance.randrange(20, 120))
    route = chance.choice(["leased", "purchased", "new_land_existing_quota", "new_land_new_quota"])
    told = [_registered(started, route, chance), _sign(at, chance)]
    site = lifecycle.SITE_PROOF[route][0]
    for step in range(4):
        slow = step > 0 or chance.random() < 0.25  # some stood still after their signing, and moved on in the end
        at += timedelta(days=chance.randrange(40, 300) if slow else chance.randrange(8, 25))
        if at >= _days_ago(3):
            break
        if step == 0:
            told.append(
                Told(
                    kinds.MILESTONE,
                    at,
                    {"milestone": "company_registered", "evidence": [_proof("company_registration", at), _proof("project_filing", at)]},
                )
            )
        elif step == 1:
            told.append(_move("secure_land", at, [_proof(site, at)], chance))
        elif step == 2:
            told.append(_move("start_construction", at, [_proof("construction_permit", at), _proof("site_photo", at)], chance))
        else:
            told.append(_move("start_operation", at, [_proof("first_invoice", at), _proof("completion_acceptance", at)], chance))
    return told


def ended(chance: random.Random) -> list[Told]:
    """Terminated after a while, or suspended."""
    told = stopped(chance)
    last = max(one.on for one in told)
    if chance.random() < 0.8:
        data = {"action": "terminate", "reason": "投资方退出", "termination": "withdrawn"}
    else:
        data = {
            "action": "suspend",
            "reason": "等待指标",
            "next_actor": "government",
            "until": (TODAY + timedelta(days=chance.randrange(9, 300))).isoformat(),
        }
    return [*told, Told(kinds.MOVED, last, data)]


def due_today(chance: random.Random) -> list[Told]:
    """Signed thirty days before the quiet day on an existing site: exactly one clock turns, to red, on that day."""
    signed = _days_ago(30)
    return [
        _registered(signed - timedelta(days=40), "existing_site", chance),
        Told(kinds.MOVED, signed, _sign(signed, chance).data | {"recognition": "recognised"}),
    ]


SHAPES = ((moved, 0.83), (intent, 0.06), (stopped, 0.03), (ended, 0.08))


def tell(told: list[Told]) -> Story:
    """Record a story's facts, as the service would have, and keep every row that leaves behind.

    What happened before the county took to this register was taken over on that day, in one act.
    """
    head, story = Head(0, ""), Story()
    old = [one for one in told if one.on + timedelta(days=one.lag) <= ADOPTED]
    if old:
        firm = [one.data | ({"recognition": "recognised"} if "recognition" in one.data else {}) for one in old]
        _record(head, story, [New(one.kind, one.on, data) for one, data in zip(old, firm, strict=True)], ADOPTED, "import")
    later = [one for one in told if one not in old]
    queue = sorted((min(one.on + timedelta(days=one.lag), FIRST_DAY), number, one) for number, one in enumerate(later))
    if not old:  # the registration comes first, whatever was told late
        queue = [
            (max(on, queue[0][0] if number else on), number, one) for on, number, one in sorted(queue, key=lambda row: (row[1] > 0, row))
        ]
    for on, _, one in queue:
        on = max(on, head.facts[-1].recorded_on) if head.facts else on
        _record(head, story, [New(one.kind, min(one.on, on), one.data)], on)
        if one.review is not None:
            at = min(on + timedelta(days=one.review), FIRST_DAY)
            _record(head, story, [New(kinds.RECOGNISED, at, {"scored": True, "counted_on": at.isoformat()}, head.version)], at)
    story.segments, story.ticking = head.segments, head.clocks
    return story


def _record(head: Head, story: Story, new: list[New], on: date, source: str = "api") -> None:
    moment = store.moment_after(head, datetime.combine(on, time(1, 0, head.version), UTC))
    change = store.prepare(head, new, actor=Actor(OFFICE, "clerk"), source=source, moment=moment, recorded_on=on, key=None)
    story.project = change.project | {"head_mac": "unsealed"} | derived.keys_of(head.ref, change.project)
    story.facts += change.facts
    for gone in change.standings_closed:
        next(row for row in story.standings if row["known_to"] is None and row["valid_from"] == gone["valid_from"])["known_to"] = moment
    for gone in change.clocks_closed:
        row = next(
            row
            for row in story.clocks
            if row["known_to"] is None and (row["rule"], row["valid_from"]) == (gone["rule"], gone["valid_from"])
        )
        row |= {"known_to": moment, "life": gone["life"]}
    story.standings += change.standings
    story.clocks += change.clocks


def turns(story: Story) -> list[tuple[str, str | None]]:
    """What changes level on the quiet day: (rule, level), under version 1 of the policy."""

    def levels(on: date) -> dict[str, str]:
        running = [one for one in story.ticking if one.valid_from <= on < one.valid_to]
        return {
            reason.rule: reason.level
            for reason in POLICY.reasons([Running(*(getattr(c, name) for name in Running._fields)) for c in running], on)
        }

    before, after = levels(FIRST_DAY), levels(TODAY)
    return [(rule, after.get(rule)) for rule in sorted({*before, *after}) if before.get(rule) != after.get(rule)]


@cache
def stories(count: int, seed: int = 1) -> tuple[list[Story], list[Story]]:
    """(quiet stories, stories with exactly one row newly due on the quiet day)."""
    chance = random.Random(seed)
    quiet: list[Story] = []
    shapes = [shape for shape, _ in SHAPES]
    weights = [weight for _, weight in SHAPES]
    while len(quiet) < count:
        story = tell(chance.choices(shapes, weights)[0](chance))
        if not turns(story) and all(segment.valid_from != TODAY for segment in story.segments):
            quiet.append(story)
    due = [tell(due_today(chance)) for _ in range(NEWLY_DUE)]
    assert all(turns(story) == [("signed_no_progress", "red")] for story in due), turns(due[0])
    return quiet, due


@cache
def fresh_stories(count: int = 60, seed: int = 2) -> list[Story]:
    """Young intents that nothing is due for."""
    chance = random.Random(seed)
    found: list[Story] = []
    while len(found) < count:
        story = tell(fresh(chance))
        if not turns(story):
            found.append(story)
    return found
