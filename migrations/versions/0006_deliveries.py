"""What happened to messages, how relays are, and holding everything back."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

OPEN = sa.text("state IN ('pending', 'sending')")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.add_column(sa.Column("owner", sa.String(length=80), nullable=True))
        batch_op.add_column(sa.Column("resent_at", MOMENT, nullable=True))
    op.drop_index("ix_delivery_open", table_name="delivery")
    op.create_index("ix_delivery_open", "delivery", ["channel", "state", "next_try_at"], sqlite_where=OPEN, postgresql_where=OPEN)
    op.create_table(
        "delivery_event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("delivery_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("phase", sa.String(length=16), nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=True),
        sa.Column("token_id", sa.String(length=16), nullable=True),
        sa.Column("office_id", sa.Integer(), nullable=True),
        sa.Column("role", sa.String(length=12), nullable=True),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["delivery_id"], ["delivery.id"], name=op.f("fk_delivery_event_delivery_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery_event")),
    )
    op.create_index("ix_delivery_event_delivery", "delivery_event", ["delivery_id", "id"])
    op.create_table(
        "channel_state",
        sa.Column("channel", sa.String(length=12), nullable=False),
        sa.Column("relay", sa.String(length=254), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("since", MOMENT, nullable=True),
        sa.Column("until", MOMENT, nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=True),
        sa.Column("recent", sa.Text(), nullable=False),
        sa.Column("last_sent_at", MOMENT, nullable=True),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.CheckConstraint("state IN ('ok', 'resting', 'probing', 'paused')", name=op.f("ck_channel_state_state")),
        sa.PrimaryKeyConstraint("channel", "relay", name=op.f("pk_channel_state")),
    )
    op.create_table(
        "sending_hold",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("since", MOMENT, nullable=False),
        sa.Column("doubtful_through", sa.Date(), nullable=True),
        sa.CheckConstraint("id = 1", name=op.f("ck_sending_hold_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sending_hold")),
    )


def downgrade() -> None:
    op.drop_table("sending_hold")
    op.drop_table("channel_state")
    op.drop_table("delivery_event")
    op.drop_index("ix_delivery_open", table_name="delivery")
    op.create_index("ix_delivery_open", "delivery", ["state", "next_try_at"], sqlite_where=OPEN, postgresql_where=OPEN)
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.drop_column("resent_at")
        batch_op.drop_column("owner")
