"""register

Revision: 0001, after
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "daily_run",
        sa.Column("run_date", sa.Date(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("owner", sa.String(length=80), nullable=True),
        sa.Column("policy_id", sa.Integer(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.CheckConstraint("state IN ('claimed', 'evaluated', 'enqueued', 'done', 'skipped')", name=op.f("ck_daily_run_state")),
        sa.PrimaryKeyConstraint("run_date", name=op.f("pk_daily_run")),
    )
    op.create_table(
        "idempotency",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("body_hash", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("etag", sa.String(length=40), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_idempotency")),
    )
    with op.batch_alter_table("idempotency", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_idempotency_created_at"), ["created_at"], unique=False)

    op.create_table(
        "meta",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_meta")),
    )
    op.create_table(
        "office",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("parent_id", sa.Integer(), nullable=True),
        sa.Column("path", sa.String(length=400), nullable=False),
        sa.CheckConstraint("kind IN ('county', 'bureau', 'town', 'department')", name=op.f("ck_office_kind")),
        sa.ForeignKeyConstraint(["parent_id"], ["office.id"], name=op.f("fk_office_parent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_office")),
        sa.UniqueConstraint("code", name=op.f("uq_office_code")),
    )
    with op.batch_alter_table("office", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_office_name"), ["name"], unique=False)
        batch_op.create_index(batch_op.f("ix_office_path"), ["path"], unique=False)

    op.create_table(
        "policy_version",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_version")),
    )
    op.create_table(
        "person",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("office_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("role", sa.String(length=12), nullable=False),
        sa.Column("left_on", sa.Date(), nullable=True),
        sa.CheckConstraint("role IN ('clerk', 'officer', 'leader', 'auditor', 'admin')", name=op.f("ck_person_role")),
        sa.ForeignKeyConstraint(["office_id"], ["office.id"], name=op.f("fk_person_office_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person")),
        sa.UniqueConstraint("email", name=op.f("uq_person_email")),
    )
    with op.batch_alter_table("person", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_person_office_id"), ["office_id"], unique=False)

    op.create_table(
        "project",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("ref", sa.String(length=64), nullable=False),
        sa.Column("office_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=500), nullable=False),
        sa.Column("investor", sa.String(length=500), nullable=True),
        sa.Column("industry", sa.String(length=100), nullable=True),
        sa.Column("credit_code", sa.String(length=18), nullable=True),
        sa.Column("signing_event", sa.String(length=200), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("head_mac", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_contact_on", sa.Date(), nullable=True),
        sa.Column("last_report_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["office_id"], ["office.id"], name=op.f("fk_project_office_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_project")),
        sa.UniqueConstraint("ref", name=op.f("uq_project_ref")),
    )
    with op.batch_alter_table("project", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_project_office_id"), ["office_id"], unique=False)

    op.create_table(
        "ref_counter",
        sa.Column("office_id", sa.Integer(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["office_id"], ["office.id"], name=op.f("fk_ref_counter_office_id")),
        sa.PrimaryKeyConstraint("office_id", "year", name=op.f("pk_ref_counter")),
    )
    op.create_table(
        "clock",
        sa.Column("project_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("rule", sa.String(length=32), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("known_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=False),
        sa.Column("known_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("basis", sa.String(length=20), nullable=False),
        sa.Column("solid_on", sa.Date(), nullable=False),
        sa.Column("soft_on", sa.Date(), nullable=False),
        sa.Column("halted", sa.Boolean(), nullable=False),
        sa.Column("office_id", sa.Integer(), nullable=False),
        sa.Column("route", sa.String(length=24), nullable=True),
        sa.Column("life", sa.SmallInteger(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_clock_project_id")),
        sa.PrimaryKeyConstraint("project_id", "rule", "valid_from", "known_from", name=op.f("pk_clock")),
    )
    with op.batch_alter_table("clock", schema=None) as batch_op:
        batch_op.create_index(
            "ix_clock_known_to",
            ["known_to"],
            unique=False,
            sqlite_where=sa.text("known_to IS NOT NULL"),
            postgresql_where=sa.text("known_to IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_clock_soft",
            ["rule", "soft_on", "project_id"],
            unique=False,
            sqlite_where=sa.text("known_to IS NULL AND soft_on > solid_on"),
            postgresql_where=sa.text("known_to IS NULL AND soft_on > solid_on"),
        )
        batch_op.create_index(
            "ix_clock_now",
            ["rule", "halted", "life", "solid_on", "project_id"],
            unique=False,
            sqlite_where=sa.text("known_to IS NULL"),
            postgresql_where=sa.text("known_to IS NULL"),
        )
        batch_op.create_index(
            "ix_clock_office",
            ["office_id", "rule", "halted", "life", "solid_on", "project_id"],
            unique=False,
            sqlite_where=sa.text("known_to IS NULL"),
            postgresql_where=sa.text("known_to IS NULL"),
        )
        batch_op.create_index(
            "ix_clock_past",
            ["rule", "halted", "life", "solid_on", "project_id"],
            unique=False,
            sqlite_where=sa.text("known_to IS NOT NULL"),
            postgresql_where=sa.text("known_to IS NOT NULL"),
        )

    op.create_table(
        "delivery",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("run_date", sa.Date(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("channel", sa.String(length=12), nullable=False),
        sa.Column("recipient", sa.String(length=254), nullable=False),
        sa.Column("message_id", sa.String(length=200), nullable=False),
        sa.Column("subject", sa.String(length=400), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("marked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state IN ('pending', 'sending', 'sent', 'failed', 'expired', 'uncertain', 'suppressed', 'held')",
            name=op.f("ck_delivery_state"),
        ),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_delivery_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
        sa.UniqueConstraint("run_date", "person_id", "channel", name=op.f("uq_delivery_run_date_person_id_channel")),
    )
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.create_index(
            "ix_delivery_open",
            ["state", "next_try_at"],
            unique=False,
            sqlite_where=sa.text("state IN ('pending', 'sending')"),
            postgresql_where=sa.text("state IN ('pending', 'sending')"),
        )
        batch_op.create_index(
            "ix_delivery_lost",
            ["updated_at"],
            unique=False,
            sqlite_where=sa.text("state IN ('failed', 'expired', 'uncertain')"),
            postgresql_where=sa.text("state IN ('failed', 'expired', 'uncertain')"),
        )
        batch_op.create_index("ix_delivery_person", ["person_id", "run_date"], unique=False)

    op.create_table(
        "fact",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("project_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_on", sa.Date(), nullable=False),
        sa.Column("office_id", sa.Integer(), nullable=True),
        sa.Column("role", sa.String(length=12), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.Column("token_id", sa.String(length=16), nullable=True),
        sa.Column("source", sa.String(length=12), nullable=False),
        sa.Column("target", sa.Integer(), nullable=True),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("mac", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_fact_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fact")),
        sa.UniqueConstraint("project_id", "seq", name=op.f("uq_fact_project_id_seq")),
    )
    with op.batch_alter_table("fact", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_fact_recorded_at"), ["recorded_at"], unique=False)

    op.create_table(
        "flag",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("project_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("rule", sa.String(length=32), nullable=False),
        sa.Column("office_id", sa.Integer(), nullable=False),
        sa.Column("level", sa.String(length=12), nullable=False),
        sa.Column("level_on", sa.Date(), nullable=False),
        sa.Column("opened_on", sa.Date(), nullable=False),
        sa.Column("closed_on", sa.Date(), nullable=True),
        sa.Column("basis_on", sa.Date(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("stock", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_flag_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_flag")),
    )
    with op.batch_alter_table("flag", schema=None) as batch_op:
        batch_op.create_index(
            "uq_flag_open",
            ["project_id", "rule"],
            unique=True,
            sqlite_where=sa.text("closed_on IS NULL"),
            postgresql_where=sa.text("closed_on IS NULL"),
        )

    op.create_table(
        "flag_change",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("run_date", sa.Date(), nullable=False),
        sa.Column("project_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("rule", sa.String(length=32), nullable=False),
        sa.Column("office_id", sa.Integer(), nullable=False),
        sa.Column("from_level", sa.String(length=12), nullable=True),
        sa.Column("to_level", sa.String(length=12), nullable=True),
        sa.Column("stock", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_flag_change_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_flag_change")),
        sa.UniqueConstraint("run_date", "project_id", "rule", name=op.f("uq_flag_change_run_date_project_id_rule")),
    )
    with op.batch_alter_table("flag_change", schema=None) as batch_op:
        batch_op.create_index("ix_flag_change_office", ["office_id", "run_date"], unique=False)

    op.create_table(
        "standing",
        sa.Column("project_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("known_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=False),
        sa.Column("known_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("wakes", sa.Boolean(), nullable=False),
        sa.Column("office_id", sa.Integer(), nullable=False),
        sa.Column("stage", sa.String(length=12), nullable=True),
        sa.Column("stage_recognised", sa.String(length=12), nullable=True),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("stage_entered_on", sa.Date(), nullable=True),
        sa.Column("signed_on", sa.Date(), nullable=True),
        sa.Column("last_progress_on", sa.Date(), nullable=True),
        sa.Column("last_solid_on", sa.Date(), nullable=True),
        sa.Column("route", sa.String(length=24), nullable=True),
        sa.Column("owner_id", sa.Integer(), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.CheckConstraint("stage IN ('intent', 'signed', 'land', 'construction', 'operating')", name=op.f("ck_standing_stage")),
        sa.CheckConstraint(
            "stage_recognised IN ('intent', 'signed', 'land', 'construction', 'operating')", name=op.f("ck_standing_stage_recognised")
        ),
        sa.CheckConstraint("status IN ('active', 'suspended', 'terminated')", name=op.f("ck_standing_status")),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_standing_project_id")),
        sa.PrimaryKeyConstraint("project_id", "valid_from", "known_from", name=op.f("pk_standing")),
    )
    with op.batch_alter_table("standing", schema=None) as batch_op:
        batch_op.create_index(
            "ix_standing_office",
            ["office_id", "project_id"],
            unique=False,
            sqlite_where=sa.text("known_to IS NULL"),
            postgresql_where=sa.text("known_to IS NULL"),
        )
        batch_op.create_index(
            "ix_standing_owner",
            ["owner_id", "project_id"],
            unique=False,
            sqlite_where=sa.text("known_to IS NULL AND owner_id IS NOT NULL"),
            postgresql_where=sa.text("known_to IS NULL AND owner_id IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_standing_wakes",
            ["valid_from"],
            unique=False,
            sqlite_where=sa.text("known_to IS NULL AND wakes"),
            postgresql_where=sa.text("known_to IS NULL AND wakes"),
        )

    op.create_table(
        "token",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("office_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(length=12), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["office_id"], ["office.id"], name=op.f("fk_token_office_id")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_token_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_token")),
    )
    with op.batch_alter_table("token", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_token_office_id"), ["office_id"], unique=False)

    # version 1 of the policy: the defaults of heart/rules.py, in force since ever and known since ever
    op.execute(
        "INSERT INTO policy_version (id, effective_from, recorded_at, body) VALUES (1, '0001-01-01', '0001-01-01 00:00:00.000000', '{}')"
        if op.get_bind().dialect.name == "sqlite"
        else "INSERT INTO policy_version (id, effective_from, recorded_at, body) VALUES (1, '0001-01-01', '0001-01-01 00:00:00+00', '{}')"
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SELECT setval('policy_version_id_seq', 1)")


def downgrade() -> None:
    with op.batch_alter_table("token", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_token_office_id"))

    op.drop_table("token")
    with op.batch_alter_table("standing", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_standing_wakes", sqlite_where=sa.text("known_to IS NULL AND wakes"), postgresql_where=sa.text("known_to IS NULL AND wakes")
        )
        batch_op.drop_index(
            "ix_standing_owner",
            sqlite_where=sa.text("known_to IS NULL AND owner_id IS NOT NULL"),
            postgresql_where=sa.text("known_to IS NULL AND owner_id IS NOT NULL"),
        )
        batch_op.drop_index("ix_standing_office", sqlite_where=sa.text("known_to IS NULL"), postgresql_where=sa.text("known_to IS NULL"))

    op.drop_table("standing")
    with op.batch_alter_table("flag_change", schema=None) as batch_op:
        batch_op.drop_index("ix_flag_change_office")

    op.drop_table("flag_change")
    with op.batch_alter_table("flag", schema=None) as batch_op:
        batch_op.drop_index("uq_flag_open", sqlite_where=sa.text("closed_on IS NULL"), postgresql_where=sa.text("closed_on IS NULL"))

    op.drop_table("flag")
    with op.batch_alter_table("fact", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_fact_recorded_at"))

    op.drop_table("fact")
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.drop_index("ix_delivery_person")
        batch_op.drop_index(
            "ix_delivery_lost",
            sqlite_where=sa.text("state IN ('failed', 'expired', 'uncertain')"),
            postgresql_where=sa.text("state IN ('failed', 'expired', 'uncertain')"),
        )
        batch_op.drop_index(
            "ix_delivery_open",
            sqlite_where=sa.text("state IN ('pending', 'sending')"),
            postgresql_where=sa.text("state IN ('pending', 'sending')"),
        )

    op.drop_table("delivery")
    with op.batch_alter_table("clock", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_clock_soft",
            sqlite_where=sa.text("known_to IS NULL AND soft_on > solid_on"),
            postgresql_where=sa.text("known_to IS NULL AND soft_on > solid_on"),
        )
        batch_op.drop_index("ix_clock_past", sqlite_where=sa.text("known_to IS NOT NULL"), postgresql_where=sa.text("known_to IS NOT NULL"))
        batch_op.drop_index("ix_clock_office", sqlite_where=sa.text("known_to IS NULL"), postgresql_where=sa.text("known_to IS NULL"))
        batch_op.drop_index("ix_clock_now", sqlite_where=sa.text("known_to IS NULL"), postgresql_where=sa.text("known_to IS NULL"))
        batch_op.drop_index(
            "ix_clock_known_to", sqlite_where=sa.text("known_to IS NOT NULL"), postgresql_where=sa.text("known_to IS NOT NULL")
        )

    op.drop_table("clock")
    op.drop_table("ref_counter")
    with op.batch_alter_table("project", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_project_office_id"))

    op.drop_table("project")
    with op.batch_alter_table("person", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_person_office_id"))

    op.drop_table("person")
    op.drop_table("policy_version")
    with op.batch_alter_table("office", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_office_path"))
        batch_op.drop_index(batch_op.f("ix_office_name"))

    op.drop_table("office")
    op.drop_table("meta")
    with op.batch_alter_table("idempotency", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_idempotency_created_at"))

    op.drop_table("idempotency")
    op.drop_table("daily_run")
