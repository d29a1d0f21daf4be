"""What a digest says of orders and of the ladder to one reader. Reads only; one Teller serves all readers of a day.

A line is *news* when what it tells began after the day the reader was last told; only news makes a message go out, the other lines
stand in it for as long as they hold.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import chain
from typing import NamedTuple, Protocol

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.db import among
from app.heart.calendar import Calendar, chinese_date
from app.offices.access import units_above
from app.offices.models import Office
from app.orders import lifecycle as table
from app.orders.climbing import Named, climbed, named
from app.orders.ladder import BUREAU
from app.orders.models import Order, OrderEvent
from app.policies.policy import Policy

SOON = 2
"""Workdays before an order is due on which its unit is reminded."""
MOST = 50
"""Lines of one heading; the rest is counted."""
SHOWN = 120
"""Characters of a matter that a line prints."""
NEW, BACK, ANSWERED, OVERDUE, DUE_SOON = "督办单·新下达", "督办单·退回重办", "督办单·延期已答复", "督办单·已逾期", "督办单·即将到期"
ASKED, REPLIED, LATE_UNITS = "督办单·延期待审批", "督办单·已回复待审核", "督办单·逾期未回复"
EXIT, CLIMBED = "退出评估，待县招商局决定", "红灯项目，请您过问"
LADDER = (EXIT, CLIMBED)
HEADINGS = (OVERDUE, BACK, NEW, DUE_SOON, ANSWERED, REPLIED, ASKED, LATE_UNITS, *LADDER)
"""In the order in which a message prints them: what a unit is told, what waits for the bureau, what climbed."""
_PLACES = {heading: place for place, heading in enumerate(HEADINGS)}


class Reader(Protocol):
    """What has to be known of somebody who is told (alerts.readers.Recipient is one)."""

    @property
    def id(self) -> int: ...
    @property
    def role(self) -> str: ...
    @property
    def scope(self) -> str: ...
    @property
    def whole(self) -> bool: ...
    @property
    def last_date(self) -> date | None: ...


class Line(NamedTuple):
    """One thing that a reader is told, and whether he hears of it for the first time."""

    heading: str
    text: str
    since: date
    news: bool


class Block(NamedTuple):
    """One heading with its lines; `rest` counts those that found no place."""

    heading: str
    total: int
    lines: tuple[Line, ...]
    rest: int


class Told(NamedTuple):
    """The section of a reader; empty when nothing concerns him."""

    blocks: tuple[Block, ...]
    news: bool


class _Open(NamedTuple):
    id: int
    path: str
    person_id: int | None
    state: str
    issued_on: date
    due_on: date
    asked_until: date | None
    replied_on: date | None
    last_on: date
    last_action: str


class _Words(NamedTuple):
    number: str
    office: str
    matter: str
    state: str
    due_on: date
    asked_until: date | None


_last = sa.orm.aliased(OrderEvent, name="last_event")
_OPEN = (
    sa.select(
        Order.id, Office.path, Order.person_id, Order.state, Order.issued_on, Order.due_on, Order.asked_until, Order.replied_on,
        _last.happened_on, _last.action,
    )
    .join(Office, Office.id == Order.office_id)
    .join(_last, sa.and_(_last.order_id == Order.id, _last.seq == Order.version))
    .where(sa.text("supervision_order.state <> 'closed'"))  # as the partial index spells it
    .order_by(Order.due_on, Order.id)
    .execution_options(stream_results=True, yield_per=500)
)  # fmt: skip
_WORDS = (
    sa.select(Order.id, Order.number, Office.name, sa.func.substr(Order.matter, 1, SHOWN + 1), Order.state, Order.due_on, Order.asked_until)
    .join(Office, Office.id == Order.office_id)
    .where(among(Order.id))
)


class _Lines:
    """Everything there is to tell, a few bytes a line: under which heading, since when, and of which order or project. Words are
    read when a line is printed, so that the morning's memory does not grow with the orders of the county."""

    def __init__(self) -> None:
        self.headings, self.since, self.of = array("B"), array("i"), array("q")

    def add(self, heading: str, since: date, number: int) -> int:
        """Its place."""
        self.headings.append(_PLACES[heading])
        self.since.append(since.toordinal())
        self.of.append(number)
        return len(self.of) - 1


@dataclass
class _Heading:
    """What one reader is told under one heading: how many lines, and the first of them, by their places."""

    total: int = 0
    fresh: list[int] = field(default_factory=list)
    known: list[int] = field(default_factory=list)


