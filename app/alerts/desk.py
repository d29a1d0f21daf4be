"""Where digests are put together: one pass over what changed finds out who hears of it, then each message is made by itself.

What concerns a reader waits on his shelf as a short row; only the lines that a message prints are read in full. So memory does
not grow with the register, and a first day that opens half a million flags is a matter of seconds.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from itertools import groupby
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection

from app.alerts import digest, news
from app.alerts.notes import sending_notes
from app.alerts.readers import Recipient
from app.heart.calendar import Calendar
from app.offices.models import Office
from app.policies.policy import Policy
from app.settings import Settings
from app.shelves import Shelves

log = structlog.get_logger()
HELD = 5_000
"""Rows of all shelves in memory, some 3 MB."""
PRINTED = 250
"""Projects read in full at once."""


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
        self._shelves: Shelves | None = None
        self._places: dict[Any, int] = {}
        self._bodies: dict[Any, digest.Body] = {}

    def groups(self, readers: Sequence[Recipient]) -> Iterator[list[Recipient]]:
        """Readers who were last told on the same day; while a group is being worked on, `digest` answers for its readers."""
        for last, some in groupby(sorted(readers, key=lambda who: (who.last_date or date.min, who.id)), key=lambda who: who.last_date):
            group = list(some)
            self._places, self._bodies = {}, {}
            for who in group:
                self._places.setdefault(_audience(who), len(self._places))
            with Shelves(self.settings.var_dir, len(self._places), HELD) as self._shelves:
                self._sort_out(last, group)
                yield group

    def _sort_out(self, last: date | None, group: Sequence[Recipient]) -> None:
        """Put what changed since a day on the shelves of those who hear of it: their offices' projects, and those they own."""
        assert self._shelves is not None
        whole = {_audience(who): who.reader for who in group if who.whole}
        by_office: dict[int, list[int]] = defaultdict(list)
        for who in group:
            if not who.whole:
                for office_id, path in self._offices:
                    if path.startswith(who.path):
                        by_office[office_id].append(self._places[_audience(who)])
        people = {who.id: self._places[_audience(who)] for who in group if not who.whole}
        town = next((who.reader for who in group if not who.whole), None)
        if last is not None:
            changed = news.since(self.connection, last, self.day)
        else:  # a town's reader who was never told anything costs his own flags, not everybody's
            changed = news.untold(self.connection, None if whole else by_office, people)
        for changes in changed:
            places = news.whereabouts(self.connection, changes)
            for number, nets in changes.items():
                where = places[number]
                try:
                    told = news.changes_of(nets)
                    for audience, reader in whole.items():
                        self._shelve({self._places[audience]}, number, digest.relevant(told, reader), where)
                    mine = {*by_office.get(where.office_id, ()), *([people[where.owner_id]] if where.owner_id in people else ())}
                    if town is not None and mine:
                        self._shelve(mine, number, digest.relevant(told, town), where)
                except (LookupError, ValueError, TypeError) as error:
                    log.error("project cannot be told of", project_id=number, exc_info=error)
            self.keep()

    def _shelve(self, shelves: set[int], number: int, changes: tuple[digest.Change, ...], where: news.Where) -> None:
        if changes:
            place = digest.urgency(changes, where.levels, where.dues, where.ref)
            row = (place, number, tuple((one.rule, one.before, one.after, one.stock) for one in changes))
            for shelf in shelves:
                assert self._shelves is not None
                self._shelves.put(shelf, row)

    def _body(self, who: Recipient) -> digest.Body:
        """What changed for a reader: counted in full, the most urgent printed."""
        audience = _audience(who)
        if audience not in self._bodies:
            counts: Counter[str] = Counter()

            def counted() -> Iterator[tuple[Any, ...]]:
                assert self._shelves is not None
                for row in self._shelves.take(self._places[audience]):
                    counts[digest.SECTIONS[row[0][0]]] += 1
                    yield row

            first = heapq.nsmallest(digest.MAX_LINES + digest.ATTACHED, counted())
            made = digest.body(counts, self._printed(first), self.day)
            if not who.whole:
                return made
            self._bodies[audience] = made
        return self._bodies[audience]

    def _printed(self, rows: Sequence[tuple[Any, ...]]) -> Iterator[digest.Project]:
        for at in range(0, len(rows), PRINTED):
            some = {number: {rule: news.Net(*net) for rule, *net in nets} for _, number, nets in rows[at : at + PRINTED]}
            lines = news.projects(self.connection, some, self.policy, self.day, self.settings.public_url)
            for number in some:
                yield lines[number]
            self.keep()

    def towns(self) -> list[digest.TownCount]:
        """Standing counts of the whole county."""
        if self._towns is None:
            self._towns = news.town_counts(self.connection)
        return self._towns

    def awaiting(self) -> list[digest.Awaiting]:
        """Stops that only an unreviewed claim hides."""
        if self._awaiting is None:
            self._awaiting = news.awaiting(self.connection, self.policy, self.day, self.settings.public_url, digest.MAX_LINES + 1)
        return self._awaiting

    def digest(self, who: Recipient) -> digest.Digest | None:
        """One reader's digest."""
        extra: dict[str, Any] = {}
        if who.whole and not who.reader.leader:
            undelivered = news.undelivered(self.connection, who.last_at, self.day)
            extra = {
                "towns": self.towns(),
                "awaiting": self.awaiting(),
                "undelivered": undelivered,
                "summary": self.calendar.is_workday(self.day),
            }
        news_of_day = self._body(who)
        notes = digest.calendar_notes(who.reader, self.day, news_of_day, self.calendar)
        if extra:
            notes += sending_notes(self.connection, self.settings.zone)
        return digest.told(who.reader, self.day, news_of_day, notes=notes, **extra)


def _audience(who: Recipient) -> tuple[bool, bool | int]:
    """Whoever hears exactly the same: the county's leaders, the rest of county and bureau, each reader of a town."""
    return who.whole, who.reader.leader if who.whole else who.id
