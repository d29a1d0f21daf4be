"""Reading runs and deliveries, as the API and `luodi` print them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.alerts import holding
from app.alerts.models import OPEN, STATES, ChannelState, Delivery, DeliveryEvent
from app.errors import Invalid, NotFound
from app.offices.models import Office, Person
from app.robots.models import Robot
from app.stalls.models import DailyRun

MAX_RUNS = 201
_RUN = (
    DailyRun.run_date,
    DailyRun.state,
    DailyRun.attempt,
    DailyRun.policy_id,
    DailyRun.calendar_id,
    DailyRun.started_at,
    DailyRun.finished_at,
    DailyRun.counts,
)


def _run(row: Any) -> dict[str, Any]:
    counts = orjson.loads(row["counts"])
    counts.pop("rules", None)
    return {
        "date": row["run_date"],
        "state": row["state"],
        "attempt": row["attempt"],
        "policy_version": row["policy_id"],
        "calendar_version": row["calendar_id"],
        "started_at": row["started_at"],
        "finished_at": row["finished_at"],
        **counts,
    }


def runs(connection: Connection, *, limit: int = 50, before: date | None = None) -> list[dict[str, Any]]:
    """The newest runs first; `before` continues after the last date of a page."""
    query = sa.select(*_RUN).order_by(DailyRun.run_date.desc()).limit(min(limit, MAX_RUNS))
    if before is not None:
        query = query.where(DailyRun.run_date < before)
    return [_run(row) for row in connection.execute(query).mappings()]


def run_total(connection: Connection) -> int:
    """How many days have a run."""
    return connection.scalar(sa.select(sa.func.count()).select_from(DailyRun)) or 0


def run_of(connection: Connection, day: date) -> dict[str, Any]:
    """One day's run with its deliveries by state; NotFound when that day has none."""
    row = connection.execute(sa.select(*_RUN).where(DailyRun.run_date == day)).mappings().one_or_none()
    if row is None:
        raise NotFound(f"{day} 没有每日任务记录")
    states = sa.select(Delivery.state, sa.func.count()).where(Delivery.run_date == day).group_by(Delivery.state)
    return {**_run(row), "deliveries": {state: number for state, number in connection.execute(states)}}


class Asked(NamedTuple):
    """Filters of the outbox; `office_path` keeps a town to the people and robots of its own subtree."""

    day: date | None = None
    state: str | None = None
    person: int | None = None
    channel: str | None = None
    office_path: str | None = None

    def where(self) -> list[sa.ColumnElement[bool]]:
        """As conditions of a query over `ADDRESSED`."""
        if self.state is not None and self.state not in STATES:
            raise Invalid(f"state 只能是 {'、'.join(STATES)}")
        wanted: list[sa.ColumnElement[bool]] = []
        if self.day is not None:
            wanted.append(Delivery.run_date == self.day)
        if self.state is not None:
            wanted.append(Delivery.state == self.state)
        if self.person is not None:
            wanted.append(Delivery.person_id == self.person)
        if self.channel is not None:
            wanted.append(Delivery.channel == self.channel)
        if self.office_path is not None:
            wanted.append(_of_offices(self.office_path))
        return wanted


def _of_offices(path: str) -> sa.ColumnElement[bool]:
    """Messages to people of the offices under a path, or to their groups; two conditions, each with its index."""
    offices = sa.select(Office.id).where(Office.path.startswith(path, autoescape=True))
    people = Delivery.person_id.in_(sa.select(Person.id).where(Person.office_id.in_(offices)))
    group = sa.and_(Delivery.person_id.is_(None), Delivery.robot_id.in_(sa.select(Robot.id).where(Robot.office_id.in_(offices))))
    return sa.or_(people, group)


ADDRESSED = sa.join(
    sa.join(sa.join(Delivery, Person, Person.id == Delivery.person_id, isouter=True), Robot, Robot.id == Delivery.robot_id, isouter=True),
    Office,
    Office.id == sa.func.coalesce(Person.office_id, Robot.office_id),
)
"""Messages with whom they are for, a person or a group robot, and that one's office."""
_DELIVERIES = (
    sa.select(
        Delivery.id, Delivery.run_date, Delivery.channel, Delivery.recipient, Delivery.message_id, Delivery.subject, Delivery.state,
        Delivery.reason, Delivery.attempt, Delivery.next_try_at, Delivery.marked_at, Delivery.resent_at, Delivery.created_at,
        Delivery.updated_at, Delivery.person_id, Person.name.label("person"), Office.code, Office.name.label("office"),
        Delivery.robot_id, Robot.name.label("robot"), Delivery.parts_taken,
    )
    .select_from(ADDRESSED)
)  # fmt: skip


