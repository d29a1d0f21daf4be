"""The file: a ZIP of two members, the dump and then the manifest, which no plain tool needs us to open.

It comes to its name whole or not at all: written in a folder beside it that says it is unfinished, flushed to the disk, and
only then linked to its name, which nobody had before.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from app.backups.manifest import BackupBroken, Manifest
from app.errors import DomainError

DUMP, MANIFEST = "dump", "manifest.json"
BLOCK = 1 << 20
UNFINISHED = ".unfinished"
LARGEST_MANIFEST = 1 << 20
CUT = "不是完整的备份：文件被截断或损坏 / cut off or damaged"
_BAD = (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, OSError, NotImplementedError, KeyError, RuntimeError)

Told = Callable[[int], None]
"""Hears how many bytes are done."""


@contextmanager
def workshop(beside: Path) -> Iterator[Path]:
    """A folder of our own beside a file that is to be, gone at the end. What killed processes left there is swept away first:
    a folder that nobody holds locked."""
    for left in beside.parent.glob(f".{escape(beside.name)}.*{UNFINISHED}"):
        with suppress(OSError), _held(left):
            shutil.rmtree(left)
    folder = Path(tempfile.mkdtemp(prefix=f".{beside.name}.", suffix=UNFINISHED, dir=beside.parent))
    try:
        with _held(folder):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)


def publish(draft: Path, to: Path) -> None:
    """Give a finished file its name, unless something has it by now; on the disk when this returns."""
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    try:
        to.hardlink_to(draft)
    except FileExistsError:
        raise exists(to) from None
    except OSError:  # a file system without links: the name is taken first, then filled
        try:
            os.close(os.open(to, os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            raise exists(to) from None
        draft.replace(to)
    flush_folder(to.parent)


def flush_folder(folder: Path) -> None:
    """The names in a folder are on the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def exists(path: Path) -> DomainError:
    """The refusal to overwrite."""
    return DomainError(f"{path} 已经存在，不会覆盖 / exists already and is never overwritten")


class Packer:
    """Fills an archive: bytes of the dump, then its manifest."""

    def __init__(self, path: Path, *, squeeze: bool) -> None:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        self._file = os.fdopen(handle, "w+b")
        kind = zipfile.ZIP_DEFLATED if squeeze else zipfile.ZIP_STORED
        self._zip = zipfile.ZipFile(self._file, "w", kind, compresslevel=1 if squeeze else None)

    def dump(self, source: IO[bytes], told: Told) -> tuple[int, str]:
        """Take the dump in; (its bytes, its SHA-256)."""
        made, size = hashlib.sha256(), 0
        info = zipfile.ZipInfo(DUMP)
        info.compress_type, info.external_attr = self._zip.compression, 0o600 << 16
        info._compresslevel = self._zip.compresslevel  # type: ignore[attr-defined]
        with self._zip.open(info, "w", force_zip64=True) as member:
            while block := source.read(BLOCK):
                member.write(block)
                made.update(block)
                size += len(block)
                told(size)
        return size, made.hexdigest()

    def close(self, manifest: Manifest) -> None:
        """Add the manifest; the file is whole and flushed."""
        info = zipfile.ZipInfo(MANIFEST)
        info.external_attr = 0o600 << 16
        self._zip.writestr(info, manifest.as_json())
        self._zip.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def abandon(self) -> None:
        """Let go of a file that will not be finished."""
        with suppress(Exception):
            self._zip.close()
        self._file.close()


class Archive:
    """A backup to read from. BackupBroken wherever it is not what it says."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise BackupBroken(f"没有文件 {path} / no such file")
        try:
            self._zip = zipfile.ZipFile(path)
        except _BAD as error:
            raise BackupBroken(CUT) from error
        try:
            names = sorted(self._zip.namelist())
            if names != sorted((DUMP, MANIFEST)):
                raise BackupBroken("其中应只有转储与清单两项 / holds something else than a dump and a manifest")
            if self._zip.getinfo(MANIFEST).file_size > LARGEST_MANIFEST:
                raise BackupBroken("清单过大 / the manifest is too large")
            self.manifest = Manifest.read(self._zip.read(MANIFEST))
        except _BAD as error:
            self.close()
            raise BackupBroken(CUT) from error
        except BackupBroken:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def blocks(self) -> Iterator[bytes]:
        """The dump, checked while it passes by: raises at the end when it is not the dump that was made."""
        made, size, wanted = hashlib.sha256(), 0, self.manifest
        try:
            with self._zip.open(DUMP) as member:
                while block := member.read(BLOCK):
                    size += len(block)
                    made.update(block)
                    if size > wanted.dump_bytes:
                        break
                    yield block
        except _BAD as error:
            raise BackupBroken("转储损坏 / the dump is damaged") from error
        if (size, made.hexdigest()) != (wanted.dump_bytes, wanted.dump_sha256):
            raise BackupBroken("转储与清单中的校验和不符 / the dump is not the one the manifest names")

    def check(self, told: Told) -> None:
        """Read everything once."""
        size = 0
        for block in self.blocks():
            size += len(block)
            told(size)

    def copy_dump(self, to: Path, told: Told) -> None:
        """The dump as a file of its own that only its owner can read."""
        size = 0
        with os.fdopen(os.open(to, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            for block in self.blocks():
                file.write(block)
                size += len(block)
                told(size)

    def close(self) -> None:
        """Close the file."""
        self._zip.close()
