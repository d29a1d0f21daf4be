"""The short form of an office's digest, for the group chats its robots speak in: counts, the red ones, where to read on.

`brief` is pure. `carry` stores one message per robot and day, beside the mails and from the same reading of the register: what
is new is counted from the last message known to have reached that group.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection

from app.alerts import compose
from app.alerts.channels.robots import packed
from app.alerts.desk import Desk
from app.alerts.digest import Digest, Line
from app.alerts.models import Delivery
from app.alerts.readers import WHOLE, Recipient
from app.heart.limits import RANK
from app.robots.kinds import KINDS
from app.robots.kinds.base import Message
from app.robots.queries import Carrier, carriers
from app.robots.splitting import Row
from app.settings import Settings
from app.stalls.runs import Claim, RunLost, Stopping

log = structlog.get_logger()
MOST = 20
"""Red projects that a chat is told by name."""
FEW = 6
"""Lines of a section that a chat is told."""
LONGEST = 160
"""Characters of one line; the project's page has the rest."""


def brief(digest: Digest, number: str, day: date, written_at: datetime, public_url: str) -> Message:
    """The short form of a digest. Names only the red ones, each with its link; everything else is counts."""
    red = [line for _, _, lines in digest.sections for line in lines if RANK[line.level or None] >= RANK["red"]]
    rows = [Row(digest.headline), *(Row(note) for note in digest.notes)]
    if digest.towns:
        yellow, reds, out = (sum(column) for column in zip(*((one.yellow, one.red, one.exit_review) for one in digest.towns), strict=True))
        rows.append(Row(f"当前亮灯：黄灯 {yellow}，红灯 {reds}，退出评估 {out}（按项目，各计最重一级）"))
    for block in digest.blocks:
        rows.append(Row(_short(block.title)))
        rows += [Row(_short(line.text)) for line in block.lines[:FEW]]
        if len(block.lines) > FEW:
            rows.append(Row(f"（共 {len(block.lines)} 行，其余请在系统中查看）"))
    if digest.awaiting:
        rows.append(Row(f"待认定 {len(digest.awaiting)} 个（已上报、尚未认定）"))
    if digest.undelivered:
        rows.append(Row(f"未送达的消息 {len(digest.undelivered)} 条，请在系统中查看"))
    if red:
        rows.append(Row(f"红灯及以上 {len(red)} 个："))
    for at, line in enumerate(red[:MOST], 1):
        fact = line.facts[0] if line.facts else ""
        rows.append(Row(_short(f"{at}. [{line.section}] {line.project.name}（{line.project.office}）：{fact}"), line.project.url))
    if len(red) > MOST:
        rows.append(Row(f"另有 {len(red) - MOST} 个红灯项目，请在系统中查看。"))
    rows.append(Row("全部内容见各人邮件或系统", public_url))
    data: dict[str, Any] = {
        "date": day,
        "office": digest.office,
        "headline": digest.headline,
        "counts": {name: count for name, count, _ in digest.sections},
        "red": [_named(line) for line in red[:MOST]],
        "red_total": len(red),
        "url": public_url,
    }
    return Message(number, "digest.daily", written_at, digest.subject, tuple(rows), data)


def _named(line: Line) -> dict[str, str]:
    told = line.project
    return {"ref": told.ref, "name": told.name, "office": told.office, "level": line.level, "url": told.url}


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def carry(claim: Claim, desk: Desk, settings: Settings) -> int:
    """Store the day's message for each enabled robot whose office has news; how many there are. A robot whose message cannot be
    built stops only itself."""
    stored = sa.select(Delivery.robot_id).where(Delivery.run_date == claim.day, Delivery.person_id.is_(None))
    done = set(desk.connection.scalars(stored))
    waiting = {-one.id: one for one in carriers(desk.connection, (*WHOLE, "town")) if one.id not in done}
    last = _last_told(desk.connection, claim.day)
    readers = [_reader(one, last.get(one.id)) for one in waiting.values()]
    for group in desk.groups(readers):
        for who in group:
            row = _row(desk, who, waiting[who.id], claim, settings)
            if row is None:
                claim.keep()
                continue
            with claim.write() as connection:
                if connection.scalar(stored.where(Delivery.robot_id == row["robot_id"])) is None:
                    connection.execute(sa.insert(Delivery).values(**row))
    with claim.database.statement() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(stored.subquery())) or 0


def _last_told(connection: Connection, day: date) -> dict[int, tuple[date, datetime]]:
    """When each robot was last known to have carried something, before a day."""
    sent = (Delivery.state == "sent", Delivery.person_id.is_(None), Delivery.run_date < day)
    query = sa.select(Delivery.robot_id, sa.func.max(Delivery.run_date), sa.func.max(Delivery.updated_at)).where(*sent)
    return {number: (run_date, at) for number, run_date, at in connection.execute(query.group_by(Delivery.robot_id)) if number}


def _reader(robot: Carrier, last: tuple[date, datetime] | None) -> Recipient:
    """A robot hears what its office's staff hears. Its number is negative, so that it is nobody who could own a project."""
    role = "officer" if robot.office_kind in WHOLE else "clerk"
    where = (robot.office_id, robot.office, robot.office_kind, robot.path)
    return Recipient(-robot.id, robot.name, "", role, *where, *(last or (None, None)))


def _row(desk: Desk, who: Recipient, robot: Carrier, claim: Claim, settings: Settings) -> dict[str, Any] | None:
    now, number = claim.clock.now(), f"digest.{claim.day.isoformat()}.robot-{robot.id}"
    row: dict[str, Any] = {
        "run_date": claim.day, "person_id": None, "robot_id": robot.id, "channel": robot.kind, "recipient": str(robot.id),
        "message_id": number, "subject": "", "body": b"", "state": "pending", "reason": None, "attempt": 0,
        "next_try_at": now, "created_at": now, "updated_at": now,
    }  # fmt: skip
    try:
        told = desk.digest(who)
        if told is None:
            return None
        message = brief(told, number, claim.day, now, settings.public_url.rstrip("/"))
        return {**row, "subject": compose.one_line(told.subject)[:400], "body": packed(KINDS[robot.kind].payloads(message))}
    except (RunLost, Stopping, sa.exc.OperationalError):
        raise
    except Exception as error:
        log.error("message of a robot cannot be built", robot=robot.id, run_date=str(claim.day), exc_info=error)
        return {**row, "state": "failed", "reason": f"消息无法生成：{type(error).__name__}"}
