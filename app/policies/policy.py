"""One version of the limits, and which version answers a question. Pure.

A version's body holds only what differs from the defaults in heart/rules.py:
{"signed_no_progress": {"red": "45d", "enabled": true, "routes": {"leased": {"red": "20d"}}}}.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from datetime import date, datetime
from functools import cached_property
from typing import Any, NamedTuple

from app.errors import Invalid
from app.heart import lifecycle, rules
from app.heart.limits import LEVELS, RANK, Limit, Limits, cutoff, due, limits_of, parse

LEVEL_KEYS = LEVELS[1:]
ROUTES: tuple[str | None, ...] = (*lifecycle.ROUTES, None)


class Reason(NamedTuple):
    """Why a project is flagged: rule, level, the basis it counts from, the limit, the day it was reached, days since."""

    rule: str
    level: str
    basis: str
    basis_on: date
    limit: str
    due_on: date
    days_over: int

    def shown(self) -> dict[str, Any]:
        """As the API prints it, with the rule's Chinese and English sentence."""
        rule = rules.BY_NAME[self.rule]
        return {**self._asdict(), "label": rule.label, "english": rule.english}


class Running(NamedTuple):
    """A running clock as read from the database, without its place in time."""

    rule: str
    basis: str
    solid_on: date
    soft_on: date
    halted: bool
    route: str | None


class Stream(NamedTuple):
    """One ordered index range that answers "who has reached this level": clocks of `rule` on `routes` (None: any route)
    with solid basis <= `solid`, or soft basis <= `soft`."""

    rule: str
    routes: tuple[str | None, ...] | None
    limits: Limits
    solid: date
    soft: date


class Policy:
    """One version. Compared and cached by its id; a version never changes."""

    def __init__(self, number: int, effective_from: date, recorded_at: datetime, body: Mapping[str, Any]) -> None:
        self.id = number
        self.effective_from = effective_from
        self.recorded_at = recorded_at
        self.body = dict(body)

    @cached_property
    def _limits(self) -> dict[tuple[str, str | None], Limits | None]:
        return {(rule.name, route): self._compute(rule, route) for rule in rules.RULES for route in ROUTES}

    def _compute(self, rule: rules.Rule, route: str | None) -> Limits | None:
        changed = self.body.get(rule.name, {})
        if changed.get("enabled") is False or (rule.by_route and route is None):
            return None
        texts = {**rule.limits, **rule.routes.get(route or "", {}), **_levels(changed), **changed.get("routes", {}).get(route or "", {})}
        return limits_of(texts)

    def limits(self, rule: str, route: str | None) -> Limits | None:
        """The limits of a rule on a site route; None when the rule is off there."""
        return self._limits.get((rule, route))

    def reasons(self, clocks: Iterable[Running], on: date) -> list[Reason]:
        """Every rule that has reached a level on a day, worst first."""
        found = []
        for clock in clocks:
            limits = self.limits(clock.rule, clock.route)
            reached = limits and limits.reached(clock.solid_on, clock.soft_on, on)
            if reached:
                level, limit, due_on = reached
                basis_on = clock.solid_on if level in ("red", "exit_review") else clock.soft_on
                basis = clock.basis if basis_on == clock.solid_on else "last_progress_on"
                found.append(Reason(clock.rule, level, basis, basis_on, str(limit), due_on, (on - due_on).days))
        return sorted(found, key=lambda reason: (-RANK[reason.level], reason.due_on, reason.rule))

    def stopped_on(self, clocks: Iterable[Running], on: date) -> date | None:
        """The composite's (e): the earliest red_on reached among its clocks that run while (a)-(d) hold."""
        days = []
        for clock in clocks:
            limits = self.limits(clock.rule, clock.route)
            if clock.halted and clock.rule in rules.STOPPED_BY and limits and limits.red:
                red_on = due(limits.red, clock.solid_on)
                if red_on <= on:
                    days.append(red_on)
        return min(days, default=None)

    def streams(self, level: str, on: date, names: Sequence[str] | None = None) -> list[Stream]:
        """One range per rule and distinct limits: who has reached `level` or worse on a day."""
        found = []
        for rule in rules.RULES:
            if names is not None and rule.name not in names:
                continue
            groups: dict[Limits, list[str | None]] = {}
            for route in ROUTES:
                if (limits := self.limits(rule.name, route)) is not None:
                    groups.setdefault(limits, []).append(route)
            for limits, routes in groups.items():
                solid, soft = limits.cutoffs(level, on)
                if max(solid, soft) > date.min:
                    found.append(Stream(rule.name, None if len(routes) == len(ROUTES) else tuple(routes), limits, solid, soft))
        return found

    def shown(self) -> dict[str, Any]:
        """The whole version as `luodi policy show` and GET /policy print it."""
        table = {}
        for rule in rules.RULES:
            changed = self.body.get(rule.name, {})
            routes = {route: {**rule.routes.get(route, {}), **changed.get("routes", {}).get(route, {})} for route in lifecycle.ROUTES}
            table[rule.name] = {
                "label": rule.label,
                "english": rule.english,
                "enabled": changed.get("enabled", True),
                **{key: {**rule.limits, **_levels(changed)}.get(key) for key in LEVEL_KEYS},
                "routes": {route: limits for route, limits in routes.items() if limits},
            }
        return {"version": self.id, "effective_from": self.effective_from, "recorded_at": self.recorded_at, "limits": table}


