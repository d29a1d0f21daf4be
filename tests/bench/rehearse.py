"""Ten candidate policies over a year of 10,000 projects, by both readings, and what that keeps in memory at ten times the size.

Each rehearsal is a process of its own (`python -m tests.bench.rehearse URL VARIANTS now|then`), so that its memory is its own.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from typing import Any

import structlog

from app.cli.rehearsing import EVERYBODY
from app.clock import FixedClock
from app.db import Database
from app.heart.rules import RULES
from app.http import dumps
from app.main import build_house
from app.offices.queries import scope
from app.rehearsals.queries import NOW, THEN
from app.rehearsals.service import Asked, rehearse
from app.settings import Settings
from tests.bench.daily import memory
from tests.bench.load import ROOT
from tests.bench.registers import KINDS, Registers
from tests.bench.seed import NOW as MORNING
from tests.bench.seed import Seeded
from tests.bench.table import Figures

SMALL, LARGE, VARIANTS = 10_000, 100_000, 10
ALLOWED = 60.0
"""Seconds that ten variants over 10,000 projects may take."""


def measure(registers: Registers, figures: Figures, *, quick: bool) -> None:
    """Both databases and both readings; the large register with one variant, for its memory."""
    for kind in KINDS:
        print(f"  policy rehearsal, {kind}", flush=True)
        seeded = registers.copy(kind, SMALL)
        small: dict[str, Any] = {}
        for knowledge in (NOW, THEN):
            small = _run(seeded, VARIANTS, knowledge)
            figures.figure(f"{kind} {SMALL // 1000}k, {VARIANTS} variants, {knowledge}", **small)
            what = f"{kind}: {VARIANTS} variants over {SMALL // 1000}k projects ({knowledge}) / {ALLOWED:.0f} s"
            figures.ratio(what, small["seconds"], ALLOWED, at_most=1)
        few = _run(seeded, 1, THEN)
        registers.drop(seeded)
        if quick:
            continue
        seeded = registers.copy(kind, LARGE)
        many = _run(seeded, 1, THEN)
        registers.drop(seeded)
        figures.figure(f"{kind} {LARGE // 1000}k, 1 variant, {THEN}", **many)
        figures.figure(f"{kind} memory of a rehearsal at 100k beyond that at 10k, MB", mb=round(many["grown_mb"] - few["grown_mb"], 1))


def variant(number: int) -> dict[str, Any]:
    """The n-th candidate: every rule differs from that of every other candidate and from the policy in force."""
    return {"limits": {rule.name: {"yellow": f"{7 + 2 * number}d", "red": f"{20 + 3 * number}d"} for rule in RULES}}


def _run(seeded: Seeded, variants: int, knowledge: str) -> dict[str, Any]:
    called = [sys.executable, "-m", "tests.bench.rehearse", seeded.url, str(variants), knowledge]
    done = subprocess.run(called, cwd=ROOT, capture_output=True, text=True, timeout=3600, check=False)
    if done.returncode:
        raise RuntimeError(f"the rehearsal failed: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main(url: str, variants: int, knowledge: str) -> None:
    """Rehearse on a register and print what it took as JSON."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    settings = Settings(database_url=url, dev=True, worker=False, secret_key="bench", audit_key="bench")
    house = build_house(settings, FixedClock(settings.zone, MORNING), Database(url))
    with house.database.snapshot() as connection:
        everybody = scope(connection, EVERYBODY)
    before, began = memory(), time.perf_counter()
    said = rehearse(house, Asked([(f"v{number}", variant(number)) for number in range(variants)], knowledge=knowledge), everybody)
    took, grown = time.perf_counter() - began, memory() - before
    size = len(dumps(said))
    house.database.dispose()
    assert len(said["variants"]) == variants + 1 and all(one["opened"] for one in said["variants"])
    opened, mails = said["variants"][0]["opened"], said["variants"][0]["mails"]["mean"]
    print(
        json.dumps(
            {"seconds": round(took, 1), "grown_mb": round(grown, 1), "json_mb": round(size / 1e6, 1), "opened": opened, "mails": mails}
        )
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
