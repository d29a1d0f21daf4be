"""The shapes that go out: documentation for OpenAPI, compared with real answers by the tests."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, Field


class SpanOut(BaseModel):
    """Days off in a row, of one holiday."""

    name: str
    first: date
    last: date
    days: int


class WorkedOut(BaseModel):
    """A weekend day that is worked, and the holiday it is worked for."""

    date: date
    name: str


class ImporterOut(BaseModel):
    """Offices and people by number."""

    office_id: int | None
    role: str
    person_id: int | None


class DaysOut(BaseModel):
    year: int
    holidays: list[SpanOut]
    workdays: list[WorkedOut]


class OriginOut(BaseModel):
    """Which version, known since when, from which notice, and who imported it (null: shipped, or the command line)."""

    version: int | None
    recorded_at: datetime | None
    source: str | None
    actor: ImporterOut | None


class CalendarOut(DaysOut, OriginOut):
    """One year. A provisional one was not published yet: Monday to Friday."""

    provisional: bool
    published: list[int] = Field(description="the years whose notice is known")


class CalendarVersionOut(DaysOut, OriginOut):
    in_force: bool


class CalendarVersionsOut(BaseModel):
    items: list[CalendarVersionOut]


class ImportedOut(DaysOut, OriginOut):
    """What was understood, which days change, sentences with dates that say nothing of days off, and whether it was stored."""

    becomes_off: list[date]
    becomes_workday: list[date]
    ignored: list[str]
    warnings: list[str]
    stored: bool


class RefusedOut(BaseModel):
    """RFC 9457 with a stable code and what to do; `errors` lists every fault."""

    type: str
    title: str
    status: int
    code: str
    hint: str | None = None
    errors: list[dict[str, Any]] | None = None
