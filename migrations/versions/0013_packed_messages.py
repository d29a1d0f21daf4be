"""Texts of messages are stored packed from now on; those that are there stay as they are. A version before this reads only plain ones."""

import zlib

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

PACKED = b"\x00z"
PIECE = 200
DELIVERY = sa.table("delivery", sa.column("id", sa.BigInteger()), sa.column("body", sa.LargeBinary()))


def upgrade() -> None:
    """Nothing: both kinds can be read."""


def downgrade() -> None:
    """Unpack them, some at a time."""
    connection, last = op.get_bind(), 0
    query = sa.select(DELIVERY).where(DELIVERY.c.id > sa.bindparam("last")).order_by(DELIVERY.c.id).limit(PIECE)
    change = sa.update(DELIVERY).where(DELIVERY.c.id == sa.bindparam("number")).values(body=sa.bindparam("plain"))
    while rows := connection.execute(query, {"last": last}).all():
        last = rows[-1].id
        plain = [{"number": number, "plain": zlib.decompress(body[len(PACKED) :])} for number, body in rows if body.startswith(PACKED)]
        if plain:
            connection.execute(change, plain)
