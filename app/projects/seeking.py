"""Looking for what was typed among the keys that search.py made of names."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from app.projects.search import normalised


def sought(q: str, sqlite: bool) -> str:
    """What was typed as `holds` looks for it; `%` and `_` are themselves."""
    wanted = normalised(q)
    return wanted if sqlite else "%" + wanted.replace("!", "!!").replace("%", "!%").replace("_", "!_") + "%"


def holds(key: Any, wanted: Any, sqlite: bool) -> sa.ColumnElement[bool]:
    """Is what is sought part of this search key? Nothing is part of everything."""
    found: sa.ColumnElement[bool] = sa.func.instr(key, wanted) > 0 if sqlite else key.like(wanted, escape="!")
    return found


def matches(key: Any, q: str, sqlite: bool) -> sa.ColumnElement[bool]:
    """Is what was typed part of this search key?"""
    return holds(key, sa.literal(sought(q, sqlite)), sqlite)
