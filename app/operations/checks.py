"""What the doctor looks at: one row for each thing in CHECKS."""

from __future__ import annotations

import ipaddress
import os
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app import __version__
from app.alerts.channels.base import Refused
from app.alerts.channels.smtp import Smtp
from app.db import current_revision, head, knows
from app.durable import faults_of
from app.errors import DomainError, NotReady
from app.mail import HERE
from app.operations import condition, queries
from app.operations.condition import BAD, OK, WARN, Finding
from app.operations.doctor import Check, Verdict, Visit
from app.robots.addresses import target
from app.robots.models import LIVE, Robot
from app.robots.sealed import Vault
from app.sessions import POOLING
from app.settings import database_address
from app.skew import BOUND

SKEW = 2.0
"""Seconds between our clock and the database's that NTP keeps easily; beyond `skew.BOUND` nothing is recorded."""
LITTLE, TOO_LITTLE = 1_000_000_000, 100_000_000
"""Bytes left on a disk."""
SHORT_KEY = 32
"""Characters; `openssl rand -hex 32` gives 64."""
FONTS = re.compile(r"noto.?(sans|serif).?(cjk|sc|hans)|sourcehan|wqy|wenquanyi|simsun|simhei|msyh|droidsansfallback|uming|ukai", re.I)
FONT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.fonts", "~/.local/share/fonts", "/System/Library/Fonts", "/Library/Fonts")
OF_THE_DAY = frozenset(condition.CODES) - {"hold", "calendar_provisional"}


def database(visit: Visit) -> Verdict:
    """Does it answer, and does it keep what it confirmed?"""
    pooled = database_address(visit.settings.database_url).query.get(POOLING) == "transaction"
    with visit.database() as connection:
        faults = faults_of(connection.connection.dbapi_connection, pooled)
        if faults:
            return Verdict(WARN if visit.settings.dev else BAD, "；".join(faults))
        if connection.dialect.name == "sqlite":
            return Verdict(OK, "SQLite，WAL，synchronous=FULL")
        version, commit = connection.exec_driver_sql(
            "SELECT current_setting('server_version'), current_setting('synchronous_commit')"
        ).one()
        return Verdict(OK, f"PostgreSQL {version}，fsync=on，synchronous_commit={commit}")


def revision(visit: Visit) -> Verdict:
    """Is the schema the one of this version?"""
    with visit.database() as connection:
        at, wanted = current_revision(connection), head()
    if at == wanted:
        return Verdict(OK, f"{at}，程序版本 {__version__}")
    if at is not None and not knows(at):
        return Verdict(BAD, f"数据库版本 {at} 比程序新；请升级程序 / the database is newer, upgrade the program")
    return Verdict(BAD, f"数据库版本 {at or '无'}，应为 {wanted}；请运行 luodi migrate / run `luodi migrate`")


def time_of_day(visit: Visit) -> Verdict:
    """Do our clock and the database's agree, and which day is it here?"""
    here = f"{visit.clock.now().astimezone(visit.settings.zone):%Y-%m-%d %H:%M}（{visit.settings.timezone}）"
    if visit.settings.clock is not None:
        return Verdict(WARN, f"LUODI_CLOCK 已设置，业务时间为 {here}；正式使用请去掉 / the clock is set, never in real use")
    with visit.database() as connection:
        skew = _skew(connection, visit)
    if skew is not None and abs(skew) > SKEW:
        level = BAD if abs(skew) > BOUND.total_seconds() else WARN
        return Verdict(level, f"与数据库时钟相差 {skew:+.1f} 秒；请用 NTP 校时 / clocks differ, use NTP；现在 {here}")
    return Verdict(OK, here)


def _skew(connection: Connection, visit: Visit) -> float | None:
    """Seconds that the database is ahead; None where it has no clock of its own."""
    if connection.dialect.name == "sqlite":
        return None
    before = visit.clock.now()
    theirs = visit.clock.lease_now(connection)
    after = visit.clock.now()
    return (theirs - (before + (after - before) / 2)).total_seconds()


