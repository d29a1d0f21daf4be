"""A project opened for a verb: who calls, the project under its lock, all its facts and what its answer prints, at once.

One statement on both databases. On PostgreSQL a caller that had to wait for the lock sees the newest row of the project, but
facts of before the wait: the version tells, and the facts are read again.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.heart.facts import Fact
from app.heart.limits import FOREVER
from app.http import token_parts
from app.offices.access import Caller
from app.offices.desk import Enter, House
from app.offices.models import Office, Person, Token
from app.offices.queries import CALLER_COLUMNS, CALLER_FROM, caller_from, secret_hash
from app.policies.queries import NEWEST
from app.projects import store
from app.projects.models import FactRow, Project, StandingRow
from app.projects.store import Around, Head
from app.rows import Single

_at = sa.orm.aliased(Office, name="at_office")


def _one(sqlite: bool) -> sa.Select[Any]:
    pack = sa.func.json_array if sqlite else sa.func.json_build_array
    gather = sa.func.json_group_array if sqlite else sa.func.json_agg
    known = sa.exists().where(Token.id == sa.bindparam("token"), Token.secret_hash == sa.bindparam("secret"))
    head = (
        sa.select(Project.id, Project.ref, Project.version, Project.head_mac, Project.last_recorded_at, Project.office_id)
        .where(Project.ref == sa.bindparam("ref"), known)  # nobody locks a project without a token
        .with_for_update()
        .cte("head")
    )
    facts = sa.select(sa.cast(gather(pack(*store.FACT_COLUMNS)), sa.Text)).where(FactRow.project_id == head.c.id).scalar_subquery()
    owner = (
        sa.select(sa.cast(pack(Person.id, Person.name, Person.left_on), sa.Text))
        .join(StandingRow, StandingRow.owner_id == Person.id)
        .where(StandingRow.project_id == head.c.id, StandingRow.known_to.is_(None), StandingRow.valid_to == FOREVER)
        .scalar_subquery()
    )
    columns = (_at.code.label("o_code"), _at.name.label("o_name"), _at.path.label("o_path"))
    project: Any = (
        sa.select(head, *columns, facts.label("facts"), owner.label("owner")).join(_at, _at.id == head.c.office_id).subquery("project")
    )
    found: sa.Select[Any] = (
        sa.select(*CALLER_COLUMNS, NEWEST.label("newest"), project)
        .select_from(CALLER_FROM.join(project, sa.true(), isouter=True))
        .where(Token.id == sa.bindparam("token"))
    )
    return found


_ONE = {sqlite: Single(_one(sqlite)) for sqlite in (True, False)}


def entering(ref: str) -> Enter:
    """Check the token and open the project in the same statement; the project is None when there is none of that ref."""

    def enter(connection: Connection, house: House, header: str | None) -> tuple[Caller, Head | None]:
        number, secret = token_parts(header)
        given = {"token": number, "secret": secret_hash(secret), "ref": store.usable_ref(ref)}
        row = _ONE[house.database.sqlite].row(connection, given)
        caller = caller_from(row, number, secret, house.clock.now())
        assert row is not None
        if row["id"] is None:
            return caller, None
        facts = sorted(_fact(*one) for one in orjson.loads(row["facts"] or "[]"))
        fresh = len(facts) == row["version"]
        if not fresh:
            facts = store.facts_of_one(connection, row["id"])
        owner = _owner(orjson.loads(row["owner"])) if fresh and row["owner"] else None
        around = Around(row["office_id"], row["o_code"], row["o_name"], row["o_path"], owner, row["newest"])
        return caller, Head(row["id"], row["ref"], row["version"], row["head_mac"], row["last_recorded_at"], facts, around)

    return enter


def _fact(
    seq: int, kind: str, effective_on: str, recorded_at: str, recorded_on: str, source: str, data: str, target: int | None, number: int
) -> Fact:
    at = datetime.fromisoformat(recorded_at)
    told = at if at.tzinfo else at.replace(tzinfo=UTC)
    return Fact(
        seq, kind, date.fromisoformat(effective_on), told, date.fromisoformat(recorded_on), source, orjson.loads(data), target, number
    )


def _owner(packed: list[Any]) -> dict[str, Any]:
    number, name, left_on = packed
    return {"id": number, "name": name, "left_on": date.fromisoformat(left_on) if left_on else None}
