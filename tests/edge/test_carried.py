"""What every answer carries, and what no log line does."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from app import logs
from app.settings import Settings
from tests.bench.load import free_port
from tests.cast import County, found_county, make_settings, signing
from tests.edge.raw import exchange, request

API = (
    "/api/v1/me",
    "/api/v1/projects",
    "/api/v1/workflow",
    "/api/v1/signed-then-stopped.csv",
    "/api/v1/nothing",
    "/api/v1/projects?limit=0",
)
OTHER = ("/livez", "/readyz", "/openapi.json", "/docs", "/projects/P-1", "/static/project.js", "/nothing")


def test_every_answer_carries_the_same_protection(shared: County) -> None:
    for path in API + OTHER:
        for who in ("clerk", "nobody"):
            answer = shared.as_(who).get(shared.address + path)
            told = answer.headers
            assert told["x-content-type-options"] == "nosniff" and told["x-frame-options"] == "DENY", path
            assert told["referrer-policy"] == "no-referrer" and "server" not in told
            assert len(told.get_list("content-security-policy")) == len(told.get_list("x-request-id")) == 1
            assert "frame-ancestors 'none'" in told["content-security-policy"]
            assert (told.get("cache-control") == "no-store") == path.startswith("/api/"), path
            if path in ("/docs", "/projects/P-1"):
                assert "default-src 'self'" in told["content-security-policy"]
                assert "script" not in told["content-security-policy"], "no inline script"
            elif path.startswith("/api/"):
                assert told["content-security-policy"].startswith("default-src 'none'")


def test_a_defect_answers_like_everything_else(shared: County, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("Bearer 0123456789ab.abcdefghijklmnopqrstuvwxyz012345 went wrong")

    monkeypatch.setattr("app.heart.machine.workflow", broken)
    answer = shared.as_("clerk").get("/workflow", headers={"X-Request-Id": "case-2026-0001"})
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert answer.json()["request_id"] == answer.headers["x-request-id"] == "case-2026-0001"
    assert answer.headers["x-content-type-options"] == "nosniff" and "went wrong" not in answer.text
    lines = capsys.readouterr().err
    assert "case-2026-0001 unexpected error on /api/v1/workflow" in lines and "Bearer ***" in lines and "abcdefghij" not in lines


@pytest.mark.parametrize("given", ["case-2026-0001", "0b0e7ac2-7d0c-4b62-9f3d-0f2c6d9f7a11", "A.b_c-123456"])
def test_a_harmless_request_id_is_kept(shared: County, given: str) -> None:
    assert shared.as_("clerk").get("/me", headers={"X-Request-Id": given}).headers["x-request-id"] == given


@pytest.mark.parametrize(
    "given",
    [b"short", b"x" * 65, b"a b c d e f g", b"-leading-dash", b"evil\tvalue!!", b"%0d%0aSet-Cookie", b"\xe9" * 8],
)
def test_any_other_is_replaced_by_one_of_ours(shared: County, given: bytes) -> None:
    (said,) = exchange(shared, request(shared, b"GET /api/v1/me", more=b"X-Request-Id: " + given + b"\r\n"))
    assert said.status == 200 and re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]+", said.headers["x-request-id"])


def test_no_two_requests_share_an_id(shared: County) -> None:
    numbers = [shared.as_("clerk").get(path).headers["x-request-id"] for path in ("/me", "/nothing", "/projects?limit=0") * 20]
    assert len(set(numbers)) == 60


def test_a_token_in_an_address_opens_nothing_and_is_not_repeated(shared: County, capsys: pytest.CaptureFixture[str]) -> None:
    token = shared.tokens["clerk"]
    for name in ("token", "access_token", "authorization", "Authorization", "bearer"):
        answer = shared.as_("nobody").get("/me", params={name: token})
        assert answer.status_code == 401 and token not in answer.text
    assert token not in capsys.readouterr().err


SECRETS = {
    "LUODI_SECRET_KEY": "secret-key-Zm9vYmFy",
    "LUODI_AUDIT_KEY": "audit-key-Zm9vYmFy",
    "LUODI_SMTP_URL": "smtp://luodi:smtp%40pass-Zm9v@127.0.0.1:1",
}
DOORS = ("secret-key-Zm9vYmFy", "audit-key-Zm9vYmFy", "smtp%40pass-Zm9v", "smtp@pass-Zm9v", "db%3Apass-Zm9v", "db:pass-Zm9v")


def luodi(folder: Path, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LUODI_")}
    env = kept | SECRETS | {"LUODI_VAR_DIR": str(folder), "LUODI_LOG_LEVEL": "DEBUG"} | more
    program = str(Path(sys.executable).parent / "luodi")
    return subprocess.run([program, *command], env=env, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("command", "more"),
    [
        (("migrate",), {}),
        (("daily",), {"LUODI_DATABASE_URL": "postgresql://luodi:db%3Apass-Zm9v@127.0.0.1:1/none?nonsense=1"}),
        (("office", "list"), {"LUODI_DATABASE_URL": "postgresql://luodi:db%3Apass-Zm9v@host:notaport/none"}),
        (("migrate",), {"LUODI_DATABASE_URL": "db%3Apass-Zm9v"}),
        (("migrate",), {"LUODI_CLOCK": "2026-01-01T00:00:00Z"}),
        (("serve",), {"LUODI_THREADS": "none"}),
    ],
)
def test_no_command_says_a_secret_when_it_fails(tmp_path: Path, command: tuple[str, ...], more: dict[str, str]) -> None:
    done = luodi(tmp_path, *command, **({"LUODI_DATABASE_URL": "postgresql://luodi:db%3Apass-Zm9v@127.0.0.1:1/none"} | more))
    assert done.returncode in (1, 2), done.stderr
    said = done.stdout + done.stderr
    assert said.strip() and "Traceback" not in said, said
    assert [door for door in DOORS if door in said] == [], said


def test_a_running_service_never_says_a_secret(database_url: str, database_kind: str, tmp_path: Path) -> None:
    """A real process at its most talkative, with a database that goes away, bad tokens, bad bodies and a bad mail server."""
    from app.main import build_house

    house = build_house(make_settings(database_url, tmp_path))
    tokens = found_county(house)
    house.database.dispose()
    url = database_url.replace("//luodi@", "//luodi:db%3Apass-Zm9v@")
    port = free_port()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LUODI_")}
    env = kept | SECRETS | {"LUODI_DATABASE_URL": url, "LUODI_VAR_DIR": str(tmp_path), "LUODI_LOG_LEVEL": "DEBUG", "LUODI_DEV": "true"}
    with (tmp_path / "said").open("w") as said:
        process = subprocess.Popen(
            [str(Path(sys.executable).parent / "luodi"), "serve", "--port", str(port)], env=env, cwd=tmp_path, stdout=said, stderr=said
        )
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client:
                until = time.monotonic() + 30
                while time.monotonic() < until:
                    try:
                        client.get("/livez")
                        break
                    except httpx.TransportError:
                        time.sleep(0.1)
                good = {"Authorization": f"Bearer {tokens['clerk']}"}
                made = client.post("/api/v1/projects", json={"name": "x", "office": "T01"}, headers=good).json()["ref"]
                for path in (
                    f"/api/v1/projects/{made}",
                    "/api/v1/nothing",
                    f"/api/v1/projects?q={tokens['clerk']}",
                    "/api/v1/projects?limit=x",
                ):
                    client.get(path, headers=good)
                client.post(f"/api/v1/projects/{made}/moves", json=signing("2030-01-01"), headers=good)
                client.post(f"/api/v1/projects/{made}/moves", content=b"{", headers=good)
                client.get("/api/v1/me", headers={"Authorization": f"Bearer {tokens['officer']}x"})
                if database_kind == "sqlite":
                    (tmp_path / database_url.rpartition("/")[2]).write_bytes(b"no database any more" * 1_000)
                    assert client.get("/readyz").status_code >= 500
                client.get(f"/api/v1/projects/{made}", headers=good)
        finally:
            process.terminate()
            process.wait(40)
    lines = (tmp_path / "said").read_text()
    assert lines.strip()
    secrets = [*DOORS, *(token.partition(".")[2] for token in tokens.values())]
    assert [one for one in secrets if one in lines] == [], lines


def test_settings_and_what_they_print_hold_no_secret(tmp_path: Path) -> None:
    settings = Settings(
        database_url="postgresql://u:p%40ss-word@h/n?password=other-word",
        smtp_url="smtps://u:mail-word@h",
        secret_key="key-one",
        audit_key="key-two",
    )
    assert settings.secrets() == {"p%40ss-word", "p@ss-word", "other-word", "mail-word", "key-one", "key-two"}
    assert not [one for one in settings.secrets() if one in repr(settings) or one in str(settings)]
    line = logs.discreet(
        "Bearer 0123456789ab.abcdefghijklmnopqrstuvwxyz smtp://me:word@h/ 0123456789ab.abcdefghijklmnopqrstuvwxyz https://h/x"
    )
    assert line == "Bearer *** smtp://me:***@h/ 0123456789ab.*** https://h/x"
