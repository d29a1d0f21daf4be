"""Reading what a page shows, and the list of uses."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.heart import lifecycle, limits
from app.heart import rules as stalls
from app.heart.facts import VOIDED
from app.offices.access import Caller, scope_of
from app.offices.models import Office, Person
from app.projects.models import FactRow, Project, StandingRow
from app.replies import rules
from app.replies.links import Link
from app.replies.models import ReplyUse
from app.stalls.models import Flag


class Addressee(NamedTuple):
    """Whom a link was written to, as things are now."""

    name: str
    left_on: date | None
    caller: Caller


_parent = sa.orm.aliased(Office)
_ADDRESSEE = (
    sa.select(
        Person.id, Person.name, Person.role, Person.left_on, Office.id.label("office_id"), Office.code, Office.name.label("office"),
        Office.kind, Office.path, _parent.path.label("above"),
    )
    .join(Office, Office.id == Person.office_id)
    .outerjoin(_parent, _parent.id == Office.parent_id)
    .where(Person.id == sa.bindparam("person"))
)  # fmt: skip


def addressee(connection: Connection, person_id: int) -> Addressee | None:
    """The person, who acts through a link as what he is now: his office, his role, his offices' subtree."""
    row = connection.execute(_ADDRESSEE, {"person": person_id}).one_or_none()
    if row is None:
        return None
    scope = scope_of(row.kind, row.path, row.above)
    return Addressee(row.name, row.left_on, Caller(None, row.office_id, row.code, row.office, row.kind, row.role, row.id, scope))


class Shown(NamedTuple):
    """All that a page tells of a project: its name, its stage, and why it stands on the list. No amounts, no people, no history."""

    ref: str
    name: str
    stage: str
    why: tuple[str, ...]
    path: str
    people: tuple[int | None, int | None]
    """Its owner and its liaison leader: whose it is, wherever it lies."""


_SHOWN = (
    sa.select(Project.ref, Project.name, Office.path, StandingRow.stage, StandingRow.status, StandingRow.owner_id, StandingRow.liaison_id)
    .join(Office, Office.id == Project.office_id)
    .outerjoin(
        StandingRow,
        sa.and_(
            StandingRow.project_id == Project.id,
            StandingRow.known_to.is_(None),
            StandingRow.valid_from <= sa.bindparam("day"),
            StandingRow.valid_to > sa.bindparam("day"),
        ),
    )
    .where(Project.id == sa.bindparam("project"))
)
_FLAGS = sa.select(Flag.rule, Flag.level).where(Flag.project_id == sa.bindparam("project"), Flag.closed_on.is_(None))


def ref_of(connection: Connection, project_id: int) -> str | None:
    """What a project is called by."""
    return connection.scalar(sa.select(Project.ref).where(Project.id == project_id))


def shown(connection: Connection, project_id: int, day: date) -> Shown | None:
    """The project behind a link, today."""
    here = {"project": project_id, "day": day}
    row = connection.execute(_SHOWN, here).one_or_none()
    if row is None:
        return None
    flags = sorted(connection.execute(_FLAGS, here), key=lambda flag: (-limits.RANK.get(flag.level, 0), flag.rule))
    why = tuple(f"{limits.LEVEL_LABELS[flag.level][0]}：{_rule(flag.rule)}" for flag in flags)
    stage = lifecycle.BY_STAGE[row.stage].label if row.stage in lifecycle.BY_STAGE else "未登记阶段"
    status = "" if row.status in (None, "active") else f"（{lifecycle.STATUSES.get(row.status, row.status)}）"
    return Shown(row.ref, row.name, stage + status, why, row.path, (row.owner_id, row.liaison_id))


def _rule(name: str) -> str:
    known = stalls.BY_NAME.get(name)
    return known.label if known else name


class Answered(NamedTuple):
    """What was recorded through a link."""

    kind: str
    answer: str
    at: datetime
    fact_id: int


def answered(connection: Connection, link_hash: str) -> Answered | None:
    """The one answer of a link, if it was given."""
    query = sa.select(ReplyUse.kind, ReplyUse.answer, ReplyUse.at, ReplyUse.fact_id)
    row = connection.execute(query.where(ReplyUse.link == link_hash, ReplyUse.what == rules.ANSWERED)).one_or_none()
    return Answered(row.kind or "", row.answer or "", row.at, row.fact_id or 0) if row else None


