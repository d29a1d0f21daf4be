"""What must hold of any register at rest, whatever happened to it (I1-I10). Every fault case ends with this."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.alerts.models import STATES, Delivery, DeliveryEvent
from app.db import Database
from app.heart.rules import BY_NAME
from app.offices.models import Office, Person
from app.policies.policy import Running
from app.policies.queries import PolicyBook
from app.projects import rebuild
from app.projects.models import ClockRow, FactRow, Project, StandingRow
from app.projects.queries import RUNNING
from app.stalls import runs
from app.stalls.models import DailyRun, Flag, FlagChange


def check_invariants(connection: Connection, *, accepted: Iterable[str] = (), key: bytes | None = None, folded: bool = True) -> None:
    """I1-I10 of the database behind a connection.

    `accepted` are the Message-IDs of everything the other side took, once per copy (I4 needs a witness outside the database).
    With `key` the chains of facts are followed too. `folded=False` is for tests that spoil rows on purpose.
    """
    one_evaluation_per_date(connection)  # I1
    one_flag_at_the_level_of_its_clock(connection)  # I2
    messages_are_single_and_end_visibly(connection, accepted)  # I3, I4, I5
    facts_are_whole(connection)  # I6
    offices_form_a_tree(connection)  # I7; I8 shows in all of these holding although something was bad
    nothing_known_overlaps(connection)  # I10
    url = connection.engine.url.render_as_string(hide_password=False)
    if not folded:
        return
    database = Database(url)
    try:
        assert rebuild.check(database) == []  # I9
        assert key is None or rebuild.verify_chains(database, key) == []  # I6
    finally:
        database.dispose()


def one_evaluation_per_date(connection: Connection) -> None:
    """Flags changed only on days that have a run, and a day that was skipped changed none."""
    judged = {row.run_date: row.state for row in connection.execute(sa.select(DailyRun.run_date, DailyRun.state))}
    changed = set(connection.scalars(sa.select(FlagChange.run_date).distinct()))
    assert all(judged.get(day, runs.SKIPPED) != runs.SKIPPED for day in changed), f"flags changed without a run: {sorted(changed)}"


def one_flag_at_the_level_of_its_clock(connection: Connection) -> None:
    """At most one open flag per (project, rule), none for what was left, each at the level its clock says."""
    opened = connection.execute(sa.select(Flag.project_id, Flag.rule, Flag.level).where(Flag.closed_on.is_(None))).all()
    twice = [key for key, number in Counter((row.project_id, row.rule) for row in opened).items() if number > 1]
    assert not twice, f"two open flags: {twice}"
    run = runs.last_judged(connection)
    if run is None or connection.scalar(sa.select(DailyRun.run_date).where(DailyRun.state == runs.CLAIMED)) is not None:
        return
    policy = PolicyBook().version(connection, run.policy_id or 0, calendar=run.calendar_id)
    assert policy is not None
    on_the_day = (ClockRow.known_to.is_(None), ClockRow.valid_from <= run.run_date, ClockRow.valid_to > run.run_date)
    derived = {}
    for project_id, *row in connection.execute(sa.select(ClockRow.project_id, *RUNNING).where(*on_the_day)):
        clock = Running(*row)
        if clock.rule in BY_NAME and (reached := policy.reached(clock, run.run_date)):
            derived[project_id, clock.rule] = reached[0]
    stored = {(row.project_id, row.rule): row.level for row in opened}
    assert stored == derived, f"flags differ from clocks: {sorted(stored.items() ^ derived.items())[:10]}"


def messages_are_single_and_end_visibly(connection: Connection, accepted: Iterable[str]) -> None:
    """One message per (date, person, channel) and per (date, group robot); no second copy without a person's decision; a known
    state, a reason and a time for whatever did not arrive; and a history that ends where the message stands."""
    letters = connection.execute(sa.select(*(getattr(Delivery, name) for name in _SHOWN))).all()
    keys = ((row.run_date, row.person_id, row.channel, None if row.person_id else row.robot_id) for row in letters)
    copies = [key for key, number in Counter(keys).items() if number > 1]
    assert not copies, f"two messages for one person and day: {copies}"
    assert {row.state for row in letters} <= set(STATES)
    silent = [row for row in letters if row.state in ("failed", "expired", "uncertain", "suppressed", "held") and not row.reason]
    assert not silent, f"messages that ended without a reason: {silent}"
    loose = [row for row in letters if row.state == "sending" and row.lease_until is None]
    assert not loose, f"messages that nobody will take up again: {loose}"
    last: dict[int, str] = {}
    for number, state in connection.execute(sa.select(DeliveryEvent.delivery_id, DeliveryEvent.state).order_by(DeliveryEvent.id)):
        last[number] = state
    untold = [row for row in letters if row.id in last and row.state != "sending" and row.state != last[row.id]]
    assert not untold, f"messages whose history says otherwise: {[(row, last[row.id]) for row in untold]}"
    allowed = {row.message_id: 1 + (row.resent_at is not None) for row in letters}
    for message_id, number in Counter(accepted).items():
        assert number <= allowed.get(message_id, 0), f"{number} copies of {message_id} were taken"


_SHOWN = ("id", "run_date", "person_id", "robot_id", "channel", "message_id", "state", "reason", "lease_until", "resent_at")


def facts_are_whole(connection: Connection) -> None:
    """A project's printed row, its last fact and its standing were committed together: version and head are those of the facts."""
    heads = {row.id: (row.version, row.head_mac) for row in connection.execute(sa.select(Project.id, Project.version, Project.head_mac))}
    told: dict[int, tuple[int, str]] = {}
    query = sa.select(FactRow.project_id, FactRow.seq, FactRow.mac).order_by(FactRow.project_id, FactRow.seq)
    for project_id, seq, mac in connection.execute(query):
        assert seq == told.get(project_id, (0, ""))[0] + 1, f"project {project_id}: fact {seq} follows {told.get(project_id)}"
        told[project_id] = (seq, mac)
    assert told == heads, f"printed rows and facts differ: {sorted(set(told.items()) ^ set(heads.items()))[:10]}"
    standing = set(connection.scalars(sa.select(StandingRow.project_id).where(StandingRow.known_to.is_(None)).distinct()))
    assert standing == set(heads), f"projects without a standing: {sorted(set(heads) - standing)[:10]}"


