"""Taking messages out of the outbox, each to exactly one end: sent, failed, expired, uncertain or suppressed.

Every channel has a round of its own, in a thread of its own, so that one that is slow, resting or paused stops no other. A
round has one or more lanes (alerts/lanes.py), each with a connection that is kept. The marker is committed just before a message
is out of our hands: a lease that ran out without it goes back to pending; with it, nobody can know, and only a person may resend.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import sqlalchemy as sa
import structlog

from app.alerts import breaker, holding
from app.alerts.channels import OPENERS, Opener
from app.alerts.channels.base import Channel
from app.alerts.fates import BACK_OFF, Fates, deadline
from app.alerts.lanes import Lane, Road, Watch
from app.alerts.models import OPEN, Delivery
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
        self.database, self.clock = sender.database, sender.clock
        self.road = Road(name, sender.database, sender.fates, sender.clock, sender.stopping)
        self.relay: str | None = None

    def run(self) -> Counter[str]:
        """All lanes; how many messages came to which state."""
        first = self.sender._open(self.name)
        self.relay = first.relay
        if self.relay is not None and not self._admitted(self.relay):
            return Counter()
        number = 1 if self.road.probing else max(1, min(first.lanes, -(-self.waiting // (PER_LANE if self.relay is not None else 1))))
        lanes = [Lane(self.road, 0, first), *(Lane(self.road, one, self.sender._open(self.name)) for one in range(1, number))]
        ends = Counter[str]()
        with Watch(lanes):
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
        self.road.troubled, self.road.probing = asked.troubled, asked.probe
        return asked.until is None

    def _tell(self, ends: Counter[str]) -> None:
        """When something was sent last, for people; and a probe that found nothing to try is given back."""
        if self.relay is None or self.road.halted.is_set():
            return
        with self.database.write() as connection:
            if ends["sent"]:
                breaker.worked(connection, self.name, self.relay, self.clock.lease_now(connection))
            elif self.road.probing:
                breaker.not_probed(connection, self.name, self.relay, self.clock.lease_now(connection))
