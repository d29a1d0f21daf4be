"""What becomes of messages, as statements: every change of `delivery.state` that the sender makes is in this file, but for the
marker and the end that is written with it (alerts/marker.py).

pending → sending (a lease, its owner, a new attempt number) → marked → sent | failed | uncertain | pending again. All are
conditional updates on state and attempt, so that whoever lost a message writes nothing more about it. Leases and rests are counted
by the database's clock (Clock.lease_now), deadlines by ours. Messages are claimed several at a time; one that is given back before
it was begun counts no attempt.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.alerts import breaker, history, holding, marker
from app.alerts.channels.base import MAIL, Channel, Letter
from app.alerts.models import OPEN, ChannelState, Delivery
from app.clock import Clock
from app.db import among
from app.offices.models import Person
from app.robots.models import Robot
from app.settings import Settings
from app.stalls.runs import is_dead, new_owner

LEASE = timedelta(minutes=6)
"""Longer than a message may take up to its marker, and a claim may wait until it is begun (`lanes.FRESH`)."""
LEASE_AFTER_MARK = timedelta(minutes=11)
"""Longer than the ten minutes that the answer to a final dot may take."""
BACK_OFF = (1, 2, 5, 10, 20, 30)
"""Minutes until the next attempt; the last one repeats."""
GRACE = timedelta(hours=1)
"""What a person had sent after the day's deadline still gets this long."""
INTERRUPTED = "发送进程中断，尚未交出，稍后重试"
LOST_AFTER_MARK = "发送进程中断于交出正文之后，结果不明；需人工决定是否重发"
TOO_LATE = "超过当日发送时限"
_PENDING = (sa.text(OPEN), Delivery.state == "pending")
_STORED = sa.type_coerce(Delivery.body, sa.LargeBinary).label("body")
"""Texts stay packed until their turn: several are claimed at once, and while they are everybody waits for the one writer (SQLite)."""
_ASKED_AT: sa.ColumnElement[datetime] = sa.func.coalesce(Delivery.resent_at, Delivery.created_at)


class Abandoned(Exception):
    """Somebody else holds this message now."""


class Taken(NamedTuple):
    """A message that is ours until the lease ends."""

    letter: Letter
    attempt: int
    owner: str
    relay: str
    troubled: bool
    """Its relay was out of order: a success has to be told to the breaker."""
    deadline: datetime


class End(NamedTuple):
    """How an attempt ended."""

    taken: Taken
    state: str
    reason: str
    phase: str = ""
    next_try_at: datetime | None = None


def deadline(day: date, settings: Settings) -> datetime:
    """The instant after which the messages of a day are not sent any more."""
    return datetime.combine(day, settings.daily_deadline, settings.zone).astimezone(UTC)


def next_waiting(now: datetime, channel: str, most: int = 1) -> sa.Select[*tuple[Any, ...]]:
    """The messages of a channel that may be tried at a moment and have waited longest. On PostgreSQL they are locked, and what
    others have locked is passed over; SQLite has one writer anyway."""
    columns = (
        Delivery.id, Delivery.run_date, Delivery.person_id, Delivery.recipient, Delivery.message_id, _STORED, Delivery.attempt,
        Delivery.reason, _ASKED_AT.label("asked_at"), Person.left_on, Person.email, Delivery.robot_id, Robot.enabled,
    )  # fmt: skip
    waiting = (*_PENDING, Delivery.channel == channel, Delivery.next_try_at <= now)
    query = sa.select(*columns).outerjoin(Person, Person.id == Delivery.person_id).outerjoin(Robot, Robot.id == Delivery.robot_id)
    query = query.where(*waiting, holding.NOBODY_HOLDS)
    return query.order_by(Delivery.next_try_at, Delivery.id).limit(most).with_for_update(of=Delivery.__table__, skip_locked=True)


