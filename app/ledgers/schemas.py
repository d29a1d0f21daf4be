"""What a caller says beside the file he sends, and which rows of an import he wants to see."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from app.ledgers.columns import FIELDS
from app.ledgers.plan import OUTCOMES
from app.projects.schemas import Day, In, Short, clean

Cursor = Annotated[str, StringConstraints(max_length=500)]
Limit = Annotated[int, Field(ge=1, le=200)]
FileName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(clean)]


class SendIn(In):
    """`dry_run` plans and waits for `POST …/apply`; `create_offices` adds towns that are missing (county and bureau)."""

    name: FileName = "ledger"
    dry_run: bool = False
    create_offices: bool = False


class Sent(SendIn):
    """The request as an Idempotency-Key remembers it: the file by its hash."""

    sha256: str


class ImportsIn(In):
    limit: Limit = 50
    cursor: Cursor | None = None


class RowsIn(In):
    """`outcome` narrows the rows; `warned` to those with something to look at."""

    outcome: Literal[OUTCOMES] | None = None  # type: ignore[valid-type]
    warned: bool | None = None
    limit: Limit = 50
    cursor: Cursor | None = None


class AliasIn(In):
    """`header` as the ledgers write it; `field` is one of `GET /ledger-columns`."""

    field: Literal[FIELDS] = Field(examples=["amount"])  # type: ignore[valid-type]
    header: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), AfterValidator(clean)] = Field(
        examples=["意向投资总额"]
    )


class ApplyIn(In):
    """Nothing to say: what was tried is applied."""


class ExportIn(In):
    """`office` narrows the ledger to one office and what is under it; `as_of` is a day up to today."""

    office: Short | None = None
    as_of: Day | None = None
