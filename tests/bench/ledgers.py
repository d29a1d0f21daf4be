"""Reading ledgers: parse and validate beside the bare parser, and memory as a file grows.

Each figure is a process of its own (`python -m tests.bench.ledgers WHAT FILE`): processor seconds of it and of its children, and the
most memory it held. The bare parser reads the same file in the process itself, without a child.
"""

from __future__ import annotations

import csv
import json
import resource
import statistics
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import xlsxwriter

from app.ledgers.columns import COLUMNS
from app.ledgers.understanding.codes import credit_code_fits
from tests.bench import ledger_exports, ledger_loading
from tests.bench.daily import memory
from tests.bench.load import ROOT
from tests.bench.registers import Registers
from tests.bench.table import Figures

ROWS, QUICK, ROUNDS = 20_000, 5_000, 5
FEW, MANY = 10_000, 100_000
FIELDS = tuple(column for column in COLUMNS if column.field not in ("signal", "planned_finish", "problem", "next_step", "resp_leader",
               "liaison_leader", "introducer", "updated", "operating_date", "remark"))  # fmt: skip
"""25 of the 35 columns."""
_STAGES = ("签约", "签约", "落地", "开工", "投产")
_FIRST = date(2021, 1, 1)
NOW = datetime(2026, 6, 10, 2, tzinfo=UTC)


def measure(registers: Registers, figures: Figures, *, quick: bool = False) -> None:
    """20,000 × 25 as .xlsx, and .csv of ten and a hundred thousand rows (an .xlsx of that length is larger than an upload may be)."""
    rows, rounds = (QUICK, 3) if quick else (ROWS, ROUNDS)
    file = registers.folder / "ledger.xlsx"
    write_xlsx(file, rows)
    found: dict[str, list[dict[str, float]]] = {"bare": [], "read": []}
    for _ in range(rounds):  # in turns, so that a busy minute touches both
        for what in found:
            found[what].append(_run(what, file))
    middle = {what: {key: statistics.median(one[key] for one in every) for key in every[0]} for what, every in found.items()}
    for what, values in middle.items():
        figures.figure(f"ledger of {rows:,} × {len(FIELDS)}, {what}", **{key: round(value, 3) for key, value in values.items()})
    figures.ratio(f"ledger {rows:,} × {len(FIELDS)}: parse and validate / calamine, CPU", middle["read"]["cpu"], middle["bare"]["cpu"],
                  at_most=2)  # fmt: skip
    figures.ratio("the same, wall clock", middle["read"]["seconds"], middle["bare"]["seconds"], at_most=2)
    file.unlink()
    _imports(registers, figures, quick=quick)
    held = {}
    for rows in (FEW, MANY):
        file = registers.folder / f"ledger-{rows}.csv"
        write_csv(file, rows)
        held[rows] = _run("read", file)
        file.unlink()
    grown = held[MANY]["mb"] - held[FEW]["mb"]
    figures.figure("ledger as it grows", **{f"mb_at_{rows}": round(one["mb"], 1) for rows, one in held.items()}, grown_mb=round(grown, 1),
                   child_mb_at_most=round(held[MANY]["child_mb"], 1))  # fmt: skip
    figures.ratio(f"memory of the reading process, {MANY:,} / {FEW:,} rows", held[MANY]["mb"], held[FEW]["mb"], at_most=1.3)
    ledger_exports.measure(registers, figures, quick=quick)


def _imports(registers: Registers, figures: Figures, *, quick: bool) -> None:
    """A ledger into an empty register, beside the bare rows; and of few columns, as many rows as a file may have."""
    ledger, few, many = (registers.folder / name for name in ("import.xlsx", "few.csv", "many.csv"))
    write_xlsx(ledger, QUICK if quick else ROWS)
    write_csv(few, FEW // 10 if quick else FEW)
    write_csv(many, FEW if quick else MANY)
    ledger_loading.measure(registers, figures, ledger, (few, many), rounds=1 if quick else 2)
    for file in (ledger, few, many):
        file.unlink()


def ledger_rows(rows: int) -> Any:
    """The cells of a believable ledger."""
    for n in range(rows):
        day = _FIRST + timedelta(days=n % 1_700)
        cells = {
            "seq": n + 1, "project_no": f"SL{day.year}-{n:06d}", "town": f"示例{n * 20 // rows:02d}镇",
            "project_name": f"年产{n}万吨新材料生产项目",
            "investor": f"示例投资方{n % 5_000:04d}有限公司", "industry": "新材料", "agreement": "正式",
            "needs_new_land": "是" if n % 2 else "否",
            "signed_date": day, "amount": 1_000 + n % 9_000, "fixed_asset_amount": 600 + n % 7_000, "funds_in_place": n % 900,
            "land_mu": n % 200, "leased_sqm": "", "company": f"示例{n}有限公司", "credit_code": _code(n),
            "registered_date": day + timedelta(20),
            "project_code": f"2510-990000-04-01-{n:06d}", "filed_date": day + timedelta(40), "site_date": day + timedelta(80),
            "start_date": day + timedelta(120), "stage": _STAGES[n % 5], "progress": f"主体施工，完成{n % 100}%", "resp_unit": "招商办",
            "owner": "张某",
        }  # fmt: skip
        yield [cells[column.field] for column in FIELDS]


def _code(n: int) -> str:
    body = f"91990000EX{n:07d}"
    return next(body + last for last in "0123456789ABCDEFGHJKLMNPQRTUWXY" if credit_code_fits(body + last))


def _header() -> list[str]:
    return [column.title + (f"（{column.unit}）" if column.unit else "") for column in FIELDS]


def write_xlsx(path: Path, rows: int) -> None:
    book = xlsxwriter.Workbook(str(path), {"constant_memory": True, "default_date_format": "yyyy-mm-dd"})
    sheet = book.add_worksheet("台账")
    sheet.write_row(0, 0, _header())
    for at, cells in enumerate(ledger_rows(rows), 1):
        sheet.write_row(at, 0, cells)
    book.close()


def write_csv(path: Path, rows: int) -> None:
    """With eight columns only: a hundred thousand rows have to stay below the limit of a file."""
    kept = [place for place, column in enumerate(FIELDS) if column.field in ("town", "project_name", "signed_date", "amount", "stage")]
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow([_header()[place] for place in kept])
        for cells in ledger_rows(rows):
            out.writerow([str(cells[place]) for place in kept])


def _run(what: str, file: Path) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.ledgers", what, str(file)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main(what: str, path: str) -> None:
    """One reading of a file; prints what it took as JSON."""
    if what == "bare":
        from python_calamine import CalamineWorkbook

        began, used = time.perf_counter(), time.process_time()
        count = len(CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()) - 1
    else:
        from app.ledgers.sheets.workbook import open_workbook
        from app.ledgers.understanding.reading import Reading

        began, used = time.perf_counter(), time.process_time()
        with open_workbook(Path(path)) as book:
            reading = Reading(book)
            count = sum(1 for _ in reading.rows())
        assert not reading.counts, reading.counts
    own = time.process_time() - used
    child = resource.getrusage(resource.RUSAGE_CHILDREN)
    told = {
        "seconds": time.perf_counter() - began,
        "cpu": own + child.ru_utime + child.ru_stime,
        "mb": memory(),
        "child_mb": child.ru_maxrss / 1024,
    }
    print(json.dumps({**told, "rows": count}))


if __name__ == "__main__":
    main(*sys.argv[1:])
