"""The way in: bytes go to a child process, cells come back through a file on disk, and this process stays well.

The child (child.py) has limits on memory, CPU and output, an empty environment and no name of the file; what it writes is JSON,
looked at only when it is complete. Whatever happens to it becomes one FileRefused.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, BinaryIO

import orjson

import app
from app.ledgers.sheets import limits
from app.ledgers.sheets.refusals import FileRefused

Cell = str | int | float | bool
Cells = list[Cell]

_PIECE = 1 << 16
_ROOT = str(Path(app.__file__).parent.parent)
_COMMAND = "import sys; sys.path.insert(0, sys.argv[1]); from app.ledgers.sheets.child import main; main()"
_ENVIRONMENT = {"LANG": "C.UTF-8", "MALLOC_ARENA_MAX": "1"}
"""Nothing of ours: settings hold secrets."""


@dataclass
class SheetHead:
    """A sheet before its rows: `read` False says `why` (hidden, not_a_worksheet). Rows and columns count from 0, ranges include
    their ends. `below` holds short texts of the last rows."""

    number: int
    name: str
    read: bool
    why: str = ""
    rows: int = 0
    width: int = 0
    merges: list[list[int]] = field(default_factory=list)
    hidden_rows: list[list[int]] = field(default_factory=list)
    hidden_columns: list[list[int]] = field(default_factory=list)
    formulas: list[tuple[int, int, str]] = field(default_factory=list)
    below: list[str] = field(default_factory=list)


class Workbook:
    """A read file: `format` (xlsx, xls, ods, csv), `encoding` of a csv, `date1904`, `sha256` of the bytes, `heads` of all sheets.

    The cells wait on disk; `sheets()` may be called again and again. A context manager: leaving it lets go of them.
    """

    def __init__(self, spool: IO[bytes], sha256: str, below: dict[str, list[str]]) -> None:
        self._spool = spool
        self.sha256 = sha256
        spool.seek(0)
        head = orjson.loads(spool.readline())
        self.format: str = head["format"]
        self.encoding: str | None = head["encoding"]
        self.date1904: bool = head["date1904"]
        self.heads = [SheetHead(number, one["name"], one["read"], one["why"]) for number, one in enumerate(head["sheets"])]
        for number, texts in below.items():
            self.heads[int(number)].below = texts
        self._first = spool.tell()

    def height(self) -> int:
        """The rows of all sheets that are read, whatever they hold; looks at no cell."""
        self._spool.seek(self._first)
        return sum(orjson.loads(line).get("rows", 0) for line in self._spool if line.startswith(b"{"))

    def sheets(self) -> Iterator[tuple[SheetHead, Iterator[list[Cells]]]]:
        """Each sheet that is read, with its rows in portions; take a sheet's rows before going on to the next."""
        place = self._first
        while True:
            self._spool.seek(place)
            told = orjson.loads(self._spool.readline())
            if "end" in told:
                return
            head = self.heads[told.pop("sheet")]
            for name, value in told.items():
                setattr(head, name, value)
            portions = _Portions(self._spool, head.rows)
            yield head, iter(portions)
            for _ in portions:
                pass
            place = portions.place

    def close(self) -> None:
        self._spool.close()

    def __enter__(self) -> Workbook:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class _Portions:
    """The rows of one sheet; iterating goes on where it stopped."""

    def __init__(self, spool: IO[bytes], rows: int) -> None:
        self._spool, self._left = spool, rows
        self.place = spool.tell()

    def __iter__(self) -> Iterator[list[Cells]]:
        while self._left > 0:
            self._spool.seek(self.place)
            portion: list[Cells] = orjson.loads(self._spool.readline())
            self.place = self._spool.tell()
            self._left -= len(portion)
            yield portion


def open_workbook(source: bytes | Path | BinaryIO, *, wall_seconds: float = limits.WALL_SECONDS) -> Workbook:
    """Read a file's cells in a child process; a file that is open already is read from its start, by the child itself. FileRefused when
    that cannot be done, with a reason and a sentence."""
    if isinstance(source, Path):
        with source.open("rb") as file:
            source = file.read(limits.FILE_BYTES + 1)
    if isinstance(source, bytes):
        with tempfile.TemporaryFile() as file:
            file.write(source)
            return open_workbook(file, wall_seconds=wall_seconds)
    if source.seek(0, 2) > limits.FILE_BYTES:
        raise FileRefused("too_large", limit=limits.FILE_BYTES // limits.MIB)
    sha256 = digest(source)
    os.lseek(source.fileno(), 0, os.SEEK_SET)  # where the child begins: seek() may only move in what was read ahead
    spool: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - the Workbook keeps it
    try:
        below = _run(source, spool, wall_seconds)
        return Workbook(spool, sha256, below)
    except BaseException:
        spool.close()
        raise


def digest(file: BinaryIO) -> str:
    """The SHA-256 of an open file, a piece at a time: what a process once held whole it keeps as room."""
    found = hashlib.sha256()
    file.seek(0)
    while piece := file.read(_PIECE):
        found.update(piece)
    return found.hexdigest()


def _run(source: BinaryIO, spool: IO[bytes], wall_seconds: float) -> dict[str, list[str]]:
    """Let the child write into the spool; what it says at the end."""
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-c", _COMMAND, _ROOT], stdin=source, stdout=spool, stderr=subprocess.DEVNULL, cwd="/",
            env=_ENVIRONMENT, timeout=wall_seconds, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise FileRefused("too_slow") from error
    told = _last_line(spool)
    if "refused" in told:
        raise FileRefused({"password": "encrypted"}.get(told["refused"], told["refused"]), **told["more"])
    if done.returncode == 0 and "end" in told:
        below: dict[str, list[str]] = told["below"]
        return below
    if -done.returncode == signal.SIGXCPU:
        raise FileRefused("too_slow")
    if -done.returncode == signal.SIGABRT:  # how the parser ends when it gets no more memory
        raise FileRefused("too_much_memory")
    if -done.returncode == signal.SIGXFSZ:
        raise FileRefused("area_too_large")
    raise FileRefused("parser_failed")


def _last_line(spool: IO[bytes]) -> dict[str, Any]:
    """What the child said last; {} when that is no complete line."""
    size = spool.seek(0, 2)
    reach, end = 4096, b""
    while end.count(b"\n") < 2 and len(end) < size:
        spool.seek(max(0, size - reach))
        end = spool.read()
        reach *= 4
    if not end.endswith(b"\n"):
        return {}
    try:
        told = orjson.loads(end[:-1].rpartition(b"\n")[2])
    except orjson.JSONDecodeError:
        return {}
    return told if isinstance(told, dict) else {}
