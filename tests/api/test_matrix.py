"""Every route, every role, every place: what access.py promises, and nothing else. A new route without a row here fails."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import pytest

from app.heart import lifecycle
from app.offices import service as offices
from app.offices.access import CALENDAR, COLUMNS, COUNTY_ONLY, KEEP, MAY, REPORT, RESEND, REVIEW, ROBOTS, ROLES, SUPERVISE
from tests.calendars.notices import notice
from tests.cast import County, make_settings, running, signing

PLACES = {"C": "county", "B": "bureau", "D": "department", "T01": "town", "T02": "town"}
CALLERS = [(office, role) for office in PLACES for role in ROLES]
PROJECT, LIST, EVERYBODY, OPEN = "a project of T01", "a list of T01", "whoever has a token", "whoever comes"
LEDGER = "all of T01 as a file"
OWN = "projects of one's own offices, which a department has none of"
MONEY = {"amount": "1.00", "currency": "CNY"}


class Route(NamedTuple):
    """What a route touches, which right it asks for, a body that is good, and what success is."""

    scope: str
    may: str | None = None
    body: dict[str, Any] | None = None
    done: int = 200


ROUTES = {
    "GET /livez": Route(OPEN),
    "GET /readyz": Route(OPEN),
    "GET /metrics": Route(OPEN),  # from this machine
    "GET /healthz/daily": Route(OPEN, done=503),  # nothing has run, and it is ten in the morning
    "GET /api/v1/me": Route(EVERYBODY),
    "GET /api/v1/workflow": Route(EVERYBODY),
    "GET /api/v1/policy": Route(EVERYBODY),
    "GET /api/v1/calendar": Route(EVERYBODY),
    "GET /api/v1/calendar/versions": Route(EVERYBODY),
    "POST /api/v1/calendar": Route(EVERYBODY, CALENDAR, {"year": 2027, "text": notice(2027), "dry_run": True}),
    "POST /api/v1/policy/rehearse": Route(EVERYBODY, body={"variants": []}),
    "GET /api/v1/runs": Route(EVERYBODY),
    "GET /api/v1/runs/{day}": Route(EVERYBODY, done=404),  # nothing has run
    "GET /api/v1/offices": Route(EVERYBODY),
    "GET /api/v1/people": Route(EVERYBODY),
    "GET /api/v1/deliveries": Route(EVERYBODY),
    "GET /api/v1/deliveries/{number}": Route(EVERYBODY, done=404),  # nothing was sent
    "POST /api/v1/deliveries/{number}/resend": Route(EVERYBODY, RESEND, done=404),
    "GET /api/v1/channels": Route(EVERYBODY),
    "GET /api/v1/reply-uses": Route(EVERYBODY),
    "GET /api/v1/me/preferences": Route(EVERYBODY, done=404),  # these tokens stand for offices, not for people
    "PUT /api/v1/me/preferences": Route(EVERYBODY, body={"channel": "mail"}, done=404),
    "POST /api/v1/channels/{channel}/resume": Route(EVERYBODY, RESEND, done=404),
    "GET /api/v1/projects": Route(LIST),
    "GET /api/v1/signed-then-stopped": Route(LIST),
    "GET /api/v1/stalls": Route(LIST),
    "GET /api/v1/data-checks": Route(LIST),
    **{f"GET /api/v1/{name}.{kind}": Route(LIST) for name in ("projects", "signed-then-stopped", "stalls") for kind in ("csv", "xlsx")},
    **{f"GET /api/v1/exports/ledger.{kind}": Route(LEDGER) for kind in ("csv", "xlsx")},
    "GET /api/v1/exports/ledger-template.xlsx": Route(EVERYBODY),
    "GET /api/v1/filters": Route(EVERYBODY),
    "POST /api/v1/filters": Route(EVERYBODY, KEEP, {"name": "筛选", "list": "projects", "query": "stage=signed"}, 201),
    "DELETE /api/v1/filters/{number}": Route(EVERYBODY, KEEP, done=404),  # nobody kept one of this number
    "GET /api/v1/robots": Route(EVERYBODY),
    "POST /api/v1/robots": Route(EVERYBODY, ROBOTS, {"office": "T01", "kind": "wecom"}, 201),
    "PATCH /api/v1/robots/{number}": Route(EVERYBODY, ROBOTS, {"enabled": False}, 404),  # there is none of this number
    "DELETE /api/v1/robots/{number}": Route(EVERYBODY, ROBOTS, done=404),
    "POST /api/v1/robots/{number}/test": Route(EVERYBODY, ROBOTS, done=404),
    "GET /api/v1/imports": Route(EVERYBODY),
    "POST /api/v1/imports": Route(OWN, REPORT, {"any": "file"}, 202),
    "GET /api/v1/imports/{number}": Route(EVERYBODY, done=404),  # nobody sent one of this number
    "GET /api/v1/imports/{number}/errors.xlsx": Route(EVERYBODY, done=404),
    "POST /api/v1/imports/{number}/apply": Route(EVERYBODY, REPORT, done=404),
    "GET /api/v1/ledger-columns": Route(EVERYBODY),
    "POST /api/v1/ledger-columns/aliases": Route(EVERYBODY, COLUMNS, {"field": "amount"}, 201),
    "DELETE /api/v1/ledger-columns/aliases/{number}": Route(EVERYBODY, COLUMNS, done=404),
    "POST /api/v1/stalls/{stall}/acknowledge": Route(PROJECT, REPORT, {"plan": "已约谈", "until": "2026-07-01"}, 201),
    "POST /api/v1/stalls/{stall}/snooze": Route(PROJECT, SUPERVISE, {"reason": "等指标", "until": "2026-07-01"}, 201),
    "POST /api/v1/projects/{ref}/exit-review": Route(PROJECT, SUPERVISE, {"decision": "take_land_back", "reason": "闲置"}, 201),
    "GET /api/v1/orders": Route(EVERYBODY),
    "POST /api/v1/orders": Route(EVERYBODY, SUPERVISE, {"office": "T01", "matter": "督办", "requirement": "办理"}, 201),
    **{f"GET /api/v1/orders/{{order}}.{kind}": Route(EVERYBODY, done=404) for kind in ("html", "docx")},
    "GET /api/v1/orders/{order}": Route(EVERYBODY, done=404),  # none of this number; who sees which: tests/orders
    **{
        f"POST /api/v1/orders/{{order}}/{step}": Route(EVERYBODY, None, body, 404)
        for step, body in (
            ("receive", {}),
            ("reply", {"text": "已办"}),
            ("extend", {"reason": "等批复", "until": "2026-07-01"}),
            ("decide-extension", {"granted": True}),
            ("close", {"reason": "办结"}),
            ("send-back", {"reason": "重办"}),
        )
    },
    "POST /api/v1/moves:batch": Route(EVERYBODY, REPORT, {"items": [{"ref": "?", "action": "resume"}]}),
    "POST /api/v1/projects": Route(PROJECT, REPORT, {"name": "新项目", "office": "T01"}, 201),
    "GET /api/v1/projects/{ref}": Route(PROJECT),
    "PATCH /api/v1/projects/{ref}": Route(PROJECT, REPORT, {"name": "新名"}),
    "GET /api/v1/projects/{ref}/moves": Route(PROJECT),
    "POST /api/v1/projects/{ref}/moves": Route(PROJECT, REPORT, signing("2026-03-01"), 201),
    "POST /api/v1/projects/{ref}/milestones": Route(PROJECT, REPORT, {"milestone": "eia_approved"}, 201),
    "POST /api/v1/projects/{ref}/follow-ups": Route(PROJECT, REPORT, {}, 201),
    "POST /api/v1/projects/{ref}/funds": Route(PROJECT, REPORT, {"total": MONEY}, 201),
    "POST /api/v1/projects/{ref}/reports": Route(PROJECT, REPORT, {"no_change": True}, 201),
    "POST /api/v1/projects/{ref}/evidence": Route(PROJECT, REPORT, {"evidence": [{"kind": "other"}]}, 201),
    "GET /api/v1/projects/{ref}/facts": Route(PROJECT),
    "POST /api/v1/facts/{fact_id}/recognise": Route(PROJECT, REVIEW, {}, 201),
    "POST /api/v1/facts/{fact_id}/return": Route(PROJECT, REVIEW, {"reason": "x"}, 201),
    "POST /api/v1/facts/{fact_id}/void": Route(PROJECT, REVIEW, {"reason": "x"}, 201),
}


@pytest.fixture(scope="module", params=("sqlite", "postgresql"))
def served(request: pytest.FixtureRequest, databases: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[County]:
    """One county for the whole table, with a token for every role of every place, named "T01 clerk"."""
    folder = tmp_path_factory.mktemp("matrix")
    url = databases.new(request.param, folder)
    with running(make_settings(url, folder)) as county:
        with county.database.write() as connection:
            for office, role in CALLERS:
                token = offices.issue_token(connection, office=office, role=role, now=county.clock.now())
                county.tokens[f"{office} {role}"] = token
            offices.add_person(connection, office="T01", name="王一", email="t01@example.org", role="clerk")
        yield county
    databases.drop(url)


def sees(office: str) -> bool:
    """Does a caller of this office see T01?"""
    return PLACES[office] in ("county", "bureau") or office == "T01"


def may(office: str, role: str, right: str | None) -> bool:
    return right is None or (right in MAY[role] and (right not in COUNTY_ONLY or PLACES[office] in ("county", "bureau")))


def expected(route: Route, office: str, role: str) -> int:
    """Outside the offices nothing exists; inside, the role decides."""
    if route.scope == PROJECT and not sees(office):
        return 403 if route.body == ROUTES["POST /api/v1/projects"].body and not may(office, role, REPORT) else 404
    if route.scope == OWN and PLACES[office] == "department":
        return 403
    return route.done if may(office, role, route.may) else 403


def operations(county: County) -> dict[str, dict[str, Any]]:
    api = county.as_("nobody").get(county.address + "/openapi.json").json()
    return {f"{method.upper()} {path}": one for path, methods in api["paths"].items() for method, one in methods.items()}


def fresh(county: County) -> dict[str, Any]:
    """A project of T01 with a signing that waits for its review, reported by the town on an earlier day."""
    county.clock.instant = county.clock.instant.replace(day=9)
    ref = county.register(planned_start_on="2027-03-01", planned_operation_on="2027-02-01")  # the wrong way round: a data check
    fact = county.sign(ref, "2026-03-01")["fact"]["id"]
    county.clock.instant = county.clock.instant.replace(day=10)
    return {
        "ref": ref,
        "stall": f"{ref}:signed_no_progress",
        "fact_id": fact,
        "day": "2026-06-01",
        "number": 99_999,
        "order": "99999",
        "channel": "pigeon",
    }


def call(county: County, name: str, token: str | None, at: dict[str, Any]) -> httpx.Response:
    method, path = name.split(" ")
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    if method == "PATCH":
        headers["If-Match"] = "*"
    params = {"limit": 200} if ROUTES[name].scope == LIST else None  # all that the table has registered so far, on one page
    body = ROUTES[name].body
    if path == "/api/v1/filters" and body is not None:
        body = body | {"name": str(token)[:16]}  # an office keeps each name once
    if path == "/api/v1/ledger-columns/aliases" and body is not None:  # and a header means one thing
        body = body | {"header": f"投资{hashlib.sha256(str(token).encode()).hexdigest()}"}
    if path == "/api/v1/robots" and body is not None:  # and each address
        name = hashlib.sha256(str(token).encode()).hexdigest()
        body = body | {"name": name, "url": f"https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key={name}"}
    return county.as_("nobody").request(method, county.address + path.format(**at), json=body, headers=headers, params=params)


def text_of(answer: httpx.Response) -> str:
    """What an answer says, also one that is a spreadsheet."""
    if answer.content[:2] != b"PK":
        return answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as parts:
        return "".join(parts.read(name).decode() for name in parts.namelist())


def test_every_route_has_its_row(served: County) -> None:
    assert set(operations(served)) == set(ROUTES)


@pytest.mark.parametrize("name", [name for name, route in ROUTES.items() if route.scope != OPEN])
def test_a_route_answers_each_caller_as_promised(served: County, name: str) -> None:
    route, at, unsigned, version = ROUTES[name], fresh(served), served.register(), 2
    for office, role in CALLERS:
        if name == "POST /api/v1/projects/{ref}/moves":
            at["ref"] = unsigned  # still to be signed
        answer = call(served, name, served.tokens[f"{office} {role}"], at)
        assert answer.status_code == expected(route, office, role), (office, role, answer.text)
        if answer.status_code >= 400:
            assert answer.json()["code"] == {403: "forbidden", 404: "not_found"}[answer.status_code]
            if route.body is not None and "ref" in at:  # a refusal leaves no trace
                assert served.get("officer", f"/projects/{at['ref']}")["version"] == (1 if at["ref"] == unsigned else version)
        if name.startswith("PATCH") and answer.status_code == 200:
            version += 1
        if route.scope == PROJECT and answer.status_code == 201:
            at, unsigned = fresh(served), served.register()
        if route.scope in (LIST, LEDGER):
            assert (at["ref"] in text_of(answer)) == sees(office), (office, role)
            params = {"office": "T01"} | ({"count": "true"} if route.scope == LIST else {})
            narrowed = served.as_(f"{office} {role}").get(str(answer.url), params=params)
            assert narrowed.status_code == (200 if sees(office) else 404)


@pytest.mark.parametrize("action", lifecycle.BY_ACTION)
def test_each_move_is_for_those_the_table_names(served: County, action: str) -> None:
    move = lifecycle.BY_ACTION[action]
    body = {"action": action, "effective_on": "2026-01-01"}
    ref = fresh(served)["ref"]
    for office, role in CALLERS:
        answer = served.as_(f"{office} {role}").post(f"/projects/{ref}/moves", json=body)
        allowed = role in move.may and (move.may != lifecycle.BUREAU or PLACES[office] in ("county", "bureau"))
        wanted = 404 if not sees(office) else 409 if allowed else 403
        assert answer.status_code == wanted, (office, role, answer.text)


def but_its_number(answer: httpx.Response) -> bytes:
    """What was answered, without the request's own id."""
    return answer.content.replace(answer.headers["x-request-id"].encode(), b"")


