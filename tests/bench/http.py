"""Over HTTP: the full read of one project and the stage report, each with its token check, at 32 and at 200 connections."""

from __future__ import annotations

from tests.bench.load import Load, Reads, Reports, Service, median, service
from tests.bench.reference import Reference, Rows
from tests.bench.registers import KINDS, Registers
from tests.bench.seed import Seeded
from tests.bench.table import Figures

PROJECTS, FRESH = 20_000, 80_000
FEW, MANY = 32, 200


def measure(registers: Registers, figures: Figures, *, quick: bool) -> None:
    """Own figures on both databases, then the reference lines."""
    rounds, seconds = (2, 2) if quick else (4, 5)
    for kind in KINDS:
        print(f"  http, {kind}", flush=True)
        _own(registers, figures, kind, rounds, seconds)
    reference = Reference(registers)
    if reference.missing:
        print(f"  no reference lines: {reference.missing}", flush=True)
        return
    print("  http against the reference (default durability on the same server)", flush=True)
    _against(registers, figures, reference, 3 if quick else 5, seconds + 1)


def _own(registers: Registers, figures: Figures, kind: str, rounds: int, seconds: float) -> None:
    seeded = registers.copy(kind, PROJECTS, FRESH)
    reports = _reports(registers, seeded)
    with service(seeded.url) as running:
        for name, work in (("read", Reads(seeded)), ("report", reports)):
            running.load(work, FEW, 1)
            few, many = _both(running, work, rounds, seconds)
            for connections, load in ((FEW, few), (MANY, many)):
                figures.figure(
                    f"{kind} {name}, {connections} connections", per_second=round(load.rate), p50_ms=load.p50, p99_ms=load.p99,
                    errors=load.errors, cpu_us=round(load.cpu_us),
                )  # fmt: skip
            clean = few.errors == many.errors == 0 and reports.used < FRESH
            what = f"{kind}: {name} at {MANY} connections / at {FEW}"
            figures.ratio(what, many.rate if clean else 0, few.rate, at_least=0.9, note="" if clean else "errors: see the figures")
        figures.figure(f"{kind} memory after the run", mb=round(running.memory(), 1))
    registers.drop(seeded)


def _reports(registers: Registers, seeded: Seeded) -> Reports:
    return Reports(seeded, FRESH, registers.folder / f"next-{seeded.url.rsplit('/', 1)[1]}")


def _both(running: Service, work: Reads | Reports, rounds: int, seconds: float) -> tuple[Load, Load]:
    few, many = [], []
    for turn in range(rounds):
        for connections in (FEW, MANY) if turn % 2 == 0 else (MANY, FEW):
            (few if connections == FEW else many).append(running.load(work, connections, seconds))
    return median(few), median(many)


def _against(registers: Registers, figures: Figures, reference: Reference, rounds: int, seconds: int) -> None:
    seeded = registers.copy("postgresql", PROJECTS, FRESH)
    rows = reference.run("get", "postgresql", ["a_core", "a_orm_dep"], Reads(seeded), rounds=rounds, seconds=seconds)
    _note(figures, "postgresql: full read", rows, {"a_core": 1.0, "a_orm_dep": 1.7})
    reports = _reports(registers, seeded)
    rows = reference.run("write", "postgresql", ["w_pg_orm_dep", "w_pg_asyncpg_one"], reports, rounds=rounds, seconds=seconds)
    _note(figures, "postgresql: stage report", rows, {"w_pg_orm_dep": 2.5, "w_pg_asyncpg_one": 0.3}, reports)
    registers.drop(seeded)
    seeded = registers.copy("sqlite", PROJECTS, FRESH)
    reports = _reports(registers, seeded)
    rows = reference.run("write", "sqlite", ["w_sqlite_raw_lock"], reports, rounds=rounds, seconds=seconds)
    _note(figures, "sqlite: stage report", rows, {"w_sqlite_raw_lock": 0.5}, reports)
    registers.drop(seeded)


def _note(figures: Figures, what: str, rows: Rows, targets: dict[str, float], reports: Reports | None = None) -> None:
    for row in rows.values():
        figures.figure(f"{what}, {row['variant']}", **{name: row[name] for name in ("rps", "p50_ms", "p99_ms", "bad", "cpu_us", "spread")})
    ours = rows.get("service")
    for variant, target in targets.items():
        theirs = rows.get(variant)
        # the reference refuses the few requests that meet on one project; the service's are all on different ones
        clean = ours is not None and ours["bad"] == 0 and (reports is None or reports.used < FRESH) and theirs is not None
        if not clean or ours is None or theirs is None:
            figures.ratio(f"{what} / {variant}", 0, 0, at_least=target, note="errors or no figures")
            continue
        cpu = theirs["cpu_us"] / max(ours["cpu_us"], 1)
        odd = max(cpu, ours["rps"] / theirs["rps"]) / min(cpu, ours["rps"] / theirs["rps"]) > 1.5
        note = f"by processor time {cpu:.2f}" + (", repeat: the two disagree" if odd else "")
        figures.ratio(f"{what} / {variant}", ours["rps"], theirs["rps"], at_least=target, note=note)
