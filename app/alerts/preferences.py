"""By which way a person gets his digest: mail, or a robot of his own office. Never whether he gets one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.alerts.channels.base import MAIL
from app.alerts.models import Preference
from app.errors import Invalid, NotFound
from app.offices.models import Person
from app.robots.models import Robot
from app.robots.queries import LIVE

ROBOT = "robot"


def of_person(connection: Connection, person_id: int | None) -> dict[str, Any]:
    """What somebody prefers, and what it comes to now: a robot that was removed or switched off means mail."""
    query = (
        sa.select(Person.id, Person.name, Person.email, Preference.robot_id, Robot.name.label("robot"), Robot.kind, Robot.enabled, LIVE)
        .outerjoin(Preference, Preference.person_id == Person.id)
        .outerjoin(Robot, Robot.id == Preference.robot_id)
        .where(Person.id == person_id)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound("此令牌未绑定个人；请管理员用 luodi token issue --person 签发 / this token stands for an office, not for a person")
    *_, enabled, live = row
    by_robot = row.robot_id is not None and bool(enabled) and bool(live)
    return {
        "person": {"id": row.id, "name": row.name},
        "channel": MAIL if row.robot_id is None else ROBOT,
        "robot": None if row.robot_id is None else {"id": row.robot_id, "name": row.robot, "kind": row.kind},
        "goes_by": row.kind if by_robot else MAIL,
    }


def prefer(connection: Connection, person_id: int | None, robot_id: int | None, now: datetime) -> dict[str, Any]:
    """From the next digest on: by this robot of his own office, or (None) by mail."""
    of_person(connection, person_id)
    if robot_id is not None:
        mine = sa.select(Robot.id).join(Person, Person.office_id == Robot.office_id)
        if connection.scalar(mine.where(Person.id == person_id, Robot.id == robot_id, LIVE, Robot.enabled)) is None:
            raise Invalid(
                "没有这个机器人，或不属于您的单位、已停用", errors=[{"field": "robot_id", "message": "no enabled robot of your own office"}]
            )
    values = {"robot_id": robot_id, "changed_at": now}
    changed = connection.execute(sa.update(Preference).where(Preference.person_id == person_id).values(**values))
    if changed.rowcount == 0:
        connection.execute(sa.insert(Preference).values(person_id=person_id, **values))
    return of_person(connection, person_id)


def person_of(connection: Connection, email: str) -> int:
    """Somebody by his address."""
    number = connection.scalar(sa.select(Person.id).where(Person.email == email))
    if number is None:
        raise NotFound(f"没有邮箱为 {email} 的人员")
    return int(number)
