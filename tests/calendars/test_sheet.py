"""The calendar as CSV: what is written is read, in every encoding an office uses; what is wrong is told by line."""

from contextlib import suppress
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.calendars.notice import read_notice
from app.calendars.sheet import as_sheet, decoded, is_sheet, read_sheet
from app.errors import Invalid
from app.heart.calendar import shipped
from tests.calendars.notices import notice

SMALL = "date,kind,name\n2027-01-01,holiday,元旦\n2027-01-03,workday,元旦\n"


@pytest.mark.parametrize("year", shipped(), ids=lambda year: str(year.year))
def test_what_is_written_is_read(year: object) -> None:
    assert read_sheet(as_sheet(year), year.year).says == year  # type: ignore[attr-defined, arg-type]


def test_a_notice_and_its_csv_say_the_same() -> None:
    said = read_notice(notice(2027), 2027).says
    assert read_sheet(as_sheet(said), 2027).says == said and read_sheet(as_sheet(said), 2027).warnings == ()


@pytest.mark.parametrize("raw", [SMALL.encode(), SMALL.encode("utf-8-sig"), SMALL.encode("gb18030"), SMALL.replace("\n", "\r\n").encode()])
def test_every_encoding_is_read(raw: bytes) -> None:
    text = decoded(raw)
    assert is_sheet(text)
    says = read_sheet(text, 2027).says
    assert says.holidays == {date(2027, 1, 1): "元旦"} and says.workdays == {date(2027, 1, 3): "元旦"}


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(Invalid, match="GB18030"):
        decoded(b"\xff\xff\xff")


def test_chinese_heads_kinds_and_dates_are_read() -> None:
    told = read_sheet("\ufeff名称,日期,类型\n元旦,2027/1/1,放假\n\n元旦, 2027年1月3日 ,上班\n", 2027)
    assert told.says == read_sheet(SMALL, 2027).says
    assert told.warnings == ("没有列出春节、清明、劳动节、端午、中秋、国庆",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "没有内容"),
        ("2027-01-01,holiday,元旦", "表头应为"),
        ("date,kind,name,more\n", "表头应为"),
        ("date,date,kind\n", "表头应为"),
        ("date,kind,name\n", "没有一天放假"),
        (SMALL + "2027-1-32,holiday,x", "第 4 行：没有 2027-1-32 这一天"),
        (SMALL + "1 Jan,holiday,x", "第 4 行：日期“1 Jan”应写作 2027-01-01"),
        (SMALL + "2027-02-01,vacation,x", "第 4 行：类型“vacation”应为"),
        (SMALL + "2027-01-01,holiday,x", "第 4 行：2027-01-01 写了两次"),
        (SMALL + "2027-01-01,workday,x", "第 4 行：2027-01-01 写了两次"),
        (SMALL + "2028-01-01,holiday,x", "第 4 行：2028-01-01 不在 2027 年"),
        (SMALL + "2027-01-04,workday,x", "第 4 行：2027-01-04 是周一，本来就上班"),
        (SMALL + "2027-02-01,holiday,", "放假日要写节日名称"),
        (SMALL + "2027-02-01,holiday,=1+1", "名称应为"),
        (SMALL + "2027-02-01,holiday,x,y", "多于 3 列"),
        ("date,kind\n2027-01-03", "类型“”应为"),
        ('date,kind,name\n"2027-01-01', "不是有效的 CSV"),
        ("date,kind,name\n" + "2027-01-01,holiday,x\n" * 401, "不像一年的放假安排"),
    ],
)
def test_a_fault_is_told_with_its_line(text: str, said: str) -> None:
    with pytest.raises(Invalid) as refusal:
        read_sheet(text, 2027)
    assert any(said in row["message"] for row in refusal.value.extra["errors"]), refusal.value.extra


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(Invalid) as refusal:
        read_sheet(SMALL + "x,holiday,y\n2027-02-01,z,y\n", 2027)
    assert len(refusal.value.extra["errors"]) == 2


@given(st.text(max_size=200), st.binary(max_size=200))
def test_any_file_is_read_or_refused(text: str, raw: bytes) -> None:
    for given_text in (text, "date,kind,name\n" + text, SMALL + text):
        with suppress(Invalid):
            read_sheet(given_text, 2027)
    with suppress(Invalid):
        is_sheet(decoded(raw))
