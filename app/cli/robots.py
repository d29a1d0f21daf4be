"""Group robots of offices."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from app.cli.base import Json, open_house, robot_app, say
from app.errors import Invalid
from app.robots import queries, service
from app.robots.kinds import KINDS
from app.robots.kinds.base import TAKEN
from app.robots.sealed import Vault

OUTCOMES = {"taken": "已送达", "later": "暂时不成，可以再试", "no": "被拒绝", "unknown": "结果不明"}


def _asked(prompt: str) -> str | None:
    """A line from a pipe, or typed unseen: an argument would stay in the shell's history and in the list of processes."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().strip() or None
    return str(typer.prompt(prompt, hide_input=True, default="", show_default=False, err=True)).strip() or None


@robot_app.command("add")
def robot_add(
    office: Annotated[str, typer.Option()],
    kind: Annotated[str, typer.Option(help="|".join(KINDS))],
    name: Annotated[str, typer.Option()],
    as_json: Json = False,
) -> None:
    """Register a robot; address and secret are asked for, or read from stdin, one line each."""
    house = open_house()
    url = _asked("机器人地址 / address")
    secret = _asked("加签密钥（没有就回车）/ signing secret, empty for none")
    if url is None:
        raise Invalid("请给出机器人的地址 / the address is missing")
    if not 0 < len(name.strip()) <= 100 or not name.isprintable():
        raise Invalid("名称为 1-100 个字符的一行文字")
    with house.database.write() as connection:
        number = service.add(
            connection, house.settings, office=office, kind=kind, name=name.strip(), url=url, secret=secret, now=house.clock.now()
        )
        added = queries.robot(connection, number, "/")
    say(added, as_json, f"已登记第 {number} 号；请运行 luodi robot test {number}")


@robot_app.command("list")
def robot_list(as_json: Json = False) -> None:
    """Every robot, without what it hides."""
    with open_house().database.snapshot() as connection:
        rows = queries.robots(connection, "/")
    lines = [
        f"{row['id']}\t{row['office']['code']}\t{row['kind']}\t{row['name']}\t{row['host']} …{row['ends_with']}"
        f"\t{'签名' if row['signed'] else '不签名'}\t{'启用' if row['enabled'] else '停用'}"
        for row in rows
    ]
    say(rows, as_json, "\n".join(lines))


@robot_app.command("remove")
def robot_remove(number: int) -> None:
    """Let go of a robot."""
    house = open_house()
    with house.database.write() as connection:
        service.remove(connection, number, now=house.clock.now())
    typer.echo("已删除")


@robot_app.command("test")
def robot_test(number: int, as_json: Json = False) -> None:
    """Really send one message, and say what came back; exit 1 unless it was taken."""
    house = open_house()
    with house.database.snapshot() as connection:
        robot = service.opened(connection, Vault(house.settings), number)
    said = service.try_out(house.database, house.settings, robot)
    say({"outcome": said.outcome, "reason": said.reason}, as_json, f"{OUTCOMES[said.outcome]}：{said.reason}")
    if said.outcome != TAKEN:
        raise typer.Exit(1)


@robot_app.command("rekey")
def robot_rekey() -> None:
    """Seal every address with the first key of LUODI_ROBOT_KEY; exit 1 when one could not be opened."""
    house = open_house()
    with house.database.write() as connection:
        done, lost = service.rekey(connection, house.settings)
    typer.echo(f"已用新密钥重新加密 {done} 个机器人 / sealed anew")
    if lost:
        typer.echo(f"没有密钥能解密的：{'、'.join(map(str, lost))}；请恢复旧密钥或重新登记 / no key opens these", err=True)
        raise typer.Exit(1)
