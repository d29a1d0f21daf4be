"""Setting up behind a mirror: what pip was told reaches uv, which does not read pip's settings itself."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture
def uv_environment(tmp_path: Path):
    """Run tools/uv in a folder where pip answers with given settings and uv only prints its environment."""

    def run(pip_settings: str, **environment: str) -> dict[str, str]:
        (tmp_path / "tools").mkdir()
        (tmp_path / ".uv" / "bin").mkdir(parents=True)
        shutil.copy(ROOT / "tools" / "uv", tmp_path / "tools")
        for name, body in (("python", f"cat <<'END'\n{pip_settings}\nEND"), ("uv", "env")):
            program = tmp_path / ".uv" / "bin" / name
            program.write_text(f"#!/bin/sh\n{body}\n")
            program.chmod(0o755)
        result = subprocess.run(
            [tmp_path / "tools" / "uv"],
            env={"PATH": os.environ["PATH"], **environment},
            capture_output=True,
            text=True,
            check=True,
        )
        return dict(line.split("=", 1) for line in result.stdout.splitlines() if "=" in line)

    return run


def test_the_mirror_and_its_certificate_are_passed_on(uv_environment) -> None:
    uv = uv_environment(
        "global.cert='/etc/mirror.pem'\n"
        "global.extra-index-url='file:///opt/more https://extra.example/simple'\n"
        "global.index-url='https://global.example/simple'\n"
        "global.trusted-host='one.example\\ntwo.example'\n"
        "install.index-url='https://install.example/simple?a=b'"
    )
    assert uv["UV_DEFAULT_INDEX"] == "https://install.example/simple?a=b"
    assert uv["UV_INDEX"] == "https://extra.example/simple"
    assert uv["UV_INSECURE_HOST"] == "one.example two.example"
    assert uv["SSL_CERT_FILE"] == "/etc/mirror.pem"
    assert uv["UV_PYTHON_DOWNLOADS"] == "never"


def test_the_environment_wins_over_the_files(uv_environment) -> None:
    settings = ":env:.index-url='https://env.example/simple'\nglobal.index-url='https://global.example/simple'"
    assert uv_environment(settings)["UV_DEFAULT_INDEX"] == "https://env.example/simple"


def test_what_uv_was_told_itself_is_kept(uv_environment) -> None:
    uv = uv_environment("global.index-url='https://global.example/simple'", UV_DEFAULT_INDEX="https://mine.example")
    assert uv["UV_DEFAULT_INDEX"] == "https://mine.example"


def test_without_any_setting_uv_asks_its_usual_index(uv_environment) -> None:
    uv = uv_environment("")
    assert "UV_DEFAULT_INDEX" not in uv
    assert "UV_INDEX" not in uv
