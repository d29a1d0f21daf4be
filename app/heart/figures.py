"""How a rate is printed, the same everywhere (2-domain 2.6). Pure."""

from __future__ import annotations


def rate(part: int, base: int) -> str:
    """49/86 = 57.0 % (half up, one decimal); — of nothing."""
    if not base:
        return "—"
    tenths = (2000 * part + base) // (2 * base)
    return f"{part}/{base} = {tenths // 10}.{tenths % 10} %"
