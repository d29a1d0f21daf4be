"""CSV: which encoding, which separator, and the records. A row number is that of the record, as spreadsheet programs count."""

from __future__ import annotations

import csv
import io

from app.ledgers.sheets.limits import FILE_BYTES, Refuse

_SEPARATORS = (",", "\t", ";", "|")
_BOMS = (
    (b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe\x00\x00", "utf-32"), (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"),
)  # fmt: skip


def decode(data: bytes) -> tuple[str, str]:
    """The text and the name of its encoding. Binary content is refused, a stray NUL is not."""
    for bom, name in _BOMS:
        if data.startswith(bom):
            return _strictly(data, name), name.removesuffix("-sig")
    if data.count(b"\0") * 20 > len(data):
        if len(data) % 2 == 0 and (guess := _utf16(data)):
            return guess
        raise Refuse("unknown_binary")
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return _strictly(data, "gb18030"), "gb18030"


def _strictly(data: bytes, name: str) -> str:
    try:
        text = data.decode(name)
    except UnicodeError as error:
        raise Refuse("not_text") from error
    sample = text[:100_000]
    strange = sum(1 for letter in sample if (letter < " " and letter not in "\t\r\n\0") or "\ue000" <= letter <= "\uf8ff")
    if strange * 50 > len(sample) + 50:
        raise Refuse("not_text")
    return text


def _utf16(data: bytes) -> tuple[str, str] | None:
    """Without a mark at its front, told by where the zero bytes of ASCII letters lie."""
    even, odd = data[0::2].count(0), data[1::2].count(0)
    name = "utf-16-le" if odd > even * 4 else "utf-16-be" if even > odd * 4 else ""
    try:
        return (data.decode(name), name) if name else None
    except UnicodeError:
        return None


def records(text: str) -> list[list[str]]:
    """All records, split by the separator that most lines share."""
    if not text.strip("\ufeff \t\r\n\0"):
        raise Refuse("no_cells")
    if text.startswith("sep=") and len(text) > 5:
        separator, text = text[4], text.partition("\n")[2]
    else:
        separator = _separator(text)
    _check_quotes(text, separator)
    csv.field_size_limit(FILE_BYTES)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))
    except csv.Error as error:
        raise Refuse("damaged") from error
    return [[unguarded(cell) for cell in row] for row in rows] if "'" in text else rows


FORMULA = tuple("=+-@\t\r")


def guarded(text: str) -> str:
    """A cell that no spreadsheet takes for a formula: with an apostrophe before it."""
    return "'" + text if text.lstrip("'").startswith(FORMULA) else text


def unguarded(text: str) -> str:
    """The cell as it was before it was guarded."""
    return text[1:] if text.startswith("'") and text.lstrip("'").startswith(FORMULA) else text


def _separator(text: str) -> str:
    lines = [line for line in text[:200_000].splitlines()[:200] if line.strip()]
    score = {separator: sum(1 for line in lines if separator in line) for separator in _SEPARATORS}
    best = max(_SEPARATORS, key=lambda separator: (score[separator], sum(line.count(separator) for line in lines)))
    if not score[best]:
        raise Refuse("not_a_table")
    return best


def _check_quotes(text: str, separator: str) -> None:
    """A quote that opens a cell and is never closed would swallow the rest of the file without a word."""
    if '"' not in text:
        return
    line = opened = 1
    inside = False
    start = True
    skip = False
    for place, letter in enumerate(text):
        if skip:
            skip = False
        elif inside:
            if letter == '"':
                if text[place + 1 : place + 2] == '"':
                    skip = True
                else:
                    inside = False
        elif letter == '"' and start:
            inside, opened = True, line
        start = not inside and letter in (separator, "\n", "\r")
        line += letter == "\n"
    if inside:
        raise Refuse("broken_quotes", line=opened)
