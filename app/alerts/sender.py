"""Taking messages out of the outbox, each to exactly one end: sent, failed, expired, uncertain or suppressed.

Every channel has a round of its own, in a thread of its own, so that one that is slow, resting or paused stops no other. A
round has one or more lanes, each with a connection that is kept; a lane ends one message and claims the next in the same
transaction. The marker is committed just before a message is out of our hands: a lease that ran out without it goes back to
pending; with it, nobody can know, and only a person may resend.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog

from app.alerts import breaker, holding
from app.alerts.channels import OPENERS, Opener
from app.alerts.channels.base import Blame, Channel, Refused, Uncertain
from app.alerts.fates import BACK_OFF, Abandoned, End, Fates, Taken, deadline
from app.alerts.models import OPEN, Delivery
from app.alerts.patience import AWAY, insist
from app.clock import Clock
from app.db import Database
from app.settings import Settings

__all__ = ["BACK_OFF", "Sender", "deadline"]
log = structlog.get_logger()
PER_LANE = 25
"""Messages that make another lane worth its connection; where each recipient is a relay of its own, none waits for a slow one."""


class Sender:
    """Sends what is due. `bound` says whether the day's deadline holds (it binds the scheduler, not a person, who also does not
    wait until a relay has rested). `openers` are the ways out, by name."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        settings: Settings,
        *,
        openers: Mapping[str, Opener] = OPENERS,
        bound: bool = True,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self.database, self.clock, self.settings, self.bound, self.stopping = database, clock, settings, bound, stopping
        self.openers, self.fates = openers, Fates(clock, settings, bound=bound)

    def run(self) -> Counter[str]:
        """Deal with everything that is due now; answers how many messages came to which state."""
        ends = Counter[str]()
        waiting = self.due(ends)
        if len(waiting) == 1:
            ((name, number),) = waiting.items()
            ends += self.round(name, number)
        elif waiting:
            with ThreadPoolExecutor(len(waiting), "sender") as rounds:
                for one in rounds.map(self.round, waiting, waiting.values()):
                    ends += one
        return +ends

    def due(self, ends: Counter[str]) -> dict[str, int]:
        """How many messages each channel has to send, after what was abandoned, held or too late (`ends` counts it) was dealt with."""
        self._recover()
        if self._held():
            return {}
        if self.bound:
            ends["expired"] += self._expire()
        return self._waiting()

    def _open(self, name: str) -> Channel:
        return self.openers[name](self.settings, self.database)

    def _repeatable(self, name: str) -> bool:
        try:
            return name in self.openers and self._open(name).repeatable
        except Exception as error:
            log.error("channel cannot be opened", channel=name, exc_info=error)
            return False

    def _recover(self) -> None:
        with self.database.statement() as connection:
            if not self.fates.abandoned(connection):
                return
        with self.database.write() as connection:
            self.fates.recover(connection, self._repeatable)

    def _held(self) -> bool:
        """Is everything held back? Then what waits becomes held."""
        with self.database.statement() as connection:
            if holding.current(connection) is None:
                return False
            waits = connection.scalar(sa.select(Delivery.id).where(sa.text(OPEN), Delivery.state == "pending").limit(1))
        if waits is not None:
            with self.database.write() as connection:
                hold = holding.current(connection)
                if hold is not None:
                    holding.hold_back(connection, hold.reason, self.clock.now())
        return True

    def _expire(self) -> int:
        with self.database.statement() as connection:
            late = self.fates.late(connection)
        ended = 0
        for day, channel in late:
            with self.database.write() as connection:
                ended += self.fates.expire(connection, day, channel)
        return ended

    def _waiting(self) -> dict[str, int]:
        """How many messages are due on each channel that this version knows."""
        due = (sa.text(OPEN), Delivery.state == "pending", Delivery.next_try_at <= self.clock.now())
        query = sa.select(Delivery.channel, sa.func.count()).where(*due).group_by(Delivery.channel)
        with self.database.statement() as connection:
            return {name: number for name, number in connection.execute(query) if name in self.openers}

    def round(self, name: str, waiting: int) -> Counter[str]:
        """One channel; whatever goes wrong with it stays with it."""
        try:
            return Round(self, name, waiting).run()
        except Exception as error:
            log.error("channel failed", channel=name, exc_info=error)
            return Counter()


