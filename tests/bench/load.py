"""The service as a process of its own, and load on it over HTTP: with wrk where there is one, else with a small loader."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.bench.seed import NOW, Seeded, fresh_ref, ref
from tests.bench.stories import TODAY

ROOT = Path(__file__).resolve().parents[2]
BLOCK = 200
"""Refs that a run of the loader takes at a time from the counter, so that no ref is signed twice."""
_DONE = """
done=function(s,l,r) io.write(string.format("RES %d %d %.1f %.1f %d %d\\n", s.requests, s.duration, l:percentile(50), l:percentile(99),
  s.errors.status, s.errors.connect+s.errors.read+s.errors.timeout)) end
"""


def _bearer(seeded: Seeded) -> str:
    return f'["Authorization"]="Bearer {seeded.county_token}"'


class Load(NamedTuple):
    """One measured stretch; times in milliseconds, `cpu_us` of the service process per request."""

    rate: float
    p50: float
    p99: float
    errors: int
    cpu_us: float


@dataclass
class Reads:
    """Full reads of single projects, each of another one."""

    seeded: Seeded

    def request(self, number: int) -> tuple[str, str, str]:
        return "GET", f"/api/v1/projects/{ref(number * 7919 % self.seeded.projects + 1)}", ""

    def lua(self) -> str:
        count = self.seeded.projects
        return (
            f"local n = math.random({count})\nlocal h = {{{_bearer(self.seeded)}}}\n"
            f"function request() n = n + 7919\n"
            f"  return wrk.format('GET', string.format('/api/v1/projects/P-%07d', n % {count} + 1), h) end\n"
        )


@dataclass
class Reports:
    """Stage reports: every request signs another young intent with its contract. Says so when it runs out of them."""

    seeded: Seeded
    fresh: int
    counter: Path
    _next: int = 0

    def body(self) -> str:
        proof = {"kind": "formal_contract", "number": "HT-2026-001", "dated_on": TODAY.isoformat()}
        amount = {"amount": "50000000.00", "currency": "CNY"}
        move = {"action": "sign", "effective_on": TODAY.isoformat(), "contract_amount": amount, "evidence": [proof], "note": "benchmark"}
        return json.dumps(move)

    def request(self, number: int) -> tuple[str, str, str]:
        self._next += 1
        return "POST", f"/api/v1/projects/{fresh_ref(self._next)}/moves", self.body()

    def lua(self) -> str:
        return (
            f'local b = [[{self.body()}]]\nlocal h = {{{_bearer(self.seeded)}, ["Content-Type"]="application/json"}}\n'
            "local at, last = 0, 0\n"
            "local function block()\n"
            f'  local f = io.open("{self.counter}", "r"); at = f and f:read("n") or 0; if f then f:close() end; last = at + {BLOCK}\n'
            f'  f = io.open("{self.counter}", "w"); f:write(last); f:close()\n'
            "end\n"
            "function request() if at >= last then block() end; at = at + 1\n"
            "  return wrk.format('POST', string.format('/api/v1/projects/N-%07d/moves', at), h, b) end\n"
        )

    @property
    def used(self) -> int:
        """How many refs are gone."""
        return max(self._next, int(self.counter.read_text()) if self.counter.exists() else 0)


@dataclass
class Pages:
    """One list page, asked for again and again."""

    seeded: Seeded
    path: str

    def request(self, number: int) -> tuple[str, str, str]:
        return "GET", self.path, ""

    def lua(self) -> str:
        return f'function request() return wrk.format("GET", "{self.path}", {{{_bearer(self.seeded)}}}) end\n'


def environment(url: str, folder: Path) -> dict[str, str]:
    """The settings of a service on this database, at the bench's time of day."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LUODI_")}
    return kept | {
        "LUODI_DATABASE_URL": url,
        "LUODI_DEV": "true",
        "LUODI_CLOCK": NOW.isoformat(),
        "LUODI_VAR_DIR": str(folder),
        "LUODI_LOG_LEVEL": "ERROR",
        "LUODI_RATE_PER_MINUTE": "0",  # one token asks for everybody
        "LUODI_REFUSALS_PER_MINUTE": "0",
    }


