"""What comes in: the four answers, as the page's forms send them; and the filters of the list of uses."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, TypeAdapter, ValidationError

from app.http import dumps
from app.projects.schemas import Day, In, Ref, clean
from app.replies import rules


def _lines(value: Any) -> Any:
    """Browsers end lines with two characters, and count one."""
    return value.replace("\r\n", "\n") if isinstance(value, str) else value


Remark = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500), AfterValidator(clean), BeforeValidator(_lines)
]


class FollowedUp(In):
    """Somebody was in touch, today."""

    kind: Literal["follow_up"]
    channel: Literal["call", "visit", "meeting", "service"]
    note: Remark


class NewDate(In):
    """An agreed date changes, and why."""

    kind: Literal["date"]
    milestone: Literal["real_start", "first_invoice"]
    on: Day
    reason: Remark


class Blocked(In):
    """What keeps the project back."""

    kind: Literal["blocker"]
    text: Remark


class NothingNew(In):
    """Looked at, and nothing has changed."""

    kind: Literal["no_change"]


Given: TypeAlias = FollowedUp | NewDate | Blocked | NothingNew
_GIVEN: TypeAdapter[Given] = TypeAdapter(Annotated[Given, Field(discriminator="kind")])
MESSAGES = {
    "channel": "请选择跟踪方式。",
    "note": "请用一两句话写明跟踪情况（1–500 字）。",
    "milestone": "请选择是哪一个日期。",
    "on": "请选择新的日期。",
    "reason": "请写明日期变更的原因（1–500 字）。",
    "text": "请用一两句话写明堵点（1–500 字）。",
}
"""What a page says of a field that is missing or cannot be."""
OTHER = "提交的内容不完整。请重新打开邮件中的链接，再填写一次。"


class Faulty(ValueError):
    """What was sent is no answer; the text says what to do."""


def understood(sent: Mapping[str, str]) -> Given:
    """The answer that a form sent, or Faulty with one sentence for each field that is wrong."""
    try:
        return _GIVEN.validate_python(dict(sent))
    except ValidationError as error:
        wrong = [str(one["loc"][-1]) for one in error.errors() if one["loc"]]
        raise Faulty("".join(dict.fromkeys(MESSAGES.get(name, OTHER) for name in wrong)) or OTHER) from error


def hash_of(given: Given) -> str:
    """Tells whether two answers are the same, without keeping what they say a second time."""
    return hashlib.sha256(dumps(given.model_dump(mode="json"))).hexdigest()


class UseList(In):
    """Filters of the uses of links."""

    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str, StringConstraints(max_length=2000)] | None = None
    count: bool = False
    what: Literal["opened", "answered", "repeated", "refused"] | None = None
    person: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    project: Ref | None = None
    date: Day | None = None


assert set(rules.USES) == {"opened", "answered", "repeated", "refused"}
