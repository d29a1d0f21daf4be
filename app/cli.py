"""`luodi …`: the same verbs as the API, for people at a terminal and for scripts. Exit 0 done, 1 refused, 2 misuse."""

from __future__ import annotations

import os
import sys
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError

from app.db import Database, current_revision, migrate
from app.errors import DomainError, NotFound
from app.main import build_house
from app.offices import queries as office_queries
from app.offices import service as offices
from app.offices.desk import House
from app.policies import service as policies
from app.policies.queries import book_of
from app.settings import Settings

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="落地 Luodi：跟踪每一个已签约项目，直至真正投产"
)
office_app = typer.Typer(no_args_is_help=True, help="单位 offices")
person_app = typer.Typer(no_args_is_help=True, help="人员 people")
token_app = typer.Typer(no_args_is_help=True, help="令牌 tokens")
policy_app = typer.Typer(no_args_is_help=True, help="时限策略 policy")
audit_app = typer.Typer(no_args_is_help=True, help="审计链 the chain of facts")
for sub, name in ((office_app, "office"), (person_app, "person"), (token_app, "token"), (policy_app, "policy"), (audit_app, "audit")):
    app.add_typer(sub, name=name)

Json = Annotated[bool, typer.Option("--json", help="机器可读的输出 / JSON output")]


def open_house() -> House:
    """The house for one command; says what to do when the database was never migrated."""
    settings = Settings()
    house = build_house(settings)
    with house.database.snapshot() as connection:
        if current_revision(connection) is None:
            raise NotFound("数据库尚未初始化；请先运行 luodi migrate / run `luodi migrate` first")
    return house


def say(value: Any, as_json: bool, text: str) -> None:
    """Print for a script or for a person."""
    typer.echo(orjson.dumps(value, option=orjson.OPT_UTC_Z).decode() if as_json else text)


def day(text: str | None) -> date | None:
    """An ISO date from an option; misuse otherwise."""
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter("日期应写作 YYYY-MM-DD") from error


@app.command("migrate")
def migrate_command() -> None:
    """Bring the database to the newest revision, and derive standings anew when a rule changed."""
    prepare(Settings())
    typer.echo("数据库已是最新 / up to date")


def prepare(settings: Settings) -> None:
    """Schema at the newest revision, and stored standings derived by the rules of this version."""
    from app.projects.rebuild import refresh_if_rules_changed

    migrate(settings.database_url)
    database = Database(settings.database_url)
    try:
        refresh_if_rules_changed(database)
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

    settings = Settings()
    if setup:
        prepare(settings)
        if settings.demo:
            from app.demo import first_start

            first_start(settings, address=f"http://{host}:{port}")
    if no_worker:
        os.environ["LUODI_WORKER"] = "false"
    uvicorn.run(
        "app.main:create_app", factory=True, host=host, port=port, workers=workers if workers > 1 else None, access_log=False,
        log_level=settings.log_level.lower(), timeout_graceful_shutdown=30, limit_concurrency=2000,
    )  # fmt: skip


@app.command()
def worker() -> None:
    """Run the daily worker alone (several are safe: one of them does the day)."""
    from app.worker import run_forever

    run_forever(open_house())


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


# offices, people, tokens ----------------------------------------------------------------------------


@office_app.command("add")
def office_add(
    code: Annotated[str, typer.Option()],
    name: Annotated[str, typer.Option()],
    kind: Annotated[str, typer.Option(help="county|bureau|town|department")],
    parent: str | None = None,
    as_json: Json = False,
) -> None:
    """Add an office."""
    with open_house().database.write() as connection:
        unit = offices.add_office(connection, code=code, name=name, kind=kind, parent=parent)
    say(unit._asdict(), as_json, f"已添加 {unit.name}（{unit.code}）")


@office_app.command("list")
def office_list(as_json: Json = False) -> None:
    """The tree of offices."""
    with open_house().database.snapshot() as connection:
        rows = office_queries.all_offices(connection)
    lines = [f"{'  ' * (one.path.count('/') - 2)}{one.code}\t{one.name}\t{one.kind}" for one in rows]
    say([one._asdict() for one in rows], as_json, "\n".join(lines))


@person_app.command("add")
def person_add(
    office: Annotated[str, typer.Option()],
    name: Annotated[str, typer.Option()],
    email: Annotated[str, typer.Option()],
    role: Annotated[str, typer.Option(help="clerk|officer|leader|auditor|admin")],
) -> None:
    """Add a person; the address is where the digest goes."""
    with open_house().database.write() as connection:
        number = offices.add_person(connection, office=office, name=name, email=email, role=role)
    typer.echo(number)


