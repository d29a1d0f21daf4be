"""Reading the State Council's own wording: 国务院办公厅关于…年部分节假日安排的通知. Pure.

Everything wrong is said at once, each fault with the sentence it is in. A sentence that names a day and says 放假, 上班 or 补休
in words not known here is an error: nothing that could be a day off is dropped. Days that are only dates (of the notice itself,
of a principle, of advice) are listed as `ignored`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple

from app.errors import Invalid
from app.heart.calendar import Year

LONGEST = 31
"""Days of one holiday; more is a slip of the pen."""
STATUTORY = ("元旦", "春节", "清明", "劳动节", "端午", "中秋", "国庆")
"""What a whole year's notice names, since 2008 (全国年节及纪念日放假办法)."""
SINCE_2008 = ("清明", "端午", "中秋")


class Understood(NamedTuple):
    """What was read: the year, sentences with dates that say nothing about days off, what looks odd, and the notice's number."""

    says: Year
    ignored: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    source: str | None = None


class _Wrong(Exception):
    """One fault in one sentence."""


_DATE = r"(?:(?:[0-9]{4})年)?(?:[0-9]{1,2}月)?[0-9]{1,2}日(?:\([^()]*\))?"
_SPAN = rf"{_DATE}(?:(?:至|到|-|—|~){_DATE})?"
_DAYS = rf"{_SPAN}(?:(?:、|,|和|及){_SPAN})*"
_OFF = re.compile(rf"(?P<days>{_DAYS})(?:均|也)?(?:为)?放假(?:调休|公休)?(?P<count>[0-9]{{1,3}})?(?(count)天)")
_REST = re.compile(rf"(?P<days>{_DAYS})(?:均|也)?补休")
_ON = re.compile(rf"(?P<days>{_DAYS})(?:均|也|照常|正常)*上班")
_COUNT = re.compile(r"共(?:放假)?(?P<count>[0-9]{1,3})天")
_WEEKEND = re.compile(r"与周末(?:连休|相连)")
_NOTHING = re.compile(r"(?:\()?(?:不调休|调休|公休)(?:\))?(?=[,。;]|$)")
_ONE_DAY = re.compile(r"(?:(?P<year>[0-9]{4})年)?(?:(?P<month>[0-9]{1,2})月)?(?P<day>[0-9]{1,2})日(?:\((?P<remark>[^()]*)\))?")
_WEEKDAY = re.compile(r"(?:星期|周|礼拜)([一二三四五六日天])")
_PRINCIPLE = re.compile(rf"自?{_DATE}起")
_LOOKS_LIKE_A_DAY = re.compile(r"[0-9]月[0-9]|[0-9]日|[一二三四五六七八九十]月[一二三四五六七八九十廿]{1,3}日")
_SPEAKS_OF_WORK = re.compile(r"放假|上班|补休|调休|公休|休息|休假|补班")
_NAMES = r"(?:元旦|春节|清明节?|(?:国际)?劳动节|端午节?|中秋节?|国庆节?)"
_HEADING = re.compile(
    rf"(?:(?<![^\n。;:])(?:[一二三四五六七八九十]{{1,3}}、|[0-9]{{1,2}}[、.]|[-—•·*●]+)?|[一二三四五六七八九十]{{1,3}}、)"
    rf"(?:[0-9]{{4}}年)?(?P<names>{_NAMES}(?:[、和及]{_NAMES})*)(?P<remark>\([^()]*\))?:"
    r"|(?<![^\n。;:])[一二三四五六七八九十]{1,3}、(?P<other>[^:,。;\n]{1,40}):"
)
_YEAR = re.compile(r"(?:关于|现将|调整)([0-9]{4})年")
_NUMBER = re.compile(r"国办发(?:明电)?[〔\[(][0-9]{4}[〕\])][0-9]+号")


def plain(text: str) -> str:
    """A copied text without what copying adds: widths, blanks, invisible marks; line breaks only where a sentence may end."""
    folded = unicodedata.normalize("NFKC", text)
    kept = "".join(mark for mark in folded if mark == "\n" or not (mark.isspace() or unicodedata.category(mark)[0] == "C"))
    return re.sub(r"(?<=[:、,(至到])\n+", "", re.sub(r"\n+(?=[,。;:、)])", "", kept))


