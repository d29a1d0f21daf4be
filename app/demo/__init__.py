"""A demo county: twelve towns and some three hundred projects with a history up to yesterday. Everything in it is invented.

`cast` says who plays, `plots` what happens, `ways` how projects go along, `story` how one is told. The same day always
tells the same county.
"""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.demo import cast
from app.demo.plots import stories
from app.demo.story import Act, Story, Teller, Town
from app.errors import Duplicate, NotFound, Unauthorized
from app.heart.calendar import SHIPPED
from app.main import build_house
from app.offices import service as offices
from app.offices.desk import House
from app.offices.models import Meta, Office, RefCounter
from app.offices.queries import authenticate
from app.projects import store
from app.projects.derived import Actor
from app.projects.store import Head
from app.settings import Settings

MARK = "demo"
"""The meta row that says: this register is the demo, and which tokens were issued for it."""
SIGN_IN = {"town": ("T01", "clerk"), "bureau": ("B00", "officer")}
TOKENS_FILE = "demo-tokens.json"


def fill(house: House) -> str:
    """Fill an empty register with the demo county, all in one transaction; says what there is now."""
    today = house.clock.today()
    with house.database.write() as connection:
        if not is_empty(connection):
            raise Duplicate("登记册不是空的，示例县只填入空库 / the register is not empty: nothing was changed")
        teller = _cast(connection, house, today)
        told = stories(teller)
        facts = _record(connection, house, told)
        connection.execute(sa.insert(Meta).values(name=MARK, value=orjson.dumps({"filled_on": today, "tokens": {}}).decode()))
    towns = len(cast.TOWNS)
    english = f"demo county: {towns} towns, {len(told)} projects, {facts} facts"
    return f"示例县已填入：{towns} 个镇区，{len(told)} 个项目，{facts} 条事实 / {english}"


def is_empty(connection: Connection) -> bool:
    """Has nobody added an office yet?"""
    return connection.scalar(sa.select(Office.id).limit(1)) is None


def _cast(connection: Connection, house: House, today: date) -> Teller:
    """Offices and people, and the dice."""
    dice = Random("落地")
    offices.add_office(connection, code=cast.COUNTY[0], name=cast.COUNTY[1], kind="county")
    bureau = offices.add_office(connection, code=cast.BUREAU[0], name=cast.BUREAU[1], kind="bureau", parent=cast.COUNTY[0])
    surnames = iter(cast.SURNAMES)

    def person(office: str, role: str, mail: str) -> int:
        return offices.add_person(connection, office=office, name=f"{next(surnames)}某", email=f"{mail}@{cast.MAIL}", role=role)

    officers = tuple(Actor(bureau.id, "officer", person(cast.BUREAU[0], "officer", f"bureau{number}")) for number in (1, 2))
    person(cast.COUNTY[0], "leader", "leader")
    person(cast.COUNTY[0], "auditor", "auditor")
    towns = []
    for number, name in enumerate(cast.TOWNS, 1):
        code = f"T{number:02d}"
        unit = offices.add_office(connection, code=code, name=name, kind="town", parent=cast.COUNTY[0])
        clerks = tuple(Actor(unit.id, "clerk", person(code, "clerk", f"{code.lower()}-{seat}")) for seat in ("a", "b"))
        towns.append(Town(unit.id, code, clerks))
    offices.person_leaves(connection, f"t05-b@{cast.MAIL}", today - timedelta(days=cast.LEFT_DAYS_AGO), house.clock.now())
    return Teller(today, house.settings.zone, dice, officers, tuple(towns), _events(today))


def _events(today: date) -> tuple[tuple[date, str], ...]:
    """A signing event each quarter, the last one some six weeks ago."""
    found = []
    for back in range(41, 900, 91):
        day = today - timedelta(days=back)
        while not SHIPPED.is_workday(day):
            day -= timedelta(days=1)
        found.append((day, f"{day.year}年{day.month}月集中签约活动"))
    return tuple(found)


def _record(connection: Connection, house: House, told: list[Story]) -> int:
    """Record every act at its own moment, the n-th acts of all projects together."""
    counters: dict[tuple[int, int], int] = {}
    waiting: list[tuple[Head, list[Act]]] = []
    for story in told:
        place = (story.town.id, story.begun.year)
        counters[place] = counters.get(place, 0) + 1
        waiting.append((Head(0, f"{story.town.code}-{story.begun.year}-{counters[place]:04d}"), story.acts()))
    connection.execute(
        sa.insert(RefCounter), [{"office_id": office, "year": year, "last": last} for (office, year), last in counters.items()]
    )
    facts = 0
    for turn in range(max(len(acts) for _, acts in waiting)):
        changes = []
        for head, acts in waiting:
            if turn < len(acts):
                act = acts[turn]
                recorded_on = house.clock.business_date(act.moment)
                changes.append(
                    (
                        head,
                        store.prepare(
                            head, act.new, actor=act.actor, source="demo", moment=act.moment, recorded_on=recorded_on, key=house.audit_key
                        ),
                    )
                )
                facts += len(act.new)
        store.write(connection, changes)
    return facts


