"""Taking messages out of the outbox, each to exactly one end: sent, failed, expired, uncertain or suppressed.

pending → sending (with a lease) → marked, committed just before the final dot → sent | failed | uncertain. A lease that ran
out without a marker goes back to pending; with one, nobody can know, and only a person may resend.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
import structlog

from app.alerts.channels import channel_for
from app.alerts.channels.base import Channel, Letter, Refused, Uncertain
from app.alerts.models import OPEN, Delivery
from app.clock import Clock
from app.db import Database
from app.offices.models import Person
from app.settings import Settings

log = structlog.get_logger()
LEASE = timedelta(minutes=5)
LEASE_AFTER_DOT = timedelta(minutes=11)
BACK_OFF = (1, 2, 5, 10, 20, 30)
"""Minutes until the next attempt; the last one repeats."""
GRACE = timedelta(hours=1)
"""What a person had sent after the day's deadline still gets this long."""
BATCH = 200


class Abandoned(Exception):
    """Somebody else holds this message now."""


def deadline(day: date, settings: Settings) -> datetime:
    """The instant after which the messages of a day are not sent any more."""
    return datetime.combine(day, settings.daily_deadline, settings.zone).astimezone(UTC)


def due(now: datetime) -> sa.Select[int]:
    """The messages that may be tried at a moment, longest waiting first."""
    waiting = (sa.text(OPEN), Delivery.state == "pending", Delivery.next_try_at <= now)
    return sa.select(Delivery.id).where(*waiting).order_by(Delivery.next_try_at, Delivery.id).limit(BATCH)


