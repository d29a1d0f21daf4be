"""New projects by the hundred, as an import founds them: the rows that `store.prepare` and `store.write` would make, in the form
that the database takes them in without a detour. Pure, and light to load: processes of their own do nothing else (helpers.py).

A million projects are some twenty million rows: whatever costs a microsecond here costs twenty seconds.
"""

from __future__ import annotations

import gc
import hashlib
import os
import pickle
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from app.heart.clocks import Clock, clocks
from app.heart.facts import Fact
from app.heart.live import reports_of
from app.heart.standing import Segment, fold
from app.projects.chain import GENESIS, Linker
from app.projects.derived import COLUMNS, PRINTED, Actor, New, detail_of, keys_of, life_of, printed
from app.projects.search import KEYS

PROJECT = ("id", "ref", "office_id", *PRINTED, "version", "head_mac", "created_at", "last_recorded_at", "last_contact_on", "last_report_on",
           *KEYS)  # fmt: skip
FACT = ("project_id", "seq", "kind", "effective_on", "recorded_at", "recorded_on", "office_id", "role", "person_id", "token_id",
        "source", "target", "data", "mac")  # fmt: skip
STANDING = ("project_id", "valid_from", "known_from", "valid_to", "known_to", "wakes", *COLUMNS, "detail")
CLOCK = ("project_id", "rule", "valid_from", "known_from", "valid_to", "known_to", *Clock._fields[3:], "life")
TABLES = {"project": PROJECT, "fact": FACT, "standing": STANDING, "clock": CLOCK}
"""Table → its columns, in the order in which values are made of them below."""
_TOLD = len(COLUMNS)
_HERE = Path(__file__).parent
_READ = sorted([*(_HERE.parent / "heart").glob("*.py"), *(_HERE / f"{name}.py" for name in ("founding", "derived", "chain", "search"))])
CODE = hashlib.sha256(b"".join(path.read_bytes() for path in _READ)).digest()
"""What this process makes rows by, as it stood when it was loaded: a helper that starts after the program was replaced has another."""
Values = tuple[Any, ...]
Rows = dict[str, list[Values]]
"""Table → rows of plain values: text, numbers, truth values, None."""


class Act(NamedTuple):
    """What all facts of one act have in common. `key` seals them."""

    actor: Actor
    source: str
    moment: datetime
    recorded_on: date
    key: bytes
    sqlite: bool


class Numbered(NamedTuple):
    """A new project with the number it is going to have."""

    id: int
    ref: str
    new: Sequence[New]


def founded(act: Act, projects: Iterable[Numbered]) -> Rows:
    """All rows of new projects."""
    founder = Founder(act)
    rows: Rows = {table: [] for table in TABLES}
    for one in projects:
        founder.found(one, rows)
    return rows


