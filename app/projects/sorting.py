"""The columns a list of projects can be sorted by, and the keyset that goes with each: NULLs last, whichever way.

Every printed field but `level`: a level is judged from clocks and limits when it is asked for, so that sorting by it would
judge every project of the register; the filter `level` and GET /stalls answer that question. What has no column of
its own is read out of the standing's JSON: five more columns on the register's widest table would cost every write.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from app.heart import lifecycle
from app.offices.models import Office, Person
from app.projects.models import Project, StandingRow
from app.projects.money import DIGITS


class InDetail(FunctionElement[str]):
    """A field of the standing's JSON as text."""

    type = sa.Text()
    inherit_cache = True


@compiles(InDetail, "sqlite")
def _in_sqlite(element: InDetail, compiler: Any, **more: Any) -> str:
    column, name = element.clauses
    return f"json_extract({compiler.process(column, **more)}, '$.' || {compiler.process(name, **more)})"


@compiles(InDetail, "postgresql")
def _in_postgresql(element: InDetail, compiler: Any, **more: Any) -> str:
    column, name = element.clauses
    return f"(CAST({compiler.process(column, **more)} AS JSON) ->> {compiler.process(name, **more)})"


def _detail(name: str) -> Any:
    return InDetail(StandingRow.detail, sa.literal_column(f"'{name}'"))


def _ranked(column: Any, order: Mapping[str, Any]) -> Any:
    """By the order of the lifecycle's table, not by the alphabet."""
    return sa.case({name: rank for rank, name in enumerate(order, 1)}, value=column)


def _money(minor: Any, currency: Any) -> Any:
    """Units of the currency itself: currencies are not converted."""
    factors = {name: 10.0 ** (2 - digits) for name, digits in DIGITS.items()}
    return sa.cast(minor, sa.Double) * sa.case(factors, value=currency, else_=1.0)


class Sort(NamedTuple):
    """A column to sort by. `indexed`: rows come in this order by themselves. `is_date`: its place in a cursor is an ISO date.
    `today_only`: the stored value is today's, and what a past day printed is not stored. `printed`: it is what the row prints
    now, not what was known then."""

    key: Any
    nullable: bool = True
    indexed: bool = False
    is_date: bool = False
    today_only: bool = False
    printed: bool = False

    def place(self, value: Any) -> Any:
        """A place as a cursor keeps it, back as the column compares it."""
        return date.fromisoformat(value) if self.is_date and value is not None else value

    def order(self, down: bool) -> list[Any]:
        """ORDER BY: those without a value last, equals by number."""
        way, number = (self.key.desc(), Project.id.desc()) if down else (self.key, Project.id)
        return [way.nulls_last() if self.nullable else way, number]

    def beyond(self, after: list[Any], down: bool) -> sa.ColumnElement[bool]:
        """The rows after a place (value, number)."""
        value, number = self.place(after[0]), after[1]
        later = Project.id < number if down else Project.id > number
        if value is None:
            return sa.and_(self.key.is_(None), later)
        if not self.nullable:
            pair, place = sa.tuple_(self.key, Project.id), sa.tuple_(sa.literal(value), sa.literal(number))
            return pair < place if down else pair > place
        further = self.key < value if down else self.key > value
        return sa.or_(further, sa.and_(self.key == value, later), self.key.is_(None))


def _day(column: Any) -> Sort:
    return Sort(column, is_date=True)


SORTS: dict[str, Sort] = {
    "id": Sort(Project.id, nullable=False, indexed=True),
    "ref": Sort(Project.ref, nullable=False, indexed=True),
    "name": Sort(Project.name_key, nullable=False, indexed=True, printed=True),
    "office": Sort(Office.code, nullable=False),
    "investor": Sort(sa.func.nullif(Project.investor_key, ""), printed=True),
    "industry": Sort(Project.industry, printed=True),
    "credit_code": Sort(Project.credit_code, printed=True),
    "signing_event": Sort(Project.signing_event, printed=True),
    "version": Sort(Project.version, nullable=False, printed=True),
    "route": Sort(_ranked(StandingRow.route, lifecycle.ROUTES)),
    "contract_amount": Sort(_money(StandingRow.amount, StandingRow.currency)),
    "funds_in_place": Sort(_money(_detail("funds"), _detail("funds_currency"))),
    "stage": Sort(_ranked(StandingRow.stage, lifecycle.BY_STAGE)),
    "stage_recognised": Sort(_ranked(StandingRow.stage_recognised, lifecycle.BY_STAGE)),
    "status": Sort(_ranked(StandingRow.status, lifecycle.STATUSES), nullable=False),
    "stage_entered_on": _day(StandingRow.stage_entered_on),
    "signed_on": _day(StandingRow.signed_on),
    "last_progress_on": _day(StandingRow.last_progress_on),
    "last_contact_on": Sort(Project.last_contact_on, is_date=True, today_only=True),
    "last_report_on": Sort(Project.last_report_on, is_date=True, today_only=True),
    "planned_start_on": Sort(_detail("planned_start_on")),
    "planned_operation_on": Sort(_detail("planned_operation_on")),
    "suspended_until": Sort(_detail("suspended_until")),
    "owner": Sort(Person.name, printed=True),
}
WAYS = tuple(way for name in SORTS for way in (name, f"-{name}"))


def joined(name: str, query: Any) -> Any:
    """The query with the table that a sort needs beside project and standing."""
    if name == "office":
        return query.join(Office, Office.id == StandingRow.office_id)
    if name == "owner":
        return query.join(Person, Person.id == StandingRow.owner_id, isouter=True)
    return query
