"""Handing one part of a message to a robot, and understanding what came back; and how often a robot may be spoken to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.errors import Invalid
from app.robots import courier
from app.robots.addresses import target
from app.robots.kinds.base import LATER, NO, UNKNOWN, Kind, Verdict
from app.robots.models import Robot
from app.robots.sealed import Secrets
from app.settings import Settings

A_MINUTE = 10
"""Posts of one robot in any sixty seconds, all processes together: half of what the strictest vendor allows."""
_WINDOW = timedelta(seconds=60)


def hand_over(
    settings: Settings, kind: Kind, secrets: Secrets, payload: bytes, number: str, now: datetime, before_body: Callable[[], None]
) -> Verdict:
    """Send one part, now. Only `before_body` may raise (see `courier.post`); whatever else happens is a verdict, in words that
    hold neither address nor secret."""
    try:
        to = target(secrets.url, settings.webhook_hosts, dev=settings.dev)
        ready = kind.signed(secrets, payload, number, now)
        said = kind.verdict(courier.post(to, ready.query, ready.headers, ready.body, before_body))
    except Invalid as refusal:
        said = Verdict(NO, refusal.hint)
    except courier.Unreached as error:
        said = Verdict(LATER if error.again else NO, error.reason)
    except courier.NoAnswer as error:
        said = Verdict(UNKNOWN, str(error))
    return said._replace(reason=secrets.discreet(said.reason)[:400])


def take_turn(connection: Connection, robot_id: int, now: datetime) -> int:
    """Take one of the robot's turns, in a writing transaction; 0, or how many seconds there is none to be had."""
    query = sa.select(Robot.recent).where(Robot.id == robot_id).with_for_update(key_share=True)
    moments = [datetime.fromisoformat(text) for text in orjson.loads(connection.execute(query).scalar_one())]
    recent = sorted(moment for moment in moments if moment > now - _WINDOW)
    if len(recent) >= A_MINUTE:
        return max(1, int((recent[-A_MINUTE] + _WINDOW - now).total_seconds()) + 1)
    told = orjson.dumps([*recent, now]).decode()
    connection.execute(sa.update(Robot).where(Robot.id == robot_id).values(recent=told))
    return 0
