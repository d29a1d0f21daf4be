"""Rows of an export that come back: whose they are by their mark, and what their sender and the register did since."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

from app.ledgers.columns import OTHERS
from app.ledgers.known import Known
from app.ledgers.matching import Candidates, Match, ref_of
from app.ledgers.merging import Merged, cells_with_news, key, merge
from app.ledgers.plan import CONFLICT, SAME, Planned, rejected
from app.ledgers.rendering import Names, at_version
from app.ledgers.row_marks import RowMark, mark_of, read_mark
from app.ledgers.understanding.marks import Mark
from app.ledgers.understanding.model import Row

MARK = "row_mark"
_OTHERS = frozenset(column.field for column in OTHERS)


def mark_in(row: Row) -> tuple[RowMark | None, Mark | None]:
    """(the row's mark, what there is to tell when it cannot be read)."""
    text = row.get(MARK)
    found = read_mark(text)
    return found, Mark("mark_mangled", MARK, row.table.columns[MARK], text[:200]) if text and found is None else None


def disagrees(row: Row, mark: RowMark | None) -> Mark | None:
    """Another number beside the mark: a row that was copied for a new project, and still is the old one by its mark."""
    told = ref_of(row) if mark else None
    return Mark("mark_disagrees", "project_no", row.table.columns["project_no"], told) if mark and told not in (None, mark.ref) else None


def meant(row: Row, mark: RowMark, found: Candidates, covers: Callable[[int], bool]) -> Match | None:
    """The project a mark means; None when there is none of that number here: the file is another register's."""
    project = found.ref.get(mark.ref)
    if project is None:
        return None
    if not covers(project.office_id):
        return Match(fault=Mark("project_outside", MARK, row.table.columns[MARK], mark.ref))
    return Match(project)


@dataclass
class Back:
    """A row beside its export: `done` is its plan when nothing more has to be asked, `merged` what is left of it to say."""

    merged: Merged | None = None
    done: Planned | None = None
    remarks: list[Mark] = field(default_factory=list)


def come_back(row: Row, mark: RowMark, known: Known | None, names: Names, today: date) -> Back:
    """What becomes of a row whose mark means this project. A mark that no export of it can have had is told, and no more."""
    base = now = None
    if known is not None and known.head.ref == mark.ref and mark.version <= known.head.version:
        base = now = at_version(known.head, mark.version, mark.as_of, names)
        if mark.version != known.head.version or mark.as_of != today:
            now = at_version(known.head, known.head.version, today, names)
    if known is None or base is None or now is None:
        return Back(remarks=[Mark("mark_unknown", MARK, row.table.columns[MARK], mark.ref)])
    merged = merge(row, base, now, known.stage, mark.wrote)
    if merged.conflicts:
        marks = {"version": str(known.head.version), MARK: mark_of(mark.ref, known.head.version, today, now)}
        return Back(
            done=Planned(row, CONFLICT, conflicts=list(merged.conflicts), cells=cells_with_news(row, merged.edited, {**now, **marks}))
        )
    if merged.row.rejected is not None:
        return Back(done=rejected(row, merged.row.rejected))
    if not merged.edited and not _says_more(row):
        return Back(done=Planned(row, SAME))
    kept = "stage" in merged.edited and merged.row.side_state is None and known.status != "active"
    return Back(merged, remarks=[Mark("side_kept", "stage", row.table.columns["stage"], row.get("stage"))] if kept else [])


def _says_more(row: Row) -> bool:
    """Has the row something in a column that no export has?"""
    return any(key(name, row.values[place]) is not None for name, place in row.table.places.items() if name in _OTHERS)