class Founder:
    """Founds projects in one act."""

    def __init__(self, act: Act) -> None:
        self._act = act
        self._moment = _utc(act.moment) if act.sqlite else act.moment.isoformat()
        common = {"recorded_at": act.moment, "recorded_on": act.recorded_on, **act.actor._asdict(), "source": act.source}
        self._link = Linker(act.key, common).link
        self._common = (self._moment, act.recorded_on.isoformat(), *act.actor, act.source)

    def found(self, project: Numbered, rows: Rows) -> None:
        """Add all rows of one new project; the first of its facts registers it."""
        act, (number, ref, new) = self._act, project
        mac, facts, told = GENESIS, [], rows["fact"]
        for seq, one in enumerate(new, 1):
            kind, effective_on, given, target = one
            data = orjson.dumps(given, option=orjson.OPT_SORT_KEYS).decode()
            on = effective_on.isoformat()
            mac = self._link(mac, ref, seq, kind, on, "" if target is None else str(target), data)
            told.append((number, seq, kind, on, *self._common, target, data, mac))
            facts.append(Fact(seq, kind, effective_on, act.moment, act.recorded_on, act.source, given, target))
        segments = fold(facts)
        row: dict[str, Any] = {"id": number, "ref": ref, **printed(facts)}
        row |= {
            "office_id": segments[-1].standing.office_id, "version": len(facts), "head_mac": mac,
            "created_at": self._moment, "last_recorded_at": self._moment, **keys_of(ref, row),
        }  # fmt: skip
        rows["project"].append(tuple([value.isoformat() if type(value := row[name]) is date else value for name in PROJECT]))
        rows["standing"] += self._standings(number, segments)
        rows["clock"] += self._clocks(number, clocks(segments, reports_of(facts)))

    def _standings(self, number: int, segments: Iterable[Segment]) -> Iterator[Values]:
        """As store.standing_rows says it."""
        moment, today = self._moment, self._act.recorded_on
        for valid_from, valid_to, now in segments:
            told = [value.isoformat() if type(value) is date else value for value in now[:_TOLD]]
            yield number, valid_from.isoformat(), moment, valid_to.isoformat(), None, valid_from > today, *told, detail_of(now)

    def _clocks(self, number: int, running: Iterable[Clock]) -> Iterator[Values]:
        """As store.clock_rows says it."""
        moment, today = self._moment, self._act.recorded_on
        for clock in running:
            rule, valid_from, valid_to, basis, solid_on, soft_on, halted, office_id, route, part, agreed_on = clock
            yield (
                number, rule, valid_from.isoformat(), moment, valid_to.isoformat(), None, basis, solid_on.isoformat(), soft_on.isoformat(),
                halted, office_id, route, part, agreed_on and agreed_on.isoformat(), life_of(clock, today),
            )  # fmt: skip


def _utc(moment: datetime) -> str:
    """As SQLite keeps a moment (db.UtcDateTime)."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


# as the database takes them -------------------------------------------------------------------------------------

Packed = Mapping[str, Any]
"""Table → its rows as the text of COPY, or on SQLite as one list of all values."""


def packed(act: Act, rows: Rows) -> Packed:
    """Rows in the form their database takes them in."""
    if act.sqlite:
        return {table: [value for row in some for value in row] for table, some in rows.items()}
    return {table: _lines(some, _FREE[table]) for table, some in rows.items()}


_FREE = {"project": tuple(range(len(PROJECT))), "fact": (FACT.index("data"),), "standing": (STANDING.index("detail"),), "clock": ()}
"""Where a table's row may hold what people wrote; all other text is ours."""


def _lines(rows: Sequence[Values], free: Sequence[int]) -> bytes:
    """Rows as COPY reads them (https://www.postgresql.org/docs/current/sql-copy.html, text format)."""
    lines = []
    for row in rows:
        cells = [r"\N" if value is None else str(value) for value in row]
        for place in free:
            cell = cells[place]
            if ("\\" in cell or "\n" in cell or "\t" in cell or "\r" in cell) and row[place] is not None:
                cells[place] = cell.replace("\\", r"\\").replace("\n", r"\n").replace("\t", r"\t").replace("\r", r"\r")
        lines.append("\t".join(cells))
    lines.append("")
    return "\n".join(lines).encode()


# as a process of its own -----------------------------------------------------------------------------------------


def serve() -> None:
    """Found what comes on standard input, (code, act, projects) each, and answer it packed, until the input ends. Whoever asks by other
    code than this is left alone."""
    given, answers = sys.stdin.buffer, sys.stdout.buffer
    gc.disable()  # rows hold no cycles
    os.nice(5)  # whoever waits for an answer of the service comes first
    keys_of("", {"name": "暖", "investor": None})  # loads what names are read by
    with suppress(EOFError):
        while (asked := pickle.load(given))[0] == CODE:  # from the process that started this one
            _, act, projects = asked
            pickle.dump(packed(act, founded(act, projects)), answers, pickle.HIGHEST_PROTOCOL)
            answers.flush()
