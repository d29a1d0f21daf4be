"""The image: what the linter does not check. There is no engine where the tests run, so the file itself is read."""

import json
import re
from pathlib import Path

import pytest
from dockerfile_parse import DockerfileParser

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def steps() -> list[tuple[str, str]]:
    parser = DockerfileParser(path=str(ROOT / "Dockerfile"))
    return [(step["instruction"], step["value"]) for step in parser.structure if step["instruction"] != "COMMENT"]


def values(steps: list[tuple[str, str]], instruction: str) -> list[str]:
    return [value for name, value in steps if name == instruction]


def test_the_service_does_not_run_as_root(steps) -> None:
    last = values(steps, "USER")[-1].split(":")[0]
    assert last not in ("root", "0")
    names = [name for name, _ in steps]
    assert names.index("USER") > max(at for at, name in enumerate(names) if name == "RUN")


def test_the_base_is_pinned_to_a_python_that_the_lock_serves(steps) -> None:
    for base in values(steps, "FROM"):
        version = re.fullmatch(r"python:3\.(\d+)-slim-\w+", base)
        assert version, f"{base}: name the Python and the Debian, never `latest`"
        assert int(version[1]) >= 11


def test_health_is_what_livez_says(steps) -> None:
    (check,) = values(steps, "HEALTHCHECK")
    command = json.loads(check[check.index("CMD") + 3 :])
    assert command[0] == "python"
    assert "/livez" in command[-1]
    compile(command[-1], "HEALTHCHECK", "exec")


def test_signals_reach_the_service(steps) -> None:
    # The shell form would put a shell in between, which passes no signal on: every stop would be a kill.
    (entry,), (arguments,) = values(steps, "ENTRYPOINT"), values(steps, "CMD")
    assert json.loads(entry) == ["luodi"]
    assert json.loads(arguments) == ["serve", "--host", "0.0.0.0"]


def test_packages_are_installed_by_hash(steps) -> None:
    installs = [run for run in values(steps, "RUN") if "pip install" in run]
    assert installs
    for run in installs:
        assert "--require-hashes" in run or ("--no-deps" in run and "--no-index" in run)


def test_everything_copied_exists_and_is_let_through(steps) -> None:
    let_through = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied: set[str] = set()
    for copy in values(steps, "COPY"):
        *sources, _ = [word for word in copy.split() if not word.startswith("--")]
        copied.update(sources)
    for source in copied:
        assert (ROOT / source).exists(), f"COPY {source}: no such file"
        assert source in let_through
    # The service migrates its database itself, so it needs these wherever it runs.
    assert {"app", "migrations", "alembic.ini", "requirements.lock", "pyproject.toml"} <= copied
