"""Shapes of the lists."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from app.projects.answers import MissingOut, OfficeOut, PageOut, ProjectOut, ReasonOut
from app.projects.schemas import AsOf, Short


class ListIn(AsOf):
    office: Short | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str, StringConstraints(max_length=2000)] | None = None
    count: bool = False


class StoppedList(ListIn):
    """`min_days` counts days stopped; `sort` is stopped_on (longest stopped first) or -stopped_on."""

    min_days: Annotated[int, Field(ge=0, le=40000)] = 0
    sort: Literal["stopped_on", "-stopped_on"] = "stopped_on"


class StallList(ListIn):
    """`level` means that level or worse: each level includes the ones before."""

    level: Literal["blue", "yellow", "red", "exit_review"] = "blue"
    rule: Short | None = None


class StoppedOut(ProjectOut):
    stopped_on: date
    days_since_signing: int
    days_stopped: int
    missing: list[MissingOut]
    reasons: list[ReasonOut]


class StoppedPageOut(PageOut):
    items: list[StoppedOut]


class StallOut(ReasonOut):
    id: str
    ref: str
    name: str
    office: OfficeOut
    stage: str | None
    stage_label: str | None
    signed_on: date | None
    missing: list[MissingOut]
    advice: str


class StallPageOut(PageOut):
    items: list[StallOut]
