"""A small county to try days on: people with roles, and projects whose history is told fact by fact."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import sqlalchemy as sa

from app.alerts import history
from app.alerts.daily import daily
from app.alerts.models import Delivery
from app.calendars import service as calendars
from app.clock import FixedClock
from app.db import Database
from app.offices.models import Office, Person
from app.policies.queries import PolicyBook
from app.policies.service import set_policy
from app.projects.derived import Actor, New
from app.projects.models import FactRow, Project
from app.projects.store import FACT_COLUMNS, Head, fact_from, prepare, write
from app.settings import Settings
from app.stalls.models import DailyRun, Flag, FlagChange

ZONE = ZoneInfo("Asia/Shanghai")
MONDAY = date(2026, 3, 2)


def at(day: date, hour: int = 9, minute: int = 0) -> datetime:
    """An hour of the office's day, as an instant."""
    return datetime.combine(day, time(hour, minute), ZONE).astimezone(UTC)


def in_a_hurry(database: Database) -> Database:
    """Without waiting for the disk: what a killed process wrote is kept by the system all the same."""
    if database.sqlite:
        sa.event.listen(database.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
    return database


class County:
    """A county, a bureau and two towns; `wang` is the clerk of the first town, `zhao` the bureau's officer."""

    def __init__(self, url: str, folder: Path, day: date = MONDAY, **settings: Any) -> None:
        self.database = in_a_hurry(Database(url))
        self.clock = FixedClock(ZONE, at(day))
        usual = {"smtp_url": f"file:{folder}/mail", "orders_automatic": "off"}  # whoever tells of orders says so
        self.settings = Settings(database_url=url, var_dir=folder, **(usual | settings))
        self.mail = folder / "mail"
        self.book = PolicyBook()
        self.spoilt = False
        """Rows were made unreadable on purpose: what is stored is not what the facts say."""
        with self.database.write() as connection:
            offices = (
                ("county", "县", "county", None),
                ("bureau", "县招商局", "bureau", "county"),
                ("T01", "东山镇", "town", "county"),
                ("T02", "西河镇", "town", "county"),
            )
            self.offices: dict[str, int] = {}
            paths: dict[str | None, str] = {None: "/"}
            for code, name, kind, parent in offices:
                row = {"code": code, "name": name, "kind": kind, "parent_id": self.offices.get(parent or ""), "path": ""}
                number = connection.execute(sa.insert(Office).values(**row).returning(Office.id)).scalar_one()
                self.offices[code], paths[code] = number, f"{paths[parent]}{number}/"
                connection.execute(sa.update(Office).where(Office.id == number).values(path=paths[code]))
        self.people: dict[str, int] = {}
        for name, office, role in (
            ("wang", "T01", "clerk"),
            ("li", "T02", "clerk"),
            ("zhao", "bureau", "officer"),
            ("qian", "county", "leader"),
        ):
            self.person(name, office, role)

    def person(self, name: str, office: str, role: str, email: str | None = None) -> int:
        with self.database.write() as connection:
            row = {
                "office_id": self.offices[office],
                "name": name,
                "email": email if email is not None else f"{name}@example.org",
                "role": role,
            }
            self.people[name] = connection.execute(sa.insert(Person).values(**row).returning(Person.id)).scalar_one()
        return self.people[name]

    def now_is(self, day: date, hour: int = 9, minute: int = 0) -> None:
        self.clock.instant = at(day, hour, minute)

    def record(self, ref: str, *new: New, source: str = "import") -> int:
        """Facts of one project, recorded now."""
        with self.database.write() as connection:
            row = connection.execute(
                sa.select(Project.id, Project.version, Project.head_mac, Project.last_recorded_at).where(Project.ref == ref)
            ).one_or_none()
            head = Head(0, ref)
            if row is not None:
                facts = connection.execute(sa.select(*FACT_COLUMNS).where(FactRow.project_id == row.id).order_by(FactRow.seq))
                head = Head(row.id, ref, row.version, row.head_mac, row.last_recorded_at, [fact_from(one) for one in facts])
            moment = self.clock.now()
            change = prepare(
                head,
                new,
                actor=Actor(None, "officer"),
                source=source,
                moment=moment,
                recorded_on=self.clock.business_date(moment),
                key=None,
            )
            write(connection, [(head, change)])
        return head.id

    def signed(self, ref: str, day: date, *, office: str = "T01", owner: str | None = None, name: str | None = None, **told: Any) -> int:
        """A project that signed its contract on a day (recognised), on the leased route."""
        data = {
            "office": self.offices[office],
            "name": name or f"项目{ref}",
            "route": "leased",
            "owner": self.people.get(owner or {"T01": "wang", "T02": "li"}.get(office, "")),
            **told,
        }
        registered = New("registered", day, {**data, "claims": True, "recognition": "recognised"})
        return self.record(ref, registered, New("moved", day, {"action": "sign", "recognition": "recognised"}))

    def progress(self, ref: str, day: date, milestone: str) -> None:
        self.record(ref, New("milestone", day, {"milestone": milestone}), source="api")

    def policy(self, effective_from: date, **limits: dict[str, Any]) -> None:
        with self.database.write() as connection:
            set_policy(connection, self.book, {"limits": limits}, effective_from=effective_from, now=self.clock.now())

    def calendar(self, year: int, text: str) -> dict[str, Any]:
        """An administrator imports a notice or a CSV, now."""
        understood = calendars.read(text, year)
        with self.database.write() as connection:
            return calendars.import_year(connection, understood, given=text, source=None, actor=None, clock=self.clock.now)

    def daily(self, day: date | None = None, **options: Any) -> dict[str, Any]:
        if day is not None:
            self.now_is(day)
        return daily(self.database, self.settings, self.clock, self.book, **options)

    def daily_on(self, day: date) -> dict[str, Any]:
        """`luodi daily --date`, without touching the clock."""
        return daily(self.database, self.settings, self.clock, self.book, day)

    def came_to(self, day: date, state: str, reason: str) -> None:
        """All messages of a day ended so, whatever really happened to them."""
        with self.database.write() as connection:
            history.move_all(connection, (Delivery.run_date == day,), state, reason, self.clock.now())

    # what came of it ---------------------------------------------------------------------------------

    def rows(self, table: Any, *columns: str) -> list[tuple[Any, ...]]:
        with self.database.statement() as connection:
            return [
                tuple(row)
                for row in connection.execute(
                    sa.select(*(getattr(table, name) for name in columns)).order_by(*(getattr(table, name) for name in columns))
                )
            ]

    def open_flags(self) -> dict[tuple[str, str], str]:
        with self.database.statement() as connection:
            query = (
                sa.select(Project.ref, Flag.rule, Flag.level).join(Project, Project.id == Flag.project_id).where(Flag.closed_on.is_(None))
            )
            return {(ref, rule): level for ref, rule, level in connection.execute(query)}

    def changes(self) -> list[tuple[Any, ...]]:
        with self.database.statement() as connection:
            query = sa.select(
                FlagChange.run_date, Project.ref, FlagChange.rule, FlagChange.from_level, FlagChange.to_level, FlagChange.stock
            )
            return sorted((tuple(row) for row in connection.execute(query.join(Project, Project.id == FlagChange.project_id))), key=str)

    def runs(self) -> dict[date, str]:
        return dict(self.rows(DailyRun, "run_date", "state"))

    def counts(self, day: date) -> dict[str, Any]:
        with self.database.statement() as connection:
            found: dict[str, Any] = orjson.loads(connection.scalar(sa.select(DailyRun.counts).where(DailyRun.run_date == day)) or "{}")
            return found

    def subjects(self, name: str) -> dict[date, str]:
        with self.database.statement() as connection:
            return {
                day: subject
                for day, subject in connection.execute(
                    sa.select(Delivery.run_date, Delivery.subject)
                    .where(Delivery.person_id == self.people[name])
                    .order_by(Delivery.run_date)
                )
            }

    def states(self) -> dict[tuple[date, str], str]:
        named = {number: name for name, number in self.people.items()}
        with self.database.statement() as connection:
            query = sa.select(Delivery.run_date, Delivery.person_id, Delivery.state).where(Delivery.person_id.is_not(None))
            return {(day, named[person]): state for day, person, state in connection.execute(query)}

    def close(self) -> None:
        self.database.dispose()


def days(first: date, number: int) -> list[date]:
    return [first + timedelta(days=one) for one in range(number)]
