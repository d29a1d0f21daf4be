"""A clock that is wrong by as much as a test says: what people are told by it is wrong, leases it reads where all do."""

from __future__ import annotations

from datetime import datetime, timedelta

from app.clock import Clock
from tests.daily.county import ZONE


class WrongClock(Clock):
    def __init__(self, ahead: timedelta = timedelta(0)) -> None:
        super().__init__(ZONE)
        self.ahead = ahead

    def now(self) -> datetime:
        return super().now() + self.ahead


HOUR = timedelta(hours=1)
