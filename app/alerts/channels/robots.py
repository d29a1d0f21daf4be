"""Group robots as a way out: one channel per kind, every robot a relay of its own.

A message may have parts. Each is marked, handed over and written down as taken before the next one leaves, so whatever
happens between two parts, the parts that were taken are known and are never sent again: a retry, and a person's resend too,
go on with the first part that is not known to be taken. What a kill leaves in doubt is one part, the one that was marked.
"""

from __future__ import annotations

from collections.abc import Callable

import orjson
import sqlalchemy as sa

from app.alerts.channels.base import Blame, Letter, Pace, Refused, Uncertain
from app.alerts.models import Delivery
from app.alerts.patience import AWAY, insist
from app.clock import Clock
from app.db import Database
from app.errors import DomainError
from app.robots.handing import hand_over, take_turn
from app.robots.kinds.base import LATER, TAKEN, UNKNOWN, Verdict
from app.robots.queries import Opened, opened
from app.robots.sealed import Vault
from app.settings import Settings


def packed(payloads: list[bytes]) -> bytes:
    """The parts of a message as they are stored: fixed once, like the bytes of a mail."""
    return orjson.dumps([payload.decode() for payload in payloads])


class Robots:
    """Robots of one kind. Their recipients are their numbers; addresses are opened here, for one message, and nowhere kept."""

    repeatable = False
    relay: str | None = None
    lanes = 4
    pace: Pace | None = None
    """Counted per part and for trials too (`take_turn`), so not by the sender."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings, self.database = settings, database
        self.clock = Clock(settings.zone)  # signatures carry the real time, whatever day is being tried out
        self.vault = Vault(settings)

    def send(self, letter: Letter, mark: Callable[[], None]) -> str:
        """Every part that is not known to be taken, in order."""
        payloads = [text.encode() for text in orjson.loads(letter.body)]
        with self.database.snapshot() as connection:
            done = connection.scalar(sa.select(Delivery.parts_taken).where(Delivery.id == letter.id)) or 0
            try:
                robot = opened(connection, self.vault, int(letter.recipient))
            except DomainError as error:
                raise Refused(error.hint, again=False, phase="address") from None
        said = "各部分均已送达"
        for at in range(done, len(payloads)):
            self._turn(robot, at, len(payloads))
            now = self.clock.now()
            verdict = hand_over(self.settings, robot.kind, robot.secrets, payloads[at], letter.message_id, now, mark)
            if verdict.outcome != TAKEN:
                raise _trouble(verdict, at, len(payloads))
            self._taken(letter.id, at)
            said = verdict.reason
        return said if len(payloads) == 1 else f"{said}（共 {len(payloads)} 部分）"

    def close(self) -> None:
        """Nothing stays open."""

    def _turn(self, robot: Opened, at: int, of: int) -> None:
        with self.database.write() as connection:
            wait = take_turn(connection, robot.id, self.clock.lease_now(connection))
        if wait:
            reason = _part("发送频率已达每分钟上限，稍后继续", at, of)
            raise Refused(reason, again=True, phase="pace", wait=wait)

    def _taken(self, number: int, at: int) -> None:
        """One part more is known to be taken, and nothing is in doubt until the next marker."""
        before = sa.func.coalesce(Delivery.parts_taken, 0) == at
        settled = sa.case((Delivery.state == "sending", sa.null()), else_=Delivery.marked_at)
        values = {"parts_taken": at + 1, "marked_at": settled}

        def write() -> None:
            with self.database.write() as connection:
                connection.execute(sa.update(Delivery).where(Delivery.id == number, before).values(**values))

        try:
            insist(write, delivery=number)
        except AWAY as error:  # never as if nothing had been handed over
            raise Uncertain(f"第 {at + 1} 部分已送达，但未能记录：{type(error).__name__}", phase="HTTP") from error


def _part(reason: str, at: int, of: int) -> str:
    """The reason, and which part it is about."""
    if of == 1:
        return reason
    return f"第 {at + 1}/{of} 部分：{reason}" + (f"；前 {at} 部分已送达，不再重发" if at else "")


def _trouble(verdict: Verdict, at: int, of: int) -> Exception:
    reason = _part(verdict.reason, at, of)
    if verdict.outcome == UNKNOWN:
        return Uncertain(reason, phase="HTTP")
    if verdict.outcome == LATER:
        return Refused(reason, again=True, blame=Blame.RELAY, phase="HTTP", wait=verdict.wait)
    return Refused(reason, again=False, phase="HTTP")
