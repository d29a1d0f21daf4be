"""Addresses and secrets of robots at rest: encrypted with a key that is not in the database.

Fernet (AES with an HMAC) from `cryptography`, under keys derived by HKDF from ROBOT_KEY, each for this purpose only; without
one from SECRET_KEY. The first key encrypts; all of them decrypt, SECRET_KEY's always among them, so that a key is changed by
putting the new one in front and running `luodi robot rekey`. What is sealed names its office and kind: a row's address
copied into another row opens there no more.
"""

from __future__ import annotations

import base64
from typing import NamedTuple

import orjson
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app import logs
from app.errors import DomainError
from app.settings import Settings

_PURPOSE = b"luodi robots: addresses and secrets, v1"


class SealBroken(DomainError):
    """The key is another one, or the row was tampered with."""

    code, status, title = "robot_sealed", 409, "机器人地址无法解密"


class Secrets(NamedTuple):
    """What must not be seen: the whole address (it holds the key), and what requests are signed with."""

    url: str
    secret: str = ""

    def __repr__(self) -> str:
        return "Secrets(***)"

    @property
    def tail(self) -> str:
        """The last characters of the address, to tell one robot from another."""
        return self.url[-4:]

    def discreet(self, text: str) -> str:
        """A text that may have been said by the other side, without anything that opens a door."""
        for hidden in sorted({*self._parts()}, key=len, reverse=True):
            text = text.replace(hidden, "***")
        return text

    def hide(self) -> None:
        """From now on no log line of this process holds any of it."""
        logs.hide(self._parts())

    def _parts(self) -> set[str]:
        path, _, query = self.url.partition("?")
        values = {one.partition("=")[2] for one in query.split("&")}
        return {one for one in {self.url, query, self.secret, path.rpartition("/")[2], *values} if len(one) >= 8}


class Vault:
    """Seals and opens what robots hide."""

    def __init__(self, settings: Settings) -> None:
        given = [one.strip().encode() for one in settings.robot_key.split(",") if one.strip()]
        keys = [*given, settings.key("secret_key")]
        self._fernet = MultiFernet([Fernet(_derived(key)) for key in keys])

    def seal(self, secrets: Secrets, office_id: int, kind: str) -> str:
        """What is stored."""
        return self._fernet.encrypt(orjson.dumps([office_id, kind, *secrets])).decode()

    def open(self, sealed: str, office_id: int, kind: str) -> Secrets:
        """What was stored for this office and kind; SealBroken otherwise. Logs know from here on what not to say."""
        try:
            office, of, *hidden = orjson.loads(self._fernet.decrypt(sealed.encode()))
        except (InvalidToken, ValueError) as error:
            raise SealBroken("密钥已更换或记录被改动；请恢复 LUODI_ROBOT_KEY 或 LUODI_SECRET_KEY，或重新登记该机器人") from error
        if (office, of) != (office_id, kind):
            raise SealBroken("该记录的地址属于另一个机器人；请重新登记")
        secrets = Secrets(*hidden)
        secrets.hide()
        return secrets

    def again(self, sealed: str) -> str:
        """The same, sealed with the first key; SealBroken when no key opens it."""
        try:
            return self._fernet.rotate(sealed.encode()).decode()
        except InvalidToken as error:
            raise SealBroken("没有能解密它的密钥") from error


def _derived(key: bytes) -> bytes:
    return base64.urlsafe_b64encode(HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(key))
