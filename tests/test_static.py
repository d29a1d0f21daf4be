"""Vendored files are exactly what their package published, and nothing came along unlisted."""

import hashlib
import json
from pathlib import Path

import pytest

STATIC = Path(__file__).parent.parent / "app" / "static"
PACKAGES = json.loads((STATIC / "manifest.json").read_text("utf-8"))["packages"]


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package["name"])
def test_vendored_files_are_the_published_ones(package) -> None:
    folder = STATIC / package["folder"]
    there = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()
    }
    assert there == package["sha256"]


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package["name"])
def test_vendored_files_come_with_their_origin_and_licence(package) -> None:
    assert package["name"]
    assert package["version"]
    assert package["licence"]
    assert any(Path(name).name.startswith("LICENSE") for name in package["sha256"])
