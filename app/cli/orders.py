"""Supervision orders (督办单) at a terminal: reading and printing. Issuing and answering have an author, and so need a token."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.base import Json, open_house, order_app, say
from app.errors import Invalid
from app.offices.access import Caller
from app.orders import printing, queries

WHOEVER = Caller(None, 0, "", "", "county", "auditor", None, "/")
"""Who sits at the server sees everything, and writes nothing here."""
KINDS: dict[str, Callable[[dict[str, Any]], bytes]] = {".html": lambda order: printing.as_html(order).encode(), ".docx": printing.as_docx}


@order_app.command("list")
def order_list(
    office: Annotated[str | None, typer.Option(help="单位编号")] = None,
    state: Annotated[str | None, typer.Option(help="issued|received|replied|sent_back|closed")] = None,
    overdue: Annotated[bool | None, typer.Option("--overdue/--in-time", help="只看逾期或未逾期")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000)] = 200,
    as_json: Json = False,
) -> None:
    """Orders, newest first."""
    house = open_house()
    asked = queries.Asked(WHOEVER, house.clock.today(), office, state, None, overdue)
    with house.database.snapshot() as connection:
        rows = queries.orders(connection, asked, limit=limit, after=None)
    lines = [
        f"{row['id']}\t{row['number']}\t{row['office']['name']}\t{row['state_label']}\t{row['due_on']}\t"
        f"{'逾期 ' + str(row['days_over']) + ' 天' if row['overdue'] else ''}\t{' '.join(row['matter'].split())[:60]}"
        for row in rows
    ]
    say(rows, as_json, "\n".join(lines))


@order_app.command("show")
def order_show(order: Annotated[str, typer.Argument(help="编号或文号")], as_json: Json = False) -> None:
    """One order with every step of it."""
    found = _found(order)
    person = found["person"]["name"] if found["person"] else "—"
    head = (
        f"{found['number']}（{found['state_label']}）", f"责任单位 {found['office']['name']}，责任人 {person}",
        f"下达 {found['issued_on']}，期限 {found['due_on']}", f"事项 {found['matter']}", f"要求 {found['requirement']}",
    )  # fmt: skip
    steps = [f"{one['on']}\t{one['label']}\t{one['actor']}\t{one['text']}" for one in printing.printed(found)["events"]]
    say(found, as_json, "\n".join([*head, *steps]))


@order_app.command("print")
def order_print(
    order: Annotated[str, typer.Argument(help="编号或文号")], out: Annotated[Path, typer.Argument(help="OUT.docx 或 OUT.html")]
) -> None:
    """One order as a Word document or a page to print."""
    write = KINDS.get(out.suffix.lower())
    if write is None:
        raise Invalid("文件名应以 .docx 或 .html 结尾 / the name ends in .docx or .html")
    out.write_bytes(write(_found(order)))
    typer.echo(str(out))


def _found(order: str) -> dict[str, Any]:
    house = open_house()
    with house.database.snapshot() as connection:
        row = queries.row_of(connection, order, WHOEVER)
        return queries.detailed(connection, row, WHOEVER, house.clock.today())
