"""Loading ledgers: facts, chain, standings and clocks out of a file, beside ORM add_all of the very same rows; then once more, then
an export that comes back with some cells edited; and memory as files grow.

Each figure is a process of its own (`python -m tests.bench.ledger_loading WHAT ...`). add_all gets what an import has to find out:
the finished rows, with their numbers, as values; a thousand projects with all that is theirs are one commit. An import is told whole
and without its reading, which has a line of its own.
"""

from __future__ import annotations

import csv
import json
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.clock import FixedClock
from app.db import Database
from app.main import build_house
from app.offices.desk import House
from app.offices.models import Office
from app.projects.models import ClockRow, FactRow, Project, StandingRow
from app.settings import Settings
from tests.bench.daily import memory
from tests.bench.imports import empty_county
from tests.bench.load import ROOT
from tests.bench.registers import KINDS, Registers
from tests.bench.table import Figures

TABLES = (Project, FactRow, StandingRow, ClockRow)
TOGETHER = 1_000
EDITED = 20
"""Every so-manieth row of an export is edited."""
AT_LEAST = 5


def measure(registers: Registers, figures: Figures, ledger: Path, csvs: tuple[Path, Path], rounds: int) -> None:
    """Both databases: a ledger of all columns, and for memory a short and a long one of few columns."""
    for kind in KINDS:
        _loaded(registers, figures, kind, ledger, rounds)
        few, many = (_run("import", one, empty_county(registers, kind)) for one in csvs)
        told = {f"{name}_{size}": round(one[name], 1) for size, one in (("few", few), ("many", many)) for name in ("mb", "helpers_mb")}
        figures.figure(f"memory of an import, {kind}", **told)
        figures.ratio(f"memory of an import, ten times the rows, {kind}, MB more", many["mb"] - few["mb"], 1, at_most=20)
        figures.ratio(f"the same with its helpers, {kind}, MB more", many["mb"] + many["helpers_mb"] - few["mb"] - few["helpers_mb"], 1)


def _loaded(registers: Registers, figures: Figures, kind: str, file: Path, rounds: int) -> None:
    imports, added = [], []
    for _ in range(rounds):  # in turns, so that a busy minute touches both
        url, empty = empty_county(registers, kind), registers.empty(kind)
        imports.append(_run("import", file, url))
        added.append(_run("add_all", url, empty))
        registers.forget(empty)
        if len(imports) < rounds:
            registers.forget(url)
    whole, loading, bare = (statistics.median(one[key] for one in some) for some, key in
                            ((imports, "seconds"), (imports, "loading"), (added, "seconds")))  # fmt: skip
    rows = int(imports[0]["rows"])
    again = _run("import", file, url)
    back = _returned(file.parent / f"back-{kind}.csv", url)
    figures.figure(
        f"ledger of {rows:,} rows into {kind}", seconds=round(whole, 2), without_reading=round(loading, 2), add_all_seconds=round(bare, 2),
        rows_written=int(added[0]["rows"]), rows_per_second=round(rows / whole), unchanged_rows_per_second=round(rows / again["seconds"]),
        export_back_rows_per_second=round(rows / back["seconds"]), export_back_changed=back["change"],
    )  # fmt: skip
    assert not again["facts"]
    figures.ratio(f"{kind}: add_all of the rows / ledger of {rows:,} loaded", bare, loading, at_least=AT_LEAST)
    figures.ratio("the same, reading included", bare, whole)
    figures.ratio(f"{kind}: the same ledger again / the first time", again["seconds"], whole)
    figures.ratio(f"{kind}: an export comes back, one row in {EDITED} edited / the first time", back["seconds"], whole)
    registers.forget(url)


def _returned(path: Path, url: str) -> dict[str, float]:
    """The register's own export with some cells edited, taken in again."""
    _run("export", path, url)
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.reader(file))
    remark = lines[0].index("备注")
    for at in range(1, len(lines), EDITED):
        lines[at][remark] = f"已核对{at}"
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows(lines)
    found = _run("import", path, url)
    path.unlink()
    assert found["change"] == len(range(1, len(lines), EDITED)), found
    return found