def offices_form_a_tree(connection: Connection) -> None:
    """Scope is a prefix of a path: every path is its parent's with the own number, and everybody and everything is somewhere."""
    offices = {row.id: row for row in connection.execute(sa.select(Office.id, Office.parent_id, Office.path))}
    for one in offices.values():
        above = "/" if one.parent_id is None else offices[one.parent_id].path
        assert one.path == f"{above}{one.id}/", f"office {one.id}: {one.path}"
    for column in (Person.office_id, Project.office_id, Flag.office_id):
        assert set(connection.scalars(sa.select(column).distinct())) <= set(offices)


def nothing_known_overlaps(connection: Connection) -> None:
    """An answer for (as_of, known_at) is one: of a project, no two standings, and of a project and rule, no two clocks, are true
    on the same day by the same knowledge."""
    for table, names in ((StandingRow, ("project_id",)), (ClockRow, ("project_id", "rule"))):
        spans: dict[Any, list[Any]] = defaultdict(list)
        columns = [getattr(table, name) for name in (*names, "valid_from", "valid_to", "known_from", "known_to")]
        for row in connection.execute(sa.select(*columns)):
            assert row.valid_from < row.valid_to and (row.known_to is None or row.known_from < row.known_to), row
            spans[tuple(row[: len(names)])].append(row)
        for rows in spans.values():
            rows.sort(key=lambda row: row.valid_from)
            for at, one in enumerate(rows):
                for other in rows[at + 1 :]:
                    if other.valid_from >= one.valid_to:
                        break
                    apart = (one.known_to is not None and one.known_to <= other.known_from) or (
                        other.known_to is not None and other.known_to <= one.known_from
                    )
                    assert apart, f"{table.__tablename__}: {one} and {other} are both known"
