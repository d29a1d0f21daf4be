"""The county leader's monthly section: four numbers, a table of towns, and the red list (2-domain 2.5, 2.6). Reads only.

Counted over the contracts of the year so far, up to the end of the month before: a month that is still running would look
worse than it is. Every rate is printed with its two numbers, and the section says by which rule they were counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.alerts.blocks import Block, Said
from app.alerts.digest import TownCount
from app.heart import lifecycle, limits, rules
from app.heart.calendar import chinese_date
from app.heart.figures import rate
from app.offices.desk import Moment
from app.offices.models import Office
from app.offices.queries import Scope
from app.policies.policy import Policy
from app.projects.models import ClockRow, Project, StandingRow
from app.stalls.models import Flag
from app.stalls.queries import stopped_ids

MOST = 30
"""Red projects named: one page."""
_LANDED = lifecycle.STAGE_NAMES[lifecycle.STAGE_NAMES.index(lifecycle.LAND) :]
_STARTED = lifecycle.STAGE_NAMES[lifecycle.STAGE_NAMES.index(lifecycle.CONSTRUCTION) :]


class Figures(NamedTuple):
    """Of the contracts of a period: how many, how many landed and started since; and how many projects are stopped now."""

    signed: int = 0
    landed: int = 0
    started: int = 0
    stopped: int = 0

    @property
    def words(self) -> str:
        """The four numbers as a line prints them."""
        landed, started = rate(self.landed, self.signed), rate(self.started, self.signed)
        return f"签约 {self.signed} 个；落地率 {landed}；开工率 {started}；签约即止 {self.stopped} 个"


def period_of(day: date) -> tuple[date, date]:
    """From the first of January to the end of the month before the day; in January all of last year."""
    end = day.replace(day=1) - timedelta(days=1)
    return date(end.year, 1, 1), end


def figures(connection: Connection, policy: Policy, day: date, at: Moment) -> dict[int, Figures]:
    """Per office (the one that had the project at the end of the period; that has it now, for what is stopped)."""
    begin, end = period_of(day)
    landed, started = (sa.func.sum(sa.case((StandingRow.stage.in_(stages), 1), else_=0)) for stages in (_LANDED, _STARTED))
    query = (
        sa.select(StandingRow.office_id, sa.func.count(), landed, started)
        .where(
            StandingRow.known_to.is_(None),
            StandingRow.valid_from <= end,
            StandingRow.valid_to > end,
            StandingRow.signed_on.between(begin, end),
        )
        .group_by(StandingRow.office_id)
    )
    found: dict[int, Figures] = defaultdict(Figures)
    for office, *numbers in connection.execute(query):
        found[office] = Figures(*numbers)
    stopped = stopped_ids(at, policy, Scope({}, None))
    counts = stopped.with_only_columns(ClockRow.office_id, sa.func.count(ClockRow.project_id.distinct())).group_by(ClockRow.office_id)
    for office, number in connection.execute(counts):
        found[office] = found[office]._replace(stopped=number)
    return found


def red_list(connection: Connection, public_url: str) -> tuple[list[Said], int]:
    """(the red projects, the worst and longest first; how many there are)."""
    rank = sa.case({name: limits.RANK[name] for name in limits.LEVELS}, value=Flag.level)
    red = Flag.level.in_([name for name in limits.LEVELS if limits.RANK[name] >= limits.RANK["red"]])
    worst = (
        sa.select(Flag.project_id, sa.func.max(rank).label("worst"), sa.func.min(Flag.due_on).label("due_on"))
        .where(Flag.closed_on.is_(None), red)
        .group_by(Flag.project_id)
        .subquery()
    )
    total = connection.scalar(sa.select(sa.func.count()).select_from(worst)) or 0
    query = (
        sa.select(Project.id, Project.ref, Project.name, Office.name.label("office"), worst.c.due_on)
        .join(worst, worst.c.project_id == Project.id)
        .join(Office, Office.id == Project.office_id)
        .order_by(worst.c.worst.desc(), worst.c.due_on, Project.ref)
        .limit(MOST)
    )
    rows = connection.execute(query).all()
    told: dict[int, list[str]] = defaultdict(list)
    flags = sa.select(Flag.project_id, Flag.rule, Flag.level).where(
        Flag.closed_on.is_(None), red, Flag.project_id.in_([row.id for row in rows])
    )
    for number, rule, level in connection.execute(flags.order_by(rank.desc(), Flag.due_on, Flag.rule)):
        told[number].append(f"{label_of(rule)}（{limits.LEVEL_LABELS[level][0]}）")
    base = public_url.rstrip("/") + "/projects/"
    lines = [
        Said(f"{row.name}（{row.ref}，{row.office}）：{'、'.join(told[row.id])}，{chinese_date(row.due_on)}起", base + row.ref)
        for row in rows
    ]
    return lines, total


def label_of(rule: str) -> str:
    """A rule in plain words, also one that an older version knew."""
    known = rules.BY_NAME.get(rule)
    return known.label if known else rule


def blocks(connection: Connection, policy: Policy, day: date, at: Moment, public_url: str, towns: Iterable[TownCount]) -> tuple[Block, ...]:
    """The section, on one page; nothing while no project is known."""
    if connection.scalar(sa.select(Project.id).limit(1)) is None:
        return ()
    begin, end = period_of(day)
    found = figures(connection, policy, day, at)
    names = [(row.id, row.name) for row in connection.execute(sa.select(Office.id, Office.name).order_by(Office.path))]
    lit = {one.office_id: one for one in towns}
    whole = Figures(*(sum(numbers) for numbers in zip(*found.values(), strict=True)))
    table = [
        Said(f"{name}：{found.get(office, Figures()).words}；{_lights(lit.get(office))}")
        for office, name in names
        if office in found or office in lit
    ]
    red, total = red_list(connection, public_url)
    rest = f"，列前 {len(red)} 个" if total > len(red) else ""
    since, until = chinese_date(begin), chinese_date(end)
    rule = (
        f"口径：签约＝正式合同日期在{since}至{until}的项目（含其后终止的）；落地率＝其中截至{until}已到落地或更后阶段的／签约；"
        f"开工率＝其中已到开工或更后阶段的／签约；均按上报计（含待认定）。签约即止＝截至{chinese_date(day)}全部项目中符合签约即止口径的。"
        f"亮灯按项目计最重一级，按时限策略第 {policy.id} 版。"
    )
    return (
        Block(f"月度情况（{since}至{until}）", (Said(whole.words),), rule, wakes=True, first=True),
        Block("各镇区", tuple(table), wakes=True, first=True),
        Block(f"红灯项目（共 {total} 个{rest}）", tuple(red or [Said("没有红灯项目")]), wakes=True, first=True),
    )


def _lights(town: TownCount | None) -> str:
    yellow, red, out = (town.yellow, town.red, town.exit_review) if town else (0, 0, 0)
    return f"黄灯 {yellow}，红灯 {red}，退出评估 {out}"
