"""Setting a policy: always a new version, never an edit."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.errors import Invalid
from app.policies.models import PolicyVersion
from app.policies.policy import LEVEL_KEYS, Policy, changed_body
from app.policies.queries import PolicyBook


def read_file(text: str) -> dict[str, Any]:
    """A policy file (TOML); Invalid with the line when it cannot be read."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Invalid(f"不是有效的 TOML：{error}") from error
    except RecursionError as error:
        raise Invalid("不是有效的 TOML：嵌套太深 / nested too deeply") from error


def set_policy(connection: Connection, book: PolicyBook, table: Mapping[str, Any], *, effective_from: date, now: datetime) -> Policy:
    """Record a version that changes what the file names in the version governing its effective date."""
    if effective_from < date(1, 1, 2):
        raise Invalid("生效日期太早")
    if connection.dialect.name == "postgresql":  # one at a time, so that numbers are committed in their order (SQLite has one writer)
        connection.exec_driver_sql("LOCK TABLE policy_version IN SHARE ROW EXCLUSIVE MODE")
    before = book.governing(connection, effective_from, None)
    body = changed_body(before.body, table)
    number = connection.scalar(
        sa.insert(PolicyVersion)
        .values(effective_from=effective_from, recorded_at=now, body=orjson.dumps(body, option=orjson.OPT_SORT_KEYS).decode())
        .returning(PolicyVersion.id)
    )
    assert number is not None
    return Policy(number, effective_from, now, body)


def as_toml(shown: Mapping[str, Any]) -> str:
    """A version as a policy file: what `policy show` prints, `policy set` reads."""
    lines = [f"# 第 {shown['version']} 版，自 {shown['effective_from']} 起生效 / version {shown['version']}"]
    for name, row in shown["limits"].items():
        lines += ["", f"# {row['label']} {row['english']}", f"[limits.{name}]"]
        if not row["enabled"]:
            lines.append("enabled = false")
        lines += [f'{level} = "{row[level] or "none"}"' for level in LEVEL_KEYS]
        if "share" in row:
            lines.append(f'share = "{row["share"]}"')
        if "agreed" in row:
            lines += [f"[limits.{name}.agreed]", *(f'{level} = "{text or "none"}"' for level, text in row["agreed"].items())]
        for route, limits in row["routes"].items():
            agreed = limits.get("agreed", {})
            lines += [f"[limits.{name}.{route}]", *(f'{level} = "{text or "none"}"' for level, text in limits.items() if level != "agreed")]
            if agreed:
                lines += [f"[limits.{name}.{route}.agreed]", *(f'{level} = "{text or "none"}"' for level, text in agreed.items())]
    return "\n".join(lines)
