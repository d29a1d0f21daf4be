"""Messages are put together in memory that does not grow: what they say is the same however little is held at once."""

import re
from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import pytest
import sqlalchemy as sa

from app.alerts import desk, digest, news
from app.alerts.models import Delivery, DeliveryEvent
from tests.daily.county import MONDAY, County


def messages(county: County) -> dict[str, tuple[str, str, list[str]]]:
    """recipient → subject, text, lines of the attachment."""
    found = {}
    with county.database.snapshot() as connection:
        for recipient, subject, body in connection.execute(sa.select(Delivery.recipient, Delivery.subject, Delivery.body)):
            message = message_from_bytes(body, policy=default)
            assert isinstance(message, EmailMessage)
            text = message.get_body(("plain",))
            assert text is not None
            files = [part.get_content() for part in message.iter_attachments()]
            rows = [file if isinstance(file, str) else file.decode("utf-8-sig") for file in files]
            found[recipient] = (subject, text.get_content(), rows[0].splitlines() if rows else [])
    return found


def test_little_in_memory_gives_the_same_messages(county: County, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(13):
        county.signed(f"P-{number:02d}", MONDAY - timedelta(days=29 + number), office="T01" if number % 3 else "T02")
    county.daily(MONDAY)
    county.daily(MONDAY + timedelta(days=1))
    first = messages(county)
    with county.database.write() as connection:
        late = sa.select(Delivery.id).where(Delivery.run_date > MONDAY)
        connection.execute(sa.delete(DeliveryEvent).where(DeliveryEvent.delivery_id.in_(late)))
        connection.execute(sa.delete(Delivery).where(Delivery.run_date > MONDAY))
        connection.exec_driver_sql(
            f"UPDATE daily_run SET state = 'evaluated', lease_until = NULL WHERE run_date = '{MONDAY + timedelta(days=1)}'"
        )
    for module, name in ((desk, "HELD"), (desk, "PRINTED"), (news, "CHUNK")):
        monkeypatch.setattr(module, name, 2)
    county.daily(MONDAY + timedelta(days=1))
    assert len(first) > 2
    assert messages(county) == first


def test_a_message_holds_the_most_urgent_and_counts_all(county: County, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digest, "MAX_LINES", 2)
    monkeypatch.setattr(digest, "ATTACHED", 3)
    for number in range(9):
        county.signed(f"P-{number}", MONDAY - timedelta(days=20 + 20 * number))
    county.daily(MONDAY)
    told = messages(county)
    for who in ("wang@example.org", "zhao@example.org"):
        subject, text, attached = told[who]
        assert len(re.findall(r"^\d+\. 项目P-", text, re.M)) == 2 and text.index("1. 项目P-8") > 0  # the longest late of what is new
        assert "另有 7 个项目见附件" in text and "附件只列其中最紧急的 3 个" in text
        assert sum(map(int, re.findall(r"(?:新增|存量) (\d+)", text.splitlines()[1]))) == 9, subject
        assert len([row for row in attached if ",P-" in row]) == 3


def test_readers_of_one_town_share_what_is_printed(county: County, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once for wang and sun, who hear the same; once more for wu, who also owns a project elsewhere; li's town; the bureau; the county's
    leader, who has a shelf of his own."""
    made: list[set[object]] = []
    really = desk.Desk._made

    def counting(self: desk.Desk, audiences: set[object]) -> digest.Body:
        made.append(audiences)
        return really(self, audiences)

    monkeypatch.setattr(desk.Desk, "_made", counting)
    for name in ("sun", "wu"):
        county.person(name, "T01", "clerk")
    for number in range(3):
        county.signed(f"A-{number}", MONDAY - timedelta(days=29 + number), owner="wu")
    county.signed("B", MONDAY - timedelta(days=29), office="T02", owner="wu")
    county.daily(MONDAY)
    told = messages(county)
    towns = [one for one in made if one & {"leaders", "whole", county.people["qian"]} == set()]
    assert len(made) == 5 and sorted(map(len, towns)) == [1, 1, 2]
    lines = {who: told[f"{who}@example.org"][1].count("项目") for who in ("wang", "sun", "wu", "li")}
    subjects = {who: told[f"{who}@example.org"][0] for who in ("wang", "sun")}
    assert lines["wang"] == lines["sun"] < lines["wu"] and subjects["wang"] == subjects["sun"]
    assert "项目B" in told["wu@example.org"][1] and "项目B" not in told["wang@example.org"][1] and "项目B" in told["li@example.org"][1]
