"""An owner who leaves: the projects say so, so that they rise on the unit leader's list instead of falling silent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.heart import facts as kinds
from app.heart.limits import FOREVER
from app.heart.standing import Segment
from app.offices.desk import House
from app.projects import store
from app.projects.derived import Actor, New
from app.projects.models import Project, StandingRow
from app.projects.store import Change, Head

AT_ONCE = 200


def owner_left(connection: Connection, house: House, person_id: int, on: date) -> int:
    """Every project still in this person's name says from that day on that its owner left; how many there were.

    The owner stays printed, marked as gone, until somebody names another. Told again, it changes nothing.
    """
    owned = (
        sa.select(Project.ref)
        .join(StandingRow, StandingRow.project_id == Project.id)
        .where(StandingRow.owner_id == person_id, StandingRow.known_to.is_(None), StandingRow.valid_to == FOREVER)
    )
    refs = sorted(connection.scalars(owned))
    told = 0
    for at in range(0, len(refs), AT_ONCE):
        heads = store.load_many(connection, refs[at : at + AT_ONCE])
        changes = [
            (head, _orphaned(house, head, max(on, _owner_since(head.fold()))))
            for head in heads.values()
            if head.fold()[-1].standing.owner_id == person_id and head.fold()[-1].standing.ownerless_on is None
        ]
        store.write(connection, changes)
        told += len(changes)
    return told


def _owner_since(segments: Sequence[Segment]) -> date:
    """The first day of the owner that the project has now."""
    since, owner = segments[-1].valid_from, segments[-1].standing.owner_id
    for segment in reversed(segments):
        if segment.standing.owner_id != owner:
            break
        since = segment.valid_from
    return since


def _orphaned(house: House, head: Head, on: date) -> Change:
    moment = store.moment_after(head, house.clock.now())
    told = New(kinds.AMENDED, on, {"changes": {"owner_left": True}, "reason": "责任人离岗"})
    recorded_on = house.clock.business_date(moment)
    return store.prepare(
        head, [told], actor=Actor(None, "admin"), source="cli", moment=moment, recorded_on=recorded_on, key=house.audit_key
    )
