"""A process that sends what waits and is killed in the middle of its n-th transaction, before the commit (0: by others)."""

from datetime import datetime
from pathlib import Path

from app.alerts.sender import Sender
from app.clock import FixedClock
from app.db import Database
from app.settings import Settings
from tests.daily.child import die_in_transaction
from tests.daily.county import ZONE, in_a_hurry


def send_and_die(url: str, folder: str, instant: datetime, die_at: int) -> None:
    """One round of the sender, until death."""
    settings = Settings(database_url=url, var_dir=Path(folder), smtp_url=f"file:{folder}/mail", dev=True, allowed_webhook_hosts="127.0.0.1")
    database = in_a_hurry(Database(url))
    if die_at:
        die_in_transaction(die_at)
    Sender(database, FixedClock(ZONE, instant), settings).run()
    database.dispose()
