"""Log lines go to whatever stderr is when they are written, and never to stdout."""

import io
import logging
import sys
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import structlog

from app import logs
from app.settings import Settings
from tests.cast import County, make_settings, running


def test_a_stderr_that_was_replaced_takes_nothing_down(monkeypatch: pytest.MonkeyPatch) -> None:
    gone, now, out = io.StringIO(), io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", gone)
    logs.configure("INFO")
    log = structlog.get_logger()
    gone.close()
    monkeypatch.setattr(sys, "stderr", now)
    monkeypatch.setattr(sys, "stdout", out)
    log.warning("message lost", delivery=7)
    log.debug("not asked for")
    assert "message lost" in now.getvalue() and "delivery=7" in now.getvalue()
    assert "not asked for" not in now.getvalue() and out.getvalue() == ""


SECRETS = {
    "database_url": 'postgresql://luodi:db"pass\\word@127.0.0.1:1/x?password=other-pass',
    "smtp_url": "smtps://luodi:mail%40pass@127.0.0.1:465",
    "secret_key": 'key"with\\quotes-0001',
    "audit_key": "审计密钥-0002-abcdef",
    "robot_key": "robot-key-one,robot-key-two",
}
OPENS = (
    'db"pass\\word',
    "other-pass",
    "mail%40pass",
    "mail@pass",
    'key"with\\quotes-0001',
    "审计密钥-0002-abcdef",
    "robot-key-one",
    "robot-key-two",
)
TOKEN = "0123456789ab." + "A" * 43
ROBOT = "https://robots.example/send?key=abcdef-0123456789"


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """What went to stderr; afterwards lines are for people again."""
    yield lambda: capsys.readouterr().err
    logs.configure("INFO")


@pytest.mark.parametrize("form", ["console", "json"])
def test_no_secret_is_written_however_it_is_quoted_or_nested(form: str, written: Callable[[], str]) -> None:
    settings = Settings(**SECRETS)  # type: ignore[arg-type]
    logs.configure("INFO", settings.secrets(), form)
    logs.hide([ROBOT, "abcdef-0123456789"])
    shown = [*OPENS, TOKEN, ROBOT, settings.database_url, settings.smtp_url]
    log = structlog.get_logger()
    for one in shown:
        log.warning("said", plainly=one, nested={"deep": [one, {one: 1}]}, thing=ValueError(one), **{f"named {one}": 1})
        logging.getLogger("luodi.test").warning("library said %s", one)
        try:
            raise RuntimeError(one)
        except RuntimeError as error:
            log.error("failed", exc_info=error)
            logging.getLogger("luodi.test").exception("failed: %r", one)
    log.info("header", authorization=f"Bearer {TOKEN}")
    text = written()
    assert text.count("failed") >= 2 * len(shown)
    lines = text.splitlines()
    if form == "json":
        text += "".join(str(orjson.loads(line)) for line in lines)  # as whoever reads them sees them
    for one in (*OPENS, TOKEN, TOKEN.partition(".")[2], "abcdef-0123456789"):
        for spelt in (one, repr(one)[1:-1], orjson.dumps(one).decode()[1:-1]):
            assert spelt not in text, spelt


def test_json_lines_are_whole_objects_whatever_is_said(written: Callable[[], str]) -> None:
    logs.configure("INFO", (), "json")
    log = structlog.get_logger()
    log.warning("two\nlines", broken="\ud800", large=2**80, day=date(2026, 6, 10), none=None, counts={"a": 1, 2: [3.5]}, many={1})
    logging.getLogger("luodi.lines").warning("two %s lines", "\n")  # no word that an earlier test has as its secret
    first, second = map(orjson.loads, written().splitlines())
    assert (first["event"], first["level"], first["day"], first["counts"]) == ("two\nlines", "warning", "2026-06-10", {"a": 1, "2": [3.5]})
    assert first["large"] == str(2**80) and first["none"] is None
    assert (second["logger"], second["level"]) == ("luodi.lines", "warning") and second["timestamp"].endswith("Z")


@pytest.mark.parametrize("form", ["console", "json"])
def test_every_line_of_a_request_carries_its_id(sqlite_url: str, tmp_path: Path, form: str, written: Callable[[], str]) -> None:
    with running(make_settings(sqlite_url, tmp_path, log=form)) as county:
        app_log = structlog.get_logger()

        def broken(connection: Any) -> Any:
            app_log.info("about to fail")
            raise RuntimeError("a defect")

        with pytest.MonkeyPatch.context() as broke:
            broke.setattr("app.operations.api.must_be_migrated", broken)
            answer = httpx.get(county.address + "/readyz", headers={"X-Request-Id": "case-2026-0001"}, trust_env=False)
    assert (answer.status_code, answer.json()["request_id"], answer.headers["x-request-id"]) == (500, "case-2026-0001", "case-2026-0001")
    lines = [line for line in written().splitlines() if "about to fail" in line or "unexpected error" in line]
    assert len(lines) == 2 and all("case-2026-0001" in line for line in lines)


def test_a_refusal_names_its_request_on_both_roads_and_at_the_gate(county: County) -> None:
    for path, query in (("/projects/none", ""), ("/projects/none", "?as_of=2026-01-01"), ("/projects", "?limit=0"), ("/nowhere", "")):
        answer = county.as_("clerk").get(path + query, headers={"X-Request-Id": "case-2026-0002"})
        assert answer.status_code >= 400 and answer.json()["request_id"] == "case-2026-0002"
    made = county.as_("nobody").get("/me", headers={"X-Request-Id": "bad id"})
    assert made.json()["request_id"] == made.headers["x-request-id"] != "bad id"
