"""Shapes of the lists."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated, TypeAlias

from pydantic import Field

from app.projects.answers import MissingOut, OfficeOut, PageOut, ProjectOut, ReasonOut
from app.projects.asking import Level, ListIn, one_of
from app.projects.schemas import Short
from app.projects.sorting import WAYS

STOPPED_WAYS = tuple(way for name in ("stopped_on", "days_stopped", "days_since_signing") for way in (name, f"-{name}"))
SAME_AS = {"days_stopped": ("stopped_on", True), "days_since_signing": ("signed_on", True)}
"""Columns that count days: the same order as another column, the other way round."""
STALL_WAYS = tuple(way for name in ("basis_on", "due_on", "days_over", "level", "office", "ref", "name") for way in (name, f"-{name}"))


if TYPE_CHECKING:
    StoppedSort: TypeAlias = str
    StallSort: TypeAlias = str
else:
    StoppedSort = one_of((*STOPPED_WAYS, *(way for way in WAYS if way.removeprefix("-") != "id")))
    StallSort = one_of(STALL_WAYS)


class StoppedList(ListIn):
    """`min_days` counts days stopped; `sort` is stopped_on (longest stopped first), or any column of the project list."""

    min_days: Annotated[int, Field(ge=0, le=40000)] = 0
    sort: StoppedSort = "stopped_on"


class StallList(ListIn):
    """`level` means that level or worse: each level includes the ones before. `sort` is basis_on (oldest first; the basis that
    red counts from), or another column of a stall."""

    level: Level = "blue"
    rule: Short | None = None
    sort: StallSort = "basis_on"

    @property
    def rests_on_names(self) -> bool:
        return bool(self.q) or self.column == "name"


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
