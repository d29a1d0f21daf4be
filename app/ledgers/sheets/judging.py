"""What a file is, by its bytes and never by its name; and whether a zip may be unpacked at all."""

from __future__ import annotations

import io
import zipfile
from typing import NamedTuple
from xml.parsers import expat

from app.ledgers.sheets import limits
from app.ledgers.sheets.limits import Refuse
from app.ledgers.sheets.ole import Compound

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "pdf"),
    (b"{\\rtf", "rtf"),
    (b"\x89PNG", "picture"),
    (b"\xff\xd8\xff", "picture"),
    (b"GIF8", "picture"),
    (b"BM6", "picture"),
    (b"7z\xbc\xaf\x27\x1c", "archive"),
    (b"Rar!", "archive"),
    (b"\x1f\x8b", "archive"),
    (b"BZh", "archive"),
    (b"\xfd7zXZ", "archive"),
    (b"\x09\x00\x04\x00", "too_old"),
    (b"\x09\x02\x06\x00", "too_old"),
    (b"\x09\x04\x06\x00", "too_old"),
    (b"MIME-Version:", "html"),
)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_WEB = (
    "<!doctype html",
    "<html",
    "<head",
    "<body",
    "<table",
    "<meta",
    "<script",
    "<style",
    "<div",
    "<!--",
    "<title",
    "<tr",
    "<td",
    "<center",
    "<font",
    "<xml",
)


class Judged(NamedTuple):
    """`kind`: xlsx, xls, ods or text; with the opened container."""

    kind: str
    archive: zipfile.ZipFile | None = None
    compound: Compound | None = None


def judge(data: bytes) -> Judged:
    """What the bytes are; Refuse for everything that is not a readable spreadsheet."""
    if not data:
        raise Refuse("empty_file")
    if len(data) > limits.FILE_BYTES:
        raise Refuse("too_large", limit=limits.FILE_BYTES // limits.MIB)
    if data.startswith(b"PK"):
        return _zip(data)
    if data.startswith(_OLE):
        return _ole(data)
    for magic, reason in _MAGIC:
        if data.startswith(magic):
            raise Refuse(reason)
    head = data[:2048].lstrip(b"\xef\xbb\xbf \t\r\n").decode("latin-1").lower()
    if head.startswith(_WEB):
        raise Refuse("html")
    if head.startswith("<?xml"):
        raise Refuse("html" if "<html" in head else "xml")
    return Judged("text")


def _zip(data: bytes) -> Judged:
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
        raise Refuse("damaged") from error
    members = archive.infolist()
    if len(members) > limits.ENTRIES:
        raise Refuse("too_many_parts", limit=limits.ENTRIES)
    unpacked = sum(member.file_size for member in members)
    if unpacked > limits.UNPACKED_BYTES or (unpacked > limits.RATIO_FROM and unpacked > limits.RATIO * len(data)):
        raise Refuse("bomb")
    if any(member.flag_bits & 1 for member in members):
        raise Refuse("encrypted")
    names = {member.filename for member in members}
    if len(names) != len(members):
        raise Refuse("damaged")  # two members of one name: two readers would see two files
    if any(name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/") for name in names):
        raise Refuse("paths")
    lower = {name.lower() for name in names}
    if "mimetype" in names:
        return _open_document(archive, names)
    if any(name.endswith("vbaproject.bin") or "/macrosheets/" in name for name in lower):
        raise Refuse("macros")
    if "xl/workbook.bin" in lower:
        raise Refuse("xlsb")
    if "xl/workbook.xml" in lower:
        return Judged("xlsx", archive)
    if any(name.startswith("word/") for name in lower):
        raise Refuse("word")
    if any(name.startswith("ppt/") for name in lower):
        raise Refuse("slides")
    raise Refuse("damaged" if "[content_types].xml" in lower else "archive")


def _open_document(archive: zipfile.ZipFile, names: set[str]) -> Judged:
    kind = unpack(archive, "mimetype")[:200].decode("latin-1").strip()
    if "opendocument.text" in kind:
        raise Refuse("word")
    if "opendocument.presentation" in kind:
        raise Refuse("slides")
    if "opendocument.spreadsheet" not in kind:
        raise Refuse("archive")
    if "META-INF/manifest.xml" in names and b"encryption-data" in unpack(archive, "META-INF/manifest.xml"):
        raise Refuse("encrypted")
    if any(name.startswith("Basic/") and name.endswith(".xml") and not name.endswith(("-lc.xml", "-lb.xml")) for name in names):
        raise Refuse("macros")
    if "content.xml" not in names:
        raise Refuse("damaged")
    return Judged("ods", archive)


def _ole(data: bytes) -> Judged:
    compound = Compound(data)
    names = {name.lower() for name in compound.names}
    if "encryptedpackage" in names or "encryptioninfo" in names:
        raise Refuse("encrypted")
    if names & {"_vba_project_cur", "_vba_project", "vba", "macros"} and names & {"workbook", "book"}:
        raise Refuse("macros")
    if names & {"workbook", "book"}:
        return Judged("xls", compound=compound)
    if "worddocument" in names:
        raise Refuse("word")
    if "powerpoint document" in names:
        raise Refuse("slides")
    raise Refuse("unknown_binary")


def unpack(archive: zipfile.ZipFile, name: str) -> bytes:
    """One member, checked against its declared size and checksum; XML must not declare a DTD."""
    try:
        data = archive.read(name)
    except KeyError as error:
        raise Refuse("damaged") from error
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, EOFError) as error:
        raise Refuse("damaged") from error
    except Exception as error:  # zlib.error and its kin share no base class
        if isinstance(error, MemoryError):
            raise
        raise Refuse("damaged") from error
    if name.lower().endswith((".xml", ".rels")):
        _no_doctype(data)
    return data


class _Root(Exception):
    pass


def _no_doctype(data: bytes) -> None:
    """Read an XML member up to its first element with a real parser: a DTD can only stand before it, in whatever encoding."""
    parser = expat.ParserCreate()

    def doctype(*_: object) -> None:
        raise Refuse("doctype")

    def root(*_: object) -> None:
        raise _Root

    parser.StartDoctypeDeclHandler = doctype
    parser.StartElementHandler = root
    try:
        for begin in range(0, len(data), 65_536):
            parser.Parse(data[begin : begin + 65_536], False)
    except _Root:
        return
    except expat.ExpatError as error:
        raise Refuse("damaged") from error
    raise Refuse("damaged")
