"""What a digest says of answers that came through the links of earlier ones: to each addressee what was recorded in his name, with
a link to take it back; to the bureau what came from a network that never spoke for that person before. Reads only.

A link may be forwarded, and whoever has it can answer once. That does no harm that the addressee does not hear of the next
workday, and cannot undo.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.alerts.blocks import Block, Said
from app.alerts.readers import Recipient
from app.db import among
from app.offices.models import Office, Person
from app.replies import links, queries, rules
from app.replies.links import DAYS, Undo
from app.replies.models import ReplyUse
from app.replies.queries import Recorded
from app.settings import Settings

MOST = 20
"""Answers that one message tells of."""
LOOKED_BACK = timedelta(days=7)
"""For how long the bureau's digest shows an answer from a strange network."""


def blocks(connection: Connection, group: Sequence[Recipient], day: date, settings: Settings) -> dict[int, Block]:
    """reader → what was recorded through his links since the digest he last got; all readers at once."""
    longest = _moment(day - timedelta(days=DAYS), settings)
    since = {who.id: max(who.last_at or longest, longest) for who in group}
    found: dict[int, list[Recorded]] = defaultdict(list)
    mine = (among(ReplyUse.person_id, "people"), ReplyUse.at >= min(since.values(), default=longest))
    for one in queries.recorded(connection, *mine, people=sorted(since)) if since else ():
        if one.at >= since[one.person_id]:
            found[one.person_id].append(one)
    offices = {who.id: who.office_id for who in group}
    return {reader: _block(some, offices[reader], day, settings) for reader, some in found.items()}


def _block(some: Sequence[Recorded], office: int, day: date, settings: Settings) -> Block:
    signer = links.signer(settings)
    lines = []
    for one in some[-MOST:]:
        open_to_undo = one.stands and one.kind != rules.UNDO
        url = signer.url(Undo(one.person_id, office, one.id, day)) if open_to_undo else None
        lines.append(Said(_said(one, settings) + ("" if one.stands else "；已作废"), url))
    if len(some) > MOST:
        lines.append(Said(f"更早的另有 {len(some) - MOST} 条，请在系统中查看。"))
    note = f"不是您本人登记的，请在 {DAYS} 日内点开该条下面的链接撤回；是本人登记的，不必理会。"
    return Block(f"通过您的链接登记（{len(some)}）", tuple(lines), note, wakes=True, first=True)


def strange(connection: Connection, day: date, settings: Settings) -> Block | None:
    """For the bureau: answers of the last days from networks that never spoke for their person before."""
    since = _moment(day, settings) - LOOKED_BACK
    odd = [one for one in queries.recorded(connection, ReplyUse.at >= since) if one.strange and one.stands]
    if not odd:
        return None
    people = sa.select(Person.id, Person.name, Office.name).join(Office).where(among(Person.id))
    names = {number: f"{office}{name}" for number, name, office in connection.execute(people, {"ids": [one.person_id for one in odd]})}
    lines = [Said(f"{names[one.person_id]}：{_said(one, settings)}") for one in odd[-MOST:]]
    title = f"链接登记的网络与以往不同（近 {LOOKED_BACK.days} 日 {len(odd)} 条）"
    return Block(title, tuple(lines), "可能是换了地方上网，也可能是链接被转发；请向本人核实，必要时作废。")


def _said(one: Recorded, settings: Settings) -> str:
    when = one.at.astimezone(settings.zone)
    odd = "（以前没有从该网络登记过）" if one.strange else ""
    network = f"，网络 {one.network}{odd}" if one.network else ""
    return f"{one.name}（{one.ref}）：{rules.LABELS.get(one.kind, one.kind)}，{when:%Y-%m-%d %H:%M}{network}"


def _moment(day: date, settings: Settings) -> datetime:
    return datetime.combine(day, time.min, settings.zone).astimezone(UTC)
