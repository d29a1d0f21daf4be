"""The shapes that go out: documentation for OpenAPI and tests; answers are written without a second validation."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, Field

from app.projects.schemas import StageName


class OfficeOut(BaseModel):
    code: str
    name: str


class MoneyOut(BaseModel):
    amount: str
    currency: str


class MissingOut(BaseModel):
    """Something that still lacks: a milestone or evidence `kind`, or a `field`; `or` names what would do as well, `skipped` the
    stages that a `gap_reason` has to explain."""

    kind: str | None = None
    field: str | None = None
    label: str
    instead: list[str] | None = Field(None, alias="or")
    skipped: list[str] | None = None


class VoiceOut(BaseModel):
    """Who said it: office, role, and the person (none: an office's token), by number and by name."""

    office_id: int | None
    role: str
    person_id: int | None
    office: str | None
    person: str | None


class AcknowledgedOut(BaseModel):
    """Somebody has a plan, said on a day, until another."""

    on: date
    until: date
    plan: str
    by: VoiceOut


class SnoozedOut(BaseModel):
    """The bureau put a stall off, on a day, to another; `due_on` is the day it had been due."""

    on: date
    until: date
    reason: str
    due_on: date
    approver: VoiceOut


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
    note: str | None
    note_english: str | None
    provisional: bool = Field(description="the day leans on a year whose workdays nobody has published yet")
    acknowledged: AcknowledgedOut | None = Field(None, description="in GET /stalls and /signed-then-stopped, and of one project")
    snoozed: SnoozedOut | None = Field(None, description="where `acknowledged` is; a stall that was put off stays in every list")


class OwnerOut(BaseModel):
    id: int
    name: str
    left_on: date | None


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
    owner: OwnerOut | None
    liaison: OwnerOut | None
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
    provisional_years: list[int]


class ActorOut(BaseModel):
    """Offices and people by number."""

    office_id: int | None
    role: str
    person_id: int | None


class FactOut(BaseModel):
    id: int
    seq: int
    kind: str
    label: str
    action: str | None
    effective_on: date
    recorded_at: datetime
    recognition: str | None
    voided: bool
    returned: bool
    target: int | None
    source: str
    actor: ActorOut
    data: dict[str, Any]


class RecordedOut(BaseModel):
    fact: FactOut
    project: ProjectDetailOut


class MoveResultOut(BaseModel):
    """What became of one move of a batch: 201 with its fact and the version after it, or the problem."""

    ref: str
    status: int
    fact: FactOut | None = None
    version: int | None = None
    problem: ProblemOut | None = None


class BatchOut(BaseModel):
    """The results in the order of the moves."""

    accepted: int
    refused: int
    results: list[MoveResultOut]


class FactsOut(BaseModel):
    items: list[FactOut]
    total: int | None = None
    known_at: datetime
    settled: bool


class CheckOut(BaseModel):
    """A move: allowed from here and for the caller or not, and everything it still lacks."""

    action: str
    label: str
    to: str
    allowed: bool
    missing: list[MissingOut]


class ChecklistOut(BaseModel):
    items: list[CheckOut]
    stage: StageName | None
    status: str


class StageOut(BaseModel):
    name: str
    label: str
    definition: str
    milestone: str | None
    recogniser: str


class NameOut(BaseModel):
    name: str
    label: str


class ProofOut(BaseModel):
    kind: str
    label: str
    english: str
    proves: str | None


class MoveOut(BaseModel):
    """One row of the state machine. `evidence`: by site route, groups of which one kind each is enough."""

    action: str
    label: str
    english: str
    kind: str
    from_: list[str] = Field(alias="from")
    to: str
    may: list[str]
    fields_: list[str] = Field(alias="fields")
    evidence: dict[str, list[list[str]]]


class WorkflowOut(BaseModel):
    stages: list[StageOut]
    statuses: list[NameOut]
    routes: list[NameOut]
    milestones: list[NameOut]
    evidence: list[ProofOut]
    moves: list[MoveOut]
    mermaid: str


class PageOut(BaseModel):
    """The envelope of every list."""

    next_cursor: str | None
    as_of: date
    known_at: datetime
    settled: bool
    policy_version: int
    provisional_years: list[int] = Field(description="years counted Monday to Friday that reasons on this page lean on")
    total: int | None = None


class DataCheckOut(BaseModel):
    """One data check that holds, and what to do about it."""

    code: str
    label: str
    label_english: str
    advice: str


class DataChecksOut(BaseModel):
    ref: str
    name: str
    office: OfficeOut
    stage: StageName | None
    stage_label: str | None
    status: str
    checks: list[DataCheckOut]


class DataCheckPageOut(PageOut):
    items: list[DataChecksOut]


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
    field: str | None = None
    version: int | None = None
    fact_id: int | None = None
    problems: list[BatchProblemOut] | None = None
    findings: list[dict[str, Any]] | None = None
    date: str | None = None
    run: dict[str, Any] | None = None
    request_id: str | None = None


class BatchProblemOut(BaseModel):
    """One refused move of an all-or-nothing batch; `index` counts from 0."""

    index: int
    ref: str
    status: int
    problem: ProblemOut
