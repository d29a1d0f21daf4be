"""Where mail leaves and from whom: what cannot be is refused when the service starts, in one sentence without the password."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from app.mail import Relay, is_address
from app.settings import Settings
from tests.daily.hostile import Authority

GOOD = [
    ("smtp://mail.example.org", (False, "mail.example.org", 25, "", "")),
    ("smtp://mail:2525/", (False, "mail", 2525, "", "")),
    ("smtps://u%40x:p%2Fw%3A@mail.example.org", (True, "mail.example.org", 465, "u@x", "p/w:")),
    ("smtp://u:p@[::1]:25", (False, "::1", 25, "u", "p")),
]
BAD = [
    "", "mail.example.org", "mail.example.org:25", "http://mail.example.org", "smpt://mail.example.org", "smtp://", "smtp://:25",
    "smtp://u:s3cret@", "smtp://u@mail.example.org", "smtp://u:@mail.example.org", "smtp://:s3cret@mail.example.org",
    "smtp://mail.example.org:port", "smtp://mail.example.org:0", "smtp://mail.example.org:99999", "smtp://u:s3cret/x@mail.example.org",
    "smtp://u:s3cret#x@mail.example.org", "smtp://mail.example.org/inbox", "smtp://mail.example.org?tls=1", "smtp://ma il.example.org",
    "smtp://mail.example.org,other.example.org", "smtp://用户:s3cret@mail.example.org", "smtp://u:s3cret%0D%0A@mail.example.org", "file:",
    "smtp://[::1", "smtp://-mail.example.org",
]  # fmt: skip


@pytest.mark.parametrize(("url", "told"), GOOD)
def test_a_way_that_can_be(url: str, told: tuple[Any, ...]) -> None:
    assert tuple(Relay.read(Settings(smtp_url=url).smtp_url)) == told
    assert "p%2Fw" not in repr(Relay.read(url)) and "p/w" not in repr(Relay.read(url))


@pytest.mark.parametrize("url", BAD)
def test_a_way_that_cannot_be_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        Settings(smtp_url=url)
    assert "s3cret" not in str(refusal.value) and refusal.value.error_count() == 1


@pytest.mark.parametrize(
    "address", ["", "luodi", "luodi@", "@x", "a b@x", "落地@x.example", "落地 <a@x.example>", "a@x\r\nBcc: b@x", "a@b@c"]
)
def test_a_sender_that_cannot_be(address: str) -> None:
    assert not is_address(address)
    with pytest.raises(ValidationError):
        Settings(mail_from=address)


def test_an_authority_that_cannot_be_read(tmp_path: Path) -> None:
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("no certificate")
    for file in (nonsense, tmp_path / "missing.pem", tmp_path):
        with pytest.raises(ValidationError):
            Settings(smtp_ca=file)
    assert Settings(smtp_ca=Authority(tmp_path).file).smtp_ca


def test_a_password_and_no_tls_go_together_on_this_machine_only() -> None:
    with pytest.raises(ValidationError):
        Settings(smtp_url="smtp://u:p@mail.example.org", smtp_tls="off")
    for url in ("smtp://u:p@127.0.0.1", "smtps://u:p@mail.example.org", "smtp://mail.example.org", "file:x"):
        assert Settings(smtp_url=url, smtp_tls="off").smtp_url == url


@pytest.mark.parametrize(
    ("name", "value"), [("SMTP_URL", "smtp://u@mail.example.org"), ("SMTP_URL", "smtp://u:s3cret@"), ("MAIL_FROM", "落地")]
)
def test_the_service_does_not_start_and_says_why_in_one_sentence(tmp_path: Path, name: str, value: str) -> None:
    environment = {**os.environ, f"LUODI_{name}": value, "LUODI_VAR_DIR": str(tmp_path), "LUODI_DATABASE_URL": f"sqlite:///{tmp_path}/x.db"}
    done = subprocess.run(
        [sys.executable, "-c", "from app.cli import main; main()", "serve"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2 and f"LUODI_{name}" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1 and "s3cret" not in done.stderr + done.stdout
