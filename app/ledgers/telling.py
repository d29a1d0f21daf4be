"""What a row of a ledger says, in the register's own words. Pure: no database, and nothing of what the register holds.

An empty cell says nothing. 0 is an amount. 无 and 待定 are kept as the text they are and take nothing away. An imprecise date
counts from its first day, or from the stage before it when that lies inside its span; the text as written stays in the fact.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

from app.heart import lifecycle
from app.ledgers.understanding.amounts import Amount
from app.ledgers.understanding.areas import Area
from app.ledgers.understanding.codes import credit_code_fits, project_code_fits
from app.ledgers.understanding.dates import DAY, When
from app.ledgers.understanding.marks import Mark
from app.ledgers.understanding.model import Row
from app.ledgers.understanding.stages import CANCELLED, FRAMEWORK, INTENT_ONLY, PAUSED
from app.projects.money import to_text

DATE_OF = {
    lifecycle.SIGNED: "signed_date",
    lifecycle.LAND: "site_date",
    lifecycle.CONSTRUCTION: "start_date",
    lifecycle.OPERATING: "operating_date",
}
"""stage → the column of its date."""
MILESTONES = {"registered_date": "company_registered", "filed_date": "project_filed", "site_date": "land_secured"}
PROOFS = {"company_registered": ("company_registration", "credit_code"), "project_filed": ("project_filing", "project_code")}
"""milestone → the evidence that a ledger's code is, and the column of the code."""
AGREEMENTS = {FRAMEWORK: "framework_agreement", INTENT_ONLY: "letter_of_intent"}
PLANNED = {"planned_start": "planned_start_on", "planned_operation": "planned_operation_on"}
"""Agreed dates: column → the name facts give it."""
DETAILS = (
    "agreement", "needs_new_land", "fixed_asset_amount", "land_mu", "leased_sqm", "company", "planned_finish", "problem", "next_step",
    "resp_unit", "resp_leader", "owner", "liaison_leader", "introducer", "remark", "registered_capital", "year_amount", "invested",
    "foreign_amount", "site", "content", "origin",
)  # fmt: skip
"""Columns that no rule reads: their texts are kept with the project, as last told. Telephone numbers are not among them."""
LONGEST = {"name": 500, "investor": 500, "industry": 100}
LONGEST_DETAIL = 4_000
ROUTES = {label: route for route, label in lifecycle.ROUTES.items()} | {
    "租赁": "leased", "租赁厂房": "leased", "租用厂房": "leased", "购置厂房": "purchased", "购买厂房": "purchased", "技改": "existing_site",
    "增资扩产": "existing_site", "现有场地": "existing_site", "无需场地": "no_site",
}  # fmt: skip
"""What 是否新供地 says when it says more than yes or no; 是 alone leaves the quota open, 否 the kind of site."""
SIDE = {CANCELLED: "terminate", PAUSED: "suspend"}


class Dated(NamedTuple):
    """A stage or a milestone with its day. `when` is None when no day was told and that of the report stands in."""

    key: str
    day: date
    when: When | None
    column: str = ""

    @property
    def said(self) -> dict[str, Any]:
        """What a fact keeps beside the day, when the day is not what was written."""
        if self.when is None:
            return {"undated": True}
        return {} if self.when.precision == DAY else {"said": self.when.text}


@dataclass
class Said:
    """A row. `day` is that of the report: 最近更新, else the table's date, else today. `reported_on` only when 最近更新 says it."""

    row: Row
    day: date
    told: dict[str, Any] = field(default_factory=dict)
    details: dict[str, str] = field(default_factory=dict)
    stages: list[Dated] = field(default_factory=list)
    milestones: list[Dated] = field(default_factory=list)
    proof: tuple[str, date] | None = None
    funds: tuple[int, str] | None = None
    text: str | None = None
    reported_on: date | None = None
    side: str | None = None
    intent_on: date | None = None
    owner: int | None = None
    faults: list[Mark] = field(default_factory=list)

    def mark(self, code: str, name: str | None = None, value: str | None = None) -> None:
        """Something to tell about a cell."""
        column = self.row.table.columns.get(name) if name else None
        self.faults.append(Mark(code, name, column, value[:200] if value else None))

    def first_day(self) -> date:
        """The earliest day the row speaks of."""
        days = [one.day for one in (*self.stages, *self.milestones)]
        days += [day for day in (self.intent_on, self.proof[1] if self.proof else None) if day]
        return min(days, default=self.day)


def told_by(row: Row, today: date, *, back: bool = False) -> Said:
    """Everything an accepted row says; what was edited in a row that came `back` is said today, unless 最近更新 was edited, too."""
    updated: When | None = row.get("updated")
    reported = updated.last if updated and updated.last and updated.precision == DAY and updated.last <= today else None
    report = None if back else row.table.report_date
    said = Said(row, reported or (report if report and report <= today else today))
    said.reported_on = reported
    _descriptions(said)
    _stages(said, today)
    _milestones(said, today)
    signed, kind = row.signed, AGREEMENTS.get(row.agreement)
    if kind and signed and signed.first and signed.first <= today and not row.counts_as_signed:
        said.proof = (kind, signed.first)
    first: When | None = row.get("first_contact_date")
    if first and first.first and first.first <= today:
        said.intent_on = first.first
    money: Amount | None = row.get("funds_in_place")
    if money and money.minor is not None:
        said.funds = (money.minor, money.currency)
    said.text = _cut(row.get("progress"), LONGEST_DETAIL)
    said.side = SIDE.get(row.side_state or "")
    return said