def _run(what: str, *given: Path | str) -> dict[str, float]:
    called = [sys.executable, "-m", "tests.bench.ledger_loading", what, *map(str, given)]
    done = subprocess.run(called, cwd=ROOT, capture_output=True, text=True, timeout=3600, check=False)
    if done.returncode:
        raise RuntimeError(f"{what} failed: {done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


# one process each --------------------------------------------------------------------------------------------


def _house(url: str, folder: Path) -> House:
    from tests.bench.ledgers import NOW

    settings = Settings(database_url=url, var_dir=folder, dev=True, secret_key="bench", audit_key="bench")
    return build_house(settings, FixedClock(settings.zone, NOW))


def imported(file: str, url: str) -> dict[str, float]:
    """One import; `loading` leaves out what reading took: the child's time, and making rows of cells, both times."""
    from app.ledgers import running
    from app.ledgers.service import import_ledger
    from app.ledgers.understanding.reading import Reading

    read = 0.0

    def timed(work: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **more: Any) -> Any:
            nonlocal read
            began = time.perf_counter()
            try:
                return work(*given, **more)
            finally:
                read += time.perf_counter() - began

        return call

    def portions(self: Reading) -> Iterator[Any]:
        coming = rows(self)
        take = timed(lambda: next(coming, None))
        while (row := take()) is not None:
            yield row

    house = _house(url, Path(file).parent / "var")
    rows = Reading.rows
    running.open_workbook = timed(running.open_workbook)
    Reading.rows = portions  # type: ignore[method-assign]
    began = time.perf_counter()
    with _helpers() as helpers:
        told = import_ledger(house, Path(file), create_offices=True)
    seconds = time.perf_counter() - began
    assert told.state == "complete" and not told.counts.get("rejected"), told.text()
    counts = {name: told.counts.get(name, 0) for name in ("facts", "change")}
    return {
        "seconds": seconds,
        "loading": seconds - read,
        "mb": memory(),
        "helpers_mb": sum(helpers.values()),
        "rows": told.rows_done,
        **counts,
    }


@contextmanager
def _helpers() -> Iterator[dict[str, float]]:
    """The most that each process held which this one has started and which is there for half a second, by its number."""
    held: dict[str, float] = {}
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.5):
            with suppress(OSError, TypeError):  # something has ended meanwhile
                for pid in " ".join(one.read_text() for one in Path("/proc/self/task").glob("*/children")).split():
                    held[pid] = int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024  # type: ignore[index]

    watching = threading.Thread(target=look)
    watching.start()
    try:
        yield held
    finally:
        over.set()
        watching.join()


def exported(file: str, url: str) -> dict[str, float]:
    """The register's export."""
    from app.ledgers.exporting import export_ledger

    return {"rows": export_ledger(_house(url, Path(file).parent / "var"), Path(file))}


def added(full: str, empty: str) -> dict[str, float]:
    """The rows of a full register by add_all into an empty one; reading them is not counted."""
    source, target = Database(full), Database(empty)
    seconds, count = 0.0, 0
    with source.snapshot() as connection, Session(target.engine) as session:
        session.execute(sa.insert(Office), [dict(row) for row in connection.execute(sa.select(Office.__table__)).mappings()])
        session.commit()
        last = connection.scalar(sa.select(sa.func.max(Project.id)))
        for first in range(1, (last or 0) + 1, TOGETHER):
            values = []
            for model in TABLES:
                key = Project.id if model is Project else model.project_id
                query = sa.select(model.__table__).where(key >= first, key < first + TOGETHER)
                values.append((model, [dict(row) for row in connection.execute(query).mappings()]))
            began = time.perf_counter()
            for model, rows in values:
                session.add_all([model(**row) for row in rows])
                session.flush()  # projects first: nothing else tells the session of it
                count += len(rows)
            session.commit()
            seconds += time.perf_counter() - began
    return {"seconds": seconds, "rows": count}


def main(what: str, *given: str) -> None:
    """One of them; what it took as JSON."""
    print(json.dumps({"import": imported, "export": exported, "add_all": added}[what](*given)))


if __name__ == "__main__":
    main(*sys.argv[1:])
