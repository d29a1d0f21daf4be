"""A process of its own that imports events or a ledger and kills itself, as `kill -9` would, in the middle of a transaction."""

import os
import signal
import sys
from pathlib import Path

from app.clock import FixedClock
from app.db import Database
from app.ledgers import events, running, service
from app.main import build_house
from app.projects import founders, helpers
from tests.cast import NOW, make_settings


def main(what: str, url: str, file: str, folder: str) -> None:
    settings = make_settings(url, Path(folder))
    house = build_house(settings, FixedClock(settings.zone, NOW), Database(url))
    events.CHUNK = running.CHUNK = 20
    write, chunks = founders.write, 0

    def write_and_die(*given: object) -> None:
        nonlocal chunks
        chunks += 1
        write(*given)  # type: ignore[arg-type]
        if chunks >= 3:
            os.kill(os.getpid(), signal.SIGKILL)

    founders.write = write_and_die
    helpers.FROM = 1
    {"events": events.import_events, "ledger": service.import_ledger}[what](house, Path(file))


if __name__ == "__main__":
    main(*sys.argv[1:])