def code_of(row: Row) -> str | None:
    """The 项目代码 as it is stored and compared: with hyphens."""
    text = row.get("project_code")
    if not text or not project_code_fits(text):
        return None
    digits = text.replace("-", "")
    return "-".join((digits[:4], digits[4:10], digits[10:12], digits[12:14], digits[14:]))


def credit_of(row: Row) -> str | None:
    """The 统一社会信用代码, when it can be one."""
    text = row.get("credit_code")
    return text.upper() if text and credit_code_fits(text) else None


def _line(text: str | None, most: int) -> str | None:
    return _cut(" ".join(text.split()), most) if text else None


def _cut(text: str | None, most: int) -> str | None:
    if not text:
        return None
    text = text.replace("\u2028", "\n").replace("\u2029", "\n")
    return text if len(text) <= most else text[: most - 1] + "…"


def _descriptions(said: Said) -> None:
    row, told = said.row, said.told
    for name, value in (("name", row.name), ("investor", row.get("investor")), ("industry", row.get("industry"))):
        if text := _line(value, LONGEST[name]):
            told[name] = text
            if value and len(text) < len(" ".join(value.split())):
                said.mark("text_cut", "project_name" if name == "name" else name, value)
    for name, code in (("credit_code", credit_of(row)), ("project_code", code_of(row))):
        if code:
            told[name] = code
        elif text := _line(row.get(name), 100):
            said.details[name] = text
    amount = row.amount
    if amount and amount.minor is not None:
        told["amount"], told["currency"] = amount.minor, amount.currency
    if amount and (amount.minor is None or amount.marks) and isinstance(amount.raw, str) and amount.raw.strip():
        said.details["amount"] = _line(amount.raw, 200) or ""
    if route := ROUTES.get(" ".join((row.get("needs_new_land") or "").split())):
        told["route"] = route
    for column, name in PLANNED.items():
        when: When | None = row.get(column)
        if when and when.last:
            told[name] = when.last.isoformat()
    for name, text in _details(row):
        said.details[name] = text


def _details(row: Row) -> Iterator[tuple[str, str]]:
    for name in DETAILS:
        value = row.get(name)
        if isinstance(value, Amount):
            text = f"{to_text(value.minor, value.currency)} {value.currency}" if value.minor is not None else _raw(value.raw)
        elif isinstance(value, When):
            text = value.text or _raw(value.raw)
        elif isinstance(value, Area):
            text = f"{value.value.normalize():f}" if value.value is not None else _raw(value.raw)
        else:
            text = value
        if text := _cut(text, LONGEST_DETAIL):
            yield name, text


def _raw(cell: Any) -> str | None:
    return str(cell).strip() or None


def _stages(said: Said, today: date) -> None:
    """The stages the row claims: the one it names, and the lower ones that it dates. Never one above."""
    row, before = said.row, None
    for stage, column in DATE_OF.items():
        when: When | None = row.get(column)
        given = when is not None and when.first is not None
        if stage == lifecycle.SIGNED and not row.counts_as_signed:
            continue
        if lifecycle.RANK[stage] > lifecycle.RANK[row.stage]:
            if given and column not in MILESTONES:
                said.mark("date_beyond_stage", column, str(when.raw) if when else None)
            continue
        day = _day(said, column, when, before, today)
        if day is not None:
            said.stages.append(Dated(stage, day, when, column))
            before = day
        elif stage == row.stage:
            said.stages.append(Dated(stage, max(said.day, before or said.day), None, column))


def _day(said: Said, column: str, when: When | None, before: date | None, today: date) -> date | None:
    if when is None or when.first is None or when.last is None:
        return None
    if when.first > today:
        said.mark("date_in_future", column, str(when.raw))
        return None
    return before if before is not None and when.first < before <= when.last else when.first


def _milestones(said: Said, today: date) -> None:
    claimed = {one.key for one in said.stages}
    for column, milestone in MILESTONES.items():
        if lifecycle.STAGE_OF_MILESTONE.get(milestone) in claimed:
            continue
        when: When | None = said.row.get(column)
        if (day := _day(said, column, when, None, today)) is not None:
            said.milestones.append(Dated(milestone, day, when, column))


def proof_of(one: Dated, told: Mapping[str, Any]) -> dict[str, Any]:
    """The evidence a milestone comes with: the code that proves it, when the row has one."""
    kind, name = PROOFS.get(one.key, ("", ""))
    if not told.get(name):
        return {}
    return {"evidence": [{"kind": kind, "number": told[name], "dated_on": one.day.isoformat()}]}
