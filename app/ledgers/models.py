"""What is stored of an import of a ledger: the file while it is needed, how far it came, and what became of every row."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, BigId, UtcDateTime

PLANNING, PLANNED, APPLYING, COMPLETE, FAILED = "planning", "planned", "applying", "complete", "failed"
STATES = (PLANNING, PLANNED, APPLYING, COMPLETE, FAILED)
AT_WORK = (PLANNING, APPLYING)
_OPEN = sa.text("state IN ('planning', 'applying')")
_KEPT = sa.text("removed_at IS NULL")


class LedgerImport(Base):
    """One file that somebody sent. `rows_done` rows are decided and committed; whoever holds the lease goes on from there."""

    __tablename__ = "ledger_import"
    __table_args__ = (
        sa.CheckConstraint(f"state IN ({', '.join(repr(state) for state in STATES)})", name="state"),
        sa.Index("ix_ledger_import_open", "lease_until", sqlite_where=_OPEN, postgresql_where=_OPEN),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    sha256: Mapped[str] = mapped_column(sa.String(64))
    name: Mapped[str] = mapped_column(sa.String(200))
    size: Mapped[int]
    office_id: Mapped[int] = mapped_column(sa.ForeignKey("office.id"), index=True)  # with whose authority
    role: Mapped[str] = mapped_column(sa.String(12))
    person_id: Mapped[int | None]
    token_id: Mapped[str | None] = mapped_column(sa.String(16))
    create_offices: Mapped[bool]
    aliases: Mapped[str | None] = mapped_column(sa.Text)  # JSON: the bureau's own headers when it was sent
    state: Mapped[str] = mapped_column(sa.String(12))
    rows_total: Mapped[int | None]
    rows_done: Mapped[int]
    counts: Mapped[str] = mapped_column(sa.Text)  # JSON: outcome → rows
    tables: Mapped[str | None] = mapped_column(sa.Text)  # JSON: headers, and what there is to tell of whole tables
    error: Mapped[str | None] = mapped_column(sa.Text)  # JSON, of a failed one
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    lease: Mapped[str | None] = mapped_column(sa.String(32))


class LedgerImportPiece(Base):
    """A piece of the file, until nothing more is to be read. Pieces, as drivers hold what goes through them several times over, and keep
    the room; and a table of their own, as SQLite writes the whole row anew whenever a number in it changes."""

    __tablename__ = "ledger_import_piece"

    import_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("ledger_import.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    content: Mapped[bytes] = mapped_column(sa.LargeBinary)


class LedgerImportRow(Base):
    """One row of the file: its outcome, and its cells as they were written. `place` counts the rows of the file from 0."""

    __tablename__ = "ledger_import_row"
    __table_args__ = (sa.Index("ix_ledger_import_row_outcome", "import_id", "outcome", "place"),)

    import_id: Mapped[int] = mapped_column(BigId, sa.ForeignKey("ledger_import.id"), primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True)
    table_number: Mapped[int]
    row: Mapped[int]  # in its sheet, from 1
    outcome: Mapped[str] = mapped_column(sa.String(12))
    warned: Mapped[bool]
    project_id: Mapped[int | None] = mapped_column(BigId)
    ref: Mapped[str | None] = mapped_column(sa.String(64))
    version: Mapped[int]  # of the project, when the row was planned
    told: Mapped[str] = mapped_column(sa.Text)  # JSON: name, town, changes, remarks, the row it repeats
    raw: Mapped[str] = mapped_column(sa.Text)  # JSON: the cells as written


class LedgerAlias(Base):
    """A header that the bureau's ledgers use for a field. A removed one keeps its row: who read ledgers how, and since when."""

    __tablename__ = "ledger_alias"
    __table_args__ = (sa.Index("ix_ledger_alias_folded", "folded", unique=True, sqlite_where=_KEPT, postgresql_where=_KEPT),)

    id: Mapped[int] = mapped_column(primary_key=True)
    field: Mapped[str] = mapped_column(sa.String(40))
    header: Mapped[str] = mapped_column(sa.String(100))
    folded: Mapped[str] = mapped_column(sa.String(100))  # as headers are compared
    recorded_at: Mapped[datetime] = mapped_column(UtcDateTime)
    office_id: Mapped[int | None] = mapped_column(sa.ForeignKey("office.id"))  # of the actor; none: the command line
    role: Mapped[str] = mapped_column(sa.String(12))
    person_id: Mapped[int | None]
    removed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    removed_office_id: Mapped[int | None] = mapped_column(sa.ForeignKey("office.id"))
    removed_role: Mapped[str | None] = mapped_column(sa.String(12))
    removed_person_id: Mapped[int | None]
