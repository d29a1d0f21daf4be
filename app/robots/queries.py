"""Reading robots: as people may see them, and with what they hide."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.errors import NotFound
from app.offices.models import Office
from app.robots.kinds import KINDS
from app.robots.kinds.base import Kind
from app.robots.models import Robot
from app.robots.sealed import Secrets, Vault

LIVE = Robot.removed_at.is_(None)
_SHOWN = (
    Robot.id, Robot.kind, Robot.name, Robot.host, Robot.tail, Robot.signed, Robot.enabled, Robot.created_at, Robot.changed_at,
    Office.code, Office.name.label("office"),
)  # fmt: skip


def robots(connection: Connection, scope: str) -> list[dict[str, Any]]:
    """The robots of the offices under a path, as the API prints them: nothing of their secrets but four characters."""
    query = sa.select(*_SHOWN).join(Office, Office.id == Robot.office_id).where(LIVE, Office.path.startswith(scope, autoescape=True))
    return [_shown(row) for row in connection.execute(query.order_by(Office.path, Robot.id)).mappings()]


def robot(connection: Connection, number: int, scope: str) -> dict[str, Any]:
    """One of them; NotFound outside the path."""
    query = sa.select(*_SHOWN).join(Office, Office.id == Robot.office_id)
    row = connection.execute(query.where(Robot.id == number, *within(scope))).mappings().one_or_none()
    if row is None:
        raise missing(number)
    return _shown(row)


def within(scope: str) -> tuple[sa.ColumnElement[bool], ...]:
    """Only live robots of the offices under a path."""
    return LIVE, Office.path.startswith(scope, autoescape=True)


def missing(number: int) -> NotFound:
    """No such robot, or not in sight."""
    return NotFound(f"没有编号为 {number} 的群机器人，或不在您的管辖范围内")


class Opened(NamedTuple):
    """A robot ready to be spoken to."""

    id: int
    kind: Kind
    name: str
    office_id: int
    office: str
    secrets: Secrets


def opened(connection: Connection, vault: Vault, number: int, scope: str = "/") -> Opened:
    """A robot with what it hides; NotFound when it is removed or outside, SealBroken when no key opens it."""
    query = sa.select(Robot.id, Robot.kind, Robot.name, Robot.office_id, Office.name.label("office"), Robot.sealed)
    row = connection.execute(query.join(Office, Office.id == Robot.office_id).where(Robot.id == number, *within(scope))).one_or_none()
    if row is None or row.sealed is None:
        raise missing(number)
    secrets = vault.open(row.sealed, row.office_id, row.kind)
    return Opened(row.id, KINDS[row.kind], row.name, row.office_id, row.office, secrets)


class Carrier(NamedTuple):
    """An enabled robot, and whose news it carries."""

    id: int
    name: str
    kind: str
    office_id: int
    office: str
    office_kind: str
    path: str


def carriers(connection: Connection, kinds: Iterable[str]) -> list[Carrier]:
    """Every enabled robot of the offices of some kinds."""
    query = sa.select(Robot.id, Robot.name, Robot.kind, Office.id, Office.name, Office.kind, Office.path)
    query = query.join(Office, Office.id == Robot.office_id).where(LIVE, Robot.enabled, Office.kind.in_(list(kinds)))
    return [Carrier(*row) for row in connection.execute(query.order_by(Robot.id))]


def _shown(row: Any) -> dict[str, Any]:
    dates: dict[str, datetime] = {name: row[name] for name in ("created_at", "changed_at")}
    return {
        "id": row["id"],
        "office": {"code": row["code"], "name": row["office"]},
        "kind": row["kind"],
        "kind_label": KINDS[row["kind"]].label,
        "name": row["name"],
        "host": row["host"],
        "ends_with": row["tail"],
        "signed": row["signed"],
        "enabled": row["enabled"],
        **dates,
    }
