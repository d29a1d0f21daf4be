"""Every cap on a file that is read, and the way the child says no. Plain: the child imports nothing heavier.

A county's largest ledger of ten years has some thousand rows and 2 MB, so each cap is generous for work and small for an attack.
"""

from __future__ import annotations

MIB = 1024 * 1024

FILE_BYTES = 10 * MIB
"""As uploaded."""
ENTRIES = 2_000
"""Members of a zip; a workbook with twenty sheets and pictures has a hundred."""
UNPACKED_BYTES = 256 * MIB
"""All members together: 200,000 rows of 25 columns take 80 MB."""
RATIO = 200
"""Unpacked bytes for each packed byte of the whole file; real sheets reach 30. Judged above RATIO_FROM only."""
RATIO_FROM = 8 * MIB
CELLS = 6_000_000
"""The used rectangle of one sheet, empty cells included: 200,000 rows of 30 columns."""
ROWS = 200_000
"""Projects of one workbook, all its sheets together: a file of a kilobyte can repeat one row a million times."""
COLUMNS = 16_384
"""In one sheet: what a spreadsheet program can hold."""
MERGES = 200_000
"""Merged ranges of one sheet."""
FORMULA, FORMULAS = 2_000, 32 * MIB
"""Characters kept of one formula, and of all formulas of a sheet together."""
LINE_BYTES = 16 * MIB
"""Of one line between child and parent, which the parent holds whole."""
SHEETS = 200
TEXT = 32_767
"""Characters in one cell, which is also what spreadsheet programs allow."""

MEMORY_BYTES = 1024 * MIB
"""Address space of the child."""
CPU_SECONDS = 60
WALL_SECONDS = 90
"""Longer than the CPU: a busy machine is no reason to refuse."""
OUTPUT_BYTES = 512 * MIB
"""What the child may write."""

ROWS_A_LINE = 1_000
"""Rows in one line between child and parent: what both hold in memory at a time."""
TAIL = 12
"""Last rows of a sheet whose short texts are told in advance: the date of the report often stands under the table."""
BELOW = 100
"""So many of these texts, of so many characters."""


class Refuse(Exception):
    """The file is not read. `reason` names a sentence of refusals.py; `more` fills its blanks."""

    def __init__(self, reason: str, **more: str | int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.more = more
