"""Several policies judged side by side while a register streams by once. Pure.

What variants share is computed once: flags are kept per rule and limits, and a variant is a choice of limits for every rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from app.errors import Invalid
from app.heart import rules
from app.heart.limits import Limits
from app.policies.policy import ROUTES, Policy, changed_body
from app.rehearsals.audience import Audience, Lead
from app.rehearsals.flags import Judge, Ticking, reds, steps
from app.rehearsals.post import Mailbag, posted
from app.rehearsals.tally import Period, Seen, Stopped, Tally, stopped_months

CURRENT = "current"
"""The name of the policy in force, which is always rehearsed beside the variants."""
MOST_VARIANTS = 20

Routed: TypeAlias = "tuple[Limits | None, ...]"
"""The limits of one rule, one for each of GROUNDS: what tells variants apart. All count by the same calendar."""
GROUNDS = tuple((route, agreed) for route in ROUTES for agreed in (False, True))
"""What limits may depend on: the site route, and whether the contract agrees a date."""


def judge_of(policy: Policy, rule: str) -> Judge:
    """One rule of a policy, counting by the policy's calendar."""
    return Judge({ground: policy.limits(rule, *ground) for ground in GROUNDS}, policy.due)


class Profile:
    """One rule under one set of limits: its flags, and what they give to tell."""

    def __init__(self, period: Period, audience: Audience, judge: Judge) -> None:
        self.period, self.judge = period, judge
        self.is_off = not any(judge.limits.values())
        self.tally = Tally(period)
        self.bag = Mailbag(audience)

    def add(self, seen: Seen, clocks: Sequence[Ticking]) -> None:
        """The clocks of one project for this rule."""
        if not self.is_off and (found := steps(clocks, self.judge, self.period.end)):
            self.tally.add(seen, found)
            self.bag.add(found, seen.groups)


class Variant(NamedTuple):
    """A policy by the name it is printed under."""

    name: str
    policy: Policy


def laid_over(current: Policy, tables: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Variant]:
    """The variants as policies: what each changes in the policy in force. Invalid names the variant and all that is wrong in it."""
    if len(tables) > MOST_VARIANTS:
        raise Invalid(f"一次最多演练 {MOST_VARIANTS} 个方案", errors=[{"field": "variants", "message": f"more than {MOST_VARIANTS}"}])
    found: list[Variant] = []
    for name, table in tables:
        if name == CURRENT or any(name == one.name for one in found):
            raise Invalid(f"方案名 {name} 重复，或为保留名 {CURRENT}", errors=[{"field": "variants.name", "message": f"{name} is taken"}])
        try:
            body = changed_body(current.body, table)
        except Invalid as refusal:
            rows = [row | {"field": f"{name}: {row['field']}"} for row in refusal.extra.get("errors", [])]
            raise Invalid(f"方案 {name}：{refusal.hint}", errors=rows) from refusal
        found.append(Variant(name, Policy(current.id, current.effective_from, current.recorded_at, body, current.calendar)))
    return found


class Contest:
    """All variants over one period."""

    def __init__(self, period: Period, audience: Audience, variants: Sequence[Variant]) -> None:
        self.period, self.audience, self.variants = period, audience, variants
        self._profiles: dict[str, dict[Routed, Profile]] = {rule.name: {} for rule in rules.RULES}
        self.of: dict[str, dict[str, Profile]] = {one.name: {} for one in variants}
        """variant → rule → profile"""
        for variant in variants:
            for name, known in self._profiles.items():
                judge = judge_of(variant.policy, name)
                routed = tuple(judge.limits.values())
                if routed not in known:
                    known[routed] = Profile(period, audience, judge)
                self.of[variant.name][name] = known[routed]
        self._stopped: dict[tuple[Profile, ...], Stopped] = {self._pair(one.name): Stopped() for one in variants}
        self._awaiting: dict[Profile, int] = dict.fromkeys(self._profiles[rules.STOPPED_BY[0]].values(), 0)
        self._lead = Lead({}, {})
        self.projects = 0
        self._first: int | None = None

    def _pair(self, variant: str) -> tuple[Profile, ...]:
        return tuple(self.of[variant][rule] for rule in rules.STOPPED_BY)

    def add(self, seen: Seen, clocks: Mapping[str, Sequence[Ticking]]) -> None:
        """One project with its clocks by rule."""
        self.projects += 1
        self._first = min(self._first or seen.places[0].first, seen.places[0].first)
        for place in seen.places:
            self.audience.live(place, self._lead)
        months: dict[Profile, int] = {}
        for rule, known in self._profiles.items():
            mine = clocks.get(rule, ())
            if not mine:
                continue
            for profile in known.values():
                profile.add(seen, mine)
                if rule in rules.STOPPED_BY and (found := stopped_months(self.period, mine, profile.judge)):
                    months[profile] = found
        if months:
            for pair, stopped in self._stopped.items():
                stopped.add(self.period, seen, months.get(pair[0], 0) | months.get(pair[1], 0))
        if waiting := clocks.get(rules.AWAITING):
            for profile in self._awaiting:
                self._awaiting[profile] |= self._waits(profile, waiting)

    def _waits(self, profile: Profile, clocks: Sequence[Ticking]) -> int:
        """Bits of the workdays on which only an unreviewed claim keeps a project off the list: the bureau is told every workday."""
        bits = 0
        for first, until in reds([clock._replace(halted=True) for clock in clocks], profile.judge):
            bits |= (1 << self.audience.bit(until)) - (1 << self.audience.bit(first))
        return bits

    def stopped(self, variant: str) -> Stopped:
        """Signed-then-stopped at the months' ends."""
        return self._stopped[self._pair(variant)]

    def posted(self, variant: str) -> dict[str, list[int]]:
        """Digests per workday, by kind of reader."""
        chosen = self.of[variant]
        waiting = self._awaiting[chosen[rules.STOPPED_BY[0]]]
        return posted(self.audience, [profile.bag for profile in chosen.values()], waiting, self._first, self._lead)
