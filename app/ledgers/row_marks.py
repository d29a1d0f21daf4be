"""行标识: which project a row of an export is, at which version and as of which day it was written. Pure.

It begins with a letter, so no spreadsheet takes it for anything but text. The checksum only tells a mark that was mangled (a column
filled down, a digit lost); it is no secret and gives no right: whoever imports may touch what he may touch without it.
"""

from __future__ import annotations

import zlib
from datetime import date
from typing import NamedTuple

_KIND = "LD1"
LONGEST = 120


class RowMark(NamedTuple):
    """`version` is the number of the project's last fact in the export, `as_of` the day its cells are about."""

    ref: str
    version: int
    as_of: date


def mark_of(ref: str, version: int, as_of: date) -> str:
    """The mark of a row."""
    body = f"{_KIND}/{ref}/{version}/{as_of:%Y%m%d}"
    return f"{body}/{_sum(body)}"


def read_mark(text: str | None) -> RowMark | None:
    """What a mark says; None when there is none or it is not as it was written."""
    text = (text or "").strip()
    body, _, told = text.rpartition("/")
    parts = body.split("/")
    if len(text) > LONGEST or len(parts) != 4 or parts[0] != _KIND or told != _sum(body):
        return None
    _, ref, version, day = parts
    try:
        return RowMark(ref, int(version), date(int(day[:4]), int(day[4:6]), int(day[6:])))
    except ValueError:
        return None


def _sum(body: str) -> str:
    return f"{zlib.crc32(body.encode('utf-8', 'surrogateescape')):08x}"
