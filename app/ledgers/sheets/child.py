"""The process that touches the file: bytes in from stdin, lines of JSON out. It is killed without regret.

Lines: the head of the workbook; then for each sheet that is read its own head and its rows, ROWS_A_LINE in a line; at last
{"end": true}, without which the parent believes nothing. Or {"refused": reason}. Dates come as ISO text, errors as text.
"""

from __future__ import annotations

import io
import signal
import sys
from collections.abc import Iterator
from itertools import islice
from math import isfinite
from typing import Any, BinaryIO

import orjson

from app.ledgers.sheets import limits
from app.ledgers.sheets.as_shown import as_shown
from app.ledgers.sheets.extras import Extras
from app.ledgers.sheets.judging import Judged, judge
from app.ledgers.sheets.limits import Refuse
from app.ledgers.sheets.ods import Ods
from app.ledgers.sheets.xls import Xls
from app.ledgers.sheets.xlsx import Xlsx

Cells = list[Any]


def confine() -> None:
    """Limits on this process itself, before it has seen a byte of the file."""
    try:
        import resource
    except ImportError:  # not a Unix: time is limited by the parent
        return
    wanted = {
        resource.RLIMIT_AS: limits.MEMORY_BYTES,
        resource.RLIMIT_CPU: limits.CPU_SECONDS,
        resource.RLIMIT_FSIZE: limits.OUTPUT_BYTES,
        resource.RLIMIT_CORE: 0,
    }
    for what, value in wanted.items():
        try:
            hard = resource.getrlimit(what)[1]
            free = hard == resource.RLIM_INFINITY
            value = value if free else min(value, hard)
            # At the hard limit of CPU comes SIGKILL, which could be anybody's; a second before it SIGXCPU, which says why.
            later = value + 1 if what == resource.RLIMIT_CPU and (free or value < hard) else value
            resource.setrlimit(what, (value, later))
        except (ValueError, OSError):  # macOS knows some of them by name only
            continue
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it, and would then fail while it tells of its failure


def main() -> None:
    """Read stdin, write stdout, exit 0 whenever an answer was written."""
    confine()
    out = sys.stdout.buffer
    try:
        data = sys.stdin.buffer.read(limits.FILE_BYTES + 1)
        for line in lines(data):
            out.write(line)
            out.write(b"\n")
    except Refuse as refused:
        _say(out, {"refused": refused.reason, "more": refused.more})
    except MemoryError:
        _say(out, {"refused": "too_much_memory", "more": {}})
    except BaseException as error:  # a panic of the parser is no Exception
        if isinstance(error, SystemExit | KeyboardInterrupt):
            raise
        _say(out, {"refused": "password" if type(error).__name__ == "PasswordError" else "damaged", "more": {}})
    out.flush()


def _say(out: BinaryIO, what: dict[str, Any]) -> None:
    # On a line of its own, also when half a line went before.
    out.write(b"\n" + orjson.dumps(what) + b"\n")


class _Below(dict[str, list[str]]):
    """Number of a sheet → short texts of its last rows, for the last line: the date of a report often stands under its table."""

    def note(self, number: int, rows: list[Cells]) -> None:
        texts = [cell for row in rows for cell in row if isinstance(cell, str) and 0 < len(cell) <= limits.BELOW]
        self[str(number)] = texts[-limits.BELOW :]


def lines(data: bytes) -> Iterator[bytes]:
    """The whole conversation about one file."""
    judged = judge(data)
    below = _Below()
    yield from _text(data, below) if judged.kind == "text" else _workbook(data, judged, below)
    yield orjson.dumps({"end": True, "below": below})


def _text(data: bytes, below: _Below) -> Iterator[bytes]:
    from app.ledgers.sheets import texts

    text, encoding = texts.decode(data)
    rows = texts.records(text)
    width = max(map(len, rows))
    if width > limits.COLUMNS or width * len(rows) > limits.CELLS:
        raise Refuse("area_too_large")
    yield orjson.dumps({"format": "csv", "encoding": encoding, "date1904": False, "sheets": [{"name": "", "read": True, "why": ""}]})
    padded = (row if len(row) == width else row + [""] * (width - len(row)) for row in rows)
    yield from _sheet(0, len(rows), width, padded, Extras(), below)


