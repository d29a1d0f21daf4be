"""What the documentation says of an answer is what the answer is: no field more, none less, nothing of another kind."""

from __future__ import annotations

import re
from datetime import date, datetime
from email import message_from_bytes
from email.policy import default
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from app.alerts import holding
from app.alerts.models import Delivery
from app.ledgers import running
from app.offices.service import add_person, issue_token
from app.robots import courier
from app.robots.kinds.base import Reply
from app.worker import daily
from tests.calendars.notices import notice
from tests.cast import County, landing, signing
from tests.ledgers.workbooks import Page, xlsx

KINDS: dict[str, Any] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
    "array": list,
    "object": dict,
}


class Documented:
    """The service's own description, and every answer held against it."""

    def __init__(self, county: County) -> None:
        self.county = county
        self.api = county.as_("nobody").get(county.address + "/openapi.json").json()
        self.seen: set[tuple[str, str, str]] = set()

    def faults(self, schema: dict[str, Any], value: Any, at: str = "") -> list[str]:
        if "$ref" in schema:
            schema = self.api["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        if "anyOf" in schema:
            tried = [self.faults(one, value, at) for one in schema["anyOf"]]
            return [] if [] in tried else min(tried, key=len)
        wanted = schema.get("type")
        if wanted is None:
            return []
        if not isinstance(value, KINDS[wanted]) or (wanted == "integer" and isinstance(value, bool)):
            return [f"{at}: {value!r} is no {wanted}"]
        if "enum" in schema and value not in schema["enum"]:
            return [f"{at}: {value!r} is not one of {schema['enum']}"]
        if wanted == "string" and schema.get("format") in ("date", "date-time"):
            (date if schema["format"] == "date" else datetime).fromisoformat(value)
        if wanted == "array":
            return [fault for number, one in enumerate(value) for fault in self.faults(schema["items"], one, f"{at}[{number}]")]
        if wanted == "object":
            known, more = schema.get("properties", {}), schema.get("additionalProperties", False)
            found = [f"{at}: lacks {name}" for name in schema.get("required", []) if name not in value]
            for name, one in value.items():
                if name in known:
                    found += self.faults(known[name], one, f"{at}.{name}")
                elif more is False:
                    found.append(f"{at}: {name} is not documented")
                elif isinstance(more, dict):
                    found += self.faults(more, one, f"{at}.{name}")
            return found
        return []

    def call(
        self, who: str, method: str, path: str, body: Any = None, status: int = 200, template: str | None = None,
        content: bytes | None = None, **headers: str,
    ) -> Any:  # fmt: skip
        """One request, its answer held against the route's description; `content` is a file instead of a JSON body."""
        base = "" if path in ("/livez", "/readyz", "/healthz/daily") else "/api/v1"
        answer: httpx.Response = self.county.as_(who).request(
            method, self.county.address + base + path, json=body, content=content, headers=headers
        )  # fmt: skip
        assert answer.status_code == status, answer.text
        route = base + (template or path.partition("?")[0])
        kind = "application/json" if status < 400 else "application/problem+json"
        assert answer.headers["content-type"] == kind
        said = self.api["paths"][route][method.lower()]["responses"][str(status)]["content"][kind]["schema"]
        assert said, f"{method} {route} describes no answer"
        assert self.faults(said, answer.json()) == [], route
        self.seen.add((method.lower(), route, str(status)))
        return answer.json()


def letters(county: County) -> str:
    """What the messages so far say, as plain text."""
    with county.database.statement() as connection:
        found = [message_from_bytes(body, policy=default) for body in connection.scalars(sa.select(Delivery.body))]
    return "\n".join(one.get_body(("plain",)).get_content() for one in found)  # type: ignore[union-attr]


def test_a_walk_through_the_api_meets_what_is_documented(county: County, monkeypatch: pytest.MonkeyPatch) -> None:
    said = Documented(county)
    call = said.call
    made = call("clerk", "POST", "/projects", {"name": "项目", "office": "T01", "effective_on": "2026-02-01", "route": "leased"}, 201)
    ref = made["ref"]

    def told(who: str, kind: str, body: dict[str, Any], status: int = 201, of: str = ref) -> Any:
        return call(who, "POST", f"/projects/{of}/{kind}", body, status, "/projects/{ref}/" + kind)

    def review(verb: str, fact: int, body: dict[str, Any]) -> Any:
        return call("officer", "POST", f"/facts/{fact}/{verb}", body, 201, f"/facts/{{fact_id}}/{verb}")

    told("clerk", "moves", {"action": "sign"}, 409)
    told("clerk", "moves", landing("2026-03-02"), 409)
    signed = told("clerk", "moves", signing("2026-03-01"))["fact"]["id"]
    review("recognise", signed, {"scored": False})
    landed = told("clerk", "moves", landing("2026-03-05"))["fact"]["id"]
    told("clerk", "milestones", {"milestone": "eia_approved", "planned": True, "effective_on": "2027-01-01"})
    told("clerk", "follow-ups", {"channel": "visit", "note": "走访"})
    told("clerk", "funds", {"total": {"amount": "5", "currency": "USD"}})
    told("clerk", "reports", {"text": "设备招标"})
    extra = told("clerk", "evidence", {"evidence": [{"kind": "other"}]})["fact"]["id"]
    review("return", landed, {"reason": "材料不齐"})
    review("void", extra, {"reason": "重复"})
    pause = {"action": "suspend", "reason": "等指标", "next_actor": "government", "until": "2026-06-30"}
    told("officer", "moves", pause)
    told("officer", "moves", {"action": "terminate", "reason": "放弃", "termination": "withdrawn"})
    batch = [{"ref": ref, "action": "fly"}, {"ref": county.register(), **signing("2026-03-01")}, {"ref": ref, "action": "sign"}]
    assert [one["status"] for one in call("clerk", "POST", "/moves:batch", {"items": batch})["results"]] == [422, 201, 409]
    call("clerk", "POST", "/moves:batch", {"atomic": True, "items": batch}, 409)
    kept = call("clerk", "POST", "/filters", {"name": "红灯", "list": "stalls", "query": "level=red"}, 201)["id"]
    call("clerk", "POST", "/filters", {"name": "红灯", "list": "stalls", "query": "level=red"}, 409)
    assert call("clerk", "GET", "/filters?count=true")["total"] == 1
    call("clerk", "GET", f"/stalls?filter={kept}")
    call("other", "GET", f"/stalls?filter={kept}", status=404)
    with county.database.write() as connection:
        person = add_person(connection, office="T01", name="王一", email="t01@example.org", role="clerk")
        add_person(connection, office="B", name="李二", email="b@example.org", role="officer")
    stopped = county.register("officer", effective_on="2026-01-01")
    county.sign(stopped, "2026-02-01", "officer")
    change = {"owner_id": person, "reason": "分工", "contract_amount": {"amount": "7", "currency": "CNY"}}
    call("officer", "PATCH", f"/projects/{stopped}", change, 200, "/projects/{ref}", **{"If-Match": "*"})
    call("officer", "PATCH", f"/projects/{stopped}", change, 428, "/projects/{ref}")
    call("officer", "PATCH", f"/projects/{stopped}", change, 412, "/projects/{ref}", **{"If-Match": '"1"'})
    for one in (ref, stopped):
        for tail in ("", "?as_of=2026-03-03", "?known_at=2026-06-10"):
            call("clerk", "GET", f"/projects/{one}{tail}", template="/projects/{ref}")
        call("clerk", "GET", f"/projects/{one}/moves", template="/projects/{ref}/moves")
        call("clerk", "GET", f"/projects/{one}/facts", template="/projects/{ref}/facts")
        call("clerk", "GET", f"/projects/{one}/facts?count=true", template="/projects/{ref}/facts")
    change = {"liaison_id": person, "planned_start_on": "2027-03-01", "planned_operation_on": "2027-02-01", "reason": "包联"}
    call("officer", "PATCH", f"/projects/{stopped}", change, 200, "/projects/{ref}", **{"If-Match": "*"})
    assert call("clerk", "GET", "/data-checks?check=dates_out_of_order&count=true")["total"] == 1
    call("clerk", "GET", "/data-checks?check=nonsense", status=422)
    for path in ("/projects", "/signed-then-stopped", "/stalls"):
        for tail in ("?count=true&limit=1", "?as_of=2026-04-15", ""):
            assert call("officer", "GET", path + tail)["items"]
        call("officer", "GET", path + "?limit=0", status=422)
        call("other", "GET", path + "?office=T01", status=404)
    daily(county.house)
    day = county.house.clock.today()
    for who in ("clerk", "officer"):
        for path in ("/me", "/offices", "/people", "/policy", "/workflow", "/runs", "/deliveries", "/filters"):
            call(who, "GET", path)
        for path in ("/calendar", "/calendar?year=2027"):
            call(who, "GET", path)
        for path in ("/offices", "/people", "/runs", "/deliveries"):
            assert call(who, "GET", f"{path}?count=true")["total"] >= 0
        call(who, "GET", f"/runs/{day}", template="/runs/{day}")
    sent = call("officer", "GET", "/deliveries")["items"][0]
    call("officer", "GET", f"/deliveries/{sent['id']}", template="/deliveries/{number}")
    file = xlsx(Page([["镇区", "项目名称", "签约时间"], ["示例1镇", "台账里的项目", "2026-05-05"]]))
    tried = call("officer", "POST", "/imports?dry_run=true", status=202, content=file)["id"]
    running.run_waiting(county.house)
    call("officer", "GET", "/imports?limit=1")
    call("officer", "GET", f"/imports/{tried}", template="/imports/{number}")
    call("officer", "POST", f"/imports/{tried}/apply", {}, 202, "/imports/{number}/apply")
    for who in ("clerk", "officer"):
        call(who, "GET", "/channels")
    links = re.findall(rf"{county.house.settings.public_url}(/r/\S+)", letters(county))
    assert links and {county.as_("nobody").get(county.address + link).status_code for link in links} == {200}
    assert call("officer", "GET", "/reply-uses?count=true&limit=1")["items"]
    call("admin", "POST", "/channels/mail/resume", {}, 201, template="/channels/{channel}/resume")
    call("officer", "POST", f"/deliveries/{sent['id']}/resend", {}, 409, template="/deliveries/{number}/resend")
    with county.database.write() as connection:
        connection.execute(sa.update(Delivery).where(Delivery.id == sent["id"]).values(state="uncertain", reason="连接中断"))
    call("officer", "POST", f"/deliveries/{sent['id']}/resend", {"reason": "收件人未收到"}, 201, template="/deliveries/{number}/resend")
    daily(county.house)
    assert len(call("officer", "GET", f"/deliveries/{sent['id']}", template="/deliveries/{number}")["history"]) == 3
    call("admin", "POST", "/calendar", {"year": 2027, "text": "明年再说"}, 422)
    call("clerk", "POST", "/calendar", {"year": 2027, "text": notice(2027)}, 403)
    for rehearsal, status in ((True, 200), (False, 201), (False, 200)):
        call("admin", "POST", "/calendar", {"year": 2027, "text": notice(2027), "dry_run": rehearsal}, status)
    assert call("clerk", "GET", "/calendar/versions?year=2027")["items"]
    rehearsal = {"variants": [{"name": "lax", "limits": {"signed_no_progress": {"yellow": "40d"}}}], "from": "2026-01-01"}
    assert call("officer", "POST", "/policy/rehearse", rehearsal)["table"]["rows"]
    call("clerk", "POST", "/policy/rehearse", rehearsal | {"office": "T01", "knowledge": "then"})
    call("clerk", "POST", "/policy/rehearse", rehearsal | {"office": "T02"}, 404)
    call("clerk", "POST", "/policy/rehearse", {"variants": [{"name": "lax"}]}, 422)
    alias = {"field": "amount", "header": "意向投资盘子（亿元）"}
    made = call("officer", "POST", "/ledger-columns/aliases", alias, 201)["id"]
    call("officer", "POST", "/ledger-columns/aliases", alias, 409)
    call("clerk", "POST", "/ledger-columns/aliases", alias, 403)
    call("officer", "POST", "/ledger-columns/aliases", {"field": "amount", "header": "备注"}, 422)
    assert county.as_("officer").delete(f"/ledger-columns/aliases/{made}").status_code == 204
    assert call("clerk", "GET", "/ledger-columns")["aliases"][0]["removed_by"] == {"office": "B", "role": "officer"}
    robot = {"office": "T01", "kind": "wecom", "name": "值班群", "url": "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=0123456789"}
    made = call("officer", "POST", "/robots", robot, 201)["id"]
    call("officer", "POST", "/robots", robot, 409)
    call("clerk", "POST", "/robots", robot, 403)
    call("officer", "PATCH", f"/robots/{made}", {"name": "新名"}, 200, "/robots/{number}")
    assert call("clerk", "GET", "/robots?count=true")["total"] == 1
    monkeypatch.setattr(courier, "post", lambda *args: Reply(200, {}, b'{"errcode": 0}'))
    call("officer", "POST", f"/robots/{made}/test", None, 200, "/robots/{number}/test")
    with county.database.write() as connection:
        now = county.clock.now()
        county.tokens["王一"] = issue_token(connection, office="T01", role="clerk", now=now, person="t01@example.org")
    call("王一", "PUT", "/me/preferences", {"channel": "robot", "robot_id": made})
    call("王一", "GET", "/me/preferences")
    call("clerk", "GET", "/me/preferences", status=404)
    order_walk(call, ref)
    stall_walk(call, stopped)
    for path in ("/livez", "/readyz"):
        call("nobody", "GET", path)
    assert call("nobody", "GET", "/healthz/daily")["run"]["state"] == "done"
    with county.database.write() as connection:
        holding.hold(connection, "核对", now=county.clock.now())
    assert [one["code"] for one in call("nobody", "GET", "/healthz/daily", status=503)["findings"]] == ["hold"]
    call("nobody", "GET", "/me", status=401)
    undone = {
        (method, path, status)
        for path, methods in said.api["paths"].items()
        for method, one in methods.items()
        for status, answer in one["responses"].items()
        if status.startswith("2") and "application/json" in answer.get("content", {})
    } - said.seen
    assert undone == set(), "every documented answer is met once"


def order_walk(call: Any, ref: str) -> None:
    """A supervision order, through all its steps."""
    order = call("officer", "POST", "/orders", {"ref": ref, "matter": "供电", "requirement": "接通"}, 201)["id"]
    for who, step, body, status in (
        ("clerk", "reply", {"text": "快了"}, 409),
        ("clerk", "receive", {}, 201),
        ("clerk", "extend", {"reason": "等批复", "until": "2026-07-31"}, 201),
        ("officer", "decide-extension", {"granted": True}, 201),
        ("clerk", "reply", {"text": "已接通"}, 201),
        ("officer", "send-back", {"reason": "无证明"}, 201),
        ("officer", "close", {}, 409),
        ("officer", "close", {"reason": "情况已变"}, 201),
    ):
        call(who, "POST", f"/orders/{order}/{step}", body, status, f"/orders/{{order}}/{step}")
    call("clerk", "GET", f"/orders/{order}", template="/orders/{order}")
    assert call("clerk", "GET", "/orders?count=true&limit=1")["total"] == 1


def stall_walk(call: Any, ref: str) -> None:
    """A late project, what is said about it, and how it ends."""
    stall = call("officer", "GET", f"/projects/{ref}", template="/projects/{ref}")["flags"][0]
    assert stall["level"] == "exit_review"
    path, plan = f"/stalls/{ref}:{stall['rule']}", {"plan": "已约谈", "until": "2026-07-01"}
    call("clerk", "POST", f"{path}/acknowledge", plan, 201, "/stalls/{stall}/acknowledge")
    call("clerk", "POST", f"/stalls/{ref}:funds_low_after_start/acknowledge", plan, 404, "/stalls/{stall}/acknowledge")
    call("officer", "POST", f"{path}/snooze", {"reason": "等指标", "until": "2026-07-01"}, 201, "/stalls/{stall}/snooze")
    said = call("clerk", "GET", f"/projects/{ref}", template="/projects/{ref}")["flags"][0]
    assert said["acknowledged"]["plan"] == "已约谈" and said["snoozed"]["due_on"] == stall["due_on"]
    assert any(one["snoozed"] for one in call("clerk", "GET", "/stalls")["items"])
    template = "/projects/{ref}/exit-review"
    call("officer", "POST", f"/projects/{ref}/exit-review", {"decision": "push_on", "reason": "x"}, 422, template)
    ended = call("officer", "POST", f"/projects/{ref}/exit-review", {"decision": "rescind", "reason": "不再投资"}, 201, template)
    assert ended["project"]["status"] == "terminated" and ended["fact"]["kind"] == "exit_reviewed"
