"""A county that lives day by day: every afternoon something is told at random, every morning the real daily run looks."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import sqlalchemy as sa

from app.alerts.daily import run_day
from app.alerts.models import Delivery
from app.alerts.sender import Sender
from app.cli.rehearsing import EVERYBODY
from app.heart import lifecycle
from app.heart.limits import RANK
from app.http import Cursors
from app.offices.desk import House
from app.offices.models import Office, Person
from app.offices.queries import Scope, scope
from app.policies.policy import Policy
from app.policies.queries import book_of
from app.policies.service import set_policy
from app.projects.derived import New
from app.rehearsals.audience import Reader
from app.rehearsals.queries import Question
from app.rehearsals.tally import Period
from app.stalls.models import FlagChange
from tests.daily.county import County, days

CLAIMS = ("sign", "secure_land", "start_construction", "start_operation")
MILESTONES = ("company_registered", "project_filed", "eia_approved", "land_secured", "real_start")
TOWNS = ("T01", "T02", "T03")
TEXTS = ("洽谈厂房", "洽谈厂房。", "设备招标", "等待指标", "图纸会审")


class Life:
    """Some projects of two towns, told about with delays, corrections, pauses and moves; `live` lets the days go by."""

    def __init__(self, url: str, folder: Path, seed: int, begin: date) -> None:
        self.county = County(url, folder, begin - timedelta(days=1))
        self.dice = Random(seed)
        self.begin = self.end = begin
        self.told: dict[str, list[tuple[str, date]]] = {}
        """ref → (kind, effective date) of its facts"""
        county = self.county
        self.house = House(county.settings, county.database, county.clock, b"a", Cursors(b"s"))
        county.person("sun", "T01", "leader")
        county.person("zhou", "T02", "officer")
        county.person("wu", "bureau", "leader")
        county.person("zheng", "county", "clerk")
        county.person("nobody", "T02", "clerk", email="no address")
        self._office("T03", "南坝镇", "town")
        self._office("D", "发改局", "department")
        leaving = {"feng": ("T01", "clerk", 40), "xu": ("T03", "clerk", 25), "tan": ("D", "leader", 52), "he": ("D", "clerk", 33)}
        for name, (office, role, _) in leaving.items():
            county.person(name, office, role)
        with county.database.write() as connection:
            for name, (_, _, after) in leaving.items():
                left = sa.update(Person).where(Person.id == county.people[name]).values(left_on=begin + timedelta(days=after))
                connection.execute(left)

    def _office(self, code: str, name: str, kind: str) -> None:
        with self.county.database.write() as connection:
            above = connection.execute(sa.select(Office.id, Office.path).where(Office.id == self.county.offices["county"])).one()
            row = {"code": code, "name": name, "kind": kind, "parent_id": above.id, "path": ""}
            number = connection.execute(sa.insert(Office).values(**row).returning(Office.id)).scalar_one()
            connection.execute(sa.update(Office).where(Office.id == number).values(path=f"{above.path}{number}/"))
        self.county.offices[code] = number

    def policy(self, table: dict[str, Any]) -> None:
        """A version that governs every day."""
        with self.county.database.write() as connection:
            now = self.county.clock.now()
            set_policy(connection, book_of(self.county.database), {"limits": table}, effective_from=date(1900, 1, 1), now=now)

    def governing(self) -> Policy:
        """The policy in force."""
        with self.county.database.snapshot() as connection:
            return book_of(self.county.database).governing(connection, self.end, None)

    def everybody(self) -> Scope:
        """Every office there is."""
        with self.county.database.snapshot() as connection:
            return scope(connection, EVERYBODY)

    def question(self, knowledge: str) -> Question:
        """The days it lived, for the whole county."""
        settings = self.house.settings
        now = self.county.clock.now()
        return Question(Period(self.begin, self.end), knowledge, now, self.everybody(), settings.zone, settings.daily_at)

    def live(self, number: int, projects: int, *, runs: bool = True) -> None:
        """So many days: the run in the morning, and what is told in the afternoon."""
        county = self.county
        county.now_is(self.begin - timedelta(days=1), 15)
        for one in range(projects):
            self._register(f"P{one}", self.begin - timedelta(days=1 + self.dice.randrange(150)))
        for day in days(self.begin, number):
            county.now_is(day, 8, self.dice.randrange(1, 50))
            if runs:
                assert run_day(county.database, county.clock, county.settings, book_of(county.database), day) is not None
                Sender(county.database, county.clock, county.settings, bound=False).run()
            county.now_is(day, 15)
            for _ in range(self.dice.choice((0, 0, 1, 2, 3))):
                self._tell(day)
            self.end = day

    def _register(self, ref: str, on: date) -> None:
        dice, county = self.dice, self.county
        told = {
            "office": county.offices[dice.choice(TOWNS)], "name": f"项目{ref}", "claims": True,
            "route": dice.choice((*lifecycle.ROUTES, None)), "owner": self._owner(), "liaison": self._liaison(),
            "planned_start_on": dice.choice((None, (on + timedelta(days=dice.randrange(200))).isoformat())),
            "planned_operation_on": dice.choice((None, (on + timedelta(days=dice.randrange(300))).isoformat())),
            "amount": dice.choice((None, 1000)), "currency": "CNY",
        }  # fmt: skip
        facts = [New("registered", on, told | self._recognition())]
        day = on
        for action in CLAIMS[: dice.choice((0, 1, 1, 1, 2, 3))]:
            day = min(day + timedelta(days=dice.randrange(60)), self.county.clock.today())
            facts.append(New("moved", day, {"action": action, "evidence": []} | self._recognition()))
        self._record(ref, *facts)

    def _record(self, ref: str, *facts: New) -> None:
        self.told.setdefault(ref, []).extend((one.kind, one.effective_on) for one in facts)
        self.county.record(ref, *facts, source="api")

    def _owner(self) -> int | None:
        return self._somebody("wang", "li", "zhou", "feng", "he")

    def _liaison(self) -> int | None:
        return self._somebody("tan", "qian", "zhou", "wu")

    def _somebody(self, *names: str) -> int | None:
        name = self.dice.choice((None, *names))
        return self.county.people[name] if name else None

    def _recognition(self) -> dict[str, str]:
        return {"recognition": "recognised"} if self.dice.random() < 0.7 else {}

    def _tell(self, today: date) -> None:
        dice = self.dice
        if dice.random() < 0.08:
            self._register(f"N{len(self.told)}", today - timedelta(days=dice.choice((0, 0, 5, 40))))
            return
        ref = dice.choice(list(self.told))
        facts = self.told[ref]
        on = max(today - timedelta(days=dice.choice((0, 0, 0, 1, 3, 20))), facts[0][1])
        kind = dice.choice(
            ("claim", "claim", "milestone", "text", "text", "pause", "status", "amend", "amend", "funds", "review", "review")
        )
        if kind == "claim":
            self._record(ref, New("moved", on, {"action": dice.choice(CLAIMS), "evidence": []} | self._recognition()))
        elif kind == "milestone":
            self._record(ref, New("milestone", on, {"milestone": dice.choice(MILESTONES), "evidence": []}))
        elif kind == "text":
            self._record(ref, New("reported", on, {"text": dice.choice(TEXTS)}))
        elif kind == "pause":
            until = dice.choice((None, (today + timedelta(days=dice.randrange(25))).isoformat()))
            self._record(ref, New("moved", on, {"action": "suspend", "until": until}))
        elif kind == "status":
            self._record(ref, New("moved", on, {"action": dice.choice(("resume", "resume", "terminate", "reopen"))}))
        elif kind == "amend":
            changes = (
                ("route", dice.choice(list(lifecycle.ROUTES))), ("office", self.county.offices[dice.choice(TOWNS)]),
                ("owner", self._owner()), ("liaison", self._liaison()),
            )  # fmt: skip
            self._record(ref, New("amended", on, {"changes": dict([dice.choice(changes)]), "reason": "x"}))
        elif kind == "funds":
            self._record(ref, New("funded", on, {"amount": dice.randrange(1200), "currency": "CNY"}))
        else:
            claims = [seq for seq, (one, _) in enumerate(facts, 1) if one == "moved"]
            if claims:
                verb = dice.choice(("recognised", "recognised", "returned", "voided"))
                self._record(ref, New(verb, today, {"reason": "x"}, dice.choice(claims)))

    # what really happened --------------------------------------------------------------------------------

    def changes(self) -> set[tuple[Any, ...]]:
        """(day, project, rule, office, level before, level after, stock) of every flag that changed."""
        columns = ("run_date", "project_id", "rule", "office_id", "from_level", "to_level", "stock")
        with self.county.database.statement() as connection:
            rows = connection.execute(sa.select(*(getattr(FlagChange, name) for name in columns))).all()
        return {(*row[:4], RANK[row[4]], RANK[row[5]], row[6]) for row in rows}

    def digests(self) -> Counter[tuple[date, str]]:
        """(day, kind of reader) → how many digests were sent."""
        query = (
            sa.select(Delivery.run_date, Office.kind, Person.role)
            .join(Person, Person.id == Delivery.person_id)
            .join(Office, Office.id == Person.office_id)
            .where(Delivery.state == "sent")
        )
        with self.county.database.statement() as connection:
            rows = connection.execute(query).all()
        return Counter((day, Reader(0, role, kind, "").counted) for day, kind, role in rows)
