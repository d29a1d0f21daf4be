"""Which projects are on the ladder on a day, on which rung, and whose they are by that, as known now or at a moment: clocks, facts
and people, read for the ladder's pure rules. Reads only, some projects at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.db import among
from app.heart import facts as kinds
from app.heart.facts import Fact
from app.heart.limits import LEVELS, RANK
from app.offices.desk import Moment
from app.offices.models import Office, Person
from app.offices.queries import Scope
from app.orders.ladder import Holder, Rung, chain_of, climb, holder_on, whom
from app.orders.models import Order, OrderEvent
from app.policies.policy import Policy, Running
from app.projects.marks import KINDS, marks_of
from app.projects.models import ClockRow, FactRow, Project, StandingRow
from app.projects.queries import RUNNING, true_on
from app.stalls.models import Flag
from app.stalls.queries import late_clocks

CHUNK = 500
REDS = [name for name in LEVELS if RANK[name] >= RANK["red"]]


class Climbed(NamedTuple):
    """A red project and where it has come to. `person_id` is the leader whose it is now; None: the bureau's, or nobody's."""

    project_id: int
    ref: str
    name: str
    office_id: int
    office: str
    rung: Rung
    person_id: int | None


class Named(NamedTuple):
    """How a project is called, and by the office it lies in on a day."""

    ref: str
    name: str
    office: str


def named(connection: Connection, ids: Sequence[int], day: date) -> dict[int, Named]:
    """What is printed of projects that are on the ladder on a day; to be asked for those that are printed."""
    at = Moment(day, datetime.combine(day, time.max, UTC), None, False)
    rows = connection.execute(_WHERE.where(true_on(StandingRow, at)), {"ids": list(ids)})
    return {row.id: Named(row.ref, row.name, row.office) for row in rows}


def climbed(
    connection: Connection, policy: Policy, day: date, *, flagged: bool = False, known_at: datetime | None = None
) -> Iterator[Climbed]:
    """Every project that is on the ladder on a day, in no order, by what is known now or was known at a moment (`policy` being the
    one that governed by that knowledge). `flagged`: the day was just judged, so that its flags say who is red, and nobody has to
    look through all clocks."""
    at = Moment(day, known_at or datetime.combine(day, time.max, UTC), known_at, False)
    flagged = flagged and known_at is None  # flags only remember the last judgement
    paths = {number: path for number, path in connection.execute(sa.select(Office.id, Office.path))}
    leaders: dict[int, list[Holder]] = defaultdict(list)
    people = sa.select(Person.office_id, Person.id, Person.left_on, Person.left_told_at).where(Person.role == "leader")
    for office_id, number, left_on, told_at in connection.execute(people):
        known = known_at is None or told_at is None or told_at <= known_at
        leaders[office_id].append(Holder(number, left_on if known else None))
    for ids, clocks in _red(connection, policy, at, flagged):
        yield from _placed(connection, policy, at, ids, clocks, paths, leaders)


def _red(connection: Connection, policy: Policy, at: Moment, flagged: bool) -> Iterator[tuple[list[int], dict[int, list[Running]]]]:
    """Projects with a clock at red or worse, with these clocks."""
    last, where = 0, late_clocks(at, policy, Scope({}, None), "red", None)
    table: Any = Flag if flagged else ClockRow
    lit: Sequence[sa.ColumnElement[bool]] = (Flag.closed_on.is_(None), Flag.level.in_(REDS)) if flagged else where
    while True:
        query = sa.select(table.project_id).where(*lit, table.project_id > last).distinct().order_by(table.project_id).limit(CHUNK)
        ids = list(connection.scalars(query))
        if not ids:
            return
        clocks: dict[int, list[Running]] = defaultdict(list)
        for number, *row in connection.execute(
            sa.select(ClockRow.project_id, *RUNNING).where(*where, among(ClockRow.project_id)), {"ids": ids}
        ):
            clocks[number].append(Running(*row))
        yield ids, clocks
        last = ids[-1]


_WHERE = (
    sa.select(
        Project.id,
        Project.ref,
        Project.name,
        StandingRow.office_id,
        Office.name.label("office"),
        Office.path,
        StandingRow.liaison_id.label("liaison"),
    )
    .join(StandingRow, StandingRow.project_id == Project.id)
    .join(Office, Office.id == StandingRow.office_id)
    .where(among(Project.id))
)
_EVER = datetime.max.replace(tzinfo=UTC)
_voided = sa.orm.aliased(FactRow)
_HEARD = (
    sa.select(FactRow.project_id, sa.func.max(FactRow.effective_on))
    .where(
        among(FactRow.project_id),
        FactRow.kind.in_((kinds.FOLLOWED_UP, kinds.REPORTED)),
        FactRow.effective_on <= sa.bindparam("day"),
        FactRow.recorded_at <= sa.bindparam("known"),
        ~sa.exists().where(
            _voided.project_id == FactRow.project_id,
            _voided.kind == kinds.VOIDED,
            _voided.target == FactRow.seq,
            _voided.recorded_at <= sa.bindparam("known"),
        ),
    )
    .group_by(FactRow.project_id)
)
_REPLIED = (
    sa.select(Order.project_id, sa.func.max(OrderEvent.happened_on))
    .join(OrderEvent, OrderEvent.order_id == Order.id)
    .where(
        among(Order.project_id),
        OrderEvent.action == "reply",
        OrderEvent.happened_on <= sa.bindparam("day"),
        OrderEvent.at <= sa.bindparam("known"),
    )
    .group_by(Order.project_id)
)


def _placed(
    connection: Connection,
    policy: Policy,
    at: Moment,
    ids: Sequence[int],
    clocks: dict[int, list[Running]],
    paths: dict[int, str],
    leaders: dict[int, list[Holder]],
) -> Iterator[Climbed]:
    day, here = at.as_of, {"ids": list(ids), "day": at.as_of, "known": at.pinned or _EVER}
    touches: dict[int, list[date]] = defaultdict(list)
    for query in (_HEARD, _REPLIED):
        for number, on in connection.execute(query, here):
            if number is not None:
                touches[number].append(on)
    said = marks_of(connection, ids, at, (*KINDS, kinds.EXIT_REVIEWED))
    for row in connection.execute(_WHERE.where(true_on(StandingRow, at)), {"ids": list(ids)}):
        facts = [fact for fact in said.get(row.id, ()) if fact.effective_on <= day]
        touches[row.id] += [fact.effective_on for fact in facts if fact.kind != kinds.SNOOZED]
        red_on, exit_on, over = _reached(policy, clocks[row.id], facts, day)
        decided = [date.fromisoformat(one.data["until"]) for one in facts if one.kind == kinds.EXIT_REVIEWED and "until" in one.data]
        above = [int(one) for one in reversed(paths[row.office_id].strip("/").split("/"))]
        chain = chain_of(_still_there(row.liaison, leaders, day), [holder_on(leaders[office], day) for office in above])
        settled = decided[-1] if decided else None
        rung = climb(red_on, exit_on, [*touches[row.id], *over], day, policy.calendar, settled, len(chain) - 1)
        if rung is None:
            continue
        yield Climbed(row.id, row.ref, row.name, row.office_id, row.office, rung, whom(rung, chain))


def _still_there(liaison: int | None, leaders: dict[int, list[Holder]], day: date) -> int | None:
    """The liaison leader, unless he is known to have left by that day."""
    gone = {one.person_id for some in leaders.values() for one in some if one.left_on is not None and one.left_on <= day}
    return None if liaison in gone else liaison


def _reached(policy: Policy, clocks: Iterable[Running], facts: Sequence[Fact], day: date) -> tuple[date | None, date | None, list[date]]:
    """(first red, first exit review, days on which a putting off ended) of the clocks that are not put off on that day."""
    reds, exits, over = [], [], []
    for clock in clocks:
        reached = policy.reached(clock, day)
        limits = policy.limits(clock.rule, clock.route, clock.agreed_on is not None)
        if reached is None or limits is None:
            continue
        put_off = [
            date.fromisoformat(fact.data["until"])
            for fact in facts
            if fact.kind == kinds.SNOOZED and fact.data["rule"] == clock.rule and fact.effective_on >= clock.solid_on
        ]
        if put_off and put_off[-1] > day:
            continue
        over += put_off[-1:]
        level, _, due_on = reached
        if level == "exit_review":
            exits.append(due_on)
        if limits.red is not None:
            reds.append(policy.due(limits.red, clock.solid_on, clock.agreed_on))
    return min(reds, default=None), min(exits, default=None), over