@person_app.command("leave")
def person_leave(email: str, on: str | None = None) -> None:
    """The person leaves: no more mail, and projects without an owner show."""
    house = open_house()
    with house.database.write() as connection:
        offices.person_leaves(connection, email, day(on) or house.clock.today())
    typer.echo("已登记")


@token_app.command("issue")
def token_issue(
    office: Annotated[str, typer.Option()],
    role: Annotated[str, typer.Option(help="clerk|officer|leader|auditor|admin")],
    days: int = 365,
    person: str | None = None,
) -> None:
    """Issue a token; it is printed alone on stdout, this once."""
    house = open_house()
    with house.database.write() as connection:
        typer.echo(offices.issue_token(connection, office=office, role=role, now=house.clock.now(), days=days, person=person))


@token_app.command("revoke")
def token_revoke(token: str) -> None:
    """Revoke a token by its id (the part before the dot); at once, for every process."""
    house = open_house()
    with house.database.write() as connection:
        offices.revoke_token(connection, token, house.clock.now())
    typer.echo("已吊销")


@token_app.command("list")
def token_list(as_json: Json = False) -> None:
    """Every token, without its secret."""
    house = open_house()
    with house.database.snapshot() as connection:
        rows = office_queries.tokens(connection)
    now = house.clock.now()
    state = ["吊销" if row["revoked_at"] else "过期" if row["expires_at"] <= now else "有效" for row in rows]
    say(
        rows,
        as_json,
        "\n".join(
            f"{row['id']}\t{row['code']}\t{row['role']}\t{word}\t至 {row['expires_at']:%Y-%m-%d}"
            for row, word in zip(rows, state, strict=True)
        ),
    )


# events in and out ----------------------------------------------------------------------------------


@app.command("import")
def import_command(
    file: Path,
    kind: Annotated[str, typer.Option("--format", help="events")] = "events",
    office: str | None = None,
    dry_run: Annotated[bool, typer.Option("--dry-run")] = False,
    create_offices: Annotated[bool, typer.Option("--create-offices")] = False,
    errors: Path | None = None,
    as_json: Json = False,
) -> None:
    """Take over history from an events CSV. The same file twice changes nothing; a bad row never stops good ones."""
    from app.ledgers.events import import_events

    if kind != "events":
        raise typer.BadParameter("目前支持 --format events")
    if not file.is_file():
        raise typer.BadParameter(f"没有文件 {file}")
    house = open_house()
    unit = None
    if office is not None:
        with house.database.snapshot() as connection:
            unit = office_queries.find_office(connection, office)
        if unit is None:
            raise NotFound(f"没有单位 {office}")

    def progress(done: int, total: int) -> None:
        typer.echo(f"\r{done}/{total}", err=True, nl=done >= total)

    summary = import_events(house, file, office=unit, create_offices=create_offices, dry_run=dry_run, errors_path=errors, progress=progress)
    say(summary.shown(), as_json, summary.text())
    if summary.rejected:
        raise typer.Exit(1)


@app.command("export")
def export_command(
    out: Path,
    kind: Annotated[str, typer.Option("--format", help="events")] = "events",
    office: str | None = None,
    as_of: Annotated[str | None, typer.Option("--as-of")] = None,
) -> None:
    """Write the events CSV."""
    from app.ledgers.events_export import export_events

    if kind != "events":
        raise typer.BadParameter("目前支持 --format events")
    house = open_house()
    unit = None
    if office is not None:
        with house.database.snapshot() as connection:
            unit = office_queries.find_office(connection, office)
        if unit is None:
            raise NotFound(f"没有单位 {office}")
    count = export_events(house, out, office=unit, as_of=day(as_of))
    typer.echo(f"已写出 {count} 条事件：{out}")


# policy ---------------------------------------------------------------------------------------------


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


# proofs ---------------------------------------------------------------------------------------------


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


def main() -> None:
    """Entry point: refusals become one plain sentence and exit code 1."""
    try:
        app()
    except DomainError as refusal:
        typer.echo(f"{refusal.title}：{refusal.hint}" if refusal.hint else refusal.title, err=True)
        sys.exit(1)
    except ValidationError as error:  # a setting that cannot be
        for one in error.errors(include_input=False):
            name = "LUODI_" + "_".join(str(part) for part in one["loc"]).upper()
            typer.echo(f"设置有误 / bad setting {name}: {one['msg']}", err=True)
        sys.exit(2)
    except DBAPIError as error:
        typer.echo(f"数据库不可用 / database unavailable: {error.orig}", err=True)
        sys.exit(1)
