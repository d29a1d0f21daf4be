"""Data checks of the register: who has to look after what, project by project and counted. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.heart import checks, lifecycle
from app.offices.desk import Moment, Work
from app.offices.queries import Scope
from app.projects.asking import CheckList
from app.projects.models import CHECKED, Project, StandingRow
from app.projects.queries import true_on


def checked(at: Moment, scope: Scope, code: str | None = None) -> list[sa.ColumnElement[bool]]:
    """Standings of some offices of which a check (any) holds on the day, as known at the moment."""
    where = [true_on(StandingRow, at), StandingRow.checks > 0]
    if code is not None:
        where.append(StandingRow.checks.bitwise_and(checks.BIT[code]) != 0)
    if scope.ids is not None:
        where.append(StandingRow.office_id.in_(scope.ids))
    return where


def check_page(
    work: Work, given: CheckList, at: Moment, scope: Scope, after: list[Any] | None
) -> tuple[list[dict[str, Any]], list[Any] | None, int | None]:
    """(projects with what to check, in the order of their numbers; position of the next page; total when asked for)."""
    where = checked(at, scope, given.check_code)
    counted = sa.select(sa.func.count()).select_from(StandingRow).where(*where)
    total = work.connection.scalar(counted) if given.count else None
    query = (
        sa.select(Project.id, Project.ref, Project.name, StandingRow.office_id, StandingRow.stage, StandingRow.status, StandingRow.checks)
        .join(StandingRow, StandingRow.project_id == Project.id)
        .where(*where)
        .order_by(Project.id)
        .limit(given.limit + 1)
    )
    found = work.connection.execute(query if after is None else query.where(Project.id > after[0])).all()
    position = [found[given.limit - 1].id] if len(found) > given.limit else None
    return [_shown(row, scope) for row in found[: given.limit]], position, total


def _shown(row: Any, scope: Scope) -> dict[str, Any]:
    return {
        "ref": row.ref,
        "name": row.name,
        "office": scope.offices[row.office_id].shown,
        "stage": row.stage,
        "stage_label": lifecycle.BY_STAGE[row.stage].label if row.stage else None,
        "status": row.status,
        "checks": [
            {"code": one.code, "label": one.label, "label_english": one.english, "advice": one.advice}
            for one in (checks.BY_CODE[code] for code in checks.codes(row.checks))
        ],
    }


def counted_by_office(connection: Connection) -> Sequence[Any]:
    """(office, bits of checks, projects) of the whole county as it stands: as many rows as there are combinations, counted in an
    index. Where a pause runs, what holds after its end counts."""
    query = sa.select(StandingRow.office_id, StandingRow.checks, sa.func.count().label("projects"))
    return connection.execute(query.where(sa.text(CHECKED)).group_by(StandingRow.office_id, StandingRow.checks)).all()
