"""clocks of the rules on money and agreed dates

Revision: 0002, after 0001. Standings and clocks are derived anew by `luodi migrate` itself, since the rules changed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

AGREED = sa.text("known_to IS NULL AND agreed_on IS NOT NULL")


def upgrade() -> None:
    op.add_column("clock", sa.Column("part", sa.Integer(), nullable=True))
    op.add_column("clock", sa.Column("agreed_on", sa.Date(), nullable=True))
    op.create_index(
        "ix_clock_agreed",
        "clock",
        ["rule", "agreed_on", "solid_on", "project_id"],
        unique=False,
        sqlite_where=AGREED,
        postgresql_where=AGREED,
    )


def downgrade() -> None:
    op.drop_index("ix_clock_agreed", table_name="clock", sqlite_where=AGREED, postgresql_where=AGREED)
    with op.batch_alter_table("clock") as batch:
        batch.drop_column("agreed_on")
        batch.drop_column("part")