def red_only(streams: Iterable[Stream]) -> list[Stream]:
    """The streams of rules that have a red: without one an exit review is reached, but nothing is ever red."""
    return [stream for stream in streams if stream.limits.red is not None]


def _levels(changed: Mapping[str, Any]) -> dict[str, str | None]:
    return {key: changed[key] for key in LEVEL_KEYS if key in changed}


def red_cutoff(limits: Limits, on: date) -> date:
    """The latest basis whose red is reached on a day; `date.min` when there is no red."""
    return cutoff(limits.red, on) if limits.red is not None else date.min


def governing(versions: Iterable[Policy], on: date, known_at: datetime | None) -> Policy:
    """The version that answers for (D, K): recorded by K, effective by D; the latest effective_from, then the latest recorded."""
    fitting = [one for one in versions if one.effective_from <= on and (known_at is None or one.recorded_at <= known_at)]
    return max(fitting, key=lambda one: (one.effective_from, one.recorded_at, one.id))


def changed_body(before: Mapping[str, Any], table: Mapping[str, Any]) -> dict[str, Any]:
    """`before` with what a policy file names laid over it. Invalid lists everything that is wrong with the file."""
    errors: list[dict[str, str]] = []
    unknown = sorted(set(table) - {"limits"})
    errors += [
        {"field": name, "message": "未知的表；策略文件只有 [limits.<规则>] / unknown table, only [limits.<rule>] exists"}
        for name in unknown
    ]
    body = deepcopy(dict(before))  # versions never change
    limits = table.get("limits", {})
    if not isinstance(limits, Mapping):
        raise Invalid("limits 应为表，例如 [limits.signed_no_progress]", errors=errors)
    for name, change in limits.items():
        if name not in rules.BY_NAME:
            known = ", ".join(rules.BY_NAME)
            errors.append({"field": f"limits.{name}", "message": f"没有这条规则 / no such rule; rules: {known}"})
        elif not isinstance(change, Mapping):
            errors.append({"field": f"limits.{name}", "message": "应为表 / must be a table"})
        else:
            row = body.setdefault(name, {})
            for key, value in change.items():
                field = f"limits.{name}.{key}"
                if key == "enabled" and isinstance(value, bool):
                    row["enabled"] = value
                elif key in LEVEL_KEYS:
                    _set(row, key, value, field, errors)
                elif key in lifecycle.ROUTES and isinstance(value, Mapping):
                    route = row.setdefault("routes", {}).setdefault(key, {})
                    for level, text in value.items():
                        if level in LEVEL_KEYS:
                            _set(route, level, text, f"{field}.{level}", errors)
                        else:
                            errors.append({"field": f"{field}.{level}", "message": "只能是 yellow、red、exit_review / unknown level"})
                else:
                    errors.append({"field": field, "message": "未知的键 / unknown key: yellow, red, exit_review, enabled or a site route"})
    if errors:
        raise Invalid("策略文件有误：" + "；".join(f"{row['field']}: {row['message']}" for row in errors), errors=errors)
    return body


def _set(row: dict[str, Any], key: str, value: Any, field: str, errors: list[dict[str, str]]) -> None:
    if value == "none":  # TOML has no null: "none" takes a level away
        row[key] = None
        return
    try:
        row[key] = str(parse(value))
    except ValueError as error:
        errors.append({"field": field, "message": str(error)})


__all__ = ["Limit", "Policy", "Reason", "Running", "Stream", "changed_body", "governing", "red_cutoff", "red_only"]