class Fates:
    """The statements of one sender. `bound` says whether the day's deadline holds (it binds the scheduler, not a person)."""

    def __init__(self, clock: Clock, settings: Settings, *, bound: bool) -> None:
        self.clock, self.settings, self.bound = clock, settings, bound
        self.owner = new_owner()

    def deadline(self, day: date, asked_at: datetime) -> datetime:
        """When a message expires: its day's deadline, or an hour after it was asked for, when that was later."""
        usual = deadline(day, self.settings)
        return usual if asked_at < usual else asked_at + GRACE

    def recover(self, connection: Connection, repeatable: Callable[[str], bool]) -> int:
        """Attempts whose process is gone: without a marker they never happened; with one, only a person may resend (unless
        the channel is one where doing it twice leaves one message). How many there were."""
        now, here = self.clock.now(), self.clock.lease_now(connection)
        columns = (Delivery.id, Delivery.attempt, Delivery.channel, Delivery.owner, Delivery.lease_until, Delivery.marked_at)
        rows = connection.execute(sa.select(*columns).where(sa.text(OPEN), Delivery.state == "sending")).all()
        stale = [row for row in rows if row.lease_until is None or row.lease_until < here or is_dead(row.owner)]
        for row in stale:
            lost = row.marked_at is not None and not repeatable(row.channel)
            state, reason = ("uncertain", LOST_AFTER_MARK) if lost else ("pending", INTERRUPTED)
            back: dict[str, Any] = {"state": state, "reason": reason, "lease_until": None, "owner": None, "updated_at": now}
            mine = (Delivery.id == row.id, Delivery.state == "sending", Delivery.attempt == row.attempt, Delivery.owner == row.owner)
            change = sa.update(Delivery).where(*mine).values(**back if lost else back | {"marked_at": None})
            if connection.execute(change).rowcount == 1:
                history.note(connection, row.id, row.attempt, state, reason, now)
        return len(stale)

    def abandoned(self, connection: Connection) -> bool:
        """Is there anything for `recover`? A read, so that an idle tick writes nothing."""
        here = self.clock.lease_now(connection)
        query = sa.select(Delivery.owner, Delivery.lease_until).where(sa.text(OPEN), Delivery.state == "sending")
        return any(until is None or until < here or is_dead(owner) for owner, until in connection.execute(query))

    def late(self, connection: Connection) -> list[tuple[date, str]]:
        """Days and channels that have messages waiting past their deadline; a read."""
        now = self.clock.now()
        query = sa.select(Delivery.run_date, Delivery.channel, sa.func.min(_ASKED_AT)).where(*_PENDING)
        rows = connection.execute(query.group_by(Delivery.run_date, Delivery.channel))
        return [(day, channel) for day, channel, asked_at in rows if now > self.deadline(day, asked_at)]

    def expire(self, connection: Connection, day: date, channel: str) -> int:
        """End what waited too long, also when its channel is out of order; the reason names what was last in the way."""
        now = self.clock.now()
        usual = deadline(day, self.settings)
        if now <= usual:
            return 0
        mine = (*_PENDING, Delivery.run_date == day, Delivery.channel == channel)
        over: sa.ColumnElement[bool] = _ASKED_AT < max(usual, now - GRACE)  # noqa: SIM300
        trouble = connection.scalar(
            sa.select(ChannelState.reason).where(ChannelState.channel == channel, ChannelState.state != "ok").limit(1)
        )
        reasons = sa.select(Delivery.reason).where(*mine, over).distinct()
        ended = 0
        for reason in connection.scalars(reasons).all():
            why = reason or trouble
            same = Delivery.reason == reason if reason is not None else Delivery.reason.is_(None)
            said = f"{TOO_LATE}；最后一次：{why}"[:500] if why else TOO_LATE
            ended += history.move_all(connection, (*mine, over, same), "expired", said, now)
        return ended

    def claim(
        self, connection: Connection, name: str, channel: Channel, *,
        owner: str = "", most: int = 1, troubled: bool, ended: Callable[[str], None],
    ) -> list[Taken]:  # fmt: skip
        """Take the next messages of a channel, `most` of them; none when nothing is due. Messages that are not to be sent any more
        end here, and `ended` hears their state."""
        owner = owner or self.owner
        while True:
            now = self.clock.now()
            rows = connection.execute(next_waiting(now, name, most)).all()
            if not rows:
                return []
            here, fit = self.clock.lease_now(connection), list[Taken]()
            for row in rows:
                until = self.deadline(row.run_date, row.asked_at)
                if (end := self._no_longer(row, name, until, now)) is not None:
                    self._write(connection, row.id, row.attempt, now, *end)
                    ended(end[0])
                    continue
                relay, sick = channel.relay or row.recipient, troubled
                if channel.pace is not None or channel.relay is None:
                    shared = channel.relay is not None  # then the whole round was admitted
                    admission = breaker.admit(connection, name, relay, here, pace=channel.pace, at_once=not self.bound, inside=shared)
                    if admission.until is not None:
                        later = now + max(admission.until - here, timedelta(milliseconds=1))
                        connection.execute(sa.update(Delivery).where(Delivery.id == row.id).values(next_try_at=later))
                        continue
                    sick = troubled if shared else admission.troubled
                letter = Letter(row.id, row.run_date, row.person_id, row.recipient, row.message_id, row.body)
                fit.append(Taken(letter, row.attempt + 1, owner, relay, sick, until))
            if not fit:
                continue
            values = {"state": "sending", "lease_until": here + LEASE, "owner": owner, "marked_at": None, "updated_at": now}
            change = sa.update(Delivery).where(among(Delivery.id), Delivery.state == "pending")
            change = change.values(**values, attempt=Delivery.attempt + 1).returning(Delivery.id, Delivery.attempt)
            ours = {(number, attempt) for number, attempt in connection.execute(change, {"ids": [one.letter.id for one in fit]})}
            if taken := [one for one in fit if (one.letter.id, one.attempt) in ours]:
                return taken

    def give_back(self, connection: Connection, name: str, owner: str, *, but: int | None = None) -> int:
        """What an owner has claimed and not marked waits again as if nobody had taken it, but for the message in hand; under a
        hold it is held. How many there were."""
        now = self.clock.now()
        mine = (sa.text(OPEN), Delivery.channel == name, Delivery.state == "sending", Delivery.owner == owner, Delivery.marked_at.is_(None))
        change = sa.update(Delivery).where(*mine, Delivery.id != (but or 0))
        back = change.values(state="pending", attempt=Delivery.attempt - 1, lease_until=None, owner=None, updated_at=now)
        number = connection.execute(back).rowcount
        if number and (hold := holding.current(connection)) is not None:
            holding.hold_back(connection, hold.reason, now)
        return number

    def late_by_now(self, taken: Taken) -> bool:
        """Did the deadline of a message pass since it was claimed?"""
        return self.bound and self.clock.now() > taken.deadline

    def _no_longer(self, row: Any, channel: str, until: datetime, now: datetime) -> tuple[str, str] | None:
        """Why a message is not sent any more, if it is not."""
        if self.bound and now > until:
            return "expired", f"{TOO_LATE}；最后一次：{row.reason}"[:500] if row.reason else TOO_LATE
        if row.left_on is not None and row.left_on <= max(row.run_date, self.clock.business_date(now)):
            return "suppressed", "该人员已离岗"
        if row.robot_id is not None and not row.enabled:
            return "suppressed", "群机器人已停用或已删除"
        if channel == MAIL and not row.email:
            return "suppressed", "没有邮箱地址"
        return None

    def mark(self, connection: Connection, taken: Taken, before: End | None) -> tuple[bool, bool]:
        """The point of no return, to be committed before the message is out of our hands, and with it that the one before was sent.
        Was each of them written? The marker is not where others have the message or where everything is held. To be called
        within `Database.at_once`."""
        here = self.clock.lease_told(connection)
        told: dict[str, Any] = {"number": taken.letter.id, "turn": taken.attempt, "whose": taken.owner, "at": self.clock.now()}
        told["until"] = None if here is None else here + LEASE_AFTER_MARK
        if connection.dialect.name != "sqlite":
            told["lease"] = LEASE_AFTER_MARK
        if before is None:
            return False, marker.mark(connection, told)
        said = {"ended": before.taken.letter.id, "ended_turn": before.taken.attempt, "answer": before.reason[:500]}
        return marker.mark_after(connection, told, said)

    def end(self, connection: Connection, end: End) -> bool:
        """What became of our attempt; also when others had already called it uncertain, for we know better. False when the
        message is not ours any more, or this was written before."""
        now = self.clock.now()
        number, attempt = end.taken.letter.id, end.taken.attempt
        return self._write(connection, number, attempt, now, end.state, end.reason, end.phase, end.next_try_at, marker.ENDING)

    def _write(
        self, connection: Connection, number: int, attempt: int, now: datetime, state: str, reason: str,
        phase: str = "", next_try_at: datetime | None = None, before: tuple[str, ...] = ("pending",),
    ) -> bool:  # fmt: skip
        reason = reason[:500]
        values: dict[str, Any] = {"state": state, "reason": reason, "lease_until": None, "owner": None, "updated_at": now}
        if state in ("pending", "held"):
            values["marked_at"] = None
        if next_try_at is not None:
            values["next_try_at"] = next_try_at
        mine = (Delivery.id == number, Delivery.attempt == attempt, Delivery.state.in_(before))
        if connection.execute(sa.update(Delivery).where(*mine).values(**values)).rowcount != 1:
            return False
        history.note(connection, number, attempt, state, reason, now, phase=phase)
        return True
