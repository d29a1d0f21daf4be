"""A message in as many parts as a robot's byte limit asks for. Pure.

Parts end where lines end; only a line that is longer than a whole part is cut, between two characters. Nothing is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple


class Row(NamedTuple):
    """One line of a message, and where it leads."""

    text: str
    url: str = ""


Weigh = Callable[[Row], int]
"""How many bytes a row takes in the vendor's form, its line break included. Must not shrink when the text grows."""


def split(rows: Sequence[Row], limit: int, weigh: Weigh) -> list[tuple[Row, ...]]:
    """The rows in parts that weigh at most `limit` bytes each, in order, none of them empty. ValueError when not even one
    character fits."""
    parts: list[list[Row]] = [[]]
    room = limit
    for row in rows:
        for piece in _pieces(row, limit, weigh):
            weight = weigh(piece)
            if weight > room:
                parts.append([])
                room = limit
            parts[-1].append(piece)
            room -= weight
    return [tuple(part) for part in parts if part]


def _pieces(row: Row, limit: int, weigh: Weigh) -> Iterator[Row]:
    while weigh(row) > limit:
        fits, too_long = 0, len(row.text)
        while too_long - fits > 1:  # the longest beginning that fits, by halves
            middle = (fits + too_long) // 2
            fits, too_long = (middle, too_long) if weigh(row._replace(text=row.text[:middle])) <= limit else (fits, middle)
        if fits == 0:
            raise ValueError(f"{limit} bytes do not hold one character of this row")
        yield row._replace(text=row.text[:fits])
        row = row._replace(text=row.text[fits:])
    yield row


def numbered(title: str, number: int, of: int) -> str:
    """The title of one part: 标题（1/3）; alone it stays as it is."""
    return title if of == 1 else f"{title}（{number}/{of}）"


NUMBER_ROOM = 24
"""Bytes kept free for the number behind a title."""
