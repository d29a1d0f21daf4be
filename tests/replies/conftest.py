"""A county with Wang of the first town, his project, and the page of its line in the digest of the day."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from app.offices import service as offices
from app.projects.models import Project
from app.projects.rebuild import check, verify_chains
from app.replies import links
from app.replies.links import Link
from app.replies.models import ReplyUse
from tests.cast import County
from tests.invariants import check_invariants

FOLLOW_UP = {"kind": "follow_up", "channel": "visit", "note": "走访企业，设备已订购"}
DATE = {"kind": "date", "milestone": "real_start", "on": "2026-09-01", "reason": "征地推迟"}
BLOCKER = {"kind": "blocker", "text": "用地指标未落实，请自然资源局解决"}
NO_CHANGE = {"kind": "no_change"}
ANSWERS = [FOLLOW_UP, DATE, BLOCKER, NO_CHANGE]


class Desk:
    """Links, their pages, and what came of them."""

    def __init__(self, county: County) -> None:
        self.county = county
        self.people = {"wang": self.person("T01", "王一"), "li": self.person("T02", "李二"), "zhao": self.person("B", "赵三", "officer")}
        self.ref = county.register(owner_id=self.people["wang"][0])
        self.client = httpx.Client(base_url=county.address, timeout=30, trust_env=False)

    def person(self, office: str, name: str, role: str = "clerk") -> tuple[int, int]:
        """(number, office) of somebody new."""
        with self.county.database.write() as connection:
            number = offices.add_person(connection, office=office, name=name, email=f"{name.encode().hex()}@example.org", role=role)
            unit = offices.find_office(connection, office)
        assert unit is not None
        return number, unit.id

    def at(self, instant: str) -> None:
        """Set the clock."""
        self.county.clock.instant = datetime.fromisoformat(instant).astimezone(UTC)

    def number(self, ref: str) -> int:
        with self.county.database.statement() as connection:
            return int(connection.scalar(sa.select(Project.id).where(Project.ref == ref)) or 0)

    def token(self, who: str = "wang", ref: str | None = None, day: date | None = None) -> str:
        link = Link(*self.people[who], self.number(ref or self.ref), day or self.county.clock.today())
        return links.signer(self.county.house.settings).pack(link)

    def open(self, token: str, status: int = 200) -> str:
        answer = self.client.get(f"/r/{token}")
        assert answer.status_code == status, answer.text
        return answer.text

    def form(self, token: str) -> str:
        found = re.search(r'name="form" value="([^"]+)"', self.open(token))
        assert found is not None
        return html.unescape(found[1])

    def send(self, token: str, given: dict[str, Any], status: int = 200, form: str | None = None, **headers: str) -> str:
        answer = self.client.post(f"/r/{token}", data={**given, "form": form or self.form(token)}, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.text

    def facts(self, ref: str | None = None) -> list[dict[str, Any]]:
        """What came through links, newest first."""
        found = self.county.get("officer", f"/projects/{ref or self.ref}/facts")["items"]
        return [one for one in found if one["source"] == "reply_link"]

    def uses(self) -> list[tuple[str, str, int]]:
        with self.county.database.statement() as connection:
            query = sa.select(ReplyUse.what, ReplyUse.reason, ReplyUse.times).order_by(ReplyUse.id)
            return [tuple(row) for row in connection.execute(query)]  # type: ignore[misc]


@pytest.fixture
def desk(county: County) -> Iterator[Desk]:
    """After every story all facts are whole, folded, and in their chain."""
    made = Desk(county)
    yield made
    made.client.close()
    with county.database.snapshot() as connection:
        check_invariants(connection)
    assert check(county.database) == [] and verify_chains(county.database, county.house.audit_key) == []
