"""calendar

Revision: 0003, after 0002
"""

import sqlalchemy as sa
from alembic import op

from app.calendars.queries import to_body
from app.heart.calendar import shipped

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

LAST = 2026
"""The newest year that answers counted by before the calendar became a table. `luodi migrate` adds what a newer package knows."""


def upgrade() -> None:
    table = op.create_table(
        "calendar_version",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("source", sa.String(length=500), nullable=True),
        sa.Column("given", sa.Text(), nullable=True),
        sa.Column("office_id", sa.Integer(), nullable=True),
        sa.Column("role", sa.String(length=12), nullable=True),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendar_version")),
    )
    op.add_column("daily_run", sa.Column("calendar_id", sa.Integer(), nullable=True))
    # known since ever, as version 1 of the policy is: answers of before this table stay what they were
    ever = "0001-01-01 00:00:00.000000" if op.get_bind().dialect.name == "sqlite" else "0001-01-01 00:00:00+00"
    years = [one for one in shipped() if one.year <= LAST]
    for number, one in enumerate(years, 1):
        row = {
            "id": number,
            "year": one.year,
            "recorded_at": sa.literal_column(f"'{ever}'"),
            "body": to_body(one),
            "source": "chinesecalendar",
        }
        op.execute(sa.insert(table).values(**row))
    op.execute(sa.text("UPDATE daily_run SET calendar_id = :number WHERE policy_id IS NOT NULL").bindparams(number=len(years)))
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"SELECT setval('calendar_version_id_seq', {len(years)})")


def downgrade() -> None:
    with op.batch_alter_table("daily_run", schema=None) as batch_op:
        batch_op.drop_column("calendar_id")
    op.drop_table("calendar_version")
