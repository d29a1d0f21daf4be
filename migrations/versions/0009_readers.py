"""Liaison leaders and data checks of projects."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

LED = sa.text("known_to IS NULL AND liaison_id IS NOT NULL")
CHECKED = sa.text("known_to IS NULL AND checks > 0 AND valid_to = '9999-12-31'")


def upgrade() -> None:
    # plain ALTERs on both databases: the table is large, and SQLite would copy it for a batch
    op.add_column("standing", sa.Column("liaison_id", sa.Integer(), nullable=True))
    op.add_column("standing", sa.Column("checks", sa.SmallInteger(), server_default=sa.text("0"), nullable=False))
    op.create_index("ix_standing_liaison", "standing", ["liaison_id", "project_id"], sqlite_where=LED, postgresql_where=LED)
    op.create_index(
        "ix_standing_checks", "standing", ["office_id", "checks", "valid_to", "known_to"], sqlite_where=CHECKED, postgresql_where=CHECKED
    )


def downgrade() -> None:
    op.drop_index("ix_standing_checks", table_name="standing")
    op.drop_index("ix_standing_liaison", table_name="standing")
    op.drop_column("standing", "checks")
    op.drop_column("standing", "liaison_id")
