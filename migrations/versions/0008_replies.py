"""Uses of the links in digests."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
ANSWERED = sa.text("what = 'answered'")


def upgrade() -> None:
    op.create_table(
        "reply_use",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("link", sa.String(length=64), nullable=False),
        sa.Column("run_date", sa.Date(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("project_id", NUMBER, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("minute", MOMENT, nullable=False),
        sa.Column("what", sa.String(length=12), nullable=False),
        sa.Column("reason", sa.String(length=20), nullable=False),
        sa.Column("network", sa.String(length=43), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=True),
        sa.Column("answer", sa.String(length=64), nullable=True),
        sa.Column("fact_id", NUMBER, nullable=True),
        sa.CheckConstraint("what IN ('opened', 'answered', 'repeated', 'refused')", name=op.f("ck_reply_use_what")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_reply_use_person_id")),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_reply_use_project_id")),
        sa.ForeignKeyConstraint(["fact_id"], ["fact.id"], name=op.f("fk_reply_use_fact_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reply_use")),
        sa.UniqueConstraint("link", "what", "reason", "network", "minute", name=op.f("uq_reply_use_minute")),
    )
    op.create_index("uq_reply_use_answered", "reply_use", ["link"], unique=True, sqlite_where=ANSWERED, postgresql_where=ANSWERED)
    op.create_index("ix_reply_use_person", "reply_use", ["person_id", "id"])
    op.create_index("ix_reply_use_project", "reply_use", ["project_id", "id"])


def downgrade() -> None:
    op.drop_table("reply_use")
