"""The plan: what a row of a ledger would change in the register. Pure; said before anything is written, and written as it was said.

A row creates a project, changes one, says the same, is in conflict with what the register says since its export, repeats another row,
or is rejected with the cell, the reason and what to do.
Its facts are those a person would have recorded: stages and milestones on their own days, money, reports, and an amendment for
descriptions that differ. What somebody reported in the system with a date of his own is never overruled by a file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Any, NamedTuple

from app.heart import facts as kinds
from app.heart import lifecycle
from app.heart.standing import normalised
from app.ledgers import rendering
from app.ledgers.known import Known
from app.ledgers.merging import Conflict
from app.ledgers.telling import MILESTONES, Dated, Said, proof_of
from app.ledgers.understanding.marks import REJECT, Mark
from app.ledgers.understanding.model import Row
from app.projects.derived import New
from app.projects.money import to_text
from app.projects.store import Head

CREATE, CHANGE, SAME, CONFLICT, DUPLICATE, REJECTED = "create", "change", "same", "conflict", "duplicate", "rejected"
OUTCOMES = (CREATE, CHANGE, SAME, CONFLICT, DUPLICATE, REJECTED)
WAITING = (CONFLICT, DUPLICATE, REJECTED)
"""Nothing was taken of such a row: somebody has to look at it."""
REASON = "导入台账与登记不一致，以台账为准 / the imported ledger says otherwise"
CORRECTED = "导入台账更正了日期 / the imported ledger corrects the date"
_LABELS = {"amount": "协议总投资", "office": "镇区", "name": "项目名称"}
REPORT, FUNDS, STATUS = "progress", "funds_in_place", "status"


class Change(NamedTuple):
    """One field: old → new, as people read them; None for nothing."""

    field: str
    old: str | None
    new: str | None


class Given(NamedTuple):
    """What holds for the whole import. `recognition` of a claimed stage (None: of anything else); `people` by number."""

    today: date
    county: bool
    recognition: Callable[[str | None], str]
    source: dict[str, Any]
    people: Mapping[int, str] = MappingProxyType({})


@dataclass
class Planned:
    """What becomes of one row. `marks` are everything there is to tell about it; `of` is the row it repeats."""

    row: Row
    outcome: str
    changes: list[Change] = field(default_factory=list)
    new: list[New] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    of: tuple[str, int] | None = None
    conflicts: list[Conflict] = field(default_factory=list)
    cells: list[Any] | None = None
    """What is to be looked at in place of the row's own cells."""
    ref: str | None = None
    version: int = 0
    head: Head | None = None
    """The project under its lock, as long as its transaction lasts."""

    @property
    def warned(self) -> bool:
        """Taken, and yet there is something to look at."""
        return self.outcome not in WAITING and any(mark.level != "note" for mark in self.marks)


def rejected(row: Row, *marks: Mark) -> Planned:
    """A row that is not taken."""
    return Planned(row, REJECTED, marks=[*marks, *row.marks])


def plan(said: Said, office: int, known: Known | None, given: Given, name_of: Callable[[int], str]) -> Planned:
    """The plan for an accepted row whose office and project are known; `name_of` prints an office."""
    made = Planned(said.row, SAME, marks=[*said.row.marks, *said.faults])
    writer = _Writer(said, office, known, given, name_of, made)
    writer.all()
    if made.new:
        made.outcome = CREATE if known is None else CHANGE
        if known is not None and known.status == "terminated" and any(one.kind != kinds.AMENDED for one in made.new):
            return rejected(said.row, Mark("project_terminated", None, None, known.head.ref))
    elif known is None:
        raise AssertionError("a new project is registered")
    if any(mark.level == REJECT for mark in made.marks):
        return rejected(said.row, *[mark for mark in made.marks if mark.level == REJECT])
    return made


