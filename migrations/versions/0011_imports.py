"""Imports of ledgers, and the keys by which their rows find projects."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OPEN = sa.text("state IN ('planning', 'applying')")
CREDITED, CODED = sa.text("credit_code IS NOT NULL"), sa.text("project_code IS NOT NULL")


def upgrade() -> None:
    op.add_column("project", sa.Column("project_code", sa.String(length=24), nullable=True))
    op.add_column("project", sa.Column("match_key", sa.BigInteger(), nullable=True))
    op.create_index("ix_project_match", "project", ["match_key"])
    op.create_index("ix_project_credit_code", "project", ["credit_code"], sqlite_where=CREDITED, postgresql_where=CREDITED)
    op.create_index("ix_project_code", "project", ["project_code"], sqlite_where=CODED, postgresql_where=CODED)
    op.create_table(
        "ledger_import",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("office_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(length=12), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.Column("token_id", sa.String(length=16), nullable=True),
        sa.Column("create_offices", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("rows_total", sa.Integer(), nullable=True),
        sa.Column("rows_done", sa.Integer(), nullable=False),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("tables", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("finished_at", MOMENT, nullable=True),
        sa.Column("lease_until", MOMENT, nullable=True),
        sa.Column("lease", sa.String(length=32), nullable=True),
        sa.CheckConstraint("state IN ('planning', 'planned', 'applying', 'complete', 'failed')", name=op.f("ck_ledger_import_state")),
        sa.ForeignKeyConstraint(["office_id"], ["office.id"], name=op.f("fk_ledger_import_office_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_import")),
    )
    op.create_index("ix_ledger_import_office_id", "ledger_import", ["office_id"])
    op.create_index("ix_ledger_import_open", "ledger_import", ["lease_until"], sqlite_where=OPEN, postgresql_where=OPEN)
    op.create_table(
        "ledger_import_row",
        sa.Column("import_id", NUMBER, nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("table_number", sa.Integer(), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=12), nullable=False),
        sa.Column("warned", sa.Boolean(), nullable=False),
        sa.Column("project_id", NUMBER, nullable=True),
        sa.Column("ref", sa.String(length=64), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("told", sa.Text(), nullable=False),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["import_id"], ["ledger_import.id"], name=op.f("fk_ledger_import_row_import_id")),
        sa.PrimaryKeyConstraint("import_id", "place", name=op.f("pk_ledger_import_row")),
    )
    op.create_index("ix_ledger_import_row_outcome", "ledger_import_row", ["import_id", "outcome", "place"])


def downgrade() -> None:
    op.drop_table("ledger_import_row")
    op.drop_table("ledger_import")
    op.drop_index("ix_project_code", table_name="project")
    op.drop_index("ix_project_credit_code", table_name="project")
    op.drop_index("ix_project_match", table_name="project")
    with op.batch_alter_table("project", schema=None) as batch_op:
        batch_op.drop_column("match_key")
        batch_op.drop_column("project_code")
    op.execute("DELETE FROM meta WHERE name = 'keys'")
