"""Who may get the digest of a day, what each was told last, and who takes over the mail of those who left.

Readers are the people of county, bureau and towns; and whoever is named in a project, wherever he sits: its owner hears of it
like its town, its liaison leader (包联领导) when it turns red. A leader of the county reads a page a month, and of single projects
those he is named in or that came to him by the ladder; a leader of the bureau hears of every red, for the bureau answers for all.
What somebody who left would have heard goes to the leader of his unit, else to the leader of the unit above it, and so on: never
nowhere.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple, Protocol

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.alerts import hearing
from app.alerts.models import Delivery, Preference
from app.heart.limits import FOREVER
from app.offices.access import NOTHING, units_above
from app.offices.models import Office, Person
from app.projects.models import StandingRow
from app.robots.models import Robot
from app.robots.queries import LIVE

WHOLE = ("county", "bureau")
LISTED = (*WHOLE, "town")
READERS = ("clerk", "officer", "leader")


class Leaver(NamedTuple):
    """Somebody who left, as far as others have to hear in his place: `offices` are towns that nobody else reads of."""

    id: int
    name: str
    office: str
    left_on: date
    told_at: datetime | None
    leads: bool
    offices: tuple[int, ...]


class Recipient(NamedTuple):
    """Somebody who may get a digest, and the last one known to have reached him: of which day, and when it was written.

    `listed`: hears of the projects of his offices; else only of those he is named in, or takes over. `robot_id`: the robot that
    he prefers to mail.
    """

    id: int
    name: str
    email: str
    role: str
    office_id: int
    office: str
    kind: str
    path: str
    last_date: date | None = None
    last_at: datetime | None = None
    listed: bool = True
    leads: bool = False
    robot_id: int | None = None
    robot_kind: str | None = None
    inherits: tuple[Leaver, ...] = ()

    @property
    def whole(self) -> bool:
        """County and bureau hear of every town."""
        return self.listed and self.kind in WHOLE

    @property
    def monthly(self) -> bool:
        """Leaders of county and bureau get the monthly section."""
        return self.role == "leader" and self.kind in WHOLE

    @property
    def scope(self) -> str:
        """The path of the offices he hears of."""
        return self.path if self.listed else NOTHING

    @property
    def reader(self) -> hearing.Reader:
        """What the digest has to know of him."""
        return hearing.Reader(self.name, self.office, self.whole, self.whole and self.role == "leader")


def is_listed(role: str, kind: str) -> bool:
    """Does somebody hear, day by day, of the projects of his offices?"""
    return role in READERS and kind in LISTED and not (role == "leader" and kind == "county")


def _named(column: Any, *more: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """Is somebody named in a project now?"""
    now = (column == Person.id, StandingRow.known_to.is_(None), StandingRow.valid_to == FOREVER)
    return sa.exists().where(*now, *more).correlate(Person)


def recipients(connection: Connection, day: date) -> list[Recipient]:
    """Everybody who may get the digest of a day."""
    offices = [(row.id, row.path) for row in connection.execute(sa.select(Office.id, Office.path).order_by(Office.path))]
    present: dict[int, Any] = {}
    gone: dict[int, Any] = {}
    for row in connection.execute(_everybody(day)):
        (present if row.left_on is None or row.left_on > day else gone)[row.id] = row
    listed = {row.id for row in present.values() if is_listed(row.role, row.kind)}
    inherited = _inherited(present.values(), gone.values(), offices)
    found = [
        Recipient(*row[:10])._replace(
            listed=number in listed,
            leads=row.leads,
            robot_id=row.robot_id,
            robot_kind=row.robot_kind,
            inherits=tuple(inherited.get(number, ())),
        )
        for number, row in sorted(present.items())
    ]
    return [who for who in found if who.listed or who.monthly or present[who.id].owns or who.leads or who.inherits]


def _everybody(day: date) -> sa.Select[Any]:
    last = (
        sa.select(Delivery.person_id, sa.func.max(Delivery.run_date).label("run_date"))
        .where(Delivery.state == "sent", Delivery.person_id.is_not(None), Delivery.run_date < day)
        .group_by(Delivery.person_id)
        .subquery()
    )
    going_on = StandingRow.status != "terminated"
    arrived = sa.and_(Delivery.person_id == Person.id, Delivery.run_date == last.c.run_date, Delivery.state == "sent")
    columns = (
        Person.id, Person.name, Person.email, Person.role, Office.id.label("office_id"), Office.name.label("office"), Office.kind,
        Office.path, last.c.run_date,
        Delivery.created_at,  # not when it was sent: what failed while it was on its way is not in it
        _named(StandingRow.owner_id).label("owns"), _named(StandingRow.liaison_id).label("leads"),  # ended ones too: he hears of the end
        _named(StandingRow.owner_id, going_on).label("left_owning"), _named(StandingRow.liaison_id, going_on).label("left_leading"),
        Person.left_on, Person.left_told_at,
        Robot.id.label("robot_id"), Robot.kind.label("robot_kind"),
    )  # fmt: skip
    people = sa.select(*columns).join(Office, Office.id == Person.office_id)
    people = people.outerjoin(Preference, Preference.person_id == Person.id)
    people = people.outerjoin(Robot, sa.and_(Robot.id == Preference.robot_id, Robot.enabled, LIVE))
    return people.outerjoin(last, last.c.person_id == Person.id).outerjoin(Delivery, arrived).order_by(Person.id)


class Succession(NamedTuple):
    """Who takes over the mail of somebody who left; `offices` are towns that nobody else reads of."""

    heirs: tuple[int, ...]
    offices: tuple[int, ...]


class Staff(Protocol):
    """What has to be known of a person for that: office kind and path are those of his office."""

    @property
    def id(self) -> int: ...
    @property
    def role(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def path(self) -> str: ...


def successions(present: Iterable[Staff], gone: Iterable[Staff], offices: Sequence[tuple[int, str]]) -> dict[int, Succession]:
    """leaver → who takes over: the leaders of his unit, else of the one above it, and so on; else everybody of county and bureau."""
    leaders: dict[str, list[int]] = defaultdict(list)
    everybody: list[int] = []
    read = set()
    for one in present:
        if one.role == "leader":
            leaders[one.path].append(one.id)
        if is_listed(one.role, one.kind):
            if one.kind in WHOLE:
                everybody.append(one.id)
            else:
                read.add(one.path)
    unread: dict[str, tuple[int, ...]] = {}
    found = {}
    for one in gone:
        towns: tuple[int, ...] = ()
        if is_listed(one.role, one.kind) and one.kind == "town":
            if one.path not in unread:
                below = ((number, path) for number, path in offices if path.startswith(one.path))
                unread[one.path] = tuple(number for number, path in below if not read.intersection(units_above(path)))
            towns = unread[one.path]
        heirs = next((leaders[path] for path in units_above(one.path) if leaders.get(path)), everybody)
        found[one.id] = Succession(tuple(heirs), towns)
    return found


def _inherited(present: Iterable[Any], gone: Iterable[Any], offices: Sequence[tuple[int, str]]) -> Mapping[int, list[Leaver]]:
    """person → those whose mail he takes over."""
    found: dict[int, list[Leaver]] = defaultdict(list)
    left = list(gone)
    taken_over = successions(present, left, offices)
    for row in left:
        heirs, unread = taken_over[row.id]
        if row.left_owning or row.left_leading or unread:
            leaver = Leaver(row.id, row.name, row.office, row.left_on, row.left_told_at, row.left_leading, unread)
            for heir in heirs:
                found[heir].append(leaver)
    return found