def command() -> list[str]:
    """How `make run` starts the service, without the daily worker."""
    return [str(Path(sys.executable).parent / "luodi"), "serve", "--no-worker"]


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Service:
    """A running service."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process, self.port = process, port

    def cpu(self) -> float:
        """CPU seconds the process has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """Resident memory in megabytes."""
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.process.pid}/status").read_text())
        return int(found[1]) / 1024 if found else 0.0

    def load(self, work: Reads | Reports | Pages, connections: int, seconds: float) -> Load:
        """Keep so many connections busy for so long."""
        before, began = self.cpu(), time.monotonic()
        if shutil.which("wrk"):
            requests, took, p50, p99, errors = self._wrk(work, connections, seconds)
        else:
            requests, took, p50, p99, errors = asyncio.run(_own(work, self.port, connections, seconds))
        used = self.cpu() - before
        return Load(requests / (took or time.monotonic() - began), p50, p99, errors, used / max(requests, 1) * 1e6)

    def _wrk(self, work: Reads | Reports | Pages, connections: int, seconds: float) -> tuple[int, float, float, float, int]:
        with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
            script.write("math.randomseed(os.time())\n" + work.lua() + _DONE)
            script.flush()
            called = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "30s", "--latency", "-s", script.name]
            said = subprocess.run(
                [*called, f"http://127.0.0.1:{self.port}"], capture_output=True, text=True, timeout=seconds + 60, check=False
            )
        found = re.search(r"RES (\d+) (\d+) ([\d.]+) ([\d.]+) (\d+) (\d+)", said.stdout)
        if found is None:
            raise RuntimeError(f"wrk said: {said.stdout} {said.stderr}")
        requests, micro, p50, p99, refused, broken = (float(one) for one in found.groups())
        return int(requests), micro / 1e6, p50 / 1000, p99 / 1000, int(refused + broken)


@contextmanager
def service(url: str) -> Iterator[Service]:
    """Start the service on a database, and end it again."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="luodi-bench-") as folder:
        process = subprocess.Popen(
            [*command(), "--port", str(port)],
            cwd=ROOT,
            env=environment(url, Path(folder)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        try:
            _wait(process, port)
            yield Service(process, port)
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
            return
        time.sleep(0.05)
    raise RuntimeError("the service did not start")


def median(loads: list[Load]) -> Load:
    """The middle of each figure; all errors."""
    middle = [statistics.median(one) for one in zip(*loads, strict=True)]
    return Load(middle[0], middle[1], middle[2], sum(one.errors for one in loads), middle[4])


async def _own(work: Reads | Reports | Pages, port: int, connections: int, seconds: float) -> tuple[int, float, float, float, int]:
    until = time.monotonic() + seconds
    began = time.monotonic()
    waits: list[float] = []
    errors = 0
    count = 0

    async def caller() -> None:
        nonlocal errors, count
        reader, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), 30)
        try:
            while time.monotonic() < until:
                count += 1
                method, path, body = work.request(count)
                head = f"{method} {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {work.seeded.county_token}\r\n"
                raw = body.encode()
                more = f"Content-Type: application/json\r\nContent-Length: {len(raw)}\r\n\r\n" if raw else "\r\n"
                asked = time.monotonic()
                writer.write(head.encode() + more.encode() + raw)
                answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
                length = re.search(rb"(?i)content-length: (\d+)", answer)
                await asyncio.wait_for(reader.readexactly(int(length[1]) if length else 0), 30)
                waits.append((time.monotonic() - asked) * 1000)
                errors += answer[9:10] != b"2"
        finally:
            writer.close()

    results = await asyncio.gather(*(caller() for _ in range(connections)), return_exceptions=True)
    errors += sum(isinstance(one, BaseException) for one in results)
    waits.sort()
    middle, worst = (waits[len(waits) // 2], waits[len(waits) * 99 // 100]) if waits else (0.0, 0.0)
    return len(waits), time.monotonic() - began, middle, worst, errors
