"""The day's work in order: claim the day, judge it, fill the outbox, done. Whoever takes over after a crash reaches the same end."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection

from app.alerts import outbox
from app.alerts.models import Delivery
from app.alerts.sender import Sender, deadline
from app.clock import Clock
from app.db import Database
from app.errors import DomainError, EffectiveInFuture
from app.heart import clocks
from app.orders import automatic
from app.policies.policy import Policy
from app.policies.queries import PolicyBook
from app.settings import Settings
from app.stalls import runs
from app.stalls.evaluation import Evaluation, changes_of, stock_of, summed
from app.stalls.runs import CLAIMED, DONE, ENQUEUED, EVALUATED, Claim

log = structlog.get_logger()
SCHEDULER, PERSON = "scheduler", "person"
WAIT = 180.0
"""Seconds a person waits for a run that another process is doing."""
WAIT_FOR_OTHERS = 10.0
"""Seconds he waits for messages that another process is sending (or died over)."""


def run_day(
    database: Database,
    clock: Clock,
    settings: Settings,
    book: PolicyBook,
    day: date,
    by: str = SCHEDULER,
    stopping: Callable[[], bool] = lambda: False,
) -> dict[str, Any] | None:
    """Do a day, or what is left of it; None when there is nothing to do here (done, or in other hands).

    Runs any number of times from any number of processes. Digests are built on workdays and before the deadline, or
    whenever a person asks. A stop or a lost claim ends quietly; an error gives the claim back and is raised.
    """
    with database.statement() as connection:
        last = runs.last_judged(connection)
        policy = book.governing(connection, day, None)
    if last is not None and last.run_date > day:
        raise DomainError(f"{last.run_date} 已经评估过，不能再评估更早的 {day}")
    claim = runs.claim(database, clock, day, policy, by=by, again=by == PERSON, stopping=stopping)
    if claim is None:
        return None
    try:
        if claim.state == CLAIMED:
            _evaluate(claim, book)
        if claim.state == EVALUATED:
            _enqueue(claim, book, settings)
        if claim.state == ENQUEUED:
            claim.finish()
    except runs.RunLost as lost:
        log.warning("run lost", reason=str(lost))
        return None
    except BaseException as error:
        with suppress(Exception):
            claim.release()
        if isinstance(error, runs.Stopping):
            return None
        raise
    if by == SCHEDULER:  # a person is told by the summary
        log.info("daily run done", run_date=str(day), **claim.counts)
    return claim.counts


def _evaluate(claim: Claim, book: PolicyBook) -> None:
    """Bring every flag to what the day says."""
    with claim.database.statement() as connection:
        before = runs.last_judged(connection, claim.day)
        policy = book.version(connection, claim.policy_id, calendar=claim.calendar_id)
        same_rules = before is not None and before.counts.get("rules") == clocks.fingerprint()
        old = _judged_by(connection, book, claim.clock, before) if same_rules else None
    assert policy is not None
    outcome = Evaluation(claim.database, policy, claim.day, before, claim).run(old)
    with claim.database.statement() as connection:
        counted = summed(changes_of(connection, claim.day)) | {"stock": stock_of(connection, claim.day)}
    looked = {
        "rules": clocks.fingerprint(),
        "looked_at": outcome.looked_at,
        "failed": outcome.failures,
        "failed_projects": outcome.failed,
    }
    claim.counts |= counted | looked
    claim.advance(EVALUATED)


def _judged_by(connection: Connection, book: PolicyBook, clock: Clock, run: runs.Run | None) -> Policy | None:
    """The policy a run judged by, with the calendar it counted by; None when everybody has to be looked at anew: when that is
    not known, and after a day that was done only later (what began and ended since that day was known by then already, so
    looking at what was learnt since would miss it)."""
    if run is None or run.policy_id is None or run.calendar_id is None:
        return None
    if run.started_at is None or clock.business_date(run.started_at) > run.run_date:
        return None
    return book.version(connection, run.policy_id, calendar=run.calendar_id)


def _enqueue(claim: Claim, book: PolicyBook, settings: Settings) -> None:
    """Fill the outbox, when this day gets digests at all."""
    asked = claim.counts.get("by") == PERSON
    in_time = claim.clock.now() < deadline(claim.day, settings)
    with claim.database.statement() as connection:
        policy = book.version(connection, claim.policy_id, calendar=claim.calendar_id)
        now = book.governing(connection, claim.day, None).calendar  # whether today is a workday is asked of what is known now
    claim.counts |= automatic.issue_due(claim, settings, now)
    claim.counts["digests"] = asked or (in_time and now.is_workday(claim.day))
    if claim.counts["digests"]:
        assert policy is not None
        claim.counts |= outbox.enqueue(claim, policy, settings, now)
    claim.advance(ENQUEUED)


def daily(
    database: Database,
    settings: Settings,
    clock: Clock,
    book: PolicyBook,
    day: date | None = None,
    dry_run: bool = False,
) -> dict[str, Any]:
    """What `luodi daily` does: judge a day (today), fill the outbox, and deliver what is due before returning.

    Neither hour, nor weekday, nor deadline binds a person. A day after today only with DEV; a day before the last
    evaluated one is refused. A rehearsal (`dry_run`) only counts. Answers the run's counts and its deliveries by state.
    """
    today = clock.today()
    day = day or today
    if day > today and not settings.dev:
        raise EffectiveInFuture(f"{day} 晚于今天（{today}）；只有 LUODI_DEV 允许")
    if dry_run:
        return {"date": day, "dry_run": True, **_rehearse(database, clock, book, day)}
    patience = time.monotonic() + WAIT
    while run_day(database, clock, settings, book, day, PERSON) is None:
        with database.statement() as connection:
            now = runs.of_day(connection, day)
        if now is not None and now.state == DONE:
            break
        if time.monotonic() > patience:
            raise DomainError(f"{day} 正由其他进程处理，请稍后再试")
        time.sleep(0.2)
    _deliver_all(database, clock, settings, day)
    return summary(database, day)


def _deliver_all(database: Database, clock: Clock, settings: Settings, day: date) -> None:
    """Deliver, and give other processes that are at it a moment to finish."""
    patience = time.monotonic() + WAIT_FOR_OTHERS
    while True:
        Sender(database, clock, settings, bound=False).run()
        with database.statement() as connection:
            here = clock.lease_now(connection)
            others = connection.scalar(
                sa.select(sa.func.count()).where(Delivery.run_date == day, Delivery.state == "sending", Delivery.lease_until > here)
            )
        if not others or time.monotonic() > patience:
            return
        time.sleep(0.2)


def _rehearse(database: Database, clock: Clock, book: PolicyBook, day: date) -> dict[str, Any]:
    with database.statement() as connection:
        last = runs.last_judged(connection)
        if last is not None and last.run_date > day:
            raise DomainError(f"{last.run_date} 已经评估过，不能再评估更早的 {day}")
        before = runs.last_judged(connection, day)
        policy = book.governing(connection, day, None)
        old = _judged_by(connection, book, clock, before)
    outcome = Evaluation(database, policy, day, before, None).run(old)
    return {**summed(outcome.rehearsed), "looked_at": outcome.looked_at, "failed": outcome.failures}


def summary(database: Database, day: date) -> dict[str, Any]:
    """What a day's run did, and what became of its messages."""
    with database.statement() as connection:
        run = runs.of_day(connection, day)
        states = connection.execute(sa.select(Delivery.state, sa.func.count()).where(Delivery.run_date == day).group_by(Delivery.state))
        deliveries = {state: number for state, number in states}
    if run is None:
        return {"date": day, "state": None, "deliveries": deliveries}
    counts = {name: value for name, value in run.counts.items() if name != "rules"}
    return {"date": day, "state": run.state, "policy_version": run.policy_id, **counts, "deliveries": deliveries}


def run_if_due(
    database: Database, clock: Clock, settings: Settings, book: PolicyBook, stopping: Callable[[], bool] = lambda: False
) -> dict[str, Any] | None:
    """One tick of the scheduler: do today when it is due and not done. Costs one read otherwise."""
    now = clock.now()
    day = clock.business_date(now)
    if not _is_due(now, day, settings):
        return None
    with database.statement() as connection:
        newest = runs.latest(connection)
    if newest is not None and (newest.run_date > day or (newest.run_date == day and newest.state not in runs.UNFINISHED)):
        return None
    return run_day(database, clock, settings, book, day, SCHEDULER, stopping)


def begins(day: date, settings: Settings) -> datetime:
    """The instant from which a day's run is due."""
    return datetime.combine(day, settings.daily_at, settings.zone)


def _is_due(now: datetime, day: date, settings: Settings) -> bool:
    return begins(day, settings) <= now < deadline(day, settings)
