"""The liaison leader's (包联领导) weekly page: how the projects stand that he looks after. Reads only, all leaders at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import date, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.alerts.blocks import Block, Said
from app.alerts.monthly import label_of
from app.db import among
from app.heart import lifecycle, limits
from app.heart.calendar import chinese_date
from app.offices.models import Office, Person
from app.projects.models import Project, StandingRow
from app.stalls.models import Flag, FlagChange

MOST = 25
"""Projects of one page."""
YELLOW, RED = limits.RANK["yellow"], limits.RANK["red"]


def blocks(connection: Connection, leaders: Collection[int], day: date, public_url: str) -> dict[int, Block]:
    """The page of each of these people who leads a project that goes on: counts, the week's movements, the late ones first."""
    if not leaders:
        return {}
    rank = sa.case({name: limits.RANK[name] for name in limits.LEVELS}, value=Flag.level)
    lit = (
        sa.select(sa.func.max(rank))
        .where(Flag.project_id == StandingRow.project_id, Flag.closed_on.is_(None))
        .correlate(StandingRow)
        .scalar_subquery()
    )
    led = (
        sa.select(
            StandingRow.liaison_id, StandingRow.project_id, StandingRow.stage, StandingRow.stage_entered_on, StandingRow.last_progress_on,
            StandingRow.owner_id, sa.func.coalesce(lit, 0).label("worst"),
        )
        .where(
            among(StandingRow.liaison_id, "leaders"),
            StandingRow.known_to.is_(None),
            StandingRow.valid_from <= day,
            StandingRow.valid_to > day,
            StandingRow.status != "terminated",
        )
        .subquery()
    )  # fmt: skip
    counts: dict[int, dict[int, int]] = defaultdict(dict)
    here = {"leaders": sorted(leaders)}
    worsts = sa.select(led.c.liaison_id, led.c.worst, sa.func.count()).group_by(led.c.liaison_id, led.c.worst)
    for leader, worst, number in connection.execute(worsts, here):
        counts[leader][worst] = number
    place = sa.func.row_number().over(
        partition_by=led.c.liaison_id, order_by=(led.c.worst.desc(), led.c.last_progress_on, led.c.project_id)
    )
    first = sa.select(led, place.label("place")).subquery()
    query = (
        sa.select(first, Project.ref, Project.name, Office.name.label("office"), Person.name.label("owner"))
        .join(Project, Project.id == first.c.project_id)
        .join(Office, Office.id == Project.office_id)
        .outerjoin(Person, Person.id == first.c.owner_id)
        .where(first.c.place <= MOST)
        .order_by(first.c.liaison_id, first.c.place)
    )
    rows = connection.execute(query, here).all()
    flags = _flags(connection, [row.project_id for row in rows])
    moved = _moved(connection, leaders, day)
    lines: dict[int, list[Said]] = defaultdict(list)
    base = public_url.rstrip("/") + "/projects/"
    for row in rows:
        lines[row.liaison_id].append(Said(_line(row, flags.get(row.project_id, []), day), base + row.ref))
    return {leader: _page(counts[leader], moved.get(leader, (0, 0)), some) for leader, some in lines.items()}


def _page(counts: dict[int, int], moved: tuple[int, int], lines: list[Said]) -> Block:
    total, (red, recovered) = sum(counts.values()), moved
    shown = {name: counts.get(limits.RANK[name], 0) for name in ("exit_review", "red", "yellow")}
    lights = "，".join(f"{limits.LEVEL_LABELS[name][0]} {number}" for name, number in shown.items())
    head = f"包联项目 {total} 个：{lights}，正常 {total - sum(shown.values())}；近七日转红 {red}，恢复 {recovered}"
    rest = [Said(f"其余 {total - len(lines)} 个请在系统中查看。")] if total > len(lines) else []
    return Block("包联项目周报", (Said(head), *lines, *rest), "不含已终止项目；亮灯按项目计最重一级。", wakes=True, first=True)


def _line(row: sa.Row[*tuple[object, ...]], flags: list[tuple[str, str]], day: date) -> str:
    stage = lifecycle.BY_STAGE[row.stage].label if row.stage else "未登记阶段"
    since = f"，{chinese_date(row.stage_entered_on)}起已 {(day - row.stage_entered_on).days} 天" if row.stage_entered_on else ""
    late = "、".join(f"{label_of(rule)}（{limits.LEVEL_LABELS[level][0]}）" for rule, level in flags) or "正常"
    progress = f"；最近进展 {chinese_date(row.last_progress_on)}" if row.last_progress_on else ""
    return f"{row.name}（{row.ref}，{row.office}）：{stage}{since}；{late}{progress}；责任人 {row.owner or '无'}"


def _flags(connection: Connection, ids: list[int]) -> dict[int, list[tuple[str, str]]]:
    found: dict[int, list[tuple[str, str]]] = defaultdict(list)
    query = sa.select(Flag.project_id, Flag.rule, Flag.level).where(Flag.closed_on.is_(None), among(Flag.project_id))
    for number, rule, level in connection.execute(query.order_by(Flag.rule), {"ids": ids}):
        if limits.RANK[level] >= YELLOW:
            found[number].append((rule, level))
    for flags in found.values():
        flags.sort(key=lambda one: -limits.RANK[one[1]])
    return found


def _moved(connection: Connection, leaders: Collection[int], day: date) -> dict[int, tuple[int, int]]:
    """leader → (projects of which a flag turned red, projects of which one closed) in the last seven days."""
    reds = [name for name in limits.LEVELS if limits.RANK[name] >= RED]
    turned = sa.and_(FlagChange.to_level.in_(reds), sa.or_(FlagChange.from_level.is_(None), FlagChange.from_level.not_in(reds)))
    closed = sa.and_(FlagChange.to_level.is_(None), FlagChange.from_level != "blue")
    columns = [sa.func.count(sa.case((what, FlagChange.project_id)).distinct()) for what in (turned, closed)]
    query = (
        sa.select(StandingRow.liaison_id, *columns)
        .join(FlagChange, FlagChange.project_id == StandingRow.project_id)
        .where(
            among(StandingRow.liaison_id, "leaders"),
            StandingRow.known_to.is_(None),
            StandingRow.valid_to == limits.FOREVER,
            FlagChange.run_date > day - timedelta(days=7),
            FlagChange.run_date <= day,
        )
        .group_by(StandingRow.liaison_id)
    )
    return {row[0]: (row[1], row[2]) for row in connection.execute(query, {"leaders": sorted(leaders)}) if row[0] is not None}
