"""The circuit breaker: a relay that keeps failing is left alone for a while, and one that needs a person is paused.

ok → (three failures of the relay itself in a row) resting → (when its rest is over, one message) probing → ok, or resting for
longer. Trouble that only a person can end (password, certificate, sender address) pauses at once and raises an alarm, which is
logged once per trouble; a pause is probed too, seldom, so that nobody has to tell us that it was mended. The row is shared by all
processes, one of them probes. Relays of one channel fail alone: `relay` is a mail server, or one robot's address. Every `now` is by
the clock that all processes share (Clock.lease_now).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
import structlog
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from app.alerts.channels.base import Pace
from app.alerts.models import ChannelState

log = structlog.get_logger()
THRESHOLD = 3
"""Failures in a row after which a relay rests."""
REST = (1, 2, 5, 10, 20, 30)
"""Minutes of rest, by how many failures there were beyond the threshold; the last one repeats."""
PAUSE = timedelta(minutes=15)
"""How long a paused relay is left alone before it is probed: mail servers lock out whoever tries a bad password too often."""
PROBE = timedelta(minutes=15)
"""A probe that has not ended by then died with its process (longer than any message takes)."""


class Admission(NamedTuple):
    """May a message go to a relay now? `until` is when to ask again if not; `troubled` says that a success has to be told, and
    `probe` that this message finds out whether the relay is well again."""

    until: datetime | None
    troubled: bool = False
    probe: bool = False


def _row(connection: Connection, channel: str, relay: str, *, lock: bool = False) -> Any | None:
    query = sa.select(ChannelState.__table__).where(ChannelState.channel == channel, ChannelState.relay == relay)
    return connection.execute(query.with_for_update() if lock else query).one_or_none()


def _seen(connection: Connection, channel: str, relay: str, now: datetime) -> Any:
    """The relay's row, made when it is not there yet, and locked."""
    dialect: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    row = {"channel": channel, "relay": relay, "state": "ok", "failures": 0, "recent": "[]", "updated_at": now}
    connection.execute(dialect.insert(ChannelState).values(row).on_conflict_do_nothing())
    found = _row(connection, channel, relay, lock=True)
    assert found is not None
    return found


def _set(connection: Connection, channel: str, relay: str, now: datetime, **values: Any) -> None:
    mine = (ChannelState.channel == channel, ChannelState.relay == relay)
    connection.execute(sa.update(ChannelState).where(*mine).values(**values, updated_at=now))


def admit(
    connection: Connection,
    channel: str,
    relay: str,
    now: datetime,
    *,
    pace: Pace | None = None,
    at_once: bool = False,
    inside: bool = False,
) -> Admission:
    """Ask before a message goes to a relay. Whoever is admitted after its rest is the probe: nobody else until it has ended.

    `at_once` is a person's wish: rests and pauses are not waited for. `inside`: admitted already, only the pace is asked for;
    it is kept exactly, over all processes.
    """
    row = _row(connection, channel, relay)
    if pace is None and (row is None or row.state == "ok"):
        return Admission(None, row is not None and row.failures > 0)
    row = _seen(connection, channel, relay, now)
    probe = row.state != "ok" and not inside
    if probe and row.until is not None and row.until > now and not (at_once and row.state != "probing"):
        return Admission(row.until)
    values: dict[str, Any] = {"state": "probing", "until": now + PROBE} if probe else {}
    if pace is not None:
        since = (now - pace.within).timestamp()
        recent = [moment for moment in orjson.loads(row.recent) if moment > since]
        if len(recent) >= pace.most:
            return Admission(datetime.fromtimestamp(recent[-pace.most], UTC) + pace.within + timedelta(milliseconds=1))
        values["recent"] = orjson.dumps([*recent, now.timestamp()]).decode()
    if values:
        _set(connection, channel, relay, now, **values)
    return Admission(None, probe or row.failures > 0, probe)


def not_probed(connection: Connection, channel: str, relay: str, now: datetime) -> None:
    """The probe found nothing to try: the next one may come at once."""
    mine = (ChannelState.channel == channel, ChannelState.relay == relay, ChannelState.state == "probing")
    connection.execute(sa.update(ChannelState).where(*mine).values(state="resting", until=now, updated_at=now))


def failed(connection: Connection, channel: str, relay: str, now: datetime, reason: str, *, needs_person: bool) -> datetime | None:
    """The relay itself failed. Answers until when it is left alone now, None while the next message may still try."""
    row = _seen(connection, channel, relay, now)
    failures = row.failures + 1
    values: dict[str, Any] = {"failures": failures, "reason": reason[:500]}
    if needs_person:
        values |= {"state": "paused", "until": now + PAUSE, "since": row.since or now}
        if row.since is None or row.reason != values["reason"]:
            log.error("channel paused", channel=channel, relay=relay, reason=reason, alarm=True)
    elif failures >= THRESHOLD or row.state != "ok":
        rest = timedelta(minutes=REST[min(max(failures - THRESHOLD, 0), len(REST) - 1)])
        values |= {"state": "resting", "until": now + rest, "since": row.since or now}
        if row.since is None:
            log.warning("relay rests", channel=channel, relay=relay, reason=reason, failures=failures)
    _set(connection, channel, relay, now, **values)
    until: datetime | None = values.get("until")
    return until


def worked(connection: Connection, channel: str, relay: str, now: datetime, *, sent: bool = True) -> None:
    """The relay answered as it should: whatever trouble there was is over."""
    row = _seen(connection, channel, relay, now)
    values: dict[str, Any] = {"last_sent_at": now} if sent else {}
    if row.state != "ok" or row.failures:
        values |= {"state": "ok", "failures": 0, "since": None, "until": None, "reason": None}
        if row.since is not None:
            log.info("relay works again", channel=channel, relay=relay)
    _set(connection, channel, relay, now, **values)


def resume(connection: Connection, channel: str, now: datetime) -> int:
    """A person says that it was mended: every relay of a channel is tried at the next tick; how many were waiting for that."""
    idle = (ChannelState.channel == channel, ChannelState.state.in_(("resting", "paused")))
    return connection.execute(sa.update(ChannelState).where(*idle).values(until=now, updated_at=now)).rowcount


def known(connection: Connection, channel: str) -> bool:
    """Has anything ever been noted of a channel?"""
    return connection.scalar(sa.select(ChannelState.channel).where(ChannelState.channel == channel).limit(1)) is not None


def troubles(connection: Connection) -> Sequence[Any]:
    """Relays that are out of order: channel, relay, state, since, until, reason."""
    query = sa.select(ChannelState.__table__).where(ChannelState.state != "ok").order_by(ChannelState.channel, ChannelState.relay)
    return connection.execute(query).all()
