"""Which link stands in whose message: each reader's own, the same whenever the message is built, and none for those who may not report."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.alerts.models import Delivery
from app.offices.models import Person
from app.replies import links
from tests.daily.county import MONDAY, County
from tests.daily.peers import mail_server
from tests.invariants import check_invariants

SIGNED = MONDAY - timedelta(days=60)


@pytest.fixture
def county(database_url: str, tmp_path: Path) -> Iterator[County]:
    with mail_server() as (_, smtp_url):
        made = County(database_url, tmp_path, smtp_url=smtp_url, public_url="https://luodi.example/")
        yield made
        with made.database.statement() as connection:
            check_invariants(connection)
        made.close()


def in_mail(county: County, day: date) -> dict[str, tuple[list[str], list[str]]]:
    """reader → the links of his text and of his HTML, in their order."""
    found = {}
    with county.database.statement() as connection:
        query = sa.select(Person.name, Delivery.body).join(Person, Person.id == Delivery.person_id).where(Delivery.run_date == day)
        for name, body in connection.execute(query):
            letter = message_from_bytes(body, policy=default)
            parts = [letter.get_body((kind,)).get_content() for kind in ("plain", "html")]  # type: ignore[union-attr]
            found[name] = tuple(re.findall(r"https://luodi.example/r/([\w-]+)", part) for part in parts)
    return found  # type: ignore[return-value]


def test_each_reader_has_links_of_his_own(county: County) -> None:
    county.person("sun", "bureau", "officer")  # hears exactly what zhao hears
    numbers = {county.signed(f"P{number}", SIGNED) for number in range(3)}
    county.daily(MONDAY)
    signer, mail = links.signer(county.settings), in_mail(county, MONDAY)
    for name, office in (("wang", "T01"), ("zhao", "bureau"), ("sun", "bureau")):
        text, page = mail[name]
        assert text == page and len(text) == 3
        told = [signer.unpack(token) for token in text]
        assert {one.project_id for one in told if one} == numbers
        assert {one[:2] for one in told if one} == {(county.people[name], county.offices[office])}
        assert {one.run_date for one in told if one} == {MONDAY}
    assert mail["qian"] == ([], []), "a leader reads"
    assert "li" not in mail


def test_a_message_that_is_built_again_has_the_same_links(county: County) -> None:
    county.signed("P1", SIGNED)
    county.daily(MONDAY)
    first = in_mail(county, MONDAY)
    with county.database.write() as connection:  # as if the process had died before the outbox was filled
        connection.exec_driver_sql("DELETE FROM delivery_event")
        connection.exec_driver_sql("DELETE FROM delivery")
        connection.exec_driver_sql("UPDATE daily_run SET state = 'evaluated'")
    county.now_is(MONDAY, 10)
    county.daily()
    assert in_mail(county, MONDAY) == first and first["wang"][0]
