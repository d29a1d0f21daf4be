"""What the register says of a project as the cells of a ledger row (domain 2.7). Pure: the way back of telling.py and plan.py.

A row read back unchanged says nothing new. Words are the raw ones as last told; days come from what is in force, as imprecise as they
were told; a stage that was told without a day has none here either. `at_version` gives the very cells of an export made at a version,
so that whoever imports an edited export can tell what was edited (see row_marks.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from app.heart import facts as kinds
from app.heart import lifecycle
from app.heart.facts import Fact
from app.heart.limits import LEVEL_LABELS
from app.heart.live import live
from app.heart.standing import Standing, fold, standing_on
from app.ledgers.columns import AREA, BY_FIELD, COLUMNS, DATE, MONEY
from app.ledgers.known import key_of
from app.ledgers.telling import AGREEMENTS, DATE_OF, MILESTONES, ROUTES
from app.ledgers.understanding import amounts, areas, dates
from app.ledgers.understanding.cells import TextColumn
from app.ledgers.understanding.stages import FORMAL, FRAMEWORK, INTENT_ONLY, NO_STAGE, NOT_SIGNED, read_agreement
from app.ledgers.understanding.units import CURRENCIES, ISO, Unit
from app.projects.derived import PRINTED
from app.projects.money import digits, to_minor
from app.projects.store import Head

Cell = str | int | Decimal | date
"""Empty text for an empty cell. Money is a number of 万元, or a text when it has another currency."""
WAN = Unit(10_000, "CNY", "万元")
STAGE_WORDS = {stage.name: stage.label for stage in lifecycle.STAGES}
SIDE_WORDS = {"suspended": "，暂停", "terminated": "，终止"}
AGREEMENT_WORDS = {FORMAL: "正式合同", FRAMEWORK: "框架协议", INTENT_ONLY: "意向书"}
LIGHTS = {name: label for name, (label, _) in LEVEL_LABELS.items()}
NO_LIGHT = "绿灯"
KEPT = {"owner": "owner", "liaison_leader": "liaison", "needs_new_land": "route"}
"""Detail → what the register itself keeps of the same thing. Whichever was told last is shown."""
OWN_WORDS = (*KEPT, "agreement", "amount")
"""Details that the register can put into words which no ledger told."""
_LINE = re.compile(r"\r\n?|[\u2028\u2029]")
_UNWRITABLE = re.compile("[\ufffe\uffff]")
_MONEY = re.compile(r"([0-9]+(?:\.[0-9]+)?) ([A-Z]{3})")
_NUMBER = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,3})?")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_PERIOD = re.compile(r"(\d{4})(?:-(?:(\d{2})|Q([1-4])|H([12])))?")
_TEXTS = TextColumn("")


class Names(NamedTuple):
    """What numbers are called: offices as a ledger may write them, and people."""

    offices: Mapping[int, str]
    people: Mapping[int, str]


def cells(facts: Sequence[Fact], standing: Standing, as_of: date, names: Names) -> dict[str, Cell]:
    """field → cell, for every column but 序号, 项目编号 and 亮灯. `standing` is that of the day, folded from the facts."""
    held = _Held(facts, as_of)
    row: dict[str, Cell] = dict.fromkeys((column.field for column in COLUMNS), "")
    for name, text in held.details.items():
        if name in row:
            row[name] = _detail(name, text)
    row |= {name: _text(held.told.get(name)) for name in ("investor", "industry")}
    row |= {"project_name": _text(held.told.get("name")), "town": names.offices.get(standing.office_id, "")}
    row |= {name: held.told.get(name) or row[name] for name in ("credit_code", "project_code")}
    row["amount"] = _contract(standing, held.details.get("amount"))
    row["funds_in_place"] = money(standing.funds, standing.funds_currency)
    _people(row, held, standing, names)
    _site(row, held, standing)
    _agreement(row, held, standing)
    _days(row, held, standing)
    row["stage"] = STAGE_WORDS.get(standing.stage or "", NO_STAGE) + SIDE_WORDS.get(standing.status, "")
    row["progress"] = _text(held.text)
    row["updated"] = held.reported_on or ""
    return row


def at_version(head: Head, version: int, as_of: date, names: Names) -> dict[str, Cell] | None:
    """The cells of an export that was made when a project had this version; None when it had not begun by the day."""
    then = head.facts if version == head.version else [fact for fact in head.facts if fact.seq <= version]
    standing = standing_on(head.fold() if version == head.version else fold(then), as_of)
    return None if standing is None else cells(then, standing, as_of, names)


def own_words(facts: Sequence[Fact], standing: Standing, as_of: date, people: Mapping[int, str]) -> dict[str, str]:
    """The words of an export that no ledger told: a file that brings them back brings nothing new."""
    row = cells(facts, standing, as_of, Names({}, people))
    return {name: f"{row[name]:f}" if isinstance(row[name], Decimal) else str(row[name]) for name in OWN_WORDS}


def value(name: str, cell: Any) -> Any:
    """What a reader makes of a cell of an export (a Decimal and a date too): Amount, When, Area, or text or None."""
    if isinstance(cell, date):
        cell = cell.isoformat()
    elif isinstance(cell, Decimal):
        cell = f"{cell:f}"
    kind = BY_FIELD[name].kind
    if kind == MONEY:
        return amounts.read_amount(cell, WAN)
    if kind == DATE:
        return dates.read_date(cell)
    if kind == AREA:
        unit = BY_FIELD[name].unit
        return areas.read_area(cell, unit, (unit, 1))
    return _TEXTS.values([cell])[0][0]


def light(level: str | None, status: str) -> str:
    """亮灯: the worst level that is reached; green for a project that goes on without any."""
    return LIGHTS[level] if level else NO_LIGHT if status == "active" else ""


def money(minor: int | None, currency: str | None) -> Cell:
    """An amount in 万元, to the last 分; another currency as a text that says which. Nothing for a currency nobody could read."""
    if minor is None or currency is None:
        return ""
    exact = Decimal(minor).scaleb(-digits(currency))
    if currency == "CNY":
        return _plain(exact.scaleb(-4))
    if currency not in _WORDS:
        return f"{_plain(exact):f}{currency}" if currency in ISO else ""
    thousands = exact.scaleb(-4)
    return f"{_plain(thousands):f}万{_WORDS[currency]}" if thousands == int(thousands) else f"{_plain(exact):f}{_WORDS[currency]}"


_WORDS = {code: words[0] for code, words in CURRENCIES if code != "CNY"}


def _plain(number: Decimal) -> Decimal:
    """Without zeros at its end, and never with an exponent."""
    return number.to_integral_value() if number == number.to_integral_value() else number.normalize()


class _Held:
    """What facts in force say by a day: descriptions as last told (and when: their place among the facts), reports, documents."""

    def __init__(self, facts: Sequence[Fact], as_of: date) -> None:
        self.told: dict[str, Any] = {}
        self.details: dict[str, str] = {}
        self.since: dict[str, int] = {}
        self.claims: dict[tuple[str, date], Mapping[str, Any]] = {}
        self.shown: list[tuple[str, date]] = []
        self.text: str | None = None
        self.reported_on: date | None = None
        last: date | None = None
        for fact in live(facts)[0]:
            data, happened = fact.data, fact.effective_on <= as_of
            if fact.kind in (kinds.REGISTERED, kinds.AMENDED):
                self._describe(fact, happened or fact.kind == kinds.REGISTERED)
            elif fact.kind == kinds.REPORTED and happened:
                self.reported_on = max(self.reported_on or fact.effective_on, fact.effective_on)
                if data.get("text") and (last is None or fact.effective_on >= last):
                    self.text, last = data["text"], fact.effective_on
            for item in data.get("evidence") or ():
                if (dated := item.get("dated_on")) and (day := date.fromisoformat(dated)) <= as_of:
                    self.shown.append((item["kind"], day))
            if (key := key_of(fact)) is not None and happened:
                self.claims.setdefault((key, fact.effective_on), data)

    def _describe(self, fact: Fact, happened: bool) -> None:
        """Names are those of today on every day, as lists print them; everything else is as of the day."""
        changes = fact.data if fact.kind == kinds.REGISTERED else fact.data["changes"]
        for name, told in changes.items():
            if name == "details":
                if happened:
                    self.details |= told or {}
                    self.since |= {f"details.{one}": fact.seq for one in told or {}}
            elif happened or name in PRINTED:
                self.told[name] = told
                self.since[name] = fact.seq

    def newer(self, detail: str) -> bool:
        """Was what the register keeps itself told after the words of a detail?"""
        return self.since.get(KEPT[detail], 0) > self.since.get(f"details.{detail}", 0)

    def documented(self, milestone: str) -> list[date]:
        """The days of documents that show a milestone."""
        return [day for kind, day in self.shown if lifecycle.EVIDENCE[kind].proves == milestone]


def _detail(name: str, text: str) -> Cell:
    """The words kept of a column that no rule reads, as they were before they were kept."""
    kind = BY_FIELD[name].kind
    if kind == MONEY:
        if found := _MONEY.fullmatch(text):
            return money(to_minor(*found.groups()), found[2])
        read = amounts.read_amount(text, WAN)
        return _text(text) if read.minor is None and read.missing != "not_a_number" else ""  # a number without a unit says nothing here
    if kind == DATE:
        return _when(text)
    if kind == AREA and _NUMBER.fullmatch(text):
        return _plain(Decimal(text))
    return _text(text)


def _contract(standing: Standing, raw: str | None) -> Cell:
    """协议总投资: the words (近2亿元, 待定) while they still say what the register holds, else its number."""
    if raw is not None:
        read = amounts.read_amount(raw, WAN)
        same = read.minor == standing.amount and (read.minor is None or read.currency == standing.currency)
        if same and read.missing != "not_a_number":
            return _text(raw)
    return money(standing.amount, standing.currency)


def _people(row: dict[str, Cell], held: _Held, standing: Standing, names: Names) -> None:
    for name, number in (("owner", standing.owner_id), ("liaison_leader", standing.liaison_id)):
        called = names.people.get(number) if number is not None else None
        if called and (name not in held.details or held.newer(name)):
            row[name] = _text(called)


def _site(row: dict[str, Cell], held: _Held, standing: Standing) -> None:
    """是否新供地: 是 and 否 as told, or the site route where that is what is known."""
    said = held.details.get("needs_new_land")
    if standing.route and (said is None or held.newer("needs_new_land")) and ROUTES.get(said or "") != standing.route:
        row["needs_new_land"] = lifecycle.ROUTES[standing.route]


def _agreement(row: dict[str, Cell], held: _Held, standing: Standing) -> None:
    """协议类型 and 签约时间. A framework agreement keeps the day it was signed, and is not signed."""
    said = read_agreement(str(row["agreement"]))
    if standing.signed_on is not None:
        if said in NOT_SIGNED or not row["agreement"]:
            row["agreement"] = AGREEMENT_WORDS[FORMAL]
        row["signed_date"] = _claimed(held, lifecycle.SIGNED, standing.signed_on)
        return
    papers = {AGREEMENTS[paper]: paper for paper in (FRAMEWORK, INTENT_ONLY)}
    if not row["agreement"]:
        said = next((paper for kind, paper in papers.items() if kind in standing.proofs), None)
        row["agreement"] = AGREEMENT_WORDS[said] if said else ""
    if said in NOT_SIGNED:
        days = [day for kind, day in held.shown if papers.get(kind) == said]
        row["signed_date"] = min(days) if days else ""


def _days(row: dict[str, Cell], held: _Held, standing: Standing) -> None:
    """The days of stages in force, and of the milestones that columns name."""
    days = {
        lifecycle.LAND: standing.land_on, lifecycle.CONSTRUCTION: standing.started_on, lifecycle.OPERATING: standing.operating_on,
        "company_registered": standing.registered_on, "project_filed": standing.filed_on,
    }  # fmt: skip
    secured = [day for key, day in held.claims if key == "land_secured"] + held.documented("land_secured")
    if standing.land_on is None and secured and "land_secured" in standing.milestones:
        days["land_secured"] = min(secured)
    columns = {stage: column for stage, column in DATE_OF.items() if stage != lifecycle.SIGNED}
    for column, milestone in MILESTONES.items():
        columns.setdefault(milestone, column)
    for key, column in columns.items():
        if day := days.get(key):
            row[column] = _claimed(held, key, day)


def _claimed(held: _Held, key: str, day: date) -> Cell:
    """The day of a stage or milestone as exact as it was told; nothing where it stands in for one that was not told."""
    data = held.claims.get((key, day), {})
    if data.get("undated"):
        return ""
    said = data.get("said")
    return _when(said) if said else day


def _when(text: str) -> Cell:
    """A date at its precision, as ledgers write it: 2026-03 is 2026年3月. Other words stay as they are."""
    if _DAY.fullmatch(text):
        return date.fromisoformat(text)
    found = _PERIOD.fullmatch(text)
    if not found:
        return _text(text)
    year, month, quarter, half = found.groups()
    if month:
        return f"{year}年{int(month)}月"
    if quarter:
        return f"{year}年第{quarter}季度"
    return f"{year}年" + {"1": "上半年", "2": "下半年", None: ""}[half]


def _text(text: str | None) -> str:
    """A text as it will be read back: no control characters, no tabs, no blanks around it, no longer than a cell."""
    if not text:
        return ""
    text = _UNWRITABLE.sub("", _LINE.sub("\n", text)).replace("\t", " ")
    return _TEXTS.values([text])[0][0] or ""
