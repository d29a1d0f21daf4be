"""The shapes of supervision orders that go out: documentation for OpenAPI, compared with real answers by the tests."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import BaseModel, Field

from app.projects.answers import OfficeOut, OwnerOut


class OrderProjectOut(BaseModel):
    ref: str
    name: str


class OrderSourceOut(BaseModel):
    """What an order came from: a late rule of a project, or (both null) a matter of the bureau's own."""

    rule: str | None
    label: str | None
    level: str | None
    automatic: bool


class OrderOut(BaseModel):
    id: int
    number: str
    issuer: OfficeOut
    office: OfficeOut = Field(description="the responsible unit")
    person: OwnerOut | None = Field(description="who was responsible when the order was issued")
    project: OrderProjectOut | None
    source: OrderSourceOut
    matter: str
    requirement: str
    state: str
    state_label: str
    issued_on: date
    due_on: date
    overdue: bool
    days_over: int
    asked_until: date | None = Field(description="an extension that waits for the bureau's answer")
    received_on: date | None
    replied_on: date | None
    closed_on: date | None
    version: int


class OrderActorOut(BaseModel):
    """Who took a step; `on_behalf`: another office than the responsible one wrote it down for the unit. No role: the daily run."""

    office: OfficeOut | None
    role: str | None
    person_id: int | None
    on_behalf: bool


class OrderEventOut(BaseModel):
    seq: int
    action: str
    label: str
    at: datetime
    happened_on: date
    state: str
    due_on: date
    text: str | None
    until: date | None
    granted: bool | None
    actor: OrderActorOut


class OrderDetailOut(OrderOut):
    may: list[str] = Field(description="the steps that you can take now")
    events: list[OrderEventOut]


class OrdersOut(BaseModel):
    items: list[OrderOut]
    next_cursor: str | None
    total: int | None = None
