"""content.xml of an .ods: merged, hidden and computed cells."""

from __future__ import annotations

import zipfile
from xml.parsers import expat

from app.ledgers.sheets.extras import Extras, add_range, parse
from app.ledgers.sheets.judging import unpack

_ODS_WORTH = (b"-spanned", b":visibility", b":formula", b'value-type="error"', b":display")


class Ods:
    """content.xml of a workbook; merged ranges come from here, too."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        data = unpack(archive, "content.xml")
        self._sheets: list[Extras] = []
        self._hidden: list[bool] = []
        self._styles_hidden: set[str] = set()
        if any(word in data for word in _ODS_WORTH):
            self._style = ""
            self._depth = self._row = self._column = 0
            self._rows = self._repeat = 1
            parser = expat.ParserCreate()
            parser.StartElementHandler = self._start
            parser.EndElementHandler = self._end
            parse(data, parser)

    def extras(self, number: int) -> Extras:
        return self._sheets[number] if number < len(self._sheets) else Extras()

    def hidden(self, number: int) -> bool:
        """The sheet's own style says that it is not shown."""
        return number < len(self._hidden) and self._hidden[number]

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        prefix, _, local = name.rpartition(":")
        if prefix == "style" and local == "style":
            self._style = attributes.get("style:name", "")
        elif local == "table-properties" and attributes.get("table:display") == "false":
            self._styles_hidden.add(self._style)
        elif prefix != "table":
            return
        elif local == "table":
            self._depth += 1
            if self._depth == 1:  # tables inside cells are not sheets
                self._sheets.append(Extras())
                self._hidden.append(attributes.get("table:style-name", "") in self._styles_hidden)
                self._row = self._column = 0
        elif self._depth != 1:
            return
        elif local == "table-row":
            self._rows, self._column = _count(attributes, "table:number-rows-repeated"), 0
            if attributes.get("table:visibility") in ("collapse", "filter"):
                add_range(self._sheets[-1].hidden_rows, self._row, self._row + self._rows - 1)
        elif local == "table-column":
            repeat = _count(attributes, "table:number-columns-repeated")
            if attributes.get("table:visibility") in ("collapse", "filter"):
                add_range(self._sheets[-1].hidden_columns, self._column, self._column + repeat - 1)
            self._column += repeat
        elif local in ("table-cell", "covered-table-cell"):
            self._cell(attributes)

    def _cell(self, attributes: dict[str, str]) -> None:
        sheet = self._sheets[-1]
        down, right = _count(attributes, "table:number-rows-spanned"), _count(attributes, "table:number-columns-spanned")
        if down > 1 or right > 1:
            sheet.merge(self._row, self._column, self._row + down - 1, self._column + right - 1)
        if formula := attributes.get("table:formula"):
            sheet.formula(self._row, self._column, "=" + formula.partition(":=")[2])
        if attributes.get("calcext:value-type") == "error":
            sheet.errors.append((self._row, self._column, "#"))
        self._column += _count(attributes, "table:number-columns-repeated")

    def _end(self, name: str) -> None:
        if name == "table:table-row" and self._depth == 1:
            self._row += self._rows
        elif name == "table:table":
            self._depth -= 1


def _count(attributes: dict[str, str], name: str) -> int:
    text = attributes.get(name, "1")
    return min(max(int(text), 1), 1_048_576) if text.isdecimal() and len(text) < 9 else 1
