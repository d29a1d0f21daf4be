"""A process that sends what waits, until nothing does or somebody kills it; and an outbox for it to send from."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from app.alerts.channels.base import MAIL
from app.alerts.models import OPEN, Delivery
from app.alerts.sender import Sender
from app.clock import FixedClock
from app.db import Database
from app.offices.models import Person
from app.settings import Settings
from tests.daily.county import ZONE, County, in_a_hurry


def send_until_empty(url: str, folder: Path, smtp_url: str, instant: datetime) -> None:
    """What a worker's ticks do, without waiting between them."""
    database = in_a_hurry(Database(url))
    sender = Sender(database, FixedClock(ZONE, instant), Settings(database_url=url, var_dir=folder, smtp_url=smtp_url))
    waiting = sa.select(Delivery.id).where(sa.text(OPEN), Delivery.state == "pending").limit(1)
    while True:
        sender.run()
        with database.statement() as connection:
            if connection.scalar(waiting) is None:
                break
    database.dispose()


def fill(county: County, number: int) -> None:
    """So many readers, and a message for each."""
    now, office = county.clock.now(), county.offices["T01"]
    with county.database.write() as connection:
        people = [{"office_id": office, "name": f"r{one}", "email": f"r{one}@example.org", "role": "clerk"} for one in range(number)]
        connection.execute(sa.insert(Person), people)
        query = sa.select(Person.id, Person.email).where(Person.name.like("r%")).order_by(Person.id)
        rows = [
            {
                "run_date": county.clock.business_date(now), "person_id": person, "channel": MAIL, "recipient": email,
                "message_id": f"<{person}@x>", "subject": "s", "state": "pending", "attempt": 0,
                "body": f"Message-ID: <{person}@x>\r\n\r\n{'hello ' * 500}\r\n".encode(),
                "next_try_at": now, "created_at": now, "updated_at": now,
            }
            for person, email in connection.execute(query)
        ]  # fmt: skip
        connection.execute(sa.insert(Delivery), rows)
