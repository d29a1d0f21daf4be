"""Which rows are no projects: totals, nil reports, notes, sections; by what they are, not by how a name begins."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple, TypeVar

from app.ledgers.understanding.amounts import Cell

NOTHING = "无"
T = TypeVar("T")
_LOOKED_AT = 300
"""Characters of a text that decide what it is."""
GRAND, SUB, NIL, NOTE, BLANK, SECTION, CAPTION, HEADER, NUMBERS, CONTINUED = (
    "grand_total", "subtotal", "nil_report", "note", "blank", "section", "caption", "header", "column_numbers", "continuation",
)  # fmt: skip

_COUNT = r"(?:[(（:：]?\s*(?:共|计)?\s*(\d+)\s*(?:个|项|宗|家)(?:项目|企业|签约项目)?\s*[)）]?)"
_TOTAL = re.compile(rf"(?P<of>.{{0,14}}?)(?P<word>合计|总计|小计|共计|累计|汇总|总和|总数)(?:数|额)?[:：]?{_COUNT}?")
_COUNT_AT_END = re.compile(rf"(.+?){_COUNT}")
_ONLY_COUNT = re.compile(rf"{_COUNT}")
_NIL = re.compile(
    r"(?:本月|本季度?|本周|今年|本期|截至目前|目前|当月|该?镇)?(?:暂|均|皆|尚)?(?:无|没有|未有)(?:新增|新)?(?:签约|招商|在谈|引进|落地|开工|投产|洽谈|意向|新签|签订)*(?:的)?(?:项目|情况|内容|数据|合同|企业)?(?:[(（].*[)）])?|"
    r"(?:零|0)(?:报告|申报|报送|上报)|无(?:此项|新增)?(?:内容|情况)|nil"
)
_NOTE = re.compile(
    r"(?:注|备注|说明|填表说明|填报说明|附注|附|※|\*)[:：\d一1（(]|(?:填报|填表|审核|制表|报送|联系|负责|分管|主要|经办|统计|复核|签发|单位负责)[人员者领导单位时间日期方式电话签字名章]*[:：]|(?:联系)?(?:电话|手机)[:：]|备注$|(?:填报|制表)日期|第\d+页|共\d+页|-\d+-$|[(（]?(?:接上页|转下页)"
    r"|(?:以上|上述)(?:数据|统计|项目)|数据(?:来源|截至|截止)|[^,，。]{2,30}\((?:盖章|公章|签字|签章|印章)\)$"
)
_DAY = re.compile(r"(?:\d{4}年)?\d{1,2}月\d{1,2}日|\d{4}([./-])\d{1,2}\1\d{1,2}")
_ORDINAL = re.compile(r"^(?:[一二三四五六七八九十]+|[(（][一二三四五六七八九十\d]+[)）]|\d+)[、.．\s]*")
_CHINESE_ORDINAL = re.compile(r"\(?[一二三四五六七八九十]{1,3}\)?[、.]?")
_TOWN = re.compile(
    r".{1,14}(?:镇|乡|街道|街道办|办事处|街办|园区|工业园|产业园|开发区|高新区|经开区|新区|社区|林场|农场|县|区|市|村|片区|飞地|集团|局|委|办|公司)"
)


HINT = re.compile(
    r"计|汇|总[和数]|^\s*(?:[本今截目当该镇暂均皆尚无没未零0０注备说填附※*审制报联负分主经统复签单第共接转(（-]|nil|以上|上述|数据)|^[一二三四五六七八九十]{1,3}、|[公盖印]章|^\s*\d{4}[年./-]|签[字章]"
)
"""Cheap: whatever is a label of a total, a nil report or a note matches; most other cells do not."""


class TotalLabel(NamedTuple):
    """小计 is of a part; 合计 may be of a part, too: `of` names it."""

    word: str
    of: str
    told: int | None
    text: str


def _kept(work: Callable[[str], T]) -> Callable[[str], T]:
    """Remember what is said of texts that come again; of a long one its beginning decides, and is all that is held."""
    kept = lru_cache(maxsize=4096)(work)
    return functools.wraps(work)(lambda text: kept(text[:_LOOKED_AT]))


@_kept
def squeezed(text: str) -> str:
    """Full width and blanks gone."""
    return "".join(unicodedata.normalize("NFKC", text).split())


def total_label(cell: Cell) -> TotalLabel | None:
    """What a cell says when it is nothing but the label of a total."""
    return _total_label(cell) if isinstance(cell, str) and len(cell) <= 60 else None


@_kept
def _total_label(text: str) -> TotalLabel | None:
    found = _TOTAL.fullmatch(squeezed(text))
    if not found:
        return None
    return TotalLabel(found["word"], found["of"], int(found[3]) if found[3] and len(found[3]) < 7 else None, text.strip())


def count_only(text: str) -> int | None:
    """36 of 36个, which stands in the column of names of many totals."""
    found = _ONLY_COUNT.fullmatch(squeezed(text))
    return int(found[1]) if found and found[1] and len(found[1]) < 7 else None


def of_section(name: str) -> TotalLabel:
    """The label of a section that carries its own sum: 工业项目（2个）."""
    found = _COUNT_AT_END.fullmatch(squeezed(name))
    told = int(found[2]) if found and found[2] and len(found[2]) < 7 else None
    return TotalLabel("小计", found[1] if found else squeezed(name), told, name.strip())


@_kept
def is_nil(text: str) -> bool:
    """无签约项目, 本月无新增, 零报告. 无 alone is not enough: it is a placeholder."""
    word = squeezed(text).casefold().strip("。.-—/:：")
    return len(word) > 1 and _NIL.fullmatch(word) is not None


@_kept
def is_note(text: str) -> bool:
    return _NOTE.match(squeezed(text)) is not None


def is_day(text: str) -> bool:
    """2026年9月2日 alone in a row: the day somebody signed it."""
    return _DAY.fullmatch(squeezed(text)) is not None


def is_ordinal(cell: Cell) -> bool:
    """一, （二）, 三、: what numbers a section where projects are numbered 1, 2, 3."""
    return isinstance(cell, str) and 0 < len(cell) < 8 and _CHINESE_ORDINAL.fullmatch(squeezed(cell)) is not None


def is_heading(text: str) -> bool:
    """一、在谈项目, （一）在谈项目: what stands alone in a row and is counted in Chinese."""
    return re.match(r"[一二三四五六七八九十]{1,3}、|\([一二三四五六七八九十]{1,3}\)", squeezed(text)) is not None


_YEAR_OF_SECTION = re.compile(r"(?<!\d)(20\d\d)(?:年(?:度)?)(?!\s*[\d至到—-])")


def section_year(text: str) -> int | None:
    """2025 of 二、2025年签约项目（3个）: the year of the days under it. Two years in one heading say nothing."""
    years = {int(year) for year in _YEAR_OF_SECTION.findall(squeezed(text))}
    return years.pop() if len(years) == 1 else None


@_kept
def section(text: str) -> tuple[bool, str | None]:
    """(whether it heads a section, the town it names): 一、城关镇（3个） → (True, 城关镇); 二、工业项目 → (True, None)."""
    word = squeezed(text)
    bare = re.sub(r"[(（][^()（）]*[)）]$|[:：]$", "", _ORDINAL.sub("", word))
    if _TOWN.fullmatch(bare):
        return True, bare
    return bool(_ORDINAL.match(word)) and len(word) <= 30, None
