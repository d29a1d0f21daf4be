"""Keys that projects are found and sorted by. `luodi migrate` fills them right after (app/projects/rebuild.py)."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

BY_BYTES = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
EMPTY = sa.text("''")


def upgrade() -> None:
    with op.batch_alter_table("project", schema=None) as batch_op:
        batch_op.add_column(sa.Column("name_key", BY_BYTES, server_default=EMPTY, nullable=False))
        batch_op.add_column(sa.Column("investor_key", BY_BYTES, server_default=EMPTY, nullable=False))
        batch_op.add_column(sa.Column("search_key", sa.Text(), server_default=EMPTY, nullable=False))
        batch_op.create_index("ix_project_name", ["name_key", "id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("project", schema=None) as batch_op:
        batch_op.drop_index("ix_project_name")
        batch_op.drop_column("search_key")
        batch_op.drop_column("investor_key")
        batch_op.drop_column("name_key")
    op.execute("DELETE FROM meta WHERE name = 'keys'")
