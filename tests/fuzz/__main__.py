"""`make fuzz`: FUZZ_SECONDS (an hour) of generated requests at real server processes, half on SQLite and half on PostgreSQL.

Two callers at once, two server processes with the daily worker inside. Every fault is told once, with its seed and a curl
command, and the run goes on; at the end the register must be whole. Exit 1 when there was a fault.
FUZZ_KINDS=postgresql takes one database only; FUZZ_SEED makes the same run again, as far as two callers at once can.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx

from app.clock import clock_for
from app.db import Database, migrate
from app.main import build_house
from tests.bench.load import free_port
from tests.cast import found_county, make_settings
from tests.fuzz.sender import MODES, Sender, found_people
from tests.invariants import check_invariants
from tests.postgres import Cluster

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES, CALLERS, PROCESSES = 25, 2, 2
LUODI = str(Path(sys.executable).parent / "luodi")


def call(address: str, tokens: dict[str, str], seconds: float, first: int) -> int:
    """One caller: round after round through all operations until the time is over; the number of kinds of faults."""
    with httpx.Client(base_url=address + "/api/v1", headers={"Authorization": f"Bearer {tokens['officer']}"}, trust_env=False) as client:
        today = date.fromisoformat(client.get("/me").json()["today"])
        sender = Sender(address, tokens | {"a stranger": "0123456789ab.nothing"}, today)
        for turn in range(20):
            body = {"name": f"项目{turn}", "office": ("T01", "T02")[turn % 2], "effective_on": (today - timedelta(days=400)).isoformat()}
            sender.known["ref"].append(client.post("/projects", json=body).json()["ref"])
    until, number, told = time.monotonic() + seconds, first, set()
    dice = random.Random(first)
    while time.monotonic() < until:
        operations = list(sender.operations())
        dice.shuffle(operations)
        for operation in operations:
            for mode in MODES:
                number += 1
                if time.monotonic() > until:
                    break
                try:
                    sender.fire(operation, mode, EXAMPLES, number)
                except Exception as error:
                    said = str(error)
                    kind = (operation.label, said.partition("\n")[0][:80], "".join(said.splitlines()[2:4])[:120])
                    if kind not in told:
                        told.add(kind)
                        print(f"FAULT seed {number} {operation.label} {mode.value} {type(error).__name__}\n{said[:3000]}", flush=True)
    done = {label: count for (label, status), count in sender.sent.items() if status == 201 or (status == 200 and "PATCH" in label)}
    statuses = Counter[int]()
    for (_, status), count in sender.sent.items():
        statuses[status] += count
    sender.close()
    print(f"{sender.sent.total()} requests, {dict(sorted(statuses.items()))}, written: {done}", flush=True)
    return len(told)


def fuzz(kind: str, seconds: float, seed: int, folder: Path) -> int:
    """One database: the service started, fired at, stopped, and what it left behind looked at; the number of faults."""
    cluster = Cluster.start_new() if kind == "postgresql" else None
    url = cluster.new_database() if cluster else f"sqlite:///{folder}/fuzz.db"
    try:
        migrate(url)
        house = build_house(make_settings(url, folder))
        tokens = found_county(house) | found_people(house)
        house.database.dispose()
        (folder / "tokens.json").write_text(json.dumps(tokens))
        return _under_fire(kind, url, seconds, seed, folder) + _whole(url, folder)
    finally:
        if cluster:
            cluster.remove()


def environment(url: str, folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LUODI_")}
    return kept | {
        "LUODI_DATABASE_URL": url, "LUODI_VAR_DIR": str(folder / "var"), "LUODI_SMTP_URL": f"file:{folder}/mail", "LUODI_DEV": "true",
        "LUODI_AUDIT_KEY": "a" * 32, "LUODI_SECRET_KEY": "s" * 32, "LUODI_RATE_PER_MINUTE": "0", "LUODI_REFUSALS_PER_MINUTE": "0",
        "LUODI_DAILY_AT": "00:00", "LUODI_DAILY_DEADLINE": "23:59",
        "LUODI_ALLOWED_WEBHOOK_HOSTS": "robots.invalid",  # nobody is ever called
    }  # fmt: skip


def _under_fire(kind: str, url: str, seconds: float, seed: int, folder: Path) -> int:
    port, log = free_port(), folder / "server.log"
    address = f"http://127.0.0.1:{port}"
    with log.open("w") as said:
        command = [LUODI, "serve", "--port", str(port), "--workers", str(PROCESSES)]
        server = subprocess.Popen(command, env=environment(url, folder), cwd=ROOT, stdout=said, stderr=said, start_new_session=True)
        try:
            _wait(address, server, log)
            callers = [
                subprocess.Popen(
                    [sys.executable, "-m", "tests.fuzz", address, str(folder), str(seconds), str(seed + turn * 10**6)], cwd=ROOT
                )
                for turn in range(CALLERS)
            ]
            faults = sum(one.wait() != 0 for one in callers)
            healthy = httpx.get(address + "/readyz", trust_env=False, timeout=30).status_code == 200
        finally:
            server.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                server.wait(40)
            if server.poll() is None:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()
    lines = log.read_text(errors="replace").splitlines()
    loud = [line for line in lines if " ERROR " in line or "Traceback" in line or "job failed" in line or "CRITICAL" in line]
    print(f"{kind}: {len(loud)} loud lines of {len(lines)} in the server's log; ready at the end: {healthy}")
    print("\n".join(loud[:20]))
    again = sum("once more" in line for line in lines)
    print(f"{kind}: {again} transactions were done again")
    return faults + bool(loud) + (not healthy)


def _wait(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and server.poll() is None:
        with suppress(httpx.TransportError):
            if httpx.get(address + "/readyz", trust_env=False).status_code == 200:
                return
        time.sleep(0.1)
    raise RuntimeError(f"the service did not start: {log.read_text(errors='replace')[-3000:]}")


def _whole(url: str, folder: Path) -> int:
    """The next daily run (today's is over, and facts came after it), then everything a register at rest must be."""
    faults = 0
    tomorrow = clock_for(make_settings(url, folder)).today() + timedelta(days=1)
    for command in (["daily", "--date", tomorrow.isoformat()], ["rebuild", "--check"], ["audit", "verify"]):
        done = subprocess.run([LUODI, *command], env=environment(url, folder), cwd=ROOT, capture_output=True, text=True, check=False)
        print(" ".join(command), "exit", done.returncode, (done.stdout or done.stderr).strip()[-300:].replace("\n", "; "), flush=True)
        faults += done.returncode != 0
    database = Database(url)
    with database.snapshot() as connection:
        check_invariants(connection)
        facts = connection.exec_driver_sql("SELECT count(*) FROM fact").scalar()
    database.dispose()
    print(f"whole: {facts} facts, invariants hold", flush=True)
    return faults


def main(given: list[Any]) -> None:
    if given:
        address, folder, seconds, seed = given
        sys.exit(1 if call(address, json.loads((Path(folder) / "tokens.json").read_text()), float(seconds), int(seed)) else 0)
    seconds = float(os.environ.get("FUZZ_SECONDS", "3600"))
    kinds = os.environ.get("FUZZ_KINDS", "sqlite,postgresql").split(",")
    seed = int(os.environ.get("FUZZ_SEED", random.SystemRandom().randrange(10**6)))
    print(f"seed {seed}, {seconds / len(kinds):.0f} s on each of {', '.join(kinds)}", flush=True)
    faults = 0
    for kind in kinds:
        with tempfile.TemporaryDirectory(prefix="luodi-fuzz-") as folder:
            faults += fuzz(kind, seconds / len(kinds), seed, Path(folder))
    print("faults:", faults)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
