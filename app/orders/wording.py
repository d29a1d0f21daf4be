"""What an order says: its number, its matter and what it asks for, in the words offices use. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple

from app.heart.calendar import chinese_date
from app.heart.limits import LEVEL_LABELS, RANK

_NUMBER = re.compile(r"督办[〔\[［(（]([0-9]{4})[〕\]］)）]([0-9]{1,9})号?", re.ASCII)
LONGEST = 20
"""Stalls that a matter names; more are counted."""


class Stall(NamedTuple):
    """One late rule of a project, as an order tells of it."""

    label: str
    level: str
    basis_on: date
    advice: str
    missing: tuple[str, ...]


def number_of(year: int, seq: int) -> str:
    """督办〔2026〕12号."""
    return f"督办〔{year}〕{seq}号"


def as_number(text: str) -> str | None:
    """A number as it is stored, whatever brackets it was typed with; None when it is none."""
    found = _NUMBER.fullmatch(text.strip())
    return number_of(int(found[1]), int(found[2])) if found else None


def worst_first(stalls: Iterable[Stall]) -> list[Stall]:
    """The worst and oldest first."""
    return sorted(stalls, key=lambda one: (-RANK[one.level], one.basis_on, one.label))


def matter_of(name: str, ref: str, stalls: Sequence[Stall], day: date) -> str:
    """Why the order is issued: the project and every late rule with its days."""
    told = [
        f"{one.label}（{LEVEL_LABELS[one.level][0]}，自{chinese_date(one.basis_on)}起已 {(day - one.basis_on).days} 天）" for one in stalls
    ]
    rest = f"等 {len(told)} 项" if len(told) > LONGEST else ""
    return f"“{name}”（{ref}）：{'；'.join(told[:LONGEST])}{rest}"


def requirement_of(stalls: Sequence[Stall]) -> str:
    """What the unit is to do: the advice of each rule once, and all that is missing."""
    asked = list(dict.fromkeys(one.advice for one in stalls))
    missing = list(dict.fromkeys(label for one in stalls for label in one.missing))
    if missing:
        asked.append("补齐：" + "、".join(missing))
    asked.append("在期限内回复办理情况；确有困难的，期限届满前申请延期并说明原因")
    return "；".join(asked) + "。"