def read_notice(text: str, year: int) -> Understood:
    """The notice of a year. Invalid lists every fault: `field` is "text", `message` names the sentence."""
    told = plain(text)
    reader = _Reader(year)
    for other in sorted({int(one) for one in _YEAR.findall(told)} - {year}):
        reader.wrong(f"通知是关于 {other} 年的，而要导入的是 {year} 年")
    headings = list(_HEADING.finditer(told))
    if not headings:
        reader.wrong("没有找到放假安排；请粘贴通知正文，例如“一、元旦：1月1日（周四）至3日（周六）放假调休，共3天。”")
    starts, named = [one.start() for one in headings] + [len(told)], ""
    reader.aside(told[: starts[0]])
    for heading, end in zip(headings, starts[1:], strict=True):
        name = re.sub("[和及]", "、", heading["names"]) if heading["names"] else heading["other"]
        named += f"{name} "
        reader.holiday(name, told[heading.end() : end])
        if heading["remark"]:
            reader.ignored.append(heading[0])
    missing = missing_of(named, year) if headings else ()
    if missing:
        reader.wrong(f"缺少{'、'.join(missing)}；一年的安排要完整，只调整某一节日的补充通知请用 CSV 给出全年安排")
    if reader.faults:
        raise refusal("text", reader.faults)
    number = _NUMBER.search(told)
    return Understood(Year(year, reader.off, reader.on), tuple(reader.ignored), (), number[0] if number else None)


def refusal(field: str, faults: list[str]) -> Invalid:
    """The answer to a text that is wrong: all of it at once."""
    return Invalid(
        f"共 {len(faults)} 处有误，未导入：" + "；".join(faults[:20]), errors=[{"field": field, "message": one} for one in faults[:200]]
    )


def missing_of(names: str, year: int) -> tuple[str, ...]:
    """The statutory holidays of a year that are not among the names."""
    return tuple(name for name in STATUTORY if name not in names and not (year < 2008 and name in SINCE_2008))


def day_fault(day: date, year: int, worked: bool) -> str | None:
    """What is wrong with a day of a year's notice, whoever wrote it down."""
    if not date(year - 1, 12, 1) <= day <= date(year, 12, 31):
        return f"{day} 不在 {year} 年（含上一年 12 月）之内"
    if worked and day.weekday() < 5:
        return f"{day} 是{weekday_name(day)}，本来就上班；调休上班日只能是周六或周日"
    return None


def weekday_name(day: date) -> str:
    """周一 … 周日."""
    return "周" + "一二三四五六日"[day.weekday()]


