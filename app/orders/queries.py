"""Reading supervision orders: one, or pages of them, as far as the caller may see."""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.errors import Invalid, NotFound
from app.heart import rules
from app.offices.access import ANSWER, COUNTY_ONLY, MAY, SUPERVISE, Caller
from app.offices.models import Office, Person
from app.offices.queries import scope
from app.orders import lifecycle as table
from app.orders.models import Order, OrderEvent
from app.orders.wording import as_number
from app.projects.models import Project
from app.projects.store import usable_ref

_issuer = sa.orm.aliased(Office, name="issuer")
_SHOWN: tuple[Any, ...] = (
    *Order.__table__.columns,
    _issuer.code.label("issuer_code"), _issuer.name.label("issuer_name"),
    Office.code.label("office_code"), Office.name.label("office_name"), Office.path.label("office_path"),
    Person.name.label("person_name"), Person.left_on.label("person_left"),
    Project.ref, Project.name.label("project_name"),
)  # fmt: skip
ORDERS = (
    sa.join(Order, Office, Office.id == Order.office_id)
    .join(_issuer, _issuer.id == Order.issuer_id)
    .join(Person, Person.id == Order.person_id, isouter=True)
    .join(Project, Project.id == Order.project_id, isouter=True)
)


def within(caller: Caller) -> sa.ColumnElement[bool]:
    """Orders of the caller's offices; a department, which covers nothing else, sees those that are addressed to it."""
    return sa.or_(Office.path.startswith(caller.scope, autoescape=True), Order.office_id == caller.office_id)


class Asked(NamedTuple):
    """A question to the list of orders, on a day."""

    caller: Caller
    day: date
    office: str | None = None
    state: str | None = None
    open: bool | None = None
    overdue: bool | None = None
    ref: str | None = None

    def where(self, connection: Connection) -> list[sa.ColumnElement[bool]]:
        """As conditions over ORDERS; NotFound for an office outside."""
        found = [within(self.caller)]
        if self.office is not None:
            ids = scope(connection, self.caller, self.office).ids
            if ids is not None:
                found.append(Order.office_id.in_(ids))
        if self.state is not None:
            found.append(Order.state == self.state)
        if self.open is not None:
            found.append((Order.state != table.CLOSED) if self.open else (Order.state == table.CLOSED))
        if self.overdue is not None:
            late = sa.and_(Order.state != table.CLOSED, Order.state.in_(table.WITH_UNIT), Order.due_on < self.day)
            found.append(late if self.overdue else sa.not_(late))
        if self.ref is not None:
            found.append(Project.ref == usable_ref(self.ref))
        return found


def orders(connection: Connection, asked: Asked, *, limit: int, after: int | None) -> list[dict[str, Any]]:
    """A page of orders, newest first; `after` is the id of the last row of the page before."""
    query = sa.select(*_SHOWN).select_from(ORDERS).where(*asked.where(connection))
    if after is not None:
        query = query.where(Order.id < after)
    return [shown(row, asked.day) for row in connection.execute(query.order_by(Order.id.desc()).limit(limit)).mappings()]


def total(connection: Connection, asked: Asked) -> int:
    """How many orders the question finds."""
    return connection.scalar(sa.select(sa.func.count()).select_from(ORDERS).where(*asked.where(connection))) or 0


def row_of(connection: Connection, text: str, caller: Caller, *, lock: bool = False) -> Any:
    """One order by its id or its number, locked for a step when asked to; NotFound outside the caller's sight."""
    number = as_number(text)
    if text.isascii() and text.isdigit() and len(text) <= 18:
        name = Order.id == int(text)
    elif number is not None:
        name = Order.number == number
    else:
        raise missing()
    query = sa.select(*_SHOWN).select_from(ORDERS).where(name, within(caller)).order_by(Order.id).limit(2)
    if lock:
        query = query.with_for_update(of=Order, key_share=True)
    rows = connection.execute(query).mappings().all()
    if not rows:
        raise missing()
    if len(rows) > 1:
        raise Invalid("该文号不止一个单位用过；请改用编号 id 查询", errors=[{"field": "order", "message": "several issuers; use the id"}])
    return rows[0]


def missing() -> NotFound:
    """No such order, or not in sight: the same words."""
    return NotFound("没有这份督办单，或不在您的管辖范围内")


def order(connection: Connection, number: int, caller: Caller, day: date) -> dict[str, Any]:
    """One order with its events and the steps the caller can take."""
    return detailed(connection, row_of(connection, str(number), caller), caller, day)


def detailed(connection: Connection, row: Any, caller: Caller, day: date) -> dict[str, Any]:
    """An order as it is printed alone."""
    held, may = table.Held(row["state"], row["due_on"], row["asked_until"]), []
    for side, right in ((table.UNIT, ANSWER), (table.BUREAU, SUPERVISE)):
        if right in MAY[caller.role] and (caller.is_county or right not in COUNTY_ONLY):
            may += table.possible(held, side, day)
    return {**shown(row, day), "may": may, "events": events(connection, row)}


def events(connection: Connection, row: Any) -> list[dict[str, Any]]:
    """Every step of an order, first to last."""
    columns = (*OrderEvent.__table__.columns, Office.code, Office.name, Office.path)
    query = sa.select(*columns).outerjoin(Office, Office.id == OrderEvent.office_id)
    unit = {step.action for step in table.STEPS if step.side == table.UNIT}
    found = []
    for one in connection.execute(query.where(OrderEvent.order_id == row["id"]).order_by(OrderEvent.seq)).mappings():
        known = one["code"] is not None
        actor = {
            "office": {"code": one["code"], "name": one["name"]} if known else None,
            "role": one["role"],
            "person_id": one["person_id"],
            "on_behalf": known and one["action"] in unit and not one["path"].startswith(row["office_path"]),
        }
        told = {name: one[name] for name in ("seq", "action", "at", "happened_on", "state", "due_on", "text", "until", "granted")}
        found.append({**told, "label": table.LABELS[one["action"]], "actor": actor})
    return found


def shown(row: Any, day: date) -> dict[str, Any]:
    """An order as any answer prints it."""
    rule = rules.BY_NAME.get(row["rule"] or "")
    overdue = table.is_overdue(row["state"], row["due_on"], day)
    person = {"id": row["person_id"], "name": row["person_name"], "left_on": row["person_left"]} if row["person_id"] else None
    return {
        "id": row["id"],
        "number": row["number"],
        "issuer": {"code": row["issuer_code"], "name": row["issuer_name"]},
        "office": {"code": row["office_code"], "name": row["office_name"]},
        "person": person,
        "project": {"ref": row["ref"], "name": row["project_name"]} if row["project_id"] else None,
        "source": {"rule": row["rule"], "label": rule.label if rule else None, "level": row["level"], "automatic": row["automatic"]},
        "matter": row["matter"],
        "requirement": row["requirement"],
        "state": row["state"],
        "state_label": table.STATES[row["state"]],
        "issued_on": row["issued_on"],
        "due_on": row["due_on"],
        "overdue": overdue,
        "days_over": (day - row["due_on"]).days if overdue else 0,
        "asked_until": row["asked_until"],
        "received_on": row["received_on"],
        "replied_on": row["replied_on"],
        "closed_on": row["closed_on"],
        "version": row["version"],
    }
