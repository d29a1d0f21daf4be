"""How often somebody may ask. One number per caller, in the memory of this process: no write per request.

A caller's number is the moment at which all that was taken is earned back (GCRA): a full minute's worth may come at once, then
one at a time. N processes let N times as much through, which is fine for a limit that only has to stop a flood.
"""

from __future__ import annotations

MOST = 20_000
"""Callers remembered at once (about 3 MB): somebody who comes under ever new names cannot grow the table."""


class Rate:
    """At most `per_minute` of something by each caller; 0 is no limit."""

    def __init__(self, per_minute: int, most: int = MOST) -> None:
        self.step = 60 / per_minute if per_minute else 0.0
        self._most = most
        self._even: dict[str, float] = {}

    def __contains__(self, caller: str) -> bool:
        return caller in self._even

    def __len__(self) -> int:
        return len(self._even)

    def wait(self, caller: str, now: float) -> float:
        """Seconds until the caller may ask again; 0 when that is now. `now` is a stopwatch's reading in seconds."""
        if not self.step:
            return 0.0
        over = self._even.get(caller, 0.0) + self.step - now - 60.0
        return over if over > 1e-6 else 0.0

    def charge(self, caller: str, now: float) -> None:
        """The caller asked once."""
        even = self._even.get(caller)
        if even is None and len(self._even) >= self._most:
            self._make_room(now)
        self._even[caller] = (now if even is None or even < now else even) + self.step

    def take(self, caller: str, now: float) -> float:
        """Ask once if that is allowed; else the seconds to wait."""
        wait = self.wait(caller, now)
        if not wait:
            self.charge(caller, now)
        return wait

    def forget(self, caller: str) -> None:
        """The caller is nobody any more."""
        self._even.pop(caller, None)

    def _make_room(self, now: float) -> None:
        """Callers that have earned everything back are as good as new ones; when that is not enough, the first to come go."""
        self._even = {caller: even for caller, even in self._even.items() if even > now}
        if len(self._even) >= self._most:
            for caller in list(self._even)[: self._most // 4]:
                del self._even[caller]
