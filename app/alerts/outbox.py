"""Filling the outbox: for each reader one transaction that stores his message, or nothing when there is nothing new.

"New" is counted from the last digest that is known to have been sent to that reader, so that a lost one heals by itself.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection

from app.alerts import compose, digest, news
from app.alerts.models import OPEN, Delivery
from app.heart.calendar import Calendar
from app.offices.models import Office, Person
from app.policies.policy import Policy
from app.settings import Settings
from app.stalls.runs import Claim, RunLost, Stopping

log = structlog.get_logger()
MAIL = "mail"
WHOLE = ("county", "bureau")
READERS = ("clerk", "officer", "leader")


class Recipient(NamedTuple):
    """Somebody who may get a digest, and the last one known to have reached him."""

    id: int
    name: str
    email: str
    role: str
    office_id: int
    office: str
    kind: str
    path: str
    last_date: date | None = None
    last_at: datetime | None = None

    @property
    def whole(self) -> bool:
        """County and bureau hear of every town."""
        return self.kind in WHOLE

    @property
    def reader(self) -> digest.Reader:
        """What the digest has to know of him."""
        return digest.Reader(self.name, self.office, self.whole, self.whole and self.role == "leader")


def recipients(connection: Connection, day: date) -> list[Recipient]:
    """Everybody who may get the digest of a day."""
    last = (
        sa.select(Delivery.person_id, sa.func.max(Delivery.run_date).label("run_date"))
        .where(Delivery.state == "sent", Delivery.channel == MAIL, Delivery.run_date < day)
        .group_by(Delivery.person_id)
        .subquery()
    )
    query = (
        sa.select(
            Person.id,
            Person.name,
            Person.email,
            Person.role,
            Office.id,
            Office.name,
            Office.kind,
            Office.path,
            last.c.run_date,
            Delivery.updated_at,
        )
        .join(Office, Office.id == Person.office_id)
        .outerjoin(last, last.c.person_id == Person.id)
        .outerjoin(
            Delivery,
            sa.and_(Delivery.person_id == Person.id, Delivery.run_date == last.c.run_date, Delivery.channel == MAIL),
        )
        .where(
            Person.role.in_(READERS),
            Office.kind.in_((*WHOLE, "town")),
            sa.or_(Person.left_on.is_(None), Person.left_on > day),
        )
        .order_by(Person.id)
    )
    return [Recipient(*row) for row in connection.execute(query)]


class _Desk:
    """What several readers' digests share: changes and lines are read once per "since when"."""

    def __init__(self, connection: Connection, policy: Policy, calendar: Calendar, day: date, public_url: str) -> None:
        self.connection, self.policy, self.day, self.public_url = connection, policy, day, public_url
        self.calendar = calendar
        self.offices = [(row.id, row.path) for row in connection.execute(sa.select(Office.id, Office.path))]
        self._changes: dict[date | None, news.Changes] = {}
        self._by_office: dict[date | None, dict[int, list[int]]] = {}
        self._owned: dict[date | None, dict[int, set[int]]] = {}
        self._printed: dict[date | None, dict[int, digest.Project]] = {}
        self._towns: list[digest.TownCount] | None = None
        self._awaiting: list[digest.Awaiting] | None = None

    def _read(self, last: date | None) -> None:
        if last in self._changes:
            return
        changes = self._changes[last] = news.since(self.connection, last, self.day)
        self._printed[last] = {}
        self._owned[last] = news.owners(self.connection, changes)
        self._by_office[last] = news.offices_of(self.connection, changes)

    def projects(self, who: Recipient) -> list[digest.Project]:
        """The changed projects of a reader's offices, and those he owns elsewhere."""
        last = who.last_date
        offices = {office_id for office_id, path in self.offices if path.startswith(who.path)}
        if last is None and not who.whole:  # a reader who was never told anything costs his own flags, not everybody's
            untold = news.untold(self.connection, sorted(offices), who.id)
            lines = news.projects(self.connection, untold, self.policy, self.day, self.public_url)
            return [lines[number] for number in sorted(lines)]
        self._read(last)
        changes, printed = self._changes[last], self._printed[last]
        mine = set(changes)
        if not who.whole:
            mine = {number for office_id in offices for number in self._by_office[last].get(office_id, ())}
            mine |= self._owned[last].get(who.id, set())
        missing = {number: changes[number] for number in mine if number not in printed}
        printed |= news.projects(self.connection, missing, self.policy, self.day, self.public_url)
        return [printed[number] for number in sorted(mine)]

    def towns(self) -> list[digest.TownCount]:
        """Standing counts of the whole county."""
        if self._towns is None:
            self._towns = news.town_counts(self.connection)
        return self._towns

    def awaiting(self) -> list[digest.Awaiting]:
        """Stops that only an unreviewed claim hides."""
        if self._awaiting is None:
            self._awaiting = news.awaiting(self.connection, self.policy, self.day, self.public_url)
        return self._awaiting

    def digest(self, who: Recipient) -> digest.Digest | None:
        """One reader's digest."""
        projects = self.projects(who)
        extra: dict[str, Any] = {}
        if who.whole and not who.reader.leader:
            undelivered = news.undelivered(self.connection, who.last_at, self.day)
            extra = {
                "towns": self.towns(),
                "awaiting": self.awaiting(),
                "undelivered": undelivered,
                "summary": self.calendar.is_workday(self.day),
            }
        notes = digest.calendar_notes(who.reader, self.day, projects, self.calendar)
        return digest.build(who.reader, self.day, projects, notes=notes, **extra)