def _workbook(data: bytes, judged: Judged, below: _Below) -> Iterator[bytes]:
    import python_calamine as calamine

    inside: Xlsx | Ods | Xls
    if judged.kind == "xls":
        assert judged.compound is not None
        names = {name.lower() for name in judged.compound.names}
        inside = Xls(judged.compound.stream("workbook" if "workbook" in names else "book"))
    else:
        assert judged.archive is not None
        inside = Xlsx(judged.archive) if judged.kind == "xlsx" else Ods(judged.archive)
    date1904 = False if isinstance(inside, Ods) else inside.date1904
    with calamine.CalamineWorkbook.from_filelike(io.BytesIO(data)) as book:
        metadata = book.sheets_metadata
        if len(metadata) > limits.SHEETS:
            raise Refuse("too_many_sheets", limit=limits.SHEETS)
        told = []
        for number, sheet in enumerate(metadata):
            hidden = sheet.visible != calamine.SheetVisibleEnum.Visible or (isinstance(inside, Ods) and inside.hidden(number))
            why = "hidden" if hidden else "" if sheet.typ == calamine.SheetTypeEnum.WorkSheet else "not_a_worksheet"
            told.append({"name": sheet.name, "read": not why, "why": why})
        yield orjson.dumps({"format": judged.kind, "encoding": None, "date1904": date1904, "sheets": told})
        for number, one in enumerate(told):
            if one["read"]:
                extras = inside.extras(number)
                yield from _cells(number, book.get_sheet_by_index(number), extras, below, date1904)


def _cells(number: int, sheet: Any, extras: Extras, below: _Below, date1904: bool) -> Iterator[bytes]:
    start, end = sheet.start, sheet.end
    if start is None or end is None:
        yield from _sheet(number, 0, 0, iter(()), extras, below)
        return
    height, left, width = end[0] + 1, start[1], end[1] + 1
    if height * width > limits.CELLS:
        raise Refuse("area_too_large")
    merged = sheet.merged_cell_ranges or ()
    if len(merged) + len(extras.merges) > limits.MERGES:
        raise Refuse("area_too_large")
    for first, last in merged:
        extras.merges.append([first[0], first[1], last[0], last[1]])
    extras.merges.sort()
    rows: Iterator[Cells] = sheet.iter_rows()
    if left:
        rows = ([""] * left + row for row in rows)
    if extras.months:
        rows = as_shown(rows, extras.months, date1904=date1904)
    if extras.errors:
        rows = _with_errors(rows, extras)
    yield from _sheet(number, height, width, rows, extras, below)


def _with_errors(rows: Iterator[Cells], extras: Extras) -> Iterator[Cells]:
    """The parser leaves error values empty; 0, empty and an error are three things."""
    wrong: dict[int, list[int]] = {}
    for row, column, _ in extras.errors:
        wrong.setdefault(row, []).append(column)
    for number, cells in enumerate(rows):
        for column in wrong.get(number, ()):
            if column < len(cells) and cells[column] == "":
                cells[column] = "#ERROR!"
        yield cells


def _sheet(number: int, height: int, width: int, rows: Iterator[Cells], extras: Extras, below: _Below) -> Iterator[bytes]:
    yield _json({"sheet": number, "rows": height, "width": width, **extras.shown()})
    last: list[Cells] = []
    while chunk := list(islice(rows, limits.ROWS_A_LINE)):
        yield from _pieces(chunk)
        last = (last + chunk)[-limits.TAIL :]
    below.note(number, last)


def _pieces(rows: list[Cells]) -> Iterator[bytes]:
    """Some rows in lines that are no longer than the parent may have to hold."""
    line = _json(rows)
    if b"null" in line:  # 1E400 is no number that JSON knows
        rows = [[repr(cell) if isinstance(cell, float) and not isfinite(cell) else cell for cell in row] for row in rows]
        line = _json(rows)
    if len(line) <= limits.LINE_BYTES:
        yield line
    elif len(rows) == 1:
        raise Refuse("area_too_large")
    else:
        half = len(rows) // 2
        yield from _pieces(rows[:half])
        yield from _pieces(rows[half:])


def _json(what: Any) -> bytes:
    return orjson.dumps(what, default=str)
