"""Supervision orders, their steps, and the flags they answer to."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OPEN = sa.text("state <> 'closed'")
OPEN_RULE = sa.text("state <> 'closed' AND rule IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "supervision_order",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("issuer_id", sa.Integer(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("office_id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.Column("project_id", NUMBER, nullable=True),
        sa.Column("rule", sa.String(length=32), nullable=True),
        sa.Column("level", sa.String(length=12), nullable=True),
        sa.Column("automatic", sa.Boolean(), nullable=False),
        sa.Column("matter", sa.Text(), nullable=False),
        sa.Column("requirement", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("asked_until", sa.Date(), nullable=True),
        sa.Column("received_on", sa.Date(), nullable=True),
        sa.Column("replied_on", sa.Date(), nullable=True),
        sa.Column("closed_on", sa.Date(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.CheckConstraint("state IN ('issued', 'received', 'replied', 'sent_back', 'closed')", name=op.f("ck_supervision_order_state")),
        sa.ForeignKeyConstraint(["issuer_id"], ["office.id"], name=op.f("fk_supervision_order_issuer_id")),
        sa.ForeignKeyConstraint(["office_id"], ["office.id"], name=op.f("fk_supervision_order_office_id")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_supervision_order_person_id")),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_supervision_order_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_supervision_order")),
        sa.UniqueConstraint("issuer_id", "year", "seq", name=op.f("uq_supervision_order_issuer_id_year_seq")),
    )
    op.create_index("ix_supervision_order_office", "supervision_order", ["office_id", "id"])
    op.create_index("ix_supervision_order_number", "supervision_order", ["number"])
    op.create_index("ix_supervision_order_project", "supervision_order", ["project_id", "id"])
    op.create_index("ix_supervision_order_open", "supervision_order", ["due_on", "id"], sqlite_where=OPEN, postgresql_where=OPEN)
    op.create_index(
        "uq_supervision_order_stall", "supervision_order", ["project_id"], unique=True, sqlite_where=OPEN_RULE, postgresql_where=OPEN_RULE
    )
    op.create_table(
        "order_event",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("order_id", NUMBER, nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("action", sa.String(length=20), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("happened_on", sa.Date(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("until", sa.Date(), nullable=True),
        sa.Column("granted", sa.Boolean(), nullable=True),
        sa.Column("token_id", sa.String(length=16), nullable=True),
        sa.Column("office_id", sa.Integer(), nullable=True),
        sa.Column("role", sa.String(length=12), nullable=True),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["order_id"], ["supervision_order.id"], name=op.f("fk_order_event_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_event")),
        sa.UniqueConstraint("order_id", "seq", name=op.f("uq_order_event_order_id_seq")),
    )
    op.create_table(
        "order_flag",
        sa.Column("flag_id", NUMBER, autoincrement=False, nullable=False),
        sa.Column("order_id", NUMBER, nullable=False),
        sa.ForeignKeyConstraint(["flag_id"], ["flag.id"], name=op.f("fk_order_flag_flag_id")),
        sa.ForeignKeyConstraint(["order_id"], ["supervision_order.id"], name=op.f("fk_order_flag_order_id")),
        sa.PrimaryKeyConstraint("flag_id", name=op.f("pk_order_flag")),
    )
    op.create_index("ix_order_flag_order", "order_flag", ["order_id"])
    op.create_table(
        "order_counter",
        sa.Column("office_id", sa.Integer(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["office_id"], ["office.id"], name=op.f("fk_order_counter_office_id")),
        sa.PrimaryKeyConstraint("office_id", "year", name=op.f("pk_order_counter")),
    )
    # what was already lit when orders came is no news: a register that is upgraded gets no flood of them
    op.execute(
        "INSERT INTO meta (name, value) SELECT 'orders_since', CAST(max(run_date) AS VARCHAR(10)) FROM daily_run HAVING max(run_date) IS NOT NULL"
    )


def downgrade() -> None:
    op.execute("DELETE FROM meta WHERE name = 'orders_since'")
    for table in ("order_counter", "order_flag", "order_event", "supervision_order"):
        op.drop_table(table)
