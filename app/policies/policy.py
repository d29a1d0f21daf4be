"""One version of the limits, and which version answers a question. Pure.

A version's body holds only what differs from the defaults in heart/rules.py:
{"signed_no_progress": {"red": "45d", "enabled": true, "routes": {"leased": {"red": "20d"}}}}. A percentage counts where the
contract agrees a date, whatever stands beside it counts where it does not: {"start_to_operating": {"agreed": {"red": "90%"}}}.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy, deepcopy
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any, NamedTuple, Self

from app.errors import Invalid
from app.heart import lifecycle, rules
from app.heart.calendar import SHIPPED, Calendar
from app.heart.limits import BLUE_DAYS, LEVELS, RANK, Limit, Limits, due, limits_of, parse, parse_share, share_text

LEVEL_KEYS = LEVELS[1:]
ROUTES: tuple[str | None, ...] = (*lifecycle.ROUTES, None)


class Reason(NamedTuple):
    """Why a project is flagged: rule, level, the basis it counts from, the limit, the day it was reached, days since; and
    whether that day leans on a year whose workdays nobody has published yet."""

    rule: str
    level: str
    basis: str
    basis_on: date
    limit: str
    due_on: date
    days_over: int
    note: str | None = None
    note_english: str | None = None
    provisional: bool = False

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
    part: int | None = None
    agreed_on: date | None = None


class Stream(NamedTuple):
    """One ordered index range that answers "who has reached this level": clocks of `rule` on `routes` (None: any route)
    with solid basis <= `solid`, or soft basis <= `soft`, and money in place below the limits' share. With `spans` (percent,
    day): only clocks with an agreed date of whose time so much has passed by the day; `agreed` None: agreed or not."""

    rule: str
    routes: tuple[str | None, ...] | None
    limits: Limits
    solid: date
    soft: date
    agreed: bool | None = None
    spans: tuple[tuple[int, date], ...] = ()


class Policy:
    """One version, with the calendar its workdays are counted by. A version never changes."""

    def __init__(
        self, number: int, effective_from: date, recorded_at: datetime, body: Mapping[str, Any], calendar: Calendar = SHIPPED
    ) -> None:
        self.id = number
        self.effective_from = effective_from
        self.recorded_at = recorded_at
        self.body = dict(body)
        self.calendar = calendar

    def by(self, calendar: Calendar) -> Self:
        """The same version, counting workdays by another calendar."""
        bound = copy(self)
        bound.calendar = calendar
        return bound

    def due(self, limit: Limit, basis: date, agreed_on: date | None = None) -> date:
        """The day on which a limit is reached, by this policy's calendar."""
        return due(limit, basis, agreed_on, self.calendar)

    def leans_on(self, limits: Limits, level: str, basis: date, due_on: date) -> tuple[int, ...]:
        """The years without a published calendar that a level's day leans on. (Exit review also waits for red.)"""
        asked = {"red": (limits.red,), "exit_review": (limits.exit_review, limits.red)}.get(level, (limits.yellow,))
        counted = [one for one in asked if one is not None and one.unit == "wd"]
        if counted and level == "blue":  # is reached so many days before yellow
            due_on = self.due(counted[0], basis)
        return self.calendar.unpublished(basis, due_on) if counted else ()

    def provisional_years(self, reasons: Iterable[Mapping[str, Any]]) -> list[int]:
        """The years without a published calendar that some printed reasons lean on."""
        years: set[int] = set()
        for one in reasons:
            if one["provisional"]:
                until = one["due_on"] + timedelta(days=BLUE_DAYS if one["level"] == "blue" else 0)
                years |= {*self.calendar.unpublished(one["basis_on"], until)}
        return sorted(years)

    @cached_property
    def _limits(self) -> dict[tuple[str, str | None, bool], Limits | None]:
        return {
            (rule.name, route, agreed): self._compute(rule, route, agreed)
            for rule in rules.RULES
            for route in ROUTES
            for agreed in (False, True)
        }

    def _compute(self, rule: rules.Rule, route: str | None, agreed: bool) -> Limits | None:
        changed = self.body.get(rule.name, {})
        usual, here = rule.routes.get(route or "", {}), changed.get("routes", {}).get(route or "", {})
        if changed.get("enabled") is False or (rule.by_route and not usual and not here):
            return None
        if agreed and rule.agreed:
            return limits_of({**rule.agreed, **changed.get("agreed", {}), **here.get("agreed", {})})
        share = {"share": rule.share} if rule.share else {}
        return limits_of({**rule.limits, **usual, **share, **_levels(changed), **_levels(here)})

    def limits(self, rule: str, route: str | None, agreed: bool = False) -> Limits | None:
        """The limits of a rule on a site route, where the contract agrees a date or not; None when the rule is off there."""
        return self._limits.get((rule, route, agreed))

    def reached(self, clock: Running, on: date) -> tuple[str, Limit, date] | None:
        """The level a clock has reached on a day, the limit that says so, and the day it was reached."""
        limits = self.limits(clock.rule, clock.route, clock.agreed_on is not None)
        if limits is None:
            return None
        return limits.reached(clock.solid_on, clock.soft_on, on, self.calendar, agreed_on=clock.agreed_on, part=clock.part)

    def reasons(self, clocks: Iterable[Running], on: date) -> list[Reason]:
        """Every rule that has reached a level on a day, worst first."""
        found = []
        for clock in clocks:
            limits = self.limits(clock.rule, clock.route, clock.agreed_on is not None)
            if limits and (reached := self.reached(clock, on)):
                level, limit, due_on = reached
                basis_on = clock.solid_on if level in ("red", "exit_review") else clock.soft_on
                basis = clock.basis if basis_on == clock.solid_on else "last_progress_on"
                told = (*note_of(clock, on), bool(self.leans_on(limits, level, basis_on, due_on)))
                found.append(Reason(clock.rule, level, basis, basis_on, str(limit), due_on, (on - due_on).days, *told))
        return sorted(found, key=lambda reason: (-RANK[reason.level], reason.due_on, reason.rule))

    def stopped_on(self, clocks: Iterable[Running], on: date) -> date | None:
        """The composite's (e): the earliest red_on reached among its clocks that run while (a)-(d) hold."""
        days = []
        for clock in clocks:
            limits = self.limits(clock.rule, clock.route)
            if clock.halted and clock.rule in rules.STOPPED_BY and limits and limits.red:
                red_on = self.due(limits.red, clock.solid_on)
                if red_on <= on:
                    days.append(red_on)
        return min(days, default=None)

    def streams(self, level: str, on: date, names: Sequence[str] | None = None) -> list[Stream]:
        """One range per rule and distinct limits: who has reached `level` or worse on a day."""
        found = []
        for rule in rules.RULES:
            if names is not None and rule.name not in names:
                continue
            for agreed in (False, True) if rule.agreed else (None,):
                for limits, routes in self.by_limits(rule.name, bool(agreed)):
                    solid, soft = limits.cutoffs(level, on, self.calendar)
                    spans = tuple(limits.spans(level, on)) if agreed else ()
                    if max(solid, soft) > date.min and (spans or not agreed):
                        found.append(Stream(rule.name, routes, limits, solid, soft, agreed, spans))
        return found

    def by_limits(self, rule: str, agreed: bool) -> list[tuple[Limits, tuple[str | None, ...] | None]]:
        """The distinct limits of a rule with the routes they hold on (None: on every one)."""
        groups: dict[Limits, list[str | None]] = {}
        for route in ROUTES:
            if (limits := self.limits(rule, route, agreed)) is not None:
                groups.setdefault(limits, []).append(route)
        return [(limits, None if len(routes) == len(ROUTES) else tuple(routes)) for limits, routes in groups.items()]

    def shown(self) -> dict[str, Any]:
        """The whole version as `luodi policy show` and GET /policy print it."""
        table = {}
        for rule in rules.RULES:
            changed = self.body.get(rule.name, {})
            routes = {route: {**rule.routes.get(route, {}), **changed.get("routes", {}).get(route, {})} for route in lifecycle.ROUTES}
            more: dict[str, Any] = {}
            if rule.agreed:
                more["agreed"] = {key: {**rule.agreed, **changed.get("agreed", {})}.get(key) for key in LEVEL_KEYS}
            if rule.share:
                more["share"] = changed.get("share", rule.share)
            table[rule.name] = {
                "label": rule.label,
                "english": rule.english,
                "enabled": changed.get("enabled", True),
                **{key: {**rule.limits, **_levels(changed)}.get(key) for key in LEVEL_KEYS},
                "routes": {route: limits for route, limits in routes.items() if limits},
                **more,
            }
        return {"version": self.id, "effective_from": self.effective_from, "recorded_at": self.recorded_at, "limits": table}


