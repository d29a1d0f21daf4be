"""What a digest says of orders and of the ladder to one reader. Reads only; one Teller serves all readers of a day.

A line is *news* when what it tells began after the day the reader was last told; only news makes a message go out, the other lines
stand in it for as long as they hold.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from typing import NamedTuple, Protocol

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.heart.calendar import Calendar, chinese_date
from app.offices.access import units_above
from app.offices.models import Office
from app.orders import lifecycle as table
from app.orders.climbing import Climbed, climbed
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
TO_UNIT, TO_BUREAU = (OVERDUE, BACK, NEW, DUE_SOON, ANSWERED), (REPLIED, ASKED, LATE_UNITS, EXIT)


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
    number: str
    path: str
    office: str
    person_id: int | None
    matter: str
    state: str
    issued_on: date
    due_on: date
    asked_until: date | None
    replied_on: date | None
    last_on: date
    last_action: str
    granted: bool | None


_last = sa.orm.aliased(OrderEvent, name="last_event")
_OPEN = (
    sa.select(
        Order.id, Order.number, Office.path, Office.name, Order.person_id, sa.func.substr(Order.matter, 1, SHOWN + 1), Order.state,
        Order.issued_on, Order.due_on, Order.asked_until, Order.replied_on, _last.happened_on, _last.action, _last.granted,
    )
    .join(Office, Office.id == Order.office_id)
    .join(_last, sa.and_(_last.order_id == Order.id, _last.seq == Order.version))
    .where(sa.text("supervision_order.state <> 'closed'"))  # as the partial index spells it
    .order_by(Order.due_on, Order.id)
)  # fmt: skip


class Teller:
    """The orders and the ladder of one day, read once when the first reader asks."""

    def __init__(self, connection: Connection, policy: Policy, calendar: Calendar, day: date, *, flagged: bool = True) -> None:
        self._connection, self._policy, self._calendar, self._day, self._flagged = connection, policy, calendar, day, flagged
        self._orders: list[_Open] | None = None
        self._units: list[tuple[str, str, date]] = []
        self._places_of: dict[str | int | None, list[int]] | None = None
        self._climbed: dict[int | None, list[Climbed]] | None = None
        self._exits: list[Climbed] = []

    def for_reader(self, reader: Reader) -> Told:
        """What one reader is told: his unit's orders, or (the bureau) what waits for it; and (a leader) what climbed to him."""
        lines: list[Line] = []
        if reader.whole and reader.role != "leader":
            lines += self._to_bureau(reader)
        elif not reader.whole:
            lines += self._to_unit(reader)
        if reader.role == "leader":
            self._read_ladder()
            assert self._climbed is not None
            lines += [self._line(CLIMBED, self._climb_text(one), one.rung.since, reader) for one in self._climbed.get(reader.id, ())]
        return self._told(lines)

    def _open(self) -> list[_Open]:
        if self._orders is None:
            self._orders = [_Open(*row) for row in self._connection.execute(_OPEN)]
        return self._orders

    def _read_ladder(self) -> None:
        if self._climbed is not None:
            return
        self._climbed = defaultdict(list)
        for one in climbed(self._connection, self._policy, self._day, flagged=self._flagged):
            if one.rung.kind == BUREAU:
                self._exits.append(one)
            elif one.person_id is not None and one.rung.height:  # on the first rung it is told as any red is
                self._climbed[one.person_id].append(one)

    def _line(self, heading: str, text: str, since: date, reader: Reader) -> Line:
        return Line(heading, text, since, reader.last_date is None or since > reader.last_date)

    def _to_unit(self, reader: Reader) -> list[Line]:
        places = self._places()
        mine = {*places.get(reader.scope, ()), *places.get(reader.id, ())}
        return [self._line(heading, text, since, reader) for heading, text, since in (self._units[at] for at in sorted(mine))]

    def _places(self) -> dict[str | int | None, list[int]]:
        """Path of an office, or a person → which orders are theirs, the offices below included: looked through once, not once for
        each reader."""
        if self._places_of is None:
            self._places_of = defaultdict(list)
            for one in self._open():
                heading, since = self._of_unit(one)
                if heading is None:
                    continue
                for whose in (*units_above(one.path), one.person_id):
                    self._places_of[whose].append(len(self._units))
                self._units.append((heading, self._text(one), since))
        return self._places_of

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

    def _to_bureau(self, reader: Reader) -> list[Line]:
        found = []
        for one in self._open():
            if one.state == table.REPLIED and one.replied_on is not None:
                found.append(self._line(REPLIED, self._text(one), one.replied_on, reader))
            if one.asked_until is not None:
                found.append(self._line(ASKED, f"{self._text(one)}；申请延至{chinese_date(one.asked_until)}", one.last_on, reader))
            if table.is_overdue(one.state, one.due_on, self._day):
                found.append(self._line(LATE_UNITS, self._text(one), one.due_on + timedelta(days=1), reader))
        self._read_ladder()
        return found + [Line(EXIT, self._climb_text(one), one.rung.since, False) for one in self._exits]  # the day's changes told it

    def _text(self, one: _Open) -> str:
        matter = one.matter if len(one.matter) <= SHOWN else one.matter[:SHOWN] + "…"
        over = (self._day - one.due_on).days
        due = f"期限{chinese_date(one.due_on)}" + (f"，已逾期 {over} 天" if table.is_overdue(one.state, one.due_on, self._day) else "")
        return f"{one.number}（{one.office}，{table.STATES[one.state]}，{due}）：{' '.join(matter.split())}"

    def _climb_text(self, one: Climbed) -> str:
        since = f"自{chinese_date(one.rung.since)}起"
        why = f"{since}待作退出评估决定" if one.rung.kind == BUREAU else f"红灯后连续无人跟进，{since}逐级上报至您"
        return f"{one.name}（{one.ref}，{one.office}）：{why}"

    def _told(self, lines: list[Line]) -> Told:
        by: dict[str, list[Line]] = defaultdict(list)
        for line in lines:
            by[line.heading].append(line)
        blocks = []
        for heading in (*TO_UNIT, *TO_BUREAU, CLIMBED):
            if some := by.get(heading):
                some.sort(key=lambda line: not line.news)
                blocks.append(Block(heading, len(some), tuple(some[:MOST]), max(len(some) - MOST, 0)))
        return Told(tuple(blocks), any(line.news for line in lines))
