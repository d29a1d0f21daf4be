"""More callers than connections: who has waited too long is told to come back, and nobody finds the service broken."""

import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.lists import files
from tests.cast import County, make_settings, running, signing


def test_no_free_connection_is_a_503(database_url: str, tmp_path: Path) -> None:
    with running(make_settings(database_url, tmp_path, threads=1)) as county:
        county.database.engine.pool._timeout = 0.2  # type: ignore[attr-defined]
        ref = county.register()
        with ExitStack() as taken:
            for _ in range(5):  # threads + 4
                taken.enter_context(county.database.engine.connect())
            for path in ("/me", "/projects", f"/projects/{ref}", "/signed-then-stopped.csv"):
                answer = county.as_("clerk").get(path)
                assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
                assert answer.headers["retry-after"]
            assert county.as_("clerk").post(f"/projects/{ref}/moves", json=signing("2026-03-01")).status_code == 503
        county.sign(ref)


def test_a_reader_of_csv_who_stops_reading_holds_no_connection(county: County, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_plain", lambda value: "x" * 300_000)
    for number in range(3):
        county.sign(county.register("officer", name=f"项目{number}"), "2026-03-01", "officer")
    with ExitStack() as slow:
        for _ in range(14):  # more than there are connections
            slow.enter_context(county.as_("officer").stream("GET", "/signed-then-stopped.csv"))
        assert county.get("officer", "/me")["role"] == "officer"
        until = time.monotonic() + 10
        while county.database.engine.pool.checkedout() and time.monotonic() < until:  # type: ignore[attr-defined]
            time.sleep(0.05)
        assert county.database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
