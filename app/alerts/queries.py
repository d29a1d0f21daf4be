"""Reading runs and deliveries, as the API and `luodi` print them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.alerts.models import STATES, Delivery
from app.errors import Invalid, NotFound
from app.offices.models import Office, Person
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


def deliveries(
    connection: Connection,
    *,
    day: date | None = None,
    state: str | None = None,
    office_path: str | None = None,
    limit: int = 50,
    after: tuple[date, int] | None = None,
) -> list[dict[str, Any]]:
    """Messages and their fate, newest day first, then by number.

    `office_path` keeps a town to the people of its own subtree; `after` is (date, id) of the last row of the page before.
    """
    query = (
        sa.select(
            Delivery.id, Delivery.run_date, Delivery.channel, Delivery.recipient, Delivery.message_id, Delivery.subject, Delivery.state,
            Delivery.reason, Delivery.attempt, Delivery.next_try_at, Delivery.marked_at, Delivery.created_at, Delivery.updated_at,
            Person.name.label("person"), Office.code, Office.name.label("office"),
        )
        .join(Person, Person.id == Delivery.person_id)
        .join(Office, Office.id == Person.office_id)
        .where(*_sent(day, state, office_path))
        .order_by(Delivery.run_date.desc(), Delivery.id)
        .limit(limit)
    )  # fmt: skip
    if after is not None:
        query = query.where(sa.or_(Delivery.run_date < after[0], sa.and_(Delivery.run_date == after[0], Delivery.id > after[1])))
    return [_delivery(row) for row in connection.execute(query).mappings()]


def delivery_total(connection: Connection, *, day: date | None, state: str | None, office_path: str | None) -> int:
    """How many messages `deliveries` lists on all its pages."""
    query = sa.select(sa.func.count()).select_from(Delivery).join(Person, Person.id == Delivery.person_id)
    return connection.scalar(query.join(Office, Office.id == Person.office_id).where(*_sent(day, state, office_path))) or 0


def _sent(day: date | None, state: str | None, office_path: str | None) -> list[sa.ColumnElement[bool]]:
    if state is not None and state not in STATES:
        raise Invalid(f"state 只能是 {'、'.join(STATES)}")
    where: list[sa.ColumnElement[bool]] = []
    if day is not None:
        where.append(Delivery.run_date == day)
    if state is not None:
        where.append(Delivery.state == state)
    if office_path is not None:
        where.append(Office.path.startswith(office_path, autoescape=True))
    return where


def _delivery(row: Any) -> dict[str, Any]:
    shown = {name: row[name] for name in ("id", "channel", "recipient", "message_id", "subject", "state", "reason", "attempt")}
    waits: datetime | None = row["next_try_at"] if row["state"] == "pending" else None
    return {
        **shown,
        "date": row["run_date"],
        "person": row["person"],
        "office": {"code": row["code"], "name": row["office"]},
        "next_try_at": waits,
        "handed_over_at": row["marked_at"],
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
    }
