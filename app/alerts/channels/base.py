"""What every channel promises the sender."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import NamedTuple, Protocol


class Letter(NamedTuple):
    """One message that is to leave: its bytes never change between attempts."""

    id: int
    run_date: date
    person_id: int
    recipient: str
    message_id: str
    body: bytes


class Refused(Exception):
    """The other side said no, or could not be asked, before anything was handed over. `again`: it may be tried later.

    `everyone`: the channel itself is out of order, so the rest of the batch need not be tried now.
    """

    def __init__(self, reason: str, *, again: bool, everyone: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.again, self.everyone = reason, again, everyone


class Uncertain(Exception):
    """The message was handed over, and no answer came: only a person may decide to send it again."""


class Channel(Protocol):
    """A way out. `repeatable`: doing it twice leaves one message, so an abandoned attempt may simply be repeated."""

    repeatable: bool

    def send(self, letter: Letter, mark: Callable[[], None]) -> str:
        """Send one message and return the other side's answer. `mark` is called once, right before it is out of our hands."""

    def close(self) -> None:
        """End what is open; never fails."""