class _Writer:
    def __init__(self, said: Said, office: int, known: Known | None, given: Given, name_of: Callable[[int], str], made: Planned) -> None:
        self.said, self.office, self.known, self.given, self.made = said, office, known, given, made
        self.name_of = name_of
        self.source = {**given.source, "sheet": said.row.table.sheet, "row": said.row.number}

    def all(self) -> None:
        self._describe()
        for one in self.said.stages:
            self._date(one, lifecycle.ACTION_OF[one.key])
        for one in self.said.milestones:
            self._date(one, None)
        self._lower()
        self._prove()
        self._fund()
        self._report()
        self._side()

    def _new(self, kind: str, day: date, data: dict[str, Any], target: int | None = None) -> None:
        self.made.new.append(New(kind, day, {**data, "ledger": self.source}, target))

    def _change(self, name: str, old: str | None, new: str | None) -> None:
        self.made.changes.append(Change(name, old, new))

    def _mark(self, code: str, name: str, value: str | None = None) -> None:
        self.made.marks.append(Mark(code, name, self.said.row.table.columns.get(name), value[:200] if value else None))

    # descriptions ----------------------------------------------------------------------------------

    def _describe(self) -> None:
        """Register a new project, or amend what differs."""
        said, known = self.said, self.known
        if known is None:
            owned = {"owner": said.owner} if said.owner is not None else {}
            data = {**said.told, **owned, "office": self.office, **({"details": said.details} if said.details else {})}
            claims = not said.stages
            data |= {"claims": claims, "recognition": self.given.recognition(lifecycle.INTENT)}
            if claims and said.intent_on is None and said.proof is None:
                data["inferred"] = True
            self._new(kinds.REGISTERED, said.first_day(), data)
            for name, text in self._shown(said.told).items():
                self._change(name, None, text)
            self._change("office", None, self.name_of(self.office))
            for name, text in said.details.items():
                self._change(f"details.{name}", None, text)
            return
        told = said.told | {"office": self.office}
        held = _held(known)  # an earlier day may have been told later
        changes: dict[str, Any] = {n: value for n, value in told.items() if value not in (known.told.get(n), held.get(n))}
        if "office" in changes and not self.given.county:
            self._mark("needs_bureau", "town", said.row.town)
            del changes["office"]
        if {"amount", "currency"} & set(changes):
            changes |= {"amount": told["amount"], "currency": told["currency"]}
        details = {name: text for name, text in said.details.items() if _words(known.details.get(name)) != _words(text)}
        if not details.keys().isdisjoint(rendering.OWN_WORDS):
            own = rendering.own_words(known.head.facts, known.head.fold()[-1].standing, self.given.today, self.given.people)
            details = {name: text for name, text in details.items() if own.get(name) != text}
        if said.owner not in (None, known.told.get("owner"), held["owner"]) and ("owner" in details or known.told.get("owner") is None):
            if "owner" not in details:
                self._change("owner", None, said.details["owner"])
            changes["owner"] = said.owner  # whoever was named in the system since stays, as long as the file says what it said
        before, after = self._shown(known.told), self._shown(changes)
        for name, text in after.items():
            self._change(name, before.get(name), text)
        for name, text in details.items():
            self._change(f"details.{name}", known.details.get(name), text)
        if details:
            changes["details"] = details
        if changes:
            self._new(kinds.AMENDED, self.given.today, {"changes": changes, "reason": REASON})

    def _shown(self, told: dict[str, Any]) -> dict[str, str]:
        """Descriptions as people read them; an amount with its currency."""
        shown = {name: str(value) for name, value in told.items() if name in _PLAIN and value is not None}
        if told.get("amount") is not None and told.get("currency"):
            shown["amount"] = f"{to_text(told['amount'], told['currency'])} {told['currency']}"
        if told.get("office") is not None and self.known is not None:
            shown["office"] = self.name_of(told["office"])
        return shown

    # stages and milestones -------------------------------------------------------------------------

    def _date(self, one: Dated, action: str | None) -> None:
        """A stage or a milestone on its day: told anew, the same, or another day than before."""
        found = self.known.dated.get(one.key, []) if self.known else []
        old = min((fact.effective_on for fact in found), default=None)
        if (old is not None and self._agrees(one, old)) or self._shown_already(one, action):
            return
        if self.known and (one.key, one.day) in self.known.taken_back:
            self._mark("taken_back", one.column, one.day.isoformat())
            return
        if any(not fact.imported for fact in found):
            self._mark("date_conflict", one.column, str(old))
            return
        stale = [fact for fact in found if fact.effective_on < one.day]
        if stale and not self.given.county:
            self._mark("needs_bureau", one.column, str(old))
            return
        if one.when is None:
            told = self.said.row.get("stage")
            self._mark("stage_undated", "stage" if told else "progress", told or self.said.text)
        self._change(one.key, old.isoformat() if old else None, one.when.text if one.when else one.day.isoformat())
        for fact in stale:
            self._new(kinds.VOIDED, self.given.today, {"reason": CORRECTED}, fact.seq)
        if any(fact.effective_on == one.day for fact in found):
            return
        stage = one.key if action else None
        data: dict[str, Any] = {"recognition": self.given.recognition(stage), **one.said}
        data |= {"action": action} if action else {"milestone": one.key, **proof_of(one, self.said.told)}
        self._new(kinds.MOVED if action else kinds.MILESTONE, one.day, data)

    def _shown_already(self, one: Dated, action: str | None) -> bool:
        """Does a document of that day show the milestone, or does the day belong to a milestone of a stage that the row does not name?"""
        if self.known is None or one.when is None:
            return False
        key = MILESTONES.get(one.column, one.key)
        if action and (one.key == self.said.row.stage or one.column not in MILESTONES):
            return False
        days = [date.fromisoformat(day) for kind, day in self.known.proofs if day and lifecycle.EVIDENCE[kind].proves == key]
        if action:
            days += [fact.effective_on for fact in self.known.dated.get(key, ())]
        return any(self._agrees(one, day) for day in days)

    @staticmethod
    def _agrees(one: Dated, old: date) -> bool:
        """Is the known day the one told, or inside the span of a date that is less precise?"""
        if one.when is None or one.when.first is None or one.when.last is None:
            return True
        return one.when.first <= old <= one.when.last

    def _lower(self) -> None:
        """A stage below the recorded one is told, and takes nothing back."""
        row = self.said.row
        if self.known is None or row.stage is None:
            return
        if self.known.stage is None and row.stage_from == "column" and not self.said.stages:
            self._mark("stage_not_taken", "stage", row.get("stage"))
        held = [stage for stage in self.known.dated if lifecycle.RANK.get(stage, 0) > lifecycle.RANK[row.stage]]
        if held and self.known.stage in held:
            written = row.get("stage") or lifecycle.BY_STAGE[row.stage].label
            self._mark("stage_below_register", "stage", f"{written}（系统内为{lifecycle.BY_STAGE[str(self.known.stage)].label}）")

    def _prove(self) -> None:
        if self.said.proof is None:
            return
        kind, day = self.said.proof
        if self.known is not None and (kind, day.isoformat()) in self.known.proofs:
            return
        item = {"kind": kind, "dated_on": day.isoformat()}
        self._change(f"evidence.{kind}", None, day.isoformat())
        self._new(kinds.EVIDENCE, day, {"evidence": [item], "recognition": self.given.recognition(None)})

    # money, reports, status ------------------------------------------------------------------------

    def _fund(self) -> None:
        told, day = self.said.funds, self.said.day
        if told is None:
            return
        old = self.known.funds_on(day) if self.known else None
        if old == told or (self.known and self.known.funds_on(self.given.today) == told):
            return  # the total of that day, or the one that holds by now
        self._change(FUNDS, f"{to_text(*old)} {old[1]}" if old else None, f"{to_text(*told)} {told[1]}")
        self._new(kinds.FUNDED, day, {"amount": told[0], "currency": told[1], "recognition": self.given.recognition(None)})

    def _report(self) -> None:
        said, known = self.said, self.known
        if said.text and normalised(said.text) != (known.text_on(said.day) if known else None):
            self._change(REPORT, None, said.text)
            self._new(kinds.REPORTED, said.day, {"text": said.text})
        elif said.reported_on is not None and (known is None or (known.reported_on() or date.min) < said.reported_on):
            self._change("updated", None, said.reported_on.isoformat())
            self._new(kinds.REPORTED, said.reported_on, {"no_change": True})

    def _side(self) -> None:
        """取消, 暂缓: what a town may not say by itself is left to the bureau."""
        action = self.said.side
        if action is None:
            return
        move = lifecycle.BY_ACTION[action]
        moves = any(one.kind == kinds.MOVED for one in self.made.new)  # a stage of a later day would end the pause
        if self.known is not None and self.known.status in (move.target, "terminated") and not (action == "suspend" and moves):
            return
        if move.may == lifecycle.BUREAU and not self.given.county:
            self._mark("needs_bureau", "stage" if "stage" in self.said.row.table.columns else "progress", move.label)
            return
        text = self.said.row.get("stage") or self.said.text or move.label
        more = {"termination": "withdrawn"} if action == "terminate" else {}
        day = max([self.said.day, *(one.effective_on for one in self.made.new if one.kind in _DATED)])
        if self.known is not None and any(told == action and on >= (day if moves else self.said.day) for told, on in self.known.sides):
            return  # told before, of that day or a later one, and a stage of a later day ended it
        self._change(STATUS, None, move.target)
        self._new(kinds.MOVED, day, {"action": action, "reason": text[:500], "undated": True, **more})


def _held(known: Known) -> dict[str, Any]:
    """What lists and exports say by today, where the day a thing holds from decides and not when it was told."""
    now = known.head.fold()[-1].standing
    return {"office": now.office_id, "amount": now.amount, "currency": now.currency, "route": now.route, "owner": now.owner_id}


def _words(text: str | None) -> list[str] | None:
    """A text as it is compared: spreadsheet programs do not keep all blanks."""
    return None if text is None else text.split()


_DATED = (kinds.MOVED, kinds.MILESTONE, kinds.FUNDED, kinds.REPORTED)
_PLAIN = (
    "name", "investor", "industry", "credit_code", "project_code", "route", "planned_start_on", "planned_operation_on",
)  # fmt: skip