def mail(visit: Visit) -> Verdict:
    """Is there a server that takes our mail? Greeting, TLS and login are tried; nothing is sent."""
    settings = visit.settings
    if settings.smtp_url.startswith("file:"):
        folder = settings.smtp_url.removeprefix("file:")
        level = OK if settings.dev else WARN
        return Verdict(level, f"邮件只写入文件夹 {folder}，不会寄出；请设置 LUODI_SMTP_URL / mails are files, nobody gets them")
    smtp = Smtp(settings.smtp_url, settings.mail_from, tls=settings.smtp_tls, authority=settings.smtp_ca)
    try:
        secure = smtp.greet()
    except Refused as refused:
        return Verdict(BAD, f"{refused}（{refused.phase}）；请检查 LUODI_SMTP_URL / the mail server refused")
    login = "，已登录" if smtp.user else ""
    if not secure and smtp.host not in HERE:
        return Verdict(WARN, f"{smtp.relay} 可用，但未加密{login}；建议 LUODI_SMTP_TLS=require / reachable, not encrypted")
    return Verdict(OK, f"{smtp.relay} 可用{'，TLS' if secure else ''}{login}，发件人 {settings.mail_from}")


def links(visit: Visit) -> Verdict:
    """What readers of a digest see: where it comes from and where its links lead."""
    settings, faults = visit.settings, []
    host = urlsplit(settings.public_url).hostname or ""
    if host == "localhost" or (_is_ip(host) and ipaddress.ip_address(host).is_loopback):
        faults.append(f"LUODI_PUBLIC_URL={settings.public_url} 只在本机可用，邮件中的链接别人打不开 / links lead to this machine only")
    if settings.mail_from.endswith("@localhost"):
        faults.append(f"LUODI_MAIL_FROM={settings.mail_from} 不是真实发件地址 / not an address that others accept")
    if settings.dev:
        faults.append("LUODI_DEV=true；正式使用请去掉 / never in real use")
    return Verdict(WARN if faults else OK, "；".join(faults) or f"链接 {settings.public_url}，发件人 {settings.mail_from}")


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def robots(visit: Visit) -> Verdict:
    """May every group robot's host be called, and does our key open its address?"""
    with visit.database() as connection:
        query = sa.select(Robot.id, Robot.host, Robot.office_id, Robot.kind, Robot.sealed).where(sa.text(LIVE), Robot.enabled)
        rows = connection.execute(query).all()
    hosts = visit.settings.webhook_hosts
    if not rows:
        return Verdict(OK, f"没有启用的机器人；允许的主机 {len(hosts)} 个")
    vault, faults = Vault(visit.settings), []
    for row in rows:
        try:
            target(f"https://{row.host}/", hosts, dev=visit.settings.dev)
            vault.open(row.sealed or "", row.office_id, row.kind)
        except DomainError as refusal:
            faults.append(f"机器人 {row.id}：{refusal.hint}")
    more = f"；等 {len(faults)} 个" if len(faults) > 3 else ""
    return Verdict(BAD, "；".join(faults[:3]) + more) if faults else Verdict(OK, f"{len(rows)} 个机器人，主机均已允许，密钥可用")


def fonts(_visit: Visit) -> Verdict:
    """Is there a font with Chinese characters? Only printing needs one."""
    found = _font()
    if found:
        return Verdict(OK, found)
    return Verdict(WARN, "没有中文字体，打印的文件会缺字；可安装 fonts-noto-cjk / no CJK font, printing needs one")


