"""Everything that installs luodi on a Linux machine without any network: `python tools/bundle.py [FOLDER]`, or `make bundle`.

One tar file: the wheels of requirements.lock for x86-64 and every CPython from 3.11 on, our own wheel with the migrations in it,
units for systemd, install.sh, and the SHA-256 of all of them. Needs pip and an index itself; what it writes names neither.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64", "manylinux_2_12_x86_64", "manylinux1_x86_64")
EPOCH = 315532800
"""1 January 1980, the oldest that a ZIP knows: two bundles of the same sources are the same."""


def main(to: Path, pythons: tuple[str, ...]) -> Path:
    """Make the bundle in a folder; where it is."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    name = f"{project['name']}-{project['version']}-linux-x86_64"
    to.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / name
        wheels = folder / "wheels"
        wheels.mkdir(parents=True)
        for python in pythons:
            download(python, wheels)
        own = own_wheel(Path(scratch), wheels)
        lock = (ROOT / "requirements.lock").read_text("utf-8")
        line = f"{project['name']}=={project['version']} --hash=sha256:{digest(own)}\n"
        (folder / "requirements.txt").write_text(without_comments(lock) + line, "utf-8")
        for source in ("tools/install.sh", "README.md", *(f"deploy/{one.name}" for one in sorted((ROOT / "deploy").iterdir()))):
            shutil.copy(ROOT / source, folder)
        (folder / "VERSION").write_text(f"{project['version']}-{digest(own)[:12]}\n")
        names = sorted(one.relative_to(folder).as_posix() for one in folder.rglob("*") if one.is_file())
        (folder / "SHA256SUMS").write_text("".join(f"{digest(folder / one)}  {one}\n" for one in names))
        packed = to / f"{name}.tar.gz"
        pack(folder, packed)
    packed.with_name(packed.name + ".sha256").write_text(f"{digest(packed)}  {packed.name}\n")
    return packed


def download(python: str, wheels: Path) -> None:
    """The wheels of the lock for one Python, by hash; nothing is built."""
    words = [sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes", "--only-binary=:all:", "--no-deps"]
    words += ["--implementation=cp", f"--python-version={python}", f"--abi=cp{python.replace('.', '')}", "--abi=abi3", "--abi=none"]
    words += [f"--platform={one}" for one in PLATFORMS]
    lock = wheels.parent / "linux.lock"
    lock.write_text(for_linux((ROOT / "requirements.lock").read_text("utf-8")), "utf-8")
    subprocess.run([*words, f"--dest={wheels}", f"--requirement={lock}"], check=True, cwd=ROOT)
    lock.unlink()


def for_linux(lock: str) -> str:
    """The lock without what only other systems need. Its markers speak of systems and of PyPy, never of a Python's version."""
    kept = [block for block in blocks(lock) if "sys_platform == 'win32'" not in block.partition("\\")[0]]
    return "".join(kept)


def without_comments(lock: str) -> str:
    """What pip reads of a lock."""
    return "".join(blocks(lock))


def blocks(lock: str) -> list[str]:
    """Each package with its hashes, without comments."""
    lines = [line for line in lock.splitlines(keepends=True) if not line.lstrip().startswith("#")]
    return re.findall(r"(?m)^\S.*\n(?:[ \t]+\S.*\n)*", "".join(lines))


def own_wheel(scratch: Path, wheels: Path) -> Path:
    """Our own wheel, made by flit, with the migrations beside the package, where the command line looks for them."""
    build = scratch / "build"
    words = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index", f"--find-links={wheels}", f"--wheel-dir={build}"]
    subprocess.run([*words, str(ROOT)], check=True, cwd=scratch)
    (made,) = build.glob("*.whl")
    more = [ROOT / "alembic.ini", *sorted((ROOT / "migrations").rglob("*.py")), *sorted((ROOT / "migrations").rglob("*.mako"))]
    to = wheels / made.name
    with zipfile.ZipFile(made) as old, zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as new:
        (record,) = [one for one in old.namelist() if one.endswith(".dist-info/RECORD")]
        lines = old.read(record).decode()
        for one in old.namelist():
            if one != record:
                put(new, one, old.read(one))
        for path in more:
            name, body = path.relative_to(ROOT).as_posix(), path.read_bytes()
            put(new, name, body)
            hashed = base64.urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b"=").decode()
            lines = f"{name},sha256={hashed},{len(body)}\n{lines}"
        put(new, record, lines.encode())
    return to


def put(archive: zipfile.ZipFile, name: str, body: bytes) -> None:
    info = zipfile.ZipInfo(name)
    info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
    archive.writestr(info, body)


def pack(folder: Path, to: Path) -> None:
    """A folder as a tar file that says nothing of who made it and when."""

    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 0
        member.uname = member.gname = "root"
        member.mtime = EPOCH
        member.mode = 0o755 if member.isdir() or member.name.endswith(".sh") else 0o644
        return member

    with to.open("wb") as file, gzip.GzipFile("", "wb", 1, file, EPOCH) as squeezed, tarfile.open(fileobj=squeezed, mode="w") as archive:
        for one in [folder, *sorted(folder.rglob("*"))]:
            archive.add(one, one.relative_to(folder.parent).as_posix(), recursive=False, filter=plain)


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    chosen = [word for word in sys.argv[1:] if not word.startswith("--python=")]
    only = tuple(word.partition("=")[2] for word in sys.argv[1:] if word.startswith("--python="))
    print(main(Path(chosen[0] if chosen else "build"), only or PYTHONS))
