"""A batch of moves as it comes in. An item that cannot be read stops only itself, so it is kept beside those that can."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, Field, PlainSerializer, StringConstraints, ValidationError, WrapValidator

from app.http import printable
from app.projects.schemas import In, MoveIn

MOST = 500
"""Moves of one batch."""


class BatchMove(MoveIn):
    """One move of a batch: as the single move, with the project it is for; `version` stands for If-Match and is the version the
    project has when its turn comes, earlier moves of the batch included."""

    ref: Annotated[str, StringConstraints(min_length=1, max_length=200)] = Field(examples=["T01-2026-0001"])
    version: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None

    @property
    def move(self) -> MoveIn:
        """The move itself."""
        return MoveIn(**{name: getattr(self, name) for name in MoveIn.model_fields})


class Unreadable(NamedTuple):
    """An item that is no move: for which project, and every fault of it."""

    ref: str
    errors: list[dict[str, str]]
    hint: str
    told: str


def _or_unreadable(value: Any, read: Any) -> BatchMove | Unreadable:
    try:
        move: BatchMove = read(value)
        return move
    except ValidationError as error:
        rows = [{"field": printable(one["loc"]), "message": one["msg"], "type": one["type"]} for one in error.errors()[:20]]
        ref = value.get("ref") if isinstance(value, dict) else None
        hint = "请检查：" + "；".join(f"{row['field']}（{row['message']}）" for row in rows[:5])
        return Unreadable(printable([ref]) if isinstance(ref, str) else "", rows, hint, ascii(value))


def _as_told(item: BatchMove | Unreadable) -> Any:
    return item.told if isinstance(item, Unreadable) else item.model_dump(mode="json")


def _not_too_many(value: Any) -> Any:
    if isinstance(value, list) and not 1 <= len(value) <= MOST:
        raise ValueError(f"一批 1 至 {MOST} 条，本次 {len(value)} 条；请分批提交 / a batch holds 1 to {MOST} moves")
    return value


Item = Annotated[BatchMove, WrapValidator(_or_unreadable), PlainSerializer(_as_told)]


class BatchIn(In):
    """Up to 500 moves, in order. `atomic`: all of them or none; otherwise a refused one stops only itself."""

    atomic: bool = False
    items: Annotated[list[Item], BeforeValidator(_not_too_many), Field(json_schema_extra={"minItems": 1, "maxItems": MOST})]
