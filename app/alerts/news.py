"""What readers are told about: flags that changed since a day, with everything a line prints. Reads only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection

from app.alerts import digest, hearing
from app.db import among
from app.heart import lifecycle, limits, rules
from app.offices.models import Office, Person
from app.policies.policy import Policy, Running, note_of
from app.projects import money
from app.projects.derived import standing_from
from app.projects.models import ClockRow, Project, StandingRow
from app.projects.queries import RUNNING
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
    liaison_id: int | None
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


def untold(connection: Connection, offices: Collection[int] | None, owners: Collection[int], leaders: Collection[int]) -> Iterator[Changes]:
    """All open flags as changes, for readers who were never told anything: of some offices, of the projects some people own, and
    of those that some look after; or (None) of everybody."""
    query = _OPEN
    if offices is not None:
        named = [
            sa.select(StandingRow.project_id).where(
                column.in_(people), StandingRow.known_to.is_(None), StandingRow.valid_to == limits.FOREVER
            )
            for column, people in ((StandingRow.owner_id, owners), (StandingRow.liaison_id, leaders))
        ]
        theirs = sa.select(Project.id).where(Project.office_id.in_(offices)).union(*named)
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
    sa.select(Project.id, Project.ref, Project.office_id, StandingRow.owner_id, StandingRow.liaison_id)
    .outerjoin(
        StandingRow,
        sa.and_(
            StandingRow.project_id == Project.id,
            StandingRow.known_to.is_(None),
            StandingRow.valid_to == limits.FOREVER,
            sa.or_(StandingRow.owner_id.is_not(None), StandingRow.liaison_id.is_not(None)),
        ),
    )
    .where(among(Project.id))
)
_LEVELS = sa.select(Flag.project_id, Flag.level, Flag.due_on).where(among(Flag.project_id), Flag.closed_on.is_(None))


def whereabouts(connection: Connection, changes: Changes) -> dict[int, Where]:
    """Where changed projects belong and how they stand."""
    here = {"ids": list(changes)}
    found = {row.id: Where(row.ref, row.office_id, row.owner_id, row.liaison_id, [], []) for row in connection.execute(_WHERE, here).all()}
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


def names(connection: Connection, day: date) -> dict[int, str]:
    """Everybody's name as a line prints it; of who has left it says so."""
    rows = connection.execute(sa.select(Person.id, Person.name, Person.left_on))
    return {number: f"{name}（已离岗）" if left_on is not None and left_on <= day else name for number, name, left_on in rows}


def projects(
    connection: Connection, changes: Changes, policy: Policy, day: date, public_url: str, names: Mapping[int, str]
) -> dict[int, hearing.Project]:
    """What a line prints of every changed project. A row that cannot be read costs its own details, not the message."""
    printed: dict[int, hearing.Project] = {}
    base = public_url.rstrip("/") + "/projects/"

    def read(ids: Sequence[int]) -> None:
        here = {"ids": ids, "day": day}
        standings = {row["project_id"]: row for row in connection.execute(_STANDINGS, here).mappings()}
        flags, clocks = (_by_project(connection, query, here) for query in (_FLAGS, _CLOCKS))
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
                    printed[number] = hearing.Project(
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
    for row in connection.execute(query, here).all():
        found[row[0]].append(row)
    return found


def changes_of(nets: dict[str, Net]) -> tuple[hearing.Change, ...]:
    """What changed, as a message names it."""
    return tuple(hearing.Change(rule, _label(rule), *net) for rule, net in sorted(nets.items()))


def _label(rule: str) -> str:
    known = rules.BY_NAME.get(rule)
    return known.label if known else rule


def _print(
    row: Any,
    standing: Any,
    flags: list[Any],
    clocks: list[Any],
    nets: dict[str, Net],
    names: Mapping[int, str],
    policy: Policy,
    day: date,
    base: str,
) -> hearing.Project:
    now = standing_from(standing)
    running = {clock[1]: Running(*clock[1:]) for clock in clocks}
    stage = lifecycle.BY_STAGE[now.stage].label if now.stage else "未登记阶段"
    amount = digest.chinese_money(now.amount, now.currency, money.digits(now.currency or "CNY"))
    return hearing.Project(
        ref=row["ref"],
        name=row["name"],
        office=row["office"],
        owner=names.get(now.owner_id) if now.owner_id else None,
        stage=stage,
        since=now.stage_entered_on,
        amount=amount,
        url=base + row["ref"],
        changes=changes_of(nets),
        open=tuple(_open(flag, running.get(flag.rule), now, policy, day) for flag in flags),
        number=row["id"],
    )


def _open(flag: Any, clock: Running | None, now: Any, policy: Policy, day: date) -> hearing.Standing:
    rule = rules.BY_NAME[flag.rule]
    missing = tuple(rules.MISSING_LABELS[kind] for kind in rule.missing(now))
    next_level, next_on = _next(flag.level, clock, policy) if clock else (None, None)
    note = note_of(clock, day)[0] if clock else None
    provisional: set[int] = set()
    if clock and (found := policy.limits(clock.rule, clock.route, clock.agreed_on is not None)):
        provisional |= {*policy.leans_on(found, flag.level, flag.basis_on, flag.due_on)}
        if next_level and next_on:
            basis_on = clock.soft_on if next_level == "yellow" else clock.solid_on
            provisional |= {*policy.leans_on(found, next_level, basis_on, next_on)}
    return hearing.Standing(
        rule.name,
        rule.label,
        flag.level,
        flag.basis_on,
        flag.due_on,
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
