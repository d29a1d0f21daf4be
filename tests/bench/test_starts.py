"""The bench is run by hand and seldom: that it can start at all is seen here."""

import subprocess
import sys

from tests.bench.load import ROOT


def test_the_bench_starts() -> None:
    for module in ("tests.bench", "tests.bench.daily", "tests.bench.imports", "tests.bench.rehearse"):
        asked = ["-c", f"import {module}"] if "." in module.removeprefix("tests.") else ["-m", module, "--help"]
        done = subprocess.run([sys.executable, *asked], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
