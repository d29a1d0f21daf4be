"""An export through a real spreadsheet program and in again: LibreOffice opens it, saves it as its own, and nothing has changed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from app.ledgers.understanding.reading import read_ledger
from tests.ledgers.conftest import Register
from tests.ledgers.test_ledger_export import comes_back, fill, give, hostile, whole
from tests.ledgers.test_odd import CASES as ODD
from tests.ledgers.test_odd import projects_of
from tests.ledgers.test_offices import CASES as OFFICES
from tests.ledgers.workbooks import xlsx


def saved_by_office(path: Path, kind: str) -> Path:
    """The file as LibreOffice writes it."""
    office = shutil.which("soffice")
    assert office, "this test needs LibreOffice: apt-get install libreoffice-calc"
    out = path.parent / f"saved-{kind}"
    options = [f"-env:UserInstallation=file://{out}/profile", "--headless", "--convert-to", kind, "--outdir", str(out)]
    if path.suffix == ".csv":
        options.append("--infilter=CSV:44,34,76,1")  # commas, quotes, UTF-8: what the dialog asks a person
    subprocess.run([office, *options, str(path)], check=True, capture_output=True, timeout=100)
    return out / f"{path.stem}.{kind}"


@pytest.mark.long
@pytest.mark.parametrize("kind", ["xlsx", "ods", "xls"])
def test_a_workbook_that_a_spreadsheet_program_saved_brings_nothing_new(register: Register, kind: str) -> None:
    fill(register)
    rows = 10 + hostile(register)
    comes_back(register, saved_by_office(give(register), kind), rows)
    whole(register)


@pytest.mark.long
def test_a_csv_that_a_spreadsheet_program_saved_as_a_workbook_finds_its_projects(register: Register) -> None:
    """It takes cells of a CSV for what they look like: dates and numbers come back as such, and mean the same."""
    fill(register)
    comes_back(register, saved_by_office(give(register, "台账.csv"), "xlsx"), 10)


@pytest.mark.long
@pytest.mark.parametrize("kind", ["ods", "xls", "csv"])
def test_odd_ledgers_that_a_spreadsheet_program_saved_are_read_alike(tmp_path: Path, kind: str) -> None:
    """All of test_odd.py and test_offices.py, every second one counting days from 1904; a .csv in GB18030 with semicolons."""
    office = shutil.which("soffice")
    assert office, "this test needs LibreOffice: apt-get install libreoffice-calc"
    cases = [case for case in (*ODD.values(), *OFFICES.values()) if kind != "csv" or len(case.pages) == 1]
    for number, case in enumerate(cases):
        (tmp_path / f"{number}.xlsx").write_bytes(xlsx(*case.pages, date1904=number % 2 == 1))
    to = "csv:Text - txt - csv (StarCalc):59,34,76,1" if kind == "csv" else kind
    options = [f"-env:UserInstallation=file://{tmp_path}/profile", "--headless", "--convert-to", to, "--outdir", str(tmp_path)]
    files = [str(tmp_path / f"{number}.xlsx") for number in range(len(cases))]
    subprocess.run([office, *options, *files], check=True, capture_output=True, timeout=150)
    for number, case in enumerate(cases):
        data = (tmp_path / f"{number}.{kind}").read_bytes()
        ledger = read_ledger(data.decode().encode("gb18030") if kind == "csv" else data)
        assert projects_of(ledger) == case.projects
