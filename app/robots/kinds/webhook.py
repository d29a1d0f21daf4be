"""Any other system, after Standard Webhooks 1.0: JSON, signed, with an id that never changes between attempts.

webhook-signature is v1,Base64(HMAC-SHA256(secret, "id.timestamp.body")); whoever receives it may drop an id it has seen.
Any 2xx is a yes. Source: github.com/standard-webhooks/standard-webhooks (spec).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from datetime import datetime

import orjson

from app.robots.kinds.base import TAKEN, Kind, Message, Outgoing, Reply, Verdict, by_status, plain, retry_after
from app.robots.sealed import Secrets

LIMIT = 256_000
PREFIX = "whsec_"


def payloads(message: Message) -> list[bytes]:
    """One part, whatever its length: rows are few and short, and the receiver is a program."""
    data = {"title": message.title, "text": "\n".join(row.text for row in message.rows), **message.data}
    return [orjson.dumps({"type": message.type, "timestamp": message.written_at, "data": data}, option=orjson.OPT_UTC_Z)]


def signed(secrets: Secrets, payload: bytes, number: str, now: datetime) -> Outgoing:
    stamp = str(int(now.timestamp()))
    mac = hmac.new(key_of(secrets.secret), f"{number}.{stamp}.".encode() + payload, hashlib.sha256).digest()
    more = {"webhook-id": number, "webhook-timestamp": stamp, "webhook-signature": f"v1,{base64.b64encode(mac).decode()}"}
    ready = plain(payload)
    return ready._replace(headers={**ready.headers, **more})


def key_of(secret: str) -> bytes:
    """The bytes of a secret as it is written: whsec_ and Base64. ValueError when it is none."""
    text = secret.removeprefix(PREFIX)
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


def verdict(reply: Reply) -> Verdict:
    if 200 <= reply.status < 300:
        return Verdict(TAKEN, f"HTTP {reply.status}")
    return by_status(reply, retry_after(reply))


KIND = Kind(
    name="webhook",
    label="通用 Webhook",
    shape=re.compile(r"/.*"),
    secret=re.compile(r"whsec_[A-Za-z0-9+/]{32,88}={0,2}"),
    must_sign=True,
    limit=LIMIT,
    payloads=payloads,
    signed=signed,
    verdict=verdict,
)
