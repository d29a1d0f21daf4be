"""What is said to whoever takes over the mail of somebody who left: once which projects stand without an owner, and always why.

Reads only. A departure is news until a digest is known to have told it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.alerts.blocks import Block, Said
from app.alerts.readers import Leaver, Recipient
from app.heart.calendar import chinese_date
from app.heart.limits import FOREVER
from app.offices.models import Office
from app.projects.models import Project, StandingRow

MOST = 20
"""Projects of one leaver that are named."""


def notes(who: Recipient) -> list[str]:
    """Why this message tells of more than the reader's own."""
    return [f"{one.name}（{one.office}）已于{chinese_date(one.left_on)}离岗，其邮件由您代收。" for one in who.inherits]


def untold(who: Recipient) -> list[Leaver]:
    """Those of whose leaving no digest that arrived has told: recorded, or come true, since the last one was written."""
    if who.last_date is None or who.last_at is None:
        return list(who.inherits)
    last_date, last_at = who.last_date, who.last_at
    return [one for one in who.inherits if one.left_on > last_date or (one.told_at is not None and one.told_at >= last_at)]


def blocks(connection: Connection, group: Sequence[Recipient], public_url: str) -> dict[int, Block]:
    """reader → the projects that those left behind of whom he has not been told yet; all readers at once."""
    news = {who.id: some for who in group if (some := untold(who))}
    if not news:
        return {}
    owners = sorted({one.id for some in news.values() for one in some})
    of_owner = (
        StandingRow.owner_id.in_(owners),
        StandingRow.known_to.is_(None),
        StandingRow.valid_to == FOREVER,
        StandingRow.status != "terminated",
    )
    count = sa.select(StandingRow.owner_id, sa.func.count()).where(*of_owner).group_by(StandingRow.owner_id)
    totals: dict[int | None, int] = {owner: number for owner, number in connection.execute(count)}
    place = sa.func.row_number().over(partition_by=StandingRow.owner_id, order_by=StandingRow.project_id).label("place")
    first = sa.select(StandingRow.owner_id, StandingRow.project_id, place).where(*of_owner).subquery()
    query = (
        sa.select(first.c.owner_id, Project.ref, Project.name, Office.name.label("office"))
        .join(Project, Project.id == first.c.project_id)
        .join(Office, Office.id == Project.office_id)
        .where(first.c.place <= MOST)
        .order_by(first.c.owner_id, first.c.place)
    )
    named: dict[int, list[Said]] = defaultdict(list)
    for row in connection.execute(query):
        named[row.owner_id].append(
            Said(f"{row.name}（{row.ref}，{row.office}）：责任人已离岗", f"{public_url.rstrip('/')}/projects/{row.ref}")
        )
    return {reader: _block(some, totals, named) for reader, some in news.items()}


def _block(leavers: Sequence[Leaver], totals: dict[int | None, int], named: dict[int, list[Said]]) -> Block:
    lines: list[Said] = []
    for one in leavers:
        total, shown = totals.get(one.id, 0), named.get(one.id, [])
        asks = f"名下 {total} 个项目责任人已离岗，请指定责任人" if total else "名下没有项目"
        towns = f"；另有 {len(one.offices)} 个镇区已无其他收件人" if one.offices else ""
        lines.append(Said(f"{one.name}（{one.office}）已于{chinese_date(one.left_on)}离岗，{asks}{towns}"))
        lines += shown
        if total > len(shown):
            lines.append(Said(f"{one.name}名下另有 {total - len(shown)} 个，请在系统中查看。"))
    return Block("人员离岗", tuple(lines), wakes=True, first=True)
