"""Liaison leaders, data checks and preferences over REST."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from app.alerts.models import Preference
from app.cli import app
from app.cli import offices as cli_offices
from app.errors import Invalid, NotFound
from app.offices import service as offices
from app.offices.models import Person
from app.projects import rebuild
from app.projects.models import StandingRow
from tests.cast import County


def person(county: County, office: str, name: str, role: str = "leader") -> int:
    with county.database.write() as connection:
        return offices.add_person(connection, office=office, name=name, email=f"{name}@example.org", role=role)


def patch(county: County, who: str, ref: str, body: dict[str, Any], status: int = 200) -> dict[str, Any]:
    answer = county.as_(who).patch(f"/projects/{ref}", json=body, headers={"If-Match": "*"})
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_liaison_leader_is_assigned_as_an_owner_is(county: County) -> None:
    chief, deputy, other = person(county, "C", "chief"), person(county, "B", "deputy"), person(county, "T02", "other")
    ref = county.register(liaison_id=chief)
    county.sign(ref)
    assert county.get("clerk", f"/projects/{ref}")["liaison"] == {"id": chief, "name": "chief", "left_on": None}
    assert county.get("clerk", "/projects")["items"][0]["liaison"]["name"] == "chief"
    assert [county.get("clerk", "/projects", liaison=one, count=True)["total"] for one in (chief, other)] == [1, 0]
    assert county.get("clerk", "/signed-then-stopped")["items"][0]["liaison"]["name"] == "chief"
    refused = patch(county, "clerk", ref, {"liaison_id": None}, 422)
    assert refused["errors"][0]["field"] == "reason", "who looks after it changes with a reason"
    assert patch(county, "clerk", ref, {"liaison_id": other, "reason": "x"}, 422)["errors"][0]["field"] == "liaison_id"
    assert patch(county, "clerk", ref, {"liaison_id": deputy, "reason": "x"}, 422), "a town names its own people and those above it"
    change = {"liaison_id": deputy, "reason": "分工调整", "effective_on": "2026-05-01"}
    assert patch(county, "officer", ref, change)["project"]["liaison"]["name"] == "deputy"
    for as_of, name in (("2026-04-30", "chief"), ("2026-05-01", "deputy")):
        assert county.get("officer", f"/projects/{ref}", as_of=as_of)["liaison"]["name"] == name
    assert patch(county, "officer", ref, {"liaison_id": None, "reason": "x"})["project"]["liaison"] is None
    with county.database.snapshot() as connection:
        known = sa.select(StandingRow.liaison_id).where(StandingRow.known_to.is_(None)).order_by(StandingRow.valid_from)
        assert list(connection.scalars(known))[-2:] == [deputy, None]
    assert rebuild.check(county.database) == []


def test_data_checks_are_a_list_like_any_other(county: County) -> None:
    refs = [county.register(route=None, name=f"项目{number}") for number in range(5)]
    for ref in refs:
        county.sign(ref)
    theirs = county.register("officer", office="T02", route=None)
    county.sign(theirs, who="officer")
    found, cursor = [], None
    while True:
        page = county.get("clerk", "/data-checks", limit=2, count=True, **({"cursor": cursor} if cursor else {}))
        assert page["total"] == 5
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert [row["ref"] for row in found] == refs
    assert found[0]["checks"] == [
        {
            "code": "route_missing",
            "label": "未登记用地方式",
            "label_english": "no site route",
            "advice": "请补充用地方式（route）；未登记时按用地方式区分的时限不计",
        }
    ]
    assert county.get("officer", "/data-checks", count=True)["total"] == 6
    assert [row["ref"] for row in county.get("officer", "/data-checks", office="T02")["items"]] == [theirs]
    assert county.get("department", "/data-checks")["items"] == []
    patch(county, "clerk", refs[0], {"route": "leased", "reason": "补充", "effective_on": "2026-06-01"})
    assert county.get("clerk", "/data-checks", count=True, check="route_missing")["total"] == 4
    assert county.get("clerk", "/data-checks", count=True, as_of="2026-05-31")["total"] == 5
    assert county.get("clerk", "/data-checks", check="contract_incomplete")["items"] == []
    county.get("clerk", "/data-checks", 422, check="nonsense")
    county.get("clerk", "/data-checks", 422, check="nonsense", cursor="x")
    cursor = county.get("clerk", "/data-checks", limit=1)["next_cursor"]
    county.get("clerk", "/data-checks", 422, limit=1, cursor=cursor, check="route_missing")


def test_ground_work_in_the_text_of_a_start_is_a_check_and_moves_nothing(county: County) -> None:
    ref = county.register()
    county.sign(ref)
    county.land(ref, "2026-03-20")
    evidence = [{"kind": "start_report", "number": "1", "dated_on": "2026-04-01"}, {"kind": "site_photo", "dated_on": "2026-04-01"}]
    move = {"action": "start_construction", "effective_on": "2026-04-01", "evidence": evidence, "note": "举行奠基仪式，平整场地"}
    project = county.post("clerk", f"/projects/{ref}/moves", move)["project"]
    assert project["stage"] == "construction" and project["data_checks"] == ["start_not_substantive"]
    told = county.post("clerk", f"/projects/{ref}/reports", {"text": "完成场地平整，正在进行桩基施工", "effective_on": "2026-05-01"})
    assert told["project"]["data_checks"] == []
    assert county.get("clerk", f"/projects/{ref}", as_of="2026-04-30")["data_checks"] == ["start_not_substantive"]


def test_preferences_belong_to_a_person(county: County) -> None:
    person(county, "T01", "wang", "clerk")
    with county.database.write() as connection:
        county.tokens["wang"] = offices.issue_token(
            connection, office="T01", role="clerk", now=county.clock.now(), person="wang@example.org"
        )
    url = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=0123456789"
    mine, theirs = (
        county.post("officer", "/robots", {"office": office, "kind": "wecom", "name": "群", "url": url + office})["id"]
        for office in ("T01", "T02")
    )
    client = county.as_("wang")
    assert county.get("wang", "/me/preferences")["channel"] == "mail"
    chosen = client.put("/me/preferences", json={"channel": "robot", "robot_id": mine})
    assert chosen.status_code == 200 and chosen.json()["goes_by"] == "wecom" and chosen.json()["robot"]["name"] == "群"
    refused: list[dict[str, Any]] = [
        {"channel": "robot", "robot_id": theirs}, {"channel": "robot"}, {"channel": "mail", "robot_id": mine}, {"channel": "none"},
    ]  # fmt: skip
    for body in refused:
        assert client.put("/me/preferences", json=body).status_code == 422, body
    assert county.get("wang", "/me/preferences") == chosen.json()
    assert county.as_("admin").patch(f"/robots/{mine}", json={"enabled": False}).status_code == 200
    now = county.get("wang", "/me/preferences")
    assert (now["channel"], now["goes_by"]) == ("robot", "mail")
    assert client.put("/me/preferences", json={"channel": "mail"}).json()["robot"] is None
    county.get("clerk", "/me/preferences", 404)


def test_the_command_line_says_who_prefers_what_and_who_left(county: County, monkeypatch: pytest.MonkeyPatch) -> None:
    """`luodi person prefer` and `luodi person leave`: the departure is recorded with its moment, which makes it news."""
    monkeypatch.setattr(cli_offices, "open_house", lambda: county.house)
    number = person(county, "T01", "wang", "clerk")
    url = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=0123456789"
    robot = county.post("officer", "/robots", {"office": "T01", "kind": "wecom", "name": "值班群", "url": url})["id"]

    def run(*args: str) -> Any:
        return CliRunner().invoke(app, ["person", *args])

    assert "值班群" in run("prefer", "wang@example.org", "--robot", str(robot)).output
    assert isinstance(run("prefer", "wang@example.org", "--robot", "999").exception, Invalid)
    assert isinstance(run("prefer", "nobody@example.org").exception, NotFound)
    with county.database.snapshot() as connection:
        assert connection.scalar(sa.select(Preference.robot_id).where(Preference.person_id == number)) == robot
    assert "邮件" in run("prefer", "wang@example.org").output
    county.register(owner_id=number)
    assert "1 个项目待指定责任人" in run("leave", "wang@example.org").output
    with county.database.snapshot() as connection:
        left = connection.execute(sa.select(Person.left_on, Person.left_told_at).where(Person.id == number)).one()
    assert left.left_on == county.clock.today() and abs(left.left_told_at - county.clock.now()) < timedelta(seconds=1)
