"""行标识: which project a row of an export is, at which version and as of which day it was written. Pure.

It begins with a letter, so no spreadsheet takes it for anything but text. The checksum only tells a mark that was mangled (a column
filled down, a digit lost); it is no secret and gives no right: whoever imports may touch what he may touch without it.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple

_KIND, _OLD = "LD2", "LD1"
LONGEST = 120
NAMED = ("town", "owner", "liaison_leader")
"""Cells that say what somebody is called, which may change without a fact: the mark keeps how they were written."""


class RowMark(NamedTuple):
    """`version` is the number of the project's last fact in the export, `as_of` the day its cells are about, `called` how NAMED were
    written."""

    ref: str
    version: int
    as_of: date
    called: str = ""

    def wrote(self, name: str, text: str) -> bool:
        """Did the export write this text into that cell of NAMED?"""
        at = NAMED.index(name) * _SHORT if name in NAMED else len(self.called)
        return at < len(self.called) and self.called[at : at + _SHORT] == _short(text)


def mark_of(ref: str, version: int, as_of: date, line: Mapping[str, Any]) -> str:
    """The mark of a row with these cells."""
    body = f"{_KIND}/{ref}/{version}/{as_of:%Y%m%d}/{''.join([_short(str(line[name])) for name in NAMED])}"
    return f"{body}/{_sum(body)}"


def read_mark(text: str | None) -> RowMark | None:
    """What a mark says; None when there is none or it is not as it was written."""
    text = (text or "").strip()
    body, _, told = text.rpartition("/")
    parts = body.split("/")
    if len(text) > LONGEST or (parts[0], len(parts)) not in ((_KIND, 5), (_OLD, 4)) or told != _sum(body):
        return None
    _, ref, version, day, *called = parts
    try:
        return RowMark(ref, int(version), date(int(day[:4]), int(day[4:6]), int(day[6:])), *called)
    except ValueError:
        return None


_SHORT = 6


def _short(text: str) -> str:
    return _kept(text) if len(text) < 100 else _kept.__wrapped__(text)


@lru_cache(maxsize=4096)
def _kept(text: str) -> str:
    return _sum(" ".join(text.split()))[-_SHORT:]


def _sum(body: str) -> str:
    return f"{zlib.crc32(body.encode('utf-8', 'surrogateescape')):08x}"
