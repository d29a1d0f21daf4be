"""The shape of a policy that goes out: documentation for OpenAPI, compared with real answers by the tests."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from pydantic import BaseModel


class RuleOut(BaseModel):
    """One rule's limits ("30d", "5wd", "3m"; null: no such level), and what differs by site route."""

    label: str
    english: str
    enabled: bool
    yellow: str | None
    red: str | None
    exit_review: str | None
    routes: dict[str, dict[str, Any]]
    agreed: dict[str, str | None] | None = None
    share: str | None = None


class VersionOut(BaseModel):
    version: int
    effective_from: date
    recorded_at: datetime


class PolicyOut(VersionOut):
    limits: dict[str, RuleOut]
    versions: list[VersionOut]
