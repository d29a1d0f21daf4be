"""By which channel a person wants his digest, and when a departure was recorded."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("person", sa.Column("left_told_at", MOMENT, nullable=True))
    op.create_table(
        "person_preference",
        sa.Column("person_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("robot_id", sa.Integer(), nullable=True),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_person_preference_person_id")),
        sa.ForeignKeyConstraint(["robot_id"], ["robot.id"], name=op.f("fk_person_preference_robot_id")),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_person_preference")),
    )


def downgrade() -> None:
    op.drop_table("person_preference")
    op.drop_column("person", "left_told_at")
