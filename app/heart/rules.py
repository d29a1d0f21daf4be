"""THE RULES: which clock runs, since when, and what is missing. A new stall rule is one row in RULES.

A rule asks a standing for its basis (the day its clock started) and answers None when it does not apply; it never
compares a stage by name. How long is too long is policy: the texts here are version 1 of it (2-domain 2.4). After a
row is added, `luodi migrate` (which `make run` calls) derives its clocks for the whole register.
"""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from app.heart import lifecycle, sweep
from app.heart import limits as arithmetic
from app.heart import standing as fold
from app.heart.lifecycle import MILESTONES
from app.heart.standing import Segment, Standing


class Basis(NamedTuple):
    """Where a clock starts: red counts from `solid_on`; yellow from `soft_on`, which a changed text may move on."""

    name: str
    solid_on: date
    soft_on: date


class Rule(NamedTuple):
    """One row: name, sentence in Chinese and English, default limits, basis, what is missing, what to do.

    `routes` holds default limits that differ by site route; a rule with `by_route` is off while the route is unknown.
    """

    name: str
    label: str
    english: str
    limits: Mapping[str, str]
    basis: Callable[[Standing], Basis | None]
    missing: Callable[[Standing], tuple[str, ...]]
    advice: str
    routes: Mapping[str, Mapping[str, str]] = {}
    by_route: bool = False


def _from(name: str, day: date) -> Basis:
    return Basis(name, day, day)


def _progress_since(floor: date, name: str, now: Standing) -> Basis:
    solid = max(floor, now.last_solid_on or floor)
    soft = max(solid, now.last_progress_on or floor)
    return Basis(name if solid == floor else "last_progress_on", solid, soft)


def _next_steps(now: Standing) -> tuple[str, ...]:
    """The milestone a signed project has to show next."""
    if now.needs_registration and now.registered_on is None:
        return ("company_registered",)
    if now.route != "no_site" and now.filed_on is None:
        return ("project_filed",)
    return ("land_secured",) if now.land_on is None else ("real_start",)


def _intent_no_progress(now: Standing) -> Basis | None:
    """Intent, never signed, nothing later: last progress."""
    if now.intent_on is None or now.in_force[1:]:
        return None
    return _progress_since(now.intent_on, "intent_on", now)


def _signed_no_progress(now: Standing) -> Basis | None:
    """Signed and nothing later: no start of any date, no land on or after the signing. Land that came before the contract
    does not silence it (the composite's (c) and (d) read the same)."""
    if now.signed_on is None or now.started_on or now.operating_on:
        return None
    if now.land_on is not None and now.land_on >= now.signed_on:
        return None
    return _progress_since(now.signed_on, "signed_on", now)


def _signed_to_registered(now: Standing) -> Basis | None:
    if now.signed_on is None or not now.needs_registration or now.registered_on is not None:
        return None
    return _from("signed_on", now.signed_on)


def _signed_to_filed(now: Standing) -> Basis | None:
    if now.signed_on is None or now.route == "no_site" or now.filed_on is not None:
        return None
    return _from("signed_on", now.signed_on)


def _claim_waiting(now: Standing) -> Basis | None:
    return None if now.waiting_since is None else _from("claimed_on", now.waiting_since)


RULES = (
    Rule("intent_no_progress", "意向无进展", "an intent without progress", {"yellow": "30d", "red": "60d", "exit_review": "180d"},
         _intent_no_progress, lambda now: ("contract_signed",), "请推进签订正式合同，或登记最新进展；确无希望的请终止"),
    Rule("signed_no_progress", "签约后无进展", "signed, and no progress since", {"yellow": "20d", "red": "30d", "exit_review": "180d"},
         _signed_no_progress, _next_steps, "请推进公司注册、备案、落地，并登记节点和佐证材料"),
    Rule("signed_to_registered", "签约后未注册公司", "signed, and no company registered",
         {"yellow": "24d", "red": "30d", "exit_review": "60d"}, _signed_to_registered,
         lambda now: ("company_registered",), "请督促投资方注册公司，并登记统一社会信用代码"),
    Rule("signed_to_filed", "签约后未备案", "signed, and the project not filed", {"yellow": "45d", "red": "60d", "exit_review": "120d"},
         _signed_to_filed, lambda now: ("project_filed",), "请办理项目备案，并登记项目代码"),
    Rule("claim_waiting", "上报待认定", "a claim waits for its review", {"yellow": "5wd", "red": "10wd"},
         _claim_waiting, lambda now: (), "请县招商局认定或退回"),
)  # fmt: skip
BY_NAME = {rule.name: rule for rule in RULES}

STOPPED = "signed_then_stopped"
STOPPED_BY = ("signed_no_progress", "signed_to_registered")
"""The composite's two clocks: the first whose red is reached says when the project stopped."""
AWAITING = "stopped_but_for_a_claim"
"""Not a rule of the policy: the signed_no_progress clock of a project that only an unreviewed claim took off the list."""

MISSING_LABELS = MILESTONES


class Clock(NamedTuple):
    """One clock of one project, running over valid_from <= day < valid_to. `halted`: conditions (a)-(d) of the composite hold."""

    rule: str
    valid_from: date
    valid_to: date
    basis: str
    solid_on: date
    soft_on: date
    halted: bool
    office_id: int
    route: str | None


def clocks(segments: Sequence[Segment]) -> list[Clock]:
    """Every clock of a project's segments; neighbours that read the same are one clock."""
    running: dict[str, Clock] = {}
    done: list[Clock] = []
    for valid_from, valid_to, now in segments:
        seen = set()
        for rule, basis, halted in _running(now):
            seen.add(rule)
            clock = Clock(rule, valid_from, valid_to, *basis, halted, now.office_id, now.route)
            before = running.get(rule)
            if before is not None and before[3:] == clock[3:]:
                running[rule] = before._replace(valid_to=valid_to)
                continue
            if before is not None:
                done.append(before)
            running[rule] = clock
        done += [running.pop(rule) for rule in [rule for rule in running if rule not in seen]]
    return sorted([*done, *running.values()])


def _running(now: Standing) -> Iterator[tuple[str, Basis, bool]]:
    if now.silent:
        return
    halted = now.halted
    for rule in RULES:
        basis = rule.basis(now)
        if basis is not None:
            yield rule.name, basis, halted and rule.name in STOPPED_BY
    if now.signed_on is not None and not halted and not now.firm_moved:
        since = max(now.signed_on, now.firm_solid_on or now.signed_on)
        yield AWAITING, Basis("signed_on", since, since), False


def fingerprint() -> str:
    """Changes whenever the fold, a rule or the table they read changes, so that stored clocks are derived anew exactly then."""
    source = "".join(inspect.getsource(module) for module in (fold, sweep, lifecycle, sys.modules[__name__]))
    return hashlib.sha256(source.encode()).hexdigest()[:16]


def default_limits(rule: Rule, route: str | None) -> arithmetic.Limits:
    """Version 1 of the policy for one rule and route."""
    return arithmetic.limits_of({**rule.limits, **rule.routes.get(route or "", {})})
