"""Rows of one project together, whatever their order in the file: on shelves by a checksum of their project.

A shelf holds all rows of its projects and few enough of them to be read at once. The same file makes the same shelves, so an
import that is run again meets its projects in the same order.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from zlib import crc32

from app.ledgers.events_reading import Row
from app.shelves import Shelves

SHELF_BYTES = 1_000_000
"""What a shelf takes of a file, about: some eight thousand rows."""


class ProjectShelves(Shelves):
    """Rows by project. Every project is met once, with its rows in the order of the file."""

    def __init__(self, folder: Path, file_bytes: int) -> None:
        super().__init__(folder, file_bytes // SHELF_BYTES + 1)

    def add(self, row: Row) -> None:
        """Put one row with the others of its project."""
        self.put(crc32(row.ref.encode()) % len(self), tuple(row))

    def projects(self) -> Iterator[tuple[str, list[Row]]]:
        """Every project's rows, shelf by shelf."""
        for shelf in range(len(self)):
            found: dict[str, list[Row]] = {}
            for row in map(Row._make, self.take(shelf)):
                found.setdefault(row.ref, []).append(row)
            yield from found.items()

    def chunks(self, size: int) -> Iterator[dict[str, list[Row]]]:
        """So many projects at a time."""
        waiting = self.projects()
        while chunk := dict(islice(waiting, size)):
            yield chunk
