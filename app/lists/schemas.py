"""The shapes of saved filters, in and out."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from app.projects.schemas import In, Short

ListName = Literal["projects", "stalls", "signed-then-stopped"]


class FilterIn(In):
    """A question to keep: the list, and its query string as an address has it."""

    name: Short = Field(examples=["本月红灯"])
    list: ListName = Field(examples=["projects"])
    query: Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)] = Field(examples=["stage=signed&level=red"])


class KeptByOut(BaseModel):
    role: str
    person_id: int | None


class FilterOut(BaseModel):
    """A saved filter; `url` is the list with it, ready to be asked."""

    id: int
    name: str
    list: ListName
    query: str
    url: str
    kept_by: KeptByOut
    created_at: datetime


class FiltersOut(BaseModel):
    items: list[FilterOut]
    total: int | None = None
