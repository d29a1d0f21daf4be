"""The doctor: looks at one thing after the other, each on its own and never for longer than it may, and says what to do.

Nothing is changed, sent or made, not even a key file. A look that raises, or does not come back, is bad for itself only.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from app.clock import Clock, clock_for
from app.db import Database
from app.errors import DomainError, NotReady
from app.logs import discreet, hide
from app.operations.condition import BAD, OK, WARN
from app.settings import Settings, database_address

CONNECTING = "5"
"""Seconds to reach a database server."""


class Verdict(NamedTuple):
    """What a look came to: ok, warn or bad, and a sentence that says what to do."""

    level: str
    text: str


class Visit:
    """What a look may use: the settings, the clock, and the database as it is, safe or not."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock: Clock = clock_for(settings)

    @contextmanager
    def database(self) -> Iterator[Connection]:
        """A connection of its own, for reading. NotReady where SQLite would make the file just by being asked."""
        url = database_address(self.settings.database_url)
        if url.get_backend_name() == "sqlite":
            if url.database and not url.database.startswith("file:") and not Path(url.database).exists():
                raise NotReady(f"数据库文件 {url.database} 不存在；请先运行 luodi migrate / run `luodi migrate` first")
        elif "connect_timeout" not in url.query:
            url = url.update_query_dict({"connect_timeout": CONNECTING})
        opened = Database(url.render_as_string(hide_password=False), 1)
        try:
            with opened.statement() as connection:
                yield connection
        finally:
            opened.dispose()


class Check(NamedTuple):
    """One thing to look at, and how many seconds that may take."""

    name: str
    label: str
    look: Callable[[Visit], Verdict]
    seconds: float = 15.0


class Told(NamedTuple):
    """One line of the report."""

    name: str
    label: str
    level: str
    text: str


def examine(settings: Settings, checks: Sequence[Check]) -> list[Told]:
    """Look at everything, all at once; the lines come in the order of the table. Takes as long as the slowest look may."""
    hide(settings.secrets())
    visit, began = Visit(settings), time.monotonic()
    looking = [(check, *_begin(check, visit)) for check in checks]
    lines = []
    for check, thread, come_to in looking:
        thread.join(max(0.0, began + check.seconds - time.monotonic()))
        verdict = come_to[0] if come_to else Verdict(BAD, f"{check.seconds:g} 秒内没有结果；请检查网络与对方服务 / no answer in time")
        lines.append(Told(check.name, check.label, verdict.level, discreet(" ".join(verdict.text.split()))))
    return lines


def _begin(check: Check, visit: Visit) -> tuple[threading.Thread, list[Verdict]]:
    come_to: list[Verdict] = []

    def look() -> None:
        come_to.append(_looked(check, visit))

    thread = threading.Thread(target=look, name=f"doctor {check.name}", daemon=True)  # one that hangs holds up nobody's exit
    thread.start()
    return thread, come_to


def _looked(check: Check, visit: Visit) -> Verdict:
    try:
        return check.look(visit)
    except DomainError as refusal:
        return Verdict(BAD, refusal.hint or refusal.title)
    except DBAPIError as error:
        return Verdict(BAD, f"数据库不可用，请检查 LUODI_DATABASE_URL 与数据库服务 / database unavailable: {first_line(error.orig)}")
    except Exception as error:
        return Verdict(BAD, f"检查未能完成 / the check itself failed: {type(error).__name__}: {first_line(error)}")


def first_line(error: Any) -> str:
    """What an error says first; the rest is for developers."""
    return next(iter(str(error).strip().splitlines()), "")[:300]


def report(lines: Sequence[Told]) -> dict[str, Any]:
    """The whole report as JSON."""
    levels = {one.level for one in lines}
    return {"status": BAD if BAD in levels else WARN if WARN in levels else OK, "checks": [one._asdict() for one in lines]}


def text(lines: Sequence[Told]) -> str:
    """The whole report for a person: one line for each look."""
    return "\n".join(f"{one.level:<4}  {one.label}（{one.name}）：{one.text}" for one in lines)
