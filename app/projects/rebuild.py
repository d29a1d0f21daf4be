"""Deriving standings and clocks anew from the facts: to prove the stored ones, or to rewrite them when a rule changed.

Replays knowledge: the facts a project had learnt by each recording moment are folded at that moment, exactly as they were
when they were recorded, so that also what was superseded since is derived. Works in chunks and locks only those.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import groupby
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.db import Database
from app.heart.clocks import Clock, clocks, fingerprint
from app.heart.facts import Fact
from app.heart.live import reports_of
from app.heart.standing import Segment, fold
from app.offices.models import Meta
from app.projects import derived, search, store
from app.projects.chain import GENESIS, SIGNED, link
from app.projects.models import ClockRow, FactRow, Project, StandingRow

CHUNK = 500
FOLD, KEYS = "fold", "keys"
"""The rows of the meta table that say by which rules the stored rows were derived, and the keys of names."""
_PRINTED = (*derived.PRINTED, *search.KEYS, "last_contact_on", "last_report_on", "office_id", "created_at", "last_recorded_at")
"""What a project's printed row takes from its facts. `version` and `head_mac` belong to the chain: they would hide what
was cut off its end if they were derived here, so only `audit verify` reads them."""
_TABLES: dict[str, tuple[Any, tuple[str, ...]]] = {
    "standing": (StandingRow, ("valid_from", "known_from")),
    "clock": (ClockRow, ("rule", "valid_from", "known_from")),
}
_WORDS = {"project": "打印行", "standing": "状态段", "clock": "计时"}

Rows = dict[tuple[Any, ...], dict[str, Any]]


class Derived(NamedTuple):
    """All rows that follow from a project's facts: by table, by key."""

    project: dict[str, Any]
    standing: Rows
    clock: Rows


def derive(ref: str, facts: Sequence[Fact]) -> Derived:
    """Everything that follows from the facts of one project, in the order they were recorded in."""
    standings: list[dict[str, Any]] = []
    running: list[dict[str, Any]] = []
    open_standings: dict[Segment, dict[str, Any]] = {}
    open_clocks: dict[Clock, dict[str, Any]] = {}
    known: list[Fact] = []
    for moment, learnt in groupby(sorted(facts, key=lambda fact: fact.seq), key=lambda fact: fact.recorded_at):
        known += learnt
        recorded_on = known[-1].recorded_on
        segments = fold(known)
        after, ticking = set(segments), set(now := clocks(segments, reports_of(known)))
        for segment in [one for one in open_standings if one not in after]:
            open_standings.pop(segment)["known_to"] = moment
        for clock in [one for one in open_clocks if one not in ticking]:
            open_clocks.pop(clock).update(known_to=moment, life=derived.life_of(clock, recorded_on, recorded_on))
        new = [one for one in segments if one not in open_standings]
        started = [one for one in now if one not in open_clocks]
        open_standings |= zip(new, rows := store.standing_rows(new, moment, recorded_on), strict=True)
        open_clocks |= zip(started, more := store.clock_rows(started, moment, recorded_on), strict=True)
        standings += rows
        running += more
    project = derived.printed(known)
    project |= derived.keys_of(ref, project)
    project |= {"office_id": segments[-1].standing.office_id, "created_at": known[0].recorded_at, "last_recorded_at": known[-1].recorded_at}
    return Derived(project, _keyed("standing", standings), _keyed("clock", running))


def _keyed(table: str, rows: Sequence[dict[str, Any]]) -> Rows:
    return {tuple(row[name] for name in _TABLES[table][1]): row for row in rows}


def check(database: Database) -> list[str]:
    """What is stored otherwise than the facts say, one plain sentence each; empty when all is well."""
    found: list[str] = []
    for connection, projects in _chunks(database, database.snapshot, lock=False):
        for _, _, differences in _compared(connection, projects):
            found += differences
    return found


def rebuild(database: Database) -> list[str]:
    """Rewrite whatever is stored otherwise than the facts say; what was wrong, as `check` says it."""
    found: list[str] = []
    for connection, projects in _chunks(database, database.write, lock=True):
        wrong = [(number, derived) for number, derived, differences in _compared(connection, projects, found) if differences]
        if not wrong:
            continue
        for table, (model, _) in _TABLES.items():
            connection.execute(sa.delete(model).where(model.project_id.in_([number for number, _ in wrong])))
            rows = [{"project_id": number, **row} for number, derived in wrong for row in getattr(derived, table).values()]
            if rows:
                connection.execute(sa.insert(model), rows)
        update = sa.update(Project).where(Project.id == sa.bindparam("p"))
        connection.execute(update, [{"p": number, **derived.project} for number, derived in wrong])
    return found


def refresh_if_rules_changed(database: Database) -> bool:
    """Derive everything anew when the fold or a rule is not the one the stored rows were derived by, and the keys of names
    when they are made in another way; True for the former."""
    if not _made_by(database, KEYS, search.fingerprint()):
        _name_anew(database)
        _now_made_by(database, KEYS, search.fingerprint())
    if _made_by(database, FOLD, fingerprint()):
        return False
    rebuild(database)
    _now_made_by(database, FOLD, fingerprint())
    return True


def _made_by(database: Database, what: str, way: str) -> bool:
    with database.snapshot() as connection:
        return bool(connection.scalar(sa.select(Meta.value).where(Meta.name == what)) == way)


