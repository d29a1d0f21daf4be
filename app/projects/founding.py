"""New projects by the hundred, as an import founds them: the rows that `store.prepare` and `store.write` would make, as plain
values that go to the database without a detour.

A million projects are some twenty million rows: whatever costs a microsecond here costs twenty seconds. PostgreSQL takes
the rows by COPY, SQLite many in one statement; and while the database takes some, the next are folded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date, datetime
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.heart.clocks import Clock, clocks
from app.heart.facts import Fact
from app.heart.live import reports_of
from app.heart.standing import Segment, fold
from app.projects import store
from app.projects.at_once import CLOCK, FACT, PROJECT, STANDING, add, plain
from app.projects.chain import GENESIS, Linker
from app.projects.store import Actor, New

Values = tuple[Any, ...]
_FACT = ("project_id", "seq", "kind", "effective_on", "recorded_at", "recorded_on", "office_id", "role", "person_id", "token_id",
         "source", "target", "data", "mac")  # fmt: skip
_STANDING = ("project_id", "valid_from", "known_from", "valid_to", "known_to", "wakes", *store.COLUMNS, "detail")
_CLOCK = ("project_id", "rule", "valid_from", "known_from", "valid_to", "known_to", *Clock._fields[3:], "life")
assert (tuple(FACT), tuple(STANDING), tuple(CLOCK)) == (_FACT, _STANDING, _CLOCK), "values are written in these orders below"
_TOLD = len(store.COLUMNS)


class Founded(NamedTuple):
    """One new project: its printed row, and the values of all others without the project's number."""

    project: dict[str, Any]
    facts: list[Values]
    standings: list[Values]
    clocks: list[Values]


class Founder:
    """Founds projects in one act: all facts have one actor, one source and one moment."""

    def __init__(self, *, actor: Actor, source: str, moment: datetime, recorded_on: date, key: bytes, sqlite: bool) -> None:
        self.moment, self.recorded_on, self.source = moment, recorded_on, source
        self._moment = plain(moment) if sqlite else moment.isoformat()
        common = {"recorded_at": moment, "recorded_on": recorded_on, **actor._asdict(), "source": source}
        self._link = Linker(key, common).link
        self._common = self._plain(common[name] for name in _FACT[4:11])

    def found(self, ref: str, new: Sequence[New]) -> Founded:
        """All rows of one new project; the first of its facts registers it."""
        mac, facts, rows = GENESIS, [], []
        for seq, one in enumerate(new, 1):
            data = orjson.dumps(one.data, option=orjson.OPT_SORT_KEYS).decode()
            on = one.effective_on.isoformat()
            mac = self._link(mac, ref, seq, one.kind, on, "" if one.target is None else str(one.target), data)
            rows.append((seq, one.kind, on, *self._common, one.target, data, mac))
            facts.append(Fact(seq, one.kind, one.effective_on, self.moment, self.recorded_on, self.source, one.data, one.target))
        segments = fold(facts)
        project = {"ref": ref} | store.printed(facts) | {
            "office_id": segments[-1].standing.office_id, "version": len(facts), "head_mac": mac,
            "created_at": self.moment, "last_recorded_at": self.moment,
        }  # fmt: skip
        project |= store.keys_of(ref, project)
        return Founded(project, rows, list(self._standings(segments)), list(self._clocks(clocks(segments, reports_of(facts)))))

    def _standings(self, segments: Iterable[Segment]) -> Iterator[Values]:
        """As store.standing_rows says it, in the order of the columns."""
        moment, today = self._moment, self.recorded_on
        for valid_from, valid_to, now in segments:
            told = [value.isoformat() if type(value) is date else value for value in now[:_TOLD]]
            yield valid_from.isoformat(), moment, valid_to.isoformat(), None, valid_from > today, *told, store.detail_of(now)

    def _clocks(self, running: Iterable[Clock]) -> Iterator[Values]:
        """As store.clock_rows says it, in the order of the columns."""
        moment, today = self._moment, self.recorded_on
        for clock in running:
            rule, valid_from, valid_to, basis, solid_on, soft_on, halted, office_id, route, part, agreed_on = clock
            yield (
                rule, valid_from.isoformat(), moment, valid_to.isoformat(), None, basis, solid_on.isoformat(), soft_on.isoformat(), halted,
                office_id, route, part, agreed_on and agreed_on.isoformat(), store.life_of(clock, today),
            )  # fmt: skip

    def _plain(self, values: Iterable[Any]) -> Values:
        """Dates and the act's moment as text."""
        moment = self.moment
        return tuple([self._moment if value is moment else value.isoformat() if type(value) is date else value for value in values])


TOGETHER = 125
"""Projects that go to the database together: some 3,000 rows."""


def found(connection: Connection, founder: Founder, projects: Sequence[tuple[str, Sequence[New]]]) -> dict[str, int]:
    """Found new projects, (ref, facts) each, and write them; their numbers by ref. The connection is used by one thread at a time;
    nothing is left to write when this returns."""
    numbers: dict[str, int] = {}
    with ThreadPoolExecutor(1, "founding") as pool:
        writing: Future[dict[str, int]] | None = None
        for at in range(0, len(projects), TOGETHER):
            founded = [founder.found(ref, new) for ref, new in projects[at : at + TOGETHER]]
            if writing is not None:
                numbers |= writing.result()
            writing = pool.submit(write, connection, founded)
        if writing is not None:
            numbers |= writing.result()
    return numbers


_COLUMNS = ", ".join(["ref", *PROJECT])
_NEW = f"INSERT INTO project ({_COLUMNS}) SELECT {_COLUMNS} FROM json_populate_recordset(NULL::project, %(rows)s::json) RETURNING ref, id"
_LAST = sa.text("SELECT coalesce(max(id), 0) FROM project")


def write(connection: Connection, founded: Sequence[Founded]) -> dict[str, int]:
    """Write new projects; their numbers by ref. IntegrityError when somebody else has made one of them meanwhile."""
    sqlite = connection.dialect.name == "sqlite"
    if sqlite:
        last: int = connection.scalar(_LAST) or 0
        numbers = {str(one.project["ref"]): number for number, one in enumerate(founded, last + 1)}
        rows = [(numbers[one.project["ref"]], *(plain(one.project[name]) for name in ("ref", *PROJECT))) for one in founded]
        add(connection, "project", ("id", "ref", *PROJECT), rows)
    else:
        told = connection.exec_driver_sql(_NEW, {"rows": orjson.dumps([one.project for one in founded]).decode()})
        numbers = {row[0]: row[1] for row in told}
    numbered = [(numbers[one.project["ref"]], one) for one in founded]
    for table, columns, values in (
        ("fact", FACT, [(number, *row) for number, one in numbered for row in one.facts]),
        ("standing", STANDING, [(number, *row) for number, one in numbered for row in one.standings]),
        ("clock", CLOCK, [(number, *row) for number, one in numbered for row in one.clocks]),
    ):
        add(connection, table, columns, values)
    return numbers