class Round:
    """What is due on one channel, sent by one or more lanes until nothing is left or its relay has to be left alone."""

    def __init__(self, sender: Sender, name: str, waiting: int) -> None:
        self.sender, self.name, self.waiting = sender, name, waiting
        self.database, self.fates, self.clock = sender.database, sender.fates, sender.clock
        self.halted = threading.Event()
        self.troubled = self.probing = False
        self.relay: str | None = None

    def run(self) -> Counter[str]:
        """All lanes; how many messages came to which state."""
        first = self.sender._open(self.name)
        self.relay = first.relay
        if self.relay is not None and not self._admitted(self.relay):
            return Counter()
        number = 1 if self.probing else max(1, min(first.lanes, -(-self.waiting // (PER_LANE if self.relay is not None else 1))))
        lanes = [Lane(self, first, extra=False), *(Lane(self, self.sender._open(self.name), extra=True) for _ in range(number - 1))]
        ends = Counter[str]()
        if len(lanes) == 1:
            ends = lanes[0].run()
        else:
            with ThreadPoolExecutor(len(lanes), "lane") as threads:
                for one in [threads.submit(lane.run) for lane in lanes]:
                    ends += one.result()
        self._tell(ends)
        return ends

    def _admitted(self, relay: str) -> bool:
        with self.database.write() as connection:
            asked = breaker.admit(connection, self.name, relay, self.clock.lease_now(connection), at_once=not self.sender.bound)
        self.troubled, self.probing = asked.troubled, asked.probe
        return asked.until is None

    def _tell(self, ends: Counter[str]) -> None:
        """When something was sent last, for people; and a probe that found nothing to try is given back."""
        if self.relay is None or self.halted.is_set():
            return
        with self.database.write() as connection:
            if ends["sent"]:
                breaker.worked(connection, self.name, self.relay, self.clock.lease_now(connection))
            elif self.probing:
                breaker.not_probed(connection, self.name, self.relay, self.clock.lease_now(connection))


class Lane:
    """One connection. An `extra` lane that cannot connect says nothing about the relay: it may just take fewer at once."""

    def __init__(self, round_: Round, channel: Channel, *, extra: bool) -> None:
        self.round, self.channel, self.unproven = round_, channel, extra
        self.database, self.fates, self.clock = round_.database, round_.fates, round_.clock
        self.ends = Counter[str]()

    def run(self) -> Counter[str]:
        """Message after message; what they came to."""
        end: End | None = None
        blame: Blame | None = None
        try:
            while (taken := self._turn(end, blame)) is not None:
                end, blame = self._attempt(taken)
        finally:
            self.channel.close()
        return self.ends

    def _turn(self, end: End | None, blame: Blame | None) -> Taken | None:
        """Write down how a message ended and take the next one, both or neither. Patient when there is something to write:
        what the other side answered must not be forgotten because the database was away for a moment."""
        if end is None:
            return self._written(None, None)
        return insist(lambda: self._written(end, blame), delivery=end.taken.letter.id)

    def _written(self, end: End | None, blame: Blame | None) -> Taken | None:
        states: list[str] = []
        with self.database.write() as connection:
            if end is not None:
                if self.fates.end(connection, end):
                    states.append(end.state)
                self._judge(connection, end, blame)
            taken = None
            if not (self.round.halted.is_set() or self.round.sender.stopping() or (self.unproven and blame is Blame.AWAY)):
                troubled = self.round.troubled
                taken = self.fates.claim(connection, self.round.name, self.channel, troubled=troubled, ended=states.append)
        self.ends.update(states)
        return taken

    def _judge(self, connection: sa.Connection, end: End, blame: Blame | None) -> None:
        """What an attempt says about its relay."""
        name, relay, now = self.round.name, end.taken.relay, self.clock.lease_now(connection)
        if blame is None or blame is Blame.MESSAGE:
            self.unproven = False
            if end.taken.troubled and (blame or end.state == "sent"):
                breaker.worked(connection, name, relay, now, sent=end.state == "sent")
                self.round.troubled = self.round.probing = False
            return
        if self.unproven and blame is Blame.AWAY:
            return
        until = breaker.failed(connection, name, relay, now, end.reason, needs_person=blame is Blame.SETTINGS)
        self.round.troubled = True
        if self.channel.relay is not None and (until is not None or blame is not Blame.RELAY):
            self.round.halted.set()

    def _attempt(self, taken: Taken) -> tuple[End | None, Blame | None]:
        """One message over the wire: how it ended, and what failed. None when somebody else has it."""
        marked = False

        def mark() -> None:
            nonlocal marked
            with self.database.write() as connection:
                self.fates.mark(connection, taken)
            marked = True

        try:
            answer = self.channel.send(taken.letter, mark)
        except Abandoned:
            return None, None
        except holding.Held:
            return End(taken, "held", "已暂缓发送"), None
        except Uncertain as error:
            log.warning("message uncertain", delivery=taken.letter.id, phase=error.phase, reason=error.reason)
            return End(taken, "uncertain", error.reason, error.phase), Blame.RELAY
        except Refused as error:
            log.warning("message refused", delivery=taken.letter.id, phase=error.phase, reason=error.reason, again=error.again)
            if not error.again:
                return End(taken, "failed", error.reason, error.phase), error.blame
            return End(taken, "pending", error.reason, error.phase, self._later(taken, error)), error.blame
        except AWAY as error:  # of the marker: it may be there or not, but nothing was handed over
            return End(taken, "pending", f"数据库暂不可用：{type(error).__name__}", "", self.clock.now() + timedelta(minutes=1)), None
        except Exception as error:
            log.error("message cannot be sent", delivery=taken.letter.id, exc_info=error)
            return End(taken, "uncertain" if marked else "failed", f"程序错误：{type(error).__name__}"), None
        return End(taken, "sent", answer), None

    def _later(self, taken: Taken, error: Refused) -> datetime:
        """When a message is tried again: what may be its own fault makes it wait longer each time, its relay's does not; and when
        the other side said how long to wait, so long."""
        blame = error.blame
        if error.wait is not None:
            return self.clock.now() + timedelta(seconds=error.wait)
        if blame is Blame.AWAY and self.unproven:
            return self.clock.now()
        turn = min(taken.attempt - 1, len(BACK_OFF) - 1) if blame in (Blame.MESSAGE, Blame.RELAY) else 0
        return self.clock.now() + timedelta(minutes=BACK_OFF[turn])
