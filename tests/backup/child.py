"""A process that backs up or restores and is killed, as by `kill -9`, at a point that somebody names."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.backups import archive, restoring, taking
from app.clock import FixedClock
from app.db import Database
from tests.backup.conftest import KEY, TODAY, silent
from tests.cast import NOW, make_settings


def die(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def first_then_die(whole: Callable[..., Any]) -> Callable[..., Any]:
    def both(*given: Any, **more: Any) -> None:
        whole(*given, **more)
        die()

    return both


def after_blocks(number: int) -> None:
    """Dies when so many blocks of the dump are read, in either direction."""
    archive.BLOCK = 4096
    whole = archive.Packer.dump

    def dump(self: archive.Packer, source: Any, told: Any) -> Any:
        left = number

        def heard(size: int) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                die()
            told(size)

        return whole(self, source, heard)

    archive.Packer.dump = dump  # type: ignore[method-assign]


def half_way_through_the_statements() -> None:
    """psql has most of the tables, and waits for the rest."""
    restoring.postgres._counted = die


POINTS: dict[str, Callable[[], None]] = {
    "in the dump": lambda: after_blocks(3),
    "before the name": lambda: setattr(taking, "publish", die),
    "after the copy": lambda: setattr(archive.Archive, "copy_dump", first_then_die(archive.Archive.copy_dump)),
    "before it is put": lambda: setattr(restoring, "_put", die),
    "before the commit": half_way_through_the_statements,
    "after the commit": lambda: setattr(restoring.postgres, "restore", first_then_die(restoring.postgres.restore)),
}


def main(verb: str, point: str, url: str, file: str, folder: str) -> None:
    POINTS[point]()
    settings = make_settings(url, Path(folder))
    database, clock = Database(url), FixedClock(settings.zone, NOW)
    if verb == "backup":
        taking.backup(database, Path(file), KEY, clock.now(), silent)
    else:
        restoring.restore(database, restoring.read(Path(file), KEY, silent), KEY, clock, TODAY, silent)


if __name__ == "__main__":
    main(*sys.argv[1:])
