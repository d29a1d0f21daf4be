"""Texts of messages are stored packed: nobody who reads them knows, and a version that cannot read them gets plain ones."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command

from app.alerts.models import PACKED, Delivery, Packed
from app.alerts.sender import Sender
from app.db import alembic_config, migrate
from tests.daily.county import MONDAY, County
from tests.daily.sending import fill

DAY = MONDAY + timedelta(days=31)


def raw(county: County) -> list[bytes]:
    """As they lie there."""
    with county.database.statement() as connection:
        return [bytes(body) for (body,) in connection.exec_driver_sql("SELECT body FROM delivery ORDER BY id")]


def read(county: County) -> list[bytes]:
    with county.database.statement() as connection:
        return list(connection.scalars(sa.select(Delivery.body).order_by(Delivery.id)))


@pytest.mark.parametrize("body", [b"", b"short", b"long " * 1000, PACKED, PACKED + b"x" * 5000, bytes(range(256)) * 20])
def test_what_is_stored_is_read(body: bytes) -> None:
    kind = Packed()
    stored = kind.process_bind_param(body, None)
    assert stored is not None and kind.process_result_value(stored, None) == body
    assert len(stored) < 500 or len(stored) < len(body)


def test_a_version_before_gets_plain_texts_and_this_one_reads_both(database_url: str, tmp_path: Path) -> None:
    county = County(database_url, tmp_path, day=DAY)
    fill(county, 450)
    with county.database.write() as connection:
        connection.execute(sa.update(Delivery).where(Delivery.id % 3 == 0).values(body=b"Subject: short\r\n\r\n"))
    whole = read(county)
    assert sum(one.startswith(PACKED) for one in raw(county)) == 300 and sum(map(len, raw(county))) < sum(map(len, whole)) / 10
    county.database.dispose()
    command.downgrade(alembic_config(database_url), "0012")
    assert raw(county) == whole
    county.database.dispose()
    migrate(database_url)
    assert read(county) == whole
    assert Sender(county.database, county.clock, county.settings).run() == {"sent": 450}
    assert sorted(path.read_bytes() for path in county.mail.glob("*.eml")) == sorted(whole)
    county.close()


def test_a_text_that_cannot_be_read_stops_only_itself(database_url: str, tmp_path: Path) -> None:
    county = County(database_url, tmp_path, day=DAY)
    fill(county, 5)
    with county.database.write() as connection:
        connection.execute(sa.update(Delivery).where(Delivery.id == 2).values(body=sa.literal(PACKED + b"torn", sa.LargeBinary)))
    assert Sender(county.database, county.clock, county.settings).run() == {"sent": 4, "failed": 1}
    with county.database.statement() as connection:
        found = connection.execute(sa.select(Delivery.id, Delivery.reason).where(Delivery.state == "failed")).all()
    assert found == [(2, "程序错误：error")]
    county.close()
