"""Senders are killed at random, again and again, beside others that go on: nothing is taken twice, nothing vanishes."""

from __future__ import annotations

import multiprocessing
import random
import signal
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app.alerts.models import Delivery, DeliveryEvent
from app.alerts.sender import Sender
from tests.conftest import MakeDatabase
from tests.daily.county import MONDAY, County
from tests.daily.hostile import Peer, hostile
from tests.daily.sending import fill, send_until_empty
from tests.invariants import check_invariants

DAY = MONDAY + timedelta(days=31)
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.daily.child", "tests.daily.sending"])


def murder(county: County, peer: Peer, kills: int, chance: random.Random) -> int:
    """Two senders at work, one of them killed so many times at a random moment while mail flows; how often it happened."""
    told = (str(county.settings.database_url), county.settings.var_dir, county.settings.smtp_url, county.clock.now())

    def start() -> Any:
        process = PROCESSES.Process(target=send_until_empty, args=told)
        process.start()
        return process

    victims, done = [start(), start()], 0
    ends = time.monotonic() + 240
    while done < kills and time.monotonic() < ends:
        seen, before = chance.randint(1, 6), len(peer.heard)
        while len(peer.heard) < before + seen and any(one.is_alive() for one in victims) and time.monotonic() < ends:
            time.sleep(0.001)
        time.sleep(chance.uniform(0, 0.02))
        victim = chance.choice(victims)
        if victim.is_alive():
            victim.kill()
            victim.join(30)
            assert victim.exitcode in (0, -signal.SIGKILL)
            done += victim.exitcode != 0
        elif not any(one.is_alive() for one in victims):
            break
        victims[victims.index(victim)] = start()
    for one in victims:
        one.join(120)
        assert one.exitcode == 0
    return done


def killed_at_random(kind: str, make_database: MakeDatabase, folder: Path, mails: int, kills: int, seed: int) -> None:
    print("seed", seed)
    chance = random.Random(seed)

    def slowly(answer: str) -> Any:
        def say(_: str) -> str:
            time.sleep(chance.uniform(0, 0.01))
            return answer

        return say

    answers = {"MAIL": slowly("250 ok"), "RCPT": slowly("250 ok"), "DATA": slowly("354 go on"), "dot": slowly("250 taken")}
    with hostile(answers) as (peer, port):
        county = County(make_database(kind), folder, smtp_url=f"smtp://127.0.0.1:{port}", day=DAY)
        fill(county, mails)
        done = murder(county, peer, kills, chance)
        assert done >= kills // 2, "mail was gone before the killing was done"
        Sender(county.database, county.clock, county.settings).run()
        states = Counter(state for (state,) in county.rows(Delivery, "state"))
        copies = Counter(peer.accepted)
        print(f"{done} killed; {dict(states)}; {len(copies)} accepted")
        assert states.total() == mails and set(states) <= {"sent", "uncertain"}
        assert max(copies.values()) == 1, f"taken twice: {[one for one, number in copies.items() if number > 1]}"
        for message_id, state in county.rows(Delivery, "message_id", "state"):
            assert state == "uncertain" or message_id in copies, "called sent, and never taken"
        assert states["uncertain"] <= 3 * done, "one for each connection of who was killed"
        assert len([one for one in county.rows(DeliveryEvent, "state") if one == ("sent",)]) == states["sent"]
        with county.database.statement() as connection:
            check_invariants(connection, accepted=peer.accepted)
        county.close()


@pytest.mark.timeout(400)
def test_a_few_kills(database_kind: str, make_database: MakeDatabase, tmp_path: Path) -> None:
    killed_at_random(database_kind, make_database, tmp_path, 60, 8, random.randrange(10**6))


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_three_hundred_mails_and_thirty_kills(database_kind: str, make_database: MakeDatabase, tmp_path: Path) -> None:
    killed_at_random(database_kind, make_database, tmp_path, 300, 30, random.randrange(10**6))
