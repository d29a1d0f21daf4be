"""Records of an .xls (BIFF8, [MS-XLS]) that the parser of cells does not tell of."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from app.ledgers.sheets.as_shown import BUILT_IN, shown_by
from app.ledgers.sheets.extras import Extras, add_range
from app.ledgers.sheets.limits import Refuse

_BOUND_SHEET, _BOF, _EOF, _FORMULA_CELL, _ROW, _COLUMNS, _BOOL_OR_ERROR, _FILE_PASS, _1904 = (
    0x85, 0x809, 0x0A, 0x06, 0x208, 0x7D, 0x205, 0x2F, 0x22,
)  # fmt: skip
_MACRO_SHEETS = (1, 6)
_FORMAT, _STYLE, _MULTIPLE = 0x41E, 0xE0, 0xBD
_VALUES = (_FORMULA_CELL, 0x203, 0x27E, _MULTIPLE)
"""FORMULA, NUMBER, RK, MULRK: row, column, style, value."""


def _text(body: bytes) -> str:
    """A string with its length and the width of its letters before it."""
    many, wide = struct.unpack_from("<HB", body)
    return body[3 : 3 + many * 2].decode("utf-16-le", "replace") if wide & 1 else body[3 : 3 + many].decode("latin-1")


class Xls:
    """Records of a BIFF8 stream ([MS-XLS]). Formulas are told apart but not spelt out: their text is compiled in the file."""

    def __init__(self, stream: bytes) -> None:
        self._data = stream
        self.date1904 = False
        self._begins: list[int] = []
        self._months: dict[int, int] = {}
        codes, styles = dict(BUILT_IN), 0
        first = stream[:8]
        if len(first) < 8 or struct.unpack_from("<H", first)[0] != _BOF:
            raise Refuse("too_old")
        if struct.unpack_from("<H", first, 4)[0] < 0x0600:
            raise Refuse("too_old")
        for kind, body in self._records(0):
            if kind == _FILE_PASS:
                raise Refuse("encrypted")
            if kind == _BOUND_SHEET and len(body) > 5:
                if body[5] in _MACRO_SHEETS:
                    raise Refuse("macros")
                self._begins.append(struct.unpack_from("<I", body)[0])
            elif kind == _1904:
                self.date1904 = body[:1] == b"\x01"
            elif kind == _FORMAT and len(body) > 5:
                codes[struct.unpack_from("<H", body)[0]] = shown_by(_text(body[2:]))
            elif kind == _STYLE and len(body) >= 4:
                if letters := codes.get(struct.unpack_from("<H", body, 2)[0]):
                    self._months[styles] = letters
                styles += 1

    def _records(self, place: int) -> Iterator[tuple[int, bytes]]:
        """The records of one substream, charts inside it left out."""
        data, depth = self._data, 0
        while place + 4 <= len(data):
            kind, length = struct.unpack_from("<HH", data, place)
            place += 4
            if kind == _BOF:
                depth += 1
            elif kind == _EOF:
                depth -= 1
                if depth <= 0:
                    return
            elif depth == 1:
                yield kind, data[place : place + length]
            place += length

    def _shown(self, kind: int, body: bytes, extras: Extras) -> None:
        """Remember the cells of a record that show a month: one, or (MULRK) several beside each other."""
        row, column = struct.unpack_from("<HH", body)
        step = 6 if kind == _MULTIPLE else len(body)
        for beside, place in enumerate(range(4, len(body) - 3, step)):
            if letters := self._months.get(struct.unpack_from("<H", body, place)[0]):
                extras.months.append((row, column + beside, letters))

    def extras(self, number: int) -> Extras:
        extras = Extras()
        if number >= len(self._begins):
            return extras
        for kind, body in self._records(self._begins[number]):
            if self._months and kind in _VALUES and len(body) >= 6:
                self._shown(kind, body, extras)
            if kind == _FORMULA_CELL and len(body) >= 14:
                row, column = struct.unpack_from("<HH", body)
                extras.formula(row, column, "")
                if body[12:14] == b"\xff\xff" and body[6] == 2:
                    extras.errors.append((row, column, "#"))
            elif kind == _ROW and len(body) >= 14:
                if body[12] & 0x20:
                    row = struct.unpack_from("<H", body)[0]
                    add_range(extras.hidden_rows, row, row)
            elif kind == _BOOL_OR_ERROR and len(body) >= 8 and body[7] == 1:
                row, column = struct.unpack_from("<HH", body)
                extras.errors.append((row, column, "#"))
            elif kind == _COLUMNS and len(body) >= 10 and body[8] & 1:
                first, last = struct.unpack_from("<HH", body)
                add_range(extras.hidden_columns, first, last)
        return extras
