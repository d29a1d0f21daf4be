"""What the bureau reads every workday beside the changes: how towns stand, who has not reported, what waits for its review, what
was not delivered, and what to check in the register. Reads only."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.alerts import digest
from app.alerts.blocks import Block, Said, counted
from app.alerts.models import LOST, Delivery
from app.heart import checks, limits, rules
from app.offices.models import Office
from app.policies.policy import Policy
from app.projects.checking import counted_by_office
from app.projects.derived import ENDS_LATER, OPEN
from app.projects.lateness import route_filter
from app.projects.models import ClockRow, Project
from app.robots.models import Robot
from app.stalls.models import Flag

UNREPORTED = "report_missing"
MOST = 8
"""Offices named behind one data check."""


def blocks(connection: Connection) -> tuple[Block, ...]:
    """Both sections, each when there is something in it. They are no reason for a message by themselves."""
    return tuple(block for block in (_unreported(connection), _checks(connection)) if block is not None)


def _unreported(connection: Connection) -> Block | None:
    """By office: monthly reports that are overdue, and those that fall due within days."""
    late = [name for name in limits.LEVELS if limits.RANK[name] >= limits.RANK["red"]]
    overdue = sa.func.sum(sa.case((Flag.level.in_(late), 1), else_=0))
    query = (
        sa.select(Office.name, overdue, sa.func.count() - overdue)
        .join(Project, Project.id == Flag.project_id)
        .join(Office, Office.id == Project.office_id)
        .where(Flag.closed_on.is_(None), Flag.rule == UNREPORTED, Flag.level.in_([*late, "yellow"]))
        .group_by(Office.path, Office.name)
        .order_by(Office.path)
    )
    rows = connection.execute(query).all()
    if not rows:
        return None
    whole = f"逾期未报 {sum(row[1] for row in rows)} 个，即将到期 {sum(row[2] for row in rows)} 个"
    return Block(f"月度进展未报（{whole}）", tuple(Said(f"{name}：逾期未报 {red} 个，即将到期 {soon} 个") for name, red, soon in rows))


def _checks(connection: Connection) -> Block | None:
    """By check: how many projects, and where."""
    names: dict[int, str] = {row.id: row.name for row in connection.execute(sa.select(Office.id, Office.name))}
    found: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for office, bits, projects in counted_by_office(connection):
        for code in checks.codes(bits):
            found[code][names[office]] += projects
    lines = tuple(
        Said(f"{check.label} {sum(found[check.code].values())} 个（{counted(found[check.code], MOST)}）：{check.advice}")
        for check in checks.CHECKS
        if check.code in found
    )
    return Block("数据核查（按项目）", lines, "不影响阶段和亮灯；逐项见 GET /api/v1/data-checks。") if lines else None


def awaiting(connection: Connection, policy: Policy, day: date, public_url: str, most: int) -> list[digest.Awaiting]:
    """Projects that would be stopped were it not for a claim nobody has reviewed; so many, the longest stopped."""
    found = []
    for stream in policy.streams("red", day, ["signed_no_progress"]):
        query = (
            sa.select(Project.ref, Project.name, Office.name.label("office"), ClockRow.solid_on)
            .join(Project, Project.id == ClockRow.project_id)
            .join(Office, Office.id == Project.office_id)
            .where(
                ClockRow.rule == rules.AWAITING,
                ClockRow.known_to.is_(None),
                ClockRow.halted.in_((False, True)),
                ClockRow.life.in_((OPEN, ENDS_LATER)),
            )
            .where(ClockRow.solid_on <= stream.solid, ClockRow.valid_from <= day, ClockRow.valid_to > day, *route_filter(stream.routes))
            .order_by(ClockRow.solid_on, Project.ref)
            .limit(most)
        )
        for ref, name, office, solid_on in connection.execute(query):
            red = stream.limits.red
            if red is not None:
                found.append(digest.Awaiting(ref, name, office, policy.due(red, solid_on), f"{public_url.rstrip('/')}/projects/{ref}"))
    return sorted(found, key=lambda one: (one.stopped_on, one.ref))[:most]


def undelivered(connection: Connection, after: datetime | None, day: date) -> list[digest.Undelivered]:
    """Messages that failed, expired or ended uncertain since a moment (None: ever)."""
    query = sa.select(Delivery.run_date, Delivery.recipient, Delivery.state, Delivery.reason, Robot.name.label("robot"), Office.name)
    query = query.outerjoin(Robot, Robot.id == Delivery.robot_id).outerjoin(Office, Office.id == Robot.office_id)
    query = query.where(
        sa.text(LOST), Delivery.run_date <= day, Delivery.updated_at > (after or datetime.min.replace(year=1900, tzinfo=UTC))
    )
    rows = connection.execute(query.order_by(Delivery.run_date, Delivery.id))
    return [
        digest.Undelivered(run_date, recipient if robot is None else f"{office}群机器人“{robot}”", state, reason or "")
        for run_date, recipient, state, reason, robot, office in rows
    ]


def town_counts(connection: Connection) -> list[digest.TownCount]:
    """Per office, how many projects stand at which level, each counted at its worst."""
    rank = sa.case({name: limits.RANK[name] for name in limits.LEVELS}, value=Flag.level)
    worst = (
        sa.select(Flag.project_id, sa.func.max(rank).label("worst")).where(Flag.closed_on.is_(None)).group_by(Flag.project_id).subquery()
    )
    query = (
        sa.select(Office.path, Office.id, Office.name, worst.c.worst, sa.func.count())
        .select_from(worst)
        .join(Project, Project.id == worst.c.project_id)
        .join(Office, Office.id == Project.office_id)
        .where(worst.c.worst >= limits.RANK["yellow"])
        .group_by(Office.path, Office.id, Office.name, worst.c.worst)
    )
    table: dict[tuple[str, int, str], dict[int, int]] = defaultdict(dict)
    for path, office, name, level, number in connection.execute(query):
        table[path, office, name][level] = number
    ranks = [limits.RANK[name] for name in limits.LEVELS[1:]]
    return [
        digest.TownCount(name, *(row.get(rank, 0) for rank in ranks))._replace(office_id=office)
        for (_, office, name), row in sorted(table.items())
    ]
