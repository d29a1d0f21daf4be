"""docker-compose.yml and the units of systemd: there is no engine where the tests run, so the files are read, and every setting
and command in them is compared with the program's own."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from app.alerts.fates import LEASE_AFTER_MARK
from app.cli import app as command_line
from app.settings import Settings

ROOT = Path(__file__).parent.parent.parent
UNITS = sorted((ROOT / "deploy").glob("*.service"))
EXAMPLE = ROOT / "deploy" / "luodi.env.example"
KNOWN = {f"LUODI_{name.upper()}" for name in Settings.model_fields}
COMMANDS: Any = typer.main.get_command(command_line)


def unit(path: Path) -> dict[str, dict[str, str]]:
    parser = configparser.ConfigParser(strict=True, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(path.read_text("utf-8"))
    return {name: dict(parser[name]) for name in parser.sections()}


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
    return found


def is_a_command(words: list[str]) -> None:
    command = COMMANDS.commands[words[0]]
    known = {option for one in command.params for option in (*one.opts, *one.secondary_opts)}
    given = {word for word in words[1:] if word.startswith("--")}
    assert given <= known, f"{words[0]}: {given - known}"


def test_every_variable_is_a_setting() -> None:
    for path in (*UNITS, EXAMPLE, ROOT / "docker-compose.yml", ROOT / "Dockerfile"):
        named = set(re.findall(r"\bLUODI_[A-Z_]+", path.read_text("utf-8")))
        assert named <= KNOWN, f"{path.name}: {named - KNOWN}"


def test_there_are_units_for_both_processes() -> None:
    assert [path.name for path in UNITS] == ["luodi-worker.service", "luodi.service"]


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_runs_what_there_is(path: Path) -> None:
    service = unit(path)["Service"]
    for name in ("ExecStartPre", "ExecStart"):
        if name in service:
            program, *words = service[name].split()
            assert program == "/opt/luodi/bin/luodi"  # where tools/install.sh puts it
            is_a_command(words)
    assert service["StateDirectory"] == "luodi"
    assert "LUODI_VAR_DIR=/var/lib/luodi" in service["Environment"]


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_may_do_no_more_than_it_has_to(path: Path) -> None:
    service = unit(path)["Service"]
    yes = ("DynamicUser", "NoNewPrivileges", "ProtectHome", "PrivateTmp", "PrivateDevices", "ProtectKernelTunables", "RestrictNamespaces")
    assert {service[name] for name in yes} == {"yes"}
    assert service["ProtectSystem"] == "strict" and service["CapabilityBoundingSet"] == "" and service["UMask"] == "0077"
    assert service["Restart"] == "on-failure"


def test_the_worker_may_finish_the_message_in_hand() -> None:
    longest = LEASE_AFTER_MARK.total_seconds()
    assert int(unit(ROOT / "deploy" / "luodi-worker.service")["Service"]["TimeoutStopSec"]) >= longest
    grace = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]["worker"]["stop_grace_period"]
    assert int(grace.removesuffix("s")) >= longest


def test_systemd_has_nothing_to_say(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        return  # what it would say is read by the tests above
    for path in UNITS:  # it wants programs and documents that exist
        text = path.read_text("utf-8").replace("/opt/luodi/bin/luodi", "/bin/true")
        (tmp_path / path.name).write_text(text)
    said = subprocess.run([analyze, "verify", *tmp_path.iterdir()], capture_output=True, text=True, timeout=60, check=False)
    about_us = [line for line in (said.stderr + said.stdout).splitlines() if "luodi" in line]
    assert about_us == []
    (tmp_path / "luodi.service").write_text("[Service]\nType=exec\nExecStart=/bin/true\nProtectSytem=strict\n")
    said = subprocess.run([analyze, "verify", tmp_path / "luodi.service"], capture_output=True, text=True, timeout=60, check=False)
    assert "ProtectSytem" in said.stderr, "it reads what it is given"


def test_compose_runs_what_there_is(services: dict[str, dict[str, Any]]) -> None:
    assert set(services) == {"db", "migrate", "serve", "worker"}
    for name in ("migrate", "serve", "worker"):
        is_a_command(services[name]["command"])
        assert services[name]["env_file"] == "luodi.env"
        assert services[name]["depends_on"] == {"db": {"condition": "service_healthy"}}
    assert "/readyz" in services["serve"]["healthcheck"]["test"][-1]
    compile(services["serve"]["healthcheck"]["test"][-1], "healthcheck", "exec")
    assert "--locale=C.UTF-8" in services["db"]["environment"]["POSTGRES_INITDB_ARGS"]


def test_compose_has_no_password_and_no_door_of_its_own(services: dict[str, dict[str, Any]]) -> None:
    text = (ROOT / "docker-compose.yml").read_text("utf-8")
    for said in re.findall(r"\$\{[^}]*\}", text):
        assert said.startswith("${POSTGRES_PASSWORD:?"), f"{said}: has to be given, never has a default"
    assert services["db"]["environment"]["POSTGRES_PASSWORD"].startswith("${")
    assert re.search(r"://luodi:\$\{[^}]*\}@db/luodi$", services["serve"]["environment"]["LUODI_DATABASE_URL"])
    assert services["serve"]["ports"] == ["127.0.0.1:8000:8000"]
    assert not any("ports" in services[name] for name in ("db", "worker", "migrate"))


def test_the_servers_programs_are_in_the_image(services: dict[str, dict[str, Any]]) -> None:
    """`luodi backup` needs a pg_dump that is not older than the server: Debian trixie has 17."""
    found = re.fullmatch(r"postgres:(\d+)-\w+", services["db"]["image"])
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
    assert found and int(found[1]) <= 17
    assert "-slim-trixie" in dockerfile and "postgresql-client" in dockerfile


def test_the_example_gives_no_secret_away() -> None:
    for line in EXAMPLE.read_text("utf-8").splitlines():
        name, _, value = line.partition("=")
        if name.endswith(("PASSWORD", "_KEY")):
            assert value == ""
