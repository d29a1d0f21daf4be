"""Adding offices and people, issuing and revoking tokens."""

from __future__ import annotations

import re
import secrets
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from app.errors import Duplicate, Invalid, NotFound
from app.offices.access import KINDS, ROLES
from app.offices.models import Office, Person, Token
from app.offices.queries import OfficeRow, find_office, office_by_id, secret_hash

LIVE_TOKENS = 2
"""Per office and role: the old one keeps working while the new one is rolled out."""
_EMAIL = re.compile(r"[^@\s\x00-\x1f<>,;\"]+@[^@\s\x00-\x1f<>,;\"]+")
_CODE = re.compile(r"[^\s\x00-\x1f/]{1,64}")


def is_code(text: str) -> bool:
    """Can this be the code of an office?"""
    return _CODE.fullmatch(text) is not None


def add_office(connection: Connection, *, code: str, name: str, kind: str, parent: str | None = None) -> OfficeRow:
    """A new unit in the tree. Bureaus, towns and departments hang under a county."""
    if kind not in KINDS:
        raise Invalid(f"单位类型只能是 {'、'.join(KINDS)}")
    if not is_code(code):
        raise Invalid("单位编号为 1-64 个字符，不含空格和 /")
    name = name.strip()
    if not name or len(name) > 200 or "\x00" in name:
        raise Invalid("单位名称为 1-200 个字符")
    above = find_office(connection, parent) if parent else None
    if parent and above is None:
        raise NotFound(f"没有上级单位 {parent}")
    if above is None and kind != "county":
        raise Invalid("镇区、招商局、部门需要用 --parent 指明上级单位")
    if connection.scalar(sa.select(Office.id).where(Office.code == code)) is not None:
        raise Duplicate(f"单位编号 {code} 已存在")
    number = connection.scalar(
        sa.insert(Office).values(code=code, name=name, kind=kind, parent_id=above.id if above else None, path="").returning(Office.id)
    )
    assert number is not None
    path = f"{above.path if above else '/'}{number}/"
    connection.execute(sa.update(Office).where(Office.id == number).values(path=path))
    return OfficeRow(number, code, name, kind, path, above.id if above else None)


def add_person(connection: Connection, *, office: str, name: str, email: str, role: str) -> int:
    """A person of an office; the address is where the digest goes."""
    if role not in ROLES:
        raise Invalid(f"角色只能是 {'、'.join(ROLES)}")
    if not _EMAIL.fullmatch(email) or len(email) > 254:
        raise Invalid("邮箱地址不正确")
    if not name.strip() or len(name) > 100 or "\x00" in name:
        raise Invalid("姓名为 1-100 个字符")
    unit = _office(connection, office)
    if connection.scalar(sa.select(Person.id).where(Person.email == email)) is not None:
        raise Duplicate(f"邮箱 {email} 已登记")
    number = connection.scalar(sa.insert(Person).values(office_id=unit.id, name=name.strip(), email=email, role=role).returning(Person.id))
    assert number is not None
    return int(number)


def person_leaves(connection: Connection, email: str, on: date, now: datetime) -> int:
    """The person gets no more mail from that day on (alerts/readers.py says who does); facts keep the id, which is returned."""
    number = connection.scalar(sa.update(Person).where(Person.email == email).values(left_on=on, left_told_at=now).returning(Person.id))
    if number is None:
        raise NotFound(f"没有邮箱为 {email} 的人员")
    return int(number)


def issue_token(connection: Connection, *, office: str, role: str, now: datetime, days: int = 365, person: str | None = None) -> str:
    """A new token, shown this once. A third live one of the same office and role is refused, not traded for an old one."""
    if role not in ROLES:
        raise Invalid(f"角色只能是 {'、'.join(ROLES)}")
    if not 1 <= days <= 3650:
        raise Invalid("有效期为 1-3650 天")
    unit = _office(connection, office)
    # the office row is the lock: two at once cannot both see one live token and make a second and a third
    connection.execute(sa.update(Office).where(Office.id == unit.id).values(name=Office.name))
    live = sa.select(sa.func.count()).where(
        Token.office_id == unit.id, Token.role == role, Token.revoked_at.is_(None), Token.expires_at > now
    )
    if (connection.scalar(live) or 0) >= LIVE_TOKENS:
        raise Duplicate(
            f"{unit.name} 的“{ROLES[role]}”已有 {LIVE_TOKENS} 个有效令牌；请先用 luodi token revoke 吊销一个 / revoke one first"
        )
    person_id = None
    if person is not None:
        person_id = connection.scalar(sa.select(Person.id).where(Person.email == person, Person.office_id == unit.id))
        if person_id is None:
            raise NotFound(f"{unit.name} 没有邮箱为 {person} 的人员")
    number, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    try:
        connection.execute(
            sa.insert(Token).values(
                id=number,
                office_id=unit.id,
                role=role,
                person_id=person_id,
                secret_hash=secret_hash(secret),
                created_at=now,
                expires_at=now + timedelta(days=days),
            )
        )
    except IntegrityError as error:  # pragma: no cover - 48 random bits met twice
        raise Duplicate("请重试") from error
    return f"{number}.{secret}"


def revoke_token(connection: Connection, token: str, now: datetime) -> None:
    """Revoke by id or by the whole token; at once, for every process."""
    number = token.partition(".")[0]
    done = connection.execute(sa.update(Token).where(Token.id == number, Token.revoked_at.is_(None)).values(revoked_at=now))
    if done.rowcount == 0:
        raise NotFound(f"没有有效的令牌 {number}")


def _office(connection: Connection, text: str) -> OfficeRow:
    unit = find_office(connection, text)
    if unit is None:
        raise NotFound(f"没有单位 {text}；用 luodi office list 查看 / no such office")
    return unit


__all__ = ["add_office", "add_person", "is_code", "issue_token", "office_by_id", "person_leaves", "revoke_token"]
