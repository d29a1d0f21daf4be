"""Rows of one project together, whatever their order in the file, in memory that does not grow with the file.

Rows are put on shelves by a checksum of their project, and the shelves go to a temporary file whenever many rows are held.
A shelf holds all rows of its projects and few enough of them to be read at once. The same file makes the same shelves, so an
import that is run again meets its projects in the same order.
"""

from __future__ import annotations

import marshal
import tempfile
from array import array
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from types import TracebackType
from typing import IO, Any
from zlib import crc32

from app.ledgers.events_reading import Row

HELD = 50_000
"""Rows in memory, some 40 MB with what Python keeps of them."""
SHELF_BYTES = 1_000_000
"""What a shelf takes of a file, about: some eight thousand rows."""


class Shelves:
    """Rows by project. Every project is met once, with its rows in the order of the file."""

    def __init__(self, folder: Path, file_bytes: int) -> None:
        self._folder = folder
        self._waiting: list[list[tuple[Any, ...]]] = [[] for _ in range(file_bytes // SHELF_BYTES + 1)]
        self._places = [array("Q") for _ in self._waiting]
        self._file: IO[bytes] | None = None
        self._held = self._end = self.rows = 0

    def __enter__(self) -> Shelves:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, row: Row) -> None:
        """Put one row with the others of its project."""
        self._waiting[crc32(row.ref.encode()) % len(self._waiting)].append(tuple(row))
        self.rows += 1
        self._held += 1
        if self._held >= HELD:
            self._put_away()

    def _put_away(self) -> None:
        if self._file is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._file = tempfile.TemporaryFile(dir=self._folder, prefix="import-")  # noqa: SIM115
        for rows, places in zip(self._waiting, self._places, strict=True):
            if rows:
                places.append(self._end)
                places.append(self._file.write(marshal.dumps(rows)))
                self._end += places[-1]
                rows.clear()
        self._held = 0

    def _stored(self, places: array[int]) -> Iterator[list[tuple[Any, ...]]]:
        for place, length in zip(places[::2], places[1::2], strict=True):
            assert self._file is not None
            self._file.seek(place)
            yield marshal.loads(self._file.read(length))

    def projects(self) -> Iterator[tuple[str, list[Row]]]:
        """Every project's rows, shelf by shelf."""
        for rows, places in zip(self._waiting, self._places, strict=True):
            found: dict[str, list[Row]] = {}
            for block in chain(self._stored(places), [rows]):
                for row in block:
                    found.setdefault(row[1], []).append(Row._make(row))
            yield from found.items()

    def chunks(self, size: int) -> Iterator[dict[str, list[Row]]]:
        """So many projects at a time."""
        waiting = self.projects()
        while chunk := dict(islice(waiting, size)):
            yield chunk
