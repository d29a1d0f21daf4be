"""Headers that a bureau adds to those its ledgers are read by, and those that each import was read with."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
KEPT = sa.text("removed_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "ledger_alias",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("field", sa.String(length=40), nullable=False),
        sa.Column("header", sa.String(length=100), nullable=False),
        sa.Column("folded", sa.String(length=100), nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.Column("office_id", sa.Integer(), nullable=True),
        sa.Column("role", sa.String(length=12), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.Column("removed_at", MOMENT, nullable=True),
        sa.Column("removed_office_id", sa.Integer(), nullable=True),
        sa.Column("removed_role", sa.String(length=12), nullable=True),
        sa.Column("removed_person_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["office_id"], ["office.id"], name=op.f("fk_ledger_alias_office_id")),
        sa.ForeignKeyConstraint(["removed_office_id"], ["office.id"], name=op.f("fk_ledger_alias_removed_office_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_alias")),
    )
    op.create_index("ix_ledger_alias_folded", "ledger_alias", ["folded"], unique=True, sqlite_where=KEPT, postgresql_where=KEPT)
    op.add_column("ledger_import", sa.Column("aliases", sa.Text(), nullable=True))


def downgrade() -> None:
    # no batch: that would make the table anew, and its rows go with the old one
    op.drop_column("ledger_import", "aliases")
    op.drop_index("ix_ledger_alias_folded", table_name="ledger_alias")
    op.drop_table("ledger_alias")