class _Reader:
    """Goes through the sentences of one notice and gathers days and faults."""

    def __init__(self, year: int) -> None:
        self.year = year
        self.off: dict[date, str] = {}
        self.on: dict[date, str] = {}
        self.faults: list[str] = []
        self.ignored: list[str] = []

    def wrong(self, message: str) -> None:
        self.faults.append(message)

    def aside(self, text: str) -> None:
        """What stands before the first holiday: dates there are of the notice itself, or of a principle."""
        for sentence in _sentences(text):
            self._set_aside(sentence)

    def _set_aside(self, sentence: str) -> None:
        if not _LOOKS_LIKE_A_DAY.search(sentence):
            return
        rest = _PRINCIPLE.sub("", sentence)
        if not sentence.startswith("鼓励") and _LOOKS_LIKE_A_DAY.search(rest) and _SPEAKS_OF_WORK.search(rest):
            self.wrong(f"看不懂这一句：“{_short(sentence)}”")
        else:
            self.ignored.append(_short(sentence))

    def holiday(self, name: str, text: str) -> None:
        """One holiday: its sentences, and what comes after the last one."""
        before, faults = len(self.off), len(self.faults)
        for sentence in _sentences(text):
            try:
                if not self._understood(name, sentence):
                    self._set_aside(sentence)
            except _Wrong as fault:
                self.wrong(f"{name}：{fault}（“{_short(sentence)}”）")
        if len(self.off) == before and len(self.faults) == faults:
            self.wrong(f"{name}：没有说明哪天放假")

    def _understood(self, name: str, sentence: str) -> bool:
        """Take a sentence clause by clause; False when it speaks of no day's work in known words (nothing is taken then)."""
        if sentence.startswith("鼓励"):
            return False
        off: list[date] = []
        on: list[date] = []
        counts: list[int] = []
        joined, at, context = False, 0, _Context(self.year)
        while at < len(sentence):
            for pattern in (_OFF, _REST, _ON, _COUNT, _WEEKEND, _NOTHING):
                if clause := pattern.match(sentence, at):
                    break
            else:
                return False
            if pattern in (_OFF, _REST):
                off += context.days(clause["days"])
            elif pattern is _ON:
                on += context.days(clause["days"])
            joined |= pattern is _WEEKEND
            if pattern in (_OFF, _COUNT) and clause["count"]:
                counts.append(int(clause["count"]))
            at = clause.end()
            if at < len(sentence) and sentence[at] in ",、":
                at += 1
        whole = _with_weekend(off) if joined else set(off)
        for count in counts:
            if count not in (len(set(off)), len(whole)):
                raise _Wrong(f"写明共 {count} 天，而所列日期是 {len(set(off))} 天")
        for days, mine, other, worked in ((off, self.off, self.on, False), (on, self.on, self.off, True)):
            for day in days:
                if fault := day_fault(day, self.year, worked):
                    raise _Wrong(fault)
                if day in mine or day in other:
                    raise _Wrong(f"{day} 写了两次")
                mine[day] = name
        return True


def _sentences(text: str) -> Iterator[str]:
    yield from (one for one in re.split(r"[。;\n!?]+", text) if one)


def _short(sentence: str) -> str:
    return sentence if len(sentence) <= 120 else sentence[:119] + "…"


def _with_weekend(days: list[date]) -> set[date]:
    """Days off and the weekend days next to them."""
    found, edge = set(days), list(days)
    while edge:
        day = edge.pop()
        for near in (day - timedelta(days=1), day + timedelta(days=1)):
            if near.weekday() > 4 and near not in found:
                found.add(near)
                edge.append(near)
    return found


class _Context:
    """Dates of one sentence: a month or year left out is the one just named."""

    def __init__(self, year: int) -> None:
        self.notice = year
        self.year: int | None = None
        self.month: int | None = None

    def days(self, text: str) -> list[date]:
        """The days of a list of dates and spans."""
        found: list[date] = []
        for span in re.finditer(_SPAN, text):
            ends = list(_ONE_DAY.finditer(span[0]))
            first = self._day(ends[0])
            last = self._day(ends[1], after=first) if len(ends) > 1 else first
            length = (last - first).days + 1
            if length < 1:
                raise _Wrong(f"{first} 至 {last} 先后颠倒")
            if length > LONGEST:
                raise _Wrong(f"{first} 至 {last} 有 {length} 天，超过 {LONGEST} 天")
            found += [first + timedelta(days=number) for number in range(length)]
        return found

    def _day(self, told: re.Match[str], after: date | None = None) -> date:
        year = int(told["year"]) if told["year"] else self.year or self.notice
        month = int(told["month"]) if told["month"] else self.month
        if month is None:
            raise _Wrong(f"“{told[0]}”没有写月份")
        if after is not None and not told["year"] and month < after.month:  # 12月31日至1月2日
            year = after.year + 1
        try:
            day = date(year, month, int(told["day"]))
        except ValueError:
            raise _Wrong(f"没有 {year} 年 {month} 月 {told['day']} 日这一天") from None
        said = _WEEKDAY.search(told["remark"] or "")
        if said and "一二三四五六日".index(said[1].replace("天", "日")) != day.weekday():
            raise _Wrong(f"{day} 是{weekday_name(day)}，不是{said[0]}")
        self.year, self.month = (int(told["year"]) if told["year"] else self.year), month
        return day
