"""Offices, people and tokens."""

from __future__ import annotations

from typing import Annotated

import typer

from app.alerts import preferences
from app.cli.base import Json, day, office_app, open_house, person_app, say, token_app
from app.errors import Invalid
from app.offices import queries as office_queries
from app.offices import service
from app.projects.handover import owner_left


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
        unit = service.add_office(connection, code=code, name=name, kind=kind, parent=parent)
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
        number = service.add_person(connection, office=office, name=name, email=email, role=role)
    typer.echo(number)


@person_app.command("leave")
def person_leave(email: str, on: str | None = None) -> None:
    """The person leaves: no more mail, and every project in that name shows as having no owner."""
    house = open_house()
    left_on = day(on) or house.clock.today()
    if left_on > house.clock.today():
        raise Invalid("请在离岗当天或之后登记 / tell it on the day or later")
    with house.database.write() as connection:
        number = owner_left(connection, house, service.person_leaves(connection, email, left_on, house.clock.now()), left_on)
    typer.echo(f"已登记；{number} 个项目待指定责任人 / {number} projects need an owner")


@person_app.command("prefer")
def person_prefer(
    email: str, robot: Annotated[int | None, typer.Option(help="number of a robot of the person's office; none: mail")] = None
) -> None:
    """Choose by which way a person gets his digest: mail, or a robot of his own office."""
    house = open_house()
    with house.database.write() as connection:
        said = preferences.prefer(connection, preferences.person_of(connection, email), robot, house.clock.now())
    typer.echo(f"{said['person']['name']}：{'邮件 / mail' if said['robot'] is None else said['robot']['name']}")


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
        typer.echo(service.issue_token(connection, office=office, role=role, now=house.clock.now(), days=days, person=person))


@token_app.command("revoke")
def token_revoke(token: str) -> None:
    """Revoke a token by its id (the part before the dot); at once, for every process."""
    house = open_house()
    with house.database.write() as connection:
        service.revoke_token(connection, token, house.clock.now())
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
