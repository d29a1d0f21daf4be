"""What was wrong with the rows of an import, in memory that does not grow with it: a million rows may name an office that is missing.

The first KEPT faults are kept, in the order of the file; the rest is counted, and waits on disk for the error file.
"""

from __future__ import annotations

import csv
import marshal
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from app.errors import Invalid
from app.ledgers.events_reading import COLUMNS, SIGNING_EVENT, Rejected

KEPT = 10_000


class Faults:
    """Rows that were rejected, or taken with a warning."""

    def __init__(self, folder: Path) -> None:
        self.kept: list[Rejected] = []
        self.count = 0
        self.wide = False
        self._folder = folder
        self._rest: IO[bytes] | None = None

    def add(self, rows: Sequence[Rejected]) -> None:
        """More of them."""
        self.count += len(rows)
        self.wide = self.wide or any(len(row.cells) > len(COLUMNS) for row in rows)
        free = KEPT - len(self.kept)
        self.kept += rows[:free]
        if rest := rows[free:]:
            if self._rest is None:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._rest = tempfile.TemporaryFile(dir=self._folder, prefix="import-")  # noqa: SIM115
            for row in rest:
                block = marshal.dumps(tuple(row))
                self._rest.write(len(block).to_bytes(4, "big") + block)

    def sort(self) -> None:
        """In the order of the file: those that are kept."""
        self.kept.sort(key=lambda one: one.line)

    def all(self) -> Iterator[Rejected]:
        """Every one: the kept ones first."""
        yield from self.kept
        if self._rest is not None:
            self._rest.seek(0)
            while size := self._rest.read(4):
                yield Rejected(*marshal.loads(self._rest.read(int.from_bytes(size, "big"))))

    def close(self) -> None:
        """Nothing waits on disk any more."""
        if self._rest is not None:
            self._rest.close()
            self._rest = None


def write_errors(path: Path, faults: Faults | None) -> None:
    """The rows that were not taken, as they were found, with line, column and reason; a spreadsheet opens it as UTF-8."""
    header = (*COLUMNS, SIGNING_EVENT) if faults is not None and faults.wide else COLUMNS
    try:
        with path.open("w", encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            out = csv.writer(file, lineterminator="\n")
            out.writerow([*header, "line", "column", "reason"])
            for one in faults.all() if faults is not None else ():
                cells = [*one.cells[: len(header)], *[""] * (len(header) - len(one.cells))]
                out.writerow([*cells, one.line, one.column, one.reason])
    except OSError as error:
        raise Invalid(f"写不了错误文件 {path}：{error.strerror} / cannot write it") from error
