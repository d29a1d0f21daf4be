"""LibreOffice as a clerk uses it: it opens a file, types into cells, moves rows and columns, and saves under another format.

The typing is a macro in a profile of its own, for it has no other way in without a window; it reads its orders from a file.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

FILTERS = {
    "xlsx": "Calc MS Excel 2007 XML",
    "xls": "MS Excel 97",
    "ods": "calc8",
    "csv": "Text - txt - csv (StarCalc)",
}
_MACRO = """
Sub Main
  Dim hidden(0) As New com.sun.star.beans.PropertyValue
  Dim how(1) As New com.sun.star.beans.PropertyValue
  hidden(0).Name = "Hidden" : hidden(0).Value = True
  Dim field(0) As New com.sun.star.table.TableSortField
  Dim by(1) As New com.sun.star.beans.PropertyValue
  at = FreeFile
  Open "{orders}" For Input As #at
  Line Input #at, source
  Line Input #at, target
  Line Input #at, filter
  Line Input #at, options
  book = StarDesktop.loadComponentFromURL(ConvertToURL(source), "_blank", 0, hidden())
  sheet = book.Sheets.getByIndex(0)
  Do While Not Eof(at)
    Line Input #at, order
    word = Split(order, Chr(9))
    Select Case word(0)
      Case "type" : sheet.getCellRangeByName(word(1)).setFormula(word(2))
      Case "number" : sheet.getCellRangeByName(word(1)).setValue(CDbl(word(2)))
      Case "text" : sheet.getCellRangeByName(word(1)).setString(word(2))
      Case "merge" : sheet.getCellRangeByName(word(1)).merge(True)
      Case "rows" : sheet.Rows.insertByIndex(CLng(word(1)), CLng(word(2)))
      Case "columns" : sheet.Columns.insertByIndex(CLng(word(1)), CLng(word(2)))
      Case "remove column" : sheet.Columns.removeByIndex(CLng(word(1)), 1)
      Case "hide row" : sheet.Rows.getByIndex(CLng(word(1))).IsVisible = False
      Case "hide column" : sheet.Columns.getByIndex(CLng(word(1))).IsVisible = False
      Case "sort"
        field(0).Field = CLng(word(2)) : field(0).IsAscending = False
        by(0).Name = "SortFields" : by(0).Value = field()
        by(1).Name = "ContainsHeader" : by(1).Value = False
        sheet.getCellRangeByName(word(1)).sort(by())
    End Select
  Loop
  Close #at
  how(0).Name = "FilterName" : how(0).Value = filter
  how(1).Name = "FilterOptions" : how(1).Value = options
  book.storeToURL(ConvertToURL(target), how())
  book.close(True)
End Sub
"""
_LIBRARY = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE library:library PUBLIC "-//OpenOffice.org//DTD OfficeDocument 1.0//EN" "library.dtd">
<library:library xmlns:library="http://openoffice.org/2000/library" library:name="Standard"
 library:readonly="false" library:passwordprotected="false">
 <library:element library:name="Clerk"/>
</library:library>
"""
_LIBRARIES = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE library:libraries PUBLIC "-//OpenOffice.org//DTD OfficeDocument 1.0//EN" "libraries.dtd">
<library:libraries xmlns:library="http://openoffice.org/2000/library" xmlns:xlink="http://www.w3.org/1999/xlink">
 <library:library library:name="Standard" xlink:href="$(USER)/basic/Standard/script.xlb/" xlink:type="simple" library:link="false"/>
</library:libraries>
"""
_MODULE = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE script:module PUBLIC "-//OpenOffice.org//DTD OfficeDocument 1.0//EN" "module.dtd">
<script:module xmlns:script="http://openoffice.org/2000/script" script:name="Clerk" script:language="StarBasic">{}</script:module>
"""


def edited(path: Path, kind: str, orders: Sequence[tuple[object, ...]], options: str = "44,34,76,1") -> Path:
    """The file after somebody carried out the orders in LibreOffice and saved it as `kind`."""
    office = shutil.which("soffice")
    assert office, "this test needs LibreOffice: apt-get install libreoffice-calc"
    profile, out = path.parent / "clerk", path.parent / f"edited-{path.stem}.{kind}"
    start = [office, f"-env:UserInstallation=file://{profile}", "--headless", "--norestore"]
    basic = profile / "user" / "basic"
    if not basic.exists():  # a new profile is filled with libraries of its own
        subprocess.run([*start, "--terminate_after_init"], check=True, capture_output=True, timeout=100)
    (basic / "Standard").mkdir(parents=True, exist_ok=True)
    said = profile / "orders.txt"
    lines = [str(path), str(out), FILTERS[kind], options, *("\t".join(map(str, order)) for order in orders)]
    said.write_text("\n".join(lines) + "\n", "utf-8")
    (basic / "script.xlc").write_text(_LIBRARIES, "utf-8")
    (basic / "Standard" / "script.xlb").write_text(_LIBRARY, "utf-8")
    (basic / "Standard" / "Clerk.xba").write_text(_MODULE.format(escape(_MACRO.replace("{orders}", str(said)))), "utf-8")
    subprocess.run([*start, "macro:///Standard.Clerk.Main"], check=True, capture_output=True, timeout=100)
    assert out.exists(), "LibreOffice did not save the file"
    return out
