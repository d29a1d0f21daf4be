"""Registering robots, changing and removing them, trying one out, and changing the key they are sealed with."""

from __future__ import annotations

import threading
from datetime import datetime

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection

from app.clock import Clock
from app.db import Database
from app.errors import Busy, Duplicate, Invalid, NotFound, RateLimited, TooMany
from app.offices.models import Office
from app.offices.queries import find_office
from app.robots.addresses import target
from app.robots.handing import hand_over, take_turn
from app.robots.kinds import KINDS
from app.robots.kinds.base import Kind, Message, Verdict
from app.robots.models import Robot
from app.robots.queries import LIVE, Opened, missing, opened, within
from app.robots.sealed import SealBroken, Secrets, Vault
from app.robots.splitting import Row
from app.settings import Settings

log = structlog.get_logger()
MOST = 20
"""Robots of one office."""
OFFICES = ("county", "bureau", "town")
"""Kinds of offices that have news of their own."""
_AT_ONCE = threading.BoundedSemaphore(2)
"""Trials that one process does at a time: each may take twenty seconds, and the threads are for those who report."""


def checked(settings: Settings, kind: Kind, url: str, secret: str | None) -> Secrets:
    """Address and secret, or Invalid with everything that is wrong with them."""
    to = target(url, settings.webhook_hosts, dev=settings.dev)
    address = to.path + (f"?{to.query}" if to.query else "")
    if not kind.shape.fullmatch(address):
        raise _invalid("url", f"这不是{kind.label}机器人的地址；请从群机器人的设置里完整复制")
    if secret is not None and kind.secret is None:
        raise _invalid("secret", f"{kind.label}机器人没有加签密钥；请去掉 secret")
    if secret is None and kind.must_sign:
        raise _invalid("secret", f"{kind.label}必须签名；请给出 whsec_ 开头的密钥")
    if secret is not None and kind.secret is not None and not kind.secret.fullmatch(secret):
        raise _invalid("secret", f"这不是{kind.label}的加签密钥；请从机器人的设置里完整复制")
    return Secrets(to.url, secret or "")


def add(
    connection: Connection,
    settings: Settings,
    *,
    office: str,
    kind: str,
    name: str,
    url: str,
    secret: str | None,
    now: datetime,
    enabled: bool = True,
    scope: str = "/",
) -> int:
    """A robot of an office under `scope`; its number. One address is registered once: a group must not hear everything twice."""
    unit = find_office(connection, office)
    if unit is None or not unit.path.startswith(scope):
        raise NotFound(f"没有编号为 {office} 的单位，或不在您的管辖范围内")
    if unit.kind not in OFFICES:
        raise _invalid("office", "部门没有自己的每日消息；请登记到镇区、县招商局或县")
    if kind not in KINDS:
        raise _invalid("kind", f"kind 只能是 {'、'.join(KINDS)}")
    secrets = checked(settings, KINDS[kind], url, secret)
    vault = Vault(settings)
    _one_at_a_time(connection)
    mine = sa.select(sa.func.count()).where(Robot.office_id == unit.id, LIVE)
    if (connection.scalar(mine) or 0) >= MOST:
        raise TooMany(f"一个单位最多登记 {MOST} 个群机器人；请先删除不用的")
    _name_is_free(connection, unit.id, name, None)
    _address_is_free(connection, vault, secrets, None)
    row = {
        "office_id": unit.id, "kind": kind, "name": name, **_hidden(vault, secrets, unit.id, kind, settings),
        "enabled": enabled, "recent": "[]", "created_at": now, "changed_at": now,
    }  # fmt: skip
    number = connection.execute(sa.insert(Robot).values(**row).returning(Robot.id)).scalar_one()
    log.info("robot added", robot=number, office=unit.code, kind=kind)
    return number


def change(
    connection: Connection,
    settings: Settings,
    number: int,
    *,
    now: datetime,
    scope: str = "/",
    name: str | None = None,
    enabled: bool | None = None,
    url: str | None = None,
    secret: str | None = None,
) -> None:
    """Change what is given; address and secret together."""
    if secret is not None and url is None:
        raise _invalid("url", "地址和密钥一起更换；请同时给出 url")
    _one_at_a_time(connection)
    query = sa.select(Robot.office_id, Robot.kind).join(Office, Office.id == Robot.office_id)
    row = connection.execute(query.where(Robot.id == number, *within(scope))).one_or_none()
    if row is None:
        raise missing(number)
    values: dict[str, object] = {"changed_at": now}
    if name is not None:
        _name_is_free(connection, row.office_id, name, number)
        values["name"] = name
    if enabled is not None:
        values["enabled"] = enabled
    if url is not None:
        secrets, vault = checked(settings, KINDS[row.kind], url, secret), Vault(settings)
        _address_is_free(connection, vault, secrets, number)
        values |= _hidden(vault, secrets, row.office_id, row.kind, settings)
    connection.execute(sa.update(Robot).where(Robot.id == number).values(**values))
    log.info("robot changed", robot=number, changed=sorted(set(values) - {"changed_at", "sealed", "tail"}))


