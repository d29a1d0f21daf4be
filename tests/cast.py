"""The cast of the stories: a county with two towns, and everybody's token. Requests are real HTTP to a real server."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from app.clock import Clock, FixedClock
from app.db import Database
from app.main import create_app
from app.offices import service as offices
from app.offices.desk import House
from app.settings import Settings
from app.wire import served

NOW = datetime.fromisoformat("2026-06-10T10:00:00+08:00")
CAST = {
    "clerk": ("T01", "clerk"),
    "other": ("T02", "clerk"),
    "officer": ("B", "officer"),
    "leader": ("C", "leader"),
    "auditor": ("C", "auditor"),
    "admin": ("C", "admin"),
    "department": ("D", "clerk"),
    "townleader": ("T01", "leader"),
}


def make_settings(url: str, folder: Path, **more: Any) -> Settings:
    """Settings of a test: own keys, own folder, no worker, nobody too fast."""
    given = {
        "worker": False,
        "dev": True,
        "secret_key": "s" * 32,
        "audit_key": "a" * 32,
        "var_dir": folder / "var",
        "smtp_url": f"file:{folder / 'mail'}",
        "rate_per_minute": 0,
        "refusals_per_minute": 0,
    }
    return Settings(database_url=url, **(given | more))


def found_county(house: House) -> dict[str, str]:
    """The county's offices, and a token for everybody of the cast."""
    with house.database.write() as connection:
        offices.add_office(connection, code="C", name="示例县", kind="county")
        offices.add_office(connection, code="B", name="县招商局", kind="bureau", parent="C")
        offices.add_office(connection, code="D", name="自然资源局", kind="department", parent="C")
        for number in (1, 2):
            offices.add_office(connection, code=f"T0{number}", name=f"示例{number}镇", kind="town", parent="C")
        return {
            name: offices.issue_token(connection, office=office, role=role, now=house.clock.now()) for name, (office, role) in CAST.items()
        }


class County:
    """A running service with its cast; `as_("clerk")` is a client that carries the clerk's token."""

    def __init__(self, house: House, address: str, tokens: dict[str, str]) -> None:
        self.house, self.address, self.tokens = house, address, tokens
        self.clock: FixedClock = house.clock  # type: ignore[assignment]
        self._clients: dict[str, httpx.Client] = {}

    @property
    def database(self) -> Database:
        return self.house.database

    def as_(self, name: str) -> httpx.Client:
        if name not in self._clients:
            headers = {"Authorization": f"Bearer {self.tokens[name]}"} if name in self.tokens else {}
            self._clients[name] = httpx.Client(base_url=self.address + "/api/v1", headers=headers, timeout=30, trust_env=False)
        return self._clients[name]

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    def at(self, instant: str) -> None:
        """Set the clock."""
        self.clock.instant = datetime.fromisoformat(instant)

    def post(self, who: str, path: str, body: dict[str, Any], status: int = 201, **headers: str) -> dict[str, Any]:
        answer = self.as_(who).post(path, json=body, headers=headers)
        assert answer.status_code == status, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def get(self, who: str, path: str, status: int = 200, **params: Any) -> dict[str, Any]:
        answer = self.as_(who).get(path, params=params)
        assert answer.status_code == status, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def register(self, who: str = "clerk", **fields: Any) -> str:
        """A project in intent; its ref."""
        body = {"name": "年产5万吨锂电材料项目", "office": "T01", "route": "leased", "effective_on": "2026-02-01"} | fields
        ref: str = self.post(who, "/projects", body)["ref"]
        return ref

    def sign(self, ref: str, on: str = "2026-03-01", who: str = "clerk") -> dict[str, Any]:
        """A formal contract with amount, number and date."""
        return self.post(who, f"/projects/{ref}/moves", signing(on))

    def land(self, ref: str, on: str, who: str = "clerk") -> dict[str, Any]:
        """Company, filing and lease, all dated on the day."""
        return self.post(who, f"/projects/{ref}/moves", landing(on))


def signing(on: str) -> dict[str, Any]:
    return {
        "action": "sign",
        "effective_on": on,
        "contract_amount": {"amount": "120000000.00", "currency": "CNY"},
        "evidence": [{"kind": "formal_contract", "number": "HT-2026-001", "dated_on": on}],
    }


def landing(on: str) -> dict[str, Any]:
    kinds = ("company_registration", "project_filing", "lease_contract")
    return {"action": "secure_land", "effective_on": on, "evidence": [{"kind": kind, "number": "1", "dated_on": on} for kind in kinds]}


@contextmanager
def running(settings: Settings, now: datetime = NOW, clock: Clock | None = None, tokens: dict[str, str] | None = None) -> Iterator[County]:
    """A county served on loopback until the block ends. With the tokens of a county that was there before, it is not founded."""
    app = create_app(settings, clock or FixedClock(settings.zone, now))
    house: House = app.state.house
    tokens = tokens or found_county(house)
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, **served(settings) | {"log_level": "warning", "timeout_graceful_shutdown": 5}))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.005)
    county = County(house, f"http://127.0.0.1:{listener.getsockname()[1]}", tokens)
    try:
        yield county
    finally:
        county.close()
        server.should_exit = True
        thread.join(20)
        listener.close()
        house.database.dispose()
