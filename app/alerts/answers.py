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


class CarrierOut(BaseModel):
    """The group robot that carries a message."""

    id: int
    name: str


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
    person: str | None
    person_id: int | None
    robot: CarrierOut | None
    parts_taken: int | None
    office: OfficeOut
    next_try_at: datetime | None
    handed_over_at: datetime | None
    resent_at: datetime | None
    created_at: datetime
    updated_at: datetime


class DeciderOut(BaseModel):
    """Who decided something about a message."""

    office: OfficeOut
    role: str
    person: str | None


class EventOut(BaseModel):
    """How an attempt ended (`phase`: how far it got), or what a person decided."""

    at: datetime
    attempt: int
    state: str
    phase: str | None
    reason: str | None
    by: DeciderOut | None


class OneDeliveryOut(DeliveryOut):
    """A message with its history, oldest first."""

    history: list[EventOut]


class DeliveriesOut(BaseModel):
    items: list[DeliveryOut]
    next_cursor: str | None
    total: int | None = None


class ResentOut(BaseModel):
    id: int
    state: str


class RelayOut(BaseModel):
    """One relay of a channel: ok, resting (tried again at `until`), probing, or paused until somebody mends it. Only the county
    is told its name and what it said."""

    channel: str
    relay: str | None
    state: str
    since: datetime | None
    until: datetime | None
    reason: str | None
    failures: int
    last_sent_at: datetime | None
    waiting: int


class HoldOut(BaseModel):
    """Why nothing leaves at all."""

    reason: str
    since: datetime
    doubtful_through: date | None


class PersonNameOut(BaseModel):
    id: int
    name: str


class ChosenRobotOut(PersonNameOut):
    kind: str


class PreferencesOut(BaseModel):
    """By which way the person of a token gets his digest; `goes_by` is what that comes to now."""

    person: PersonNameOut
    channel: str
    robot: ChosenRobotOut | None
    goes_by: str


class ChannelsOut(BaseModel):
    items: list[RelayOut]
    hold: HoldOut | None


class ResumedOut(BaseModel):
    channel: str
    resumed: int
