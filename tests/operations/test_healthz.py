"""What a monitor gets: a status, and a sentence that says what to do; no token, no names."""

from __future__ import annotations

from pathlib import Path

import anyio
import httpx
from fastapi import FastAPI

from app.alerts import holding
from app.main import create_app
from app.offices import service as offices
from app.worker import daily
from tests.cast import County, make_settings


def test_a_monitor_is_told_without_a_token_and_without_names(county: County) -> None:
    def told(status: int) -> dict[str, object]:
        answer = county.as_("nobody").get(county.address + "/healthz/daily")
        assert answer.status_code == status and "王一" not in answer.text and "机密" not in answer.text
        said: dict[str, object] = answer.json()
        return said

    with county.database.write() as connection:
        offices.add_person(connection, office="T01", name="王一", email="t01@example.org", role="clerk")
    county.sign(county.register())
    late = told(503)
    assert (late["code"], late["date"], late["run"]) == ("day_in_trouble", "2026-06-10", None)
    assert "luodi daily" in str(late["hint"])
    daily(county.house)
    good = told(200)
    assert good["status"] == "ok" and good["findings"] == [] and good["run"]["state"] == "done"  # type: ignore[index]
    with county.database.write() as connection:
        holding.hold(connection, "机密 王一", now=county.clock.now())
    assert "暂缓" in str(told(503)["hint"])


def ask(app: FastAPI, path: str) -> httpx.Response:
    """One request to an app that no server runs."""

    async def get() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
            return await client.get(path)

    try:
        return anyio.run(get)
    finally:
        app.state.house.database.dispose()


def test_before_the_first_migration_it_says_so(empty_database_url: str, tmp_path: Path) -> None:
    app = create_app(make_settings(empty_database_url, tmp_path))
    for path in ("/readyz", "/healthz/daily"):
        answer = ask(app, path)
        assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
        assert "luodi migrate" in answer.json()["hint"]


def test_while_the_database_is_away_it_is_unavailable(tmp_path: Path) -> None:
    answer = ask(create_app(make_settings("postgresql://x:y@127.0.0.1:1/none", tmp_path)), "/healthz/daily")
    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
