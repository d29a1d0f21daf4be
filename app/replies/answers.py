"""The shapes that go out: documentation for OpenAPI, compared with real answers by the tests."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import BaseModel

from app.offices.answers import OfficeNameOut


class WhoOut(BaseModel):
    id: int
    name: str


class WhichOut(BaseModel):
    ref: str
    name: str


class ReplyUseOut(BaseModel):
    """One use of a link; `link` is the beginning of its hash, the same for all uses of one link."""

    id: int
    at: datetime
    what: str
    label: str
    reason: str | None
    times: int
    date: date
    person: WhoOut
    office: OfficeNameOut
    project: WhichOut
    kind: str | None
    fact_id: int | None
    network: str
    link: str


class ReplyUsesOut(BaseModel):
    items: list[ReplyUseOut]
    next_cursor: str | None
    total: int | None = None
