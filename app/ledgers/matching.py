"""Which project of the register a row means: by 项目编号, 项目代码, 信用代码, else by name and town.

What is unclear is said, not guessed.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.db import among
from app.ledgers.events_offices import Authority, Offices
from app.ledgers.telling import code_of, credit_of
from app.ledgers.understanding.marks import Mark
from app.ledgers.understanding.model import Row
from app.offices.models import Person
from app.offices.queries import OfficeRow
from app.projects import store
from app.projects.models import Project
from app.projects.search import alike, match_key

RUNNING_NUMBER = 4
"""So many digits and nothing else count the rows of a sheet; they are no number of a project."""
_COLUMNS = (Project.id, Project.ref, Project.office_id, Project.name, Project.project_code, Project.credit_code, Project.match_key)
_BY = {
    "ref": sa.select(*_COLUMNS).where(among(Project.ref, "values", sa.String)),
    "code": sa.select(*_COLUMNS).where(among(Project.project_code, "values", sa.String)),
    "credit": sa.select(*_COLUMNS).where(among(Project.credit_code, "values", sa.String)),
    "name": sa.select(*_COLUMNS).where(among(Project.match_key, "values")),
}


class Candidate(NamedTuple):
    """A project as far as a row can mean it."""

    id: int
    ref: str
    office_id: int
    name: str
    project_code: str | None
    credit_code: str | None
    match_key: int | None


class Keys(NamedTuple):
    """What a row can be found by."""

    ref: str | None
    code: str | None
    credit: str | None
    name: str

    @classmethod
    def of(cls, row: Row) -> Keys:
        """The keys of an accepted row."""
        return cls(ref_of(row), code_of(row), credit_of(row), alike(row.name or ""))


class Match(NamedTuple):
    """The project, or None for a new one; `fault` rejects the row, `remark` goes with it."""

    project: Candidate | None = None
    fault: Mark | None = None
    remark: Mark | None = None


def ref_of(row: Row) -> str | None:
    """The number of the project, when the cell can be one."""
    text = row.get("project_no")
    if not text or text in (".", "..") or len(text) > 64 or not text.isprintable() or any(mark.isspace() or mark == "/" for mark in text):
        return None
    return None if text.isdecimal() and len(text) <= RUNNING_NUMBER else str(text)


@dataclass
class Candidates:
    """Everything a chunk of rows may mean."""

    ref: dict[str, Candidate] = field(default_factory=dict)
    code: dict[str, list[Candidate]] = field(default_factory=dict)
    credit: dict[str, list[Candidate]] = field(default_factory=dict)
    name: dict[str, list[Candidate]] = field(default_factory=dict)

    @classmethod
    def of(cls, connection: Connection, keys: Sequence[Keys]) -> Candidates:
        """Four look-ups, whatever the number of rows."""
        found = cls()
        names = {match_key(one.name): one.name for one in keys}
        wanted: dict[str, list[Any]] = {
            "ref": list({one.ref for one in keys if one.ref}),
            "code": list({one.code for one in keys if one.code}),
            "credit": list({one.credit for one in keys if one.credit}),
            "name": list(names),
        }
        for by, values in wanted.items():
            for row in connection.execute(_BY[by], {"values": values}) if values else ():
                one = Candidate(*row)
                if by == "ref":
                    found.ref[one.ref] = one
                elif by == "code":
                    found.code.setdefault(str(one.project_code), []).append(one)
                elif by == "credit":
                    found.credit.setdefault(str(one.credit_code), []).append(one)
                elif alike(one.name) == names.get(one.match_key or 0):
                    found.name.setdefault(alike(one.name), []).append(one)
        return found


def match(row: Row, keys: Keys, office: OfficeRow | None, found: Candidates, covers: Any, taken: Container[int]) -> Match:
    """The project a row means. `covers` says whether a project's office lies inside the scope of whoever imports; `taken`
    are projects that other rows of the file told of."""

    def mine(some: list[Candidate]) -> list[Candidate]:
        return [one for one in some if covers(one.office_id) and one.id not in taken]

    def fault(code: str, name: str, some: list[Candidate]) -> Match:
        refs = "、".join(sorted(one.ref for one in some)[:5])
        return Match(fault=Mark(code, name, row.table.columns.get(name), refs))

    by_code = mine(found.code.get(keys.code or "", []))
    by_name = [one for one in mine(found.name.get(keys.name, [])) if office is not None and one.office_id == office.id]
    if keys.ref and (told := found.ref.get(keys.ref)):
        if not covers(told.office_id):
            return Match(fault=Mark("project_outside", "project_no", row.table.columns.get("project_no"), keys.ref))
        if by_code and told not in by_code:
            return fault("keys_disagree", "project_code", by_code)
        return Match(told, remark=_shared(row, keys, told, found.code.get(keys.code or "", []), taken))
    if by_code:
        named = [one for one in by_code if alike(one.name) == keys.name]
        if len(named) == 1 or (len(by_code) == 1 and not keys.ref):
            return Match((named or by_code)[0])
        return fault("match_ambiguous", "project_code", by_code)
    by_credit = mine(found.credit.get(keys.credit or "", []))
    named = [one for one in by_credit if alike(one.name) == keys.name and not _another(one, keys)]
    if len(named) == 1:
        return Match(named[0])
    if len(by_name) == 1 and not keys.ref and not _another(by_name[0], keys):
        return Match(by_name[0])
    if len(by_name) > 1 and not keys.ref:
        return fault("match_ambiguous", "project_name", by_name)
    others = [one for one in by_credit if not _another(one, keys)]
    if others and not keys.ref:  # one company, another name: renamed, or its next project; only a number can tell
        return fault("match_ambiguous", "credit_code", others)
    refs = "、".join(one.ref for one in by_name[:5])
    return Match(remark=Mark("same_name", "project_name", row.table.columns.get("project_name"), refs) if by_name else None)


def _shared(row: Row, keys: Keys, told: Candidate, every: Sequence[Candidate], taken: Container[int]) -> Mark | None:
    """The code that a row gives to its project is that of another one, of which the file tells as well."""
    refs = "、".join(sorted(one.ref for one in every if one.id in taken))
    if not refs or told.project_code == keys.code or any(mark.code == "shared_code" for mark in row.marks):
        return None
    return Mark("shared_code", "project_code", row.table.columns.get("project_code"), refs)


def _another(one: Candidate, keys: Keys) -> bool:
    """Both have a 项目代码, and not the same: two projects, whatever else is alike."""
    return keys.code is not None and one.project_code is not None and one.project_code != keys.code


_OFFICIAL = re.compile("(?:人民政府|党委政府|党委|管委会|管理委员会|党工委)$")
_KIND = re.compile("(?:街道办事处|街道办|街道|办事处|镇|乡)$")


def _short(name: str) -> Iterator[str]:
    """What else a town is called: 甲河镇人民政府 is 甲河镇, and 甲河 too."""
    plain = _OFFICIAL.sub("", name)
    bare = _KIND.sub("", plain)
    yield from dict.fromkeys(one for one in (plain, bare, f"{bare}街道" if "办" in plain[len(bare) :] else "") if len(one) > 1)


class Towns:
    """The office of a row: its town by code or name, blanks and width aside; a town's own file need not say it."""

    def __init__(self, offices: Offices, authority: Authority, own: OfficeRow | None) -> None:
        self._offices, self._authority = offices, authority
        self._own = own if own is not None and own.kind == "town" else None
        self._alike: dict[str, list[OfficeRow]] = {}
        self._short: dict[str, list[OfficeRow]] = {}
        for one in offices.by_id.values():
            if authority.covers(one.path):
                self._alike.setdefault(alike(one.name), []).append(one)
                for short in _short(alike(one.name)) if one.kind == "town" else ():
                    self._short.setdefault(short, []).append(one)

    def find(self, row: Row) -> tuple[OfficeRow | None, Mark | None]:
        """(office, why there is none, or what there is to tell of the one found)."""
        column = row.table.columns.get("town")
        if not row.town:
            return self._own, None if self._own else Mark("town_needed", "town", column)
        near = self._alike.get(alike(row.town), [])
        if not near and not self._offices.has(row.town):
            meant = self._short.get(_OFFICIAL.sub("", alike(row.town)), [])
            if len(meant) == 1:
                return meant[0], Mark("town_short", "town", column, f"{row.town[:150]} → {meant[0].name}")
        found = near[0] if len(near) == 1 else self._offices.find(row.town)
        if found is None and "town" not in row.table.columns:
            found = self._own  # the title of a town's own file may name the town in another way
        return found, None if found else Mark("town_unknown", "town", column, row.town[:200])

    def near(self, row: Row) -> OfficeRow | None:
        """The office inside the scope that has the name of the row's town; none is made, and none is missed."""
        some = self._alike.get(alike(row.town or ""), [])
        return some[0] if len(some) == 1 else None

    def covers(self, office_id: int) -> bool:
        """Is the office inside the scope?"""
        one = self._offices.by_id.get(office_id)
        return one is not None and self._authority.covers(one.path)

    def name_of(self, office_id: int) -> str:
        """An office as a plan prints it."""
        one = self._offices.by_id.get(office_id)
        return one.name if one else str(office_id)


class People:
    """Whom the column 责任人 names: somebody of the project's own office, else of the whole scope, if there is one of that name."""

    def __init__(self, connection: Connection, towns: Towns) -> None:
        self._named: dict[str, list[tuple[int, int]]] = {}
        self.names: dict[int, str] = {}
        for number, name, office_id, left_on in connection.execute(sa.select(Person.id, Person.name, Person.office_id, Person.left_on)):
            self.names[number] = name
            if left_on is None and towns.covers(office_id):
                self._named.setdefault("".join(name.split()), []).append((number, office_id))

    def find(self, name: str | None, office_id: int) -> tuple[int | None, bool]:
        """(the person's number, whether several share the name)."""
        every = self._named.get("".join((name or "").split()), [])
        own = [number for number, at in every if at == office_id]
        found = own or [number for number, _ in every]
        return (found[0] if len(found) == 1 else None), len(found) > 1


def heads_of(connection: Connection, matches: Sequence[Match], lock: bool) -> dict[int, store.Head]:
    """The projects that are meant, under their locks, by number."""
    refs = sorted({one.project.ref for one in matches if one.project})
    heads = store.load_many(connection, refs, lock=lock) if refs else {}
    return {head.id: head for head in heads.values()}