def test_without_a_good_token_nothing_is_told(served: County) -> None:
    at = fresh(served)
    now = served.clock.now()
    with served.database.write() as connection:
        offices.add_office(connection, code=f"X{now.timestamp()}", name="试验镇", kind="town", parent="C")
        revoked, short = (
            offices.issue_token(connection, office=f"X{now.timestamp()}", role="clerk", now=now, days=days) for days in (365, 1)
        )
        offices.revoke_token(connection, revoked, now)
    served.clock.instant = now.replace(day=11, hour=12)
    number, told = served.tokens["clerk"].partition(".")[0], set()
    for name, route in ROUTES.items():
        for token in (None, "x", "x.y", f"{number}.wrong", revoked, short):
            answer = call(served, name, token, at)
            assert answer.status_code == (route.done if route.scope == OPEN else 401), (name, token, answer.text)
            if route.scope != OPEN:
                assert answer.json()["code"] == "unauthorized" and answer.headers["www-authenticate"] == "Bearer"
            if token is not None and "." in token and route.scope != OPEN:  # wrong, revoked, expired, or never there
                told.add(but_its_number(answer))
    assert len(told) == 1, "all bad tokens are told the same"
    assert served.get("clerk", f"/projects/{at['ref']}")["version"] == 2


NOWHERE = {
    "ref": "T01-2026-9999",
    "stall": "T01-2026-9999:signed_no_progress",
    "fact_id": 10**15,
    "day": "2026-06-01",
    "number": 10**15,
    "order": str(10**15),
    "channel": "pigeon",
}


