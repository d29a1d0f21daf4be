"""The columns of ledgers, and the headers that a bureau adds to them."""

from __future__ import annotations

import typer

from app.cli.base import Json, column_app, open_house, say
from app.ledgers import aliases

_COMMAND = aliases.By(None, "admin")


@column_app.command("list")
def column_list(as_json: Json = False) -> None:
    """Every column with the headers it is read by; the bureau's own with their numbers."""
    with open_house().database.snapshot() as connection:
        told = aliases.columns(connection)
    lines = [f"{one['field']}\t{one['title']}\t{' '.join((*one['own'], *one['headers']))}" for one in told["items"]]
    own = [f"第 {one['id']} 号\t{one['header']} → {one['title']}" for one in told["aliases"] if one["removed_at"] is None]
    say(told, as_json, "\n".join([*lines, *(["", "本单位添加的别名 / own aliases", *own] if own else [])]))


@column_app.command("add")
def column_add(field: str, header: str, as_json: Json = False) -> None:
    """Read a header as this field from the next file on."""
    house = open_house()
    with house.database.write() as connection:
        number = aliases.add(connection, field=field, header=header, by=_COMMAND, now=house.clock.now())
        (added,) = aliases.shown(connection, number)
    say(added, as_json, f"第 {number} 号：“{added['header']}”从下一份台账起按{added['title']}读取")


@column_app.command("remove")
def column_remove(number: int) -> None:
    """Take an alias away; the next file is read without it."""
    house = open_house()
    with house.database.write() as connection:
        aliases.remove(connection, number, by=_COMMAND, now=house.clock.now())
    typer.echo("已删除 / removed")
