"""Group robots, and messages to them."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

LIVE = sa.text("removed_at IS NULL")
GROUP = sa.text("person_id IS NULL")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "robot",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("office_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("host", sa.String(length=260), nullable=False),
        sa.Column("tail", sa.String(length=4), nullable=False),
        sa.Column("signed", sa.Boolean(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=True),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("recent", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.Column("removed_at", MOMENT, nullable=True),
        sa.CheckConstraint("kind IN ('wecom', 'dingtalk', 'feishu', 'webhook')", name=op.f("ck_robot_kind")),
        sa.ForeignKeyConstraint(["office_id"], ["office.id"], name=op.f("fk_robot_office_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_robot")),
    )
    op.create_index("ix_robot_name", "robot", ["office_id", "name"], unique=True, sqlite_where=LIVE, postgresql_where=LIVE)
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.add_column(sa.Column("robot_id", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("parts_taken", sa.Integer(), nullable=True))
        batch_op.alter_column("person_id", existing_type=sa.Integer(), nullable=True)
        batch_op.create_foreign_key(op.f("fk_delivery_robot_id"), "robot", ["robot_id"], ["id"])
        batch_op.create_check_constraint(op.f("ck_delivery_addressed"), "person_id IS NOT NULL OR robot_id IS NOT NULL")
    op.create_index(
        "ix_delivery_robot", "delivery", ["robot_id", "run_date", "channel"], unique=True, sqlite_where=GROUP, postgresql_where=GROUP
    )


def downgrade() -> None:
    op.drop_index("ix_delivery_robot", table_name="delivery")
    op.execute("DELETE FROM delivery_event WHERE delivery_id IN (SELECT id FROM delivery WHERE robot_id IS NOT NULL)")
    op.execute("DELETE FROM delivery WHERE robot_id IS NOT NULL")
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.drop_constraint(op.f("ck_delivery_addressed"), type_="check")
        batch_op.drop_constraint(op.f("fk_delivery_robot_id"), type_="foreignkey")
        batch_op.alter_column("person_id", existing_type=sa.Integer(), nullable=False)
        batch_op.drop_column("parts_taken")
        batch_op.drop_column("robot_id")
    op.drop_table("robot")