@pytest.mark.parametrize("name", [name for name, route in ROUTES.items() if route.scope == PROJECT and "{" in name])
def test_what_is_elsewhere_looks_like_what_is_nowhere(served: County, name: str) -> None:
    """Status, body and headers alike: nobody can ask whether a project or a fact of another office exists."""
    at = fresh(served)
    for office, role in CALLERS:
        if sees(office):
            continue
        token = served.tokens[f"{office} {role}"]
        elsewhere, nowhere = call(served, name, token, at), call(served, name, token, NOWHERE)
        assert elsewhere.status_code == nowhere.status_code == 404 and but_its_number(elsewhere) == but_its_number(nowhere)
        kept = [{name: one.headers[name] for name in one.headers if name not in ("date", "x-request-id")} for one in (elsewhere, nowhere)]
        assert kept[0] == kept[1]
        if name.startswith("GET"):
            method, path = name.split(" ")
            addresses = [served.address + path.format(**one) + "?as_of=2026-04-01" for one in (at, NOWHERE)]
            past = [served.as_(f"{office} {role}").request(method, one) for one in addresses]
            assert past[0].status_code == past[1].status_code == 404 and but_its_number(past[0]) == but_its_number(past[1])


def test_a_token_is_taken_from_its_header_and_from_nowhere_else(served: County) -> None:
    at, token = fresh(served), served.tokens["officer"]
    for name, route in ROUTES.items():
        method, path = name.split(" ")
        for where in ({"token": token}, {"access_token": token}, {"authorization": f"Bearer {token}"}):
            for how in ("params", "cookies", "headers"):
                if how == "headers":  # another header than Authorization
                    where = {f"X-{key}": value for key, value in where.items()}
                with httpx.Client(trust_env=False, cookies=where if how == "cookies" else None) as client:
                    more = {} if how == "cookies" else {how: where}
                    answer = client.request(method, served.address + path.format(**at), json=route.body, **more)  # type: ignore[arg-type]
                assert answer.status_code == (route.done if route.scope == OPEN else 401), (name, how)
    assert served.get("clerk", f"/projects/{at['ref']}")["version"] == 2


def test_offices_people_and_messages_stop_at_the_border(served: County) -> None:
    for office, role in CALLERS:
        client = served.as_(f"{office} {role}")
        codes = {one["code"] for one in client.get("/offices").json()["items"]}
        assert ("T01" in codes) == sees(office) and ("T02" in codes) == (sees("T01") if office in ("C", "B") else office == "T02")
        assert ("t01@example.org" in client.get("/people").text) == sees(office)
