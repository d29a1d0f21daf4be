"""Dates in every writing of real ledgers: at their precision, never finer, with a mark for every guess."""

import calendar
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ledgers.understanding.dates import When, join_parts, read_date
from tests.ledgers.test_ledger_amounts import in_chinese

INFERRED, SHORT = "date_year_inferred", "date_two_digit_year"
WRITTEN = [
    ("2026年3月15日", "2026-03-15"),
    ("2026/7/4", "2026-07-04"),
    ("2026.3.15", "2026-03-15"),
    ("2025-9-1", "2025-09-01"),
    ("2026/4/9 10:20:00", "2026-04-09"),
    ("2026-04-09T10:20:00", "2026-04-09"),
    ("2026年6月18日（补签）", "2026-06-18"),
    ("20260315", "2026-03-15"),
    ("2026—03—15", "2026-03-15"),
    ("2026 年 3 月 5 日", "2026-03-05"),
    ("二零二六年十二月三十一日", "2026-12-31"),
    ("2026年3月15号", "2026-03-15"),
    ("2024.3", "2024-03"),
    ("2024.10", "2024-10"),
    ("2026-05", "2026-05"),
    ("2014年12月", "2014-12"),
    ("二〇二六年三月", "2026-03"),
    ("2026年8月底", "2026-08"),
    ("2026年3月下旬", "2026-03"),
    ("2026年3月份", "2026-03"),
    ("202603", "2026-03"),
    ("2018年", "2018"),
    ("2026", "2026"),
    ("2026年初", "2026"),
    ("2026年底", "2026"),
    ("2026年一季度", "2026-Q1"),
    ("2025年第四季度", "2025-Q4"),
    ("2026Q3", "2026-Q3"),
    ("2016年上半年", "2016-H1"),
    ("2025年下半年", "2025-H2"),
    ("2026.3.", "2026-03"),
    ("2026,3,15", "2026-03-15"),
    ("2026·3·15", "2026-03-15"),
    ("2026 3 15", "2026-03-15"),
    ("（2026年3月15日）", "2026-03-15"),
    ("'2026-03-15", "2026-03-15"),
    ("2026年3月15日 星期日", "2026-03-15"),
    ("2026年3月15日上午", "2026-03-15"),
    ("2026年3月①", "2026-03"),
    ("2026年三季度末", "2026-Q3"),
    ("Q3 2026", "2026-Q3"),
    ("2026年年底", "2026"),
    ("2026年 月 日", "2026"),
    ("Mar-2026", "2026-03"),
    ("15-Mar-2026", "2026-03-15"),
    ("Mar 15, 2026", "2026-03-15"),
    ("3/15/2026", "2026-03-15"),
    ("15/3/2026", "2026-03-15"),
]


@pytest.mark.parametrize(("text", "iso"), WRITTEN)
def test_a_date_with_its_year(text: str, iso: str) -> None:
    found = read_date(text)
    assert (found.text, found.marks, found.raw) == (iso, (), text)


MARKED = [
    ("7月4日", "2026-07-04", {INFERRED}),
    ("9月底", "2026-09", {INFERRED}),
    ("3月初", "2026-03", {INFERRED}),
    ("8月份", "2026-08", {INFERRED}),
    ("上半年", "2026-H1", {INFERRED}),
    ("三季度", "2026-Q3", {INFERRED}),
    ("十月", "2026-10", {INFERRED}),
    ("年底", "2026", {INFERRED}),
    ("今年", "2026", {INFERRED}),
    ("去年", "2025", {INFERRED}),
    ("3.15", "2026-03-15", {INFERRED, "date_ambiguous"}),
    ("3月底前", "2026-03", {INFERRED, "date_bound"}),
    ("08年", "2008", {SHORT}),
    ("09年初", "2009", {SHORT}),
    ("26年3月", "2026-03", {SHORT}),
    ("26.3.15", "2026-03-15", {SHORT}),
    ("98年5月", "1998-05", {SHORT}),
    ("46207", "2026-07-04", {"date_from_serial"}),
    (46207, "2026-07-04", {"date_from_serial"}),
    (44986.4, "2023-03-01", {"date_from_serial"}),
    (2024.1, "2024-01", {"date_ambiguous"}),
    (2024.3, "2024-03", set()),
    (2024.12, "2024-12", set()),
    (2018, "2018", set()),
    (2018.0, "2018", set()),
    (20260315, "2026-03-15", set()),
    (3.1, "2026-03-01", {INFERRED, "date_ambiguous"}),
    ("预计2026年3月", "2026-03", {"date_approximate"}),
    ("2026年3月15日（预计）", "2026-03-15", {"date_approximate"}),
    ("力争2026年3月", "2026-03", {"date_approximate"}),
    ("不晚于2026年3月", "2026-03", {"date_bound"}),
    ("年底前", "2026", {INFERRED, "date_bound"}),
    ("2026年年底前", "2026", {"date_bound"}),
    ("三季度末", "2026-Q3", {INFERRED}),
    ("明年3月", "2027-03", {INFERRED}),
    ("去年底", "2025", {INFERRED}),
    ("Mar-26", "2026-03", {SHORT}),
    ("26.3", "2026-03", {SHORT, "date_ambiguous"}),
    ("2026.3.1 5", "2026-03-15", {"date_ambiguous"}),
]


@pytest.mark.parametrize(("cell", "iso", "marks"), MARKED)
def test_a_guess_carries_a_mark(cell: str | float, iso: str, marks: set[str]) -> None:
    found = read_date(cell, year=2026)
    assert (found.text, set(found.marks)) == (iso, marks)