def _font() -> str | None:
    try:
        listed = subprocess.run(["fc-list", ":lang=zh", "family"], capture_output=True, text=True, timeout=5, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        listed = ""
    if listed.strip():
        return listed.strip().splitlines()[0]
    for folder in map(Path, FONT_FOLDERS):
        for path in folder.expanduser().rglob("*.[to]t[fc]"):
            if FONTS.search(path.name):
                return path.name
    return None


def disk(visit: Visit) -> Verdict:
    """Is there room for temporary files, and for the database where we can see it?"""
    settings = visit.settings
    places = {"LUODI_VAR_DIR": settings.var_dir}
    url = database_address(settings.database_url)
    if url.get_backend_name() == "sqlite" and url.database:
        places["数据库 database"] = Path(url.database)
    told, level = [], OK
    for name, path in places.items():
        there = next((one for one in (path.absolute(), *path.absolute().parents) if one.exists()), Path("/"))
        free = shutil.disk_usage(there).free
        level = BAD if free < TOO_LITTLE else WARN if free < LITTLE and level == OK else level
        told.append(f"{name} 剩余 {free / 1e9:.1f} GB")
        if path == settings.var_dir and there == path.absolute() and not os.access(path, os.W_OK):
            return Verdict(BAD, f"{path} 不可写；请修正目录权限 / VAR_DIR is not writable")
    advice = "；请清理磁盘或运行 luodi prune / make room" if level != OK else ""
    return Verdict(level, "，".join(told) + advice)


def keys(visit: Visit) -> Verdict:
    """Are the keys given from outside, long enough, and different?"""
    settings, told = visit.settings, []
    level = OK
    for name in ("secret_key", "audit_key"):
        given: str = getattr(settings, name)
        variable = f"LUODI_{name.upper()}"
        if given and len(given) < SHORT_KEY:
            level, text = BAD if level == BAD else WARN, f"{variable} 太短，请用 openssl rand -hex 32 / too short"
            told.append(text)
        elif not given:
            path = settings.key_file(name)
            level = BAD if not settings.dev else level
            how = f"把 {path} 的内容原样设为 {variable}（不要换新的）" if path.exists() else f"设置 {variable}（openssl rand -hex 32）"
            told.append(f"{variable} 未设置，密钥与数据放在一起；请{how} / the key lies beside the data")
            if path.exists() and path.stat().st_mode & 0o077:
                told.append(f"{path} 他人可读；请 chmod 600 / others can read it")
    if settings.secret_key and settings.secret_key == settings.audit_key:
        level = BAD if level == BAD else WARN
        told.append("两个密钥相同，请各用一个 / both keys are the same")
    return Verdict(level, "；".join(told) or "已设置")


def _findings(visit: Visit, wanted: frozenset[str]) -> list[Finding]:
    now = visit.clock.now()
    with visit.database() as connection:
        if current_revision(connection) is None:
            raise NotReady("数据库尚未初始化；请先运行 luodi migrate / run `luodi migrate` first")
        seen = queries.seen(connection, now, visit.settings)
    return [one for one in condition.judge(seen, now, visit.settings) if one.code in wanted]


def _joined(findings: list[Finding], good: str) -> Verdict:
    return Verdict(condition.worst(findings), "；".join(one.text for one in findings) or good)


def calendar(visit: Visit) -> Verdict:
    """Are the days off of this year, and late in the year of the next, known?"""
    return _joined(_findings(visit, frozenset({"calendar_provisional"})), "放假安排已导入")


def day(visit: Visit) -> Verdict:
    """Is the day's work done?"""
    return _joined(_findings(visit, OF_THE_DAY), "每日任务与消息正常")


def hold(visit: Visit) -> Verdict:
    """Is everything being held back?"""
    return _joined(_findings(visit, frozenset({"hold"})), "没有暂缓")


CHECKS: tuple[Check, ...] = (
    Check("database", "数据库", database),
    Check("revision", "数据库版本", revision),
    Check("time", "时间", time_of_day),
    Check("keys", "密钥", keys),
    Check("disk", "磁盘", disk),
    Check("mail", "邮件服务器", mail, 20),
    Check("links", "地址", links),
    Check("robots", "群机器人", robots),
    Check("calendar", "放假安排", calendar),
    Check("day", "当日任务", day),
    Check("hold", "暂缓发送", hold),
    Check("fonts", "中文字体", fonts, 8),
)
"""What is looked at, in the order of the report. To add one: a function and a row."""
