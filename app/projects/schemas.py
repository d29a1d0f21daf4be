"""The shapes that come in and go out. In-models refuse extra fields, control characters, numbers for money, and odd dates."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from app.heart import lifecycle
from app.projects.money import to_minor

EARLIEST = date(1900, 1, 1)
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def _iso_day(value: Any) -> Any:
    """Dates are ISO 8601 text: no timestamps, no numbers, none before 1900."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _ISO.fullmatch(value):
        raise ValueError("日期应写作 YYYY-MM-DD / ISO 8601 date")
    try:
        day = date.fromisoformat(value)
    except ValueError as error:
        raise ValueError("没有这一天 / no such day") from error
    if day < EARLIEST:
        raise ValueError("日期不能早于 1900-01-01")
    return day


def clean(value: str) -> str:
    """Text a database and a mail can hold: no NUL, no control characters but line breaks and tabs, no lone surrogates."""
    if any((mark < " " and mark not in "\n\t\r") or "\ud800" <= mark <= "\udfff" or mark in "\x7f\u2028\u2029" for mark in value):
        raise ValueError("含有控制字符 / contains control characters")
    return value


def _one_line(value: str) -> str:
    if any(mark in value for mark in "\n\r\t"):
        raise ValueError("应为一行文字 / must be one line")
    return value


def _addressable(value: str) -> str:
    """A ref is part of an address: nothing invisible, and not the names of folders."""
    if not value.isprintable() or value in (".", ".."):
        raise ValueError("含有不可见的字符，或为 . / contains invisible characters, or is a dot")
    return value


def _instant(value: Any) -> Any:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str):
        raise ValueError("时刻应写作 2026-06-01T00:00:00Z")
    return value.replace(" ", "+") if re.fullmatch(r".* \d\d:?\d\d", value) else value  # "+08:00" in a query arrives as a blank


def _aware(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("时刻要带时区，例如 2026-06-01T00:00:00Z / needs a time zone")
    if not EARLIEST.year <= value.year <= 9998:  # the years beside them do not exist in every time zone
        raise ValueError("时刻应在 1900 年至 9998 年之间 / out of range")
    return value


Day = Annotated[date, BeforeValidator(_iso_day)]
Instant = Annotated[datetime, BeforeValidator(_instant), AfterValidator(_aware)]
Line = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500), AfterValidator(clean), AfterValidator(_one_line)
]
Short = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), AfterValidator(clean), AfterValidator(_one_line)
]
TypedIn = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=100),
    AfterValidator(clean),
    AfterValidator(_one_line),
    AfterValidator(lambda text: text or None),
]
"""What somebody types to look for; nothing typed looks for nothing."""
Note = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000), AfterValidator(clean)]
Ref = Annotated[
    str,
    StringConstraints(min_length=1, max_length=64, pattern=r"^[^/\s\x00-\x1f\x7f]+$"),
    AfterValidator(clean),
    AfterValidator(_addressable),
]
CreditCode = Annotated[str, StringConstraints(pattern=r"^[0-9A-HJ-NPQRTUWXY]{18}$")]
if TYPE_CHECKING:  # the checker cannot read the table; the running service takes the words from it
    Route: TypeAlias = str
    StageName: TypeAlias = str
    EvidenceKind: TypeAlias = str
    MilestoneKind: TypeAlias = str
    Action: TypeAlias = str
    Status: TypeAlias = str
    Party: TypeAlias = str
    Termination: TypeAlias = str
else:
    Route = Literal[tuple(lifecycle.ROUTES)]
    StageName = Literal[lifecycle.STAGE_NAMES]
    EvidenceKind = Literal[tuple(lifecycle.EVIDENCE)]
    MilestoneKind = Literal[tuple(lifecycle.MILESTONES)]
    Action = Literal[tuple(lifecycle.BY_ACTION)]
    Status = Literal[tuple(lifecycle.STATUSES)]
    Party = Literal[tuple(lifecycle.PARTIES)]
    Termination = Literal[tuple(lifecycle.TERMINATIONS)]


class In(BaseModel):
    """What a caller sends: extra fields are refused, so a misspelt one is not silently dropped."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Money(In):
    """A decimal text and its currency."""

    amount: Annotated[str, StringConstraints(max_length=32)] = Field(examples=["120000000.00"])
    currency: Annotated[str, StringConstraints(max_length=3)] = Field(examples=["CNY"])

    @model_validator(mode="after")
    def _fits(self) -> Money:
        to_minor(self.amount, self.currency)
        return self

    @property
    def minor(self) -> int:
        """Integer of the currency's smallest unit."""
        return to_minor(self.amount, self.currency)


