"""钉钉 DingTalk group robots: markdown, requests of at most 20,000 bytes, 20 a minute (more costs ten minutes of silence).

Signed: Base64(HMAC-SHA256(secret, "timestamp\\nsecret")), timestamp in milliseconds, both in the query.
Source: open.dingtalk.com/document/robots/custom-robot-access and /customize-robot-security-settings.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from datetime import datetime
from urllib.parse import urlencode

import orjson

from app.robots.kinds.base import LATER, MINUTE, NO, Kind, Message, Outgoing, Reply, Verdict, body_of, by_code, linked, plain, tamed
from app.robots.sealed import Secrets
from app.robots.splitting import NUMBER_ROOM, Row, numbered, split

LIMIT = 20_000
PUNISHED = 10 * MINUTE
BUSY = {-1: MINUTE, 130101: PUNISHED, 130103: PUNISHED, 410100: PUNISHED, 660026: PUNISHED}
"""System busy; the others are ways of saying "too fast"."""
HINTS = {
    300001: "地址中的 access_token 无效；请重新复制地址",
    300005: "地址中的 access_token 无效；请重新复制地址",
    400101: "地址中的 access_token 无效；请重新复制地址",
    400013: "群已解散",
    400102: "机器人已停用",
    400106: "机器人不存在",
    460101: "消息过长",
    430101: "消息含有钉钉认为不安全的链接；请核对 LUODI_PUBLIC_URL",
    430102: "消息含有钉钉认为不合适的文字",
    430104: "消息含有钉钉认为不合适的内容",
}
_CHECKS = (
    ("keyword", "机器人设置了自定义关键词而消息不含它；请在钉钉中把“落地”设为关键词"),
    ("timestamp", "本机时钟与钉钉相差超过一小时；请校时"),
    ("sign", "加签密钥不符；请从机器人设置中重新复制以 SEC 开头的密钥"),
    ("ip", "本机 IP 不在机器人的 IP 地址段内；请在钉钉中加入"),
)
"""310000 is one code for four refusals; the words say which."""


def _line(row: Row) -> str:
    return f"- {linked(row.text, row.url)}" if row.url else tamed(row.text)


def _weigh(row: Row) -> int:
    return len(orjson.dumps(_line(row))) + 4


def payloads(message: Message) -> list[bytes]:
    title = tamed(message.title)
    frame = len(_payload(title, title)) + NUMBER_ROOM * 2 + 16
    parts = split(message.rows, LIMIT - frame, _weigh)
    heads = [numbered(title, at, len(parts)) for at in range(1, len(parts) + 1)]
    return [_payload(head, "\n\n".join([f"#### {head}", *map(_line, part)])) for head, part in zip(heads, parts, strict=True)]


def _payload(title: str, text: str) -> bytes:
    return orjson.dumps({"msgtype": "markdown", "markdown": {"title": title, "text": text}})


def signed(secrets: Secrets, payload: bytes, number: str, now: datetime) -> Outgoing:
    if not secrets.secret:
        return plain(payload)
    stamp = str(int(now.timestamp() * 1000))
    mac = hmac.new(secrets.secret.encode(), f"{stamp}\n{secrets.secret}".encode(), hashlib.sha256).digest()
    return plain(payload)._replace(query=urlencode({"timestamp": stamp, "sign": base64.b64encode(mac).decode()}))


def verdict(reply: Reply) -> Verdict:
    found = body_of(reply) or {}
    if "errcode" not in found and found.get("punish") == "deny":  # the gateway in front, when it is too fast
        return Verdict(LATER, "钉钉限流（punish deny），稍后再发", PUNISHED)
    said = by_code(reply, ("errcode",), BUSY, HINTS, "errmsg")
    if said.outcome == NO and found.get("errcode") == 310000:
        words = str(found.get("errmsg") or "").lower()
        return Verdict(NO, said.reason + next((f"；{hint}" for word, hint in _CHECKS if word in words), ""))
    return said


KIND = Kind(
    name="dingtalk",
    label="钉钉",
    shape=re.compile(r"/robot/send\?access_token=[A-Za-z0-9]{8,200}"),
    secret=re.compile(r"SEC[A-Za-z0-9]{16,200}"),
    must_sign=False,
    limit=LIMIT,
    payloads=payloads,
    signed=signed,
    verdict=verdict,
)