def remove(connection: Connection, number: int, *, now: datetime, scope: str = "/") -> None:
    """Let go of a robot and of what it hid; its messages stay, and those not yet sent will not be."""
    offices = sa.select(Office.id).where(Office.path.startswith(scope, autoescape=True))
    gone = {"removed_at": now, "changed_at": now, "enabled": False, "sealed": None, "tail": ""}
    done = connection.execute(sa.update(Robot).where(Robot.id == number, LIVE, Robot.office_id.in_(offices)).values(**gone))
    if done.rowcount != 1:
        raise missing(number)
    log.info("robot removed", robot=number)


def rekey(connection: Connection, settings: Settings) -> tuple[int, list[int]]:
    """Seal everything with the first key; (how many robots, those that no key opens)."""
    vault, done, lost = Vault(settings), 0, []
    _one_at_a_time(connection)
    for number, sealed in connection.execute(sa.select(Robot.id, Robot.sealed).where(LIVE)).all():
        try:
            connection.execute(sa.update(Robot).where(Robot.id == number).values(sealed=vault.again(sealed or "")))
            done += 1
        except SealBroken:
            lost.append(number)
    return done, lost


def try_out(database: Database, settings: Settings, robot: Opened) -> Verdict:
    """Really send one message, and say what came back. No transaction is open meanwhile. By the real clock, like every post:
    vendors refuse signatures of another hour."""
    if not _AT_ONCE.acquire(blocking=False):
        raise Busy("正在测试其他机器人，请稍后再试")
    try:
        clock = Clock(settings.zone)
        now = clock.now()
        with database.write() as connection:
            wait = take_turn(connection, robot.id, clock.lease_now(connection))
        if wait:
            raise RateLimited(f"该机器人一分钟内已发送多次，请 {wait} 秒后再试")
        local = now.astimezone(settings.zone)
        message = Message(
            id=f"test.{robot.id}.{int(now.timestamp() * 1000)}",
            type="robot.test",
            written_at=now,
            title="【落地】群机器人测试",
            rows=(Row(f"{robot.office}的群机器人“{robot.name}”已接通，{local:%Y-%m-%d %H:%M}。每个工作日早晨在此发送督办摘要。"),),
            data={"office": robot.office, "robot": robot.name},
        )
        (payload,) = robot.kind.payloads(message)
        said = hand_over(settings, robot.kind, robot.secrets, payload, message.id, now, lambda: None)
        log.info("robot tried", robot=robot.id, outcome=said.outcome, reason=said.reason)
        return said
    finally:
        _AT_ONCE.release()


def _hidden(vault: Vault, secrets: Secrets, office_id: int, kind: str, settings: Settings) -> dict[str, object]:
    secrets.hide()
    host = target(secrets.url, settings.webhook_hosts, dev=settings.dev).host
    return {"sealed": vault.seal(secrets, office_id, kind), "host": host, "tail": secrets.tail, "signed": bool(secrets.secret)}


def _name_is_free(connection: Connection, office_id: int, name: str, number: int | None) -> None:
    same = sa.select(Robot.id).where(Robot.office_id == office_id, Robot.name == name, LIVE, Robot.id != (number or 0))
    if connection.scalar(same) is not None:
        raise Duplicate(f"本单位已有名为“{name}”的群机器人；请换一个名称", field="name")


def _address_is_free(connection: Connection, vault: Vault, secrets: Secrets, number: int | None) -> None:
    query = sa.select(Robot.office_id, Robot.kind, Robot.sealed, Robot.name).where(
        LIVE, Robot.id != (number or 0), Robot.tail == secrets.tail
    )
    for row in connection.execute(query).all():
        try:
            known = vault.open(row.sealed, row.office_id, row.kind)
        except SealBroken:
            continue  # it says nothing any more, and sends nothing
        if known.url == secrets.url:
            raise Duplicate("该地址已登记为另一个群机器人；同一个群不应收到两份", field="url")


def _one_at_a_time(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":  # SQLite has one writer
        connection.exec_driver_sql("LOCK TABLE robot IN SHARE ROW EXCLUSIVE MODE")


def _invalid(field: str, hint: str) -> Invalid:
    return Invalid(hint, errors=[{"field": field, "message": "not what this kind of robot has"}])


__all__ = ["add", "change", "opened", "rekey", "remove", "try_out"]
