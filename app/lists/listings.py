"""THE LISTS: for each its question, its columns, how a page of it is read, and how all of it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from app.lists import columns
from app.offices.desk import Moment, Work
from app.offices.queries import Scope
from app.policies.policy import Policy
from app.projects import listing
from app.projects.asking import ListIn, ProjectList
from app.stalls import queries, sorting
from app.stalls.schemas import StallList, StoppedList

Rows = list[dict[str, Any]]
BATCH = 500
"""Rows that a file is written by."""


class Asked(NamedTuple):
    """A question with everything that its answer depends on."""

    work: Work
    given: Any
    at: Moment
    policy: Policy
    offices: Scope


class Listing(NamedTuple):
    """One list. `page` takes (question, position) and says (rows, next position, total if asked for); `every` yields the whole list."""

    title: str
    model: type[ListIn]
    columns: tuple[columns.Column, ...]
    page: Callable[[Asked, Any], tuple[Rows, Any, int | None]]
    every: Callable[[Asked], Iterator[Rows]]


def _project_page(asked: Asked, after: Any) -> tuple[Rows, Any, int | None]:
    work, given, at, policy, offices = asked
    return listing.project_page(work, given, at, policy, offices, after)


def _stopped_page(asked: Asked, after: Any) -> tuple[Rows, Any, int | None]:
    work, given, at, policy, offices = asked
    total = queries.stopped_total(work, at, policy, offices, given.min_days, given.q) if given.count else None
    given = sorting.in_project_order(given)
    if given.column != "stopped_on":
        return *sorting.stopped_page(work, given, at, policy, offices, after), total
    rows, position = queries.stopped_pages(
        work, at, policy, offices, after, limit=given.limit, min_days=given.min_days, down=given.down, q=given.q
    )
    return rows, position, total


def _every_stopped(asked: Asked) -> Iterator[Rows]:
    work, given, at, policy, offices = asked
    given = sorting.in_project_order(given)
    if given.column != "stopped_on":
        yield from sorting.every_stopped(work, given, at, policy, offices, BATCH)
        return
    after = None
    while True:
        rows, after = queries.stopped_pages(
            work, at, policy, offices, after, limit=BATCH, min_days=given.min_days, down=given.down, q=given.q
        )
        yield rows
        if after is None:
            return


def _stall_page(asked: Asked, after: Any) -> tuple[Rows, Any, int | None]:
    work, given, at, policy, offices = asked
    given.check()
    total = queries.stall_total(work, at, policy, offices, given.level, given.rule, given.q) if given.count else None
    if given.column != "basis_on":
        return *sorting.stall_page(work, given, at, policy, offices, after), total
    rows, position = queries.stall_pages(
        work, at, policy, offices, after, level=given.level, rule=given.rule, limit=given.limit, down=given.down, q=given.q
    )
    return rows, position, total


def _every_stall(asked: Asked) -> Iterator[Rows]:
    work, given, at, policy, offices = asked
    given.check()
    if given.column != "basis_on":
        yield from sorting.every_stall(work, given, at, policy, offices, BATCH)
        return
    after = None
    while True:
        rows, after = queries.stall_pages(
            work, at, policy, offices, after, level=given.level, rule=given.rule, limit=BATCH, down=given.down, q=given.q
        )
        yield rows
        if after is None:
            return


LISTINGS = {
    "projects": Listing("项目清单", ProjectList, columns.PROJECTS, _project_page, lambda asked: listing.every_project(*asked, size=BATCH)),
    "stalls": Listing("停滞事项", StallList, columns.STALLS, _stall_page, _every_stall),
    "signed-then-stopped": Listing("签约即止", StoppedList, columns.STOPPED, _stopped_page, _every_stopped),
}
