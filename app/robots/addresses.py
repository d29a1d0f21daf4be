"""Which addresses may be called: hosts on the list of ALLOWED_WEBHOOK_HOSTS, by https, at public IP addresses. Pure.

An address of a robot holds its key, so an `Address` never shows itself: neither in a log nor in a traceback.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from typing import NamedTuple

from app.errors import Invalid
from app.settings import AllowedHost

_SHAPE = re.compile(
    r"(https?)://([a-z0-9.-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::([1-9][0-9]{0,4}))?"
    r"(/[a-z0-9._~!$&'()*+,;=:@%/-]{0,400})(?:\?([a-z0-9._~!$&'()*+,;=:@%/?-]{0,400}))?",
    re.IGNORECASE,
)
"""One reading of an address, and nothing that two parsers could read in two ways: no user, no fragment, no blank."""
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
Ip = ipaddress.IPv4Address | ipaddress.IPv6Address


class Target(NamedTuple):
    """Where a request goes. `path` and `query` hold the key; `allowed` is the entry of the list that lets it go there."""

    scheme: str
    host: str
    port: int
    path: str
    query: str
    allowed: AllowedHost
    loopback: bool

    def __repr__(self) -> str:
        return f"Target({self.scheme}://{self.host}:{self.port}/…)"

    @property
    def url(self) -> str:
        """The whole address, with its key."""
        return f"{self.scheme}://{self.host}:{self.port}{self.path}" + (f"?{self.query}" if self.query else "")


def target(url: str, hosts: Sequence[AllowedHost], *, dev: bool = False) -> Target:
    """Where an address leads, or Invalid with what to do about it. http and loopback are for DEV only."""
    found = _SHAPE.fullmatch(url.strip())
    if found is None:
        raise _invalid("地址应形如 https://主机/路径?参数，请从群机器人的设置里完整复制 / copy the whole https address of the robot")
    scheme, host, port, path, query = found[1].lower(), found[2].lower(), int(found[3] or 0), found[4], found[5] or ""
    loopback = dev and host in LOOPBACK
    if scheme == "http" and not loopback:
        raise _invalid("只能用 https 地址 / only https")
    number = port or (443 if scheme == "https" else 80)
    entry = next((one for one in hosts if one.name == host and (one.port in (number, None))), None)
    if entry is None:
        raise _invalid(f"主机 {host} 不在 LUODI_ALLOWED_WEBHOOK_HOSTS 中；请管理员核实后加入 / host is not on the allow-list")
    if entry.port is None and not loopback and number != 443:
        raise _invalid(f"端口 {number} 未获允许；请在 LUODI_ALLOWED_WEBHOOK_HOSTS 中写作 {host}:{number} / port not allowed")
    if number > 65535:
        raise _invalid("端口不存在 / no such port")
    return Target(scheme, host, number, path, query, entry, loopback)


def may_reach(to: Target, ip: Ip) -> bool:
    """May a connection for this target go to this IP address? Whoever answers a name's question decides where it leads, so a
    name on the list is not enough: public addresses only, or those of the network that the list names for the host."""
    real = _inner(ip)
    if to.loopback:
        return real.is_loopback
    if to.allowed.network is not None:
        return real in ipaddress.ip_network(to.allowed.network) and not (real.is_loopback or real.is_link_local)
    return real.is_global and not real.is_multicast


def _inner(ip: Ip) -> Ip:
    """The address inside an address: IPv4 written as IPv6, or reached through a translator."""
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return ip.ipv4_mapped
        if ip.sixtofour is not None:
            return ip.sixtofour
        if ip in _NAT64:
            return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip


def _invalid(hint: str) -> Invalid:
    return Invalid(hint, errors=[{"field": "url", "message": "not an address that may be called"}])
