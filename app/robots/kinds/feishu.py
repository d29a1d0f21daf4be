"""飞书 Feishu custom robots: rich text (post), requests of at most 20 KB, 100 a minute and 5 a second.

Signed: Base64(HMAC-SHA256(key "timestamp\\nsecret", nothing)), timestamp in seconds, both in the body: the key and the text
have changed places, which is how Feishu wants it.
Source: open.feishu.cn/document/client-docs/bot-v3/add-custom-bot.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from datetime import datetime
from typing import Any

import orjson

from app.robots.kinds.base import LATER, MINUTE, NO, Kind, Message, Outgoing, Reply, Verdict, body_of, by_code, plain, tamed
from app.robots.sealed import Secrets
from app.robots.splitting import NUMBER_ROOM, Row, numbered, split

LIMIT = 20_000
SIGNATURE = 100
"""Bytes that timestamp and sign will take."""
BUSY = {11232: MINUTE, 11233: MINUTE, 99991400: MINUTE}
HINTS = {
    19001: "地址中的令牌无效；请重新复制地址",
    19021: "签名不符或本机时钟与飞书相差超过一小时；请核对签名密钥并校时",
    19022: "本机 IP 不在机器人的白名单内；请在飞书中加入",
    19024: "机器人设置了自定义关键词而消息不含它；请在飞书中把“落地”设为关键词",
}


def _line(row: Row) -> list[dict[str, Any]]:
    text = tamed(row.text)
    return [{"tag": "a", "text": text, "href": row.url}] if row.url else [{"tag": "text", "text": text}]


def _weigh(row: Row) -> int:
    return len(orjson.dumps(_line(row))) + 1


def payloads(message: Message) -> list[bytes]:
    title = tamed(message.title)
    parts = split(message.rows, LIMIT - SIGNATURE - NUMBER_ROOM - len(_payload(title, [])), _weigh)
    return [_payload(numbered(title, at, len(parts)), [_line(row) for row in part]) for at, part in enumerate(parts, 1)]


def _payload(title: str, content: list[list[dict[str, Any]]]) -> bytes:
    return orjson.dumps({"msg_type": "post", "content": {"post": {"zh_cn": {"title": title, "content": content}}}})


def signed(secrets: Secrets, payload: bytes, number: str, now: datetime) -> Outgoing:
    if not secrets.secret:
        return plain(payload)
    stamp = str(int(now.timestamp()))
    mac = hmac.new(f"{stamp}\n{secrets.secret}".encode(), b"", hashlib.sha256).digest()
    return plain(orjson.dumps({"timestamp": stamp, "sign": base64.b64encode(mac).decode(), **orjson.loads(payload)}))


def verdict(reply: Reply) -> Verdict:
    said = by_code(reply, ("code", "StatusCode"), BUSY, HINTS, "msg")
    found = body_of(reply) or {}
    if said.outcome == NO and found.get("code") == 9499 and "too many" in str(found.get("msg")).lower():
        return Verdict(LATER, said.reason, MINUTE)  # one code for a bad request and for too many of them
    return said


KIND = Kind(
    name="feishu",
    label="飞书",
    shape=re.compile(r"/open-apis/bot/v2/hook/[A-Za-z0-9-]{8,100}"),
    secret=re.compile(r"[A-Za-z0-9]{8,100}"),
    must_sign=False,
    limit=LIMIT,
    payloads=payloads,
    signed=signed,
    verdict=verdict,
)