@pytest.mark.parametrize("text", ["7月4日", "9月底", "上半年", "三季度", "年底", "3.15", 3.15])
def test_without_a_year_anywhere_there_is_no_date(text: str | float) -> None:
    found = read_date(text)
    assert (found.text, found.missing, found.marks) == (None, "year_unknown", ("date_year_unknown",))


NO_DATES = [
    "2026-02-30",
    "2026年13月",
    "2026年2月30日",
    "签约仪式当天",
    "2026年3月-5月",
    "2026年3-5月",
    "2026.3-5",
    "2026年3-5",
    "2026.3-2026.5",
    "2026年前三季度",
    "2025-2026年",
    "03/04/2026",
    "2026年3、4月",
    "2026.3.15签约",
    "1234年",
    "3026-01-01",
    "上旬",
    "明年",
    "2026.3.15、2026.5.1",
    "0000-00-00",
    "2026-00-10",
    "五",
]


@pytest.mark.parametrize("cell", [*NO_DATES, 0, -1, 1e9, float("nan"), float("inf"), True, 2024.345, "1" * 500])
def test_what_is_no_date_is_null_and_marked(cell: str | float) -> None:
    found = read_date(cell, year=2026)
    assert (found.text, found.first, found.marks) == (None, None, ("date_unparseable",))


def test_empty_and_placeholder_are_no_faults() -> None:
    assert [(read_date(cell).missing, read_date(cell).marks) for cell in ("", " ", "—", "/", "无", "待定")] == [
        ("empty", ()),
        ("empty", ()),
        *[("placeholder", ())] * 4,
    ]
    assert read_date("年  月  日").missing == "placeholder"
    assert (read_date("#DIV/0!").missing, read_date("#DIV/0!").marks) == ("error", ("cell_error",))


def test_serial_days_count_as_the_workbook_counts() -> None:
    assert read_date(44638, date1904=True).text == "2026-03-19"
    assert read_date(46100).text == "2026-03-19"


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ((2026.0, 3.0, 15.0), "2026年3月15日"),
        ((2026, 3, ""), "2026年3月"),
        (("2026年", "3月", "15日"), "2026年3月15日"),
        (("", "", ""), ""),
        (("2026-03-15", "", ""), "2026-03-15"),
        (("", 3, 15), "3月15日"),
        (("", "", 5), "5日"),
        ((2026, "5月", "底"), "2026年5月底"),
    ],
)
def test_three_columns_are_one_text(parts: tuple[object, object, object], text: str) -> None:
    assert join_parts(parts) == text  # type: ignore[arg-type]


DAYS = st.dates(date(1971, 1, 1), date(2069, 12, 31))


@given(DAYS)
def test_every_way_to_write_a_day_comes_back(day: date) -> None:
    y, m, d = day.year, day.month, day.day
    chinese_year = "".join("〇一二三四五六七八九"[int(digit)] for digit in str(y))
    tens = {n: in_chinese(n).removeprefix("一") if 10 <= n < 20 else in_chinese(n) for n in range(1, 32)}
    for text in (
        day.isoformat(),
        f"{y}.{m}.{d}",
        f"{y}/{m}/{d}",
        f"{y}年{m}月{d}日",
        f"{y}年{m:02}月{d:02}日",
        f"{y} 年 {m} 月 {d} 日",
        f"{y}{m:02}{d:02}",
        f"{y}-{m}-{d} 08:30",
        f"{chinese_year}年{tens[m]}月{tens[d]}日",
        f"{y}年{m}月{d}日".translate({ord(str(n)): chr(0xFF10 + n) for n in range(10)}),
    ):
        found = read_date(text)
        assert (found.text, found.precision, found.first, found.last) == (day.isoformat(), "day", day, day), text
    serial = (day - date(1899, 12, 30)).days
    assert read_date(serial).first == read_date(float(serial)).first == day or serial < 18_264
    assert read_date(f"{m}月{d}日", year=y).first == day
    assert read_date(f"{y % 100:02}年{m}月{d}日").first == day
    assert read_date(join_parts((y, m, d))).first == day


@given(DAYS)
def test_coarse_dates_cover_their_days_and_come_back(day: date) -> None:
    y, m = day.year, day.month
    for text in (
        f"{y}年{m}月",
        f"{y}.{m:02}",
        f"{y}-{m:02}",
        f"{y}年第{(m + 2) // 3}季度",
        f"{y}年{'上' if m < 7 else '下'}半年",
        f"{y}年",
    ):
        found = read_date(text)
        assert found.first and found.last and found.first <= day <= found.last, text
        assert found.first.day == 1 and (found.last + timedelta(1)).day == 1
        if found.precision in ("month", "year"):
            again = read_date(found.text or "")
            assert (again.first, again.last) == (found.first, found.last)
    assert read_date(f"{y}年{m}月").last == date(y, m, calendar.monthrange(y, m)[1])


@given(
    st.text(alphabet="0123456789.-/年月日号上下半第一二三四季度初底末前后约（）() 十〇:T", max_size=20)
    | st.text(max_size=30)
    | st.floats()
    | st.integers(),
    st.sampled_from([None, 2026, 2024]),
)
def test_nothing_breaks_the_reader(cell: str | float, year: int | None) -> None:
    found = read_date(cell, year=year)
    assert isinstance(found, When) and (found.raw == cell or cell != cell)
    assert (found.text is None) == (found.missing is not None) == (found.first is None) == (found.last is None)
    if found.first and found.last:
        assert found.first <= found.last
        if year is None:
            assert INFERRED not in found.marks
