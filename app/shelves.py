"""Rows sorted onto shelves, in memory that does not grow with their number.

A row is a tuple of plain values (numbers, texts, None, tuples of them). Rows wait in memory until many are held, then all of
them go to one temporary file; a shelf gives them back in the order they came.
"""

from __future__ import annotations

import marshal
import tempfile
from array import array
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

HELD = 50_000
"""Rows in memory, some 40 MB with what Python keeps of them."""


class Shelves:
    """So many shelves. Nothing is left of them when the block ends."""

    def __init__(self, folder: Path, count: int, held: int | None = None) -> None:
        self._folder, self._most = folder, held or HELD
        self._waiting: list[list[tuple[Any, ...]]] = [[] for _ in range(count)]
        self._places = [array("Q") for _ in self._waiting]
        self._file: IO[bytes] | None = None
        self._held = self._end = self.rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, shelf: int, row: tuple[Any, ...]) -> None:
        """Add a row to a shelf."""
        self._waiting[shelf].append(row)
        self.rows += 1
        self._held += 1
        if self._held >= self._most:
            self._put_away()

    def _put_away(self) -> None:
        if self._file is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._file = tempfile.TemporaryFile(dir=self._folder, prefix="shelves-")  # noqa: SIM115
        self._file.seek(self._end)
        for rows, places in zip(self._waiting, self._places, strict=True):
            if rows:
                places.append(self._end)
                places.append(self._file.write(marshal.dumps(rows)))
                self._end += places[-1]
                rows.clear()
        self._held = 0

    def take(self, shelf: int) -> Iterator[tuple[Any, ...]]:
        """The rows of a shelf, in the order they were put there."""
        places = self._places[shelf]
        for place, length in zip(places[::2], places[1::2], strict=True):
            assert self._file is not None
            self._file.seek(place)
            yield from marshal.loads(self._file.read(length))
        yield from self._waiting[shelf]
