"""The file of an import waits in pieces, in a table of its own."""

from itertools import groupby

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WAITING = sa.text("SELECT import_id, number, content FROM ledger_import_piece ORDER BY import_id, number")
WHOLE = sa.text("UPDATE ledger_import SET content = :content WHERE id = :id").bindparams(sa.bindparam("content", type_=sa.LargeBinary()))


def upgrade() -> None:
    op.create_table(
        "ledger_import_piece",
        sa.Column("import_id", NUMBER, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["import_id"], ["ledger_import.id"], name=op.f("fk_ledger_import_piece_import_id")),
        sa.PrimaryKeyConstraint("import_id", "number", name=op.f("pk_ledger_import_piece")),
    )
    op.execute("INSERT INTO ledger_import_piece SELECT id, 0, content FROM ledger_import WHERE content IS NOT NULL")
    op.drop_column("ledger_import", "content")  # no batch: that would make the table anew, and its rows go with the old one


def downgrade() -> None:
    op.add_column("ledger_import", sa.Column("content", sa.LargeBinary(), nullable=True))
    connection = op.get_bind()
    for number, pieces in groupby(connection.execute(WAITING), lambda row: row.import_id):
        connection.execute(WHOLE, {"id": number, "content": b"".join(bytes(row.content) for row in pieces)})
    op.drop_table("ledger_import_piece")