class Sender:
    """Sends what is due. `bound` says whether the day's deadline holds (it binds the scheduler, not a person)."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        settings: Settings,
        *,
        channel: Channel | None = None,
        bound: bool = True,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self.database, self.clock, self.settings, self.bound, self.stopping = database, clock, settings, bound, stopping
        self.channel = channel or channel_for(settings)

    def run(self) -> Counter[str]:
        """Deal with everything that is due now; answers how many messages came to which state."""
        ends: Counter[str] = Counter()
        self._recover()
        try:
            while not self.stopping():
                due = self._due()
                if not due:
                    break
                for number in due:
                    if self.stopping():
                        return ends
                    state, go_on = self._one(number)
                    if state is not None:
                        ends[state] += 1
                    if not go_on:
                        return ends
        finally:
            self.channel.close()
        return ends

    def _recover(self) -> None:
        """Abandoned attempts: without a marker they never happened; with one, only a person may resend."""
        with self.database.statement() as connection:
            now = self.clock.now()
            stale = (sa.text(OPEN), Delivery.state == "sending", Delivery.lease_until < now)
            if connection.scalar(sa.select(Delivery.id).where(*stale).limit(1)) is None:
                return
        with self.database.write() as connection:
            free = sa.true() if self.channel.repeatable else Delivery.marked_at.is_(None)
            back = {"state": "pending", "lease_until": None, "marked_at": None, "updated_at": now}
            connection.execute(sa.update(Delivery).where(*stale, free).values(**back))
            lost = {
                "state": "uncertain",
                "reason": "发送进程中断于交出正文之后，结果不明；需人工决定是否重发",
                "updated_at": now,
            }
            connection.execute(sa.update(Delivery).where(*stale).values(**lost))

    def _due(self) -> list[int]:
        with self.database.statement() as connection:
            return list(connection.scalars(due(self.clock.now())))

    def _one(self, number: int) -> tuple[str | None, bool]:
        """One message: (its state now, or None when somebody else has it; whether to go on with the next)."""
        claimed = self._claim(number)
        if isinstance(claimed, str) or claimed is None:
            return claimed, True
        letter, attempt = claimed
        try:
            answer = self.channel.send(letter, lambda: self._mark(letter.id, attempt))
        except Abandoned:
            return None, True
        except Uncertain as error:
            return self._end(letter.id, attempt, "uncertain", str(error)), True
        except Refused as error:
            log.warning("message refused", delivery=letter.id, reason=error.reason, again=error.again)
            if not error.again:
                return self._end(letter.id, attempt, "failed", error.reason), True
            return self._later(letter, attempt, error.reason), not error.everyone
        except Exception as error:
            log.error("message cannot be sent", delivery=letter.id, exc_info=error)
            return self._end(letter.id, attempt, "failed", f"{type(error).__name__}"), True
        return self._end(letter.id, attempt, "sent", answer[:500]), True

    def _claim(self, number: int) -> tuple[Letter, int] | str | None:
        with self.database.write() as connection:
            now = self.clock.now()
            query = (
                sa.select(
                    Delivery.run_date, Delivery.person_id, Delivery.recipient, Delivery.message_id, Delivery.body, Delivery.attempt,
                    Delivery.created_at, Person.left_on, Person.email,
                )
                .join(Person, Person.id == Delivery.person_id)
                .where(Delivery.id == number, Delivery.state == "pending")
            )  # fmt: skip
            row = connection.execute(query).one_or_none()
            if row is None:
                return None
            end = self._no_longer(row, now)
            values: dict[str, Any] = (
                {"state": end[0], "reason": end[1]} if end else {"state": "sending", "lease_until": now + LEASE, "marked_at": None}
            )
            taken = connection.execute(
                sa.update(Delivery)
                .where(Delivery.id == number, Delivery.state == "pending", Delivery.attempt == row.attempt)
                .values(**values, attempt=row.attempt + 1, updated_at=now)
            )
            if taken.rowcount != 1:
                return None
            if end:
                return end[0]
            return Letter(number, row.run_date, row.person_id, row.recipient, row.message_id, row.body), row.attempt + 1

    def _no_longer(self, row: Any, now: datetime) -> tuple[str, str] | None:
        """Why a message is not sent any more, if it is not."""
        if self.bound and now > self._deadline(row.run_date, row.created_at):
            return "expired", "超过当日发送时限"
        if row.left_on is not None and row.left_on <= max(row.run_date, self.clock.business_date(now)):
            return "suppressed", "该人员已离岗"
        if not row.email:
            return "suppressed", "没有邮箱地址"
        return None

    def _deadline(self, day: date, created_at: datetime) -> datetime:
        usual = deadline(day, self.settings)
        return usual if created_at < usual else created_at + GRACE

    def _mark(self, number: int, attempt: int) -> None:
        """The point of no return, committed before the final dot leaves."""
        with self.database.write() as connection:
            now = self.clock.now()
            mine = (Delivery.id == number, Delivery.state == "sending", Delivery.attempt == attempt)
            marked = connection.execute(
                sa.update(Delivery).where(*mine).values(marked_at=now, lease_until=now + LEASE_AFTER_DOT, updated_at=now)
            )
            if marked.rowcount != 1:
                raise Abandoned

    def _end(self, number: int, attempt: int, state: str, reason: str) -> str:
        """What became of our attempt; also when others had already called it uncertain, for we know better."""
        with self.database.write() as connection:
            mine = (Delivery.id == number, Delivery.attempt == attempt, Delivery.state.in_(("sending", "uncertain")))
            values = {"state": state, "reason": reason, "lease_until": None, "updated_at": self.clock.now()}
            connection.execute(sa.update(Delivery).where(*mine).values(**values))
        return state

    def _later(self, letter: Letter, attempt: int, reason: str) -> str:
        """Back to pending with a pause; the deadline of its day ends it."""
        with self.database.write() as connection:
            now = self.clock.now()
            mine = (Delivery.id == letter.id, Delivery.attempt == attempt, Delivery.state == "sending")
            pause = timedelta(minutes=BACK_OFF[min(attempt - 1, len(BACK_OFF) - 1)])
            values = {
                "state": "pending",
                "reason": reason,
                "lease_until": None,
                "marked_at": None,
                "next_try_at": now + pause,
                "updated_at": now,
            }
            connection.execute(sa.update(Delivery).where(*mine).values(**values))
        return "pending"
