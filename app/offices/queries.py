"""Reading offices, people and tokens; the token check."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.errors import NotFound, Unauthorized
from app.http import token_parts
from app.offices.access import Caller, scope_of
from app.offices.models import Office, Person, Token

_parent = sa.orm.aliased(Office)
CALLER_COLUMNS: tuple[Any, ...] = (
    Token.secret_hash.label("t_hash"),
    Token.expires_at.label("t_expires"),
    Token.revoked_at.label("t_revoked"),
    Token.role.label("t_role"),
    Token.person_id.label("t_person"),
    Office.id.label("t_office"),
    Office.code.label("t_code"),
    Office.name.label("t_name"),
    Office.kind.label("t_kind"),
    Office.path.label("t_path"),
    _parent.path.label("t_parent"),
)
CALLER_FROM = sa.join(sa.join(Token, Office, Token.office_id == Office.id), _parent, Office.parent_id == _parent.id, isouter=True)
_CALLER = sa.select(*CALLER_COLUMNS).select_from(CALLER_FROM).where(Token.id == sa.bindparam("token"))


def secret_hash(secret: str) -> str:
    """What is stored of a token's secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def caller_from(row: Mapping[Any, Any] | None, number: str, secret: str, now: datetime) -> Caller:
    """The caller of a token row, or Unauthorized: unknown, wrong, expired and revoked look alike from outside."""
    if (
        row is None
        or not hmac.compare_digest(row["t_hash"], secret_hash(secret))
        or row["t_revoked"] is not None
        or row["t_expires"] <= now
    ):
        raise Unauthorized("令牌无效、已过期或已吊销；请向管理员申请新令牌")
    scope = scope_of(row["t_kind"], row["t_path"], row["t_parent"])
    return Caller(number, row["t_office"], row["t_code"], row["t_name"], row["t_kind"], row["t_role"], row["t_person"], scope)


def authenticate(connection: Connection, header: str | None, now: datetime) -> Caller:
    """Who is calling, checked in the same connection as the work that follows."""
    number, secret = token_parts(header)
    return caller_from(connection.execute(_CALLER, {"token": number}).mappings().one_or_none(), number, secret, now)


class OfficeRow(NamedTuple):
    """An office as lists print it."""

    id: int
    code: str
    name: str
    kind: str
    path: str
    parent_id: int | None

    @property
    def shown(self) -> dict[str, str]:
        return {"code": self.code, "name": self.name}


class Scope(NamedTuple):
    """The offices a list may show: `ids` is None when that is every office there is."""

    offices: dict[int, OfficeRow]
    ids: tuple[int, ...] | None


_OFFICES = sa.select(Office.id, Office.code, Office.name, Office.kind, Office.path, Office.parent_id).order_by(Office.path)


def all_offices(connection: Connection) -> list[OfficeRow]:
    """Every office, parents before children."""
    return [OfficeRow(*row) for row in connection.execute(_OFFICES)]


def scope(connection: Connection, caller: Caller, office: str | None = None) -> Scope:
    """The caller's offices, narrowed to the subtree of one of them; NotFound when that one is outside."""
    every = all_offices(connection)
    mine = {one.id: one for one in every if caller.covers(one.path)}
    if office is not None:
        root = next((one for one in mine.values() if one.code == office), None)
        if root is None:
            raise NotFound(f"没有编号为 {office} 的单位，或不在您的管辖范围内")
        prefix = scope_of(root.kind, root.path, next((one.path for one in every if one.id == root.parent_id), None))
        mine = {one.id: one for one in mine.values() if one.path.startswith(prefix) or one.id == root.id}
    return Scope(mine, None if len(mine) == len(every) else tuple(mine))


def find_office(connection: Connection, text: str) -> OfficeRow | None:
    """An office by its code, else by its name."""
    by_code = connection.execute(_OFFICES.where(Office.code == text)).one_or_none()
    row = by_code or connection.execute(_OFFICES.where(Office.name == text)).first()
    return OfficeRow(*row) if row else None


def office_by_id(connection: Connection, number: int) -> OfficeRow:
    """An office that is known to exist."""
    return OfficeRow(*connection.execute(_OFFICES.where(Office.id == number)).one())


def people(connection: Connection, offices: Scope) -> list[dict[str, Any]]:
    """The people of some offices."""
    query = sa.select(Person.id, Person.name, Person.email, Person.role, Person.left_on, Person.office_id).order_by(Person.id)
    if offices.ids is not None:
        query = query.where(Person.office_id.in_(offices.ids))
    return [
        {
            "id": row.id,
            "name": row.name,
            "email": row.email,
            "role": row.role,
            "left_on": row.left_on,
            "office": offices.offices[row.office_id].shown,
        }
        for row in connection.execute(query)
    ]


def tokens(connection: Connection) -> list[dict[str, Any]]:
    """Every token without its secret, for `luodi token list`."""
    query = sa.select(Token.id, Office.code, Token.role, Token.created_at, Token.expires_at, Token.revoked_at).join(
        Office, Office.id == Token.office_id
    )
    return [dict(row) for row in connection.execute(query.order_by(Token.created_at)).mappings()]
