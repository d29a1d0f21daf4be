"""Run inside a network of its own that leads nowhere: install a bundle, migrate, serve, and ask whether it is ready."""

import fcntl
import os
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.request
from pathlib import Path


def loopback_up() -> None:
    """A new network has its loopback down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh", b"lo", 0x1 | 0x40))  # SIOCSIFFLAGS: up, running


def main(bundle: str, folder: str) -> None:
    if os.environ.get("OWN_NETWORK"):
        loopback_up()
        assert {name for _, name in socket.if_nameindex()} == {"lo"}, "a network that leads somewhere"
    home = Path(folder)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "PYTHON": sys.executable,
        "LUODI_VAR_DIR": str(home / "var"),
        "LUODI_DATABASE_URL": f"sqlite:///{home}/luodi.db",
        "LUODI_SMTP_URL": f"file:{home}/mail",
        "http_proxy": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
        "no_proxy": "127.0.0.1",
    }
    subprocess.run(["tar", "-xzf", bundle, "-C", folder], check=True)
    (unpacked,) = home.glob("luodi-*-linux-x86_64")
    prefix = home / "opt" / "luodi"
    prefix.parent.mkdir()
    for _ in range(2):  # twice is once
        subprocess.run(["sh", unpacked / "install.sh", prefix], env=environment, check=True)
    luodi = prefix / "bin" / "luodi"
    assert "backup" in subprocess.run([luodi, "--help"], env=environment, check=True, capture_output=True, text=True).stdout
    subprocess.run([luodi, "migrate"], env=environment, check=True, cwd=folder)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen([luodi, "serve", "--port", str(port)], env=environment, cwd=folder)
    try:
        for _ in range(300):
            assert server.poll() is None, "the server ended"
            try:
                opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
                print(opener.open(f"http://127.0.0.1:{port}/readyz", timeout=5).read().decode())
                break
            except OSError:
                time.sleep(0.1)
        else:
            raise AssertionError("never ready")
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)


if __name__ == "__main__":
    main(*sys.argv[1:])
