"""Events in and out, policy, and the proofs that stored equals folded and the chain is whole."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.base import Json, app, audit_app, day, open_house, policy_app, say
from app.cli.meter import Meter
from app.errors import NotFound
from app.offices import queries as office_queries
from app.offices.desk import House
from app.policies import service as policies
from app.policies.queries import book_of


def _office(house: House, text: str | None) -> office_queries.OfficeRow | None:
    """The office that an option names by code or name."""
    if text is None:
        return None
    with house.database.snapshot() as connection:
        unit = office_queries.find_office(connection, text)
    if unit is None:
        raise NotFound(f"没有单位 {text}；用 luodi office list 查看 / no such office")
    return unit


@app.command("import")
def import_command(
    file: Path,
    kind: Annotated[str | None, typer.Option("--format", help="ledger | events；默认看文件内容")] = None,
    office: str | None = None,
    dry_run: Annotated[bool, typer.Option("--dry-run")] = False,
    create_offices: Annotated[bool, typer.Option("--create-offices")] = False,
    errors: Path | None = None,
    as_json: Json = False,
) -> None:
    """Take over an Excel ledger, or history from an events CSV. The same file twice changes nothing; a bad row never stops good ones."""
    from app.ledgers.events import import_events
    from app.ledgers.service import import_ledger

    if kind not in (None, "events", "ledger"):
        raise typer.BadParameter("--format ledger 或 events")
    if not file.is_file():
        raise typer.BadParameter(f"没有文件 {file}")
    house = open_house()
    unit = _office(house, office)
    meter = Meter()
    options: dict[str, Any] = {"office": unit, "create_offices": create_offices, "dry_run": dry_run, "errors_path": errors}
    if kind == "ledger" or (kind is None and _looks_like_a_ledger(file)):
        told = import_ledger(house, file, **options, progress=lambda rows, total: meter.tell("导入 importing", rows, rows / (total or 1)))
        meter.end()
        say(told.shown(), as_json, told.text())
        if told.refused:
            raise typer.Exit(1)
        return
    summary = import_events(
        house, file, **options,
        reading=lambda rows, share: meter.tell("读取 reading", rows, share),
        progress=lambda rows, total: meter.tell("写入 writing", rows, rows / total),
    )  # fmt: skip
    meter.end()
    say(summary.shown(), as_json, summary.text())
    if summary.rejected:
        raise typer.Exit(1)


def _looks_like_a_ledger(file: Path) -> bool:
    """A workbook by its first bytes, or a text that names the column of projects near its beginning."""
    with file.open("rb") as opened:
        begin = opened.read(1 << 16)
    workbook = begin.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0"))
    return workbook or any("项目名称".encode(code) in begin for code in ("utf-8", "gb18030"))


@app.command("export")
def export_command(
    out: Path,
    kind: Annotated[str | None, typer.Option("--format", help="ledger | events；默认按扩展名：.xlsx 为台账，其余为事件")] = None,
    office: str | None = None,
    as_of: Annotated[str | None, typer.Option("--as-of")] = None,
    template: Annotated[bool, typer.Option("--template", help="空白台账模板 / a blank ledger")] = False,
) -> None:
    """Write the Excel ledger (.xlsx, .csv), a blank one, or the events CSV."""
    from app.ledgers.events_export import export_events
    from app.ledgers.exporting import export_ledger, export_template

    if kind not in (None, "events", "ledger"):
        raise typer.BadParameter("--format ledger 或 events")
    if template and (kind == "events" or office or as_of):
        raise typer.BadParameter("--template 只写空白台账，不与其他选项同用")
    house = open_house()
    if template:
        export_template(house, out)
        typer.echo(f"已写出空白台账：{out}")
        return
    unit = _office(house, office)
    if kind == "ledger" or (kind is None and out.suffix.lower() == ".xlsx"):
        meter = Meter()
        count = export_ledger(
            house, out, office=unit, as_of=day(as_of),
            progress=lambda rows, total: meter.tell("导出 exporting", rows, rows / (total or 1)),
        )  # fmt: skip
        meter.end()
        typer.echo(f"已写出 {count} 个项目：{out}")
        return
    count = export_events(house, out, office=unit, as_of=day(as_of))
    typer.echo(f"已写出 {count} 条事件：{out}")


@policy_app.command("show")
def policy_show(as_json: Json = False, on: Annotated[str | None, typer.Option("--date")] = None) -> None:
    """The version that governs today (or a date), as TOML that `policy set` reads."""
    house = open_house()
    with house.database.snapshot() as connection:
        policy = book_of(house.database).governing(connection, day(on) or house.clock.today(), None)
    shown = policy.shown()
    say(shown, as_json, policies.as_toml(shown))


@policy_app.command("set")
def policy_set(file: Path, effective: Annotated[str | None, typer.Option("--effective")] = None, as_json: Json = False) -> None:
    """Record a new version; it changes only what the file names, from its effective date on."""
    if not file.is_file():
        raise typer.BadParameter(f"没有文件 {file}")
    house = open_house()
    table = policies.read_file(file.read_text(encoding="utf-8-sig"))
    with house.database.write() as connection:
        version = policies.set_policy(
            connection, book_of(house.database), table, effective_from=day(effective) or house.clock.today(), now=house.clock.now()
        )
    say(
        {"version": version.id, "effective_from": version.effective_from},
        as_json,
        f"策略第 {version.id} 版，自 {version.effective_from} 起生效",
    )


@app.command()
def rebuild(check: Annotated[bool, typer.Option("--check", help="只比较，不改写")] = False) -> None:
    """Derive standings anew from the facts, or prove that the stored ones equal them."""
    from app.projects import rebuild as derivation

    house = open_house()
    if check:
        wrong = derivation.check(house.database)
        typer.echo("\n".join(wrong) if wrong else "一致：存储的状态与事实推导的状态完全相同 / stored == folded")
        raise typer.Exit(1 if wrong else 0)
    derivation.rebuild(house.database)
    typer.echo("已重新推导")


@audit_app.command("verify")
def audit_verify() -> None:
    """Follow every project's chain; names the first broken link."""
    from app.projects.rebuild import verify_chains

    house = open_house()
    broken = verify_chains(house.database, house.audit_key)
    typer.echo("\n".join(broken) if broken else "完整：每个项目的事实链均未被改动 / every chain is whole")
    raise typer.Exit(1 if broken else 0)
