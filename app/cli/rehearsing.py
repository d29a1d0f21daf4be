"""Candidate limits over history, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.base import Json, day, open_house, policy_app, say
from app.errors import NotFound
from app.offices import queries as office_queries
from app.offices.access import Caller
from app.policies.service import read_file

EVERYBODY = Caller(None, 0, "", "", "county", "auditor", None, "/")
"""Whoever has the command line has the whole register."""


@policy_app.command("rehearse")
def policy_rehearse(
    files: Annotated[list[Path], typer.Argument(metavar="FILE.toml…", help="每个文件一个方案 / one variant each")],
    begin: Annotated[str | None, typer.Option("--from", help="第一天；默认为最近十二个月")] = None,
    end: Annotated[str | None, typer.Option("--to", help="最后一天；默认为今天")] = None,
    office: Annotated[str | None, typer.Option(help="只看一个单位及其下级")] = None,
    knowledge: Annotated[str, typer.Option(help="now：按现在已知；then：按每天早晨当时已知")] = "now",
    as_json: Json = False,
) -> None:
    """What candidate limits would have flagged and told over a period, beside those in force; nothing is written."""
    from app.rehearsals import queries, service
    from app.rehearsals.table import as_text

    if knowledge not in (queries.NOW, queries.THEN):
        raise typer.BadParameter("knowledge 只能是 now 或 then")
    for file in files:
        if not file.is_file():
            raise typer.BadParameter(f"没有文件 {file}")
    asked = service.Asked(_named(files), day(begin), day(end), knowledge)
    house = open_house()
    with house.database.snapshot() as connection:
        unit = office_queries.find_office(connection, office) if office else None
        if office and unit is None:
            raise NotFound(f"没有单位 {office}；用 luodi office list 查看 / no such office")
        scope = office_queries.scope(connection, EVERYBODY, unit.code if unit else None)

    def progress(done: int, total: int) -> None:
        typer.echo(f"\r{done}/{total}", err=True, nl=done >= total)

    said = service.rehearse(house, asked, scope, office=unit.shown if unit else None, progress=progress)
    say(said, as_json, as_text(said, {one.code: one.name for one in scope.offices.values()}))


def _named(files: list[Path]) -> list[tuple[str, dict[str, Any]]]:
    """Each file's table under its own name; a second file of the same name gets a number."""
    from app.rehearsals.variants import CURRENT

    found: dict[str, dict[str, Any]] = {}
    for file in files:
        name, number = file.stem, 2
        while name in found or name == CURRENT:
            name, number = f"{file.stem}-{number}", number + 1
        found[name] = read_file(file.read_text(encoding="utf-8-sig"))
    return list(found.items())
