"""A register of before the calendar was a table: its answers and its last run counted by what was shipped then."""

import sqlalchemy as sa
from alembic import command

from app.calendars import queries
from app.db import Database, alembic_config, migrate
from app.heart.calendar import shipped


def test_what_was_shipped_is_known_since_ever_and_a_run_of_before_used_it(empty_database_url: str) -> None:
    database, config = Database(empty_database_url), alembic_config(empty_database_url)
    with database.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        values = "('2026-06-01', 'done', 1, 1, '{}'), ('2026-06-02', 'skipped', 0, NULL, '{}')"
        connection.exec_driver_sql(f"INSERT INTO daily_run (run_date, state, attempt, policy_id, counts) VALUES {values}")
        connection.commit()
    migrate(empty_database_url)
    with database.snapshot() as connection:
        found = queries.versions(connection)
        assert [one.says for one in found] == [one for one in shipped() if one.year <= 2026]
        assert [one.id for one in found] == list(range(1, 24)) and {one.recorded_at.year for one in found} == {1}
        runs = connection.execute(sa.text("SELECT run_date, calendar_id FROM daily_run ORDER BY run_date")).all()
    assert [row.calendar_id for row in runs] == [23, None]
    database.dispose()
