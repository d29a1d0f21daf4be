"""What is remembered of restores, in the restored database itself: which backup, when, by whom, and how it was finalised."""

from __future__ import annotations

import getpass
import os
from datetime import date, datetime
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.backups.manifest import Manifest
from app.offices.models import Meta

PREFIX = "restore "
REASON = "由备份恢复，尚未确认；请运行 luodi restore --finalize"


def who() -> str:
    """The account of this machine that runs the command."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def new(manifest: Manifest, now: datetime, doubtful_through: date) -> dict[str, str]:
    """The row of a restore, to be stored together with what is restored."""
    told = {
        "made_at": manifest.made_at, "dump_sha256": manifest.dump_sha256, "revision": manifest.revision, "restored_at": now,
        "restored_by": who(), "doubtful_through": doubtful_through, "finalized_at": None,
    }  # fmt: skip
    return {"name": f"{PREFIX}{now:%Y-%m-%dT%H:%M:%S.%f}Z", "value": orjson.dumps(told).decode()}


def open_restores(connection: Connection) -> dict[str, dict[str, Any]]:
    """Restores that nobody has finalised, by the name of their row, oldest first."""
    query = sa.select(Meta.name, Meta.value).where(Meta.name.startswith(PREFIX)).order_by(Meta.name)
    told = {name: orjson.loads(value) for name, value in connection.execute(query)}
    return {name: one for name, one in told.items() if one["finalized_at"] is None}


def close(connection: Connection, rows: dict[str, dict[str, Any]], now: datetime, came_to: dict[str, int]) -> None:
    """Write down that these were finalised, by whom and what became of the messages."""
    for name, one in rows.items():
        told = one | {"finalized_at": now, "finalized_by": who(), **came_to}
        connection.execute(sa.update(Meta).where(Meta.name == name).values(value=orjson.dumps(told).decode()))
