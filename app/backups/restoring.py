"""Bringing a backup back. From the first moment that the register is there again, everything is held back: the system that was
lost may have sent, after the backup was made, what the backup still has waiting."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa
from psycopg import sql

from app.alerts import holding
from app.backups import postgres, records, sqlite
from app.backups.archive import Archive, flush_folder, workshop
from app.backups.manifest import BackupBroken, Manifest, contents
from app.backups.taking import Progress, looked_at
from app.clock import Clock
from app.db import Database, alembic_config, head, migrate
from app.errors import DomainError
from app.offices.models import Meta
from app.projects.rebuild import verify_chains
from app.settings import Settings

CHECK, LAY = "核对 checking", "恢复 restoring"
LOGS = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a database."""


class Restored(NamedTuple):
    """What a restore came to. `kept_aside` is the database that was there before; `broken` are chains that were broken already
    when the backup was made."""

    manifest: Manifest
    doubtful_through: date
    kept_aside: Path | None
    broken: list[str]


def read(path: Path, key: bytes | None, progress: Progress, *, unproven: bool = False) -> Archive:
    """Open a backup and prove it: every byte by the manifest, the manifest by the audit key. BackupBroken otherwise.

    `unproven` is for those who lost the key: then only accidents are found.
    """
    archive = Archive(path)
    try:
        _prove(archive, key, progress, unproven=unproven)
    except BaseException:
        archive.close()
        raise
    return archive


def _prove(archive: Archive, key: bytes | None, progress: Progress, *, unproven: bool) -> None:
    if not unproven:
        if key is None:
            raise BackupBroken(
                "没有审计密钥，无法核对封印：请带上原来的 LUODI_AUDIT_KEY（或 var/audit.key）；密钥已失时用 --unproven / no key"
            )
        if not archive.manifest.proven(key):
            raise BackupBroken("封印与审计密钥不符：密钥不是备份时的那一把，或清单被改动 / another key, or the manifest was changed")
    size = max(archive.manifest.dump_bytes, 1)
    archive.check(lambda done: progress(CHECK, done, done / size))


def known_key(settings: Settings) -> bytes | None:
    """The audit key, unless there is none yet: a restore must not make one."""
    there = settings.audit_key or (settings.var_dir / "audit.key").exists()
    return settings.key("audit_key") if there else None


def doubtful_day(settings: Settings, clock: Clock, manifest: Manifest) -> date:
    """The last day whose messages the lost system may have sent: today from the hour of the daily run on, else the day before."""
    now = clock.now()
    today = clock.business_date(now)
    begun = now >= datetime.combine(today, settings.daily_at, settings.zone)
    return max(today if begun else today - timedelta(days=1), clock.business_date(manifest.made_at))


def must_fit(archive: Archive, database: Database) -> None:
    """Refuse another kind of database, and a revision that this version does not know."""
    manifest, kind = archive.manifest, "sqlite" if database.sqlite else "postgresql"
    if manifest.database != kind:
        raise DomainError(
            f"备份来自 {manifest.database}，目标是 {kind}：不能互换；事件可用 luodi export 与 luodi import 转移 / not across kinds"
        )
    from alembic.script import ScriptDirectory

    known = {one.revision for one in ScriptDirectory.from_config(alembic_config("sqlite://")).walk_revisions()}
    if manifest.revision not in known:
        raise DomainError(
            f"备份的版本 {manifest.revision} 比本程序（{head()}）新；请用 Luodi {manifest.luodi} 或更新 / made by a newer version"
        )


def restore(
    database: Database,
    archive: Archive,
    key: bytes | None,
    clock: Clock,
    doubtful_through: date,
    progress: Progress,
    *,
    replace: bool = False,
    prepare: Callable[[str], None] = migrate,
) -> Restored:
    """Lay the backup down in an empty database, held back; then bring it to this version's revision and prove the chains.

    `replace` (SQLite) moves a database that is not empty aside. `prepare` migrates whatever an address names.
    """
    must_fit(archive, database)
    lay = _sqlite if database.sqlite else _postgresql
    kept = lay(database, archive, key, clock.now(), doubtful_through, progress, replace=replace, prepare=prepare)
    return Restored(archive.manifest, doubtful_through, kept, verify_chains(database, key) if key else [])


