"""Log lines go to whatever stderr is when they are written, and never to stdout."""

import io
import sys

import pytest
import structlog

from app import logs


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
