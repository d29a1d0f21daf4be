"""Importing a year: always a new version, never an edit. The only writer of the calendar."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from importlib.metadata import version as version_of
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.calendars.models import CalendarVersion
from app.calendars.notice import Understood, read_notice
from app.calendars.queries import Version, governing, of_version, shown, to_body, versions
from app.calendars.sheet import is_sheet, read_sheet
from app.heart.calendar import Calendar, Year, shipped


class Actor(NamedTuple):
    """Who imports: an office in a role, and a person where the token names one."""

    office_id: int | None
    role: str
    person_id: int | None = None


def read(text: str, year: int) -> Understood:
    """A year from whatever was given: the CSV, or the notice's own wording."""
    return read_sheet(text, year) if is_sheet(text) else read_notice(text, year)


def import_year(
    connection: Connection,
    understood: Understood,
    *,
    given: str,
    source: str | None,
    actor: Actor | None,
    clock: Callable[[], datetime],
    dry_run: bool = False,
) -> dict[str, Any]:
    """Record what a notice says as the year's newest version, and say what was understood and which days change.

    The same days again add nothing (`stored` false); nor does a rehearsal. Workdays are counted by the new version from the
    moment of its recording on; answers under an earlier `known_at` stay.
    """
    if not dry_run:
        _one_at_a_time(connection)
    found = versions(connection)
    in_force = governing(found)
    before = next((one for one in in_force if one.says.year == understood.says.year), None)
    same = before is not None and to_body(before.says) == to_body(understood.says)
    after = [*(one.says for one in in_force if one.says.year != understood.says.year), understood.says]
    told = {
        **shown(understood.says),
        **_changes(Calendar(one.says for one in in_force), Calendar(after), understood.says.year),
        "ignored": list(understood.ignored),
        "warnings": list(understood.warnings),
        "stored": not (dry_run or same),
    }
    source = source or understood.source
    if dry_run:
        return {**told, "version": None, "recorded_at": None, "source": source, "actor": actor and actor._asdict()}
    if same:
        assert before is not None
        return {**told, **of_version(before)}
    # later than every version before it, whatever the clocks of replicas say: the newest number is the newest knowledge
    moment = max([clock(), *(one.recorded_at + timedelta(microseconds=1) for one in found)])
    return {**told, **of_version(_store(connection, understood.says, moment, source, given, actor))}


def seed_missing(connection: Connection, now: datetime) -> list[int]:
    """Record the years that came with a newer `chinesecalendar` and that nobody has imported: known from now on, like an import."""
    _one_at_a_time(connection)
    found = versions(connection)
    known = {one.says.year for one in found}
    added = [one for one in shipped() if one.year not in known]
    moment = max([now, *(one.recorded_at for one in found)])
    for step, year in enumerate(added, 1):
        _store(connection, year, moment + timedelta(microseconds=step), f"chinesecalendar {version_of('chinesecalendar')}", None, None)
    return [one.year for one in added]


def _one_at_a_time(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":  # SQLite has one writer
        connection.exec_driver_sql("LOCK TABLE calendar_version IN SHARE ROW EXCLUSIVE MODE")


def _store(connection: Connection, year: Year, moment: datetime, source: str | None, given: str | None, actor: Actor | None) -> Version:
    who: dict[str, Any] = actor._asdict() if actor else {"office_id": None, "role": None, "person_id": None}
    row = {
        "year": year.year,
        "recorded_at": moment,
        "body": to_body(year),
        "source": source,
        "given": given and given.replace("\x00", ""),
        **who,
    }
    number = connection.execute(sa.insert(CalendarVersion).values(**row).returning(CalendarVersion.id)).scalar_one()
    return Version(number, moment, source, **who, says=year)


def _changes(before: Calendar, after: Calendar, year: int) -> dict[str, list[date]]:
    """The days that were worked and no longer are, and the other way round."""
    days = [date(year - 1, 12, 1) + timedelta(days=number) for number in range(31 + 366)]
    moved = [day for day in days if before.is_workday(day) != after.is_workday(day)]
    return {
        "becomes_off": [day for day in moved if before.is_workday(day)],
        "becomes_workday": [day for day in moved if after.is_workday(day)],
    }
