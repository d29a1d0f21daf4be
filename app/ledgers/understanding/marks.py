"""Everything a reader of a ledger has to be told, by code: how grave it is, what it says, and what to do.

`note`: how something was read, nothing to do. `warning`: somebody should look. `reject`: the row is not taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

NOTE, WARNING, REJECT = "note", "warning", "reject"


class Mark(NamedTuple):
    """One remark about a cell or a row. `column` is the letter in the sheet; `of` is (sheet, row) of the other row, for duplicates."""

    code: str
    field: str | None = None
    column: str | None = None
    value: str | None = None
    of: tuple[str, int] | None = None

    @property
    def level(self) -> str:
        return CODES[self.code].level


@dataclass(frozen=True)
class Code:
    level: str
    zh: str
    en: str
    do: str = ""
    """What to do, in Chinese; empty for a note."""
    do_en: str = ""


_LOOK = ("请核对；无误则不必改。", "Check it; leave it if it is right.")
_UNIT = ("请在表头写明单位，如“总投资（万元）”。", "Write the unit into the header, such as 总投资（万元）.")
_AMOUNT = ("请填数字，或写明单位，如“1.2亿元”；未定请留空或填“待定”。", "Give a number, or one with its unit, such as 1.2亿元.")
_DATE = ("请写成 2026-03-15 或 2026年3月。", "Write 2026-03-15 or 2026年3月.")

CODES: dict[str, Code] = {
    # rows that are not taken
    "not_a_number": Code(REJECT, "金额列里的文字不是金额", "the text in an amount column is no amount", *_AMOUNT),
    "project_name_missing": Code(REJECT, "有数据但没有项目名称", "there is data but no project name", "请补上项目名称。", "Add the name."),
    # amounts
    "unit_missing": Code(WARNING, "表内没有写明金额单位，数字未作解释", "no unit is written; the number is not interpreted", *_UNIT),
    "date_columns_assumed": Code(WARNING, "年、月、日三列没有名称，按签约时间读取",
                                 "columns 年 月 日 without a name; read as the signing date", *_LOOK),
    "unit_of_whole": Code(WARNING, "“其中”一列没有写单位，按它前面总额的单位读取",
                          "a column of 其中 without a unit; read in that of the amount before it", *_UNIT),
    "unit_given": Code(NOTE, "金额单位由上传者指定", "the unit was given by whoever sent the file"),
    "amount_approximate": Code(WARNING, "约数，按所写数字登记", "an approximate amount, taken as written", *_LOOK),
    "amount_two_values": Code(WARNING, "一格两个金额，取前一个", "two amounts in one cell; the first counts", *_LOOK),
    "amount_range": Code(WARNING, "金额是区间，未取值", "a range; no amount is taken", "请填确定的金额。", "Give one amount."),
    "amount_shared_total": Code(WARNING, "几个项目共一个金额，未拆分", "one amount for several projects; it is not split",
                                "请分别填写各项目金额。", "Give each project its own."),
    "amount_foreign_currency": Code(WARNING, "外币金额，不折算", "foreign money, not converted", *_LOOK),
    "amount_two_currencies": Code(WARNING, "人民币与外币并列，以人民币为准", "yuan and foreign money; yuan counts", *_LOOK),
    "amount_letter": Code(WARNING, "“w”按“万”读", "w is read as 万", *_LOOK),
    "amount_implausible": Code(WARNING, "金额达 1000 亿元以上，疑似单位填错", "100 billion yuan or more; the unit may be wrong", *_LOOK),
    "amount_negative": Code(WARNING, "金额为负，未采用", "a negative amount is not taken", *_AMOUNT),
    "amount_rounded": Code(NOTE, "金额四舍五入到分", "rounded to the smallest unit"),
    "formula_cached_value": Code(NOTE, "公式，采用文件中保存的结果", "a formula; its stored result is used"),
    "formula_without_value": Code(WARNING, "公式没有保存结果，未取值", "a formula without a stored result",
                                  "请在表格软件中打开、重算并保存。", "Open, recalculate and save it."),
    "formula_as_text": Code(WARNING, "公式样的内容，按文字处理", "looks like a formula and is kept as text", *_LOOK),
    "cell_error": Code(WARNING, "单元格是错误值（如 #REF!）", "the cell holds an error value", "请更正公式。", "Mend the formula."),
    # areas, codes, text
    "area_approximate": Code(NOTE, "面积为约数", "an approximate area"),
    "area_converted": Code(NOTE, "面积已换算为本列单位", "converted to the unit of the column"),
    "area_unit_missing": Code(NOTE, "没有写明面积单位，按列名惯例", "no unit of area; the usual one of the column is taken"),
    "area_unparseable": Code(WARNING, "面积读不出数字", "no area can be read", "请填数字。", "Give a number."),
    "area_shared": Code(WARNING, "几个项目共一个面积，未拆分", "one area for several projects; it is not split",
                        "请分别填写。", "Give each its own."),
    "credit_code_invalid": Code(WARNING, "统一社会信用代码位数或校验位不对", "wrong length or check character of the credit code", *_LOOK),
    "project_code_shape": Code(WARNING, "项目代码不是 20 位（4-6-2-2-6）", "the project code has not the shape 4-6-2-2-6", *_LOOK),
    "digits_lost": Code(WARNING, "长数字被存为数值，末尾可能已丢失", "a long number stored as a value; its last digits may be lost",
                        "请把该列设为文本后重填。", "Make the column text and fill it again."),
    "control_characters": Code(NOTE, "去掉了不可见的控制字符", "invisible control characters were left out"),
    "text_cut": Code(WARNING, "文字过长，已截短", "the text was too long and is cut", *_LOOK),
    # dates
    "date_year_inferred": Code(WARNING, "没写年份，按报表日期补出", "no year; it is the year of the report", *_DATE),
    "date_two_digit_year": Code(WARNING, "两位年份", "a year of two digits", *_DATE),
    "date_ambiguous": Code(WARNING, "写法有歧义（如 2024.1 可能是 1 月或 10 月）", "ambiguous: 2024.1 may be January or October", *_DATE),
    "date_unparseable": Code(WARNING, "读不出日期", "no date can be read", *_DATE),
    "date_year_unknown": Code(WARNING, "没写年份，表内也没有报表日期", "no year, and no date of the report to take it from", *_DATE),
    "date_approximate": Code(NOTE, "约略的日期", "an approximate date"),
    "date_bound": Code(NOTE, "写的是“之前”“之后”", "says before or after"),
    "date_from_serial": Code(NOTE, "由数值日期换算", "converted from a serial number"),
    "date_after_report": Code(WARNING, "签约日期晚于报表日期", "signed after the date of the report", *_DATE),
    "date_order": Code(WARNING, "先开工后签约", "started before it was signed", *_LOOK),
    # stage and agreement
    "framework_not_signed": Code(WARNING, "框架协议或意向不算签约", "a framework agreement or an intent is not signed",
                                 "签订正式合同后再报签约。", "Report it as signed with the formal contract."),
    "agreement_unclear": Code(WARNING, "看不出签的是不是正式合同", "unclear whether the contract is formal", *_LOOK),
    "stage_unknown": Code(WARNING, "认不出所写的阶段", "the stage as written is not known", "请写意向、签约、落地、开工或投产。",
                          "Write 意向, 签约, 落地, 开工 or 投产."),
    "stage_from_text": Code(NOTE, "没有阶段列，由进展文字读出", "no column of the stage; read from the text"),
    "stage_from_date": Code(NOTE, "没有阶段列，由日期列读出", "no column of the stage; read from a date"),
    "stage_from_section": Code(NOTE, "没有阶段列，由分组标题或表名读出", "no column of the stage; that of the section or the title"),
    "trial_only": Code(NOTE, "试生产不算投产", "a trial run is not operating"),
    "start_not_substantive": Code(WARNING, "所写进展不属实质性开工", "the text tells of no substantive start", *_LOOK),
    # rows
    "town_filled_down": Code(WARNING, "镇区空白，沿用上一行", "no town; that of the row above is taken",
                             "请逐行填写镇区。", "Give the town in each row."),
    "town_from_section": Code(NOTE, "镇区取自分组行", "the town is that of the section"),
    "town_from_title": Code(WARNING, "没有镇区列，镇区取自标题或工作表名", "no column of towns; the town is that of the title or the sheet",
                            "请核对；最好加一列“镇区”。", "Check it; a column 镇区 is better."),
    "town_column_guessed": Code(WARNING, "没有写着“镇区”的列，按内容把这一列认作镇区",
                                "no column is named 镇区; this one holds nothing but towns and is read as that",
                                "请核对；最好在表头写上“镇区”。", "Check it; a header 镇区 is better."),
    "town_beside": Code(WARNING, "没有镇区列，沿用左边一张表的镇区列", "no column of towns; that of the table at its left is taken",
                        "请核对；最好各表都有一列“镇区”。", "Check it; a column 镇区 in each table is better."),
    "town_missing": Code(WARNING, "没有镇区", "no town", "请填写镇区。", "Give the town."),
    "exact_duplicate": Code(WARNING, "与前面一行完全相同", "equal to an earlier row", "请删去多余的一行。", "Remove one of them."),
    "possible_duplicate": Code(WARNING, "与前面一行项目同名", "the same name as an earlier row", *_LOOK),
    "hidden_row": Code(WARNING, "隐藏行，照常读取", "a hidden row; it is read", *_LOOK),
    "hidden_column": Code(NOTE, "隐藏列，照常读取", "a hidden column; it is read"),
    # against the register
    "town_unknown": Code(REJECT, "没有这个镇区，或不在管辖范围内", "no such town, or outside the scope of whoever imports",
                         "请核对镇区名称；只能导入本单位的项目。", "Check the name of the town; a town imports its own projects only."),
    "town_short": Code(WARNING, "镇区写的不是全称，按同名的单位登记", "not the full name of the town; taken as the office of that name",
                       *_LOOK),
    "town_needed": Code(REJECT, "没有镇区，不知道归哪个单位", "no town, so nobody knows whose project it is",
                        "请填写镇区。", "Give the town."),
    "project_outside": Code(REJECT, "这个项目编号不能使用", "this project number cannot be used",
                            "请核对项目编号，或留空由系统编号。", "Check the number, or leave it empty to be given one."),
    "match_ambiguous": Code(REJECT, "分不清是已有的哪个项目", "it is unclear which project of the register is meant",
                            "请填写项目编号；新项目请给一个新编号。", "Give the project number; a new one for a new project."),
    "keys_disagree": Code(REJECT, "项目编号与项目代码指向不同的项目", "the project number and the project code name different projects",
                          "请核对项目编号和项目代码。", "Check the number and the code."),
    "shared_code": Code(WARNING, "另一行或另一项目（编号不同）也用这个项目代码",
                        "a row or project of another number has the same project code",
                        "请核对；同一项目分期填报、无误的不必改。", "Check it; leave it if these are phases of one project."),
    "project_terminated": Code(REJECT, "项目已终止，未作改动", "the project is terminated; nothing was changed",
                               "如需继续，请先由县招商局重新启动。", "The bureau has to reopen it first."),
    "moved_since": Code(REJECT, "试算之后这个项目有变化，未写入", "the project changed since the trial run; nothing was written",
                        "请重新试算后再写入。", "Try the file again, then apply it."),
    "needs_bureau": Code(WARNING, "与已登记的不同，镇区不能更改", "differs from what is recorded, and a town cannot change it",
                         "请联系县招商局更正。", "Ask the bureau to correct it."),
    "date_conflict": Code(WARNING, "与系统内上报的日期不同，未改动", "differs from the date reported in the system; nothing was changed",
                          "请在项目中核对后更正。", "Check it in the project and correct it there."),
    "taken_back": Code(WARNING, "这一项曾被退回或作废，未再登记", "it was returned or voided before and is not recorded again",
                       "如确属实，请在项目中重新上报。", "If it is true, report it in the project."),
    "stage_undated": Code(WARNING, "所写阶段没有日期，按报表日期登记", "the stage has no date; that of the report is taken", *_DATE),
    "stage_below_register": Code(WARNING, "所写阶段低于系统内的阶段，阶段未改动", "a lower stage than recorded; the stage stays",
                                 "请核对；确需回退请由县招商局办理。", "Check it; only the bureau takes a stage back."),
    "stage_not_taken": Code(WARNING, "项目的意向登记已被作废，台账不能补报意向", "its intent was voided; a ledger cannot report it again",
                            "有正式合同的请报签约。", "With a formal contract report 签约."),
    "date_beyond_stage": Code(WARNING, "有日期，但所写阶段还没到，未登记", "a date of a stage further than the one told; not recorded",
                              "请核对阶段与日期。", "Check stage and date."),
    "date_in_future": Code(WARNING, "日期晚于今天，未登记", "a date in the future is not recorded", *_DATE),
    "owner_ambiguous": Code(WARNING, "有几位同名的责任人，未指定", "several people have this name; no owner was set",
                            "请在项目中指定责任人。", "Name the owner in the project."),
    "same_name": Code(WARNING, "系统内已有同镇同名项目，按新项目登记", "a project of this name is in the register; taken as a new one",
                      "如是同一项目，请改用原项目编号。", "If it is the same, use its number."),
    # rows of an export that come back
    "mark_mangled": Code(WARNING, "行标识被改动，无法比对导出后的修改；已按编号、名称匹配",
                         "the mark of the row was changed: found by its number or name instead, as a row of any file",
                         "请从系统重新导出后再修改。", "Export again and edit that."),
    "mark_unknown": Code(WARNING, "行标识不是本系统这个项目的，无法比对导出后的修改", "the mark of the row is not one of this register",
                         "请从系统重新导出后再修改。", "Export again and edit that."),
    "mark_disagrees": Code(REJECT, "项目编号与行标识指向不同的项目", "the project number and the mark of the row name different projects",
                           "新项目请清空“行标识”；已有项目请勿改编号。", "Empty 行标识 for a new project; leave the number of others."),
    "side_kept": Code(WARNING, "项目在系统内为暂停或终止，删去文字不会恢复推进",
                      "paused or ended in the register; leaving the word out changes nothing",
                      "请在项目中恢复推进。", "Resume it in the project."),
    # tables
    "column_unmatched": Code(NOTE, "认不出的列，原文保留", "an unknown column; its text is kept"),
    "column_repeated": Code(NOTE, "列名重复，只用第一列", "a repeated column; the first is used"),
    "cell_outside": Code(WARNING, "表格各列以外的内容，未读取", "a cell beside the columns of the table; it is not read", *_LOOK),
    "row_continued": Code(WARNING, "项目占几行，续行中的金额未读取", "the amounts in a project's further lines are not read",
                          "请并入首行，或拆成几个项目。", "Put them into its first line, or make them projects."),
    "town_column_missing": Code(NOTE, "没有镇区列", "there is no column of towns"),
    "total_mismatch": Code(WARNING, "合计与明细不符", "the total differs from its rows",
                           "请核对；不会自动修改。", "Check it; nothing is changed."),
    "totals_not_compared": Code(WARNING, "合计行过多，只核对了前面的和最后一个", "too many totals; the first and the last are compared",
                                *_LOOK),
}  # fmt: skip


class Problem(NamedTuple):
    """A mark as a person reads it. `row` counts from 1; `sheet` is empty in a csv."""

    sheet: str
    row: int
    column: str | None
    field: str | None
    value: str | None
    code: str
    level: str
    reason: str
    do: str
    reason_en: str
    do_en: str


def problem(sheet: str, row: int, mark: Mark) -> Problem:
    """The sentences of a mark."""
    code = CODES[mark.code]
    where = f"（第 {mark.of[1]} 行）" if mark.of else ""
    return Problem(sheet, row, mark.column, mark.field, mark.value, mark.code, code.level, code.zh + where, code.do, code.en, code.do_en)
