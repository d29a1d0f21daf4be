"""What every command shares: the house it opens, how it prints, and the command groups."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

import orjson
import typer

from app.db import current_revision
from app.errors import NotFound
from app.main import build_house
from app.offices.desk import House
from app.settings import Settings

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="落地 Luodi：跟踪每一个已签约项目，直至真正投产"
)
office_app = typer.Typer(no_args_is_help=True, help="单位 offices")
person_app = typer.Typer(no_args_is_help=True, help="人员 people")
token_app = typer.Typer(no_args_is_help=True, help="令牌 tokens")
calendar_app = typer.Typer(no_args_is_help=True, help="工作日历 the calendar of workdays")
policy_app = typer.Typer(no_args_is_help=True, help="时限策略 policy")
robot_app = typer.Typer(no_args_is_help=True, help="群机器人 group robots")
order_app = typer.Typer(no_args_is_help=True, help="督办单 supervision orders")
column_app = typer.Typer(no_args_is_help=True, help="台账列名与别名 columns of ledgers")
audit_app = typer.Typer(no_args_is_help=True, help="审计链 the chain of facts")
GROUPS = {
    "office": office_app, "person": person_app, "token": token_app, "policy": policy_app, "calendar": calendar_app, "audit": audit_app,
    "robot": robot_app, "order": order_app, "column": column_app,
}  # fmt: skip
for name, sub in GROUPS.items():
    app.add_typer(sub, name=name)

Json = Annotated[bool, typer.Option("--json", help="机器可读的输出 / JSON output")]


def open_house() -> House:
    """The house for one command; says what to do when the database was never migrated, or the clock is wrong."""
    settings = Settings()
    house = build_house(settings)
    with house.database.snapshot() as connection:
        if current_revision(connection) is None:
            raise NotFound("数据库尚未初始化；请先运行 luodi migrate / run `luodi migrate` first")
    house.skew.must_be_small()
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
