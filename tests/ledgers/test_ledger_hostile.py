"""Files that lie, break or attack: each is refused with one plain sentence, and the reading process stays well."""

import io
import os
import random
import struct
import time
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from docx import Document

from app.ledgers.sheets import limits
from app.ledgers.sheets.refusals import SENTENCES, FileRefused
from app.ledgers.sheets.workbook import Workbook, open_workbook
from app.ledgers.understanding.reading import Reading, read_ledger
from app.ledgers.understanding.totals import COMPARED
from tests.ledgers.test_ledger_shapes import HEAD, project
from tests.ledgers.workbooks import Grid, Page, codes, comma, ods, rezip, understand, xls, xlsx

GOOD = Page([HEAD, project(1, "甲镇", "A")])
SHEET = "xl/worksheets/sheet1.xml"
NAMESPACE = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def sheet_xml(cells: str) -> bytes:
    return (f'<?xml version="1.0"?><worksheet xmlns="{NAMESPACE}"><sheetData>{cells}</sheetData></worksheet>').encode()


def with_sheet(content: bytes) -> bytes:
    return rezip(xlsx(GOOD), lambda name, old: content if name == SHEET else old)


def far_cell() -> bytes:
    return with_sheet(sheet_xml('<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'))


def ole(*names: str) -> bytes:
    """A compound file with empty streams of these names."""
    header = bytearray(512)
    header[:8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
    struct.pack_into("<HHHHH", header, 24, 0x3E, 3, 0xFFFE, 9, 6)
    struct.pack_into("<IIIIIIIII", header, 44, 1, 1, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0, 0)
    struct.pack_into("<109I", header, 76, *([0xFFFFFFFF] * 109))
    fat = [0xFFFFFFFD] + [0xFFFFFFFE] * 127
    directory = b""
    for place, name in enumerate(("Root Entry", *names)):
        entry = bytearray(128)
        text = name.encode("utf-16-le")
        entry[: len(text)] = text
        struct.pack_into("<HB", entry, 64, len(text) + 2, 5 if place == 0 else 2)
        struct.pack_into("<IQ", entry, 116, 0xFFFFFFFE, 0)
        directory += bytes(entry)
    struct.pack_into("<I", header, 76, 0)
    for sector in range(1, len(directory) // 512 + 1):
        fat[sector] = sector + 1 if sector < (len(directory) + 511) // 512 else 0xFFFFFFFE
    return bytes(header) + struct.pack("<128I", *fat) + directory.ljust(-(-len(directory) // 512) * 512, b"\0")


def word() -> bytes:
    out = io.BytesIO()
    Document().save(out)
    return out.getvalue()


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name.replace("__", "/"), content)
    return out.getvalue()


def bomb() -> bytes:
    return with_sheet(b" " * (60 * limits.MIB) + sheet_xml(""))


def lying_size() -> bytes:
    """The directory says that the sheet has 10 bytes; it has many more."""
    data = bytearray(with_sheet(sheet_xml('<row r="1"><c r="A1"><v>1</v></c></row>' * 1000)))
    place = data.rindex(SHEET.encode())
    struct.pack_into("<I", data, place - 46 + 24, 10)
    return bytes(data)


def two_of_a_name() -> bytes:
    out = io.BytesIO(xlsx(GOOD))
    with zipfile.ZipFile(out, "a") as file, pytest.warns(UserWarning, match="Duplicate name"):
        file.writestr(SHEET, sheet_xml(""))
    return out.getvalue()


def doctype(part: str, encoding: str = "utf-8") -> bytes:
    def change(name: str, old: bytes) -> bytes:
        if name != part:
            return old
        declared = f'<?xml version="1.0" encoding="{encoding}"?><!-- {"x" * 70_000} --><!DOCTYPE a [<!ENTITY b "{"lol" * 100}">]>'
        return (declared + old.decode().split("?>", 1)[1]).encode(encoding)

    return rezip(xlsx(GOOD), change)


def encrypted_ods() -> bytes:
    manifest = (
        b'<manifest:manifest xmlns:manifest="m"><manifest:file-entry><manifest:encryption-data/></manifest:file-entry></manifest:manifest>'
    )
    return rezip(ods(GOOD), lambda name, old: manifest if name == "META-INF/manifest.xml" else old)


def xls_with(kind: int, body: bytes) -> bytes:
    """An .xls into whose globals a record is put."""
    data = xls(GOOD)
    begin = data.index(b"\x09\x08\x10\x00\x00\x06\x05\x00")
    length = struct.unpack_from("<H", data, begin + 2)[0]
    place = begin + 4 + length
    # xlwt writes records that are only defaults right after the first; the new one takes the room of the first of them.
    old = struct.unpack_from("<H", data, place + 2)[0]
    room = struct.pack("<HH", kind, old) + body[:old].ljust(old, b"\0")
    return data[:place] + room + data[place + 4 + old :]


def long_texts() -> bytes:
    """One text of 30,000 characters, written once and shown in 500 cells of a row."""
    cells = "".join('<c t="s"><v>0</v></c>' for _ in range(500))
    shared = f'<?xml version="1.0"?><sst xmlns="{NAMESPACE}"><si><t>{"长" * 30_000}</t></si></sst>'.encode()
    parts = {SHEET: sheet_xml(f'<row r="1">{cells}</row>'), "xl/sharedStrings.xml": shared}
    return rezip(xlsx(GOOD), lambda name, old: parts.get(name, old))


def unfolding_formula() -> bytes:
    """A formula of 30,000 characters, shared by 20,000 cells."""
    first = f'<c r="A1"><f t="shared" si="0">{"A" * 30_000}</f><v>1</v></c>'
    return with_sheet(sheet_xml(f'<row r="1">{first}</row>' + '<row><c><f t="shared" si="0"></f><v>1</v></c></row>' * 20_000))


def merging(reference: str, times: int, cells: str = "") -> bytes:
    """A sheet with the same merged range many times."""
    merges = "<mergeCells>" + f'<mergeCell ref="{reference}"/>' * times + "</mergeCells>"
    return sheet_xml(cells or '<row r="1"><c r="A1"><v>1</v></c></row>').replace(b"</worksheet>", merges.encode() + b"</worksheet>")


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "empty_file"),
    "too large": (lambda: b"a,b\n" * (limits.FILE_BYTES // 4 + 1), "too_large"),
    "a cell far away": (far_cell, "too_much_memory"),
    "half a million columns of cells": (
        lambda: with_sheet(sheet_xml('<row r="1"><c r="A1"><v>1</v></c></row><row r="900000"><c r="AA900000"><v>1</v></c></row>')),
        "area_too_large",
    ),
    "a zip bomb": (bomb, "bomb"),
    "a size that lies": (lying_size, "damaged"),
    "two members of one name": (two_of_a_name, "damaged"),
    "a path that climbs out": (lambda: rezip(xlsx(GOOD), lambda _, old: old, {"xl/../../../evil.txt": b"x"}), "paths"),
    "a path from the root": (lambda: rezip(xlsx(GOOD), lambda _, old: old, {"/etc/passwd": b"x"}), "paths"),
    "thousands of members": (lambda: zipped(**{f"xl__{n}.xml": b"" for n in range(limits.ENTRIES + 1)}), "too_many_parts"),
    "a DTD in the workbook": (lambda: doctype("xl/workbook.xml"), "doctype"),
    "a DTD in the sheet": (lambda: doctype(SHEET), "doctype"),
    "a DTD in the shared texts, in UTF-16": (lambda: doctype("xl/sharedStrings.xml", "utf-16"), "doctype"),
    "a DTD in the styles": (lambda: doctype("xl/styles.xml"), "doctype"),
    "macros": (lambda: rezip(xlsx(GOOD), lambda _, old: old, {"xl/vbaProject.bin": b"x"}), "macros"),
    "macros in an ods": (lambda: rezip(ods(GOOD), lambda _, old: old, {"Basic/Standard/Module1.xml": b"<a/>"}), "macros"),
    "macros in an xls": (lambda: ole("Workbook", "_VBA_PROJECT_CUR"), "macros"),
    "a password on an xlsx": (lambda: ole("EncryptedPackage", "EncryptionInfo"), "encrypted"),
    "a password on an ods": (encrypted_ods, "encrypted"),
    "a password on an xls": (lambda: xls_with(0x2F, b"\0" * 6), "encrypted"),
    "a word file": (word, "word"),
    "an old word file": (lambda: ole("WordDocument"), "word"),
    "slides": (lambda: ole("PowerPoint Document"), "slides"),
    "another compound file": (lambda: ole("Something"), "unknown_binary"),
    "an archive": (lambda: zipped(**{"a.csv": b"1,2"}), "archive"),
    "a binary workbook": (lambda: rezip(xlsx(GOOD), lambda n, old: old, {"xl/workbook.bin": b""}), "xlsb"),
    "pdf": (lambda: b"%PDF-1.7\n%...", "pdf"),
    "rtf": (lambda: b"{\\rtf1 hello}", "rtf"),
    "a picture": (lambda: b"\x89PNG\r\n\x1a\n" + b"\0" * 100, "picture"),
    "html named xls": (lambda: b"\xef\xbb\xbf  <html><table><tr><td>1</td></tr></table></html>", "html"),
    "html as mhtml": (lambda: b"MIME-Version: 1.0\nContent-Type: multipart/related", "html"),
    "xml of 2003": (lambda: b'<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?><Workbook/>', "xml"),
    "a sheet of Excel 4": (lambda: b"\x09\x04\x06\x00\x00\x00\x10\x00" + b"\0" * 50, "too_old"),
    "an xls of Excel 95": (lambda: xls(GOOD).replace(b"\x09\x08\x10\x00\x00\x06", b"\x09\x08\x10\x00\x00\x05", 1), "too_old"),
    "an xlsx cut short": (lambda: xlsx(GOOD)[:-200], "damaged"),
    "an xls cut short": (lambda: xls(GOOD)[:1500], "damaged"),
    "xml that breaks off": (lambda: with_sheet(sheet_xml("")[:-20] + b'<row r="1" hidden="1"><c r="A1"><f>1'), "damaged"),
    "noise": (lambda: random.Random(1).randbytes(5_000), "not_text"),
    "noise with zeros": (lambda: bytes(5_000), "unknown_binary"),
    "blanks": (lambda: b" \n\t\n ", "no_cells"),
    "a letter": (lambda: "本月无新增项目，特此报告。\n谢谢".encode(), "not_a_table"),
    "a quote without end": (lambda: '项目名称,投资方\n"甲,乙\n丙,丁\n'.encode(), "broken_quotes"),
    "a line of a million columns": (lambda: ("项目名称,投资方" + ",列" * 1_000_000).encode(), "area_too_large"),
    "a header in every second row": (lambda: "项目名称,投资方,备注\n甲,乙,丙\n项目名称,投资方\n丁,戊\n".encode() * 600, "too_many_tables"),
    "rows without end": (lambda: "项目名称,投资方\n甲,乙\n".encode() + "丙,丁\n".encode() * limits.ROWS, "too_many_rows"),
    "a long text in every cell": (long_texts, "area_too_large"),
    "a formula that unfolds": (unfolding_formula, "area_too_large"),
    "more merged cells than cells": (lambda: with_sheet(merging("A1:B2", 300_000)), "area_too_large"),
    "an empty workbook": (lambda: xlsx(Page([])), "no_cells"),
    "no ledger": (lambda: xlsx(Page([["日期", "天气"], ["今天", "晴"]])), "no_table"),
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_file_is_refused_with_a_sentence(what: str) -> None:
    make, reason = HOSTILE[what]
    with pytest.raises(FileRefused) as refused:
        read_ledger(make())
    assert refused.value.reason == reason
    assert refused.value.hint.endswith("。") and "…" not in refused.value.hint
    assert refused.value.english.endswith(".") and refused.value.status == 422
    assert not any(word in refused.value.hint for word in ("Traceback", "Error", "None"))


def test_every_reason_has_its_sentences() -> None:
    for why, do, why_english, do_english in SENTENCES.values():
        assert why.endswith("。") and do.endswith("。") and why_english.endswith(".") and do_english.endswith(".")
    assert {reason for _, reason in HOSTILE.values()} | {"too_slow", "parser_failed", "too_many_sheets"} == set(SENTENCES)


SLOW: dict[str, Callable[[], bytes]] = {
    "totals everywhere": lambda: (HEADER + "1,甲镇,A,公司,2026-1-1,1,x\n总计,,,,,5,\n" * 20_000).encode(),
    "subtotals everywhere": lambda: (HEADER + "1,甲镇,A,公司,2026-1-1,1,x\n小计,,,,,5,\n" * 20_000).encode(),
    "merged cells over each other": lambda: with_sheet(merging_downwards(10_000)),
    "every second row hidden": lambda: with_sheet(hiding(20_000)),
}
HEADER = ",".join(HEAD) + "\n"


def texts_of(rows: int, hidden: str = "") -> str:
    """Rows of a name and an investor."""
    cells = [("项目名称", "投资方"), *((f"甲{n}", "乙") for n in range(rows))]
    return "".join(
        f'<row r="{at}"{hidden if at % 2 == 0 else ""}>'
        + "".join(f'<c r="{letter}{at}" t="inlineStr"><is><t>{text}</t></is></c>' for letter, text in zip("AB", some, strict=True))
        + "</row>"
        for at, some in enumerate(cells, 1)
    )


def merging_downwards(rows: int) -> bytes:
    """Each row's cell merged down to the last row."""
    merges = "".join(f'<mergeCell ref="B{at}:B{rows + 1}"/>' for at in range(2, rows))
    return sheet_xml(texts_of(rows)).replace(b"</worksheet>", f"<mergeCells>{merges}</mergeCells></worksheet>".encode())


def hiding(rows: int) -> bytes:
    return sheet_xml(texts_of(rows, ' hidden="1"'))


@pytest.mark.parametrize("what", SLOW)
def test_what_grows_with_its_square_is_read_in_seconds(what: str) -> None:
    """Nothing in a file may cost the parent more than its rows."""
    data = SLOW[what]()
    with open_workbook(data) as book:
        before = time.process_time()
        rows = sum(1 for _ in Reading(book).rows())
    assert rows >= 10_000 and time.process_time() - before < 12


def test_more_totals_than_a_ledger_has() -> None:
    """The first thousand are compared, and the last: that of the whole."""
    rows: list[list[object]] = [["小计", "", "", "", "", 100, ""] for _ in range(5_000)]
    (table,) = understand(Page([HEAD, project(1, "甲镇", "A"), *rows, ["总计", "", "", "", "", 7, ""]])).tables
    assert [one.row for one in table.totals] == [*range(3, 3 + COMPARED - 1), 5_003] and len(table.ignored) == 5_001
    assert table.totals[-1].result == "mismatch" and table.totals[-1].kind == "grand_total"
    (mark,) = [mark for mark in table.marks if mark.code == "totals_not_compared"]
    assert mark.value == str(5_001 - COMPARED)


@pytest.mark.parametrize("limit", ["CPU_SECONDS", "WALL_SECONDS"])
def test_the_parent_has_as_much_time_as_the_child(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that takes longer to be understood ends in the one sentence; read a second time it is read to its end."""
    monkeypatch.setattr(limits, limit, 0.01)
    book: Any = Grid(Page([HEAD, *(project(number, "甲镇", f"A{number}") for number in range(20_000))]))
    with pytest.raises(FileRefused) as refused:
        list(Reading(book).rows())
    assert refused.value.reason == "too_slow" and "超过上限" in refused.value.hint
    assert sum(1 for _ in Reading(book, patient=True).rows()) == 20_000


def test_too_many_sheets() -> None:
    with pytest.raises(FileRefused) as refused:
        open_workbook(xlsx(*(Page([["a"]], name=str(n)) for n in range(limits.SHEETS + 1))))
    assert refused.value.reason == "too_many_sheets"


HOSTILE_TEXTS = [
    "名称\n有换行",
    "２０万吨高端铝材",
    '=HYPERLINK("http://example.invalid","点我")',
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "+1|2",
    "<script>alert(1)</script>",
    "'; DROP TABLE project; --",
    "{{ 7*7 }}${7*7}",
    "../../etc/passwd",
    "a" * 30_000,
    "👩‍👩‍👧‍👦 𠀀𪚥",
]


@pytest.mark.parametrize("writer", [xlsx, ods, comma])
def test_hostile_cells_are_text(writer: Callable[[Page], bytes]) -> None:
    rows = [HEAD, *(project(n, "甲镇", text) for n, text in enumerate(HOSTILE_TEXTS, 1))]
    ledger = read_ledger(writer(Page(rows)))
    assert [(row.name or "").replace("\r", "") for row in ledger.rows] == [
        text.replace("\u200d", "") if "\u200d" in text else text for text in HOSTILE_TEXTS
    ]
    marked = [row.name for row in ledger.rows if "formula_as_text" in codes(row)]
    assert marked == HOSTILE_TEXTS[2:5]


def test_control_characters_are_taken_out_of_values_and_stay_in_what_was_written() -> None:
    name = "项\0目\x07名\u202e倒\ufeff"
    (row,) = read_ledger(comma(Page([HEAD, project(1, "甲镇", name)]))).rows
    assert row.name == "项目名倒"
    assert row.raw_of("project_name") == name
    assert [mark.code for mark in row.marks if mark.field == "project_name"] == ["control_characters"]


def test_numbers_that_are_none() -> None:
    head = "".join(f'<c r="{letter}1" t="inlineStr"><is><t>{text}</t></is></c>' for letter, text in zip("ABC", HEAD[2:5], strict=True))
    odd = ("1e400", "-1e400", "1e308", "5")
    rows = "".join(f'<row r="{at}"><c r="A{at}"><v>{text}</v></c><c r="C{at}"><v>{text}</v></c></row>' for at, text in enumerate(odd, 2))
    found = read_ledger(with_sheet(sheet_xml(f'<row r="1">{head}</row>{rows}'))).rows
    assert [row.name for row in found[:2]] == ["inf", "-inf"]
    assert all("date_unparseable" in codes(row) for row in found)


def test_long_numbers_and_booleans_in_text_columns() -> None:
    rows = [["项目名称", "投资方", "统一社会信用代码", "总投资（万元）"], [20260315, True, 911234567890123456, True]]
    (row,) = read_ledger(xlsx(Page(rows))).rows
    assert (row.name, row.get("investor")) == ("20260315", "是")
    assert row.rejected is not None and row.rejected.code == "not_a_number"
    assert "digits_lost" in codes(row)


@pytest.mark.parametrize("seed", range(12))
def test_damaged_bytes_never_harm_the_reader(seed: int) -> None:
    """Each file is read, or refused with a known reason."""
    chance = random.Random(seed)
    data = bytearray(chance.choice([xlsx, xls, ods, comma])(GOOD))
    for _ in range(chance.randrange(1, 30)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    try:
        found = open_workbook(bytes(data))
    except FileRefused as refused:
        assert refused.reason in SENTENCES
    else:
        assert isinstance(found, Workbook)
        for _, portions in found.sheets():
            assert all(isinstance(row, list) for portion in portions for row in portion)
        found.close()


def test_nothing_of_a_file_stays_behind(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = len(os.listdir("/proc/self/fd"))
    for make in (lambda: xlsx(GOOD), far_cell):
        try:
            with open_workbook(make()) as book:
                list(book.sheets())
        except FileRefused:
            continue
    assert os.listdir(str(tmp_path)) == []
    assert len(os.listdir("/proc/self/fd")) == before
