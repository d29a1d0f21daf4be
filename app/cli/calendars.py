"""The calendar of workdays: what is known of a year, and the import of its notice."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from app.calendars import queries, service
from app.calendars.schemas import LONGEST, YEARS
from app.calendars.sheet import as_sheet, decoded
from app.cli.base import Json, calendar_app, open_house, say
from app.heart.calendar import Year

YearOption = Annotated[int | None, typer.Option("--year", min=YEARS.start, max=YEARS.stop - 1)]


@calendar_app.command("show")
def calendar_show(
    year: YearOption = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="写成 calendar import 能读的 CSV")] = False,
    as_json: Json = False,
) -> None:
    """A year's days off and worked weekend days (this year's), and where they come from."""
    house = open_house()
    wanted = year or house.clock.today().year
    with house.database.snapshot() as connection:
        in_force = queries.governing(queries.versions(connection, wanted))
    found = in_force[0] if in_force else None
    says = found.says if found else Year(wanted, {}, {})
    if as_csv:
        typer.echo(as_sheet(says), nl=False)
        return
    told = {**queries.shown(says), "provisional": found is None, **(queries.of_version(found) if found else {})}
    head = f"{wanted} 年：尚未公布或尚未导入，工作日按周一至周五暂计 / provisional"
    if found is not None:
        since = (
            "随软件提供" if found.recorded_at.year == 1 else f"记录于 {found.recorded_at.astimezone(house.settings.zone):%Y-%m-%d %H:%M}"
        )
        head = f"{wanted} 年：第 {found.id} 版，来源 {found.source or '未注明'}，{since}"
    say(told, as_json, "\n".join([head, *_lines(told)]))


@calendar_app.command("import")
def calendar_import(
    file: Path,
    year: Annotated[int, typer.Option("--year", min=YEARS.start, max=YEARS.stop - 1)],
    source: Annotated[str | None, typer.Option(help="通知的文号或网址")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="只显示读到的内容，不导入")] = False,
    as_json: Json = False,
) -> None:
    """Import a year from the notice's own wording or a CSV (date,kind,name); everything wrong is told at once."""
    if not file.is_file():
        raise typer.BadParameter(f"没有文件 {file}")
    if source is not None and not (len(source) <= 500 and source.isprintable()):
        raise typer.BadParameter("来源应为不超过 500 字的一行文字")
    if file.stat().st_size > 4 * LONGEST:
        raise typer.BadParameter(f"文件过大；通知或 CSV 不超过 {LONGEST} 字")
    given = decoded(file.read_bytes())
    understood = service.read(given, year)
    house = open_house()
    with house.database.write() as connection:
        told = service.import_year(
            connection, understood, given=given, source=source, actor=None, clock=house.clock.now, dry_run=dry_run
        )  # fmt: skip
    end = (
        f"已导入，第 {told['version']} 版"
        if told["stored"]
        else "仅核对，未导入"
        if dry_run
        else f"与第 {told['version']} 版相同，无需导入"
    )
    say(told, as_json, "\n".join([f"{year} 年，来源 {told['source'] or '未注明'}", *_lines(told), end]))


def _lines(told: dict[str, Any]) -> list[str]:
    """What a year says, one line per holiday."""
    lines = [f"放假 {one['name']}：{one['first']} 至 {one['last']}，{one['days']} 天" for one in told["holidays"]]
    lines += [f"上班 {one['date']}（{one['name']}）" for one in told["workdays"]]
    for name, word in (("becomes_off", "改为放假"), ("becomes_workday", "改为上班")):
        if told.get(name):
            lines.append(f"{word}：{'、'.join(str(day) for day in told[name])}")
    lines += [f"提醒：{one}" for one in told.get("warnings", ())]
    return lines + [f"未当作放假：{one}" for one in told.get("ignored", ())]
