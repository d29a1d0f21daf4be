"""Writing ledgers: 100,000 × 12 beside bare XlsxWriter, the whole way out of a register, and memory as the register grows.

Each figure is a process of its own (`python -m tests.bench.ledger_exports WHAT ROWS [URL]`). Writers get the same cells, made
beforehand; XlsxWriter writes in constant_memory both times. The way out of a register is told in parts: reading and rendering, writing.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import xlsxwriter

from app.clock import ShiftedClock
from app.db import Database
from app.ledgers.columns import COLUMNS
from app.ledgers.ledger_book import _Ledger
from app.lists import columns, files
from app.main import build_house
from app.settings import Settings
from tests.bench.daily import memory
from tests.bench.load import ROOT
from tests.bench.registers import KINDS, Registers
from tests.bench.seed import NOW
from tests.bench.table import Figures

WIDTH, ROUNDS = 12, 3
FEW, MANY = 10_000, 100_000
_FIRST = date(2021, 1, 1)
_MADE = datetime(2026, 6, 10, tzinfo=UTC)


def measure(registers: Registers, figures: Figures, *, quick: bool = False) -> None:
    """The writers on the same cells; then whole exports of two sizes on both databases."""
    rows = FEW if quick else MANY
    for name in ("ledger", "list"):
        found: dict[str, list[dict[str, float]]] = {f"{name}-bare": [], name: []}
        for _ in range(ROUNDS):  # in turns, so that a busy minute touches both
            for what in found:
                found[what].append(_run(what, rows))
        ours, bare = (
            {key: statistics.median(one[key] for one in found[what]) for key in ("cpu", "seconds")} for what in (name, f"{name}-bare")
        )
        figures.figure(f"{name} of {rows:,} × {WIDTH} written", seconds=round(ours["seconds"], 2), bare_seconds=round(bare["seconds"], 2))
        figures.ratio(f"{name} {rows:,} × {WIDTH}: written / XlsxWriter constant_memory, CPU", ours["cpu"], bare["cpu"], at_most=1.15)
        figures.ratio("the same, wall clock", ours["seconds"], bare["seconds"], at_most=1.15)
    sizes = (FEW // 10, FEW) if quick else (FEW, MANY)
    for kind in KINDS:
        held = []
        for projects in sizes:
            seeded = registers.copy(kind, projects)
            whole, csv, read = (_run(what, projects, seeded.url) for what in ("xlsx", "csv", "read"))
            figures.figure(
                f"ledger of {projects:,} projects out of {kind}", xlsx_seconds=round(whole["seconds"], 1),
                csv_seconds=round(csv["seconds"], 1), read_and_rendered_seconds=round(read["seconds"], 1),
                rows_per_second=round(projects / whole["seconds"]), mb=round(whole["mb"], 1),
            )  # fmt: skip
            assert whole["rows"] == csv["rows"] == read["rows"] == projects
            held.append(whole["mb"])
            registers.drop(seeded)
        figures.ratio(f"memory of an export, {sizes[1]:,} / {sizes[0]:,} projects, {kind}", held[1], held[0], at_most=1.15)


def lines(rows: int) -> list[dict[str, Any]]:
    """The first twelve cells of a believable ledger, as an export renders them."""
    return [
        {
            "seq": n + 1, "project_no": f"T{n % 20:02d}-2025-{n:06d}", "town": f"示例{n % 20:02d}镇",
            "project_name": f"年产{n}万吨新材料生产项目", "investor": f"示例投资方{n % 5_000:04d}有限公司", "industry": "新材料",
            "agreement": "正式合同", "needs_new_land": "租赁厂房",
            "signed_date": _FIRST + timedelta(days=n % 1_700), "amount": Decimal(1_000 + n % 9_000),
            "fixed_asset_amount": Decimal(n % 7_000), "funds_in_place": Decimal(n % 90_000) / 100,
        }
        for n in range(rows)
    ]  # fmt: skip


def shown(rows: int) -> list[dict[str, Any]]:
    """Projects as the API prints them, as far as the twelve columns of a list go."""
    return [
        {
            "ref": f"T{n % 20:02d}-2025-{n:06d}", "name": f"年产{n}万吨新材料生产项目", "office": {"name": f"示例{n % 20:02d}镇"},
            "investor": f"示例投资方{n % 5_000:04d}有限公司", "industry": "新材料", "route": "leased", "credit_code": f"91990000EX{n:07d}A",
            "contract_amount": {"amount": f"{1_000 + n % 9_000}0000.00", "currency": "CNY"},
            "funds_in_place": {"amount": f"{n % 900}0000.00", "currency": "CNY"}, "stage_label": "签约", "signed_on": _FIRST,
        }
        for n in range(rows)
    ]  # fmt: skip


_NAMES = (
    "项目编号",
    "项目名称",
    "镇区",
    "投资方",
    "产业类别",
    "落地方式",
    "统一社会信用代码",
    "协议投资额",
    "币种",
    "到位资金",
    "当前阶段",
    "签约时间",
)
LIST = tuple(one for one in columns.PROJECTS if one.header in _NAMES)
assert len(LIST) == WIDTH


def bare(file: Any, cells: Sequence[Sequence[Any]], folder: str) -> None:
    """The same cells, each with the call that is for it, and nothing else."""
    book = xlsxwriter.Workbook(file, {"constant_memory": True, "tmpdir": folder})
    sheet, day, money = book.add_worksheet(), book.add_format({"num_format": "yyyy-mm-dd"}), book.add_format({"num_format": "#,##0.00"})
    for at, row in enumerate(cells):
        for place, cell in enumerate(row):
            if isinstance(cell, str):
                sheet.write_string(at, place, cell)
            elif isinstance(cell, date):
                sheet.write_datetime(at, place, cell, day)
            else:
                sheet.write_number(at, place, cell, money)
    book.close()


def _run(what: str, rows: int, url: str = "") -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.ledger_exports", what, str(rows), url], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _writer(what: str, rows: int) -> Callable[[Any, str], None]:
    """What writes the cells into a file, with everything made that is to be written."""
    fields = [column.field for column in COLUMNS[:WIDTH]]
    if what == "ledger":
        cells = lines(rows)

        def ledger(file: Any, folder: str) -> None:
            with files.opened(file, "台账", _MADE) as book:
                _Ledger(book, COLUMNS[:WIDTH], ["示例1镇"]).fill([cells])

        return ledger
    if what == "list":
        listed = shown(rows)

        def written(file: Any, folder: str) -> None:
            with files.opened(file, "项目清单", _MADE) as book:
                files.Sheets(book, LIST, "项目清单").fill([listed])

        return written
    plain: list[list[Any]] = (
        [[line[name] for name in fields] for line in lines(rows)]
        if what == "ledger-bare"
        else [[column.value(row) for column in LIST] for row in shown(rows)]
    )
    plain = [[float(cell) if isinstance(cell, Decimal) else cell for cell in row] for row in plain]
    return lambda file, folder: bare(file, plain, folder)


def main(what: str, rows: str, url: str = "") -> None:
    """One figure as JSON."""
    count = int(rows)
    with tempfile.TemporaryDirectory() as folder:
        if url:
            from app.ledgers.exporting import asked, everywhere, export_ledger
            from app.ledgers.exporting import lines as rendered

            settings = Settings(database_url=url, dev=True, worker=False, secret_key="bench", audit_key="bench")
            house = build_house(settings, ShiftedClock(settings.zone, NOW), Database(url))
            began, used = time.perf_counter(), time.process_time()
            if what == "read":
                with house.database.snapshot() as connection:
                    count = sum(len(chunk) for chunk in rendered(asked(house, connection, everywhere(connection, None), None)))
            else:
                count = export_ledger(house, Path(folder) / f"ledger.{what}")
        else:
            write = _writer(what, count)
            with open(Path(folder) / "file.xlsx", "wb") as file:
                began, used = time.perf_counter(), time.process_time()
                write(file, folder)
        told = {"seconds": time.perf_counter() - began, "cpu": time.process_time() - used, "mb": memory(), "rows": count}
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
