"""企业微信 WeCom group robots: markdown of at most 4,096 bytes, no signature, 20 messages a minute.

Source: developer.work.weixin.qq.com/document/path/91770 (消息推送) and its table of codes.
"""

from __future__ import annotations

import re

import orjson

from app.robots.kinds.base import MINUTE, Kind, Message, Reply, Verdict, by_code, linked, plain, tamed
from app.robots.splitting import NUMBER_ROOM, Row, numbered, split

LIMIT = 4096
BUSY = {-1: MINUTE, 45009: MINUTE, 45033: MINUTE}
"""System busy; too often; too many at once."""
HINTS = {
    93000: "地址中的 key 无效或机器人已被移出群；请重新复制地址",
    93004: "机器人已停用",
    93008: "机器人不在群中",
    40058: "消息内容超过长度或格式不符",
    60020: "本机 IP 不在企业微信允许的范围内",
}


def _line(row: Row) -> str:
    return linked(row.text, row.url) if row.url else tamed(row.text)


def _weigh(row: Row) -> int:
    return len(_line(row).encode()) + 1


def payloads(message: Message) -> list[bytes]:
    title = tamed(message.title)
    parts = split(message.rows, LIMIT - len(title.encode()) - NUMBER_ROOM, _weigh)
    texts = ["\n".join([f"**{numbered(title, at, len(parts))}**", *map(_line, part)]) for at, part in enumerate(parts, 1)]
    return [orjson.dumps({"msgtype": "markdown", "markdown": {"content": text}}) for text in texts]


def verdict(reply: Reply) -> Verdict:
    return by_code(reply, ("errcode",), BUSY, HINTS, "errmsg")


KIND = Kind(
    name="wecom",
    label="企业微信",
    shape=re.compile(r"/cgi-bin/webhook/send\?key=[A-Za-z0-9-]{8,100}"),
    secret=None,
    must_sign=False,
    limit=LIMIT,
    payloads=payloads,
    signed=lambda secrets, payload, number, now: plain(payload),
    verdict=verdict,
)
