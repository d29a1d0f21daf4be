"""More files that lie: each is refused with one plain sentence, or read as what is left of it; soon, and without harm."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable

import pytest

from app.ledgers.sheets import limits
from app.ledgers.sheets.refusals import FileRefused
from app.ledgers.understanding.reading import read_ledger
from tests.ledgers.test_ledger_hostile import GOOD, NAMESPACE, SHEET, sheet_xml, with_sheet, zipped
from tests.ledgers.workbooks import ods, rezip, xls, xlsx

Make = Callable[[], bytes]
HEAD = ("序号", "镇区", "项目名称", "总投资（万元）")
OFFICE, TABLE, TEXT = (f"urn:oasis:names:tc:opendocument:xmlns:{name}:1.0" for name in ("office", "table", "text"))


def inline(row: int, texts: tuple[str, ...]) -> str:
    return "".join(f'<c r="{letter}{row}" t="inlineStr"><is><t>{text}</t></is></c>' for letter, text in zip("ABCD", texts, strict=False))


ROWS = f'<row r="1">{inline(1, HEAD)}</row><row r="2">{inline(2, ("1", "甲镇", "A"))}'
GOOD_ROWS = f'{ROWS}<c r="D2"><v>100</v></c></row>'


def amount(cell: str) -> Make:
    """A sheet of one project with this cell for its amount."""
    return lambda: with_sheet(sheet_xml(f"{ROWS}{cell}</row>"))


def around(before: str = "", after: str = "") -> Make:
    """A sheet of one project with elements before and after its rows."""
    content = sheet_xml(GOOD_ROWS).replace(b"<sheetData>", f"{before}<sheetData>".encode())
    return lambda: with_sheet(content.replace(b"</sheetData>", f"</sheetData>{after}".encode()))


def part(name: str, old: bytes, new: bytes) -> Make:
    return lambda: rezip(xlsx(GOOD), lambda own, content: content.replace(old, new) if own == name else content)


def without(name: str) -> Make:
    return lambda: rezip(xlsx(GOOD), lambda own, content: None if own == name else content)


def more(name: str, content: bytes) -> Make:
    return lambda: rezip(xlsx(GOOD), lambda _, old: old, {name: content})


def spread(rows: str) -> Make:
    """An .ods of the header, one project and these rows."""
    cells = "".join(f'<table:table-cell office:value-type="string"><text:p>{text}</text:p></table:table-cell>' for text in HEAD)
    good = cells.replace("序号", "1").replace("镇区", "甲镇").replace("项目名称", "A").replace("总投资（万元）", "100")
    content = (
        f'<?xml version="1.0"?><office:document-content xmlns:office="{OFFICE}" xmlns:table="{TABLE}" xmlns:text="{TEXT}"><office:body>'
        f'<office:spreadsheet><table:table table:name="a"><table:table-row>{cells}</table:table-row>'
        f"<table:table-row>{good}</table:table-row>{rows.replace('GOOD', good)}</table:table></office:spreadsheet></office:body>"
        "</office:document-content>"
    )
    return lambda: rezip(ods(GOOD), lambda own, old: content.encode() if own == "content.xml" else old)


def packed(method: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(xlsx(GOOD))) as old, zipfile.ZipFile(out, "w", method) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return out.getvalue()


def declared(size: int) -> bytes:
    data = bytearray(xlsx(GOOD))
    struct.pack_into("<I", data, data.rindex(SHEET.encode()) - 46 + 24, size)
    return bytes(data)


def overlapping() -> bytes:
    """500 more names for the bytes of one member."""
    data = xlsx(GOOD)
    end = data.rindex(b"PK\x05\x06")
    begin = struct.unpack_from("<I", data, end + 16)[0]
    listing, name = data[begin:end], SHEET.encode()
    place = listing.index(name) - 46
    entry = listing[place : place + 46]
    listing += b"".join(entry + name[:-7] + b"%03d.xml" % number for number in range(500))
    tail = bytearray(data[end:])
    many = struct.unpack_from("<H", tail, 8)[0] + 500
    struct.pack_into("<HHII", tail, 8, many, many, len(listing), begin)
    return data[:begin] + listing + bytes(tail)


def compound(*patches: tuple[int, int]) -> Make:
    """An .xls with numbers of its own structure overwritten."""

    def make() -> bytes:
        data = bytearray(xls(GOOD))
        for place, value in patches:
            struct.pack_into("<I", data, place, value)
        return bytes(data)

    return make


_FAT, _DIRECTORY = ((struct.unpack_from("<I", xls(GOOD), place)[0] + 1) * 512 for place in (76, 48))
MANY = "".join(f'<row r="{n}">{inline(n, (str(n), "甲镇", f"P{n}"))}</row>' for n in range(2, 5_000))
SHEETS = b"".join(b'<sheet name="s%d" sheetId="%d" r:id="rId1"/>' % (number, number + 5) for number in range(60))

REFUSED: dict[str, tuple[Make, str]] = {
    "a row a thousand million times": (
        spread('<table:table-row table:number-rows-repeated="1000000000">GOOD</table:table-row>'),
        "too_many_rows",
    ),
    "one sheet of rows under sixty names": (
        lambda: rezip(
            with_sheet(sheet_xml(f'<row r="1">{inline(1, HEAD)}</row>{MANY}')),
            lambda own, old: old.replace(b"</sheets>", SHEETS + b"</sheets>") if own == "xl/workbook.xml" else old,
        ),
        "too_many_rows",
    ),
    "a size of two gigabytes": (lambda: declared(0x7FFFFFFF), "bomb"),
    "an ods that unfolds": (
        lambda: rezip(ods(GOOD), lambda own, old: b" " * 60 * limits.MIB if own == "content.xml" else old),
        "bomb",
    ),
    "a DTD in an ods": (
        lambda: rezip(ods(GOOD), lambda own, old: old.replace(b"?>", b"?><!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>", 1)),
        "doctype",
    ),
    "repeated less than never": (spread('<table:table-row table:number-rows-repeated="-1">GOOD</table:table-row>'), "damaged"),
    "a shared text that is not there": (amount('<c r="D2" t="s"><v>99999999</v></c>'), "damaged"),
    "a column that no letter names": (amount('<c r="ZZZZZZ99999999999"><v>1</v></c>'), "damaged"),
    "a row before the first": (amount('</row><row r="-1"><c><v>1</v></c>'), "damaged"),
    "a merge from behind": (around(after='<mergeCells><mergeCell ref="B2:A1"/><mergeCell ref="::"/></mergeCells>'), "damaged"),
    "a sheet from outside": (
        part("xl/_rels/workbook.xml.rels", b'Target="worksheets/sheet1.xml"', b'Target="file:///etc/passwd" TargetMode="External"'),
        "damaged",
    ),
    "a sheet above the file": (part("xl/_rels/workbook.xml.rels", b'"worksheets/sheet1.xml"', b'"../../../../etc/passwd"'), "damaged"),
    "a sheet in EBCDIC": (lambda: with_sheet(b'<?xml version="1.0" encoding="cp037"?><worksheet/>'), "damaged"),
    "no sheet at all": (without(SHEET), "damaged"),
    "another packing": (lambda: packed(zipfile.ZIP_LZMA), "damaged"),
    "a FAT that runs in a ring": (compound(*((_FAT + 4 * sector, 0) for sector in range(128))), "damaged"),
    "a FAT of itself": (compound(*((_FAT + 4 * sector, sector) for sector in range(128))), "damaged"),
    "a DIFAT without end": (compound((68, 0), (72, 1_000)), "damaged"),
    "a FAT larger than the file": (compound((44, 0x7FFFFFFF)), "damaged"),
    "a stream of two gigabytes": (compound((_DIRECTORY + 128 + 120, 0x7FFFFFFF)), "damaged"),
    "a program behind a zip": (lambda: b"MZ" + b"\0" * 100 + xlsx(GOOD), "unknown_binary"),
    "an empty zip": (lambda: b"PK\x05\x06" + b"\0" * 18, "archive"),
    "a web page that begins with a remark": (lambda: b"<!-- saved -->\n<html><table><tr><td>1</td></tr></table>", "html"),
    "a line of nine million columns": (lambda: ",".join(HEAD).encode() + b"\n1,A" + b"," * 9_000_000, "area_too_large"),
    "a million quotes": (lambda: ",".join(HEAD).encode() + b"\n1,A," + b'"' * 999_999 + b",1\n", "broken_quotes"),
}
HARMLESS: dict[str, tuple[Make, int | None]] = {
    "a column a thousand million times": (
        spread('<table:table-row><table:table-cell table:number-columns-repeated="1000000000"/></table:table-row>'), 100_000_000,
    ),
    "empty rows a thousand million times": (
        spread('<table:table-row table:number-rows-repeated="1000000000"><table:table-cell/></table:table-row>'), 100_000_000,
    ),
    "texts in texts in texts": (
        spread(f"<table:table-row><table:table-cell>{'<text:p>' * 50_000}{'</text:p>' * 50_000}</table:table-cell></table:table-row>"),
        100_000_000,
    ),
    "merged to the end of the world": (around(after='<mergeCells><mergeCell ref="A3:XFD1048576"/></mergeCells>'), 100_000_000),
    "hidden beyond the last column": (around(before='<cols><col min="1" max="99999999999" hidden="1"/></cols>'), 100_000_000),
    "a dimension that lies": (around(before='<dimension ref="A1:XFD1048576"/>'), 100_000_000),
    "not a number": (amount('<c r="D2"><v>NaN</v></c>'), None),
    "infinite": (amount('<c r="D2"><v>1e999</v></c>'), None),
    "400 digits": (amount(f'<c r="D2"><v>{"9" * 400}</v></c>'), None),
    "a style that is not there": (amount('<c r="D2" s="99999"><v>100</v></c>'), 100_000_000),
    "DDE behind a value": (amount("<c r=\"D2\"><f>cmd|'/c calc'!A0</f><v>100</v></c>"), 100_000_000),
    "a link to a program": (
        more("xl/externalLinks/externalLink1.xml", f'<externalLink xmlns="{NAMESPACE}"><ddeLink /></externalLink>'.encode()),
        10**9,
    ),
    "a bomb in a bomb": (more("xl/embeddings/a.zip", zipped(**{"a.bin": bytes(5_000_000)})), 10**9),
    "one member under 500 names": (overlapping, 10**9),
    "a directory whose entries are each other's children": (
        compound((_DIRECTORY + 68, 0), (_DIRECTORY + 72, 0), (_DIRECTORY + 128 + 68, 1), (_DIRECTORY + 128 + 72, 1)), 10**9,
    ),
    "words behind the end": (lambda: xlsx(GOOD) + b"junk" * 1_000, 10**9),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_it_is_refused_with_a_sentence(what: str) -> None:
    make, reason = REFUSED[what]
    with pytest.raises(FileRefused) as refused:
        read_ledger(make())
    assert refused.value.reason == reason
    assert refused.value.hint.endswith("。") and "…" not in refused.value.hint


@pytest.mark.parametrize("what", HARMLESS)
def test_what_is_left_is_read(what: str) -> None:
    make, yuan = HARMLESS[what]
    row = read_ledger(make()).rows[0]
    assert row.name == "A" and row.amount is not None
    assert row.amount.minor == yuan
    assert (row.rejected is None) == (yuan is not None)


@pytest.mark.parametrize("kind", [xlsx, xls, ods])
@pytest.mark.parametrize("tenths", range(1, 10))
def test_a_file_cut_short_is_damaged(kind: Callable[..., bytes], tenths: int) -> None:
    whole = kind(GOOD)
    with pytest.raises(FileRefused) as refused:
        read_ledger(whole[: len(whole) * tenths // 10])
    assert refused.value.reason == "damaged"
