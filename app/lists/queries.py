"""Reading the filters of an office."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.errors import NotFound
from app.lists.models import SavedFilter

_COLUMNS = (
    SavedFilter.id, SavedFilter.name, SavedFilter.list, SavedFilter.query, SavedFilter.role, SavedFilter.person_id, SavedFilter.created_at,
)  # fmt: skip


def filters_of(connection: Connection, office_id: int) -> list[dict[str, Any]]:
    """The filters an office has kept, by list and in the order they were kept in."""
    query = sa.select(*_COLUMNS).where(SavedFilter.office_id == office_id).order_by(SavedFilter.list, SavedFilter.id)
    return [shown(row) for row in connection.execute(query).mappings()]


def filter_of(connection: Connection, office_id: int, number: int) -> dict[str, Any]:
    """One filter of an office; NotFound for those of others."""
    query = sa.select(*_COLUMNS).where(SavedFilter.id == number, SavedFilter.office_id == office_id)
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise NotFound(f"本单位没有编号为 {number} 的筛选")
    return shown(row)


def shown(row: Any) -> dict[str, Any]:
    """A filter as the API prints it."""
    return {
        "id": row["id"],
        "name": row["name"],
        "list": row["list"],
        "query": row["query"],
        "url": f"/api/v1/{row['list']}?filter={row['id']}",
        "kept_by": {"role": row["role"], "person_id": row["person_id"]},
        "created_at": row["created_at"],
    }