def red_only(streams: Iterable[Stream]) -> list[Stream]:
    """The streams of rules that have a red: without one an exit review is reached, but nothing is ever red."""
    return [stream for stream in streams if stream.limits.red is not None]


def note_of(clock: Running, on: date) -> tuple[str | None, str | None]:
    """What a rule prints once so much time has passed since the basis: the last of its notes."""
    rule = rules.BY_NAME[clock.rule]
    passed = [note for note in rule.notes if due(parse(note[0]), clock.solid_on) <= on and clock.route not in rule.notes_not_on]
    return (passed[-1][1], passed[-1][2]) if passed else (None, None)


def _levels(changed: Mapping[str, Any]) -> dict[str, str | None]:
    return {key: changed[key] for key in (*LEVEL_KEYS, "share") if key in changed}


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
            _change_rule(body.setdefault(name, {}), rules.BY_NAME[name], change, f"limits.{name}", errors)
    if errors:
        raise Invalid("策略文件有误：" + "；".join(f"{row['field']}: {row['message']}" for row in errors), errors=errors)
    return body


def _change_rule(row: dict[str, Any], rule: rules.Rule, change: Mapping[str, Any], field: str, errors: list[dict[str, str]]) -> None:
    """One rule's table: levels, `enabled`, `share` and `agreed` where the rule has them, and tables by site route."""
    for key, value in change.items():
        if key == "enabled" and isinstance(value, bool):
            row["enabled"] = value
        elif key in lifecycle.ROUTES and isinstance(value, Mapping):
            route = row.setdefault("routes", {}).setdefault(key, {})
            for name, text in value.items():
                _set(route, rule, name, text, f"{field}.{key}.{name}", errors)
        else:
            _set(row, rule, key, value, f"{field}.{key}", errors)


