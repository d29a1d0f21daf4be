"""What a backup says about itself, and the proof that nobody changed it: an HMAC under the audit key, which is not in it.

The seal is one value over the heads of all chains of facts, so it stands for every fact there was: whoever restores computes
it again from the restored rows.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from datetime import datetime
from typing import Literal, Self

import orjson
import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy.engine import Connection

from app import __version__
from app.db import current_revision
from app.errors import DomainError
from app.projects.models import Project

FORMAT = 1
AT_ONCE = 5000
Hex = Field(pattern=r"^[0-9a-f]{64}$")


class BackupBroken(DomainError):
    """The file is not a whole backup, or not the one that was made."""

    code, title = "backup_broken", "备份文件不可用 / not a whole backup"


class Manifest(BaseModel):
    """`rows` counts every table; `heads` the chains of facts, `seal` stands for all of them; `mac` proves all the rest."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int
    luodi: str
    made_at: datetime
    revision: str
    database: Literal["sqlite", "postgresql"]
    server: str
    dump_bytes: int = Field(ge=0)
    dump_sha256: str = Hex
    rows: dict[str, int]
    heads: int = Field(ge=0)
    seal: str = Hex
    mac: str = Field("", pattern=r"^([0-9a-f]{64})?$")

    def signed(self, key: bytes) -> Self:
        """The same with its proof."""
        return self.model_copy(update={"mac": self._mac(key)})

    def proven(self, key: bytes) -> bool:
        """Was it made under this key, and is it as it was?"""
        return hmac.compare_digest(self.mac, self._mac(key))

    def _mac(self, key: bytes) -> str:
        said = orjson.dumps(self.model_dump(mode="json", exclude={"mac"}), option=orjson.OPT_SORT_KEYS)
        return hmac.digest(key, b"luodi backup\x1e" + said, "sha256").hex()

    def as_json(self) -> bytes:
        """How it stands in the file."""
        return orjson.dumps(self.model_dump(mode="json"), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)

    @classmethod
    def read(cls, text: bytes) -> Self:
        """From a file; BackupBroken when it is none that this version understands."""
        try:
            told = orjson.loads(text)
            if isinstance(told, dict) and isinstance(told.get("format"), int) and told["format"] > FORMAT:
                raise BackupBroken(f"备份格式 {told['format']} 由更新的版本写成；请用该版本恢复 / made by a newer version")
            return cls.model_validate(told)
        except (orjson.JSONDecodeError, ValidationError) as error:
            raise BackupBroken("清单无法读取 / the manifest cannot be read") from error


class Contents(BaseModel):
    """What a database holds, as far as a manifest says it."""

    revision: str
    rows: dict[str, int]
    heads: int
    seal: str

    def differences(self, other: Manifest) -> list[str]:
        """What is otherwise than a manifest says, one sentence each."""
        found = []
        if self.revision != other.revision:
            found.append(f"版本为 {self.revision}，清单为 {other.revision} / revision differs")
        for table in sorted({*self.rows, *other.rows}):
            if self.rows.get(table) != other.rows.get(table):
                found.append(f"{table} 有 {self.rows.get(table)} 行，清单为 {other.rows.get(table)} / rows differ")
        if self.seal and (self.seal, self.heads) != (other.seal, other.heads):
            found.append("事实链的封印与清单不符 / the seal of the chains differs")
        return found


def contents(connection: Connection, key: bytes | None) -> Contents:
    """Count and seal what a connection sees; to be called inside one snapshot. Without a key there is no seal."""
    revision = current_revision(connection)
    if revision is None:
        raise DomainError("数据库尚未初始化；请先运行 luodi migrate / run `luodi migrate` first")
    quote = connection.dialect.identifier_preparer.quote
    tables = sorted(sa.inspect(connection).get_table_names())
    rows = {one: int(connection.exec_driver_sql(f"SELECT count(*) FROM {quote(one)}").scalar_one()) for one in tables}
    query = sa.select(Project.ref, Project.version, Project.head_mac).order_by(Project.id).execution_options(yield_per=AT_ONCE)
    heads = ((row.ref, row.version, row.head_mac) for row in connection.execute(query))
    number, seal = sealed(key or b"", heads)
    return Contents(revision=revision, rows=rows, heads=number, seal=seal if key else "")


def sealed(key: bytes, heads: Iterable[tuple[str, int, str]]) -> tuple[int, str]:
    """(how many, one value for all of them): HMAC-SHA256 over ref, number of facts and last mac of each project, in order."""
    made, number = hmac.new(key, b"luodi heads", "sha256"), 0
    for ref, version, mac in heads:
        made.update(f"\x1e{ref}\x1f{version}\x1f{mac}".encode())
        number += 1
    return number, made.hexdigest()


def made_by(made_at: datetime, database: str, server: str, found: Contents, dump: tuple[int, str]) -> Manifest:
    """The manifest of a dump of so many bytes with that SHA-256; not signed yet."""
    return Manifest(
        format=FORMAT, luodi=__version__, made_at=made_at, database="sqlite" if database == "sqlite" else "postgresql", server=server,
        revision=found.revision, rows=found.rows, heads=found.heads, seal=found.seal, dump_bytes=dump[0], dump_sha256=dump[1], mac="",
    )  # fmt: skip
