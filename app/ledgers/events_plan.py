"""What the rows of one project add to its facts. Pure but for making offices.

Inside one file the last row wins; against the register a differing name, office, investor or amount is a warning and an
amendment of today. An empty cell says nothing and takes nothing away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

from app.heart import facts as kinds
from app.heart import lifecycle
from app.heart.live import live
from app.ledgers.events_offices import Authority, Offices
from app.ledgers.events_reading import EVENTS, FUNDS, ORDER, SIGNING_EVENT, Rejected, Row, day_of, event_of, identities_of
from app.projects.derived import New
from app.projects.money import to_text
from app.projects.store import Head

OUTSIDE = "没有这个单位或项目，或不在管辖范围内 / unknown, or outside the importing office's scope"
REASON = "导入文件与台账不一致，以文件为准 / the imported file says otherwise"


class Stored(NamedTuple):
    """What the register holds of a project now, as far as a file can differ from it. Read, not folded: most projects of a
    file that is imported again are told apart by it."""

    name: str
    office_id: int
    investor: str | None
    signing_event: str | None
    amount: int | None
    currency: str | None


@dataclass
class Plan:
    """The new facts of a project, and what became of its rows. `inferred` counts dates that no row told."""

    creates: bool
    new: list[New] = field(default_factory=list)
    added: int = 0
    unchanged: int = 0
    inferred: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    warnings: list[Rejected] = field(default_factory=list)

    def reject(self, row: Row, column: str, value: str, reason: str) -> None:
        """Do not take a row."""
        self.rejected.append(Rejected(row.line, column, value, reason, row.cells))

    def warn(self, row: Row, column: str, value: str, reason: str) -> None:
        """Take a row, but say what is odd about it."""
        self.warnings.append(Rejected(row.line, column, value, reason, row.cells))


def plan(head: Head, stored: Stored | None, rows: Sequence[Row], offices: Offices, authority: Authority, today: date) -> Plan:
    """The plan for one project; `head` and `stored` hold what is known of it (version 0 and None: nothing)."""
    made = Plan(creates=False)
    if stored is not None and not authority.covers(offices.by_id[stored.office_id].path):
        for row in rows:
            made.reject(row, "project_ref", row.ref, OUTSIDE)
        return made
    rows = _placed(rows, offices, made)
    added = _added(head, rows, made)
    latest = _latest(head, rows)
    if not latest:  # nothing but ends of unknown date, and "never invent" leaves them no day
        for row in rows:
            made.reject(row, "date", "", "该项目没有任何有日期的事件，无法确定日期 / no dated event to take the date from")
        made.added = made.unchanged = 0
        return made
    if not rows:
        return made
    told = _told(rows, offices, made)
    dated = [(row.day or latest, row) for row in added]
    made.inferred += sum(not row.day for row in added)
    if stored is not None:
        _amend(stored, told, offices, made, today)
    else:
        made.creates = True
        dated = _register(dated, told, authority, made)
    for day, row in sorted(dated, key=lambda pair: (pair[0], ORDER[pair[1].event])):
        made.new.append(_fact(day, row, authority))
    return made


def _placed(rows: Sequence[Row], offices: Offices, made: Plan) -> list[Row]:
    """The rows whose office exists inside the scope."""
    kept = []
    for row in rows:
        if offices.find(row.office) is None:
            made.reject(row, "office", row.office, OUTSIDE)
        else:
            kept.append(row)
    return kept


def _added(head: Head, rows: Sequence[Row], made: Plan) -> list[Row]:
    """The rows that tell something new, in the order of the file. A total of funds is told anew when it differs from the
    one last told for that date: the later one counts."""
    known: dict[tuple[str, str], tuple[int | None, str | None]] = {}
    for fact in head.facts:
        for identity in identities_of(fact):
            known[identity] = (fact.data.get("amount"), fact.data.get("currency"))
    added: dict[tuple[str, str], Row] = {}
    for row in rows:
        seen = added.get(row.identity)
        before = (seen.amount, seen.currency) if seen else known.get(row.identity)
        if before is None:
            added[row.identity] = row
        elif row.event == FUNDS and before != (row.amount, row.currency):
            made.warn(row, "amount", row.cells[4], f"同日到位资金曾为 {_shown(*before)}，以后者为准 / differs, the last one wins")
            made.unchanged += row.identity in added
            added[row.identity] = row
        else:
            made.unchanged += 1
    made.added = len(added)
    return list(added.values())


def _latest(head: Head, rows: Sequence[Row]) -> str:
    """The date of the project's latest dated event: what an end of unknown date takes; empty when there is none."""
    days = [row.day for row in rows]
    if "" in days:
        dated = (fact for fact in live(head.facts)[0] if event_of(fact) and fact.data.get("event", ("", "dated"))[1])
        days += [fact.effective_on.isoformat() for fact in dated]
    return max(days, default="")


