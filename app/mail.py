"""How the settings spell mail: the server it leaves by (SMTP_URL) and the address it comes from. Pure; read once at the start."""

from __future__ import annotations

import re
from typing import NamedTuple, Self
from urllib.parse import unquote, urlsplit

HERE = ("127.0.0.1", "localhost", "::1")
"""Servers on this very machine: nobody listens in between."""
_PORTS = {"smtp": 25, "smtps": 465}
_ADDRESS = re.compile(r"[!-?A-~]{1,64}@[A-Za-z0-9.\-]{1,253}")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._\-]{0,251}[A-Za-z0-9])?|[0-9a-f:.]+")
_SHAPE = "smtp://主机、smtp://用户:密码@主机:端口、smtps://… 或 file:目录"


def is_address(text: str) -> bool:
    """Can mail be addressed to this (ASCII, one @, nothing that would break a header)?"""
    return bool(_ADDRESS.fullmatch(text)) and text.count("@") == 1 and not set(text) & set('<>(),;:"\\[]')


class Relay(NamedTuple):
    """A mail server: `implicit` speaks TLS from the first byte, otherwise STARTTLS; without a user nobody logs in."""

    implicit: bool
    host: str
    port: int
    user: str
    password: str

    def __repr__(self) -> str:
        return f"Relay({self.host}:{self.port})"

    @classmethod
    def read(cls, url: str) -> Self:
        """`smtp://user:password@host:port` or smtps://…; ValueError with one plain sentence, without the password, when it is neither."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise ValueError("端口不是数字，或密码中有未转义的字符（/ ? # @ : 须写作 %2F 等） / bad port, or unescaped password") from None
        if parts.scheme not in _PORTS:
            raise ValueError(f"应写作 {_SHAPE} / neither smtp://, smtps:// nor file:")
        if not _HOST.fullmatch(parts.hostname or ""):
            raise ValueError(f"没有可用的主机名；应写作 {_SHAPE} / no host")
        if port == 0 or parts.path.strip("/") or parts.query or parts.fragment:
            raise ValueError("主机和端口（1-65535）之后不应再有内容；密码中的 / ? # 须写作 %2F %3F %23 / nothing may follow host and port")
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        if bool(user) != bool(password):
            raise ValueError("用户名和密码须同时给出：smtp://用户:密码@主机；不登录时两者都不写 / user and password belong together")
        if not (user + password).isascii() or not (user + password).isprintable():
            raise ValueError("用户名和密码只能用 ASCII 可见字符 / user and password have to be printable ASCII")
        return cls(parts.scheme == "smtps", parts.hostname or "", port or _PORTS[parts.scheme], user, password)
