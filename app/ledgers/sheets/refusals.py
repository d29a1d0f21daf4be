"""What is said when a file is not read: one plain sentence why, one what to do; in Chinese and in English."""

from __future__ import annotations

from typing import Any

from app.errors import DomainError

_SAVE = ("请用表格软件打开，另存为 .xlsx 后再上传。", "Open it in a spreadsheet program, save it as .xlsx and send that.")

SENTENCES: dict[str, tuple[str, str, str, str]] = {
    "empty_file": ("文件是空的（0 字节）。", "请重新保存后再上传。", "The file is empty (0 bytes).", "Save it again and send that."),
    "too_large": (
        "文件超过 {limit} MB。", "请删去图片、附件和无关的工作表，或分成几个文件。",
        "The file is larger than {limit} MB.", "Remove pictures, attachments and other sheets, or split it.",
    ),
    "encrypted": (
        "文件加了密码，无法读取。", "请取消密码后另存，再上传。",
        "The file is protected with a password and cannot be read.", "Remove the password, save it and send that.",
    ),
    "macros": (
        "文件含有宏，为安全起见不读取。", "请另存为不含宏的 .xlsx 后再上传。",
        "The file holds macros and is not read, for safety.", "Save it as .xlsx, which has no macros, and send that.",
    ),
    "word": ("这是文字处理文件（Word），不是表格。", _SAVE[0], "This is a word processor's file, not a spreadsheet.", _SAVE[1]),
    "slides": ("这是演示文稿，不是表格。", _SAVE[0], "This is a presentation, not a spreadsheet.", _SAVE[1]),
    "pdf": ("这是 PDF，不是表格。", "请上传原来的表格文件。", "This is a PDF, not a spreadsheet.", "Send the spreadsheet itself."),
    "picture": ("这是图片，不是表格。", "请上传原来的表格文件。", "This is a picture, not a spreadsheet.", "Send the spreadsheet itself."),
    "html": ("这是网页（HTML），只是名字像表格。", _SAVE[0], "This is a web page (HTML) named like a spreadsheet.", _SAVE[1]),
    "rtf": ("这是 RTF 文字文件，不是表格。", _SAVE[0], "This is an RTF text, not a spreadsheet.", _SAVE[1]),
    "xml": ("这是 XML 文件，不是可读取的表格格式。", _SAVE[0], "This is an XML file, no spreadsheet format that is read.", _SAVE[1]),
    "xlsb": ("这是二进制工作簿（.xlsb），暂不支持。", _SAVE[0], "This is a binary workbook (.xlsb), which is not supported.", _SAVE[1]),
    "too_old": ("这是很旧的 Excel 格式（95 版以前）。", _SAVE[0], "This is a very old Excel format (before version 95).", _SAVE[1]),
    "archive": (
        "这是压缩包，不是表格。", "请解压后上传里面的表格文件。",
        "This is an archive, not a spreadsheet.", "Unpack it and send the spreadsheet inside.",
    ),
    "unknown_binary": (
        "认不出文件格式，不是 .xlsx、.xls、.ods 或 .csv。", _SAVE[0],
        "The format is not known; it is no .xlsx, .xls, .ods or .csv.", _SAVE[1],
    ),
    "not_text": (
        "文本既不是 UTF-8 也不是 GB18030 编码，无法读取。", "请另存为 .xlsx 或“CSV UTF-8”后再上传。",
        "The text is neither UTF-8 nor GB18030.", "Save it as .xlsx or as “CSV UTF-8” and send that.",
    ),
    "not_a_table": (
        "文本没有分成列，不像 CSV 表格。", "请另存为 .xlsx 或用逗号分隔的 .csv 后再上传。",
        "The text has no columns and is no CSV table.", "Save it as .xlsx or as .csv with commas and send that.",
    ),
    "broken_quotes": (
        "CSV 第 {line} 行附近的引号没有成对，无法分列。", "请检查该行的引号，或另存为 .xlsx 后再上传。",
        "A quotation mark near line {line} of the CSV has no partner.", "Mend that line, or save it as .xlsx and send that.",
    ),
    "bomb": (
        "文件解压后异常庞大，像是压缩炸弹，不予读取。", "如确是台账，请删去无关内容后另存，再上传。",
        "Unpacked, the file is abnormally large, like a zip bomb; it is not read.", "If it is a ledger, remove the rest and save it again.",
    ),
    "too_many_parts": (
        "文件内部的部件超过 {limit} 个，不予读取。", "请把台账复制到新的工作簿，另存后再上传。",
        "The file has more than {limit} parts inside and is not read.", "Copy the ledger to a new workbook, save it and send that.",
    ),
    "paths": (
        "文件内部有指向文件以外的路径，为安全起见不读取。", _SAVE[0],
        "The file names paths outside of itself and is not read, for safety.", _SAVE[1],
    ),
    "doctype": (
        "文件内部的 XML 带有 DTD 声明（可藏实体攻击），不予读取。", _SAVE[0],
        "The XML inside declares a DTD, which can hide attacks; it is not read.", _SAVE[1],
    ),
    "damaged": (
        "文件已损坏或不完整，无法读取。", "请用表格软件打开并另存为 .xlsx；打不开时请向来源方重新索取。",
        "The file is damaged or incomplete.", "Open it in a spreadsheet program and save it as .xlsx; if that fails, ask for it again.",
    ),
    "area_too_large": (
        "工作表的已用区域过大（常因远处有一个多余的格子）。", "请删除数据以外的行和列，另存后再上传。",
        "The used area of a sheet is too large, often by one stray cell far away.",
        "Delete rows and columns outside the data, and save it again.",
    ),
    "too_many_sheets": (
        "工作表超过 {limit} 个。", "请只保留台账所在的工作表。",
        "There are more than {limit} sheets.", "Keep the sheets that hold the ledger.",
    ),
    "too_many_tables": (
        "工作簿里的表格超过 {limit} 个，不像台账。", "请只保留台账所在的工作表。",
        "The workbook holds more than {limit} tables and is no ledger.", "Keep the sheets that hold the ledger.",
    ),
    "too_many_rows": (
        "文件里的项目超过 {limit} 行，不像台账。", "请只保留台账所在的工作表，或分成几个文件。",
        "The file holds more than {limit} rows of projects and is no ledger.", "Keep the sheets that hold the ledger, or split it.",
    ),
    "too_much_memory": (
        "读取该文件所需内存超过上限。", "请删除数据以外的行和列，或分成几个文件。",
        "Reading the file takes more memory than is allowed.", "Delete rows and columns outside the data, or split it.",
    ),
    "too_slow": (
        "读取该文件所需时间超过上限。", "请删去无关的工作表、样式和图片，另存为 .xlsx 后再上传。",
        "Reading the file takes longer than is allowed.", "Remove other sheets, styles and pictures, save it as .xlsx and send that.",
    ),
    "parser_failed": (
        "读取该文件的程序中途退出，文件可能已损坏。", _SAVE[0],
        "The program that reads the file stopped; the file may be damaged.", _SAVE[1],
    ),
    "no_cells": ("工作簿里没有内容。", "请检查是否上传了正确的文件。", "The workbook holds nothing.", "Make sure it is the right file."),
    "no_table": (
        "没有找到台账表头：需要一行含“项目名称”及另外至少一列（如投资方、签约时间、总投资）。", "请检查表头，或使用空白模板。",
        "No ledger header was found: a row with 项目名称 and at least one other known column.",
        "Check the header, or use the blank template.",
    ),
}  # fmt: skip
"""reason → why in Chinese, what to do in Chinese, why in English, what to do in English."""


class FileRefused(DomainError):
    """The file cannot be read; `reason` is stable, `hint` is for people."""

    code, status, title = "file_refused", 422, "无法读取该文件"

    def __init__(self, reason: str, **more: Any) -> None:
        why, do, why_english, do_english = (sentence.format_map(_Blank(more)) for sentence in SENTENCES[reason])
        super().__init__(f"{why}{do}", reason=reason, hint_en=f"{why_english} {do_english}")
        self.reason = reason
        self.english = f"{why_english} {do_english}"


class _Blank(dict[str, Any]):
    def __missing__(self, name: str) -> str:
        return "…"