class Recorded(NamedTuple):
    """An answer that was given, and whether its fact still stands."""

    id: int
    person_id: int
    project_id: int
    kind: str
    at: datetime
    network: str
    fact_id: int
    stands: bool
    ref: str
    name: str
    strange: bool
    """There were answers in his name before, and none from this network."""


_void = sa.orm.aliased(FactRow, name="void")
_before = sa.orm.aliased(ReplyUse, name="before")
_EARLIER = sa.exists().where(_before.person_id == ReplyUse.person_id, _before.what == rules.ANSWERED, _before.id < ReplyUse.id)
_RECORDED = (
    sa.select(
        ReplyUse.id, ReplyUse.person_id, ReplyUse.project_id, ReplyUse.kind, ReplyUse.at, ReplyUse.network, ReplyUse.fact_id,
        sa.not_(
            sa.exists().where(_void.project_id == FactRow.project_id, _void.kind == VOIDED, _void.target == FactRow.seq)
        ).label("stands"),
        Project.ref, Project.name,
        sa.and_(_EARLIER, sa.not_(_EARLIER.where(_before.network == ReplyUse.network))).label("strange"),
    )
    .join(FactRow, FactRow.id == ReplyUse.fact_id)
    .join(Project, Project.id == ReplyUse.project_id)
    .where(ReplyUse.what == rules.ANSWERED)
    .order_by(ReplyUse.id)
)  # fmt: skip


def recorded(connection: Connection, *where: sa.ColumnElement[bool], **here: Any) -> list[Recorded]:
    """The answers that match, oldest first."""
    return [Recorded(*row) for row in connection.execute(_RECORDED.where(*where), here)]


def exists(connection: Connection, link: Link) -> bool:
    """Are there this person and this project, so that a use of the link can be recorded?"""
    both = sa.select(sa.exists().where(Person.id == link.person_id), sa.exists().where(Project.id == link.project_id))
    return all(connection.execute(both).one())


class Asked(NamedTuple):
    """Filters of the uses; `office_path` keeps a town to links of its own people."""

    office_path: str
    what: str | None = None
    person: int | None = None
    project: str | None = None
    day: date | None = None

    def where(self) -> list[sa.ColumnElement[bool]]:
        """As conditions of a query over uses with their people's offices."""
        wanted: list[sa.ColumnElement[bool]] = [Office.path.startswith(self.office_path, autoescape=True)]
        if self.what is not None:
            wanted.append(ReplyUse.what == self.what)
        if self.person is not None:
            wanted.append(ReplyUse.person_id == self.person)
        if self.project is not None:
            wanted.append(ReplyUse.project_id == sa.select(Project.id).where(Project.ref == self.project).scalar_subquery())
        if self.day is not None:
            wanted.append(ReplyUse.run_date == self.day)
        return wanted


_FROM = sa.join(ReplyUse, Person, Person.id == ReplyUse.person_id).join(Office, Office.id == Person.office_id)
_USES = sa.select(
    ReplyUse.id, ReplyUse.at, ReplyUse.what, ReplyUse.reason, ReplyUse.times, ReplyUse.run_date, ReplyUse.kind, ReplyUse.fact_id,
    ReplyUse.network, ReplyUse.link, ReplyUse.person_id, Person.name.label("person"), Office.code, Office.name.label("office"),
    Project.ref, Project.name.label("project"),
).select_from(_FROM.join(Project, Project.id == ReplyUse.project_id))  # fmt: skip


def uses(connection: Connection, asked: Asked, *, limit: int, before: int | None = None) -> list[dict[str, Any]]:
    """Uses of links, newest first; `before` continues after the last of a page."""
    query = _USES.where(*asked.where()).order_by(ReplyUse.id.desc()).limit(limit)
    if before is not None:
        query = query.where(ReplyUse.id < before)
    return [_use(row) for row in connection.execute(query).mappings()]


def total(connection: Connection, asked: Asked) -> int:
    """How many uses `uses` lists on all its pages."""
    return connection.scalar(sa.select(sa.func.count()).select_from(_FROM).where(*asked.where())) or 0


def _use(row: Any) -> dict[str, Any]:
    return {
        "id": row["id"],
        "at": row["at"],
        "what": row["what"],
        "label": rules.USES[row["what"]],
        "reason": row["reason"] or None,
        "times": row["times"],
        "date": row["run_date"],
        "person": {"id": row["person_id"], "name": row["person"]},
        "office": {"code": row["code"], "name": row["office"]},
        "project": {"ref": row["ref"], "name": row["project"]},
        "kind": row["kind"],
        "fact_id": row["fact_id"],
        "network": row["network"],
        "link": row["link"][:12],
    }