# first start ----------------------------------------------------------------------------------------


def first_start(settings: Settings, address: str) -> None:
    """Fill an empty register, do the day once, and say how to sign in. A register with other offices is left alone."""
    house = build_house(settings)
    try:
        with house.database.snapshot() as connection:
            empty, marked = is_empty(connection), _mark(connection) is not None
        if empty:
            from app.worker import daily

            print(fill(house), flush=True)
            daily(house)
        print(welcome(house, address) if empty or marked else plain_welcome(address), flush=True)
    finally:
        house.database.dispose()


def _mark(connection: Connection) -> dict[str, Any] | None:
    found = connection.scalar(sa.select(Meta.value).where(Meta.name == MARK))
    return None if found is None else dict(orjson.loads(found))


def sign_in(house: House) -> dict[str, str]:
    """The demo's tokens by name: those of the last start while they are good, else new ones in place of the old."""
    path = house.settings.var_dir / TOKENS_FILE
    kept: dict[str, str] = {}
    with suppress(FileNotFoundError, ValueError):  # lost or spoilt: new ones
        kept = dict(orjson.loads(path.read_bytes()))
    now = house.clock.now()
    with house.database.write() as connection:
        mark = _mark(connection) or {}
        issued = dict(mark.get("tokens", {}))
        tokens = {}
        for name, (office, role) in SIGN_IN.items():
            if name in kept and _good(connection, kept[name], now):
                tokens[name] = kept[name]
                continue
            try:
                if name in issued:
                    _revoke(connection, issued.pop(name), now)
                tokens[name] = offices.issue_token(connection, office=office, role=role, now=now)
                issued[name] = tokens[name].partition(".")[0]
            except Duplicate as refusal:  # somebody issued two of their own
                tokens[name] = f"（{refusal.hint}）"
        connection.execute(sa.update(Meta).where(Meta.name == MARK).values(value=orjson.dumps({**mark, "tokens": issued}).decode()))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(orjson.dumps({name: token for name, token in tokens.items() if name in issued}, option=orjson.OPT_INDENT_2))
    return tokens


def _good(connection: Connection, token: str, now: datetime) -> bool:
    try:
        authenticate(connection, f"Bearer {token}", now)
    except Unauthorized:
        return False
    return True


def _revoke(connection: Connection, number: str, now: datetime) -> None:
    with suppress(NotFound):  # already revoked by hand
        offices.revoke_token(connection, number, now)


def welcome(house: House, address: str) -> str:
    """What `make run` prints: where it is, how to sign in, what to try."""
    tokens = sign_in(house)
    mail = house.settings.smtp_url.removeprefix("file:")
    where = f"{mail}/*.eml" if house.settings.smtp_url.startswith("file:") else "SMTP"
    return f"""
落地 Luodi  {address}
  接口文档 API docs      {address}/docs
  登录 sign in           Authorization: Bearer <token>
  镇区令牌 town token    {tokens["town"]}   （T01 示例城关镇，经办人 clerk）
  招商局令牌 bureau      {tokens["bureau"]}   （B00 示例县招商局，值班员 officer）
  每日摘要 digests       {where}
  项目页 project page    {address}/projects/<ref>   （摘要中的链接 the digests' links）

试一试 try:
  TOWN={tokens["town"]}
  BUREAU={tokens["bureau"]}
  curl -H "Authorization: Bearer $BUREAU" "{address}/api/v1/signed-then-stopped?limit=3&count=true"
  curl -H "Authorization: Bearer $BUREAU" "{address}/api/v1/stalls?level=red&limit=3"
  curl -H "Authorization: Bearer $TOWN" "{address}/api/v1/projects?limit=3"
"""


def plain_welcome(address: str) -> str:
    """What is printed when the register holds somebody's own data."""
    return f"""
落地 Luodi  {address}
  接口文档 API docs      {address}/docs
  登记册已有数据，未填入示例县 / the register is in use: no demo data was added
  签发令牌 issue a token  luodi token issue --office <code> --role clerk|officer|leader|auditor|admin
"""
