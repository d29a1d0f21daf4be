"""The shapes of robots that come in. Addresses and secrets never show themselves."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from app.projects.schemas import In, Short, clean

KindName = Literal["wecom", "dingtalk", "feishu", "webhook"]
Url = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000), AfterValidator(clean)]
Secret = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=250), AfterValidator(clean)]
OfficeCode = Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(clean)]


class RobotIn(In):
    """A robot of a group chat: its address as the chat program shows it, and its signing secret where it has one."""

    office: OfficeCode = Field(examples=["T01"])
    kind: KindName = Field(examples=["dingtalk"])
    name: Short = Field(examples=["城关镇值班群"])
    url: Url = Field(repr=False, examples=["https://oapi.dingtalk.com/robot/send?access_token=0123456789abcdef"])
    secret: Secret | None = Field(None, repr=False, examples=["SEC0123456789abcdef0123456789abcdef"])
    enabled: bool = Field(True, strict=True)


class RobotChange(In):
    """What changes; address and secret change together."""

    name: Short | None = None
    enabled: bool | None = Field(None, strict=True)
    url: Url | None = Field(None, repr=False)
    secret: Secret | None = Field(None, repr=False)
