"""With whose authority an import runs, and which offices its rows may name."""

from __future__ import annotations

import re
from typing import NamedTuple

from sqlalchemy.engine import Connection

from app.errors import Forbidden, Invalid
from app.heart import lifecycle
from app.offices.access import NOTHING, scope_of
from app.offices.queries import OfficeRow, all_offices
from app.offices.service import add_office, is_code
from app.projects.derived import Actor

_ODD = re.compile(r"[\W_]+")


class Authority(NamedTuple):
    """Who imports: `scope` is the path of the subtree it may touch, `county` the office that new towns hang under."""

    actor: Actor
    scope: str
    county: OfficeRow | None

    def covers(self, path: str) -> bool:
        """Is the office with this path inside the scope?"""
        return path.startswith(self.scope)

    def recognition(self, stage: str | None) -> str:
        """What county and bureau import is recognised; a town recognises only what the table leaves to towns."""
        by_town = stage is not None and lifecycle.BY_STAGE[stage].recogniser == "town"
        return "recognised" if self.county or by_town else "claimed"


def authority_of(connection: Connection, office: OfficeRow | None, create_offices: bool) -> Authority:
    """The authority of an office; without one, that of the only county."""
    every = all_offices(connection)
    if office is None:
        counties = [one for one in every if one.kind == "county"]
        if len(counties) != 1:
            raise Invalid(f"台账里有 {len(counties)} 个县；请用 --office 指明以哪个单位的名义导入 / say which office imports")
        office = counties[0]
    parent = next((one for one in every if one.id == office.parent_id), None)
    scope = scope_of(office.kind, office.path, parent.path if parent else None)
    if scope == NOTHING:
        raise Forbidden("部门没有自己的项目，不能导入 / a department cannot import")
    county = {"county": office, "bureau": parent or office}.get(office.kind)
    if create_offices and county is None:
        raise Forbidden("只有县或县招商局可以用 --create-offices / only county or bureau may create offices")
    return Authority(Actor(office.id, "officer" if county else "clerk"), scope, county)


def code_for(name: str) -> str:
    """The code of an office made from a name: the name itself where it can be one, else its letters and digits."""
    return name if is_code(name) else _ODD.sub("-", name).strip("-")[:58] or "town"


class Offices:
    """The offices inside a scope, found by code and then by name. Towns that are missing are made when `create` is set;
    a dry run only says which (their ids are negative)."""

    def __init__(self, connection: Connection, authority: Authority, *, create: bool, dry_run: bool) -> None:
        self._connection, self._authority, self._create, self._dry_run = connection, authority, create, dry_run
        every = all_offices(connection)
        self._codes = {one.code for one in every}
        self.by_id = {one.id: one for one in every}
        self.created: list[str] = []
        mine = [one for one in every if authority.covers(one.path)]
        self._found = {one.name: one for one in reversed(mine)} | {one.code: one for one in mine}

    def has(self, text: str) -> bool:
        """Is there an office of this code or name inside the scope?"""
        return text in self._found

    def find(self, text: str) -> OfficeRow | None:
        """The office a row names; None when there is none inside the scope."""
        found = self._found.get(text)
        if found is None and self._create and self._authority.county is not None:
            found = self._found[text] = self._made(text, self._authority.county)
            self.by_id[found.id] = found
            self._codes.add(found.code)
            self.created.append(text)
        return found

    def _made(self, name: str, county: OfficeRow) -> OfficeRow:
        code = self._code(name)
        if self._dry_run:
            number = -len(self.created) - 1
            return OfficeRow(number, code, name, "town", f"{county.path}{number}/", county.id)
        return add_office(self._connection, code=code, name=name, kind="town", parent=county.code)

    def _code(self, name: str) -> str:
        """A free code for the name, numbered when the plain one is taken."""
        wanted = code_for(name)
        code, count = wanted, 1
        while code in self._codes:
            count += 1
            code = f"{wanted[:58]}-{count}"
        return code
