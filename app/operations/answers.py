"""The shapes that go out of operations: documentation for OpenAPI, compared with real answers by the tests."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import BaseModel


class FindingOut(BaseModel):
    code: str
    level: str
    text: str


class LastRunOut(BaseModel):
    date: date
    state: str
    attempt: int
    started_at: datetime | None
    finished_at: datetime | None


class DayOut(BaseModel):
    status: str
    date: date
    run: LastRunOut | None
    findings: list[FindingOut]