def _told(rows: Sequence[Row], offices: Offices, made: Plan) -> dict[str, tuple[Row, Any]]:
    """Description → (row, value) as the last row that says something says it."""
    told: dict[str, tuple[Row, Any]] = {}
    for row in rows:
        office = offices.find(row.office)
        assert office is not None
        money = None if row.amount is None or row.event == FUNDS else (row.amount, row.currency)
        for column, value in (
            ("project_name", row.name), ("office", office.id), ("investor", row.investor), ("amount", money),
            (SIGNING_EVENT, row.signing_event),
        ):  # fmt: skip
            if value is None:
                continue
            if column in told and told[column][1] != value:
                before = told[column][0]
                made.warn(
                    row,
                    column,
                    _cell(row, column),
                    f"与第 {before.line} 行不同（{_cell(before, column)}），以后者为准 / differs, the last row wins",
                )
            told[column] = (row, value)
    return told


def _cell(row: Row, column: str) -> str:
    """A description as the file has it."""
    return {"project_name": row.name, "office": row.office, "investor": row.investor, "amount": row.cells[4]}.get(
        column, row.signing_event
    ) or ""


def _shown(amount: int | None, currency: str | None) -> str:
    return "" if amount is None or currency is None else f"{to_text(amount, currency)} {currency}"


def _fields(told: dict[str, tuple[Row, Any]]) -> dict[str, Any]:
    """The descriptions under the names that facts give them."""
    names = {"project_name": "name"}
    fields = {names.get(column, column): value for column, (_, value) in told.items() if column != "amount"}
    if "amount" in told:
        fields["amount"], fields["currency"] = told["amount"][1]
    return fields


def _register(dated: list[tuple[str, Row]], told: dict[str, tuple[Row, Any]], authority: Authority, made: Plan) -> list[tuple[str, Row]]:
    """Register a new project by its earliest intent; the other events are left to become facts of their own. Without an
    intent the registration claims nothing, except when no row claims any stage: then intent is inferred."""
    data = _fields(told)
    intents = [(day, row.line) for day, row in dated if row.event == lifecycle.INTENT]
    if intents:
        first, line = min(intents)
        data |= {"claims": True, "event": [lifecycle.INTENT, first]}
        dated = [pair for pair in dated if pair[1].line != line]
    else:
        first = min(day for day, _ in dated)
        if any(row.event in lifecycle.RANK for _, row in dated):
            data |= {"claims": False}
        else:
            data |= {"claims": True, "inferred": True}
            made.inferred += 1
    data["recognition"] = authority.recognition(lifecycle.INTENT)
    made.new.append(New(kinds.REGISTERED, day_of(first), data))
    return dated


def _amend(now: Stored, told: dict[str, tuple[Row, Any]], offices: Offices, made: Plan, today: date) -> None:
    """Where the file differs from what is stored, the file wins from today on."""
    stored = {
        "project_name": now.name, "office": now.office_id, "investor": now.investor, SIGNING_EVENT: now.signing_event,
        "amount": None if now.amount is None else (now.amount, now.currency),
    }  # fmt: skip
    differing = {column: pair for column, pair in told.items() if pair[1] != stored[column]}
    if not differing:
        return
    for column, (source, _) in differing.items():
        before = stored[column]
        shown = _shown(*before) if isinstance(before, tuple) else offices.by_id[before].code if isinstance(before, int) else before or ""
        made.warn(source, column, _cell(source, column), f"与台账不同（{shown}），以文件为准 / differs from the register, the file wins")
    made.new.append(New(kinds.AMENDED, today, {"changes": _fields(differing), "reason": REASON}))


def _fact(day: str, row: Row, authority: Authority) -> New:
    kind, action = EVENTS[row.event]
    data: dict[str, Any] = {"event": list(row.identity)}
    if action is not None:
        data["action"] = action
    if row.event == FUNDS:
        data |= {"amount": row.amount, "currency": row.currency}
    new = New(kind, day_of(day), data)
    stage = row.event if row.event in lifecycle.RANK else None
    if stage is not None or row.event == FUNDS:
        data["recognition"] = authority.recognition(stage)
    return new
