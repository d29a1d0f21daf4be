"""THE RULES: which clock runs, since when, and what is missing. A new stall rule is one row in RULES.

A rule asks a standing for its basis (the day its clock started) and answers None when it does not apply; it never
compares a stage by name. How long is too long is policy: the texts here are version 1 of it (2-domain 2.4). After a
row is added, `luodi migrate` (which `make run` calls) derives its clocks for the whole register.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import NamedTuple

from app.heart import lifecycle
from app.heart import limits as arithmetic
from app.heart.lifecycle import MILESTONES
from app.heart.standing import Standing


class Basis(NamedTuple):
    """Where a clock starts: red counts from `solid_on`; yellow from `soft_on`, which a changed text may move on.

    `part` is the money in place in ten-thousandths of the contract, for a rule with a share; `agreed_on` the contract's date
    that percentages count to.
    """

    name: str
    solid_on: date
    soft_on: date
    part: int | None = None
    agreed_on: date | None = None


class Rule(NamedTuple):
    """One row: name, sentence in Chinese and English, default limits, basis, what is missing, what to do.

    `routes` holds default limits that differ by site route; a rule with `by_route` is off where no row names the route.
    `agreed` holds percentages that count instead when the contract agrees a date, `share` the part of the contract below
    which a rule on money applies. `reported` is a basis that also asks for the day of the last report. `notes` are printed
    once a length has passed since the basis (not on the routes of `notes_not_on`). `during_pause`: a pause does not silence it.
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
    agreed: Mapping[str, str] = {}
    share: str | None = None
    reported: Callable[[Standing, date | None], Basis | None] | None = None
    during_pause: bool = False
    notes: tuple[tuple[str, str, str], ...] = ()
    notes_not_on: tuple[str, ...] = ()


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


def _started(now: Standing) -> bool:
    """Has work begun, by a stage or by its milestone alone?"""
    return now.started_on is not None or now.operating_on is not None or "real_start" in now.milestones


def _signed_to_land(now: Standing) -> Basis | None:
    """The site, secured by the stage or by its milestone alone; company and filing have rules of their own."""
    if now.signed_on is None or now.land_on is not None or _started(now) or "land_secured" in now.milestones:
        return None
    return _from("signed_on", now.signed_on)


def _signed_to_start(now: Standing) -> Basis | None:
    return None if now.signed_on is None or _started(now) else _from("signed_on", now.signed_on)


def _land_to_start(now: Standing) -> Basis | None:
    if now.land_on is None or _started(now) or now.planned_start_on is None:
        return None
    return _from("planned_start_on", now.planned_start_on)


def _building_since(now: Standing) -> date | None:
    """The start, while the plant does not run yet."""
    return now.started_on if now.operating_on is None else None


def _funds_none_after_start(now: Standing) -> Basis | None:
    """No money came in since the start: the total did not grow on or after it."""
    start = _building_since(now)
    if start is None or (now.raised_on is not None and now.raised_on >= start):
        return None
    return _from("started_on", start)


def _funds_low_after_start(now: Standing) -> Basis | None:
    """The part of the contract in force that is in place; without an amount, or in another currency, nothing can be said."""
    start = _building_since(now)
    if start is None or not now.amount or (now.funds and now.funds_currency != now.currency):
        return None
    part = (now.funds or 0) * arithmetic.WHOLE // now.amount
    return Basis("started_on", start, start, part=part) if part < arithmetic.WHOLE else None


def _construction_no_progress(now: Standing) -> Basis | None:
    start = _building_since(now)
    return None if start is None else _progress_since(start, "started_on", now)


def _start_to_operating(now: Standing) -> Basis | None:
    start = _building_since(now)
    return None if start is None else Basis("started_on", start, start, agreed_on=now.planned_operation_on)


REPORT_DAY = 25
"""Reports are due on this day of every month (2-domain 2.4)."""


def _report_missing(now: Standing, reported_on: date | None) -> Basis | None:
    """The first 25th without a report. A report serves its own month, on whatever day of it; the first one is due on the first
    25th after the project began."""
    first = now.duties_on
    due_on = first.replace(day=REPORT_DAY) if first.day < REPORT_DAY else _next_month(first)
    if reported_on is not None:
        due_on = max(due_on, _next_month(reported_on))
    return _from("report_due_on", due_on)


def _next_month(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, REPORT_DAY)


def _claim_returned(now: Standing) -> Basis | None:
    return None if now.returned_since is None else _from("returned_on", now.returned_since)


def _owner_missing(now: Standing) -> Basis | None:
    return None if now.ownerless_on is None else _from("ownerless_on", max(now.ownerless_on, now.duties_on))


def _suspension_expired(now: Standing) -> Basis | None:
    """Before and after the agreed end alike, until somebody resumes, terminates, or agrees on another end."""
    if now.status != "suspended" or now.suspended_until is None:
        return None
    return _from("suspended_until", now.suspended_until)


def _never(now: Standing) -> None:
    """A rule that needs more than the standing; see `reported`."""


