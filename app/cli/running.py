"""Schema, service, worker, the day: commands that run something."""

from __future__ import annotations

import os
from contextlib import nullcontext
from typing import Annotated

import typer

from app import logs
from app.cli.base import Json, app, day, open_house, say
from app.clock import clock_for
from app.db import Database, migrate
from app.durable import must_be_safe
from app.settings import Settings


@app.command("migrate")
def migrate_command() -> None:
    """Bring the database to the newest revision, and derive standings anew when a rule changed."""
    prepare(Settings())
    typer.echo("数据库已是最新 / up to date")


def prepare(settings: Settings) -> None:
    """Schema at the newest revision, stored standings derived by the rules of this version, and the years its calendar brings."""
    from app.calendars.service import seed_missing
    from app.projects.rebuild import refresh_if_rules_changed

    must_be_safe(settings)
    migrate(settings.database_url)
    database = Database(settings.database_url)
    try:
        refresh_if_rules_changed(database)
        with database.write() as connection:
            seed_missing(connection, clock_for(settings).now())
    finally:
        database.dispose()


@app.command()
def serve(
    host: str = "127.0.0.1",
    port: int = 8000,
    workers: Annotated[int, typer.Option(min=1, max=64)] = 1,
    no_worker: Annotated[bool, typer.Option("--no-worker", help="不在本进程内运行每日任务")] = False,
    setup: Annotated[bool, typer.Option("--setup", help="先迁移数据库，空库时填入示例县（make run）")] = False,
) -> None:
    """Serve the API; unless --no-worker, the daily worker runs inside."""
    import uvicorn

    from app.operations.metrics import shared_counts
    from app.wire import raise_file_limit, served

    if host not in ("0.0.0.0", "::"):  # so that links of a digest lead here, where nobody said otherwise
        os.environ.setdefault("LUODI_PUBLIC_URL", f"http://{host}:{port}")
    settings = Settings()
    if setup:
        prepare(settings)
        if settings.demo:
            from app.demo import first_start

            first_start(settings, address=f"http://{host}:{port}")
    else:
        must_be_safe(settings, may_be_away=True)
    if no_worker:
        os.environ["LUODI_WORKER"] = "false"
    logs.configure(settings.log_level, settings.secrets(), settings.log)
    raise_file_limit()
    with shared_counts() if workers > 1 else nullcontext():
        several = workers if workers > 1 else None
        uvicorn.run("app.main:create_app", factory=True, host=host, port=port, workers=several, **served(settings))


@app.command()
def worker() -> None:
    """Run the daily worker alone (several are safe: one of them does the day)."""
    from app.worker import run_forever

    house = open_house()
    must_be_safe(house.settings)
    run_forever(house)


@app.command()
def daily(
    on: Annotated[str | None, typer.Option("--date", help="业务日期 YYYY-MM-DD")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run")] = False,
    as_json: Json = False,
) -> None:
    """Evaluate, enqueue and deliver what is due, now, whatever the hour or weekday."""
    from app.worker import daily as run_daily

    house = open_house()
    summary = run_daily(house, day(on), dry_run=dry_run)
    say(summary, as_json, "\n".join(f"{name}: {value}" for name, value in summary.items()))


@app.command()
def demo() -> None:
    """Fill an empty register with a demo county."""
    from app.demo import fill

    say(None, False, fill(open_house()))