def deliveries(connection: Connection, asked: Asked, *, limit: int = 50, after: tuple[date, int] | None = None) -> list[dict[str, Any]]:
    """Messages and their fate, newest day first, then by number; `after` is (date, id) of the last row of the page before."""
    query = _DELIVERIES.where(*asked.where()).order_by(Delivery.run_date.desc(), Delivery.id).limit(limit)
    if after is not None:
        query = query.where(sa.or_(Delivery.run_date < after[0], sa.and_(Delivery.run_date == after[0], Delivery.id > after[1])))
    return [_delivery(row) for row in connection.execute(query).mappings()]


def delivery_total(connection: Connection, asked: Asked) -> int:
    """How many messages `deliveries` lists on all its pages."""
    return connection.scalar(sa.select(sa.func.count()).select_from(ADDRESSED).where(*asked.where())) or 0


def delivery_of(connection: Connection, number: int, office_path: str) -> dict[str, Any]:
    """One message with its history, oldest first: how each attempt ended and what persons decided; NotFound outside the offices."""
    row = connection.execute(_DELIVERIES.where(Delivery.id == number, *Asked(office_path=office_path).where())).mappings().one_or_none()
    if row is None:
        raise NotFound(f"没有编号为 {number} 的消息，或不在您的管辖范围内")
    event = DeliveryEvent
    columns = (
        event.at,
        event.attempt,
        event.state,
        event.phase,
        event.reason,
        event.role,
        Office.code,
        Office.name,
        Person.name.label("person"),
    )
    query = (
        sa.select(*columns)
        .outerjoin(Office, Office.id == event.office_id)
        .outerjoin(Person, Person.id == event.person_id)
        .where(event.delivery_id == number)
        .order_by(event.id)
    )
    return {**_delivery(row), "history": [_event(one) for one in connection.execute(query)]}


def _event(row: Any) -> dict[str, Any]:
    who = None if row.role is None else {"office": {"code": row.code, "name": row.name}, "role": row.role, "person": row.person}
    return {"at": row.at, "attempt": row.attempt, "state": row.state, "phase": row.phase, "reason": row.reason, "by": who}


def _delivery(row: Any) -> dict[str, Any]:
    shown = {name: row[name] for name in ("id", "channel", "recipient", "message_id", "subject", "state", "reason", "attempt")}
    waits: datetime | None = row["next_try_at"] if row["state"] == "pending" else None
    return {
        **shown,
        "date": row["run_date"],
        "person": row["person"],
        "person_id": row["person_id"],
        "robot": None if row["robot_id"] is None else {"id": row["robot_id"], "name": row["robot"]},
        "parts_taken": row["parts_taken"],
        "office": {"code": row["code"], "name": row["office"]},
        "next_try_at": waits,
        "handed_over_at": row["marked_at"],
        "resent_at": row["resent_at"],
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
    }


def channels(connection: Connection, *, whole: bool) -> dict[str, Any]:
    """Every relay that was ever used and how it is, what waits on each channel, and whether everything is held back. Which
    relays there are, and what they said, is the county's to know (`whole`)."""
    open_ = sa.select(Delivery.channel, sa.func.count()).where(sa.text(OPEN)).group_by(Delivery.channel)
    waiting = {name: number for name, number in connection.execute(open_)}
    query = sa.select(ChannelState.__table__).order_by(ChannelState.channel, ChannelState.relay)
    items = [
        {
            "channel": row["channel"],
            "relay": row["relay"] if whole else None,
            "state": row["state"],
            "since": row["since"],
            "until": row["until"] if row["state"] != "ok" else None,
            "reason": row["reason"] if whole else None,
            "failures": row["failures"],
            "last_sent_at": row["last_sent_at"],
            "waiting": waiting.get(row["channel"], 0),
        }
        for row in connection.execute(query).mappings()
    ]
    hold = holding.current(connection)
    held = None if hold is None else {"reason": hold.reason, "since": hold.since, "doubtful_through": hold.doubtful_through}
    return {"items": items, "hold": held}
