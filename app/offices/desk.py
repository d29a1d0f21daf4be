"""The desk: where every request is answered. One thread hop, one connection, committed before the answer leaves.

`reading` and `writing` check the token in the same connection as the work; where a standby may answer (app/standby.py) it is
checked on the primary all the same. Whoever repeats an Idempotency-Key gets the
first answer again: it is stored in the transaction of its effect, so there is never one without the other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

import sqlalchemy as sa
from fastapi import Request
from pydantic import BaseModel
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection
from starlette.responses import Response

from app.clock import Clock
from app.db import Database
from app.errors import IdempotencyMismatch, Invalid, KnownInFuture, PreconditionRequired, StaleVersion
from app.http import Cursors, answer, dumps
from app.offices.access import Caller
from app.offices.models import Idempotency
from app.offices.queries import authenticate
from app.settings import Settings
from app.skew import Skew
from app.standby import Standby, StandbyAway, place

T = TypeVar("T")
SETTLED_AFTER = timedelta(minutes=3)
"""Older than every open write: the database ends a transaction that is stuck for a minute, and clocks of replicas may
differ by another (more, and nothing is recorded: app/skew.py). An answer known at a moment before that never changes."""


REMEMBERED = timedelta(days=7)
"""How long the answer to an Idempotency-Key is kept: longer than any caller goes on retrying."""


@dataclass(frozen=True)
class House:
    """What the process was started with."""

    settings: Settings
    database: Database
    clock: Clock
    audit_key: bytes
    cursors: Cursors
    standby: Standby | None = None

    @cached_property
    def skew(self) -> Skew:
        """How wrong this process's clock is."""
        return Skew(self.database, self.clock)


Enter = Callable[[Connection, House, str | None], tuple[Caller, Any]]


class Answer(NamedTuple):
    """What a verb says back."""

    payload: Any
    status: int = 200
    etag: int | None = None


class Work(NamedTuple):
    """One unit of work: an open connection, who asks, and the house. The edge commits it."""

    connection: Connection
    caller: Caller
    house: House
    entered: Any = None
    """What was read together with the caller (see `writing`)."""

    def now(self) -> datetime:
        """This instant."""
        return self.house.clock.now()

    def today(self) -> date:
        """The business date."""
        return self.house.clock.today()


def house_of(request: Request) -> House:
    """The house this request came to."""
    house: House = request.app.state.house
    return house


def seen(house: House, header: str | None, view: Callable[[Work], T], *, aside: bool = False) -> T:
    """What the bearer of a token sees, in reads that agree with each other. `aside` is for views that read much: a standby may
    do it. Such a view may be begun twice."""
    house.skew.look()
    if aside and house.standby is not None and house.standby.awake:
        with house.database.statement() as connection:
            caller, so_far = authenticate(connection, header, house.clock.now()), place(connection)
        with suppress(StandbyAway):
            return house.standby.read(so_far, lambda there: view(Work(there, caller, house)))
    with house.database.snapshot() as connection:
        return view(Work(connection, authenticate(connection, header, house.clock.now()), house))


def reading(request: Request, view: Callable[[Work], Any], *, aside: bool = False) -> Response:
    """Answer with what is seen. A view may return a ready Response."""
    house = house_of(request)
    found = house.database.patiently(lambda: seen(house, request.headers.get("authorization"), view, aside=aside))
    if isinstance(found, Response):
        return found
    return answer(found.payload, found.status, found.etag) if isinstance(found, Answer) else answer(found)


def checked(connection: Connection, house: House, header: str | None) -> tuple[Caller, Any]:
    """The caller, and nothing else: how most verbs are entered."""
    return authenticate(connection, header, house.clock.now()), None


def writing(request: Request, body: BaseModel | None, verb: Callable[[Work], Answer], enter: Enter = checked) -> Response:
    """Do the verb once, commit, then answer. `enter` checks the token and may read what the verb needs along with it."""
    house = house_of(request)
    return house.database.patiently(lambda: _written(house, request, body, verb, enter))


