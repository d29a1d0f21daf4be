"""A long random story. What was answered during it is asked again at its end, with the same as_of and known_at: every answer is
the same, page by page, and it is what a slow reading of the facts recorded by then says."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import pytest

from app.calendars import queries as calendars
from app.heart import rules
from app.heart.calendar import Calendar, Year
from app.heart.facts import Fact
from app.heart.lifecycle import ROUTES
from app.offices import service as offices
from app.policies.policy import Policy, Running
from app.policies.queries import book_of
from app.policies.service import set_policy
from app.projects.queries import facts_of
from tests.cast import County
from tests.heart.naive import naive_bases, naive_reached, naive_standing

BEGIN = date(2026, 1, 5)
STEPS, ASK_EVERY, LEAP = 96, 24, 4
"""Things said, how often everything is asked, and the most days between two things."""
EVIDENCE = {
    "sign": ["formal_contract"],
    "secure_land": [
        "company_registration",
        "project_filing",
        "lease_contract",
        "land_grant_contract",
        "purchase_contract",
        "site_statement",
    ],
    "start_construction": ["start_report", "site_photo"],
    "start_operation": ["first_invoice", "completion_acceptance"],
}
LISTS = ("/signed-then-stopped", "/stalls", "/projects")
NOT_PINNED = ("version", "settled", "known_at", "name", "investor", "credit_code")
"""The version is the ETag of now, whether a moment is settled depends on the clock, and names are printed as last told."""


class Story:
    """Says random things to the county through its API, and remembers what was asked."""

    def __init__(self, county: County, seed: int) -> None:
        self.county, self.random, self.today = county, Random(seed), BEGIN
        self.refs: list[str] = []
        self.facts: list[int] = []
        self.refused = 0
        self.asked: dict[tuple[str, date, str], Any] = {}
        with county.database.write() as connection:
            self.people = [
                offices.add_person(connection, office="T01", name=f"王{number}", email=f"{number}@example.org", role="clerk")
                for number in range(2)
            ]

    def on_a_day(self) -> date:
        """Today, some day before, or long ago: facts come late."""
        return self.today - timedelta(days=self.random.choice((0, 0, 1, 3, 10, 40, 90)))

    def say(self) -> None:
        """One thing, by the town or by the bureau; the day moves on now and then."""
        pick = self.random
        if pick.random() < 0.6:
            self.today += timedelta(days=pick.randint(1, LEAP))
            self.county.at(f"{self.today}T{pick.choice(('00:00', '09:00', '23:50'))}:00+08:00")
        who = pick.choice(("clerk", "officer", "officer"))
        if not self.refs or (len(self.refs) < 12 and pick.random() < 0.2):
            office = "T01" if who == "clerk" else pick.choice(("T01", "T02"))
            body = {"office": office, "name": f"项目{len(self.refs)}", "effective_on": self.on_a_day().isoformat()}
            self.refs.append(self.county.post(who, "/projects", body | {"route": pick.choice((*ROUTES, None))})["ref"])
            return
        if pick.random() < 0.04:
            self.set_policy()
            return
        if pick.random() < 0.04:
            self.import_calendar()
            return
        if self.facts and pick.random() < 0.15:
            verb = pick.choice(("recognise", "return", "void", "void"))
            self.tell("officer", f"/facts/{pick.choice(self.facts[-25:])}/{verb}", {} if verb == "recognise" else {"reason": "核查"})
            return
        path, body = self.something()
        self.tell(who, f"/projects/{pick.choice(self.refs)}{path}", body | {"effective_on": self.on_a_day().isoformat()})

    def something(self) -> tuple[str, dict[str, Any]]:
        pick = self.random
        chosen = pick.choice(("stage", "stage", "stage", "status", "milestone", "report", "visit", "money", "evidence", "amend"))
        if chosen == "stage":
            action = pick.choice(("sign", "sign", "secure_land", "start_construction", "start_operation", "revert"))
            if action == "revert":
                return "/moves", {"action": action, "to": pick.choice(("intent", "signed", "land")), "reason": "未实质推进"}
            day = self.on_a_day().isoformat()
            evidence = [{"kind": kind, "number": "1", "dated_on": day} for kind in EVIDENCE[action]]
            more = {"contract_amount": {"amount": f"{pick.randint(1, 9)}", "currency": "CNY"}} if action == "sign" else {}
            return "/moves", {"action": action, "evidence": evidence, "gap_reason": "历史原因", **more}
        if chosen == "status":
            action = pick.choice(("suspend", "resume", "terminate", "reopen"))
            until = (self.today + timedelta(days=pick.randint(-5, 30))).isoformat()
            fields = {"suspend": {"next_actor": "investor", "until": until}, "terminate": {"termination": "withdrawn"}}
            return "/moves", {"action": action, "reason": "等待指标", **fields.get(action, {})}
        if chosen == "milestone":
            return "/milestones", {"milestone": pick.choice(("company_registered", "project_filed", "eia_approved", "contract_signed"))}
        if chosen == "report":
            return "/reports", {"text": pick.choice(("设备招标", "厂房装修", "设备 招标。"))}
        if chosen == "visit":
            return "/follow-ups", {"channel": "visit"}
        if chosen == "money":
            return "/funds", {"total": {"amount": str(pick.randint(1, 5)), "currency": "CNY"}}
        if chosen == "evidence":
            day = self.on_a_day().isoformat()
            return "/evidence", {"evidence": [{"kind": pick.choice(("eia_approval", "company_registration", "other")), "dated_on": day}]}
        changes = (
            {"office": pick.choice(("T01", "T02"))}, {"route": pick.choice((*ROUTES, None))},
            {"owner_id": pick.choice((*self.people, None))}, {"needs_registration": pick.choice((True, False, None))},
            {"credit_code": pick.choice(("91350100M000100Y43", None))},
        )  # fmt: skip
        return "", {**pick.choice(changes), "reason": "更正"}

    def tell(self, who: str, path: str, body: dict[str, Any]) -> None:
        """What may be refused is; nothing is ever broken."""
        if path.endswith(tuple(self.refs)):
            answer = self.county.as_("officer").patch(path, json=body, headers={"If-Match": "*"})
        else:
            if path.startswith("/facts"):
                body = {name: value for name, value in body.items() if name != "effective_on"}
            answer = self.county.as_(who).post(path, json=body)
        assert answer.status_code in (200, 201, 403, 404, 409, 422), answer.text
        self.refused += answer.status_code >= 400
        if answer.status_code == 201:
            self.facts.append(answer.json()["fact"]["id"])

    def set_policy(self) -> None:
        pick = self.random
        route = pick.choice(tuple(ROUTES))
        change = pick.choice(
            ({"red": f"{pick.randint(0, 60)}d"}, {"yellow": "3wd", "red": "1m"}, {"enabled": pick.random() < 0.6}, {"red": "none"})
        )
        more: dict[str, Any] = {
            "start_to_operating": {"yellow": f"{pick.randint(10, 90)}%", "red": "60d"},
            "funds_low_after_start": {"yellow": "5d", "red": "20d", "share": f"{pick.randint(1, 90)}%"},
        }
        limits = more | {pick.choice(tuple(rules.BY_NAME)): change, "signed_no_progress": {route: {"red": f"{pick.randint(5, 60)}d"}}}
        effective = pick.choice((self.today, date(1900, 1, 1), self.today - timedelta(days=20)))
        with self.county.database.write() as connection:
            set_policy(connection, book_of(self.county.database), {"limits": limits}, effective_from=effective, now=self.county.clock.now())

    def import_calendar(self) -> None:
        """A notice that takes some days of this year off, and works some weekends, told anew."""
        days = {date(2026, 1, 1) + timedelta(days=self.random.randrange(200)) for _ in range(30)}
        rows = [f"{day},{'workday' if day.weekday() > 4 else 'holiday'},节" for day in sorted(days)]
        self.county.post("admin", "/calendar", {"year": 2026, "csv": "\n".join(["date,kind,name", *rows])})

    # asking -----------------------------------------------------------------------------------------------------

    def ask(self) -> None:
        """Every list and some projects, now and on days before, by what is known now and was known before."""
        moment = self.county.clock.now().isoformat()
        moments = [moment, *self.random.sample(sorted({known for _, _, known in self.asked}), min(1, len(self.asked)))]
        for known in moments:
            for as_of in {self.today, self.today - timedelta(days=self.random.choice((1, 7, 30, 60)))}:
                for path in (*LISTS, *(f"/projects/{ref}" for ref in self.random.sample(self.refs, min(2, len(self.refs))))):
                    self.asked[path, as_of, known] = self.answer(path, as_of, known)

    def answer(self, path: str, as_of: date, known: str) -> Any:
        if path not in LISTS:
            answer = self.county.as_("officer").get(path, params={"as_of": as_of.isoformat(), "known_at": known})
            return plain(answer.json()) if answer.status_code == 200 else answer.status_code
        return self.walk("officer", path, 200, as_of=as_of.isoformat(), known_at=known)

    def walk(self, who: str, path: str, limit: int, **params: str) -> list[Any]:
        rows: list[Any] = []
        page: dict[str, Any] = {"next_cursor": None}
        while not rows or page["next_cursor"]:
            more = {"cursor": page["next_cursor"]} if page["next_cursor"] else {}
            page = self.county.get(who, path, limit=limit, **params, **more)
            rows += [plain(row) for row in page["items"]]
            if not page["items"]:
                break
        return rows


def plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in NOT_PINNED}


class Slow:
    """The lists of (D, K), read off the facts recorded by K, one project at a time."""

    def __init__(self, county: County) -> None:
        with county.database.snapshot() as connection:
            rows = connection.exec_driver_sql("SELECT id, ref FROM project").all()
            facts = facts_of(connection, [row.id for row in rows], None)
            self.policies = book_of(county.database).versions(connection)
            self.notices = calendars.versions(connection)
            self.codes = {row.id: row.code for row in connection.exec_driver_sql("SELECT id, code FROM office")}
        self.facts: dict[str, Sequence[Fact]] = {row.ref: facts[row.id] for row in rows}

    def policy(self, as_of: date, known: datetime) -> Policy:
        fitting = [one for one in self.policies if one.effective_from <= as_of and one.recorded_at <= known]
        newest: dict[int, Year] = {one.says.year: one.says for one in self.notices if one.recorded_at <= known}
        return sorted(fitting, key=lambda one: (one.effective_from, one.recorded_at))[-1].by(Calendar(newest.values()))

    def standing(self, ref: str, as_of: date, known: datetime) -> dict[str, Any] | None:
        by_then = [fact for fact in self.facts[ref] if fact.recorded_at <= known]
        return naive_standing(by_then, as_of) if by_then else None

    def stalls(self, as_of: date, known: datetime) -> dict[str, tuple[str, str]]:
        """id → (level, office)."""
        policy, found = self.policy(as_of, known), {}
        for ref in self.facts:
            if now := self.standing(ref, as_of, known):
                for rule, (solid, soft) in naive_bases(now).items():
                    if reached := naive_reached(policy, rule, (solid, soft), now, as_of):
                        found[f"{ref}:{rule}"] = reached[0], self.codes[now["office_id"]]
        return found

    def stopped(self, as_of: date, known: datetime) -> dict[str, tuple[str, str]]:
        """ref → (stopped_on, office)."""
        policy, found = self.policy(as_of, known), {}
        for ref in self.facts:
            now = self.standing(ref, as_of, known)
            if now and now["halted"]:
                clocks = [Running(rule, "", *basis, True, now["route"]) for rule, basis in naive_bases(now).items()]
                if day := policy.stopped_on(clocks, as_of):
                    found[ref] = day.isoformat(), self.codes[now["office_id"]]
        return found


@pytest.mark.timeout(400)
@pytest.mark.parametrize("seed", [1, 2])
def test_old_answers_stay(county: County, seed: int) -> None:
    story = Story(county, seed)
    for step in range(1, STEPS + 1):
        story.say()
        if step % ASK_EVERY == 0:
            story.ask()
    assert story.refused < 0.75 * STEPS, story.refused
    county.at(f"{story.today + timedelta(days=3)}T09:00:00+08:00")
    slow = Slow(county)
    seen, paged = 0, set(story.random.sample([question for question in story.asked if question[0] in LISTS], 6))
    for (path, as_of, known), told in story.asked.items():
        again, at = story.answer(path, as_of, known), datetime.fromisoformat(known).astimezone(UTC)
        assert again == told, (seed, path, as_of, known)
        if path in LISTS:
            seen += len(again)
            params = {"as_of": as_of.isoformat(), "known_at": known}
            if (path, as_of, known) in paged:
                limit = story.random.randint(1, 3)
                assert story.walk("officer", path, limit, **params) == told, (seed, path, params, limit)
            mine = [row for row in told if row["office"]["code"] == "T01"]
            assert story.walk("clerk", path, 200, **params) == mine, (seed, path, params)
        if path == "/stalls":
            assert {row["id"]: (row["level"], row["office"]["code"]) for row in again} == slow.stalls(as_of, at), (seed, as_of, known)
        elif path == "/signed-then-stopped":
            assert {row["ref"]: (row["stopped_on"], row["office"]["code"]) for row in again} == slow.stopped(as_of, at), (
                seed,
                as_of,
                known,
            )
        elif path == "/projects":
            naive = {ref: now for ref in slow.facts if (now := slow.standing(ref, as_of, at))}
            assert {row["ref"]: (row["stage"], row["status"]) for row in again} == {
                ref: (now["stage"], now["status"]) for ref, now in naive.items()
            }
    assert seen > 100
    for path in LISTS:  # and now, by all that is known
        for as_of in (None, story.today.isoformat()):
            params = {} if as_of is None else {"as_of": as_of}
            assert story.walk("officer", path, 2, **params) == story.walk("officer", path, 200, **params)
