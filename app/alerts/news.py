"""What readers are told about: flags that changed since a day, with everything a line prints. Reads only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, date, datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection

from app.alerts import digest
from app.alerts.models import LOST, Delivery
from app.db import among
from app.heart import lifecycle, limits, rules
from app.offices.models import Office, Person
from app.policies.policy import Policy, Running, note_of
from app.projects import money
from app.projects.lateness import route_filter
from app.projects.models import ClockRow, Project, StandingRow
from app.projects.queries import RUNNING
from app.projects.store import ENDS_LATER, OPEN, standing_from
from app.robots.models import Robot
from app.stalls.models import Flag, FlagChange

log = structlog.get_logger()
CHUNK = 500


class Net(NamedTuple):
    """What became of one flag between two digests: the first level then told, and the level now."""

    before: str | None
    after: str | None
    stock: bool


Changes = dict[int, dict[str, Net]]
"""project → rule → what changed."""


class Where(NamedTuple):
    """Whom a project concerns, and what decides its place in a message."""

    ref: str
    office_id: int
    owner_id: int | None
    levels: list[str]
    dues: list[date]


def _some(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    for at in range(0, len(numbers), CHUNK):
        yield numbers[at : at + CHUNK]


_OPEN = sa.select(Flag.project_id, Flag.rule, sa.null().label("before"), Flag.level, Flag.stock).where(Flag.closed_on.is_(None))
_CHANGED = sa.select(FlagChange.project_id, FlagChange.rule, FlagChange.from_level, FlagChange.to_level, FlagChange.stock)


def since(connection: Connection, last: date, day: date) -> Iterator[Changes]:
    """The net changes after the digest of `last`, some projects at a time."""
    query = _CHANGED.where(FlagChange.run_date > last, FlagChange.run_date <= day).order_by(FlagChange.project_id, FlagChange.run_date)
    for changes in _streamed(connection, query):
        found = {
            project_id: kept
            for project_id, nets in changes.items()
            if (kept := {rule: net for rule, net in nets.items() if net.before != net.after})
        }
        yield found


def untold(connection: Connection, offices: Collection[int] | None, people: Collection[int]) -> Iterator[Changes]:
    """All open flags as changes, for readers who were never told anything: of some offices and of the projects some people own,
    or (None) of everybody."""
    query = _OPEN
    if offices is not None:
        owned = sa.select(StandingRow.project_id).where(
            StandingRow.owner_id.in_(people), StandingRow.known_to.is_(None), StandingRow.valid_to == limits.FOREVER
        )
        theirs = sa.select(Project.id).where(Project.office_id.in_(offices)).union(owned)
        query = query.where(Flag.project_id.in_(theirs))
    yield from _streamed(connection, query.order_by(Flag.project_id))


def _streamed(connection: Connection, query: sa.Select[*tuple[Any, ...]]) -> Iterator[Changes]:
    """Rows in the order of projects, some projects at a time: their number is not bounded by anything."""
    rows = connection.execute(query, execution_options={"stream_results": True, "yield_per": CHUNK})
    found: Changes = {}
    for project_id, of_project in groupby(rows, key=itemgetter(0)):
        nets: dict[str, Net] = {}
        for _, rule, before, after, stock in of_project:
            first = nets.get(rule)
            nets[rule] = Net(first.before if first else before, after, stock)
        found[project_id] = nets
        if len(found) == CHUNK:
            yield found
            found = {}
    yield found


_WHERE = (
    sa.select(Project.id, Project.ref, Project.office_id, StandingRow.owner_id)
    .outerjoin(
        StandingRow,
        sa.and_(
            StandingRow.project_id == Project.id,
            StandingRow.known_to.is_(None),
            StandingRow.valid_to == limits.FOREVER,
            StandingRow.owner_id.is_not(None),
        ),
    )
    .where(among(Project.id))
)
_LEVELS = sa.select(Flag.project_id, Flag.level, Flag.due_on).where(among(Flag.project_id), Flag.closed_on.is_(None))


def whereabouts(connection: Connection, changes: Changes) -> dict[int, Where]:
    """Where changed projects belong and how they stand."""
    here = {"ids": list(changes)}
    found = {number: Where(ref, office, owner, [], []) for number, ref, office, owner in connection.execute(_WHERE, here).all()}
    for number, level, due_on in connection.execute(_LEVELS, here).all():
        found[number].levels.append(level)
        found[number].dues.append(due_on)
    return found


_PROJECTS = (
    sa.select(Project.id, Project.ref, Project.name, Office.name.label("office"))
    .join(Office, Office.id == Project.office_id)
    .where(among(Project.id))
)
_STANDINGS = sa.select(StandingRow.__table__).where(
    among(StandingRow.project_id),
    StandingRow.known_to.is_(None),
    StandingRow.valid_from <= sa.bindparam("day"),
    StandingRow.valid_to > sa.bindparam("day"),
)
_FLAGS = sa.select(Flag.project_id, Flag.rule, Flag.level, Flag.basis_on, Flag.due_on).where(
    among(Flag.project_id), Flag.closed_on.is_(None)
)
_CLOCKS = sa.select(ClockRow.project_id, *RUNNING).where(
    among(ClockRow.project_id),
    ClockRow.known_to.is_(None),
    ClockRow.valid_from <= sa.bindparam("day"),
    ClockRow.valid_to > sa.bindparam("day"),
)


def projects(connection: Connection, changes: Changes, policy: Policy, day: date, public_url: str) -> dict[int, digest.Project]:
    """What a line prints of every changed project. A row that cannot be read costs its own details, not the message."""
    names: dict[int, str] = {row.id: row.name for row in connection.execute(sa.select(Person.id, Person.name))}
    printed: dict[int, digest.Project] = {}
    base = public_url.rstrip("/") + "/projects/"

    def read(ids: Sequence[int]) -> None:
        here = {"ids": ids, "day": day}
        standings = _by_project(connection, _STANDINGS, here)
        flags, clocks = _by_project(connection, _FLAGS, here), _by_project(connection, _CLOCKS, here)
        for row in connection.execute(_PROJECTS, here).mappings():
            number = row["id"]
            printed[number] = _print(row, standings[number], flags[number], clocks[number], changes[number], names, policy, day, base)

    for ids in _some(sorted(changes)):
        try:
            read(ids)
        except (LookupError, ValueError, TypeError, AttributeError):
            for number in ids:
                try:
                    read([number])
                except (LookupError, ValueError, TypeError, AttributeError) as error:
                    log.error("project cannot be printed in full", project_id=number, exc_info=error)
                    row = connection.execute(_PROJECTS, {"ids": [number]}).mappings().one()
                    told = changes_of(changes[number])
                    printed[number] = digest.Project(
                        row["ref"],
                        row["name"],
                        row["office"],
                        None,
                        "数据异常",
                        None,
                        None,
                        base + row["ref"],
                        told,
                        (),
                        number,
                    )
    return printed


def _by_project(connection: Connection, query: Any, here: dict[str, Any]) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = defaultdict(list)
    for row in connection.execute(query, here).mappings().all():
        found[row["project_id"]].append(row)
    return found


def changes_of(nets: dict[str, Net]) -> tuple[digest.Change, ...]:
    """What changed, as a message names it."""
    return tuple(digest.Change(rule, _label(rule), *net) for rule, net in sorted(nets.items()))


def _label(rule: str) -> str:
    known = rules.BY_NAME.get(rule)
    return known.label if known else rule


def _print(
    row: Any,
    standings: list[Any],
    flags: list[Any],
    clocks: list[Any],
    nets: dict[str, Net],
    names: dict[int, str],
    policy: Policy,
    day: date,
    base: str,
) -> digest.Project:
    now = standing_from(standings[0])
    running = {clock["rule"]: Running(*(clock[name] for name in Running._fields)) for clock in clocks}
    stage = lifecycle.BY_STAGE[now.stage].label if now.stage else "未登记阶段"
    amount = digest.chinese_money(now.amount, now.currency, money.digits(now.currency or "CNY"))
    return digest.Project(
        ref=row["ref"],
        name=row["name"],
        office=row["office"],
        owner=names.get(now.owner_id) if now.owner_id else None,
        stage=stage,
        since=now.stage_entered_on,
        amount=amount,
        url=base + row["ref"],
        changes=changes_of(nets),
        open=tuple(_open(flag, running.get(flag["rule"]), now, policy, day) for flag in flags),
        number=row["id"],
    )


def _open(flag: Any, clock: Running | None, now: Any, policy: Policy, day: date) -> digest.Standing:
    rule = rules.BY_NAME[flag["rule"]]
    missing = tuple(rules.MISSING_LABELS[kind] for kind in rule.missing(now))
    next_level, next_on = _next(flag["level"], clock, policy) if clock else (None, None)
    note = note_of(clock, day)[0] if clock else None
    provisional: set[int] = set()
    if clock and (found := policy.limits(clock.rule, clock.route, clock.agreed_on is not None)):
        provisional |= {*policy.leans_on(found, flag["level"], flag["basis_on"], flag["due_on"])}
        if next_level and next_on:
            basis_on = clock.soft_on if next_level == "yellow" else clock.solid_on
            provisional |= {*policy.leans_on(found, next_level, basis_on, next_on)}
    return digest.Standing(
        rule.name,
        rule.label,
        flag["level"],
        flag["basis_on"],
        flag["due_on"],
        missing,
        f"{rule.advice}；{note}" if note else rule.advice,
        next_level,
        next_on,
        tuple(sorted(provisional)),
    )


def _next(level: str, clock: Running, policy: Policy) -> tuple[str | None, date | None]:
    """The next worse level that exists, and the day it is reached."""
    found = policy.limits(clock.rule, clock.route, clock.agreed_on is not None)
    if found is None:
        return None, None
    for name in limits.LEVELS[limits.RANK[level] :]:
        limit = getattr(found, name)
        if limit is not None:
            return name, policy.due(limit, clock.soft_on if name == "yellow" else clock.solid_on, clock.agreed_on)
    return None, None


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
        sa.select(Office.path, Office.name, worst.c.worst, sa.func.count())
        .select_from(worst)
        .join(Project, Project.id == worst.c.project_id)
        .join(Office, Office.id == Project.office_id)
        .where(worst.c.worst >= limits.RANK["yellow"])
        .group_by(Office.path, Office.name, worst.c.worst)
    )
    table: dict[tuple[str, str], dict[int, int]] = defaultdict(dict)
    for path, name, level, number in connection.execute(query):
        table[path, name][level] = number
    ranks = [limits.RANK[name] for name in limits.LEVELS[1:]]
    return [digest.TownCount(name, *(row.get(rank, 0) for rank in ranks)) for (_, name), row in sorted(table.items())]
