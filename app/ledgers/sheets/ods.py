"""content.xml of an .ods: merged, hidden and computed cells."""

from __future__ import annotations

import zipfile
from xml.parsers import expat

from app.ledgers.sheets.as_shown import MONTH, YEAR
from app.ledgers.sheets.extras import Extras, add_range, parse
from app.ledgers.sheets.judging import unpack
from app.ledgers.sheets.limits import MERGES, Refuse

_ODS_WORTH = (b"-spanned", b":visibility", b":formula", b'value-type="error"', b":display", b":date-style")


class Ods:
    """content.xml of a workbook; merged ranges come from here, too."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        data = unpack(archive, "content.xml")
        self._sheets: list[Extras] = []
        self._hidden: list[bool] = []
        self._styles_hidden: set[str] = set()
        if any(word in data for word in _ODS_WORTH):
            self._style = ""
            styles = unpack(archive, "styles.xml") if "styles.xml" in archive.namelist() else b""
            self._formats = _months(styles) | _months(data.partition(b":body")[0])
            self._months: dict[str, int] = {}
            self._columns: list[tuple[int, int, int]] = []
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
            if letters := self._formats.get(attributes.get("style:data-style-name", "")):
                self._months[self._style] = letters
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
                self._columns = []
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
            if letters := self._months.get(attributes.get("table:default-cell-style-name", ""), 0):
                self._columns.append((self._column, self._column + repeat, letters))
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
        if self._months and attributes.get("office:value-type") == "date":
            self._shown(attributes, sheet)
        self._column += _count(attributes, "table:number-columns-repeated")

    def _shown(self, attributes: dict[str, str], sheet: Extras) -> None:
        """Remember a date that shows a month, by its own style or by that of its column; repeated ones too."""
        style = attributes.get("table:style-name")
        if style:
            letters = self._months.get(style, 0)
        else:
            letters = next((letters for first, end, letters in self._columns if first <= self._column < end), 0)
        beside = _count(attributes, "table:number-columns-repeated")
        if letters and self._rows * beside <= MERGES:
            sheet.months += [
                (row, column, letters)
                for row in range(self._row, self._row + self._rows)
                for column in range(self._column, self._column + beside)
            ]

    def _end(self, name: str) -> None:
        if name == "table:table-row" and self._depth == 1:
            self._row += self._rows
        elif name == "table:table":
            self._depth -= 1


def _count(attributes: dict[str, str], name: str) -> int:
    text = attributes.get(name, "1")
    return min(max(int(text), 1), 1_048_576) if text.isdecimal() and len(text) < 9 else 1


def _months(data: bytes) -> dict[str, int]:
    """Name of a format → how much of a date it shows, for those that leave out the day."""
    found: dict[str, int] = {}
    if b":date-style" not in data:
        return found
    parts: set[str] = set()
    names: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if name.startswith("number:") and name.endswith("-style"):
            names.append(attributes.get("style:name", ""))
            parts.clear()
        elif name == "style:map" and names and attributes.get("style:apply-style-name", "") in found:
            found[names[-1]] = found[attributes["style:apply-style-name"]]  # yyyy"年"m"月";@ is a format of two parts
        elif name.startswith("number:") and name != "number:text":
            parts.add(name)

    def end(name: str) -> None:
        if name == "number:date-style" and parts <= {"number:year", "number:month"} and "number:year" in parts:
            found[names[-1]] = MONTH if len(parts) == 2 else YEAR

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = start, end
    try:
        parser.Parse(data, False)
    except expat.ExpatError as error:
        raise Refuse("damaged") from error
    return found
