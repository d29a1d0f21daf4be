"""The shapes of runs and messages that go out: documentation for OpenAPI, compared with real answers by the tests."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import BaseModel, ConfigDict

from app.projects.answers import OfficeOut


class RunOut(BaseModel):
    """One day's run; the county also sees its attempt, its counts, and (of one run) its deliveries by state."""

    model_config = ConfigDict(extra="allow")

    date: date
    state: str
    policy_version: int | None
    calendar_version: int | None
    started_at: datetime | None
    finished_at: datetime | None


class RunsOut(BaseModel):
    items: list[RunOut]
    next_cursor: str | None
    total: int | None = None


class DeliveryOut(BaseModel):
    """A message and its fate."""

    id: int
    date: date
    channel: str
    recipient: str
    message_id: str
    subject: str
    state: str
    reason: str | None
    attempt: int
    person: str
    office: OfficeOut
    next_try_at: datetime | None
    handed_over_at: datetime | None
    created_at: datetime
    updated_at: datetime


class DeliveriesOut(BaseModel):
    items: list[DeliveryOut]
    next_cursor: str | None
    total: int | None = None


class ResentOut(BaseModel):
    id: int
    state: str