class EvidenceIn(In):
    kind: EvidenceKind = Field(examples=["formal_contract"])
    number: Short | None = Field(None, examples=["HT-2026-001"])
    dated_on: Day | None = Field(None, examples=["2026-03-01"])
    note: Note | None = None


Proofs = Annotated[list[EvidenceIn], Field(max_length=30)]


PersonId = Annotated[int, Field(ge=1, le=2**31 - 1)]


class ProjectIn(In):
    """A new project; it starts in intent on `effective_on` (default today)."""

    name: Line = Field(examples=["年产5万吨锂电材料项目"])
    office: Short = Field(examples=["T01"])
    ref: Ref | None = None
    investor: Line | None = Field(None, examples=["示例新材料有限公司"])
    industry: Short | None = None
    route: Route | None = Field(None, examples=["leased"])
    credit_code: CreditCode | None = None
    needs_registration: bool | None = None
    contract_amount: Money | None = None
    signing_event: Short | None = None
    planned_start_on: Day | None = None
    planned_operation_on: Day | None = None
    owner_id: PersonId | None = None
    liaison_id: PersonId | None = None
    effective_on: Day | None = Field(None, examples=["2026-02-01"])
    evidence: Proofs = []
    note: Note | None = None


class ProjectPatch(In):
    """What changes; fields left out stay. Agreed dates, route, owner and liaison leader (包联领导) change with a reason."""

    name: Line | None = None
    investor: Line | None = None
    industry: Short | None = None
    route: Route | None = None
    credit_code: CreditCode | None = None
    needs_registration: bool | None = None
    contract_amount: Money | None = None
    signing_event: Short | None = None
    planned_start_on: Day | None = None
    planned_operation_on: Day | None = None
    owner_id: PersonId | None = None
    liaison_id: PersonId | None = None
    office: Short | None = None
    effective_on: Day | None = None
    reason: Note | None = None


class MoveIn(In):
    """A stage or status change. Which fields a move asks for: GET /projects/{ref}/moves."""

    action: Action = Field(examples=["sign"])
    effective_on: Day | None = Field(None, examples=["2026-03-01"])
    evidence: Proofs = []
    contract_amount: Money | None = None
    note: Note | None = None
    gap_reason: Note | None = None
    reason: Note | None = None
    to: StageName | None = None
    next_actor: Party | None = None
    until: Day | None = None
    termination: Termination | None = None


class MilestoneIn(In):
    """An actual date (`effective_on`) or, with `planned`, an agreed one that may lie in the future."""

    milestone: MilestoneKind = Field(examples=["company_registered"])
    effective_on: Day | None = Field(None, examples=["2026-03-20"])
    planned: bool = False
    evidence: Proofs = []
    note: Note | None = None


class FollowUpIn(In):
    channel: Literal["call", "visit", "meeting", "service"] = Field("call", examples=["visit"])
    effective_on: Day | None = None
    note: Note | None = None


class FundsIn(In):
    """The total of money in place on that date."""

    total: Money
    effective_on: Day | None = None
    note: Note | None = None


class ReportIn(In):
    """A progress report; `no_change` says that nothing happened and resets only the report clock."""

    text: Note | None = Field(None, examples=["厂房主体完成，设备已订购"])
    no_change: bool = False
    effective_on: Day | None = None

    @model_validator(mode="after")
    def _says_something(self) -> ReportIn:
        if (self.text is None) != self.no_change:
            raise ValueError("要么写明进展 text，要么 no_change 为 true / either text or no_change")
        return self


class EvidenceAddIn(In):
    evidence: Annotated[list[EvidenceIn], Field(min_length=1, max_length=30)]
    effective_on: Day | None = None
    note: Note | None = None


class RecogniseIn(In):
    """Recognition; `scored` false is 通过不计分. `counted_on` is the date it counts on in the figures (统计日期)."""

    scored: bool = True
    counted_on: Day | None = None
    note: Note | None = None


class ReasonIn(In):
    reason: Note = Field(examples=["合同未附金额，请补充"])


class AsOf(In):
    """A question about a day, by what was known at a moment (an instant, or a date: by the end of that day)."""

    as_of: Day | None = None
    known_at: Instant | Day | None = None


class TimelineIn(AsOf):
    count: bool = False
