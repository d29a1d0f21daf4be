"""Where digests are put together: one pass over what changed finds out who hears of it, then each message is made by itself.

What concerns a reader waits on his shelf as a short row; only the lines that a message prints are read in full. So memory does
not grow with the register, and a first day that opens half a million flags is a matter of seconds.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from itertools import groupby
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection

from app.alerts import bureau, by_link, digest, hearing, leavers, monthly, news, rhythms, supervision, weekly
from app.alerts.blocks import Block
from app.alerts.notes import sending_notes
from app.alerts.readers import Recipient
from app.heart.calendar import Calendar
from app.offices.desk import Moment
from app.offices.models import Office
from app.orders.telling import Teller
from app.policies.policy import Policy
from app.settings import Settings
from app.shelves import Shelves

log = structlog.get_logger()
HELD = 5_000
"""Rows of all shelves in memory, some 3 MB."""
PRINTED = 250
"""Projects read in full at once."""
OWN = hearing.Reader("", "", whole=False, leader=False)
"""How an office hears of its projects, and an owner of his."""
LED = hearing.Reader("", "", whole=True, leader=True)
"""How a liaison leader hears of the projects he looks after: when they turn red."""


class Desk:
    """One day's digests, over one snapshot. `keep` is called now and then, to renew a claim."""

    def __init__(
        self, connection: Connection, policy: Policy, calendar: Calendar, day: date, settings: Settings, keep: Callable[[], None]
    ) -> None:
        self.connection, self.policy, self.calendar = connection, policy, calendar
        self.day, self.settings, self.keep = day, settings, keep
        self._offices = [(row.id, row.path) for row in connection.execute(sa.select(Office.id, Office.path))]
        self._towns: list[digest.TownCount] | None = None
        self._awaiting: list[digest.Awaiting] | None = None
        self._names = news.names(connection, day)
        self._at = Moment(day, datetime.max.replace(tzinfo=UTC), None, False)
        self._orders = Teller(connection, policy, calendar, day)
        self._monthly: tuple[Block, ...] | None = None
        self._bureau: tuple[Block, ...] | None = None
        self._pages: dict[int, Block] = {}
        self._departures: dict[int, Block] = {}
        self._by_link: dict[int, Block] = {}
        self._shelves: Shelves | None = None
        self._places: dict[Any, int] = {}
        self._bodies: dict[Any, digest.Body] = {}
        self._town: tuple[Any, digest.Body] | None = None
        """What the last town's readers heard: the next one is often of the same town, and to keep more would not be flat."""

    def groups(self, readers: Sequence[Recipient]) -> Iterator[list[Recipient]]:
        """Readers who were last told on the same day, those of one town behind one another; while a group is being worked on,
        `digest` answers for its readers."""
        ordered = sorted(readers, key=lambda who: (who.last_date or date.min, who.scope, who.id))
        for last, some in groupby(ordered, key=lambda who: who.last_date):
            group = list(some)
            self._places, self._bodies, self._town = {}, {}, None
            self._look_up(last, group)
            for who in group:
                for audience in _audiences(who):
                    self._places.setdefault(audience, len(self._places))
            with Shelves(self.settings.var_dir, len(self._places), HELD) as self._shelves:
                self._sort_out(last, group)
                yield group

    def _look_up(self, last: date | None, group: Sequence[Recipient]) -> None:
        """Sections of some readers, read for all of them at once."""
        begun = rhythms.due(self.day, last, rhythms.WEEKLY, self.calendar)
        leaders = {number for who in group for number in _leading(who)} if begun else set()
        self._pages = weekly.blocks(self.connection, leaders, self.day, self.settings.public_url)
        self._departures = leavers.blocks(self.connection, group, self.settings.public_url)
        self._by_link = by_link.blocks(self.connection, group, self.day, self.settings)

    def _sort_out(self, last: date | None, group: Sequence[Recipient]) -> None:
        """Put what changed since a day on the shelves of those who hear of it: their offices' projects, those they own or look
        after, and those of whoever left and whose mail they take over."""
        assert self._shelves is not None
        whole = {self._places[_audiences(who)[0]]: who.reader for who in group if who.whole}
        by_office: dict[int, set[int]] = defaultdict(set)
        owners: dict[int, list[tuple[int, int]]] = defaultdict(list)  # person → (shelf, shelf of what its reader hears anyway)
        leaders: dict[int, list[tuple[int, int]]] = defaultdict(list)
        taken_over: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for who in group:
            shared, own = (self._places[audience] for audience in (_audiences(who)[0], _audiences(who)[-1]))
            if not who.whole:
                owners[who.id].append((own, shared))
                for office_id, path in self._offices:
                    if path.startswith(who.scope):
                        by_office[office_id].add(shared)
            for number in _leading(who) if not who.reader.leader else ():
                leaders[number].append((own, shared))
            for one in who.inherits:
                owners[one.id].append((own, shared))
                for office_id in one.offices:
                    taken_over[office_id].append((own, shared))
        if last is not None:
            changed = news.since(self.connection, last, self.day)
        else:  # a town's reader who was never told anything costs his own flags, not everybody's
            changed = news.untold(self.connection, None if whole else {*by_office, *taken_over}, owners, leaders)
        for changes in changed:
            places = news.whereabouts(self.connection, changes)
            for number, nets in changes.items():
                where = places[number]
                try:
                    told = news.changes_of(nets)
                    heard = by_office.get(where.office_id, set())
                    named = (*owners.get(where.owner_id or 0, ()), *taken_over.get(where.office_id, ()))
                    seen = {*heard, *(own for own, shared in named if shared == own or shared not in heard)}
                    if seen:
                        self._shelve(seen, number, hearing.relevant(told, OWN), where)
                    for place, reader in whole.items():
                        if place not in seen:
                            self._shelve({place}, number, hearing.relevant(told, reader), where)
                    seen |= whole.keys()
                    led = {own for own, shared in leaders.get(where.liaison_id or 0, ()) if own not in seen and shared not in seen}
                    if led:
                        self._shelve(led, number, hearing.relevant(told, LED), where)
                except (LookupError, ValueError, TypeError) as error:
                    log.error("project cannot be told of", project_id=number, exc_info=error)
            self.keep()

    def _shelve(self, shelves: set[int], number: int, changes: tuple[hearing.Change, ...], where: news.Where) -> None:
        if changes:
            place = hearing.urgency(changes, where.levels, where.dues, where.ref)
            row = (place, number, tuple((one.rule, one.before, one.after, one.stock) for one in changes))
            for shelf in shelves:
                assert self._shelves is not None
                self._shelves.put(shelf, row)

    def _body(self, who: Recipient) -> digest.Body:
        """What changed for a reader: counted in full, the most urgent printed. Readers who hear the same share it."""
        assert self._shelves is not None
        shared, own = _audiences(who)[0], _audiences(who)[-1]
        alone = own == who.id and next(self._shelves.take(self._places[own]), None) is not None
        if not alone and shared in self._bodies:
            return self._bodies[shared]
        if not alone and self._town is not None and self._town[0] == shared:
            return self._town[1]
        made = self._made({shared, own} if alone else {shared})
        if not alone and who.whole:
            self._bodies[shared] = made
        elif not alone:
            self._town = (shared, made)
        return made

    def _made(self, audiences: set[Any]) -> digest.Body:
        counts: Counter[str] = Counter()

        def counted() -> Iterator[tuple[Any, ...]]:
            assert self._shelves is not None
            for audience in audiences:
                for row in self._shelves.take(self._places[audience]):
                    counts[hearing.SECTIONS[row[0][0]]] += 1
                    yield row

        first = heapq.nsmallest(digest.MAX_LINES + digest.ATTACHED, counted())
        return digest.body(counts, self._printed(first), self.day)

    def _printed(self, rows: Sequence[tuple[Any, ...]]) -> Iterator[hearing.Project]:
        for at in range(0, len(rows), PRINTED):
            some = {number: {rule: news.Net(*net) for rule, *net in nets} for _, number, nets in rows[at : at + PRINTED]}
            lines = news.projects(self.connection, some, self.policy, self.day, self.settings.public_url, self._names)
            for number in some:
                yield lines[number]
            self.keep()

    def towns(self) -> list[digest.TownCount]:
        """Standing counts of the whole county."""
        if self._towns is None:
            self._towns = bureau.town_counts(self.connection)
        return self._towns

    def awaiting(self) -> list[digest.Awaiting]:
        """Stops that only an unreviewed claim hides."""
        if self._awaiting is None:
            self._awaiting = bureau.awaiting(self.connection, self.policy, self.day, self.settings.public_url, digest.MAX_LINES + 1)
        return self._awaiting

    def blocks(self, who: Recipient) -> tuple[Block, ...]:
        """The sections of one reader beside the day's changes. A new one is one more line here."""
        found: list[Block] = []
        found += [some[who.id] for some in (self._departures, self._by_link) if who.id in some]
        if who.monthly and rhythms.due(self.day, who.last_date, rhythms.MONTHLY, self.calendar):
            found += self._month()
        found += [self._pages[number] for number in _leading(who) if number in self._pages]
        if who.whole and not who.reader.leader:
            if self._bureau is None:
                odd = by_link.strange(self.connection, self.day, self.settings)
                self._bureau = (*bureau.blocks(self.connection), *([odd] if odd else ()))
            found += self._bureau
        found += supervision.blocks(self._orders.for_reader(who))
        return tuple(found)

    def _month(self) -> tuple[Block, ...]:
        if self._monthly is None:
            self._monthly = monthly.blocks(self.connection, self.policy, self.day, self._at, self.settings.public_url, self.towns())
        return self._monthly

    def digest(self, who: Recipient) -> digest.Digest | None:
        """One reader's digest."""
        extra: dict[str, Any] = {}
        if who.whole and not who.reader.leader:
            undelivered = bureau.undelivered(self.connection, who.last_at, self.day)
            extra = {
                "towns": self.towns(),
                "awaiting": self.awaiting(),
                "undelivered": undelivered,
                "summary": self.calendar.is_workday(self.day),
            }
        news_of_day = self._body(who)
        notes = leavers.notes(who) + digest.calendar_notes(who.reader, self.day, news_of_day, self.calendar)
        if extra:
            notes += sending_notes(self.connection, self.settings.zone)
        return digest.told(who.reader, self.day, news_of_day, notes=notes, blocks=self.blocks(who), **extra)


def _audiences(who: Recipient) -> tuple[str | int, ...]:
    """The shelves of a reader: of what he hears like others (the bureau's leaders, the rest of county and bureau, a town), and of
    what only he hears. Whoever takes over somebody's mail at the county, or is only named in projects, has one of his own."""
    if who.whole:
        return (who.id,) if who.inherits else ("leaders" if who.reader.leader else "whole",)
    return (who.scope, who.id) if who.listed else (who.id,)


def _leading(who: Recipient) -> list[int]:
    """The liaison leaders whose projects he hears of: himself, and those whose mail he takes over."""
    return [*([who.id] if who.leads else ()), *(one.id for one in who.inherits if one.leads)]
