"""Reading the calendar: which version of each year answers, and the calendar these make together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.calendars.models import CalendarVersion
from app.heart.calendar import Calendar, Year

NEWEST = sa.func.coalesce(sa.select(sa.func.max(CalendarVersion.id)).scalar_subquery(), 0)
"""Part of other statements: the newest version's number."""


class Version(NamedTuple):
    """One stored version of one year."""

    id: int
    recorded_at: datetime
    source: str | None
    office_id: int | None
    role: str | None
    person_id: int | None
    says: Year


_ALL = sa.select(
    CalendarVersion.id,
    CalendarVersion.recorded_at,
    CalendarVersion.source,
    CalendarVersion.office_id,
    CalendarVersion.role,
    CalendarVersion.person_id,
    CalendarVersion.year,
    CalendarVersion.body,
).order_by(CalendarVersion.id)


def versions(connection: Connection, year: int | None = None) -> list[Version]:
    """Every version (of one year), oldest first."""
    query = _ALL if year is None else _ALL.where(CalendarVersion.year == year)
    return [Version(*row[:6], from_body(row.year, row.body)) for row in connection.execute(query)]


def from_body(year: int, body: str) -> Year:
    """A year as it is stored."""
    told = orjson.loads(body)
    return Year(year, *({date.fromisoformat(day): name for day, name in told[kind].items()} for kind in ("holidays", "workdays")))


def to_body(year: Year) -> str:
    """A year as it is stored: the same year gives the same text."""
    kinds = {"holidays": year.holidays, "workdays": year.workdays}
    told = {kind: {day.isoformat(): name for day, name in sorted(days.items())} for kind, days in kinds.items()}
    return orjson.dumps(told).decode()


def governing(found: Iterable[Version], known_at: datetime | None = None, up_to: int | None = None) -> list[Version]:
    """Of each year the version that answers: of those recorded by K (None: ever), up to a number, the latest. In the order they
    were recorded in, so that where two notices name the same day the later one is right."""
    latest: dict[int, Version] = {}
    for one in found:
        if (known_at is None or one.recorded_at <= known_at) and (up_to is None or one.id <= up_to):
            before = latest.get(one.says.year)
            if before is None or (one.recorded_at, one.id) > (before.recorded_at, before.id):
                latest[one.says.year] = one
    return sorted(latest.values(), key=lambda one: (one.recorded_at, one.id))


class Shelf:
    """The calendars that some versions make. Each is made once and kept, so that what was counted by it stays counted."""

    def __init__(self) -> None:
        self._made: dict[tuple[int, ...], Calendar] = {}

    def calendar(self, found: Iterable[Version], known_at: datetime | None = None, up_to: int | None = None) -> Calendar:
        """The calendar known at K (None: now), or that a run used (`up_to` its number)."""
        right = governing(found, known_at, up_to)
        key = tuple(one.id for one in right)
        made = self._made.get(key)
        if made is None:
            made = self._made.setdefault(key, Calendar([one.says for one in right], max(key, default=0)))
        return made


def spans(days: Mapping[date, str]) -> list[dict[str, Any]]:
    """Days off as a notice tells them: runs of days of the same name."""
    found: list[dict[str, Any]] = []
    for day, name in sorted(days.items()):
        last = found[-1] if found else None
        if last is not None and last["name"] == name and (day - last["last"]).days == 1:
            last |= {"last": day, "days": last["days"] + 1}
        else:
            found.append({"name": name, "first": day, "last": day, "days": 1})
    return found


def shown(year: Year) -> dict[str, Any]:
    """A year's days as the API prints them."""
    worked = [{"date": day, "name": name} for day, name in sorted(year.workdays.items())]
    return {"year": year.year, "holidays": spans(year.holidays), "workdays": worked}


def of_version(one: Version) -> dict[str, Any]:
    """Where a version comes from, as the API prints it."""
    actor = None if one.role is None else {"office_id": one.office_id, "role": one.role, "person_id": one.person_id}
    return {"version": one.id, "recorded_at": one.recorded_at, "source": one.source, "actor": actor}
