"""The doctor, and letting go of what was kept long enough: commands of whoever runs the service."""

from __future__ import annotations

from typing import Annotated

import typer

from app import logs
from app.cli.base import Json, app, open_house, say
from app.settings import Settings


@app.command()
def doctor(as_json: Json = False) -> None:
    """Look at everything this installation needs, and say what to do. Exit 1 when something is bad."""
    from app.operations.checks import CHECKS
    from app.operations.condition import BAD
    from app.operations.doctor import examine, report, text

    settings = Settings()
    logs.configure(settings.log_level, settings.secrets(), settings.log)
    lines = examine(settings, CHECKS)
    found = report(lines)
    say(found, as_json, text(lines))
    if found["status"] == BAD:
        raise typer.Exit(1)


@app.command()
def prune(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="只统计，不清理")] = False,
    as_json: Json = False,
) -> None:
    """Let go of what was kept long enough; facts, standings and decisions of persons stay. Safe while serving."""
    from app.operations.retention import prune as let_go

    house = open_house()
    counts = let_go(house.database, house.settings, house.clock.now(), dry_run=dry_run)
    say({"dry_run": dry_run, **counts}, as_json, "\n".join(f"{name}: {number}" for name, number in counts.items()))
