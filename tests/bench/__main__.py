"""`make bench`: measure, print ratios with their targets, write var/bench.json. Exit 0 whatever the ratios say: machines are noisy."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import signal
import sys
import time
from functools import partial
from typing import Any

from tests.bench import daily, digests, http, imports, ledgers, lists, million, rehearse
from tests.bench.load import ROOT
from tests.bench.registers import DURABLE, Registers
from tests.bench.table import Figures

SECTIONS = {
    "http": http.measure, "lists": lists.measure, "daily": daily.measure, "load": imports.measure,
    "ledgers": ledgers.measure, "digests": digests.measure, "rehearse": rehearse.measure,
}  # fmt: skip


def _only(text: str) -> list[str]:
    names = text.split(",")
    if unknown := [name for name in names if name not in SECTIONS]:
        raise argparse.ArgumentTypeError(f"no section {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
    return names


def main() -> None:
    """Measure the asked sections one after the other; a section that fails is told and the next one goes on."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short rounds: first impressions only")
    parser.add_argument("--only", type=_only, default=list(SECTIONS), metavar=",".join(SECTIONS), help="some sections")
    parser.add_argument("--million", action="store_true", help="a register of a million projects: an hour, and 60 GB of disk in TMPDIR")
    parser.add_argument("--projects", type=int, default=million.PROJECTS, help="with --million: another number")
    given = parser.parse_args()
    sections = dict(SECTIONS)
    if given.million:
        asked = {"million": million.measure, "load": imports.measure}
        sections = {name: partial(one, projects=given.projects) for name, one in asked.items() if name in (*given.only, "million")}
        given.only = list(sections)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    figures = Figures()
    figures.raw["machine"] = {"processors": os.cpu_count(), "python": platform.python_version(), "wrk": bool(shutil.which("wrk"))}
    figures.raw["postgresql"] = {"durability": "default: fsync, synchronous_commit and full_page_writes on", **DURABLE}
    figures.raw["register"] = "facts of the register are unsealed; reports made during the run are sealed"
    loader = "wrk" if shutil.which("wrk") else "a small loader of our own"
    print(f"PostgreSQL with its default durability, SQLite with synchronous=FULL; load by {loader}")
    registers = Registers()
    failed: dict[str, Any] = {}
    try:
        for name in given.only:
            began = time.monotonic()
            print(name, flush=True)
            try:
                sections[name](registers, figures, quick=given.quick)
            except Exception as error:
                failed[name] = repr(error)
                print(f"  {name} failed: {error!r}", flush=True)
            print(f"  {name}: {time.monotonic() - began:.0f} s", flush=True)
    finally:
        registers.close()
    figures.raw["failed"] = failed
    figures.show()
    figures.write(ROOT / "var" / "bench.json")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
