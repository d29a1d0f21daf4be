"""The parts of an .xlsx ([ECMA-376]) that the parser of cells does not tell of."""

from __future__ import annotations

import posixpath
import re
import zipfile
from xml.parsers import expat

from app.ledgers.sheets.as_shown import BUILT_IN, shown_by
from app.ledgers.sheets.extras import Extras, add_range, local, parse
from app.ledgers.sheets.judging import unpack
from app.ledgers.sheets.limits import FORMULA, Refuse

_CELL = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
_WORTH = (b"</f>", b'hidden="', b't="e"')
"""Whatever a sheet has of these is worth parsing; longer words are found faster. A shared formula has its text in one cell at least."""
_UNUSUAL = (b":worksheet", b"='")
"""In the first lines: prefixed names or other quotes, where the words above prove nothing."""
_TRUE = ("1", "true")
_MAY_SHOW_MONTHS = re.compile(rb"numFmtId=[\"'](?:17|27|36|50|52|57)[\"']|formatCode=[\"'][^\"']{0,60}?[yYeE]")


def column_number(letters: str) -> int:
    """0 for A."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1


class Xlsx:
    """The parts of a workbook: which sheet lies where, and whether days count from 1904."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._names = {name.lower(): name for name in archive.namelist()}
        self.date1904 = False
        self._sheets: list[str] = []
        self._targets: dict[str, str] = {}
        self._read_workbook()
        # Looked through for their checksums and DTDs: the parser of cells reads them too.
        read = {
            name: unpack(archive, self._names[name])
            for name in ("xl/sharedstrings.xml", "xl/styles.xml", "[content_types].xml", "_rels/.rels")
            if name in self._names
        }
        self._months = _months(read.get("xl/styles.xml", b""))

    def _read_workbook(self) -> None:
        def start(name: str, attributes: dict[str, str]) -> None:
            name = local(name)
            if name == "workbookPr":
                self.date1904 = attributes.get("date1904", "0").lower() in _TRUE
            elif name == "sheet":
                self._sheets.append(next((value for key, value in attributes.items() if local(key) == "id"), ""))

        def relation(name: str, attributes: dict[str, str]) -> None:
            if local(name) == "Relationship":
                self._targets[attributes.get("Id", "")] = attributes.get("Target", "")

        for part, handler in (("xl/workbook.xml", start), ("xl/_rels/workbook.xml.rels", relation)):
            if part not in self._names:
                raise Refuse("damaged")
            parser = expat.ParserCreate()
            parser.StartElementHandler = handler
            parse(unpack(self._archive, self._names[part]), parser)

    def extras(self, number: int) -> Extras:
        """Of the sheet at this place; its XML is unpacked whole, so a wrong checksum or size is found."""
        extras = Extras()
        target = self._targets.get(self._sheets[number], "") if number < len(self._sheets) else ""
        part = posixpath.normpath(posixpath.join("/xl", target)).lstrip("/").lower()
        if part not in self._names:
            return extras
        data = unpack(self._archive, self._names[part])
        head = data[:8192]
        if self._months or any(word in data for word in _WORTH) or any(word in head for word in _UNUSUAL):
            _XlsxSheet(extras, self._months).read(data)
        return extras


def _months(styles: bytes) -> dict[str, int]:
    """Number of a style → what it shows of a date, for those that leave out the day."""
    if not _MAY_SHOW_MONTHS.search(styles):
        return {}
    codes: dict[int, int] = dict(BUILT_IN)
    found: dict[str, int] = {}
    inside = [0, 0]

    def start(name: str, attributes: dict[str, str]) -> None:
        name, number = local(name), attributes.get("numFmtId", "")
        if name == "numFmt" and number.isdecimal():
            codes[int(number)] = shown_by(attributes.get("formatCode", ""))
        elif name == "cellXfs":
            inside[0] = 1
        elif name == "xf" and inside[0]:
            if number.isdecimal() and (letters := codes.get(int(number))):
                found[str(inside[1])] = letters
            inside[1] += 1

    def end(name: str) -> None:
        if local(name) == "cellXfs":
            inside[0] = 0

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parse(styles, parser)
    return found


class _XlsxSheet:
    def __init__(self, extras: Extras, months: dict[str, int]) -> None:
        self._extras, self._months = extras, months
        self._row, self._column = -1, -1
        self._text: list[str] | None = None
        self._shared: dict[str, str] = {}
        self._shared_id = ""

    def read(self, data: bytes) -> None:
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        parse(data, self._parser)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        # The commonest elements first: this is called for each of them.
        if name == "c" or name.endswith(":c"):
            place = _CELL.fullmatch(attributes.get("r", ""))
            if place:
                self._column = column_number(place[1])
            else:
                self._column += 1
            if attributes.get("t") == "e":
                self._extras.errors.append((self._row, self._column, "#"))
            elif letters := self._months.get(attributes.get("s", "")):
                self._extras.months.append((self._row, self._column, letters))
        elif name == "row" or name.endswith(":row"):
            self._row = int(attributes["r"]) - 1 if attributes.get("r", "").isdecimal() else self._row + 1
            self._column = -1
            if attributes.get("hidden", "0").lower() in _TRUE:
                add_range(self._extras.hidden_rows, self._row, self._row)
        elif name == "f" or name.endswith(":f"):
            self._text, self._shared_id = [], attributes.get("si", "") if attributes.get("t") == "shared" else ""
            self._parser.CharacterDataHandler = self._text.append
            self._parser.EndElementHandler = self._end
        elif (name == "col" or name.endswith(":col")) and attributes.get("hidden", "0").lower() in _TRUE:
            first, last = attributes.get("min", ""), attributes.get("max", "")
            if first.isdecimal() and last.isdecimal():
                add_range(self._extras.hidden_columns, int(first) - 1, min(int(last), 16_384) - 1)

    def _end(self, name: str) -> None:
        if local(name) != "f" or self._text is None:
            return
        text = "".join(self._text)[:FORMULA]
        if self._shared_id:
            text = self._shared.setdefault(self._shared_id, text)
        self._extras.formula(self._row, self._column, "=" + text)
        self._text = None
        self._parser.CharacterDataHandler = None
        self._parser.EndElementHandler = None
