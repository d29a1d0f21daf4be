"""Filling the outbox: for each reader one transaction that stores his message, or nothing when there is nothing new.

"New" is counted from the last digest that is known to have been sent to that reader, so that a lost one heals by itself.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
import structlog

from app.alerts import briefs, compose, history
from app.alerts.channels.base import MAIL
from app.alerts.channels.robots import packed
from app.alerts.desk import Desk
from app.alerts.models import OPEN, Delivery
from app.alerts.readers import Recipient, recipients
from app.heart.calendar import Calendar
from app.mail import is_address
from app.policies.policy import Policy
from app.replies import links
from app.robots.kinds import KINDS
from app.settings import Settings
from app.stalls.runs import Claim, RunLost, Stopping

log = structlog.get_logger()


def enqueue(claim: Claim, policy: Policy, settings: Settings, calendar: Calendar) -> dict[str, int]:
    """Store one message per reader who has something to read. A reader whose message cannot be built stops only himself.

    Due dates are told by the policy of the run; `calendar` is the one of now.
    """
    database, day = claim.database, claim.day
    _expire_older(claim)
    moment = claim.clock.now()  # before anything is read: what happens from here on is for the next digest
    stored = sa.select(Delivery.person_id).where(Delivery.run_date == day, Delivery.person_id.is_not(None))  # by whatever channel
    with database.snapshot() as reading:
        desk = Desk(reading, policy, calendar, day, settings, claim.keep)
        everyone = recipients(reading, day)
        done = set(reading.scalars(stored))
        for group in desk.groups([who for who in everyone if who.id not in done]):
            for who in group:
                row = _row(desk, who, claim, settings, moment)
                if row is None:
                    claim.keep()
                    continue
                with claim.write() as connection:
                    if connection.scalar(stored.where(Delivery.person_id == who.id)) is None:
                        connection.execute(sa.insert(Delivery).values(**row))
        carried = briefs.carry(claim, desk, settings)
    with database.statement() as connection:
        messages = connection.scalar(sa.select(sa.func.count()).select_from(stored.subquery())) or 0
    return {"recipients": len(everyone), "messages": messages} | ({"robots": carried} if carried else {})


def _row(desk: Desk, who: Recipient, claim: Claim, settings: Settings, now: datetime) -> dict[str, Any] | None:
    number = compose.message_id(claim.day, who.id, settings.public_url)
    row: dict[str, Any] = {
        "run_date": claim.day, "person_id": who.id, "channel": MAIL, "recipient": who.email, "message_id": number,
        "subject": "", "body": b"", "state": "pending", "reason": None, "attempt": 0,
        "next_try_at": now, "created_at": now, "updated_at": claim.clock.now(),
    }  # fmt: skip
    try:
        told = desk.digest(who)
        if told is None:
            return None
        row["subject"] = compose.one_line(told.subject)[:400]
        if who.robot_id is not None and who.robot_kind is not None:
            short = briefs.brief(told, f"digest.{claim.day.isoformat()}.{who.id}", claim.day, now, settings.public_url.rstrip("/"))
            carried = {"channel": who.robot_kind, "robot_id": who.robot_id, "recipient": str(who.robot_id), "message_id": short.id}
            return {**row, **carried, "body": packed(KINDS[who.robot_kind].payloads(short))}
        if not is_address(who.email):
            return {**row, "state": "suppressed", "reason": "邮箱地址无效"}
        row["body"] = compose.as_message(
            told, sender=settings.mail_from, name=who.name, recipient=who.email, message_id=number, written_at=now,
            answer=links.url_for(settings, claim.day, who.id, who.office_id, who.role),
        )  # fmt: skip
        return row
    except (RunLost, Stopping, sa.exc.OperationalError):
        raise
    except Exception as error:
        log.error("digest cannot be built", person_id=who.id, run_date=str(claim.day), exc_info=error)
        return {**row, "state": "failed", "reason": f"消息无法生成：{type(error).__name__}"}


def _expire_older(claim: Claim) -> None:
    """What earlier days left unsent is told again by today's digest; two copies of one piece of news would be one too many."""
    with claim.write() as connection:
        now = claim.clock.now()
        older = (sa.text(OPEN), Delivery.state == "pending", Delivery.run_date < claim.day)
        history.move_all(connection, older, "expired", "由新一日的消息取代", now)