def enqueue(claim: Claim, policy: Policy, settings: Settings, calendar: Calendar) -> dict[str, int]:
    """Store one message per reader who has something to read. A reader whose message cannot be built stops only himself.

    Due dates are told by the policy of the run; `calendar` is the one of now.
    """
    database, day = claim.database, claim.day
    _expire_older(claim)
    stored = sa.select(Delivery.person_id).where(Delivery.run_date == day, Delivery.channel == MAIL)
    with database.snapshot() as reading:
        desk = _Desk(reading, policy, calendar, day, settings.public_url)
        everyone = recipients(reading, day)
        done = set(reading.scalars(stored))
        for who in everyone:
            row = None if who.id in done else _row(desk, who, claim, settings)
            if row is None:
                claim.keep()
                continue
            with claim.write() as connection:
                if connection.scalar(stored.where(Delivery.person_id == who.id)) is None:
                    connection.execute(sa.insert(Delivery).values(**row))
    with database.statement() as connection:
        messages = connection.scalar(sa.select(sa.func.count()).select_from(stored.subquery())) or 0
    return {"recipients": len(everyone), "messages": messages}


def _row(desk: _Desk, who: Recipient, claim: Claim, settings: Settings) -> dict[str, Any] | None:
    now = claim.clock.now()
    number = compose.message_id(claim.day, who.id, settings.public_url)
    row: dict[str, Any] = {
        "run_date": claim.day, "person_id": who.id, "channel": MAIL, "recipient": who.email, "message_id": number,
        "subject": "", "body": b"", "state": "pending", "reason": None, "attempt": 0,
        "next_try_at": now, "created_at": now, "updated_at": now,
    }  # fmt: skip
    try:
        told = desk.digest(who)
        if told is None:
            return None
        row["subject"] = compose.one_line(told.subject)[:400]
        if not compose.is_address(who.email):
            return {**row, "state": "suppressed", "reason": "邮箱地址无效"}
        row["body"] = compose.as_message(
            told, sender=settings.mail_from, name=who.name, recipient=who.email, message_id=number, written_at=now
        )
        return row
    except (RunLost, Stopping, sa.exc.OperationalError):
        raise
    except Exception as error:
        log.error("digest cannot be built", person_id=who.id, run_date=str(claim.day), exc_info=error)
        return {**row, "state": "failed", "reason": f"消息无法生成：{type(error).__name__}"}


def _expire_older(claim: Claim) -> None:
    """What earlier days left unsent is told again by today's digest; two copies of one piece of news would be one too many."""
    with claim.write() as connection:
        now = claim.clock.now()
        older = (sa.text(OPEN), Delivery.state == "pending", Delivery.run_date < claim.day)
        connection.execute(sa.update(Delivery).where(*older).values(state="expired", reason="由新一日的消息取代", updated_at=now))
