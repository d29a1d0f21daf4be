"""The shapes that go out: documentation for OpenAPI and tests; answers are written without a second validation."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from pydantic import BaseModel

from app.projects.schemas import StageName


class OfficeOut(BaseModel):
    code: str
    name: str


class MoneyOut(BaseModel):
    amount: str
    currency: str


class MissingOut(BaseModel):
    """Something that still lacks: a milestone or evidence `kind`, or a `field`."""

    kind: str | None = None
    field: str | None = None
    label: str


class ReasonOut(BaseModel):
    rule: str
    label: str
    english: str
    level: str
    basis: str
    basis_on: date
    limit: str
    due_on: date
    days_over: int


class ProjectOut(BaseModel):
    ref: str
    name: str
    office: OfficeOut
    investor: str | None
    industry: str | None
    route: str | None
    credit_code: str | None
    contract_amount: MoneyOut | None
    funds_in_place: MoneyOut | None
    signing_event: str | None
    stage: StageName | None
    stage_label: str | None
    stage_recognised: StageName | None
    status: str
    stage_entered_on: date | None
    signed_on: date | None
    last_progress_on: date | None
    last_contact_on: date | None
    last_report_on: date | None
    planned_start_on: date | None
    planned_operation_on: date | None
    suspended_until: date | None
    owner: dict[str, Any] | None
    level: str | None
    flags: list[ReasonOut]
    data_checks: list[str]
    version: int


class ProjectDetailOut(ProjectOut):
    milestones: list[str]
    evidence: list[str]
    missing: list[MissingOut]
    as_of: date
    known_at: datetime
    settled: bool
    policy_version: int


class FactOut(BaseModel):
    id: int
    seq: int
    kind: str
    action: str | None = None
    effective_on: date
    recorded_at: datetime
    recognition: str | None = None
    voided: bool
    returned: bool
    source: str
    actor: dict[str, Any]
    data: dict[str, Any]


class RecordedOut(BaseModel):
    fact: FactOut
    project: ProjectDetailOut


class PageOut(BaseModel):
    """The envelope of every list."""

    next_cursor: str | None
    as_of: date
    known_at: datetime
    settled: bool
    policy_version: int
    total: int | None = None


class ProjectPageOut(PageOut):
    items: list[ProjectOut]


class ProblemOut(BaseModel):
    """RFC 9457 with a stable code and what to do."""

    type: str
    title: str
    status: int
    code: str
    hint: str | None = None
    missing: list[MissingOut] | None = None
    errors: list[dict[str, Any]] | None = None
