"""The whole register in one file, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from app import logs
from app.backups import finalizing, restoring, taking
from app.backups.archive import Archive
from app.cli.base import Json, app, day, open_house, say
from app.cli.meter import Meter
from app.cli.running import prepare
from app.clock import clock_for
from app.db import Database, current_revision
from app.durable import inspector, must_be_safe
from app.errors import NotFound
from app.settings import Settings

AFTERWARDS = (
    "此后记录的内容不在其中；备份之后吊销的令牌重新有效：请核对 luodi token list / tokens revoked since are live again",
    "一切消息已暂缓；核对无误后运行 luodi restore --finalize / nothing is sent until then",
)


@app.command("backup")
def backup_command(
    out: Annotated[Path, typer.Argument(help="尚不存在的文件，或一个文件夹 / a file that is not there yet, or a folder")],
    as_json: Json = False,
) -> None:
    """The whole register as one file, while servers write. Holds no key: keep LUODI_AUDIT_KEY and LUODI_SECRET_KEY elsewhere."""
    settings = Settings()
    logs.configure(settings.log_level, settings.secrets())
    database, meter = Database(settings.database_url), Meter()
    try:
        with database.statement() as connection:
            if current_revision(connection) is None:
                raise NotFound("数据库尚未初始化；请先运行 luodi migrate / run `luodi migrate` first")
        path, manifest = taking.backup(database, out, settings.key("audit_key"), clock_for(settings).now(), meter.weigh)
    finally:
        meter.end()
        database.dispose()
    size, rows = path.stat().st_size, sum(manifest.rows.values())
    said = f"已备份到 {path}：{size / 1e6:,.1f} MB，{manifest.heads} 个项目，{rows} 行；其中没有密钥，请另行保管 / keys are not in it"
    say({"path": str(path), "bytes": size, "manifest": manifest.model_dump(mode="json")}, as_json, said)


@app.command("restore")
def restore_command(
    file: Annotated[Path | None, typer.Argument(metavar="IN", help="luodi backup 写出的文件")] = None,
    finalize: Annotated[bool, typer.Option("--finalize", help="恢复已核对无误：重新开始发送 / send again")] = False,
    verify: Annotated[
        bool, typer.Option("--verify", "--dry-run", help="只读一遍备份，说明是否完整 / only say whether it is whole")
    ] = False,
    replace: Annotated[bool, typer.Option("--replace", help="SQLite：现有的库先移到一旁 / move the present one aside")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="不再询问 / do not ask")] = False,
    unproven: Annotated[bool, typer.Option("--unproven", help="审计密钥已失：不核对封印 / the audit key is lost")] = False,
    doubtful_through: Annotated[str | None, typer.Option(help="原系统可能已发送到哪一天 / last day it may have sent")] = None,
    as_json: Json = False,
) -> None:
    """A backup into an empty database, then `--finalize`: until then nothing is sent, so that nothing goes out twice."""
    if finalize == (file is not None):
        raise typer.BadParameter("请给出备份文件，或 --finalize / either a file or --finalize")
    if finalize:
        return _finalize(yes, as_json)
    assert file is not None
    settings, meter = Settings(), Meter()
    logs.configure(settings.log_level, settings.secrets())
    key = None if unproven else restoring.known_key(settings)
    try:
        archive = restoring.read(file, key, meter.weigh, unproven=unproven)
    finally:
        meter.end()
    if verify:
        archive.close()
        told = archive.manifest.model_dump(mode="json")
        return say({"whole": True, "proven": not unproven, "manifest": told}, as_json, "\n".join(["完整 / whole", *_described(archive)]))
    _restore(settings, archive, key, day(doubtful_through), meter, replace=replace, yes=yes, as_json=as_json)


def _restore(
    settings: Settings, archive: Archive, key: bytes | None, until: Any, meter: Meter, *, replace: bool, yes: bool, as_json: bool
) -> None:
    clock = clock_for(settings)
    if not settings.database_url.startswith("sqlite"):
        must_be_safe(settings)
    typer.echo("\n".join(_described(archive)), err=True)
    if replace and not yes:
        typer.confirm("现有的数据库将被移到一旁，由备份取代；继续？ / replace the present database?", abort=True, err=True)
    database = Database(settings.database_url, 8, inspector(settings))
    try:
        done = restoring.restore(
            database, archive, key, clock, until or restoring.doubtful_day(settings, clock, archive.manifest), meter.weigh,
            replace=replace, prepare=lambda url: prepare(settings.model_copy(update={"database_url": url})),
        )  # fmt: skip
    finally:
        meter.end()
        database.dispose()
        archive.close()
    told = {"manifest": done.manifest.model_dump(mode="json"), "doubtful_through": done.doubtful_through, "broken": done.broken}
    lines = [f"已恢复：{done.manifest.heads} 个项目，{sum(done.manifest.rows.values())} 行", *done.broken, *AFTERWARDS]
    if done.kept_aside is not None:
        lines.insert(1, f"原来的库在 {done.kept_aside}")
    say({**told, "kept_aside": done.kept_aside and str(done.kept_aside)}, as_json, "\n".join(lines))
    if done.broken:
        raise typer.Exit(1)


def _described(archive: Archive) -> list[str]:
    one = archive.manifest
    return [
        f"备份于 {one.made_at:%Y-%m-%d %H:%M:%S} UTC，Luodi {one.luodi}，{one.database} {one.server}，版本 {one.revision}",
        f"{one.heads} 个项目，{sum(one.rows.values())} 行，{one.dump_bytes / 1e6:,.1f} MB",
    ]


def _finalize(yes: bool, as_json: bool) -> None:
    house = open_house()
    try:
        with house.database.snapshot() as connection:
            ahead = finalizing.outlook(connection)
        for one in ahead.restores.values():
            typer.echo(f"恢复的是 {one['made_at']} 的备份，恢复于 {one['restored_at']}", err=True)
        typer.echo(
            f"{ahead.uncertain} 条消息（{ahead.doubtful_through} 及以前）可能已由原系统发出：记为 uncertain，不会自动重发，可逐条人工重发；"
            f"{ahead.pending} 条将照常发送（超过当日时限的作废）",
            err=True,
        )
        if not yes:
            typer.confirm("原系统确已停止，开始发送？ / the old system is down: send again?", abort=True, err=True)
        came_to = finalizing.finalize(house)
    finally:
        house.database.dispose()
    say(came_to, as_json, f"已恢复发送：{came_to['uncertain']} 条待人工决定，{came_to['pending']} 条等待发送")
