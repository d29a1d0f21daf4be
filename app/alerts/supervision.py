"""What a digest says of supervision orders and of the ladder, as blocks; what there is to say is read in app/orders/telling.py."""

from __future__ import annotations

from collections.abc import Iterator

from app.alerts.blocks import Block, Said
from app.orders.telling import Told


def blocks(told: Told) -> Iterator[Block]:
    """One block per heading; only what begins anew makes a message go out."""
    for one in told.blocks:
        rest = [Said(f"另有 {one.rest} 件，请在系统中查看。")] if one.rest else []
        news = any(line.news for line in one.lines)
        yield Block(f"{one.heading}（{one.total}）", (*(Said(line.text) for line in one.lines), *rest), wakes=news)
