"""The audit chain: each project's facts, linked by an HMAC whose key lives outside the database."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any

GENESIS = "0" * 64
SIGNED = (
    "seq",
    "kind",
    "effective_on",
    "recorded_at",
    "recorded_on",
    "office_id",
    "role",
    "person_id",
    "token_id",
    "source",
    "target",
    "data",
)
"""The stored columns that the mac covers, in this order; together with the project's ref they are the fact's bytes."""


def stored_bytes(ref: str, row: Mapping[str, Any]) -> bytes:
    """A fact's bytes as the chain reads them: the same before it is stored and after it is read back."""
    parts = [ref]
    for name in SIGNED:
        value = row[name]
        parts.append("" if value is None else _spelt(value))
    return "\x1f".join(parts).encode()


def _spelt(value: Any) -> str:
    return str(value.isoformat() if hasattr(value, "isoformat") else value)


def link(key: bytes, previous: str, ref: str, row: Mapping[str, Any]) -> str:
    """The mac of a fact: HMAC-SHA256 over the previous mac and the fact's stored bytes, as 64 hex digits."""
    return _link(key, previous, stored_bytes(ref, row))


def _link(key: bytes, previous: str, stored: bytes) -> str:
    return hmac.digest(key, previous.encode() + b"\x1e" + stored, "sha256").hex()


class Linker:
    """`link` for the facts of one act, which have most columns in common: those are spelt once."""

    def __init__(self, key: bytes, common: Mapping[str, Any]) -> None:
        cells = ["" if (value := common[name]) is None else _spelt(value) for name in SIGNED[3:-2]]
        self._key, self._common = key, "\x1f".join(cells)

    def link(self, previous: str, ref: str, seq: int, kind: str, effective_on: str, target: str, data: str) -> str:
        """The mac of one of the act's facts; everything as text."""
        return _link(self._key, previous, "\x1f".join((ref, str(seq), kind, effective_on, self._common, target, data)).encode())
