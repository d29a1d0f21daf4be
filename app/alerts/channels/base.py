"""What every channel promises the sender, and what it is told in return.

A channel is one way out (mail, a robot of one kind). The sender claims a message, calls `send`, and writes what became of
it; the channel only talks to the other side. How a new one is added: one file with a class that has the names of `Channel`,
and one line in `channels/__init__.py`. Leases, attempts, back-off, deadlines, the circuit breaker and the pace are the
sender's and need nothing from the channel but the attributes below.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from enum import Enum
from typing import NamedTuple, Protocol

MAIL = "mail"


class Letter(NamedTuple):
    """One message that is to leave: its bytes never change between attempts. `body` is as stored until a lane takes it up."""

    id: int
    run_date: date
    person_id: int | None
    recipient: str
    message_id: str
    body: bytes


class Pace(NamedTuple):
    """At most so many messages to one relay within any stretch of so long; counted over all processes."""

    most: int
    within: timedelta


class Blame(Enum):
    """Whose fault a failed attempt was, which decides what happens to the other messages."""

    MESSAGE = "message"
    """This message or its recipient. The relay is well; everybody else goes on."""
    RELAY = "relay"
    """The relay failed in the middle of something. Counted by the breaker; the next message is tried."""
    AWAY = "away"
    """The relay cannot be reached or does not want to talk. Counted by the breaker; nothing more is tried now."""
    SETTINGS = "settings"
    """Only a person can help (password, certificate, sender address). The relay is paused and an alarm is raised."""


class Refused(Exception):
    """The message was certainly not taken. `again`: it may be tried later, otherwise this is its end.

    `phase` is how far it got ("RCPT", "HTTP", …), `reason` what the other side said, without secrets: both are shown to people.
    `wait`: the seconds that the other side asked to wait, if it did.
    """

    def __init__(self, reason: str, *, again: bool, blame: Blame = Blame.MESSAGE, phase: str = "", wait: int | None = None) -> None:
        super().__init__(reason)
        self.reason, self.again, self.blame, self.phase, self.wait = reason, again, blame, phase, wait


class Uncertain(Exception):
    """The message was handed over, and no answer came: only a person may decide to send it again."""

    def __init__(self, reason: str, *, phase: str = "") -> None:
        super().__init__(reason)
        self.reason, self.phase = reason, phase


class Channel(Protocol):
    """A way out. One object serves one thread and is closed at the end of a round.

    `repeatable`: doing it twice leaves one message, so an abandoned attempt may simply be repeated. `relay`: the name of the
    other side when all messages go through the same one; None when every recipient is a relay of its own (a robot's
    recipient is the number of its address, never the address itself, which is a secret). A relay that is out of order rests
    alone. `lanes`: how many messages may be on their way at once, each by a channel object of its own. `pace`: None is any.
    """

    repeatable: bool
    relay: str | None
    lanes: int
    pace: Pace | None

    def send(self, letter: Letter, mark: Callable[[], None]) -> str:
        """Send one message and return the other side's answer; raises Refused or Uncertain, and whatever `mark` raises.

        `mark` is called exactly once, right before the message is out of our hands: what it raises means "stop, do not
        send". It has to take less than `sender.LEASE` until then, and less than `sender.LEASE_AFTER_MARK` after it.
        """

    def close(self) -> None:
        """End what is open; never fails."""
