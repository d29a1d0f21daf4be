"""The audit chain: each project's facts, linked by an HMAC whose key lives outside the database."""

from __future__ import annotations

import hashlib
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
        parts.append("" if value is None else value.isoformat() if hasattr(value, "isoformat") else str(value))
    return "\x1f".join(parts).encode()


def link(key: bytes, previous: str, ref: str, row: Mapping[str, Any]) -> str:
    """The mac of a fact: HMAC-SHA256 over the previous mac and the fact's stored bytes, as 64 hex digits."""
    return hmac.new(key, previous.encode() + b"\x1e" + stored_bytes(ref, row), hashlib.sha256).hexdigest()
