"""The shapes of supervision orders that come in."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from app.projects.schemas import Day, In, Note, Ref, Short

StateName = Literal["issued", "received", "replied", "sent_back", "closed"]


class OrderIn(In):
    """A new order: for a late rule of a project (then matter and requirement write themselves), or for a matter of one's own."""

    office: Short | None = Field(None, examples=["T01"], description="the responsible unit; left out: the project's office")
    ref: Ref | None = Field(None, examples=["T01-2026-0001"])
    rule: Short | None = Field(None, examples=["signed_no_progress"])
    matter: Note | None = Field(None, examples=["企业反映供电迟迟未接通"])
    requirement: Note | None = Field(None, examples=["协调供电公司限期接通，并回复办理情况"])
    person_id: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    due_on: Day | None = Field(None, description="left out: the fifth workday from today")

    @model_validator(mode="after")
    def _says_what_it_is_about(self) -> OrderIn:
        if self.rule is not None and self.ref is None:
            raise ValueError("rule 须与项目 ref 一起给出 / a rule needs a project")
        if self.ref is None and self.office is None:
            raise ValueError("请给出责任单位 office 或项目 ref / office or ref is required")
        if self.rule is None and (self.matter is None or self.requirement is None):
            raise ValueError("没有 rule 时须写明 matter 和 requirement / without a rule, matter and requirement are required")
        return self


class ReceiveIn(In):
    note: Note | None = None


class ReplyIn(In):
    text: Note = Field(examples=["已与企业约定 6 月 20 日前完成公司注册"])


class ExtendIn(In):
    """A request for more time, up to the day the order is due."""

    reason: Note = Field(examples=["企业等待环评批复"])
    until: Day = Field(examples=["2026-07-31"])


class DecideIn(In):
    granted: bool = Field(strict=True)
    reason: Note | None = None


class CloseIn(In):
    """Accept a reply; an order that was not replied to is withdrawn, and that needs a reason."""

    reason: Note | None = None


class SendBackIn(In):
    reason: Note = Field(examples=["回复未附证明材料"])
    until: Day | None = Field(None, description="the new day it is due; left out: the fifth workday from today")


class OrderList(In):
    """Filters of the orders, newest first."""

    office: Short | None = None
    state: StateName | None = None
    open: bool | None = None
    overdue: bool | None = None
    ref: Ref | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str, StringConstraints(max_length=2000)] | None = None
    count: bool = False


class AcknowledgeIn(In):
    """What is planned about a stall, and until when."""

    plan: Note = Field(examples=["已约企业 6 月 20 日签署供地协议"])
    until: Day = Field(examples=["2026-07-15"])


class SnoozeIn(In):
    """Why a stall is put off, and to which date."""

    reason: Note = Field(examples=["省级用地指标七月下达"])
    until: Day = Field(examples=["2026-07-31"])


class ExitReviewIn(In):
    """The bureau's decision; push_on and new_date name the date on which the project is looked at again."""

    decision: Literal["push_on", "new_date", "rescind", "take_land_back", "remove"] = Field(examples=["push_on"])
    reason: Note = Field(examples=["企业已追加投资，继续推进"])
    until: Day | None = Field(None, examples=["2026-09-30"])