IDLE_LAND = (
    ("12m", "闲置土地：逾约定开工日期满一年未动工，可按出让或划拨价款的百分之二十征缴土地闲置费",
     "idle land: a year past the agreed start, an idle-land fee of 20 % of the land price may be levied"),
    ("24m", "闲置土地：逾约定开工日期满两年未动工，可无偿收回国有建设用地使用权",
     "idle land: two years past the agreed start, the land-use right may be taken back without compensation"),
)  # fmt: skip
"""《闲置土地处置办法》, article 14."""

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
    Rule("signed_to_land", "签约后未落实用地", "signed, and the site not secured", {}, _signed_to_land, lambda now: ("land_secured",),
         "请协调自然资源部门供地，并登记土地出让合同或不动产权证",
         {"new_land_existing_quota": {"yellow": "72d", "red": "90d", "exit_review": "180d"},
          "new_land_new_quota": {"yellow": "45d", "red": "180d", "exit_review": "365d"}}, by_route=True),
    Rule("signed_to_start", "签约后未开工", "signed, and no substantive start", {}, _signed_to_start, lambda now: ("real_start",),
         "请推进实质性开工，并登记开工报告或施工许可证和现场照片",
         {route: {"yellow": "90d", "red": "180d", "exit_review": "365d"} if route in lifecycle.BUILT_ROUTES
          else {"yellow": "48d", "red": "60d", "exit_review": "180d"} for route in lifecycle.ROUTES if route != "no_site"}, by_route=True),
    Rule("land_to_start", "约定开工日期已过未开工", "the agreed start has passed, and no substantive start",
         {"yellow": "1d", "red": "90d", "exit_review": "180d"}, _land_to_start, lambda now: ("real_start",),
         "请督促按约定开工；确需延期的，请写明原因并约定新的日期",
         notes=IDLE_LAND, notes_not_on=("leased", "purchased", "existing_site", "no_site")),
    Rule("funds_none_after_start", "开工后资金未到位", "under construction, and no money came in since the start",
         {"yellow": "60d", "red": "90d"}, _funds_none_after_start, lambda now: ("funds_in_place",), "请督促投资方资金到位，并登记到位资金"),
    Rule("funds_low_after_start", "开工后资金到位率低", "under construction, and too small a part of the contract in place",
         {"yellow": "150d", "red": "180d"}, _funds_low_after_start, lambda now: ("funds_in_place",),
         "请督促投资方按协议投资额落实资金，并登记到位资金", share="15%"),
    Rule("construction_no_progress", "开工后无进展", "under construction, and no progress since",
         {"yellow": "60d", "red": "90d", "exit_review": "180d"}, _construction_no_progress, lambda now: (),
         "请核实现场进度，并登记节点、到位资金或现场照片"),
    Rule("start_to_operating", "开工后未投产", "under construction, and not in operation", {"yellow": "584d", "red": "730d"},
         _start_to_operating, lambda now: ("first_invoice",), "请推进竣工验收和投产；确需延期的，请写明原因并约定新的投产日期",
         agreed={"yellow": "80%", "red": "100%"}),
    Rule("report_missing", "月度进展未报", "the monthly report is missing", {"yellow": "-3wd", "red": "1wd"}, _never,
         lambda now: ("progress_report",), "请在每月25日前报送进展；没有变化也请报“无变化”", reported=_report_missing),
    Rule("claim_returned", "退回后未重报", "a claim was returned and not told again", {"yellow": "5wd", "red": "10wd"},
         _claim_returned, lambda now: (), "请按退回原因补充材料后重新上报"),
    Rule("owner_missing", "无责任人", "nobody is responsible", {"yellow": "3wd", "red": "7wd"}, _owner_missing,
         lambda now: ("owner",), "请单位负责人指定责任人"),
    Rule("suspension_expired", "暂停到期", "the pause ends or has ended", {"yellow": "-7d", "red": "0d"}, _suspension_expired,
         lambda now: (), "请恢复推进、约定新的截止日期，或终止项目", during_pause=True),
)  # fmt: skip
BY_NAME = {rule.name: rule for rule in RULES}

STOPPED = "signed_then_stopped"
STOPPED_BY = ("signed_no_progress", "signed_to_registered")
"""The composite's two clocks: the first whose red is reached says when the project stopped."""
AWAITING = "stopped_but_for_a_claim"
"""Not a rule of the policy: the signed_no_progress clock of a project that only an unreviewed claim took off the list."""

MISSING_LABELS = MILESTONES | {"funds_in_place": "到位资金", "progress_report": "进展报告", "owner": "责任人"}


def default_limits(rule: Rule, route: str | None, *, agreed: bool = False) -> arithmetic.Limits:
    """Version 1 of the policy for one rule and route; `agreed`: where the contract agrees a date."""
    if agreed and rule.agreed:
        return arithmetic.limits_of(rule.agreed)
    share = {"share": rule.share} if rule.share else {}
    return arithmetic.limits_of({**rule.limits, **rule.routes.get(route or "", {}), **share})
