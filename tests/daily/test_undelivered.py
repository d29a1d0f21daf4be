"""What did not arrive is named to the bureau, and told again to its reader."""

from __future__ import annotations

from datetime import date, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import sqlalchemy as sa

from app.alerts import holding
from app.alerts.models import Delivery
from app.alerts.sender import Sender
from tests.daily.county import County
from tests.daily.test_smtp_faults import DAY, post
from tests.daily.test_smtp_tls import with_password

NEXT = DAY + timedelta(days=1)


def text(county: County, name: str, day: date) -> str:
    """The plain text of a reader's message of a day."""
    with county.database.statement() as connection:
        query = sa.select(Delivery.body).where(Delivery.person_id == county.people[name], Delivery.run_date == day)
        message = message_from_bytes(connection.execute(query).scalar_one(), policy=default)
    assert isinstance(message, EmailMessage)
    part = message.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def test_what_failed_while_the_bureaus_digest_was_on_its_way_is_named_the_next_day(database_url: str, tmp_path: Path) -> None:
    with post(database_url, tmp_path, {"RCPT": lambda line: "550 5.1.1 gone" if "wang" in line else "250 ok"}) as told:
        assert told.first() == {"wang": "failed", "zhao": "sent", "qian": "sent"}
        assert "未送达" not in text(told.county, "zhao", DAY)
        told.county.daily(NEXT)
        said = text(told.county, "zhao", NEXT)
        assert "未送达" in said and "wang@example.org" in said and "550 5.1.1 gone" in said


def test_it_is_named_until_a_digest_of_the_bureau_is_known_to_be_sent(database_url: str, tmp_path: Path) -> None:
    refused = {"wang@example.org", "zhao@example.org"}
    with post(database_url, tmp_path, {"RCPT": lambda line: "550 gone" if any(one in line for one in refused) else "250 ok"}) as told:
        told.first()
        told.county.daily(NEXT)
        assert "wang@example.org" in text(told.county, "zhao", NEXT)
        assert told.county.states()[NEXT, "zhao"] == "failed"
        refused.discard("zhao@example.org")
        later = NEXT + timedelta(days=5)  # after the holiday
        told.county.daily(later)
        said = text(told.county, "zhao", later)
        assert said.count("wang@example.org") == 2 and said.count("zhao@example.org") == 2 and told.county.states()[later, "zhao"] == "sent"
        told.county.daily(later + timedelta(days=1))
        assert "zhao@example.org" not in text(told.county, "zhao", later + timedelta(days=1))


def test_a_lost_digest_heals(database_url: str, tmp_path: Path) -> None:
    """Uncertain, failed and expired alike: its news is in the next one, with both days' worth, and in no third."""
    drops = ["drop"]
    with post(database_url, tmp_path, {"dot": lambda to: drops.pop() if "wang" in to and drops else "250 taken"}) as told:
        (lost,) = [name for name, state in told.first().items() if state == "uncertain"]
        assert "项目A" in text(told.county, lost, DAY)
        told.county.signed("B", NEXT - timedelta(days=30))
        told.county.daily(NEXT)
        said = text(told.county, lost, NEXT)
        assert "项目A" in said and "项目B" in said and told.county.states()[NEXT, lost] == "sent"
        later = NEXT + timedelta(days=5)
        told.county.signed("C", later - timedelta(days=30))
        told.county.daily(later)
        third = text(told.county, lost, later)
        assert "项目C" in third and "项目A" not in third


def test_the_bureau_reads_of_channels_in_trouble_and_of_a_hold(database_url: str, tmp_path: Path) -> None:
    with with_password(database_url, tmp_path, {"AUTH": "535 bad password"}) as (told, _):
        told.first()
        told.county.now_is(DAY, 20, 1)
        told.again()
        with told.county.database.write() as connection:
            holding.hold(connection, "恢复后尚未确认", now=told.county.clock.now())
        told.county.daily(NEXT)
        said = text(told.county, "zhao", NEXT)
        assert "邮件通道（127.0.0.1:" in said and "已暂停，需人工处理：登录被拒绝：535 bad password" in said
        assert "起暂缓发送一切消息（恢复后尚未确认）" in said
        assert "535 bad password" in said.partition("未送达")[2]
        assert "通道" not in text(told.county, "wang", NEXT), "a town is not told of it"


def test_older_messages_give_way_to_todays(database_url: str, tmp_path: Path) -> None:
    with post(database_url, tmp_path, {"RCPT": "450 later"}) as told:
        assert set(told.first().values()) == {"pending"}
        told.peer.answers["RCPT"] = "250 ok"
        told.county.daily(NEXT)
        states = told.county.states()
        assert {state for (day, _), state in states.items() if day == DAY} == {"expired"}
        assert {state for (day, _), state in states.items() if day == NEXT} == {"sent"}
        Sender(told.county.database, told.county.clock, told.county.settings).run()
        assert len(told.peer.letters) == len([state for state in states.values() if state == "sent"])
