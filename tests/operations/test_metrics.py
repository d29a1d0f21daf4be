"""What is measured: every request once under its template, the day as it stands, and nothing for strangers."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from prometheus_client.parser import text_string_to_metric_families

from app.alerts import breaker, holding
from app.alerts.models import RELAYS, Delivery
from app.main import create_app
from app.offices import service as offices
from app.operations import metrics
from app.stalls.models import DailyRun
from app.worker import daily
from tests.cast import County, make_settings, running, signing

ROOT = Path(__file__).parent.parent.parent
Sample = tuple[str, tuple[tuple[str, str], ...]]


@pytest.fixture(autouse=True)
def always_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "FRESH", -1.0)


def samples(text: str) -> dict[Sample, float]:
    families = list(text_string_to_metric_families(text))
    names = [one.name for one in families]
    assert len(names) == len(set(names)), "each metric is told once"
    return {(one.name, tuple(sorted(one.labels.items()))): one.value for family in families for one in family.samples}


def scrape(county: County, status: int = 200, **headers: str) -> str:
    answer = httpx.get(county.address + "/metrics", headers=headers, trust_env=False)
    assert answer.status_code == status, answer.text
    if status == 200:
        assert answer.headers["content-type"].startswith("text/plain")
    return answer.text


def measured(county: County) -> dict[Sample, float]:
    return samples(scrape(county))


def of(found: dict[Sample, float], name: str, **labels: str) -> float:
    return found.get((name, tuple(sorted(labels.items()))), 0.0)


def test_every_request_is_counted_once_under_its_template_on_both_roads(county: County) -> None:
    before = measured(county)
    ref = county.register()
    county.post("clerk", f"/projects/{ref}/moves", signing("2026-03-01"))  # the short way
    county.get("clerk", f"/projects/{ref}")  # the short way
    county.get("clerk", f"/projects/{ref}", as_of="2026-04-01")  # the ordinary road
    county.get("other", f"/projects/{ref}", 404)
    county.post("clerk", f"/projects/{ref}/moves", {"action": "sign"}, 409)
    county.as_("nobody").get("/me")
    for guess in range(20):
        county.as_("clerk").get(f"/guess/{guess}")
    county.as_("clerk").request("PROPFIND", "/me")
    county.as_("nobody").get(county.address + "/static/docs.js")
    after = measured(county)

    def counted(method: str, route: str, status: int) -> float:
        labels = {"method": method, "route": route, "status": str(status)}
        return of(after, "luodi_http_requests_total", **labels) - of(before, "luodi_http_requests_total", **labels)

    one, moves = "/api/v1/projects/{ref}", "/api/v1/projects/{ref}/moves"
    assert (counted("POST", "/api/v1/projects", 201), counted("POST", moves, 201), counted("POST", moves, 409)) == (1, 1, 1)
    assert (counted("GET", one, 200), counted("GET", one, 404)) == (2, 1)
    assert counted("GET", "other", 401) + counted("GET", "/api/v1/me", 401) == 1
    assert counted("GET", "other", 404) == 20 and counted("GET", "/static", 200) == 1
    assert counted("GET", "/metrics", 200) == 1, "the scrape before"
    for route, number in ((one, 3), (moves, 0)):
        assert of(after, "luodi_http_request_seconds_count", method="GET", route=route) == number
    assert of(after, "luodi_http_request_seconds_bucket", method="GET", route=one, le="+Inf") == 3
    methods = {dict(labels)["method"] for name, labels in after if name == "luodi_http_requests_total"}
    assert methods == {"GET", "POST", "other"} and ref not in scrape(county)


def test_counting_a_request_costs_next_to_nothing(sqlite_url: str, tmp_path: Path) -> None:
    app = create_app(make_settings(sqlite_url, tmp_path))
    seen, scope = app.state.metrics.seen, {"type": "http", "method": "GET", "path": "/", metrics.ROUTE: "/x"}
    best = min(_spent(seen, scope) for _ in range(5))
    app.state.house.database.dispose()
    assert best < 20e-6, "some 2 microseconds on a quiet machine"


def _spent(seen: Any, scope: dict[str, Any]) -> float:
    began = time.process_time()
    for _ in range(2_000):
        seen(scope, 200, 0.003)
    return (time.process_time() - began) / 2_000


def test_the_day_is_told_as_it_stands(county: County) -> None:
    with county.database.write() as connection:
        for name in ("a", "b"):
            offices.add_person(connection, office="T01", name=f"王{name}", email=f"{name}@example.org", role="clerk")
    county.sign(county.register())
    late = measured(county)
    assert of(late, "luodi_database_up") == 1 and of(late, "luodi_finding", code="run_late", level="bad") == 1
    assert sum(value for (name, _), value in late.items() if name == "luodi_daily_run_state") == 0
    daily(county.house)
    done = measured(county)
    assert of(done, "luodi_daily_run_state", state="done") == 1 and of(done, "luodi_finding", code="run_late", level="bad") == 0
    assert of(done, "luodi_deliveries", channel="mail", state="sent") == 2
    assert 0 < of(done, "luodi_daily_run_duration_seconds") < 1 and of(done, "luodi_daily_run_attempts") == 1
    assert of(done, "luodi_database_connections", state="most") == county.house.settings.threads + 4
    with county.database.write() as connection:
        holding.hold(connection, "机密", now=county.clock.now())
        breaker.failed(connection, "mail", "mx.secret.example:25", county.clock.now(), "机密", needs_person=True)
        connection.execute(sa.update(Delivery).values(state="pending"))
    county.clock.instant += timedelta(minutes=30)
    ill = measured(county)
    assert of(ill, "luodi_sending_held") == 1
    assert (
        of(ill, "luodi_channel_relays", channel="mail", state="paused"),
        of(ill, "luodi_channel_relays", channel="mail", state="resting"),
    ) == (1, 0)
    assert {one["state"] for one in names(ill, "luodi_channel_relays")} == set(RELAYS), "a state that nothing is in is told as 0"
    assert 1800 <= of(ill, "luodi_oldest_waiting_seconds", channel="mail") < 1801
    assert not re.search("机密|secret|王|example", scrape(county))


def names(found: dict[Sample, float], name: str) -> list[dict[str, str]]:
    """The labels under which something is told."""
    return [dict(labels) for one, labels in found if one == name]


def test_seconds_are_seconds(county: County) -> None:
    ref, route = county.register(), "/api/v1/projects/{ref}"
    before, began = measured(county), time.perf_counter()
    for _ in range(3):
        county.get("clerk", f"/projects/{ref}")
    took, after = time.perf_counter() - began, measured(county)
    labels = {"method": "GET", "route": route}
    spent = of(after, "luodi_http_request_seconds_sum", **labels) - of(before, "luodi_http_request_seconds_sum", **labels)
    assert took / 1000 < spent <= took, "what the service counts is a part of what its caller waited"


def test_of_the_messages_only_those_of_the_day_and_of_the_waiting_only_those_that_wait(county: County) -> None:
    with county.database.write() as connection:
        for name in ("a", "b", "c"):
            offices.add_person(connection, office="T01", name=name, email=f"{name}@example.org", role="clerk")
    county.sign(county.register())
    daily(county.house)
    assert not names(measured(county), "luodi_oldest_waiting_seconds"), "what was sent waits no more"
    now = county.clock.now()
    with county.database.write() as connection:
        first, second, third = connection.scalars(sa.select(Delivery.id).order_by(Delivery.id))
        row = sa.update(Delivery)
        connection.execute(row.where(Delivery.id == first).values(run_date=county.clock.today() - timedelta(days=1), state="uncertain"))
        times = {"created_at": now - timedelta(hours=5), "resent_at": now - timedelta(minutes=10)}
        connection.execute(row.where(Delivery.id == second).values(state="pending", **times))
        connection.execute(row.where(Delivery.id == third).values(state="sending", created_at=now - timedelta(minutes=3)))
    found = measured(county)
    assert {(one["state"]): of(found, "luodi_deliveries", **one) for one in names(found, "luodi_deliveries")} == {
        "pending": 1,
        "sending": 1,
    }
    assert 600 <= of(found, "luodi_oldest_waiting_seconds", channel="mail") < 601, "it waits since somebody asked for it again"


def test_a_run_is_in_one_state_and_when_it_has_ended_it_has_taken_so_long(county: County) -> None:
    daily(county.house)
    took = of(measured(county), "luodi_daily_run_duration_seconds")
    county.clock.instant += timedelta(minutes=20)
    checks = (one for one in DailyRun.__table__.constraints if isinstance(one, sa.CheckConstraint))
    states = {state for one in checks for state in re.findall("'([a-z]+)'", str(one.sqltext))}
    assert "done" in states
    for number, state in enumerate(sorted(states), 1):
        with county.database.write() as connection:
            connection.execute(sa.update(DailyRun).values(state=state, attempt=number))
        found = measured(county)
        told = {one["state"]: of(found, "luodi_daily_run_state", **one) for one in names(found, "luodi_daily_run_state")}
        assert told == {one: int(one == state) for one in states}
        assert of(found, "luodi_daily_run_attempts") == number
        assert of(found, "luodi_daily_run_duration_seconds") == took
        assert 1200 <= of(found, "luodi_daily_run_age_seconds") < 1210
    with county.database.write() as connection:
        connection.execute(sa.update(DailyRun).values(state="claimed", finished_at=None))
    assert of(measured(county), "luodi_daily_run_duration_seconds") >= 1200, "one that has not ended is still at it"


def test_what_the_database_said_is_kept_for_a_moment(county: County, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "FRESH", 3600.0)
    assert of(measured(county), "luodi_finding", code="run_late", level="bad") == 1
    daily(county.house)
    assert of(measured(county), "luodi_finding", code="run_late", level="bad") == 1
    later = time.monotonic() + 3601
    monkeypatch.setattr(metrics, "time", SimpleNamespace(monotonic=lambda: later))
    assert of(measured(county), "luodi_finding", code="run_late", level="bad") == 0, "and no longer"


def test_a_database_that_is_away_or_empty_is_a_number_not_a_fault(empty_database_url: str, tmp_path: Path) -> None:
    for number, url in enumerate((empty_database_url, "postgresql://x:y@127.0.0.1:1/none")):
        app = create_app(make_settings(url, tmp_path / str(number)))
        found = samples(app.state.metrics.told().decode())
        app.state.house.database.dispose()
        assert of(found, "luodi_database_up") == 0 and "luodi_build_info" in {name for name, _ in found}


def test_only_this_machine_may_ask_unless_the_settings_say_otherwise(database_url: str, tmp_path: Path) -> None:
    with running(make_settings(database_url, tmp_path)) as county:
        scrape(county)
        for header in ("X-Forwarded-For", "Forwarded", "X-Real-IP"):
            assert "forbidden" in scrape(county, 403, **{header: "for=127.0.0.1"}), "a proxy stands between"


def test_from_elsewhere_it_is_forbidden(sqlite_url: str, tmp_path: Path) -> None:
    import anyio

    app = create_app(make_settings(sqlite_url, tmp_path))

    async def get(client: tuple[str, int]) -> int:
        transport = httpx.ASGITransport(app, client=client)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as browser:
            return (await browser.get("/metrics")).status_code

    wanted = {"10.0.0.1": 403, "127.0.0.1": 200, "127.8.8.8": 200, "::1": 200, "::ffff:127.0.0.1": 200, "::2": 403, "testclient": 403}
    assert {host: anyio.run(get, (host, 1)) for host in wanted} == wanted
    app.state.house.database.dispose()


def test_with_a_token_auditors_and_administrators_of_the_county_may_ask(database_url: str, tmp_path: Path) -> None:
    with running(make_settings(database_url, tmp_path, metrics="token")) as county:
        scrape(county, 401)
        scrape(county, 401, Authorization="Bearer x.y")
        for name, status in (("auditor", 200), ("admin", 200), ("leader", 403), ("clerk", 403), ("officer", 403), ("townleader", 403)):
            scrape(county, status, Authorization=f"Bearer {county.tokens[name]}")


def test_switched_off_there_is_nothing(database_url: str, tmp_path: Path) -> None:
    with running(make_settings(database_url, tmp_path, metrics="off")) as county:
        assert "not_found" in scrape(county, 404)


@pytest.mark.timeout(240)
def test_processes_of_one_serve_add_up_and_one_that_was_killed_stays_counted(sqlite_url: str, tmp_path: Path) -> None:
    port = _free_port()
    environment = {
        **os.environ, "LUODI_DATABASE_URL": sqlite_url, "LUODI_VAR_DIR": str(tmp_path / "var"), "LUODI_DEV": "true",
        "TMPDIR": str(tmp_path), "LUODI_RATE_PER_MINUTE": "0",
    }  # fmt: skip
    environment.pop(metrics.MULTIPROCESS, None)
    command = [sys.executable, "-c", "from app.cli import main; main()", "serve", "--port", str(port), "--workers", "2", "--no-worker"]
    server = subprocess.Popen(command, env=environment, cwd=ROOT, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        _until(lambda: _status(address + "/livez") == 200)
        start = _livez(address)
        for _ in range(30):
            assert _status(address + "/livez") == 200  # a connection each, so that both processes get some
        assert _livez(address) == start + 30
        children = [int(one) for one in Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()]
        served = [one for one in children if b"spawn_main" in Path(f"/proc/{one}/cmdline").read_bytes()]
        os.kill(served[0], signal.SIGKILL)
        _until(lambda: _status(address + "/livez") == 200)
        assert _livez(address) >= start + 30
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(60)
    assert not list(tmp_path.glob("luodi-metrics-*")), "its folder is gone with it"


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _status(address: str) -> int:
    try:
        return httpx.get(address, timeout=10, trust_env=False).status_code
    except httpx.HTTPError:
        return 0


def _livez(address: str) -> float:
    while True:
        try:
            text = httpx.get(address + "/metrics", timeout=10, trust_env=False).text
            return of(samples(text), "luodi_http_requests_total", method="GET", route="/livez", status="200")
        except httpx.HTTPError:
            time.sleep(0.1)


def _until(holds: Any) -> None:
    end = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.1)
