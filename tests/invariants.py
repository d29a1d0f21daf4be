"""What must hold of any register at rest, whatever happened to it. Every fault case ends with this."""

from collections import Counter

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.alerts.models import STATES, Delivery
from app.heart.rules import BY_NAME
from app.policies.policy import Running
from app.policies.queries import PolicyBook
from app.projects.models import ClockRow
from app.projects.queries import RUNNING
from app.stalls import runs
from app.stalls.models import DailyRun, Flag


def check_invariants(connection: Connection) -> None:
    """One open flag per (project, rule), and at the level its clock says; one message per (date, person, channel), in a
    known state and with a reason when it did not arrive."""
    opened = connection.execute(sa.select(Flag.project_id, Flag.rule, Flag.level).where(Flag.closed_on.is_(None))).all()
    twice = [key for key, number in Counter((row.project_id, row.rule) for row in opened).items() if number > 1]
    assert not twice, f"two open flags: {twice}"

    run = runs.last_judged(connection)
    if run is not None and connection.scalar(sa.select(DailyRun.run_date).where(DailyRun.state == runs.CLAIMED)) is None:
        policy = PolicyBook().version(connection, run.policy_id or 0, calendar=run.calendar_id)
        assert policy is not None
        clocks = connection.execute(
            sa.select(ClockRow.project_id, *RUNNING).where(
                ClockRow.known_to.is_(None), ClockRow.valid_from <= run.run_date, ClockRow.valid_to > run.run_date
            )
        )
        derived = {}
        for project_id, *row in clocks:
            clock = Running(*row)
            if clock.rule in BY_NAME and (reached := policy.reached(clock, run.run_date)):
                derived[project_id, clock.rule] = reached[0]
        stored = {(row.project_id, row.rule): row.level for row in opened}
        assert stored == derived, f"flags differ from clocks: {sorted(stored.items() ^ derived.items())[:10]}"

    letters = connection.execute(sa.select(Delivery.run_date, Delivery.person_id, Delivery.channel, Delivery.state, Delivery.reason)).all()
    copies = [key for key, number in Counter(tuple(row[:3]) for row in letters).items() if number > 1]
    assert not copies, f"two messages for one person and day: {copies}"
    assert {row.state for row in letters} <= set(STATES)
    silent = [row for row in letters if row.state in ("failed", "expired", "uncertain", "suppressed") and not row.reason]
    assert not silent, f"messages that ended without a reason: {silent}"
