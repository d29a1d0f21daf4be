"""Alembic's entry: the same metadata and the same connection rules as the service."""

from alembic import context

from app.alerts import models as alerts
from app.calendars import models as calendars
from app.db import Base, Database
from app.lists import models as lists
from app.offices import models as offices
from app.policies import models as policies
from app.projects import models as projects
from app.robots import models as robots
from app.settings import Settings
from app.stalls import models as stalls

TABLES = (offices, calendars, policies, projects, stalls, lists, robots, alerts)  # imported so that Base.metadata is whole


def run(connection):
    sqlite = connection.dialect.name == "sqlite"
    if sqlite:  # rebuilding a table would otherwise delete the rows that point at it; no-op inside a transaction
        connection.connection.driver_connection.execute("PRAGMA foreign_keys=OFF")
    # one transaction around everything, on SQLite too: the revision is read under the writer's lock, so that of two that start
    # together the second finds nothing to do, and one that is killed leaves nothing half
    context.configure(
        connection=connection, target_metadata=Base.metadata, render_as_batch=sqlite, compare_type=True, transactional_ddl=True
    )
    with context.begin_transaction():
        context.run_migrations()
    if sqlite:
        connection.commit()
        connection.connection.driver_connection.execute("PRAGMA foreign_keys=ON")


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    database = Database(context.config.attributes.get("url") or Settings().database_url)
    with database.engine.connect() as own:
        run(own)
        own.commit()
    database.dispose()
