"""The reference programs in the folder BENCH_REF, run as its README says and never copied. Without it: own figures only."""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.bench.load import ROOT, Reads, Reports, command, environment, free_port
from tests.bench.registers import Registers

PROJECTS = 20_000
Rows = dict[str, dict[str, Any]]


class Reference:
    """Runs reference variants and the service in one interleaved run, on the same PostgreSQL server."""

    def __init__(self, registers: Registers) -> None:
        self.registers = registers
        self.folder = (ROOT / os.environ.get("BENCH_REF", "../shared/bench")).resolve()
        self._databases: dict[str, str] = {}
        self._extra: Path | None = None

    @property
    def missing(self) -> str:
        """Why there are no reference lines; empty when there are."""
        if not (self.folder / "bench_http.py").exists():
            return f"BENCH_REF: no bench_http.py in {self.folder}"
        return "" if shutil.which("wrk") else "the reference programs need wrk on PATH"

    def run(self, kind: str, database: str, variants: list[str], work: Reads | Reports, *, rounds: int, seconds: int) -> Rows:
        """Medians by variant; "service" is ours. Empty when the programs fail."""
        script = self.registers.folder / "service.lua"
        script.write_text("math.randomseed(os.time())\n" + work.lua())
        wanted = [one for one in variants if "asyncpg" not in one or self._asyncpg()]
        arguments = ["--variants", ",".join([*wanted, "service"]), "--kind", kind, "--rounds", str(rounds), "--secs", str(seconds)]
        arguments += ["--n", str(PROJECTS), "--conns", "32", "--port", str(free_port()), "--sync", "FULL"]
        arguments += ["--pg" if database == "postgresql" else "--sqlite", self._database(database)]
        arguments += ["--service-cmd", shlex.join(command()) + " --port {port}", "--service-dir", str(ROOT), "--service-lua", str(script)]
        done = self._call("bench_http.py", arguments, environment(work.seeded.url, self.registers.folder / "var"), 600)
        if done.returncode:
            print(f"    the reference run failed: {done.stderr.strip().splitlines()[-1:]}", flush=True)
            return {}
        rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        return {row["variant"]: row for row in rows}

    def _database(self, kind: str) -> str:
        if kind not in self._databases:
            address = self.registers.cluster.new_database() if kind == "postgresql" else str(self.registers.folder / "reference.db")
            flag = "--pg" if kind == "postgresql" else "--sqlite"
            done = self._call("schema.py", ["--n", str(PROJECTS), flag, address], dict(os.environ), 300)
            if done.returncode:
                raise RuntimeError(f"the reference schema failed: {done.stderr[-500:]}")
            self._databases[kind] = address
        return self._databases[kind]

    def _call(self, program: str, arguments: list[str], env: dict[str, str], seconds: float) -> subprocess.CompletedProcess[str]:
        if self._extra is not None:
            env = env | {"PYTHONPATH": str(self._extra)}
        called = [sys.executable, str(self.folder / program), *arguments]
        return subprocess.run(
            called, env=env | {"PYTHONDONTWRITEBYTECODE": "1"}, capture_output=True, text=True, timeout=seconds, check=False
        )

    def _asyncpg(self) -> bool:
        """The one package that only the reference needs, put beside the project and never into it."""
        if self._extra is None:
            self._extra = self.registers.folder / "extra"
            if importlib.util.find_spec("asyncpg") is None:
                called = [str(ROOT / ".uv" / "bin" / "python"), "-m", "pip", "install", "--quiet", "--target", str(self._extra), "asyncpg"]
                done = subprocess.run(called, capture_output=True, text=True, timeout=180, check=False)
                if done.returncode:
                    print("    asyncpg cannot be installed: its variants are left out", flush=True)
        return importlib.util.find_spec("asyncpg") is not None or (self._extra / "asyncpg").exists()