class Teller:
    """The orders and the ladder of one day, read once when the first reader asks; within a snapshot."""

    def __init__(self, connection: Connection, policy: Policy, calendar: Calendar, day: date, *, flagged: bool = True) -> None:
        self._connection, self._policy, self._calendar, self._day, self._flagged = connection, policy, calendar, day, flagged
        self._lines = _Lines()
        self._orders_of: dict[str | int | None, array[int]] | None = None
        """Path of an office, or a person → which lines are theirs, the offices below included."""
        self._bureau = array("I")
        self._climbed: dict[int | None, array[int]] | None = None
        self._exits = array("I")
        self._words: dict[int, _Words] = {}
        self._names: dict[int, Named] = {}

    def for_reader(self, reader: Reader) -> Told:
        """What one reader is told: his unit's orders, or (the bureau) what waits for it; and (a leader) what climbed to him."""
        mine: list[Iterable[int]] = []
        if not reader.whole:
            orders = self._orders()
            mine.append(sorted({*orders.get(reader.scope, ()), *orders.get(reader.id, ())}))
        elif reader.role != "leader":
            self._orders()
            self._ladder()
            mine += [self._bureau, self._exits]
        if reader.role == "leader":
            mine.append(self._ladder().get(reader.id, ()))
        return self._told(chain.from_iterable(mine), reader.last_date.toordinal() if reader.last_date else 0)

    def _orders(self) -> dict[str | int | None, array[int]]:
        if self._orders_of is None:
            self._orders_of = defaultdict(lambda: array("I"))
            for row in self._connection.execute(_OPEN):
                one = _Open._make(row)
                self._note_for_bureau(one)
                heading, since = self._of_unit(one)
                if heading is not None:
                    at = self._lines.add(heading, since, one.id)
                    for whose in (*units_above(one.path), one.person_id):
                        self._orders_of[whose].append(at)
        return self._orders_of

    def _note_for_bureau(self, one: _Open) -> None:
        if one.state == table.REPLIED and one.replied_on is not None:
            self._bureau.append(self._lines.add(REPLIED, one.replied_on, one.id))
        if one.asked_until is not None:
            self._bureau.append(self._lines.add(ASKED, one.last_on, one.id))
        if table.is_overdue(one.state, one.due_on, self._day):
            self._bureau.append(self._lines.add(LATE_UNITS, one.due_on + timedelta(days=1), one.id))

    def _ladder(self) -> dict[int | None, array[int]]:
        if self._climbed is None:
            self._climbed = defaultdict(lambda: array("I"))
            for one in climbed(self._connection, self._policy, self._day, flagged=self._flagged):
                if one.rung.kind == BUREAU:
                    self._exits.append(self._lines.add(EXIT, one.rung.since, one.project_id))
                elif one.person_id is not None and one.rung.height:  # on the first rung it is told as any red is
                    self._climbed[one.person_id].append(self._lines.add(CLIMBED, one.rung.since, one.project_id))
        return self._climbed

    def _of_unit(self, one: _Open) -> tuple[str | None, date]:
        """Under which heading an order stands for its unit, and since when: the most urgent one that fits."""
        day = self._day
        if one.state not in table.WITH_UNIT:
            return None, day
        if table.is_overdue(one.state, one.due_on, day):
            return OVERDUE, one.due_on + timedelta(days=1)
        soon = self._calendar.nth_workday(one.due_on, -SOON)
        if one.last_action == "send_back":
            return BACK, one.last_on
        if one.state == table.ISSUED and one.issued_on > soon:
            return NEW, one.issued_on
        if soon <= day:
            return DUE_SOON, max(soon, one.issued_on)
        if one.last_action == "decide_extension":
            return ANSWERED, one.last_on
        return (NEW, one.issued_on) if one.state == table.ISSUED else (None, day)

    def _told(self, places: Iterable[int], last: int) -> Told:
        """`last`: the day the reader was last told, as an ordinal; 0: never."""
        by: dict[int, _Heading] = defaultdict(_Heading)
        for at in places:
            heading = by[self._lines.headings[at]]
            heading.total += 1
            some = heading.fresh if self._is_news(at, last) else heading.known
            if len(some) < MOST:
                some.append(at)
        printed = {number: (one.fresh + one.known)[:MOST] for number, one in by.items()}
        self._read_words([at for some in printed.values() for at in some])
        blocks = []
        for number in sorted(printed):
            lines = tuple(self._line(at, last) for at in printed[number])
            blocks.append(Block(HEADINGS[number], by[number].total, lines, by[number].total - len(lines)))
        return Told(tuple(blocks), any(one.fresh for one in by.values()))

    def _is_news(self, at: int, last: int) -> bool:
        return self._lines.since[at] > last and HEADINGS[self._lines.headings[at]] != EXIT  # of that the day's changes told

    def _read_words(self, places: Iterable[int]) -> None:
        """What the lines of one reader print. The next one is often of the same town; to keep more would not be flat."""
        orders, projects = set[int](), set[int]()
        for at in places:
            (projects if HEADINGS[self._lines.headings[at]] in LADDER else orders).add(self._lines.of[at])
        known = self._words
        if missing := [number for number in orders if number not in known]:
            known |= {number: _Words(*row) for number, *row in self._connection.execute(_WORDS, {"ids": missing})}
        self._words = {number: known[number] for number in orders}
        if not projects <= self._names.keys():
            self._names = named(self._connection, sorted(projects), self._day)

    def _line(self, at: int, last: int) -> Line:
        heading, since, of = HEADINGS[self._lines.headings[at]], date.fromordinal(self._lines.since[at]), self._lines.of[at]
        if heading in LADDER:
            one = self._names[of]
            begun = f"自{chinese_date(since)}起"
            why = f"{begun}待作退出评估决定" if heading == EXIT else f"红灯后连续无人跟进，{begun}逐级上报至您"
            text = f"{one.name}（{one.ref}，{one.office}）：{why}"
        else:
            text = self._text(self._words[of], heading)
        return Line(heading, text, since, self._is_news(at, last))

    def _text(self, one: _Words, heading: str) -> str:
        matter = one.matter if len(one.matter) <= SHOWN else one.matter[:SHOWN] + "…"
        over = (self._day - one.due_on).days
        due = f"期限{chinese_date(one.due_on)}" + (f"，已逾期 {over} 天" if table.is_overdue(one.state, one.due_on, self._day) else "")
        asked = f"；申请延至{chinese_date(one.asked_until)}" if heading == ASKED and one.asked_until is not None else ""
        return f"{one.number}（{one.office}，{table.STATES[one.state]}，{due}）：{' '.join(matter.split())}{asked}"
