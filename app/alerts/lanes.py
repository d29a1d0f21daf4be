"""A lane sends one message after the other over one connection, and says what became of each.

Where all messages of a channel go through one relay a lane claims several at once, and what went well is written down together
with the next message's marker: one commit a message. Nothing else waits: whatever did not go well is written at once, and so is
the end of the last message of a claim. While a lane is busy with a message, a watch sees to it that no end waits longer than a
second for a marker that does not come, and that what was claimed and cannot be begun goes back to whoever can.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import sqlalchemy as sa
import structlog

from app.alerts import breaker, holding
from app.alerts.channels.base import Blame, Channel, Refused, Uncertain
from app.alerts.fates import BACK_OFF, Abandoned, End, Fates, Taken
from app.alerts.models import unpacked
from app.alerts.patience import AWAY, BRIEFLY, insist
from app.alerts.together import Together
from app.clock import Clock
from app.db import Database

log = structlog.get_logger()
BATCH = 25
"""Messages of one claim, and of one lane's memory."""
FRESH = 5.0
"""Seconds that a claim is worth: what was not begun by then is given back, and looked at again (a hold, a departure)."""
PUT_OFF = 1.0
"""Seconds that the end of a message may wait for the marker of the next one."""
LOOK = 0.2
"""Seconds between two looks of the watch."""


@dataclass
class Road:
    """What the lanes of one round share: a channel, and how its relay is."""

    name: str
    database: Database
    fates: Fates
    clock: Clock
    stopping: Callable[[], bool]
    halted: threading.Event = field(default_factory=threading.Event)
    """Its one relay has to be left alone."""
    troubled: bool = False
    probing: bool = False
    markers: Together = field(init=False)

    def __post_init__(self) -> None:
        self.markers = Together(self.database)