def _written(house: House, request: Request, body: BaseModel | None, verb: Callable[[Work], Answer], enter: Enter) -> Response:
    given, header = request.headers.get("idempotency-key"), request.headers.get("authorization")
    house.skew.must_be_small()
    with house.database.write() as connection:
        if given is None:
            caller, entered = enter(connection, house, header)
            said = verb(Work(connection, caller, house, entered))
            return answer(said.payload, said.status, said.etag)
        # the key before anything else: everybody who holds a project's lock already has his key, so nobody waits in a circle
        caller = authenticate(connection, header, house.clock.now())
        key, body_hash = _key(caller, given), _body_hash(request, body)
        if (first := _claim(connection, key, body_hash, house.clock.now())) is not None:
            return first
        caller, entered = enter(connection, house, header)
        said = verb(Work(connection, caller, house, entered))
        raw = dumps(said.payload).decode()
        etag = None if said.etag is None else str(said.etag)
        connection.execute(sa.update(Idempotency).where(Idempotency.key == key).values(status=said.status, body=raw, etag=etag))
        return answer(said.payload, said.status, said.etag)


def _key(caller: Caller, given: str) -> str:
    if not 1 <= len(given) <= 255 or not given.isprintable() or not given.isascii():
        raise Invalid("Idempotency-Key 为 1-255 个可打印的 ASCII 字符")
    return hashlib.sha256(f"{caller.office_id}\x1f{caller.role}\x1f{given}".encode()).hexdigest()


def _body_hash(request: Request, body: BaseModel | None) -> str:
    text = body.model_dump_json() if body is not None else ""
    return hashlib.sha256(f"{request.method}\x1f{request.url.path}\x1f{text}".encode()).hexdigest()


def _claim(connection: Connection, key: str, body_hash: str, now: datetime) -> Response | None:
    """Take the key, or wait for whoever holds it and give their answer."""
    dialect: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    row = {"key": key, "body_hash": body_hash, "status": 0, "created_at": now}
    taken = connection.execute(dialect.insert(Idempotency).values(row).on_conflict_do_nothing().returning(Idempotency.key))
    if taken.scalar_one_or_none() is not None:
        return None
    columns = sa.select(Idempotency.body_hash, Idempotency.status, Idempotency.body, Idempotency.etag)
    stored = connection.execute(columns.where(Idempotency.key == key)).mappings().one()
    if stored["body_hash"] != body_hash:
        raise IdempotencyMismatch("该 Idempotency-Key 已用于内容不同的请求；请换一个新的键")
    response = Response(stored["body"] or "", stored["status"], {"Idempotent-Replayed": "true"}, "application/json")
    if stored["etag"]:
        response.headers["ETag"] = f'"{stored["etag"]}"'
    return response


def stale(version: int) -> StaleVersion:
    """Somebody was faster."""
    return StaleVersion("内容已被他人更新；请重新读取后再提交", version=version)


def check_version(request: Request, version: int, required: bool) -> None:
    """If-Match against a project's version: 428 when it is required and missing, 412 when somebody was faster."""
    given = request.headers.get("if-match")
    if given is None:
        if required:
            raise PreconditionRequired("先读取，再把 ETag 放进 If-Match")
        return
    tags = {tag.strip().removeprefix("W/").strip('"') for tag in given.split(",")}
    if "*" not in tags and str(version) not in tags:
        raise stale(version)


class Moment(NamedTuple):
    """Which day a question is about, and by whose knowledge. `pinned` is None when everything known now counts."""

    as_of: date
    known_at: datetime
    pinned: datetime | None
    settled: bool


def moment(house: House, as_of: date | None, known_at: datetime | date | None) -> Moment:
    """Defaults: known now, as of that business date. A bare date means by the end of it. The future is not known."""
    now = house.clock.now()
    if known_at is not None and not isinstance(known_at, datetime):
        if known_at > house.clock.business_date(now):
            raise KnownInFuture("known_at 是未来的日期；请去掉它，或改为过去的日期")
        midnight = datetime.combine(known_at + timedelta(days=1), time(), house.clock.zone)
        end = midnight.astimezone(UTC) - timedelta(microseconds=1)
        known_at = min(end, now) if known_at == house.clock.business_date(now) else end
    if known_at is not None and known_at > now:
        raise KnownInFuture("known_at 是未来的时刻；请去掉它，或改为过去的时刻")
    today = house.clock.business_date(now)
    day = as_of or (house.clock.business_date(known_at) if known_at else today)
    if day > today:
        raise Invalid("as_of 不能晚于今天", errors=[{"field": "as_of", "message": "in the future"}])
    known = known_at or now
    return Moment(day, known, known_at, known < now - SETTLED_AFTER and not house.skew.too_far())
