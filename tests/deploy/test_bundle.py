"""The bundle: made from the lock by hash, and installed where no network is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tools import bundle

ROOT = Path(__file__).parent.parent.parent


def test_every_package_of_the_lock_is_read() -> None:
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    named = re.findall(r"(?m)^([a-z0-9-]+)==", lock)
    assert [block.partition("==")[0] for block in bundle.blocks(lock)] == named
    for_linux = bundle.for_linux(lock)
    assert "colorama" not in for_linux and "uvloop==" in for_linux
    assert not re.search("python_version|python_full_version", for_linux), "the bundle would have to look at Pythons one by one"
    assert "--hash" in for_linux and "#" not in for_linux


def test_install_asks_for_hashes_and_no_network() -> None:
    text = (ROOT / "tools" / "install.sh").read_text("utf-8")
    for word in ("--no-index", "--require-hashes", "--find-links wheels", "--isolated", "sha256sum", "ensurepip"):
        assert word in text
    assert "://" not in text
    assert subprocess.run(["sh", "-n", ROOT / "tools" / "install.sh"], check=False).returncode == 0


@pytest.mark.long
@pytest.mark.timeout(900)
def test_it_installs_and_serves_without_a_network(tmp_path: Path) -> None:
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    # the tools' Python has no pip of its own; the one that made it has
    maker = Path(ROOT / ".uv" / "bin" / "python")
    program = str(maker) if maker.exists() else sys._base_executable  # type: ignore[attr-defined]
    words = [program, "-m", "tools.bundle", f"--python={python}", str(tmp_path / "out")]
    subprocess.run(words, check=True, cwd=ROOT, timeout=600)
    (packed,) = (tmp_path / "out").glob("*.tar.gz")
    with tarfile.open(packed) as archive:
        names = archive.getnames()
        small = [one for one in archive if one.isfile() and not one.name.endswith(".whl")]
        texts = {one.name: archive.extractfile(one).read().decode() for one in small}  # type: ignore[union-attr]
    assert any(re.search(r"wheels/luodi-.*\.whl", one) for one in names)
    for name, text in texts.items():
        if not name.endswith("README.md"):
            assert not re.search(r"https?://(?!127\.0\.0\.1|luodi\.county\.example)", text), name
    folder = tmp_path / "machine"
    folder.mkdir()
    inside = [program, str(ROOT / "tests" / "deploy" / "offline.py"), str(packed), str(folder)]
    alone = ["unshare", "--net"] if subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode == 0 else []
    environment = {**os.environ, **({"OWN_NETWORK": "1"} if alone else {})}
    done = subprocess.run([*alone, *inside], env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert '"status":"ok"' in done.stdout
