"""The rows above a table: whether they belong to it, which cells of them, and whether they are only printed again."""

from __future__ import annotations

import re
from collections.abc import Sequence

from app.ledgers.understanding import kinds
from app.ledgers.understanding.amounts import Cell
from app.ledgers.understanding.headers import Header

_NUMBER = re.compile(r"\s*[-+]?[\d,]*\.?\d+\s*")


def captions(cells: Sequence[Cell]) -> bool:
    """Whether cells between two tables are a title, a unit or a date rather than data, totals or notes of the first."""
    texts = [cell for cell in cells if isinstance(cell, str) and not _NUMBER.fullmatch(cell)]  # all cells of a .csv are text
    if len(texts) != len(cells) or len(set(texts)) > 4:
        return False
    return not any(kinds.total_label(text) or kinds.is_nil(text) or kinds.is_note(text) for text in texts)


_OF_A_PAGE = re.compile(r"[(]?(?:续表?|接上页|上接第?\d*页)[一二三四五\d]*[)]?|[(]?第[一二三四五\d]+页[)]?|[(]?共[一二三四五\d]+页[)]?")


def printed_again(above: frozenset[str], cells: Sequence[Cell]) -> bool:
    """Does a row say nothing but what stood above the table's first header, perhaps as （续） or with the number of its page?"""
    known = {_OF_A_PAGE.sub("", kinds.squeezed(text)) for text in above} | {""}
    return all(_OF_A_PAGE.sub("", kinds.squeezed(text)) in known for text in texts(cells))


def texts(cells: Sequence[Cell]) -> list[str]:
    return [str(cell) for cell in cells if cell != ""]


def inside(cells: Sequence[Cell], header: Header, tables: int) -> list[Cell]:
    """The cells above one of several tables side by side; a title over all of them belongs to each."""
    if tables == 1:
        return list(cells)
    own = [cell for cell in cells[header.left : header.right + 1] if cell != ""]
    return own or [cell for cell in cells if cell != ""][:1]
