"""`luodi …`: the same verbs as the API, for people at a terminal and for scripts. Exit 0 done, 1 refused, 2 misuse."""

from __future__ import annotations

import sys

import typer
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError

from app.cli import backups, calendars, columns, offices, operations, orders, registers, rehearsing, robots, running
from app.cli.base import app
from app.errors import DomainError

COMMANDS = (running, offices, registers, columns, calendars, rehearsing, robots, orders, backups, operations)
"""Importing them is what puts the commands on `app`."""


def main() -> None:
    """Entry point: refusals become one plain sentence and exit code 1."""
    try:
        app()
    except DomainError as refusal:
        typer.echo(f"{refusal.title}：{refusal.hint}" if refusal.hint else refusal.title, err=True)
        sys.exit(1)
    except ValidationError as error:  # a setting that cannot be
        for one in error.errors(include_input=False):
            name = " LUODI_" + "_".join(str(part) for part in one["loc"]).upper() if one["loc"] else ""
            typer.echo(f"设置有误 / bad setting{name}: {one['msg'].removeprefix('Value error, ')}", err=True)
        sys.exit(2)
    except DBAPIError as error:
        typer.echo(f"数据库不可用 / database unavailable: {error.orig}", err=True)
        sys.exit(1)