def _sqlite(
    database: Database, archive: Archive, key: bytes | None, now: datetime, doubtful_through: date, progress: Progress,
    *, replace: bool, prepare: Callable[[str], None],
) -> Path | None:  # fmt: skip
    target = Path(str(database.url.database)).absolute()
    target.parent.mkdir(parents=True, exist_ok=True)
    empty = sqlite.is_empty(target)
    if not empty and not replace:
        raise DomainError(f"{target} 不是空库；加 --replace 会先把它移到一旁 / not empty: --replace moves it aside first")
    if not target.exists() and (left := [one for end in LOGS if (one := target.with_name(target.name + end)).exists()]):
        raise DomainError(f"{left[0]} 属于已不在的库，会混入新库；请先移走 / a log without its database: move it away")
    size = max(archive.manifest.dump_bytes, 1)
    with workshop(target) as folder:
        made = folder / target.name
        archive.copy_dump(made, lambda done: progress(LAY, done, done / size))
        sqlite.check(made)
        _must_be(looked_at(made, key).differences(archive.manifest))
        draft = Database(f"sqlite:///{made}")
        try:
            with draft.write() as connection:
                _hold(connection, archive.manifest, now, doubtful_through)
            prepare(str(draft.url))
        finally:
            draft.dispose()
        with sqlite.alone(made):
            pass  # one file again, without a log
        if os.geteuid() == 0:  # whoever restores, the service has to be able to write it
            owner = (target if target.exists() else target.parent).stat()
            os.chown(made, owner.st_uid, owner.st_gid)
        with made.open("rb") as file:
            os.fsync(file.fileno())
        return _put(made, target, now, empty=empty)


def _put(made: Path, target: Path, now: datetime, *, empty: bool) -> Path | None:
    """The new file in the place of the old one, in one step; where the old one is now."""
    kept = None
    if target.exists():
        with sqlite.alone(target):
            if not empty:
                kept = target.with_name(f"{target.name}.before-restore-{now:%Y%m%dT%H%M%SZ}")
                _keep(target, kept)
            made.replace(target)
    else:
        made.replace(target)
    flush_folder(target.parent)
    return kept


def _keep(old: Path, kept: Path) -> None:
    """Another name for the old file; where there are no links, its only one."""
    try:
        kept.hardlink_to(old)
    except FileExistsError:
        raise
    except OSError:
        old.rename(kept)
    flush_folder(old.parent)


def _postgresql(
    database: Database, archive: Archive, key: bytes | None, now: datetime, doubtful_through: date, progress: Progress,
    *, replace: bool, prepare: Callable[[str], None],
) -> None:  # fmt: skip
    if not postgres.is_empty(database):
        raise DomainError("数据库不是空的；请用 createdb 新建一个，并让 LUODI_DATABASE_URL 指向它 / not empty: make a new database")
    with database.statement() as connection:
        server = postgres.major(connection)
    size = max(archive.manifest.dump_bytes, 1)
    with workshop(Path(tempfile.gettempdir()) / "luodi-restore") as folder:
        dump = folder / "dump"
        archive.copy_dump(dump, lambda done: progress(CHECK, done, done / size))
        progress(LAY, 0, None)
        postgres.restore(database, dump, server, archive.manifest.rows, _held_from_the_start(archive.manifest, now, doubtful_through))
    database.dispose()  # connections that knew an empty database
    with database.snapshot() as connection:
        _must_be(_without_ours(contents(connection, key).differences(archive.manifest)))
    with database.write() as connection:
        holding.take_in(connection, records.REASON, now=now)
    prepare(database.url.render_as_string(hide_password=False))
    return None


def _hold(connection: sa.Connection, manifest: Manifest, now: datetime, doubtful_through: date) -> None:
    """Nothing leaves, and it is written down what was restored."""
    holding.hold(connection, records.REASON, now=now, doubtful_through=doubtful_through)
    holding.take_in(connection, records.REASON, now=now)
    connection.execute(sa.insert(Meta).values(**records.new(manifest, now, doubtful_through)))


def _held_from_the_start(manifest: Manifest, now: datetime, doubtful_through: date) -> Iterator[sql.Composed]:
    """The same hold as statements for psql, in the transaction that restores."""
    values = [sql.Literal(one) for one in (records.REASON, now, doubtful_through)]
    yield sql.SQL(
        "INSERT INTO sending_hold (id, reason, since, doubtful_through) VALUES (1, {}, {}, {}) "
        "ON CONFLICT (id) DO UPDATE SET reason = excluded.reason, doubtful_through = excluded.doubtful_through"
    ).format(*values)
    row = records.new(manifest, now, doubtful_through)
    yield sql.SQL("INSERT INTO meta (name, value) VALUES ({}, {})").format(sql.Literal(row["name"]), sql.Literal(row["value"]))


def _without_ours(differences: list[str]) -> list[str]:
    """Two tables have what the restore itself wrote into them."""
    return [one for one in differences if not one.startswith(("meta ", "sending_hold "))]


def _must_be(differences: list[str]) -> None:
    if differences:
        raise BackupBroken("；".join(differences[:5]))
