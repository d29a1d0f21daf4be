"""A part of a digest that is not about one day's changes: a title, lines, and by what rule they were counted. Pure.

Text, HTML and the short form for group chats print every block alike, so a new one is a function that returns it and one name
in `desk.Desk.blocks`. Lines are plain text; whoever prints them takes care of markup.
"""

from __future__ import annotations

from typing import NamedTuple


class Said(NamedTuple):
    """One line, and where to read on."""

    text: str
    url: str | None = None


class Block(NamedTuple):
    """`wakes`: reason enough for a message. `first`: before the day's changes, else after them."""

    title: str
    lines: tuple[Said, ...]
    note: str | None = None
    wakes: bool = False
    first: bool = False


def counted(numbers: dict[str, int], most: int) -> str:
    """东山镇 5，西河镇 3，等 7 个单位: the largest first."""
    ranked = sorted(numbers.items(), key=lambda one: (-one[1], one[0]))
    shown = "，".join(f"{name} {number}" for name, number in ranked[:most])
    return shown + (f"，等 {len(ranked)} 个单位" if len(ranked) > most else "")