class Lane:
    """One connection. Lanes beyond the first that cannot connect say nothing about the relay: it may just take fewer at once."""

    def __init__(self, road: Road, number: int, channel: Channel) -> None:
        self.road, self.channel, self.unproven = road, channel, number > 0
        self.database, self.fates, self.clock = road.database, road.fates, road.clock
        self.owner = f"{road.fates.owner}.{number}"
        self.ends = Counter[str]()
        self._many = channel.relay is not None and channel.pace is None
        self._lock = threading.Lock()
        """Held while something is written or taken; never while the other side is waited for."""
        self._rest = deque[Taken]()
        self._claimed = self._waits = self._patient = 0.0
        self._owed: list[tuple[End, Blame | None]] = []
        self._in_hand: int | None = None
        self._most, self._begun = BATCH, 0
        self._doubt = self._done = False
        """Is it unknown whether a claim or its return is written? Does this lane begin nothing more?"""

    def run(self) -> Counter[str]:
        """Message after message; what they came to."""
        end: End | None = None
        blame: Blame | None = None
        try:
            while (taken := self._next(end, blame)) is not None:
                end, blame = self._attempt(taken)
        finally:
            self.channel.close()
        return self.ends

    def look(self) -> None:
        """By the watch: while a message is under way, what must not wait for it is written down and given back."""
        if time.monotonic() < self._patient or not self._lock.acquire(blocking=False):
            return  # the database is away, or the lane is at it itself
        try:
            late = self._owed and time.monotonic() - self._waits >= PUT_OFF
            if late or self._doubt or (self._rest and not self._keeps()):
                self._write(more=False)
        except AWAY as error:
            self._patient = time.monotonic() + PUT_OFF
            log.warning("database away, the fate of a message waits", channel=self.road.name, error=type(error).__name__)
        finally:
            self._lock.release()

    def _next(self, end: End | None, blame: Blame | None) -> Taken | None:
        """Take the next message; the database is only asked when there is none left, or something to write that cannot wait."""
        with self._lock:
            self._in_hand = None
            if end is not None:
                self._waits = self._waits if self._owed else time.monotonic()
                self._owed.append((end, blame))
                self._done = end.state == "held" or (self.unproven and blame is Blame.AWAY)
            if not self._keeps() or (end is not None and (end.state != "sent" or end.taken.troubled)):
                self._turn()
            if not self._rest:
                return None
            taken = self._rest.popleft()
            self._in_hand, self._begun = taken.letter.id, self._begun + 1
            return taken._replace(troubled=self.road.troubled) if self._many else taken

    def _goes_on(self) -> bool:
        return not (self._done or self.road.halted.is_set() or self.road.stopping())

    def _keeps(self) -> bool:
        """May the next of the claimed messages be begun, on what was known when they were claimed?"""
        fresh = bool(self._rest) and time.monotonic() - self._claimed < FRESH and not self.fates.late_by_now(self._rest[0])
        return fresh and self._goes_on()

    def _turn(self) -> None:
        """Write down how messages ended and take the next ones, both or neither. Patient when there is something to write:
        what the other side answered must not be forgotten because the database was away for a moment."""
        if self._owed:
            insist(lambda: self._write(more=True), delivery=self._owed[0][0].taken.letter.id)
        else:
            self._write(more=True)

    def _write(self, *, more: bool) -> None:
        """One transaction: what messages came to; unless those that are claimed are kept, their return, and with `more` the next."""
        states: list[str] = []
        taken: list[Taken] = []
        with self.database.write() as connection:
            for end, blame in self._owed:
                if self.fates.end(connection, end):
                    states.append(end.state)
                self._judge(connection, end, blame)
            if not self._keeps():
                if self._rest or self._doubt:
                    self._forget()
                    self.fates.give_back(connection, self.road.name, self.owner, but=self._in_hand)
                if more and self._goes_on():
                    self._doubt = True
                    most = self._most if self._many and not (self.unproven or self.road.probing) else 1
                    taken = self.fates.claim(
                        connection, self.road.name, self.channel,
                        owner=self.owner, most=most, troubled=self.road.troubled, ended=states.append,
                    )  # fmt: skip
        self._doubt = False
        self._owed.clear()
        self.ends.update(states)
        if taken:
            self._rest.extend(taken)
            self._claimed, self._begun, self._most = time.monotonic(), 0, min(BATCH, 2 * self._most)

    def _forget(self) -> None:
        """What is given back is not begun any more, even if nobody can say whether it was. A slow relay is given no more at once
        than it was good for."""
        if self._rest:
            self._most = max(1, self._begun)
        self._rest.clear()
        self._doubt = True

    def _judge(self, connection: sa.Connection, end: End, blame: Blame | None) -> None:
        """What an attempt says about its relay."""
        name, relay = self.road.name, end.taken.relay
        if blame is None or blame is Blame.MESSAGE:
            self.unproven = False
            if end.taken.troubled and (blame or end.state == "sent"):
                breaker.worked(connection, name, relay, self.clock.lease_now(connection), sent=end.state == "sent")
                self.road.troubled = self.road.probing = False
            return
        if self.unproven and blame is Blame.AWAY:
            return
        now = self.clock.lease_now(connection)
        until = breaker.failed(connection, name, relay, now, end.reason, needs_person=blame is Blame.SETTINGS)
        self.road.troubled = True
        if self.channel.relay is not None and (until is not None or blame is not Blame.RELAY):
            self.road.halted.set()

    def _mark(self, taken: Taken) -> None:
        """The marker, and with it the end that waits for it."""
        with self._lock:
            before = self._owed[0][0] if self._owed else None
            work = partial(self.fates.mark, taken=taken, before=before)
            if before is None:
                ended, marked = self.road.markers.do(work)
            else:  # somebody's answer rests on it, and nothing has left yet
                ended, marked = insist(lambda: self.road.markers.do(work), delivery=before.taken.letter.id, pauses=BRIEFLY)
            if before is not None:
                self._owed.clear()
                self.ends.update([before.state] if ended else [])
        if not marked:
            with self.database.statement() as connection:
                raise holding.Held if holding.current(connection) is not None else Abandoned

    def _attempt(self, taken: Taken) -> tuple[End | None, Blame | None]:
        """One message over the wire: how it ended, and what failed. None when somebody else has it."""
        marked = False

        def mark() -> None:
            nonlocal marked
            self._mark(taken)
            marked = True

        try:
            answer = self.channel.send(taken.letter._replace(body=unpacked(taken.letter.body)), mark)
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


class Watch:
    """A thread that looks at lanes while they are busy, until the round is over."""

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self.lanes, self.over = lanes, threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self.over.wait(LOOK):
            for lane in self.lanes:
                try:
                    lane.look()
                except Exception as error:
                    log.error("lane cannot be looked at", exc_info=error)