def _now_made_by(database: Database, what: str, way: str) -> None:
    with database.write() as connection:
        if connection.execute(sa.update(Meta).where(Meta.name == what).values(value=way)).rowcount == 0:
            connection.execute(sa.insert(Meta).values(name=what, value=way))


def _name_anew(database: Database) -> None:
    """The keys of all names, from the printed rows: no fact has to be read for them."""
    update = sa.update(Project).where(Project.id == sa.bindparam("p"))
    for connection, projects in _chunks(database, database.write, lock=True):
        keys = {number: derived.keys_of(row["ref"], row) for number, row in projects.items()}
        changed = [{"p": number, **made} for number, made in keys.items() if any(projects[number][name] != made[name] for name in made)]
        if changed:
            connection.execute(update, changed)


def verify_chains(database: Database, key: bytes) -> list[str]:
    """Follow every project's chain of facts; a sentence for each project whose chain is broken, naming the first bad link."""
    found: list[str] = []
    columns = (FactRow.project_id, FactRow.mac, *(getattr(FactRow, name) for name in SIGNED))
    for connection, projects in _chunks(database, database.snapshot, lock=False):
        query = sa.select(*columns).where(FactRow.project_id.in_(projects)).order_by(FactRow.project_id, FactRow.seq)
        chains: dict[int, list[dict[str, Any]]] = {number: [] for number in projects}
        for row in connection.execute(query).mappings():
            chains[row["project_id"]].append(dict(row))
        for number, chain in chains.items():
            project = projects[number]
            if (broken := _broken(key, project, chain)) is not None:
                found.append(f"项目 {project['ref']}：{broken}")
    return found


def _broken(key: bytes, project: dict[str, Any], chain: Sequence[dict[str, Any]]) -> str | None:
    mac = GENESIS
    for seq, row in enumerate(chain, 1):
        if row["seq"] != seq:
            return f"缺少第 {seq} 条事实 / fact {seq} is missing"
        mac = link(key, mac, project["ref"], row)
        if mac != row["mac"]:
            return f"第 {seq} 条事实与其校验码不符 / fact {seq} does not match its mac"
    if project["version"] != len(chain) or project["head_mac"] != mac:
        return f"链尾不符：应有 {project['version']} 条事实，实有 {len(chain)} 条 / the end of the chain does not match"
    return None


def _chunks(database: Database, opened: Any, *, lock: bool) -> Iterator[tuple[Connection, dict[int, dict[str, Any]]]]:
    """(connection, printed rows by number) of the whole register, some projects at a time, each in a transaction of its own."""
    columns = (Project.id, Project.ref, Project.version, Project.head_mac, *(getattr(Project, name) for name in _PRINTED))
    last = 0
    while True:
        block: AbstractContextManager[Connection] = opened()
        with block as connection:
            query = sa.select(*columns).where(Project.id > last).order_by(Project.id).limit(CHUNK)
            rows = connection.execute(query.with_for_update() if lock else query).mappings().all()
            if not rows:
                return
            yield connection, {row["id"]: dict(row) for row in rows}
        last = rows[-1]["id"]


def _compared(
    connection: Connection, projects: dict[int, dict[str, Any]], into: list[str] | None = None
) -> Iterator[tuple[int, Derived, list[str]]]:
    """(number, what follows from its facts, how the stored rows differ) of each project; the sentences also go `into` a list."""
    facts: dict[int, list[Fact]] = {number: [] for number in projects}
    query = sa.select(FactRow.project_id, *store.FACT_COLUMNS).where(FactRow.project_id.in_(projects))
    for number, *row in connection.execute(query.order_by(FactRow.project_id, FactRow.seq)):
        facts[number].append(store.fact_from(row))
    stored = {table: _stored(connection, table, projects) for table in _TABLES}
    for number, project in projects.items():
        derived = derive(project["ref"], facts[number])
        printed = {name: project[name] for name in _PRINTED}
        found = _differences("project", {(): printed}, {(): derived.project})
        for table in _TABLES:
            found += _differences(table, stored[table][number], getattr(derived, table))
        sentences = [f"项目 {project['ref']}：{one}" for one in found]
        if into is not None:
            into += sentences
        yield number, derived, sentences


def _stored(connection: Connection, table: str, projects: dict[int, dict[str, Any]]) -> dict[int, Rows]:
    model, key = _TABLES[table]
    found: dict[int, Rows] = {number: {} for number in projects}
    for row in connection.execute(sa.select(model.__table__).where(model.project_id.in_(projects))).mappings():
        one = dict(row)
        found[one.pop("project_id")][tuple(one[name] for name in key)] = one
    return found


def _differences(table: str, stored: Rows, derived: Rows) -> list[str]:
    """How the stored rows differ from the derived ones."""
    found = []
    for key in sorted({*stored, *derived}):
        where = " ".join([_WORDS[table], *map(str, key)])
        if key not in stored:
            found.append(f"缺少{where} / missing {table}")
        elif key not in derived:
            found.append(f"多出{where} / {table} that no fact makes")
        else:
            was, shall = stored[key], derived[key]
            told = [f"{name} 存为 {was[name]}，应为 {shall[name]}" for name in shall if was[name] != shall[name]]
            if told:
                found.append(f"{where} {'；'.join(told)} / {table} differs")
    return found