def _set(row: dict[str, Any], rule: rules.Rule, key: str, value: Any, field: str, errors: list[dict[str, str]]) -> None:
    """One level or share, or the table of percentages; "none" takes a level away, since TOML has no null."""
    try:
        if key in LEVEL_KEYS:
            _set_level(row, rule, key, value, agreed_only=False)
        elif key == "share" and rule.share:
            row["share"] = share_text(parse_share(value))
        elif key == "agreed" and rule.agreed and isinstance(value, Mapping):
            for level, text in value.items():
                if level not in LEVEL_KEYS:
                    raise ValueError(f"{level}: 只能是 yellow、red、exit_review / unknown level")
                _set_level(row, rule, level, text, agreed_only=True)
        else:
            more = [name for name, has in (("share", rule.share), ("agreed", rule.agreed)) if has]
            raise ValueError(f"未知的键 / unknown key: {', '.join(['yellow, red, exit_review, enabled', *more])} or a site route")
    except ValueError as error:
        errors.append({"field": field, "message": str(error)})


def _set_level(row: dict[str, Any], rule: rules.Rule, level: str, value: Any, *, agreed_only: bool) -> None:
    """A percentage belongs to the agreed time, wherever it stands; a count of days to where nothing was agreed."""
    limit = None if value == "none" else parse(value)
    percent = limit is not None and limit.unit == "%"
    if percent and not rule.agreed:
        raise ValueError(f"{value}: 本规则没有约定期限，不能用百分比 / this rule has no agreed period; use d, wd or m")
    if agreed_only and limit is not None and not percent:
        raise ValueError(f"{value}: 约定期限用百分比，例如 80% / a percentage of the agreed period")
    target = row.setdefault("agreed", {}) if percent or agreed_only else row
    target[level] = None if limit is None else str(limit)


__all__ = ["Limit", "Policy", "Reason", "Running", "Stream", "changed_body", "governing", "note_of", "red_only"]
