"""PostgreSQL is stopped and started again while mail flows."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app import db
from app.alerts.models import Delivery
from app.alerts.patience import AWAY
from app.alerts.sender import Sender
from app.db import Database
from tests.daily.county import MONDAY, County
from tests.daily.hostile import hostile
from tests.daily.sending import fill
from tests.invariants import check_invariants
from tests.postgres import SETTINGS, Cluster

DAY = MONDAY + timedelta(days=31)


@pytest.fixture
def own_cluster() -> Iterator[Cluster]:
    made = Cluster.start_new(settings={**SETTINGS, "synchronous_commit": "on"})  # what is committed survives the server
    yield made
    made.remove()


def tick_on(county: County, over: threading.Event) -> Any:
    """A worker's ticks, one after the other, until nothing is due."""

    def run() -> None:
        database = Database(county.settings.database_url)
        due = (Delivery.state == "pending", Delivery.next_try_at <= county.clock.instant)
        waiting = sa.select(sa.func.count()).select_from(Delivery).where(*due)
        while not over.is_set():
            try:
                Sender(database, county.clock, county.settings).run()
                with database.statement() as connection:
                    if connection.scalar(waiting) == 0:
                        break
            except AWAY:
                over.wait(0.05)
        database.dispose()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_postgresql_is_started_again_while_mail_flows(own_cluster: Cluster, tmp_path: Path, mode: str) -> None:
    """Twice, and two workers at it: every message is taken exactly once, and none is even in doubt."""
    url = own_cluster.new_database()
    db.migrate(url)

    def slowly(_: str) -> str:
        time.sleep(0.005)
        return "250 taken"

    with hostile({"dot": slowly}) as (peer, port):
        county = County(url, tmp_path, smtp_url=f"smtp://127.0.0.1:{port}", day=DAY)
        fill(county, 60)
        over = threading.Event()
        workers = [tick_on(county, over) for _ in range(2)]
        for so_many in (8, 30):
            while len(peer.letters) < so_many:
                assert any(one.is_alive() for one in workers), "mail was gone before the server was"
                time.sleep(0.002)
            own_cluster.stop(mode)
            own_cluster.start()
        for one in workers:
            one.join(60)
        assert not any(one.is_alive() for one in workers) or over.set()
        county.database.dispose()  # its connections are as dead as everybody's were; a worker's next tick has new ones
        for _ in range(3):  # what had been claimed by a commit whose answer was lost; what waited a minute for the database
            county.clock.instant += timedelta(minutes=12)
            Sender(county.database, county.clock, county.settings).run()
        states = Counter(state for (state,) in county.rows(Delivery, "state"))
        assert states == {"sent": 60} and Counter(Counter(peer.accepted).values()) == {1: 60}
        with county.database.statement() as connection:
            check_invariants(connection, accepted=peer.accepted)
        county.close()
