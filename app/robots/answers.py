"""The shapes of robots that go out: documentation for OpenAPI, compared with real answers by the tests."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from app.projects.answers import OfficeOut


class RobotOut(BaseModel):
    """A robot without what it hides: of its address only the host and the last four characters."""

    id: int
    office: OfficeOut
    kind: str
    kind_label: str
    name: str
    host: str
    ends_with: str
    signed: bool
    enabled: bool
    created_at: datetime
    changed_at: datetime


class RobotsOut(BaseModel):
    items: list[RobotOut]
    total: int | None = None


class TriedOut(BaseModel):
    """What came back for one message: taken; later (it may be tried again); no (something has to be changed first); or
    unknown (it was handed over, and no answer says what became of it)."""

    outcome: Literal["taken", "later", "no", "unknown"]
    reason: str
