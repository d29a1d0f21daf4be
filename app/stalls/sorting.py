"""The lists of stalls in another order than that of their streams.

Signed-then-stopped by a column of the project is a list of projects: the database sorts it. A stall's due date and level come
from limits, which only Python knows: the late clocks of the scope are read once, judged, and the best of them kept, so
that memory depends on the page and not on the register. It reads everything late for one page: TOO_MANY bounds that.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import sqlalchemy as sa

from app.errors import Invalid
from app.heart.limits import RANK
from app.offices.desk import Moment, Work
from app.offices.queries import Scope
from app.policies.policy import Policy, Reason, Running
from app.projects import listing
from app.projects.models import ClockRow, Project
from app.projects.queries import clocks_of
from app.projects.seeking import matches
from app.stalls.queries import among, late_clocks, stall_rows, stopped_ids, stopped_rows
from app.stalls.schemas import SAME_AS, StallList, StoppedList

TOO_MANY = 100_000
"""Late clocks that one page may read: a third of a second per 50,000."""

# signed-then-stopped --------------------------------------------------------------------------------


def in_project_order(given: StoppedList) -> StoppedList:
    """The same question with a column that counts days replaced by the date it counts from."""
    column, turned = SAME_AS.get(given.column, (given.column, False))
    return given.model_copy(update={"sort": ("-" if given.down != turned else "") + column})


def _stopped(work: Work, given: StoppedList, at: Moment, policy: Policy, scope: Scope) -> list[sa.ColumnElement[bool]]:
    found = listing.within(at, scope)
    found.append(Project.id.in_(stopped_ids(at, policy, scope, given.min_days)))
    if given.q is not None:
        found.append(matches(Project.search_key, given.q, work.house.database.sqlite))
    return found


def _shown(work: Work, at: Moment, policy: Policy, scope: Scope, rows: Any) -> list[dict[str, Any]]:
    ids = [row["id"] for row in rows]
    clocks = clocks_of(work.connection, ids, at)
    found = [(number, stopped_on, clocks[number]) for number in ids if (stopped_on := policy.stopped_on(clocks[number], at.as_of))]
    return stopped_rows(work, at, policy, scope, found)


def stopped_page(
    work: Work, given: StoppedList, at: Moment, policy: Policy, scope: Scope, after: list[Any] | None
) -> tuple[list[dict[str, Any]], list[Any] | None]:
    """(rows, position of the next page) of signed-then-stopped by a column of the project."""
    rows, position = listing.page_of(work, given, at, _stopped(work, given, at, policy, scope), after)
    return _shown(work, at, policy, scope, rows), position


def every_stopped(work: Work, given: StoppedList, at: Moment, policy: Policy, scope: Scope, size: int) -> Iterator[list[dict[str, Any]]]:
    """The whole list by a column of the project, some projects at a time."""
    for rows in listing.batches(work, given, _stopped(work, given, at, policy, scope), size):
        yield _shown(work, at, policy, scope, rows)


# every stall ----------------------------------------------------------------------------------------


class Found(NamedTuple):
    """A late clock: its place in the order asked for, the project, the clock."""

    place: tuple[Any, int, str]
    project_id: int
    clock: Running


_KEYS: dict[str, Callable[[Reason, Any, Scope], Any]] = {
    "due_on": lambda reason, row, scope: reason.due_on.isoformat(),
    "days_over": lambda reason, row, scope: reason.days_over,
    "level": lambda reason, row, scope: RANK[reason.level],
    "office": lambda reason, row, scope: scope.offices[row.office_id].code,
    "ref": lambda reason, row, scope: row.ref,
    "name": lambda reason, row, scope: row.name_key,
}


def _late(work: Work, given: StallList, at: Moment, policy: Policy, scope: Scope) -> Iterator[Found]:
    """Every stall of the scope with its place in the order asked for."""
    given.check()
    columns = [getattr(ClockRow, name) for name in Running._fields]
    query = (
        sa.select(*columns, ClockRow.project_id, ClockRow.office_id, Project.ref, Project.name_key)
        .join(Project, Project.id == ClockRow.project_id)
        .where(*late_clocks(at, policy, scope, given.level, given.rule), *among(work, given.q))
    )
    key = _KEYS[given.column]
    options = {"stream_results": True, "yield_per": 1000}
    with work.connection.execute(query, execution_options=options) as found:
        for number, row in enumerate(found):
            if number == TOO_MANY:
                hint = f"停滞事项超过 {TOO_MANY} 条，不能按 {given.column} 排序；请用 office、rule 或 level 缩小范围，或按 basis_on 排序"
                raise Invalid(hint, errors=[{"field": "sort", "message": "too many rows to sort by this; narrow them down"}])
            clock = Running(*row[: len(columns)])
            reason = policy.reasons([clock], at.as_of)[0]
            yield Found((key(reason, row, scope), row.project_id, clock.rule), row.project_id, clock)


def stall_page(
    work: Work, given: StallList, at: Moment, policy: Policy, scope: Scope, after: list[Any] | None
) -> tuple[list[dict[str, Any]], list[Any] | None]:
    """(rows, position of the next page) of the stalls by a column that limits decide."""
    last = tuple(after) if after else None
    later = (one for one in _late(work, given, at, policy, scope) if last is None or (one.place < last if given.down else one.place > last))
    best = (heapq.nlargest if given.down else heapq.nsmallest)(given.limit + 1, later, key=lambda one: one.place)
    page = best[: given.limit]
    rows = stall_rows(work, at, policy, scope, [(one.project_id, one.clock) for one in page])
    return rows, list(page[-1].place) if len(best) > given.limit else None


def every_stall(work: Work, given: StallList, at: Moment, policy: Policy, scope: Scope, size: int) -> Iterator[list[dict[str, Any]]]:
    """The whole list, sorted once; all late clocks are in memory, a few hundred bytes each."""
    every = sorted(_late(work, given, at, policy, scope), key=lambda one: one.place, reverse=given.down)
    for begin in range(0, len(every), size):
        yield stall_rows(work, at, policy, scope, [(one.project_id, one.clock) for one in every[begin : begin + size]])
