"""A week of outages: whatever a reader was not told for certain is told again, and nothing is told twice as new."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from pathlib import Path

from app.alerts.sender import Sender
from tests.daily.county import MONDAY
from tests.daily.test_smtp_faults import Post, post
from tests.daily.test_undelivered import text

FIRST = MONDAY + timedelta(days=7)
WEEK = [FIRST + timedelta(days=number) for number in (0, 1, 2, 3, 4, 7)]
"""Monday to Friday, and the day after the week-end."""
LATER, NEVER, LOST = "450 later", "550 gone", "drop"
TROUBLE: dict[int, dict[str, str]] = {
    0: {"wang": LOST, "zhao": LATER},
    1: {"wang": NEVER, "zhao": LATER, "wu": LOST},
    2: {"wang": LATER},
    3: {"zhao": LOST, "wu": NEVER},
    4: {"wang": LATER, "wu": LATER},
    5: {},
}
ENDS = {LATER: "expired", NEVER: "failed", LOST: "uncertain"}


def day_of(told: Post, number: int, day: date) -> None:
    """The morning's run, the retries of the day, and its deadline."""
    names = {f"{name}@example.org": answer for name, answer in TROUBLE[number].items()}

    def judged(line: str, kinds: tuple[str, ...], good: str) -> str:
        return next((answer for who, answer in names.items() if who in line and answer in kinds), good)

    told.peer.answers["RCPT"] = lambda line: judged(line, (LATER, NEVER), "250 ok")
    told.peer.answers["dot"] = lambda line: judged(line, (LOST,), "250 taken")
    told.county.daily(day)
    for hour, minute in ((9, 5), (12, 0), (19, 0), (20, 1)):
        told.county.now_is(day, hour, minute)
        Sender(told.county.database, told.county.clock, told.county.settings).run()


def test_a_week_of_outages_heals(database_url: str, tmp_path: Path) -> None:
    with post(database_url, tmp_path) as told:
        county = told.county
        county.person("wu", "bureau", "leader")  # who hears of every red
        untold: dict[str, set[str]] = defaultdict(set)
        for number, day in enumerate(WEEK):
            county.now_is(day, 7)
            ref = f"N{number}"
            county.signed(ref, day - timedelta(days=30), name=f"新停滞{number}号")
            day_of(told, number, day)
            for name in ("wang", "zhao", "wu"):
                untold[name].add(f"新停滞{number}号")
                said = text(county, name, day).partition("未送达")[0]
                named = {f"新停滞{one}号" for one in range(len(WEEK)) if f"新停滞{one}号" in said}
                assert named == untold[name], (day, name)
                state = county.states()[day, name]
                assert state == ENDS.get(TROUBLE[number].get(name, ""), "sent"), (day, name)
                if state == "sent":
                    untold[name].clear()
        lost = text(county, "zhao", WEEK[4]).partition("未送达")[2]
        assert (
            "wang@example.org" in lost and "zhao@example.org" in lost and "结果不明" in lost and "被拒收" in lost and "超过当日时限" in lost
        )
        assert not any(untold.values()), "on the day without trouble everybody has been told everything"
