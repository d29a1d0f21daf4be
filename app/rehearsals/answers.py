"""The shape of a rehearsal that goes out: documentation for OpenAPI, compared with real answers by the tests."""

from __future__ import annotations

import datetime

from pydantic import BaseModel, Field

from app.projects.answers import OfficeOut


class CountsOut(BaseModel):
    """Flags over the whole period. A flag counts once at each level it reached; `stock_…` apart from the others; `open_…` stand
    on the last day. `opened`, `escalated`, `eased` and `closed` are counted as the daily run counts them, blue included."""

    blue: int
    yellow: int
    red: int
    exit_review: int
    stock_yellow: int
    stock_red: int
    stock_exit_review: int
    recovered: int
    recovered_before_red: int
    paused: int
    ended: int
    open_yellow: int
    open_red: int
    open_exit_review: int
    opened: int
    escalated: int
    eased: int
    closed: int
    recovered_share: str
    recovered_before_red_share: str
    median_days_to_recover: float | None


class MailsOut(BaseModel):
    """Digests per workday: all readers together (mean, max), and how many went to each kind of reader."""

    total: int
    workdays: int
    mean: float
    max: int
    max_on: datetime.date | None
    town: int
    bureau: int
    leader: int
    elsewhere: int


class VariantOut(CountsOut):
    name: str
    rules: dict[str, CountsOut]
    stopped_at_end: int
    mails: MailsOut


class SeriesOut(BaseModel):
    """Per month: flags of a rule that newly reached a level."""

    variant: str
    rule: str
    label: str
    level: str
    values: list[int]


class MailSeriesOut(BaseModel):
    """Per workday: digests to one kind of reader."""

    variant: str
    reader: str
    values: list[int]


class StoppedSeriesOut(BaseModel):
    """Per month: projects that are signed-then-stopped on its last day."""

    variant: str
    values: list[int]


class TableOut(BaseModel):
    columns: list[str]
    rows: list[list[str | int]]


class RehearsalOut(BaseModel):
    """`months` and `workdays` are the axes of `series`, `stopped` and `mails`; `table` is by variant, month, rule and town."""

    begin: datetime.date = Field(alias="from")
    end: datetime.date = Field(alias="to")
    knowledge: str
    known_at: datetime.datetime
    policy_version: int
    calendar_version: int
    office: OfficeOut | None
    projects: int
    provisional_years: list[int]
    notes: list[str]
    months: list[str]
    workdays: list[datetime.date]
    variants: list[VariantOut]
    series: list[SeriesOut]
    mails: list[MailSeriesOut]
    stopped: list[StoppedSeriesOut]
    table: TableOut
